/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * members - who is in a group, packed: one block of memory a member.
 *
 * The same bytes serve in memory and on disk. Topics are kept by name, or by Kafka's topic id
 * where that is all the record says; what they are is asked when a pass is built.
 */

#include "agent/collect/record.h"
#include "common/base.h"
#include "common/buf.h"

/*
 * One member:
 *	id, client id, host    each NUL-terminated
 *	topics subscribed to   each NUL-terminated, the list ends with ""
 *	topics assigned        each: name NUL-terminated, "" and 16 bytes of id where the name
 *	                       is not known; count and partitions, 4 bytes each, big-endian
 */
struct member {
	uint32_t about_size;    /* bytes up to the assignment */
	uint32_t assigned_size; /* bytes of the assignment */
	uint8_t bytes[];
};

struct members {
	struct member **items; /* owned, owned */
	uint32_t count;
};

/* Accepts a zeroed struct, which is left. */
void members_free(struct members *m);

/* Replace all, as a classic group's record says. */
void members_replace(struct members *m, const struct record_member *all, size_t count);

/* Set who one member is, or what it owns, leaving the other half; adds it if it is new, but for
 * the sake of owning nothing. */
void members_set_about(struct members *m, const struct record_member *one);
void members_set_assigned(struct members *m, const struct record_member *one);

void members_remove(struct members *m, struct record_str id);

/* Append as bytes; and back, replacing all. ERR_MALFORMED, and none are left, if damaged. */
void members_pack(const struct members *m, struct buf *out);
MUST_CHECK int members_unpack(struct members *m, const uint8_t *data, size_t size);

/* --- reading one: strings are borrowed until the member changes --- */

struct members_about {
	const char *id, *client_id, *host;
	const char *subscribed; /* the first topic; see members_next_topic() */
};

struct members_about members_about(const struct member *m);

/* The topic after this one, NULL at the end: for (s = a.subscribed; s != NULL; s = next(s)).
 * subscribed itself is NULL when there is none. */
const char *members_next_topic(const char *topic);

struct members_assigned {
	const char *topic;         /* "" where only the id is known */
	const uint8_t *topic_id;   /* 16 bytes; NULL where the name is known */
	const uint8_t *partitions; /* 4 bytes each, big-endian */
	uint32_t count;
};

/* Walk the assignment; *at starts at 0. False at the end. */
bool members_next_assigned(const struct member *m, size_t *at, struct members_assigned *ret_a);
