/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * table - what is known of one cluster at this moment: topics, groups, commits, members.
 *
 * Fed with records of __consumer_offsets in the order of the stream, or with answers of the Admin
 * API. Marks what no pass has told yet (unsent) and what is not on disk yet (unsaved); what is
 * gone stays, marked, until both have happened. Knows neither Kafka's client nor the state.
 * One collector thread owns a table.
 */

#include "agent/collect/commits.h"
#include "agent/collect/kafka.h"
#include "agent/collect/members.h"
#include "agent/collect/names.h"
#include "agent/collect/record.h"
#include "agent/collect/topics.h"
#include "agent/config.h"
#include "proto/wire.h"

struct group {
	struct members members;
	int32_t generation;
	uint32_t commits; /* alive */
	uint8_t protocol; /* enum wire_protocol */
	uint8_t state;    /* enum wire_group_state */
	bool hidden;      /* excluded by the rules: nothing else is kept of it */
	bool gone;        /* neither commits nor members nor a record of its own */
	bool unsent;
	bool unsaved;
	bool waiting;  /* an assignment names a topic that is not known yet */
	bool seen;     /* listed by the Admin API in this pass */
	bool answered; /* and its offsets were told */

	/* of the batch being built: pass.c */
	uint32_t mark, local;
};

struct table {
	struct topics topics;
	struct names names;   /* of groups */
	struct group *groups; /* owned; by the number of the name */
	uint32_t group_cap;
	struct commits commits;
	const struct agent_filter *rules; /* of groups; borrowed */
	uint64_t skipped;                 /* records of groups and topics that cannot be handled */
	uint64_t news_seen;               /* topics.news, when waiting groups were last looked at */
};

/* Rules may be NULL: everything. They are borrowed. */
void table_init(struct table *t, const struct agent_filter *groups,
		const struct agent_filter *topics);
void table_free(struct table *t);

/* Apply one decoded record. arrival_ms: when it came, agent's clock. */
void table_apply(struct table *t, const struct record *r, int64_t arrival_ms);

/* Whether a commit this new, or newer, is known already. For records that are read again. */
bool table_has_newer(const struct table *t, const struct record *r);

/* The number of a group that is to be watched, added if it is new; NAMES_NONE if the rules or its
 * name forbid. */
uint32_t table_group(struct table *t, const char *name, size_t size);

/* --- the Admin API's view, once a pass: begin, groups, end --- */

void table_admin_begin(struct table *t);

/* The group was listed, whether or not its offsets will be told. False: not to be watched. */
bool table_admin_listed(struct table *t, const char *name);

/* Offsets and state of a group. A commit counts as arrived at at_ms if its offset moved. */
void table_admin_group(struct table *t, const struct kafka_group *k, int64_t at_ms);

/* The same for its members. */
void table_admin_members(struct table *t, const struct kafka_description *d);

/* Groups that were not listed are gone, unless the list was partial. */
void table_admin_end(struct table *t, bool partial);

/* --- telling and forgetting --- */

/* Before a pass is built: groups that wait for topics which are known now are to be told again. */
void table_wake_waiting(struct table *t);

/* A pass has told everything unsent. */
void table_sent(struct table *t);

/* Everything unsaved is on disk: forget what is gone. Only after table_sent(). */
void table_saved(struct table *t);

/* As loaded from the state. ERR_MALFORMED if it contradicts what is loaded already. */
MUST_CHECK int table_restore_group(struct table *t, uint32_t n, const char *name, size_t size);
MUST_CHECK int table_restore_commit(struct table *t, const struct commit *c);

/* Bytes of memory held. */
size_t table_memory(const struct table *t);
