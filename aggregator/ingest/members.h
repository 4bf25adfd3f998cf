/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * members - who is in a group and which partitions each one owns, as one record of the store.
 *
 *	u32 members, then for each: id, client id, host; each u16 length and bytes
 *	u32 owned,   then for each: u32 topic, u32 partition, u32 index of the member
 *	u32 topics subscribed to, then u32 each
 *
 * Integers are big-endian. owned is sorted by topic and partition, topics rise. No topics: what
 * the members subscribe to is not known, because one of them does so by pattern.
 */

#include "common/base.h"
#include "common/buf.h"
#include "proto/wire.h"

struct members_owned {
	uint32_t topic; /* the store's number */
	int32_t partition;
	uint32_t member;
};

struct members_name {
	const char *data; /* not NUL-terminated */
	size_t size;
};

struct members_one {
	struct members_name id, client_id, host;
};

struct members {
	struct members_one *list; /* names are borrowed from the record */
	size_t count;
	struct members_owned *owned;
	size_t owned_count;
	uint32_t *topics;
	size_t topic_count;
};

/* Write the record of a group row to out. topics translates the batch's dictionary indexes to the
 * store's numbers; where it holds 0 the topic is left out. */
void members_pack(struct buf *out, const struct wire_group *g, const uint32_t *topics);

/* Read a record. Free *ret_m with members_free(). ERR_MALFORMED if members_pack() did not write
 * it. Names are valid as long as data is. */
MUST_CHECK int members_unpack(const uint8_t *data, size_t size, struct members *ret_m);
void members_free(struct members *m);

/* The entry of a topic partition among those owned, or NULL; place->member is ignored. */
const struct members_owned *members_find(const struct members *m,
					 const struct members_owned *place);
bool members_subscribed(const struct members *m, uint32_t topic);
