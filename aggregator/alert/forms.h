/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* forms - the built-in templates of each type of receiver. */

#include "aggregator/alert/alert_config.h"

/* Of an HTTP request. resolve is NULL where it is as open; a webhook has its forms by body. */
struct form {
	const char *open, *resolve;
	const char *acknowledge; /* NULL: an acknowledgement is not told, or as open */
};

struct form forms_http(const struct alert_receiver *r);

extern const char FORMS_SUBJECT[], FORMS_TEXT[], FORMS_HTML[], FORMS_SMS[];
