/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/lag_history.h"

#include <assert.h>
#include <string.h>

#include "common/bytes.h"

/*
 * A block is a sequence of runs. A run is one group and topic with partitions that follow each
 * other without a hole:
 *
 *	varint  group, less that of the run before
 *	varint  topic, less that of the run before when the group is the same
 *	varint  partition
 *	u8      how many samples follow, 1..255
 *	then each: u16 lag, and for groups u16 max, u16 time, u8 status with the top bit for
 *at_least
 *
 * The first run of a block is told from zero, so that each block can be read alone.
 */
#define RUN_MAX 255
#define RUN_HEAD_MAX 16 /* three varints and the count */
#define AT_LEAST 0x80

#define CODE_LINEAR 4096 /* codes below it are the number itself */
#define CODE_BITS 11     /* of the mantissa above */

struct lag_level lag_level(unsigned level)
{
	static const struct lag_level LEVELS[LAG_LEVELS] = {
		{10 * 1000, 90},        {60 * 1000, 360}, {10 * 60 * 1000, 432},
		{2 * 3600 * 1000, 360}, {60 * 1000, 360}, {10 * 60 * 1000, 432},
		{2 * 3600 * 1000, 360},
	};

	return LEVELS[level];
}

uint32_t lag_bin(unsigned level, int64_t at_ms)
{
	return (uint32_t)(at_ms / lag_level(level).width_ms);
}

int lag_id_compare(const struct lag_id *a, const struct lag_id *b)
{
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->topic != b->topic)
		return a->topic < b->topic ? -1 : 1;
	return (a->partition > b->partition) - (a->partition < b->partition);
}

/* --- codes --- */

uint16_t lag_encode(int64_t value)
{
	if (value < 0)
		return LAG_UNKNOWN;
	if (value < CODE_LINEAR)
		return (uint16_t)value;
	unsigned e = 63 - CODE_BITS - (unsigned)__builtin_clzll((uint64_t)value);
	uint64_t mantissa = ((uint64_t)value >> e) - (1u << CODE_BITS);
	uint64_t code = CODE_LINEAR + ((uint64_t)(e - 1) << CODE_BITS) + mantissa;
	return (uint16_t)MIN(code, (uint64_t)LAG_UNKNOWN - 1);
}

int64_t lag_decode(uint16_t code)
{
	if (code == LAG_UNKNOWN)
		return -1;
	if (code < CODE_LINEAR)
		return code;
	unsigned e = ((unsigned)(code - CODE_LINEAR) >> CODE_BITS) + 1;
	int64_t mantissa = (code - CODE_LINEAR) & ((1 << CODE_BITS) - 1);
	return (mantissa + (1 << CODE_BITS)) << e;
}

bool lag_idle(const struct lag_sample *s)
{
	return s->lag == 0 && s->max == 0 && (s->time == 0 || s->time == LAG_UNKNOWN) &&
	       s->status <= STATUS_OK;
}

static uint16_t greater(uint16_t a, uint16_t b)
{
	/* One more, so that unknown is the least. */
	return (uint16_t)(MAX((uint16_t)(a + 1), (uint16_t)(b + 1)) - 1);
}

void lag_worse(struct lag_sample *into, const struct lag_sample *other)
{
	uint16_t time = greater(into->time, other->time);

	if (time != into->time)
		into->at_least = other->at_least;
	into->time = time;
	into->lag = greater(into->lag, other->lag);
	into->max = greater(into->max, other->max);
	into->status = MAX(into->status, other->status);
}

/* --- writing --- */

static bool of_groups(unsigned level)
{
	return level < LAG_GROUP_LEVELS;
}

static size_t sample_size(unsigned level)
{
	return of_groups(level) ? 7 : 2;
}

static void put_varint(struct lag_writer *w, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		w->data[w->size++] = (uint8_t)(v | 0x80);
	w->data[w->size++] = (uint8_t)v;
}

static void put_sample(struct lag_writer *w, const struct lag_sample *s)
{
	uint8_t *to = w->data + w->size;

	put_be16(to, s->lag);
	if (of_groups(w->level)) {
		put_be16(to + 2, s->max);
		put_be16(to + 4, s->time);
		to[6] = (uint8_t)(s->status | (s->at_least ? AT_LEAST : 0));
	}
	w->size += sample_size(w->level);
}

static void flush(struct lag_writer *w)
{
	w->put(w->arg, &w->first, w->data, w->size);
	w->blocks++;
	w->size = w->run = 0;
	w->last = (struct lag_id){0};
}

static bool continues(const struct lag_writer *w, const struct lag_id *id)
{
	return w->run != 0 && w->data[w->run] < RUN_MAX && id->group == w->last.group &&
	       id->topic == w->last.topic && id->partition == w->last.partition + 1;
}

static void begin_run(struct lag_writer *w, const struct lag_id *id)
{
	uint32_t group = id->group - w->last.group;

	put_varint(w, group);
	put_varint(w, group == 0 ? id->topic - w->last.topic : id->topic);
	put_varint(w, (uint32_t)id->partition);
	w->run = w->size;
	w->data[w->size++] = 0;
}

void lag_writer_begin(struct lag_writer *w, unsigned level, lag_put *put, void *arg)
{
	w->level = level;
	w->put = put;
	w->arg = arg;
	w->first = w->last = (struct lag_id){0};
	w->run = w->size = w->blocks = 0;
}

void lag_writer_add(struct lag_writer *w, const struct lag_id *id, const struct lag_sample *s)
{
	if (lag_idle(s))
		return;
	assert(lag_id_compare(&w->last, id) <= 0 && id->partition >= 0);
	if (w->size + RUN_HEAD_MAX + sample_size(w->level) > LAG_BLOCK_MAX) {
		flush(w);
		w->first = *id;
	}
	if (!continues(w, id))
		begin_run(w, id);
	w->data[w->run]++;
	put_sample(w, s);
	w->last = *id;
}

void lag_writer_end(struct lag_writer *w)
{
	if (w->size != 0 || w->blocks == 0)
		flush(w);
}

/* --- reading --- */

void lag_reader_begin(struct lag_reader *r, unsigned level, const void *data, size_t size)
{
	const uint8_t *at = data;

	*r = (struct lag_reader){.level = level, .at = at, .end = at == NULL ? NULL : at + size};
}

static bool take_varint(struct lag_reader *r, uint32_t *ret_v)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 35 && r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_v = (uint32_t)v;
			return v <= UINT32_MAX;
		}
	}
	return false;
}

static bool next_run(struct lag_reader *r)
{
	uint32_t group = 0;
	uint32_t topic = 0;
	uint32_t partition = 0;

	if (!take_varint(r, &group) || !take_varint(r, &topic) || !take_varint(r, &partition) ||
	    r->at == r->end)
		return false;
	r->id.topic = group == 0 ? r->id.topic + topic : topic;
	r->id.group += group;
	r->id.partition = (int32_t)(partition & INT32_MAX);
	r->left = *r->at++;
	return r->left != 0 && r->id.partition <= INT32_MAX - RUN_MAX &&
	       (size_t)(r->end - r->at) >= r->left * sample_size(r->level);
}

static struct lag_sample get_sample(unsigned level, const uint8_t *p)
{
	struct lag_sample s = {.lag = get_be16(p)};

	if (of_groups(level)) {
		s.max = get_be16(p + 2);
		s.time = get_be16(p + 4);
		s.status = (uint8_t)MIN(p[6] & (AT_LEAST - 1), (int)STATUS_REWIND);
		s.at_least = (p[6] & AT_LEAST) != 0;
	}
	return s;
}

bool lag_reader_next(struct lag_reader *r, struct lag_id *ret_id, struct lag_sample *ret_s)
{
	if (r->left == 0 && !next_run(r)) {
		r->at = r->end;
		return false;
	}
	*ret_id = r->id;
	*ret_s = get_sample(r->level, r->at);
	r->at += sample_size(r->level);
	r->left--;
	r->id.partition += r->left != 0;
	return true;
}

struct lag_sample lag_find(unsigned level, const void *data, size_t size, const struct lag_id *id)
{
	const struct lag_sample idle = {.status = STATUS_OK};
	struct lag_reader r;

	lag_reader_begin(&r, level, data, size);
	while (next_run(&r)) {
		const struct lag_id last = {r.id.group, r.id.topic,
					    r.id.partition + (int32_t)r.left - 1};
		size_t skip = (size_t)(id->partition - r.id.partition);

		if (lag_id_compare(&last, id) >= 0)
			return lag_id_compare(&r.id, id) > 0
				       ? idle
				       : get_sample(level, r.at + skip * sample_size(level));
		r.at += r.left * sample_size(level);
	}
	return idle;
}
