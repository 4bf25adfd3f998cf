/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* receiver_priv - what receivers.c, which reads templates, and receiver.c, which uses them, share.
 */

#include "aggregator/alert/receiver.h"
#include "aggregator/alert/template.h"

/* What it says in one place: the file's, if there is one, and the built-in form. */
struct form_pair {
	struct template *given, *built_in;
};

enum part {
	SUBJECT,
	TEXT,
	HTML,
	SMS,
	BODY,
	BODY_RESOLVE,     /* none: as BODY */
	BODY_ACKNOWLEDGE, /* likewise */
	URL,
	URL_RESOLVE,
	PARTS,
};

struct receiver {
	const struct alert_receiver *config; /* borrowed */
	struct form_pair parts[PARTS];
};

/* Kinds of receivers. */
bool receiver_is_mail(const struct alert_receiver *c);
bool receiver_is_sms(const struct alert_receiver *c);

/* How values in its body are escaped. */
enum escape receiver_escape(const struct alert_receiver *c);
