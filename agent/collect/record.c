/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/record.h"

#include "agent/collect/record_member.h"
#include "common/err.h"

#define NO_VALUE (-1)
#define TAG_TOPIC_ID 0

/* What a record with a key of this version is, with a value and without. */
struct form {
	enum record_kind live;
	enum record_kind gone;
	enum record_protocol protocol;
};

static const struct form forms[] = {
	[0] = {RECORD_COMMIT, RECORD_COMMIT_GONE, RECORD_CLASSIC},
	[1] = {RECORD_COMMIT, RECORD_COMMIT_GONE, RECORD_CLASSIC},
	[2] = {RECORD_GROUP, RECORD_GROUP_GONE, RECORD_CLASSIC},
	[3] = {RECORD_EPOCH, RECORD_GROUP_GONE, RECORD_CONSUMER},
	[4] = {RECORD_TOPIC_IDS, RECORD_OTHER, RECORD_CONSUMER},
	[5] = {RECORD_MEMBER, RECORD_MEMBER_GONE, RECORD_CONSUMER},
	[6] = {RECORD_OTHER, RECORD_OTHER, RECORD_CONSUMER},
	[7] = {RECORD_OTHER, RECORD_OTHER, RECORD_CONSUMER},
	[8] = {RECORD_ASSIGNMENT, RECORD_ASSIGNMENT_GONE, RECORD_CONSUMER},
	[9] = {RECORD_OTHER, RECORD_OTHER, RECORD_SHARE},
	[10] = {RECORD_MEMBER, RECORD_MEMBER_GONE, RECORD_SHARE},
	[11] = {RECORD_EPOCH, RECORD_GROUP_GONE, RECORD_SHARE},
	[12] = {RECORD_OTHER, RECORD_OTHER, RECORD_SHARE},
	[13] = {RECORD_OTHER, RECORD_OTHER, RECORD_SHARE},
	[14] = {RECORD_ASSIGNMENT, RECORD_ASSIGNMENT_GONE, RECORD_SHARE},
	[15] = {RECORD_OTHER, RECORD_OTHER, RECORD_SHARE},
	[16] = {RECORD_OTHER, RECORD_OTHER, RECORD_CONSUMER},
	[17] = {RECORD_EPOCH, RECORD_GROUP_GONE, RECORD_STREAMS},
	[18] = {RECORD_OTHER, RECORD_OTHER, RECORD_STREAMS},
	[19] = {RECORD_MEMBER, RECORD_MEMBER_GONE, RECORD_STREAMS},
	[20] = {RECORD_OTHER, RECORD_OTHER, RECORD_STREAMS},
	[21] = {RECORD_OTHER, RECORD_OTHER, RECORD_STREAMS},
	[22] = {RECORD_OTHER, RECORD_OTHER, RECORD_STREAMS},
	[23] = {RECORD_OTHER, RECORD_OTHER, RECORD_STREAMS},
	[24] = {RECORD_OTHER, RECORD_OTHER, RECORD_STREAMS},
};

static int16_t newest_value_version(enum record_kind kind)
{
	if (kind == RECORD_COMMIT || kind == RECORD_GROUP)
		return 4;
	return kind == RECORD_OTHER ? INT16_MAX : 0;
}

static bool is_zero(const uint8_t id[16])
{
	static const uint8_t zero[16];
	return memcmp(id, zero, sizeof(zero)) == 0;
}

/* The tagged fields of a commit: the topic's id, and what later brokers may add. */
static void read_commit_tags(struct reader *r, struct record *ret_r)
{
	for (uint32_t left = reader_varint(r); left > 0 && !r->bad; left--) {
		uint32_t tag = reader_varint(r);
		uint32_t size = reader_varint(r);
		const uint8_t *field = reader_take(r, size);
		if (field == NULL || tag != TAG_TOPIC_ID)
			continue;
		if (size != sizeof(ret_r->topic_id)) {
			r->bad = true;
			return;
		}
		memcpy(ret_r->topic_id, field, size);
		ret_r->has_topic_id = !is_zero(field);
	}
}

/*
 * version    0, 2                 1                    3                    4
 *            offset          i64  offset          i64  offset          i64  offset          i64
 *                                                      leader epoch    i32  leader epoch    i32
 *            metadata     string  metadata     string  metadata     string  metadata    compact
 *            commit time     i64  commit time     i64  commit time     i64  commit time     i64
 *                                 expire time     i64                       tagged fields
 */
static int read_commit(struct reader *r, struct record *ret_r)
{
	int16_t version = ret_r->value_version;

	ret_r->offset = reader_i64(r);
	if (version >= 3)
		ret_r->leader_epoch = reader_i32(r);
	reader_string(r, version >= 4, true);
	ret_r->time_ms = reader_i64(r);
	if (version == 1)
		reader_i64(r);
	if (version >= 4)
		read_commit_tags(r, ret_r);
	return r->bad ? ERR_MALFORMED : ERR_OK;
}

/* What follows the epoch differs between releases under one value version, and is not needed. */
static int read_epoch(struct reader *r, struct record *ret_r)
{
	ret_r->generation = reader_i32(r);
	return r->bad ? ERR_MALFORMED : ERR_OK;
}

static bool of_commit(enum record_kind kind)
{
	return kind == RECORD_COMMIT || kind == RECORD_COMMIT_GONE;
}

static bool of_member(enum record_kind kind)
{
	return kind == RECORD_MEMBER || kind == RECORD_MEMBER_GONE || kind == RECORD_ASSIGNMENT ||
	       kind == RECORD_ASSIGNMENT_GONE;
}

/* What the key says after the group's name. ret_m is of use to records of members only. */
static int read_key_rest(struct reader *r, struct record *ret_r, struct record_member *ret_m)
{
	if (of_commit(ret_r->kind)) {
		ret_r->topic = reader_string(r, false, false);
		ret_r->partition = reader_i32(r);
	}
	if (of_member(ret_r->kind))
		ret_m->id = reader_string(r, false, false);
	return r->bad || ret_r->partition < 0 ? ERR_MALFORMED : ERR_OK;
}

static int read_value(struct reader *r, struct arena *a, struct record *ret_r,
		      struct record_member *ret_m)
{
	switch (ret_r->kind) {
	case RECORD_COMMIT:
		return read_commit(r, ret_r);
	case RECORD_GROUP:
		return record_member_group(r, a, ret_r);
	case RECORD_EPOCH:
		return read_epoch(r, ret_r);
	case RECORD_MEMBER:
		return record_member_identity(r, a, ret_r->protocol, ret_m);
	case RECORD_ASSIGNMENT:
		return record_member_assignment(r, a, ret_r->protocol, &ret_r->generation, ret_m);
	case RECORD_TOPIC_IDS:
		return record_member_topic_ids(r, a, ret_r);
	default:
		return ERR_OK;
	}
}

static int keep_member(const struct record_member *m, struct arena *a, struct record *ret_r)
{
	struct record_member *kept = arena_alloc(a, sizeof(*kept));

	if (kept == NULL)
		return ERR_LIMIT;
	*kept = *m;
	ret_r->members = kept;
	ret_r->member_count = 1;
	return ERR_OK;
}

int record_decode(const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size,
		  struct arena *a, struct record *ret_r)
{
	struct reader k = reader_of(key, key_size);
	struct reader v = reader_of(value, value_size);
	struct record_member member = {0};

	*ret_r = (struct record){.value_version = NO_VALUE, .leader_epoch = -1};
	ret_r->key_version = reader_i16(&k);
	if (k.bad)
		return ERR_MALFORMED;
	if (value != NULL)
		ret_r->value_version = reader_i16(&v);
	ret_r->group = reader_string(&k, false, false);
	if (ret_r->key_version < 0 || (size_t)ret_r->key_version >= ARRAY_LEN(forms))
		return ERR_VERSION;

	const struct form *form = &forms[ret_r->key_version];
	ret_r->kind = value == NULL ? form->gone : form->live;
	ret_r->protocol = form->protocol;
	int err = v.bad ? ERR_MALFORMED : read_key_rest(&k, ret_r, &member);
	if (err < 0)
		return err;
	if (value != NULL) {
		if (ret_r->value_version < 0 ||
		    ret_r->value_version > newest_value_version(ret_r->kind))
			return ERR_VERSION;
		err = read_value(&v, a, ret_r, &member);
	}
	if (err == ERR_OK && of_member(ret_r->kind))
		err = keep_member(&member, a, ret_r);
	return err;
}
