/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* story_none - for servers over views alone: the store tells nothing of a group. */

#include "aggregator/serve/server.h"
#include "common/err.h"

static inline int story_no_partitions(void *arg, const struct story_group *g,
				      const struct story_filter *f, story_on_partition *emit,
				      void *emit_arg)
{
	(void)arg;
	(void)g;
	(void)f;
	(void)emit;
	(void)emit_arg;
	return ERR_OK;
}

static inline int story_no_members(void *arg, const struct story_group *g, story_on_member *emit,
				   void *emit_arg)
{
	(void)arg;
	(void)g;
	(void)emit;
	(void)emit_arg;
	return ERR_OK;
}

static inline int story_no_events(void *arg, const struct story_group *g, int64_t before_ms,
				  size_t max, past_on_event *emit, void *emit_arg)
{
	(void)arg;
	(void)g;
	(void)before_ms;
	(void)max;
	(void)emit;
	(void)emit_arg;
	return ERR_OK;
}

static inline int story_no_lag(void *arg, const struct story_group *g,
			       const struct story_span *span, story_on_lag *emit, void *emit_arg,
			       int64_t *ret_step)
{
	(void)arg;
	(void)g;
	(void)span;
	(void)emit;
	(void)emit_arg;
	*ret_step = 60000;
	return ERR_OK;
}

/* Have these four in calls. */
static inline void story_none(struct server_calls *calls)
{
	calls->partitions = story_no_partitions;
	calls->members = story_no_members;
	calls->events = story_no_events;
	calls->lag = story_no_lag;
}
