/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * notify_priv - what notify.c, notify_send.c and notify_state.c share.
 *
 * An incident is a member of one group for each route that takes it; the members of a group are
 * told of together, in one thread of messages. What goes beyond one group, the summaries of a storm
 * and escalations, belongs to the route's lane and has threads of its own. All of it lies in the
 * store, a row each, in the transaction that changes it.
 */

#include <uthash.h>

#include "aggregator/alert/notify.h"
#include "aggregator/alert/route.h"

/* Who is told. */
enum slot {
	SLOT_MAIN,
	SLOT_OTHER, /* instead, outside of the route's hours */
	SLOT_ESCALATED,
	SLOTS,
};

enum member_flag {
	MEMBER_OVER = 1,
	MEMBER_ACKNOWLEDGED = 2,
	MEMBER_SILENCED = 4,
	MEMBER_FLAPS = 8,
	MEMBER_FLAPS_TOLD = 16,
	MEMBER_ACKNOWLEDGEMENT_TOLD = 32, /* one for each slot */
};

/* Head of a row in the store; a message with the incident as it is follows. */
struct member_row {
	uint8_t form; /* ROW_MEMBER */
	uint8_t status, told_status, flags;
	uint32_t version;
	uint64_t thread, id; /* of the group, of the incident */
	int64_t opened_ms;
	int64_t told_ms;      /* when somebody was first; 0: nobody */
	uint64_t told[SLOTS]; /* the thread in which it was; 0: not */
};

/* Head; the text of what its incidents have in common follows. */
struct group_row {
	uint8_t form; /* ROW_GROUP */
	uint8_t spare[3];
	uint32_t repeats;
	uint64_t thread, route;
	int64_t hard_ms; /* since when there is something to say; 0: not */
	int64_t soft_ms; /* the same of what can wait longer */
	int64_t last_ms; /* the last message; 0: none */
};

struct lane_row {
	uint8_t form; /* ROW_LANE */
	uint8_t storm;
	uint8_t spare[2];
	uint32_t count; /* messages since start_ms, summaries too */
	uint64_t route;
	int64_t start_ms;
	int64_t storm_ms; /* when the storm began */
	int64_t next_ms;  /* the next summary */
};

enum row_form { ROW_GROUP = 0x11, ROW_MEMBER = 0x12, ROW_LANE = 0x13 };

struct member {
	struct member *prev, *next; /* of the group */
	struct member *same;        /* the next of the same incident */
	struct group *group;
	bool matched; /* by the change that is being seen to */
	bool held;    /* nobody is told anything of it now */
	struct member_row row;
};

struct group {
	UT_hash_handle hh; /* by row.thread */
	const struct route *route;
	struct member *members;
	bool dirty;
	int64_t next_ms;
	struct group_row row;
	char *by; /* what its incidents have in common */
};

struct incident_entry {
	UT_hash_handle hh;
	uint64_t id;
	struct member *first;
};

struct lane {
	UT_hash_handle hh; /* by row.route */
	const struct route *route;
	bool dirty;
	bool seen_to;               /* a thread may be acknowledged by now */
	int64_t asked_ms, begin_ms; /* outside of the hours at the first: when they begin */
	struct lane_row row;
};

/* A cluster of which nobody is told anything now. */
struct held {
	uint32_t cluster;
	bool let_go; /* it was for too long */
	int64_t since_ms;
};

struct notify {
	const struct alert_config *config;
	struct outbox *outbox;
	struct route_set *routes;
	struct group *groups;
	struct incident_entry *incidents;
	struct lane *lanes;
	struct held *held;
	size_t held_count, held_cap;
	int64_t next_ms;
	struct store_txn *t; /* the transaction under way */
	int64_t now_ms;
};

/* --- notify_state.c --- */

void notify_clear(struct notify *n);

/* Fill the memory from the store. Those whose route is gone have group->route NULL. */
void notify_read(struct notify *n);

struct group *notify_group(struct notify *n, uint64_t thread);
struct group *notify_add_group(struct notify *n, const struct route *r, uint64_t thread,
			       const char *by);
void notify_save_group(struct notify *n, const struct group *g);

/* With its members, and their rows. */
void notify_drop_group(struct notify *n, struct group *g);

struct member *notify_first_member(struct notify *n, uint64_t id);
struct member *notify_add_member(struct notify *n, struct group *g, const struct incident *i);

/* mi NULL: only the head has changed. */
void notify_save_member(struct notify *n, const struct member *m,
			const struct message_incident *mi);
void notify_drop_member(struct notify *n, struct member *m);

/* The incident of a member with its labels, as a message that the caller frees; NULL: it cannot be
 * read. */
struct message *notify_member_content(struct notify *n, const struct member *m);

struct lane *notify_lane(struct notify *n, const struct route *r);
void notify_save_lane(struct notify *n, const struct lane *l);

static inline bool notify_has(const struct member *m, enum member_flag flag)
{
	return (m->row.flags & flag) != 0;
}

/* --- notify_send.c --- */

struct notify_list {
	struct member **items;
	size_t count, size;
};

void notify_list_add(struct notify_list *l, struct member *m);
void notify_list_free(struct notify_list *l);

struct notify_letter {
	const struct route *route;
	enum slot slot;
	enum message_kind kind;
	uint64_t thread;
	uint64_t salt;  /* what tells it from others of its thread and kind */
	const char *by; /* what its incidents have in common */
};

/* Put a message of these into the outbox. Sorts the list. */
void notify_send(struct notify *n, const struct notify_letter *letter, struct notify_list *list);

/* --- notify_group.c --- */

/* That some of a group is over, while some lasts, is told of after this, or with what else there
 * is to say. */
#define NOTIFY_SOFT_WAIT_MS ((int64_t)300000)

/* As far as is to be told. */
bool notify_is_over(const struct member *m);

/* Whether the slot's receiver keeps each thread as an alert of its own. */
bool notify_is_keyed(const struct route *r, enum slot slot);

/* To any receiver. */
bool notify_is_told_at_all(const struct member *m);

/* It lasts, was told of, and nobody has acknowledged it or was told of that. */
bool notify_can_escalate(const struct member *m);

/* Who is told now; SLOTS: nobody until the hours begin. */
enum slot notify_slot_now(const struct route *r, int64_t now_ms);

/* See what there is to say, note since when, and set when it is due. Drops a group without
 * members. */
void notify_review(struct notify *n, struct group *g);

/* Whether it has something to say by now, hours and storms aside; and whether a member is part of
 * it. repeat: it says all that lasts again. */
bool notify_is_due(const struct notify *n, const struct group *g);
bool notify_belongs(const struct member *m, enum slot slot, bool repeat);

/* Say it, if it may. */
void notify_speak(struct notify *n, struct group *g);

/* Ends that nobody wants to hear of are put down as told. */
void notify_end_quietly(struct notify *n, struct group *g);

/* The members were told of in a thread. Those that are over, and of which nobody is to be told any
 * more, are dropped. */
void notify_told(struct notify *n, struct notify_list *list, enum slot slot, uint64_t thread);

/* The group has said what there was. */
void notify_said(struct notify *n, struct group *g);

/* What tells messages of a thread from each other: of the first, and the last, the oldest incident;
 * of repeats their number; of others what is new in them. */
uint64_t notify_salt(const struct notify_list *list, enum message_kind kind, uint64_t number);

/* --- notify_hold.c --- */

bool notify_is_held(const struct notify *n, uint32_t cluster);

/* Set every member's held. */
void notify_mark_held(struct notify *n);

/* --- notify_acknowledge.c --- */

/* It lasts, is acknowledged, and a receiver that keeps alerts of its own does not know. */
bool notify_has_acknowledgement(const struct member *m);

/* Tell such receivers of each thread of which all that lasts is acknowledged. */
void notify_acknowledge(struct notify *n, struct lane *l);

/* --- notify_lane.c --- */

/* Whether the route may send one more message to people. If not, a storm begins. */
bool notify_take_turn(struct notify *n, const struct route *r, enum slot slot);

/* When it is time: one message of all that the storm holds back, or its end. */
void notify_summarize(struct notify *n, struct lane *l);

/* When the first is due: all that nobody has acknowledged for long, in one message. */
void notify_escalate(struct notify *n, struct lane *l);

/* Tell the end of each thread that is not a group's own, or not the one it speaks in now. */
void notify_end_threads(struct notify *n, struct lane *l);
