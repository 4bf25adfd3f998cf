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

/* What was last told of a cluster, by the program before it was restarted: it is compared with when
 * the cluster is first on the board. Of its groups id, name and status matter. */
void changes_know(struct changes *c, const struct view *v);

/* Compare with the look before. A cluster of which nothing is known has no changes of groups. */
void changes_look(struct changes *c, struct board *board);

/* The time up to which all passes that were looked at have told everything: what they find next is
 * of later, whichever cluster it is of. Clusters that nothing is heard of do not count. 0: there is
 * none. */
int64_t changes_told_ms(const struct changes *c);

struct change {
	const char *event; /* "pass" or "status" */
	uint32_t cluster_id;
	const char *environment, *cluster;
	const char *group; /* "" for a pass */
	const char *data;  /* an object of JSON, in one line */
	int64_t at_ms;     /* the pass */
};

/* Hand over what was found, the oldest first, and forget it. Borrowed for the time of the call. */
void changes_each(struct changes *c, void (*on_change)(void *arg, const struct change *change),
		  void *arg);

/* A change of a group's status. Numbers may be VIEW_UNKNOWN. */
struct change_status {
	const char *environment, *cluster, *group;
	enum status from, to;
	const char *reason, *sentence;
	int64_t lag, time_lag_ms, as_of_ms;
};

/* Append the data of its event. */
void changes_put_status(struct buf *out, const struct change_status *s);
