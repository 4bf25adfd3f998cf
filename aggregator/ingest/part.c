/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/part.h"

#include "proto/wire.h"

struct judge_input part_input(const struct part *p)
{
	return (struct judge_input){
		.commit = &p->track,
		.log = p->has_log ? &p->log : NULL,
		.group = p->group,
		.cluster = p->cluster,
		.rules = p->rules,
		.now_ms = p->cluster->last_ms + p->silent_ms,
	};
}

static void join_history(struct part *p, struct store_txn *t)
{
	struct history h;

	store_get_history(t, (struct store_log_key){p->key.cluster, p->key.topic, p->key.partition},
			  &h);
	p->changed |= track_history(&p->track, &h);
}

void part_join(struct part *p, struct store_txn *t)
{
	const struct judge_input in = part_input(p);
	int64_t lost_at_ms = p->track.lost_at_ms;

	p->before = (enum status)p->track.status;
	if (p->silent_ms == 0)
		p->changed |=
			track_pass(&p->track, in.log, in.group, in.cluster, in.cluster->last_ms);
	p->lost = lost_at_ms == 0 && p->track.lost_at_ms != 0;
	if (p->silent_ms == 0 && track_wants_history(&p->track))
		join_history(p, t);
}

/* It is of lag that has grown old, see is_young() of judge.c, while the group goes on: where it has
 * stopped that is seen before its trend is looked at. */
bool part_is_long(const struct part *p)
{
	int64_t at_ms = p->cluster->last_ms;

	return p->track.oldest_ms != 0 &&
	       at_ms - p->track.oldest_ms >= p->rules->warn_after_ms / 2 &&
	       at_ms - p->track.progress_at_ms < p->rules->stop_after_min_ms;
}

void part_judge(struct part *p)
{
	const struct judge_input in = part_input(p);

	judge(&in, &p->verdict);
}

/* Reading at the committed offset may tell more: take what was found there, or wish for it. */
static void join_probe(struct part *p, struct probes *probes)
{
	static const enum track_probe ANSWERS[] = {
		[WIRE_PROBE_UNKNOWN] = TRACK_PROBE_UNKNOWN,
		[WIRE_PROBE_NOTHING] = TRACK_PROBE_NOTHING,
		[WIRE_PROBE_RECORD] = TRACK_PROBE_RECORD,
	};
	const struct judge_input in = part_input(p);
	const struct probes_place place = {p->key.topic, p->key.partition, p->track.offset};
	struct commit_track *t = &p->track;
	const struct probes_answer *a = probes_find(probes, &place, in.log->generation);

	if (a != NULL &&
	    track_probe_answer(t, in.log, place.offset, a->end, ANSWERS[a->answer], a->time_ms)) {
		(void)track_pass(t, in.log, in.group, in.cluster, in.cluster->last_ms);
		judge(&in, &p->verdict);
		p->changed = true;
	}
	if (judge_wants_probe(&in, &p->verdict))
		probes_wish(
			probes,
			&(struct probes_wish){
				.place = place,
				.generation = in.log->generation,
				.badness = t->probe == TRACK_PROBE_RECORD ? 0 : p->verdict.status,
				.waits_ms = p->verdict.time_lag_ms,
				.end = in.log->end,
			});
}

void part_publish(struct part *p, struct probes *probes)
{
	const struct judge_input in = part_input(p);

	if (p->silent_ms != 0)
		return;
	if (judge_wants_probe(&in, &p->verdict))
		join_probe(p, probes);
	p->changed |= track_publish(&p->track, &p->verdict, p->rules, p->cluster->last_ms);
}
