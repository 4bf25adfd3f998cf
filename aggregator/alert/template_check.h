/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * template_check - tries a template before it is needed, with messages that are made to break it:
 * JSON has to be JSON whatever stands in it, a form one line, and in HTML a value has to stand
 * where its escape holds.
 */

#include "aggregator/alert/template.h"

/* What it is for. */
enum template_use {
	TEMPLATE_FOR_OPEN = 1, /* all messages but that of the end */
	TEMPLATE_FOR_END = 2,
	TEMPLATE_AS_OBJECT = 4, /* of JSON: and no other value will do */
};

/* uses: of template_use. like: to, from, sms and extras of the receiver. ERR_CONFIG: what is wrong
 * first is appended to errors as one line, with the place in the file of that name. */
MUST_CHECK int template_check(const struct template *t, const char *name, unsigned uses,
			      const struct fields_at *like, struct buf *errors);
