/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * remind - tells the stream what the program had judged before it was restarted, from the store:
 * what each group was, changes of groups' status, incidents. So its clients can go on.
 *
 * Not told again: that a group is no more, of which the store keeps nothing.
 */

#include "aggregator/alert/alert.h"
#include "aggregator/serve/stream.h"
#include "aggregator/store/store.h"

/* Before the writer and the stream are started. */
MUST_CHECK int remind(struct store *st, struct alert *a, struct stream *s);
