/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * pass_feed - one topic of two partitions and one group that reads it, pass by pass through apply
 * and evaluate into a real store; a test sets what the next pass sees.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/ingest/apply.h"
#include "aggregator/ingest/evaluate.h"
#include "aggregator/judge/story.h"
#include "common/err.h"
#include "tests/unit/temp.h"

#define FEED_START_MS INT64_C(1700000000000)
#define FEED_PARTS 2

struct feed {
	/* what the next pass sees */
	int64_t starts[FEED_PARTS], ends[FEED_PARTS];
	int64_t committed[FEED_PARTS]; /* TRACK_UNKNOWN: never */
	bool commits;                  /* a commit has arrived for each since the last pass */
	bool has_members;              /* a group row is sent, with one member that has all */
	int32_t generation;
	bool gone;     /* the group is deleted in this pass */
	int64_t at_ms; /* of the last pass; the next is interval_ms later */
	int64_t interval_ms;

	struct temp temp;
	struct store *store;
	struct evaluate_room *room;
	struct names *names;
	struct clusters *clusters;
	struct rules_set *set;
	struct rules_memo *rules;
	struct view *view; /* of the last pass */
	uint64_t pass;
};

static inline void feed_load(struct feed *f)
{
	char why[512] = "";

	assert_int_equal(store_open(f->temp.dir, (size_t)64 << 20, why, &f->store), ERR_OK);
	struct store_txn t = store_begin(f->store, false);
	assert_int_equal(names_load(&t, &f->names), ERR_OK);
	assert_int_equal(clusters_load(&t, f->names, &f->clusters), ERR_OK);
	store_abort(&t);
	assert_int_equal(evaluate_room_new(true, &f->room), ERR_OK);
}

static inline void feed_unload(struct feed *f)
{
	evaluate_room_free(&f->room);
	names_free(&f->names);
	clusters_free(&f->clusters);
	store_close(&f->store);
}

static inline int feed_setup(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	const struct rules_base base = {.values = RULES_DEFAULT};

	assert_non_null(f);
	*f = (struct feed){.at_ms = FEED_START_MS, .interval_ms = 10000, .generation = 1};
	f->temp = temp_make();
	f->set = rules_new("", 0, &base, NULL, 0);
	f->rules = rules_memo_new(f->set);
	feed_load(f);
	*state = f;
	return 0;
}

static inline int feed_teardown(void **state)
{
	struct feed *f = *state;

	if (f->view != NULL)
		view_unref(&f->view);
	rules_memo_free(&f->rules);
	rules_unref(&f->set);
	feed_unload(f);
	temp_remove(&f->temp);
	free(f);
	return 0;
}

enum feed_name { FEED_TOPIC, FEED_GROUP };

/* Judge the last pass, or again after a silence. */
static inline void feed_judge(struct feed *f, struct store_txn *t, int64_t silent_ms)
{
	struct evaluate e = {
		.room = f->room,
		.txn = t,
		.names = f->names,
		.rules = f->rules,
		.cluster = clusters_at(f->clusters, 0),
		.silent_ms = silent_ms,
	};

	e.cluster->due = false;
	if (f->view != NULL)
		view_unref(&f->view);
	f->view = evaluate_cluster(&e);
}

static inline void feed_pass(struct feed *f)
{
	static const char *NAMES[] = {"orders", "readers", "m-1", "cli", "/10.0.0.7"};
	static const uint32_t subscribed[] = {FEED_TOPIC};
	static const uint32_t gone[] = {FEED_GROUP};
	static const struct wire_partition assigned[] = {{FEED_TOPIC, 0}, {FEED_TOPIC, 1}};
	const struct wire_member member = {"m-1", "cli", "/10.0.0.7", subscribed, 1, assigned, 2};
	struct wire_group group = {.name = FEED_GROUP,
				   .protocol = WIRE_PROTOCOL_CLASSIC,
				   .state = WIRE_GROUP_STABLE,
				   .generation = f->generation,
				   .members = &member,
				   .member_count = 1};
	struct wire_log_row logs[FEED_PARTS];
	struct wire_commit_row commits[FEED_PARTS];
	size_t commit_count = 0;
	struct cluster *c = NULL;
	const char *why = "";

	f->at_ms += f->interval_ms;
	f->pass++;
	for (int32_t i = 0; i < FEED_PARTS; i++) {
		logs[i] = (struct wire_log_row){FEED_TOPIC, i, f->starts[i], f->ends[i], -1, 1};
		if (f->commits && f->committed[i] >= 0)
			commits[commit_count++] = (struct wire_commit_row){
				FEED_GROUP,      FEED_TOPIC,   i,
				f->committed[i], f->at_ms - 5, f->at_ms - 2};
	}
	const struct wire_batch b = {
		.agent = "dc1-a",
		.epoch = 1,
		.seq = f->pass,
		.cluster = "seoul",
		.environment = "PROD",
		.pass = f->pass,
		.pass_at_ms = f->at_ms,
		.interval_ms = (uint32_t)f->interval_ms,
		.flags = WIRE_PASS_FIRST | WIRE_PASS_LAST,
		.report = {.state = WIRE_AGENT_RUNNING,
			   .problem = "",
			   .source = "offsets-topic",
			   .servers = "k1:9092"},
		.names = NAMES,
		.name_count = ARRAY_LEN(NAMES),
		.logs = logs,
		.log_count = FEED_PARTS,
		.commits = commits,
		.commit_count = commit_count,
		.groups = &group,
		.group_count = f->has_members,
		.gone_groups = gone,
		.gone_group_count = f->gone,
	};
	struct store_txn t = store_begin(f->store, true);
	struct apply a = {
		.txn = &t,
		.names = f->names,
		.clusters = f->clusters,
		.window_ms = RULES_DEFAULT.window_ms,
	};
	assert_int_equal(apply_batch(&a, &b, "0.1.0", f->at_ms, &c, &why), ERR_OK);
	feed_judge(f, &t, 0);
	assert_int_equal(store_commit(&t), ERR_OK);
}

/* So many passes in which each log grows; where reads, all but behind of it is committed. */
static inline void feed_on(struct feed *f, int passes, int64_t grows, bool reads, int64_t behind)
{
	f->commits = reads;
	for (int n = 0; n < passes; n++) {
		for (int i = 0; i < FEED_PARTS; i++) {
			f->ends[i] += grows;
			if (reads)
				f->committed[i] = MAX(f->ends[i] - behind, (int64_t)0);
		}
		feed_pass(f);
	}
}

static inline const struct view_group *feed_group(const struct feed *f)
{
	return view_find_group(f->view, "readers");
}

/* The group as recall and the API ask for it. */
static inline struct story_group feed_story(const struct feed *f)
{
	return (struct story_group){
		.environment = "PROD",
		.cluster = "seoul",
		.name = "readers",
		.cluster_id = f->view->cluster_id,
		.group_id = names_find(f->names, STORE_GROUP, f->view->cluster_id, "readers"),
	};
}
