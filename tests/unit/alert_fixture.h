/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* alert_fixture - a store, incidents in it, and views of a cluster made up to be shown to them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/alert/incidents.h"
#include "common/err.h"
#include "tests/unit/temp.h"

#define FIXTURE_MAP ((size_t)256 << 20)
#define BEGIN_MS 1700000000000
#define PASS_MS 10000
#define CLUSTER 7

struct told {
	struct incident incident;
	enum incident_change change;
};

struct alert_fixture {
	struct temp temp;
	struct store *store;
	struct silences *silences;
	struct incidents *incidents;
	int64_t now_ms; /* the pass's time too */
	struct told *told;
	size_t told_count;
};

static inline void fixture_on_change(void *arg, struct store_txn *t, const struct incident *i,
				     enum incident_change change, int64_t now_ms)
{
	struct alert_fixture *f = arg;

	(void)t;
	(void)now_ms;
	f->told = realloc(f->told, (f->told_count + 1) * sizeof(*f->told));
	f->told[f->told_count++] = (struct told){*i, change};
}

static inline void fixture_open(struct alert_fixture *f)
{
	char why[512] = "";
	struct store_txn t;

	assert_int_equal(store_open(f->temp.dir, FIXTURE_MAP, why, &f->store), ERR_OK);
	f->silences = silences_new();
	f->incidents = incidents_new(f->silences, fixture_on_change, f);
	t = store_begin(f->store, false);
	silences_load(f->silences, &t);
	incidents_load(f->incidents, &t);
	assert_int_equal(t.err, ERR_OK);
	store_abort(&t);
}

static inline void fixture_close(struct alert_fixture *f)
{
	incidents_free(&f->incidents);
	silences_free(&f->silences);
	store_close(&f->store);
}

static inline int fixture_setup(void **state)
{
	struct alert_fixture *f = calloc(1, sizeof(*f));

	f->temp = temp_make();
	f->now_ms = BEGIN_MS;
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct alert_fixture *f = *state;

	fixture_close(f);
	temp_remove(&f->temp);
	free(f->told);
	free(f);
	return 0;
}

/* --- what is seen --- */

struct seen_group {
	uint32_t id;
	enum status status;
	int64_t since_ms;
};

/* A view of so many groups, each of one partition. */
static inline struct view *fixture_view(int64_t at_ms, const struct seen_group *seen, size_t count)
{
	struct view *v = view_new();
	struct view_group *groups = view_alloc(v, (count + 1) * sizeof(*groups));

	v->cluster = "orders";
	v->environment = "PROD";
	v->cluster_id = CLUSTER;
	v->as_of_ms = at_ms;
	v->interval_ms = PASS_MS;
	v->agent.problem = "";
	v->groups = groups;
	v->group_count = count;
	for (size_t i = 0; i < count; i++) {
		struct view_partition *p = view_alloc(v, sizeof(*p));
		char name[32];

		snprintf(name, sizeof(name), "group-%u", seen[i].id);
		*p = (struct view_partition){.topic = "invoices",
					     .partition = 3,
					     .status = seen[i].status,
					     .reason = REASON_NO_COMMITS,
					     .counted = true,
					     .lag = 100,
					     .time_lag_ms = VIEW_UNKNOWN};
		groups[i] = (struct view_group){
			.name = view_strdup(v, name),
			.id = seen[i].id,
			.status = seen[i].status,
			.reason = seen[i].status > STATUS_OK ? REASON_NO_COMMITS : REASON_CAUGHT_UP,
			.since_ms = seen[i].since_ms,
			.total_lag = 100,
			.time_lag_ms = VIEW_UNKNOWN,
			.margin_ms = VIEW_UNKNOWN,
			.partitions = p,
			.partition_count = 1,
		};
	}
	return v;
}

/* A pass that shows these; err: how its transaction ends. */
static inline void fixture_pass(struct alert_fixture *f, const struct seen_group *seen,
				size_t count, bool commit)
{
	struct store_txn t = store_begin(f->store, true);

	f->now_ms += PASS_MS;
	struct view *v = fixture_view(f->now_ms, seen, count);
	incidents_pass(f->incidents, &t, v, f->now_ms);
	assert_int_equal(t.err, ERR_OK);
	view_unref(&v);
	if (commit) {
		assert_int_equal(store_commit(&t), ERR_OK);
		return;
	}
	store_abort(&t);
	t = store_begin(f->store, false);
	silences_load(f->silences, &t);
	incidents_load(f->incidents, &t);
	store_abort(&t);
}
