/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * changes - what has changed on the board since the last look: clusters that were judged, and
 * groups whose status is another. One thread.
 */

#include "aggregator/judge/view.h"

struct changes;

/* Never NULL. */
struct changes *changes_new(void);
void changes_free(struct changes **c);

/* Compare with the look before. A cluster seen for the first time has no changes of groups. */
void changes_look(struct changes *c, struct board *board);

struct change {
	const char *event; /* "pass" or "status" */
	const char *environment, *cluster;
	const char *group; /* "" for a pass */
	const char *data;  /* an object of JSON, in one line */
};

/* Hand over what was found, the oldest first, and forget it. Borrowed for the time of the call. */
void changes_each(struct changes *c, void (*on_change)(void *arg, const struct change *change),
		  void *arg);
