/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_incidents - what incidents add to a pass: so many groups in trouble, in passes that open
 * all, change nothing, change the reason of all, and end all; each with its commit. First alone,
 * then with those who are told, in one group of messages.
 *
 *	bench_incidents [groups]
 */

#include <stdio.h>
#include <stdlib.h>

#include "aggregator/alert/alert.h"
#include "aggregator/alert/receiver.h"
#include "aggregator/config.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/temp.h"

#define T0_MS INT64_C(1700000000000)
#define STEP_MS 10000

struct bench {
	struct temp temp;
	struct store *store;
	struct silences *silences;
	struct incidents *incidents;
	struct alert *alert; /* NULL: incidents alone */
	size_t groups, changes;
	int64_t now_ms;
};

static void on_change(void *arg, struct store_txn *t, const struct incident *i,
		      enum incident_change change, int64_t now_ms)
{
	struct bench *b = arg;

	(void)t;
	(void)i;
	(void)change;
	(void)now_ms;
	b->changes++;
}

static struct view *make_view(const struct bench *b, enum status status, enum reason reason)
{
	struct view *v = view_new();
	struct view_group *groups = view_alloc(v, b->groups * sizeof(*groups));

	v->cluster = "orders";
	v->environment = "PROD";
	v->cluster_id = 1;
	v->as_of_ms = b->now_ms;
	v->interval_ms = STEP_MS;
	v->agent.problem = "";
	v->groups = groups;
	v->group_count = b->groups;
	for (size_t i = 0; i < b->groups; i++) {
		struct view_partition *p = view_alloc(v, sizeof(*p));
		char name[32];

		snprintf(name, sizeof(name), "group-%zu", i);
		*p = (struct view_partition){.topic = "invoices",
					     .status = status,
					     .reason = reason,
					     .counted = true,
					     .lag = 100,
					     .time_lag_ms = 60000};
		groups[i] = (struct view_group){.name = view_strdup(v, name),
						.id = (uint32_t)i + 1,
						.status = status,
						.reason = reason,
						.since_ms = T0_MS,
						.partitions = p,
						.partition_count = 1};
	}
	return v;
}

static void pass(struct bench *b, const char *what, enum status status, enum reason reason)
{
	b->now_ms += STEP_MS;
	b->changes = 0;
	struct view *v = make_view(b, status, reason);
	struct store_txn t = store_begin(b->store, true);
	int64_t began_us = clock_mono_us();

	if (b->alert == NULL)
		incidents_pass(b->incidents, &t, v, b->now_ms);
	else
		alert_judged(b->alert, &t, v, b->now_ms);
	if (b->alert != NULL)
		alert_work(b->alert, &t, b->now_ms);
	int64_t done_us = clock_mono_us();
	if (store_commit(&t) != ERR_OK)
		abort();
	if (b->alert != NULL)
		alert_end(b->alert, true);
	printf("%-28s %8.2f ms, commit %8.2f ms, %zu changes\n", what,
	       (double)(done_us - began_us) / 1000, (double)(clock_mono_us() - done_us) / 1000,
	       b->changes);
	view_unref(&v);
}

static void load(struct bench *b)
{
	struct store_txn t = store_begin(b->store, false);
	int64_t began_us = clock_mono_us();

	if (b->alert == NULL)
		incidents_load(b->incidents, &t);
	else
		alert_load(b->alert, &t);
	printf("%-28s %8.2f ms\n", "read again", (double)(clock_mono_us() - began_us) / 1000);
	store_abort(&t);
}

static void passes(struct bench *b)
{
	pass(b, "all well", STATUS_OK, REASON_CAUGHT_UP);
	pass(b, "all open", STATUS_ERR, REASON_NO_COMMITS);
	for (int k = 0; k < 3; k++)
		pass(b, "nothing changes", STATUS_ERR, REASON_NO_COMMITS);
	pass(b, "all have another reason", STATUS_ERR, REASON_NO_MEMBERS);
	pass(b, "nothing changes", STATUS_ERR, REASON_NO_MEMBERS);
	load(b);
	pass(b, "first after reading", STATUS_ERR, REASON_NO_MEMBERS);
	pass(b, "all end", STATUS_OK, REASON_CAUGHT_UP);
	pass(b, "all well, lately not", STATUS_OK, REASON_CAUGHT_UP);
}

static void alone(struct bench *b)
{
	b->silences = silences_new();
	b->incidents = incidents_new(b->silences, on_change, b);
	passes(b);
	incidents_free(&b->incidents);
	silences_free(&b->silences);
}

static void with_notify(struct bench *b)
{
	static const char TEXT[] = "data_dir: x\n"
				   "listen: [tcp://127.0.0.1:1]\n"
				   "alert:\n"
				   "  receivers: [{name: nobody, type: none}]\n"
				   "  route: {receiver: nobody}\n";
	CLEANUP(aggregator_config_free) struct aggregator_config *config = NULL;
	CLEANUP(receivers_free) struct receivers *receivers = NULL;
	CLEANUP(buf_free) struct buf errors = {0};

	if (aggregator_config_parse("bench", TEXT, sizeof(TEXT) - 1, &config, &errors) != ERR_OK ||
	    receivers_load(&config->alert, &errors, &receivers) != ERR_OK) {
		fputs(buf_str(&errors), stderr);
		abort();
	}
	const struct alert_options o = {
		.config = &config->alert, .receivers = receivers, .store = b->store};
	if (alert_start(&o, &b->alert) != ERR_OK)
		abort();
	load(b);
	passes(b);
	alert_stop(&b->alert);
}

static void run(size_t groups, const char *what, void (*part)(struct bench *b))
{
	struct bench b = {.temp = temp_make(), .now_ms = T0_MS, .groups = groups};
	char why[512];

	if (store_open(b.temp.dir, (size_t)1 << 30, why, &b.store) != ERR_OK)
		abort();
	while (store_grow(b.store) == ERR_OK)
		; /* as large as it may be: nobody here grows it later */
	printf("%zu groups, %s\n", b.groups, what);
	part(&b);
	store_close(&b.store);
	temp_remove(&b.temp);
}

int main(int argc, char **argv)
{
	size_t groups = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;

	run(groups, "incidents alone", alone);
	run(groups, "with those who are told", with_notify);
	return 0;
}
