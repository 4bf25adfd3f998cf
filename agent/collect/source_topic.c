/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/source_topic.h"

#include <malloc.h>

#include "agent/steady.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

/* One record, decoded; a group of ten thousand members fits. */
#define ARENA_BYTES (32u << 20)

/* A partition that cannot be read at all must not hold up all others for ever. */
#define STUCK_MS 60000

void source_topic_init(struct source_topic *s, struct kafka *k, struct table *t, struct keep *keep)
{
	*s = (struct source_topic){.kafka = k, .table = t, .keep = keep};
	arena_init(&s->arena, ARENA_BYTES);
}

void source_topic_free(struct source_topic *s)
{
	free(s->parts);
	arena_free(&s->arena);
	*s = (struct source_topic){0};
}

static void resize(struct source_topic *s, int32_t count)
{
	s->parts = mem_resize(s->parts, (size_t)count, sizeof(*s->parts));
	for (int32_t p = s->count; p < count; p++) {
		int64_t kept = p < s->keep->position_count ? s->keep->positions[p] : -1;
		s->parts[p] = (struct source_part){
			.from = kept, .high = kept, .start = WIRE_UNKNOWN, .end = WIRE_UNKNOWN};
	}
	s->count = count;
}

int source_topic_follow(struct source_topic *s, int32_t count)
{
	int64_t *positions = mem_zeroed((size_t)count, sizeof(*positions));

	resize(s, count);
	for (int32_t p = 0; p < count; p++) {
		int64_t at = kafka_read_position(s->kafka, p);
		positions[p] = at >= 0 ? at : s->parts[p].from;
	}
	s->moved_mono = clock_mono_ms();
	int err = kafka_read_from(s->kafka, positions, count);
	free(positions);
	return err;
}

/* Once a version, never once a record. */
static void tell_unknown(struct source_topic *s, const struct record *r)
{
	uint64_t bit = 1ull << (r->key_version < 0 || r->key_version > 62 ? 63 : r->key_version);

	s->unknown++;
	if (s->told_versions & bit)
		return;
	s->told_versions |= bit;
	log_warn("record of an unknown version passed over", "key_version=%d value_version=%d",
		 r->key_version, r->value_version);
}

/* A record that was in the log before we looked did not arrive now. Its own time says when, by
 * the broker's clock; it is not let into the future. */
static int64_t arrival(const struct record *r, bool old, int64_t now_ms)
{
	bool told = r->kind == RECORD_COMMIT && r->time_ms >= 0 && r->time_ms < now_ms;
	return old && told ? r->time_ms : now_ms;
}

static void take(void *arg, const struct kafka_record *k)
{
	struct source_topic *s = arg;
	struct source_part *part = &s->parts[k->partition];
	struct record r = {0};

	bool again = k->offset < part->high;
	bool old = again || !kafka_read_caught_up(s->kafka, k->partition);
	part->high = MAX(part->high, k->offset + 1);
	arena_reset(&s->arena);
	int err = record_decode(k->key, k->key_size, k->value, k->value_size, &s->arena, &r);
	s->records++;
	if (err == ERR_VERSION) {
		tell_unknown(s, &r);
		return;
	}
	if (err != ERR_OK) {
		s->malformed++;
		return;
	}
	if (again && table_has_newer(s->table, &r))
		return;
	table_apply(s->table, &r, arrival(&r, old, steady_ms()));
}

static bool all_read(const struct source_topic *s)
{
	int32_t read = 0;

	for (int32_t p = 0; p < s->count; p++)
		read += kafka_read_caught_up(s->kafka, p);
	return read == s->count || (read > 0 && clock_mono_ms() - s->moved_mono > STUCK_MS);
}

int source_topic_read(struct source_topic *s, int timeout_ms)
{
	int count = kafka_read(s->kafka, timeout_ms, take, s);

	if (count > 0)
		s->moved_mono = clock_mono_ms();
	if (!s->caught_up && (count >= 0 || count == ERR_BROKER)) {
		s->caught_up = all_read(s);
		if (s->caught_up)
			malloc_trim(0); /* much more has been in flight than ever will be again */
	}
	return count;
}

void source_topic_note(struct source_topic *s)
{
	struct keep *k = s->keep;

	if (k->position_count < s->count) {
		k->positions = mem_resize(k->positions, (size_t)s->count, sizeof(*k->positions));
		for (int32_t p = k->position_count; p < s->count; p++)
			k->positions[p] = WIRE_UNKNOWN;
		k->position_count = s->count;
	}
	for (int32_t p = 0; p < s->count; p++) {
		int64_t at = kafka_read_position(s->kafka, p);
		if (at >= 0)
			k->positions[p] = at;
	}
}

void source_topic_ask(const struct source_topic *s, const struct kafka_topic *topic,
		      struct kafka_range *ranges)
{
	for (int32_t p = 0; p < s->count; p++) {
		int32_t leader = topic != NULL && p < topic->partition_count
					 ? topic->partitions[p].leader
					 : -1;
		ranges[p] = (struct kafka_range){.topic = TOPICS_OFFSETS,
						 .partition = p,
						 .leader = leader,
						 .start = -1,
						 .end = -1};
	}
}

int32_t source_topic_answers(struct source_topic *s, const struct kafka_range *ranges)
{
	int32_t failed = 0;

	for (int32_t p = 0; p < s->count; p++) {
		bool ok = ranges[p].err == ERR_OK;
		failed += !ok;
		s->parts[p].start = ok ? ranges[p].start : s->parts[p].start;
		s->parts[p].end = ok ? ranges[p].end : s->parts[p].end;
	}
	return failed;
}

static void add_part(struct source_progress *all, const struct source_part *part, int64_t at)
{
	int64_t from = MAX(part->from, part->start);
	int64_t end = MAX(part->end, from);

	at = MAX(at, from);
	all->to_read += (uint64_t)(end - from);
	all->read += (uint64_t)(MIN(at, end) - from);
	all->lag += MAX(end - at, 0);
}

struct source_progress source_topic_progress(const struct source_topic *s)
{
	struct source_progress all = {0};
	bool known = false;

	for (int32_t p = 0; p < s->count; p++) {
		const struct source_part *part = &s->parts[p];
		if (part->end < 0 || part->start < 0)
			continue;
		known = true;
		add_part(&all, part, kafka_read_position(s->kafka, p));
	}
	if (!known)
		all.lag = WIRE_UNKNOWN;
	return all;
}
