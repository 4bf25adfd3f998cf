/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/alert_fixture.h"

#include <pthread.h>
#include <time.h>

#include "aggregator/alert/alert.h"
#include "aggregator/alert/receiver.h"
#include "aggregator/config.h"

struct scene {
	struct temp temp;
	struct store *store;
	struct aggregator_config *config;
	struct receivers *receivers;
	struct alert *alert;
	int64_t now_ms;
	size_t changes;
	bool hides; /* who asks sees nothing */
};

static void changed(void *arg, const struct incident *i, const struct rules_label *labels,
		    size_t label_count)
{
	struct scene *s = arg;

	assert_true(i->id != 0 && (labels != NULL || label_count == 0));
	s->changes++;
}

static void begin(struct scene *s)
{
	const struct alert_options o = {
		.config = &s->config->alert,
		.receivers = s->receivers,
		.store = s->store,
		.changed = changed,
		.changed_arg = s,
	};
	const struct rules_base base = {.given = 0};
	struct rules_set *rules = rules_new("", 0, &base, NULL, 0);

	assert_int_equal(alert_start(&o, &s->alert), ERR_OK);
	alert_rules(s->alert, rules);
	rules_unref(&rules);
	struct store_txn t = store_begin(s->store, false);
	alert_load(s->alert, &t);
	assert_int_equal(t.err, ERR_OK);
	store_abort(&t);
}

static int setup(void **state)
{
	static const char TEXT[] =
		"data_dir: x\nlisten: [tcp://127.0.0.1:1]\n"
		"alert: {silences: [{group: fixed, from: '22:00', to: '06:00'}]}\n";
	struct scene *s = calloc(1, sizeof(*s));
	struct buf errors = {0};
	char why[512] = "";

	s->temp = temp_make();
	s->now_ms = BEGIN_MS;
	assert_int_equal(store_open(s->temp.dir, FIXTURE_MAP, why, &s->store), ERR_OK);
	assert_int_equal(aggregator_config_parse("c", TEXT, sizeof(TEXT) - 1, &s->config, &errors),
			 ERR_OK);
	assert_int_equal(receivers_load(&s->config->alert, &errors, &s->receivers), ERR_OK);
	buf_free(&errors);
	begin(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	alert_stop(&s->alert);
	receivers_free(&s->receivers);
	aggregator_config_free(&s->config);
	store_close(&s->store);
	temp_remove(&s->temp);
	free(s);
	return 0;
}

/* What the writer does when a transaction ends. */
static void end(struct scene *s, struct store_txn *t, bool commit)
{
	assert_int_equal(t->err, ERR_OK);
	if (commit) {
		assert_int_equal(store_commit(t), ERR_OK);
		alert_end(s->alert, true);
		return;
	}
	store_abort(t);
	alert_end(s->alert, false);
	*t = store_begin(s->store, false);
	alert_load(s->alert, t);
	store_abort(t);
}

static void work(struct scene *s, bool commit)
{
	struct store_txn t = store_begin(s->store, true);

	alert_work(s->alert, &t, s->now_ms);
	end(s, &t, commit);
}

static void pass(struct scene *s, const struct seen_group *groups, size_t count, bool commit)
{
	struct store_txn t = store_begin(s->store, true);

	s->now_ms += PASS_MS;
	struct view *v = fixture_view(s->now_ms, groups, count);
	alert_judged(s->alert, &t, v, s->now_ms);
	view_unref(&v);
	end(s, &t, commit);
}

/* --- what people see --- */

struct list {
	struct incident items[20];
	size_t count;
	size_t steps;
};

static void on_incident(void *arg, const struct incident *i, const struct rules_label *labels,
			size_t label_count)
{
	struct list *l = arg;

	assert_true(label_count == 0 || labels != NULL);
	l->items[l->count++] = *i;
}

static void on_step(void *arg, const struct incident_step *step)
{
	assert_true(step->change != INCIDENT_NONE);
	((struct list *)arg)->steps++;
}

static bool sees(void *arg, const char *environment, const char *cluster)
{
	assert_string_equal(environment, "PROD");
	assert_string_equal(cluster, "orders");
	return !((struct scene *)arg)->hides;
}

static struct alert_filter filter_of(struct scene *s, unsigned states)
{
	return (struct alert_filter){.states = states, .max = 20, .sees = sees, .arg = s};
}

static struct list list_of(struct scene *s, const struct alert_filter *f, size_t *ret_total,
			   struct alert_place *ret_next)
{
	struct list l = {.count = 0};

	assert_int_equal(alert_list(s->alert, f, on_incident, &l, ret_total, ret_next), ERR_OK);
	return l;
}

#define OPEN (1u << INCIDENT_OPEN)
#define OVER (1u << INCIDENT_RESOLVED)

static size_t count_of(struct scene *s, unsigned states)
{
	const struct alert_filter f = filter_of(s, states);
	struct alert_place next;
	size_t total = 0;
	struct list l = list_of(s, &f, &total, &next);

	assert_int_equal(l.count, total);
	return total;
}

/* Ten groups in trouble, one after the other. */
static void open_ten(struct scene *s, struct seen_group groups[static 10])
{
	for (uint32_t i = 0; i < 10; i++) {
		groups[i] = (struct seen_group){i + 1, i % 2 == 0 ? STATUS_ERR : STATUS_WARN,
						s->now_ms + PASS_MS};
		pass(s, groups, i + 1, true);
	}
}

static void a_list_is_filtered_and_cut_into_pages(void **state)
{
	struct scene *s = *state;
	struct seen_group groups[10];
	struct alert_place next;
	size_t total = 0;

	open_ten(s, groups);
	struct alert_filter f = filter_of(s, OPEN);
	f.max = 4;
	struct list l = list_of(s, &f, &total, &next);
	assert_int_equal(total, 10);
	assert_int_equal(l.count, 4);
	assert_string_equal(l.items[0].group, "group-10"); /* the newest first */
	f.before = next;
	l = list_of(s, &f, &total, &next);
	assert_int_equal(total, 10);
	assert_string_equal(l.items[0].group, "group-6");
	f.before = next;
	l = list_of(s, &f, &total, &next);
	assert_int_equal(l.count, 2);
	assert_true(next.id == 0);

	f = filter_of(s, OPEN);
	f.status = STATUS_WARN;
	assert_int_equal(list_of(s, &f, &total, &next).count, 5);
	f.status = 0;
	f.group = "group-1*";
	assert_int_equal(list_of(s, &f, &total, &next).count, 2);
	f.group = NULL;
	f.cluster = "other";
	assert_int_equal(list_of(s, &f, &total, &next).count, 0);
	f.cluster = NULL;
	f.since_ms = groups[7].since_ms;
	assert_int_equal(list_of(s, &f, &total, &next).count, 3);
	f = filter_of(s, OPEN);
	f.max = 0;
	assert_int_equal(list_of(s, &f, &total, &next).count, 0);
	assert_int_equal(total, 10);
	s->hides = true;
	assert_int_equal(count_of(s, OPEN), 0);
}

static void those_that_are_over_are_listed_alike(void **state)
{
	struct scene *s = *state;
	struct seen_group groups[10];
	struct alert_place next = {0, 0};
	size_t total = 0;
	size_t seen = 0;

	open_ten(s, groups);
	for (size_t i = 0; i < 10; i += 2)
		groups[i].status = STATUS_OK;
	pass(s, groups, 10, true);
	assert_int_equal(count_of(s, OPEN), 5);
	assert_int_equal(count_of(s, OVER), 5);
	struct alert_filter f = filter_of(s, OPEN | OVER);
	f.max = 3;
	do {
		f.before = next;
		struct list l = list_of(s, &f, &total, &next);
		for (size_t i = 0; i < l.count; i++)
			assert_int_equal(l.items[i].group_id, 10 - seen++);
		assert_int_equal(total, 10);
	} while (next.id != 0);
	assert_int_equal(seen, 10);
	f = filter_of(s, OVER);
	f.status = STATUS_ERR; /* what it was at its worst */
	assert_int_equal(list_of(s, &f, &total, &next).count, 5);
}

static void one_is_shown_with_its_timeline_to_who_sees_it(void **state)
{
	struct scene *s = *state;
	struct seen_group g = {1, STATUS_ERR, BEGIN_MS};
	const struct alert_filter f = filter_of(s, OPEN);
	struct list l = {.count = 0};
	struct alert_place next;
	size_t total = 0;

	pass(s, &g, 1, true);
	uint64_t id = list_of(s, &f, &total, &next).items[0].id;
	assert_int_equal(alert_one(s->alert, id, &f, on_incident, on_step, &l), ERR_OK);
	assert_int_equal(l.steps, 1);
	assert_int_equal(alert_one(s->alert, id + 1, &f, on_incident, on_step, &l), ERR_NOT_FOUND);
	s->hides = true;
	assert_int_equal(alert_one(s->alert, id, &f, on_incident, on_step, &l), ERR_NOT_FOUND);
	assert_int_equal(l.count, 1);
}

static void changes_are_told_once_they_are_on_disk(void **state)
{
	struct scene *s = *state;
	struct seen_group g = {1, STATUS_ERR, BEGIN_MS};
	struct incidents_count *counts = NULL;

	pass(s, &g, 1, false);
	assert_int_equal(s->changes, 0);
	pass(s, &g, 1, true);
	assert_int_equal(s->changes, 1);
	assert_int_equal(alert_counts(s->alert, &counts), 1);
	assert_string_equal(counts[0].environment, "PROD");
	assert_int_equal(counts[0].counts[0][1], 1);
	assert_int_equal(counts[0].counts[0][0] + counts[0].counts[1][0] + counts[0].counts[1][1],
			 0);
	free(counts);
}

static void a_blind_cluster_is_said_again_after_a_failure(void **state)
{
	struct scene *s = *state;
	struct seen_group g = {1, STATUS_OK, BEGIN_MS};
	struct view *v = fixture_view(s->now_ms, &g, 1);

	work(s, true);
	alert_blind(s->alert, v);
	alert_blind(s->alert, v);
	view_unref(&v);
	assert_true(alert_pending(s->alert, s->now_ms));
	work(s, false);
	assert_int_equal(count_of(s, OPEN), 0);
	assert_true(alert_pending(s->alert, s->now_ms));
	work(s, true);
	assert_int_equal(count_of(s, OPEN), 1);
	assert_false(alert_pending(s->alert, s->now_ms));
	pass(s, &g, 1, true);
	assert_int_equal(count_of(s, OPEN), 0);
	assert_int_equal(count_of(s, OVER), 1);
}

/* --- what people do --- */

struct request {
	struct alert *alert;
	struct alert_command command;
	int err;
};

static void *ask(void *arg)
{
	struct request *r = arg;

	r->err = alert_do(r->alert, &r->command);
	return NULL;
}

static void wait_for_command(struct scene *s)
{
	const struct timespec moment = {0, 1000000};

	while (!alert_pending(s->alert, s->now_ms))
		nanosleep(&moment, NULL);
}

static void what_somebody_asks_for_survives_a_failure(void **state)
{
	struct scene *s = *state;
	struct seen_group g = {1, STATUS_ERR, BEGIN_MS};
	const struct alert_filter f = filter_of(s, OPEN);
	struct alert_place next;
	size_t total = 0;
	pthread_t thread;

	pass(s, &g, 1, true);
	work(s, true);
	struct request r = {.alert = s->alert,
			    .command = {.deed = ALERT_RESOLVE, .by = "ops", .note = "known"}};
	r.command.id = list_of(s, &f, &total, &next).items[0].id;
	assert_int_equal(pthread_create(&thread, NULL, ask, &r), 0);
	wait_for_command(s);
	work(s, false);
	assert_int_equal(count_of(s, OPEN), 1);
	assert_true(alert_pending(s->alert, s->now_ms));
	work(s, true);
	pthread_join(thread, NULL);
	assert_int_equal(r.err, ERR_OK);
	assert_int_equal(count_of(s, OVER), 1);
	pass(s, &g, 1, true);
	assert_int_equal(count_of(s, OPEN), 0);
}

static void on_silence(void *arg, const struct silence *silence)
{
	assert_true(silence->id != 0);
	++*(size_t *)arg;
}

static void keep_silence(void *arg, const struct silence *silence)
{
	*(struct silence *)arg = *silence;
}

/* What the configuration has is shown with the others, and is not for people to take out. */
static void silences_of_the_configuration_are_shown(void **state)
{
	struct scene *s = *state;
	struct silence shown = {.id = 0};
	pthread_t thread;

	work(s, true);
	assert_int_equal(alert_silences(s->alert, keep_silence, &shown), ERR_OK);
	assert_string_equal(shown.group, "fixed");
	assert_string_equal(shown.by, "configuration");
	assert_int_equal(shown.window.from_min, 22 * 60);
	struct request r = {.alert = s->alert,
			    .command = {.deed = ALERT_DEL_SILENCE, .id = shown.id}};
	assert_int_equal(pthread_create(&thread, NULL, ask, &r), 0);
	wait_for_command(s);
	work(s, true);
	pthread_join(thread, NULL);
	assert_int_equal(r.err, ERR_NOT_FOUND);
}

static void many_ask_at_once_and_each_is_answered(void **state)
{
	struct scene *s = *state;
	struct request requests[8];
	struct silence silences[ARRAY_LEN(requests)];
	pthread_t threads[ARRAY_LEN(requests)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		silences[i] = (struct silence){.until_ms = s->now_ms + 86400000};
		requests[i] = (struct request){
			.alert = s->alert,
			.command = {.deed = ALERT_ADD_SILENCE, .silence = &silences[i]},
		};
		assert_int_equal(pthread_create(&threads[i], NULL, ask, &requests[i]), 0);
	}
	for (int k = 0; k < 200; k++) {
		const struct timespec moment = {0, 1000000};

		if (alert_pending(s->alert, s->now_ms))
			work(s, k % 3 != 0);
		nanosleep(&moment, NULL);
	}
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(requests[i].err, ERR_OK);
	}
	assert_int_equal(alert_silences(s->alert, on_silence, &count), ERR_OK);
	assert_int_equal(count, ARRAY_LEN(requests) + s->config->alert.silences.count);
}

static void nobody_waits_for_ever(void **state)
{
	struct scene *s = *state;
	struct alert_command c = {.deed = ALERT_ACKNOWLEDGE, .id = 1, .by = "ops", .note = ""};

	assert_int_equal(alert_do(s->alert, &c), ERR_TIMEOUT);
	work(s, true); /* the command is gone from the list */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_list_is_filtered_and_cut_into_pages),
		TEST(those_that_are_over_are_listed_alike),
		TEST(one_is_shown_with_its_timeline_to_who_sees_it),
		TEST(changes_are_told_once_they_are_on_disk),
		TEST(a_blind_cluster_is_said_again_after_a_failure),
		TEST(what_somebody_asks_for_survives_a_failure),
		TEST(silences_of_the_configuration_are_shown),
		TEST(many_ask_at_once_and_each_is_answered),
		TEST(nobody_waits_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
