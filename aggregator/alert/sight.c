/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/sight.h"

#include <inttypes.h>
#include <stdio.h>

/* What is wrong, as one would say it. */
static const char *words(enum reason r)
{
	static const char *const WORDS[REASON_COUNT] = {
		[REASON_OFFSET_BEYOND_END] = "the committed offset is beyond the log's end",
		[REASON_DATA_LOSS] = "messages were deleted before they were read",
		[REASON_WENT_BACKWARDS] = "the committed offset went backwards",
		[REASON_NO_COMMITS] = "nothing is committed although messages wait",
		[REASON_NO_MEMBERS] = "the group has no members although messages wait",
		[REASON_NEVER_COMMITTED] = "it is owned and nothing was ever committed",
		[REASON_UNASSIGNED] = "no member has it although messages wait",
		[REASON_UNOWNED] = "no member has it",
		[REASON_NO_PROGRESS] = "commits do not get on although messages wait",
		[REASON_REWIND_LOOP] = "it goes back again and again",
		[REASON_FALLING_BEHIND] = "it falls behind",
		[REASON_TIME_LAG] = "messages wait for longer than they may",
		[REASON_NO_DATA] = "nothing is known",
	};

	return r < REASON_COUNT && WORDS[r] != NULL ? WORDS[r] : reason_str(r);
}

static bool is_worse(const struct view_partition *a, const struct view_partition *b)
{
	return a->status != b->status ? a->status > b->status : a->lag > b->lag;
}

static void put_figures(char *out, size_t size, const struct view_partition *p)
{
	int used = 0;

	if (p->lag != VIEW_UNKNOWN)
		used = snprintf(out, size, "; lag %" PRId64, p->lag);
	if (p->time_lag_ms != VIEW_UNKNOWN && used >= 0 && (size_t)used < size)
		snprintf(out + used, size - (size_t)used, ", %" PRId64 " s behind",
			 p->time_lag_ms / 1000);
}

void sight_of_group(const struct view *v, const struct view_group *g,
		    char sentence[static INCIDENT_TEXT_MAX], struct incident_sight *ret_s)
{
	const struct view_partition *worst = NULL;
	char figures[64] = "";
	uint32_t bad = 0;

	*ret_s = (struct incident_sight){
		.environment = v->environment,
		.cluster = v->cluster,
		.group = g->name,
		.cluster_id = v->cluster_id,
		.group_id = g->id,
		.status = MAX(g->status, STATUS_OK),
		.reason = g->status <= STATUS_OK ? REASON_NONE : g->reason,
		.since_ms = g->since_ms,
		.at_ms = v->as_of_ms,
		.topic = "",
		.partition = -1,
		.partitions = (uint32_t)g->partition_count,
		.lag = (int64_t)MIN(g->total_lag, (uint64_t)INT64_MAX),
		.time_lag_ms = g->time_lag_ms,
		.margin_ms = g->margin_ms,
		.lost = g->lost,
		.sentence = sentence,
	};
	sentence[0] = '\0';
	if (g->status <= STATUS_OK)
		return;
	for (size_t i = 0; i < g->partition_count; i++) {
		const struct view_partition *p = &g->partitions[i];

		if (!p->counted || p->status <= STATUS_OK)
			continue;
		bad++;
		if (worst == NULL || is_worse(p, worst))
			worst = p;
	}
	ret_s->bad_partitions = bad;
	if (worst == NULL)
		return;
	ret_s->topic = worst->topic;
	ret_s->partition = worst->partition;
	put_figures(figures, sizeof(figures), worst);
	snprintf(sentence, INCIDENT_TEXT_MAX, "%u of %zu partitions; the worst, %.100s %d: %s%s",
		 bad, g->partition_count, worst->topic, worst->partition, words(worst->reason),
		 figures);
}

void sight_of_cluster(const struct view *v, enum status status, int64_t at_ms,
		      struct incident_sight *ret_s)
{
	*ret_s = (struct incident_sight){
		.environment = v->environment,
		.cluster = v->cluster,
		.group = "",
		.cluster_id = v->cluster_id,
		.status = status,
		.reason = status == STATUS_OK ? REASON_NONE : REASON_NO_DATA,
		/* The first pass that did not come: the same for all who were told of the last. */
		.since_ms = status == STATUS_OK ? v->as_of_ms : v->as_of_ms + v->interval_ms,
		.at_ms = at_ms,
		.topic = "",
		.partition = -1,
		.lag = VIEW_UNKNOWN,
		.time_lag_ms = VIEW_UNKNOWN,
		.margin_ms = VIEW_UNKNOWN,
		.sentence = v->agent.problem != NULL && v->agent.problem[0] != '\0'
				    ? v->agent.problem
				    : "the agent is not heard of",
	};
}
