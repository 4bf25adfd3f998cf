/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* example - a message about nothing, to try templates and receivers with. */

#include "aggregator/alert/message.h"

/* Two incidents, with labels, and names that hold what has to be escaped. Caller owns it; NULL:
 * there is no memory. */
struct message *example_message(const char *receiver, const char *route, const char *page,
				enum message_kind kind, int64_t now_ms);

/* Messages that a template has to stand: of each kind, of incidents of which little is known, and
 * with all that has to be escaped in every text. n: below EXAMPLES; and what is special of it. */
#define EXAMPLES 7
struct message *example_hard(size_t n);
const char *example_hard_name(size_t n);

/* The same of one incident that there is, without labels. */
struct message *example_of(const struct incident *i, const char *receiver, const char *page,
			   int64_t now_ms);

/* Give the incident at index a label. False: there is no memory, or no room. */
bool example_label(struct message *m, size_t index, const char *name, const char *value);
