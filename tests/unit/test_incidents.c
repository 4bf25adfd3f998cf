/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/alert_fixture.h"

/* One group, whose status began with this pass if it is another. */
static void see(struct alert_fixture *f, struct seen_group *g, enum status status)
{
	if (g->status != status)
		g->since_ms = f->now_ms + PASS_MS;
	g->status = status;
	fixture_pass(f, g, 1, true);
}

static struct incident last_of(const struct alert_fixture *f)
{
	assert_true(f->told_count > 0);
	return f->told[f->told_count - 1].incident;
}

static enum incident_change last_change(const struct alert_fixture *f)
{
	assert_true(f->told_count > 0);
	return f->told[f->told_count - 1].change;
}

static struct incident stored(struct alert_fixture *f, uint64_t id)
{
	struct store_txn t = store_begin(f->store, false);
	struct incident i;

	assert_true(incidents_get(&t, id, &i));
	store_abort(&t);
	return i;
}

static size_t stored_count(struct alert_fixture *f)
{
	struct store_txn t = store_begin(f->store, false);
	size_t count = alert_store_count(&t);

	store_abort(&t);
	return count;
}

static void a_bad_group_has_one_incident_until_it_is_well(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group g = {.id = 1};

	see(f, &g, STATUS_OK);
	assert_int_equal(f->told_count, 0);
	see(f, &g, STATUS_ERR);
	assert_int_equal(last_change(f), INCIDENT_OPENED);
	struct incident i = last_of(f);
	assert_string_equal(i.group, "group-1");
	assert_int_equal(i.opened_ms, f->now_ms);
	assert_string_equal(i.sentence, "1 of 1 partitions; the worst, invoices 3: nothing is "
					"committed although messages wait; lag 100");
	for (int k = 0; k < 5; k++)
		see(f, &g, STATUS_ERR);
	assert_int_equal(f->told_count, 1);
	see(f, &g, STATUS_OK);
	assert_int_equal(last_change(f), INCIDENT_WAS_RESOLVED);
	assert_int_equal(stored(f, i.id).state, INCIDENT_RESOLVED);
	assert_int_equal(f->told_count, 2);
}

static void an_aborted_pass_leaves_nothing(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group g = {1, STATUS_ERR, BEGIN_MS};

	fixture_pass(f, &g, 1, false);
	assert_int_equal(stored_count(f), 0);
	fixture_pass(f, &g, 1, true);
	assert_int_equal(f->told_count, 2); /* both told; the first was not committed */
	assert_true(f->told[0].incident.id == f->told[1].incident.id);
	g = (struct seen_group){1, STATUS_OK, f->now_ms + PASS_MS};
	fixture_pass(f, &g, 1, false);
	assert_int_equal(stored(f, f->told[0].incident.id).state, INCIDENT_OPEN);
	fixture_pass(f, &g, 1, true);
	assert_int_equal(stored(f, f->told[0].incident.id).state, INCIDENT_RESOLVED);
}

static void a_restart_changes_nothing(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group g = {.id = 1};

	see(f, &g, STATUS_ERR);
	struct incident i = last_of(f);
	fixture_close(f);
	fixture_open(f);
	see(f, &g, STATUS_ERR);
	assert_int_equal(f->told_count, 1);
	see(f, &g, STATUS_OK);
	fixture_close(f);
	fixture_open(f);
	assert_true(last_of(f).id == i.id);
	for (int k = 0; k < 3; k++) {
		see(f, &g, STATUS_ERR);
		see(f, &g, STATUS_OK);
		fixture_close(f);
		fixture_open(f);
	}
	see(f, &g, STATUS_ERR);
	assert_true(last_of(f).flapping); /* ups before the restarts count */
}

static void a_group_that_is_gone_ends_its_incident(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group two[2] = {{1, STATUS_ERR, BEGIN_MS}, {2, STATUS_ERR, BEGIN_MS}};

	fixture_pass(f, two, 2, true);
	assert_int_equal(f->told_count, 2);
	fixture_pass(f, two, 1, true);
	assert_int_equal(f->told_count, 3);
	assert_int_equal(last_of(f).end, INCIDENT_DELETED);
	assert_string_equal(last_of(f).group, "group-2");

	struct store_txn t = store_begin(f->store, true);
	store_put_buried(&t, CLUSTER, 1, 0,
			 &(struct store_burial){f->now_ms + PASS_MS, f->now_ms + PASS_MS});
	assert_int_equal(store_commit(&t), ERR_OK);
	fixture_pass(f, NULL, 0, true);
	assert_int_equal(last_of(f).end, INCIDENT_EXPIRED);
	assert_int_equal(f->told_count, 4);
}

static void a_cluster_that_is_gone_ends_all(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group two[2] = {{1, STATUS_ERR, BEGIN_MS}, {2, STATUS_WARN, BEGIN_MS}};

	fixture_pass(f, two, 2, true);
	struct store_txn t = store_begin(f->store, true);
	incidents_gone(f->incidents, &t, CLUSTER, f->now_ms);
	assert_int_equal(store_commit(&t), ERR_OK);
	assert_int_equal(f->told_count, 4);
	assert_int_equal(last_of(f).end, INCIDENT_EXPIRED);
	fixture_close(f);
	fixture_open(f);
	struct incidents_count *counts = NULL;
	assert_int_equal(incidents_counts(f->incidents, &counts), 0);
	free(counts);
}

static void go_blind(struct alert_fixture *f, const struct seen_group *g)
{
	struct store_txn t = store_begin(f->store, true);
	struct view *v = fixture_view(f->now_ms, g, 1);

	incidents_blind(f->incidents, &t, v, f->now_ms + 6 * PASS_MS);
	view_unref(&v);
	assert_int_equal(store_commit(&t), ERR_OK);
}

static void a_blind_cluster_is_one_incident_and_its_groups_stay(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group g = {.id = 1};

	see(f, &g, STATUS_ERR);
	uint64_t group_id = last_of(f).id;
	go_blind(f, &g);
	assert_int_equal(f->told_count, 2);
	struct incident blind = last_of(f);
	assert_int_equal(blind.kind, INCIDENT_BLIND);
	assert_int_equal(blind.group_id, 0);
	assert_int_equal(blind.opened_ms, f->now_ms + PASS_MS);
	assert_int_equal(blind.status, STATUS_ERR);
	go_blind(f, &g);
	fixture_close(f);
	fixture_open(f);
	go_blind(f, &g);
	assert_int_equal(f->told_count, 2);
	assert_int_equal(stored(f, group_id).state, INCIDENT_OPEN);

	/* The last pass, judged again, ends nothing. */
	f->now_ms -= PASS_MS;
	fixture_pass(f, &g, 1, true);
	assert_int_equal(f->told_count, 2);
	see(f, &g, STATUS_ERR);
	assert_int_equal(f->told_count, 3);
	assert_int_equal(last_of(f).kind, INCIDENT_BLIND);
	assert_int_equal(last_of(f).end, INCIDENT_RECOVERED);
	assert_int_equal(stored(f, group_id).state, INCIDENT_OPEN);
}

static void by_hand_it_is_acknowledged_and_ended(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group g = {.id = 1};

	see(f, &g, STATUS_ERR);
	uint64_t id = last_of(f).id;
	struct store_txn t = store_begin(f->store, true);
	assert_int_equal(incidents_acknowledge(f->incidents, &t, id, "ops", "", f->now_ms), ERR_OK);
	assert_int_equal(incidents_acknowledge(f->incidents, &t, id + 1, "ops", "", f->now_ms),
			 ERR_NOT_FOUND);
	assert_int_equal(last_change(f), INCIDENT_WAS_ACKNOWLEDGED);
	assert_int_equal(incidents_resolve(f->incidents, &t, id, "ops", "", f->now_ms), ERR_OK);
	assert_int_equal(store_commit(&t), ERR_OK);
	assert_int_equal(last_of(f).end, INCIDENT_BY_HAND);
	size_t told = f->told_count;
	for (int k = 0; k < 3; k++)
		see(f, &g, STATUS_ERR);
	fixture_close(f);
	fixture_open(f);
	see(f, &g, STATUS_ERR);
	assert_int_equal(f->told_count, told);
	see(f, &g, STATUS_OK);
	see(f, &g, STATUS_ERR);
	assert_int_equal(last_change(f), INCIDENT_OPENED);
	assert_true(last_of(f).id != id);
}

static void the_timeline_keeps_the_first_and_the_last(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group g = {.id = 1};
	uint32_t versions[INCIDENTS_STEPS + 2];
	const uint8_t *data = NULL;
	size_t size = 0;
	size_t count = 0;
	uint32_t version = 0;

	see(f, &g, STATUS_WARN);
	uint64_t id = last_of(f).id;
	for (int k = 0; k < INCIDENTS_STEPS; k++) {
		f->now_ms += INCIDENT_FLAPS_MS; /* so slowly that it is no flapping */
		see(f, &g, k % 2 == 0 ? STATUS_ERR : STATUS_WARN);
	}
	assert_true(last_of(f).id == id);
	struct store_txn t = store_begin(f->store, false);
	for (; alert_store_next_step(&t, id, version, &version, &data, &size); version++)
		versions[count++] = version;
	store_abort(&t);
	assert_int_equal(count, INCIDENTS_STEPS);
	assert_int_equal(versions[0], 1);
	assert_int_equal(versions[1], 3);
	assert_int_equal(versions[count - 1], INCIDENTS_STEPS + 1);
}

/* --- silences --- */

static struct silence silence_of(const char *group, int64_t from_ms, int64_t until_ms)
{
	struct silence s = {.from_ms = from_ms, .until_ms = until_ms};

	strcpy(s.environment, "*");
	strcpy(s.cluster, "*");
	strcpy(s.topic, "*");
	snprintf(s.group, sizeof(s.group), "%s", group);
	return s;
}

static uint64_t add_silence(struct alert_fixture *f, struct silence s)
{
	struct store_txn t = store_begin(f->store, true);

	assert_int_equal(silences_add(f->silences, &t, &s), ERR_OK);
	assert_int_equal(store_commit(&t), ERR_OK);
	return s.id;
}

static void tick(struct alert_fixture *f)
{
	struct store_txn t = store_begin(f->store, true);

	if (silences_tick(f->silences, &t, f->now_ms))
		incidents_silence(f->incidents, &t, f->now_ms);
	assert_int_equal(store_commit(&t), ERR_OK);
}

static void a_silence_is_told_when_it_ends_before_the_trouble(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group g = {.id = 1};

	add_silence(f, silence_of("group-*", f->now_ms, f->now_ms + 5 * PASS_MS));
	add_silence(f, silence_of("other", f->now_ms, f->now_ms + 500 * PASS_MS));
	tick(f);
	see(f, &g, STATUS_ERR);
	assert_int_equal(last_change(f), INCIDENT_OPENED);
	assert_true(last_of(f).silenced);
	assert_int_equal(silences_next_ms(f->silences), BEGIN_MS + 5 * PASS_MS);
	fixture_close(f);
	fixture_open(f);
	tick(f);
	assert_int_equal(f->told_count, 1);
	f->now_ms = BEGIN_MS + 5 * PASS_MS;
	tick(f);
	assert_int_equal(last_change(f), INCIDENT_SILENCE_ENDED);
	assert_false(last_of(f).silenced);
	uint64_t id = add_silence(f, silence_of("*", f->now_ms, f->now_ms + 500 * PASS_MS));
	tick(f);
	assert_int_equal(last_change(f), INCIDENT_WAS_SILENCED);
	struct store_txn t = store_begin(f->store, true);
	assert_int_equal(silences_del(f->silences, &t, id), ERR_OK);
	assert_int_equal(silences_del(f->silences, &t, id), ERR_NOT_FOUND);
	assert_int_equal(store_commit(&t), ERR_OK);
	tick(f);
	assert_int_equal(last_change(f), INCIDENT_SILENCE_ENDED);
	assert_int_equal(f->told_count, 4);
}

static void each_matcher_of_a_silence_must_match(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group g = {.id = 1};
	struct silence s = silence_of("group-1", 0, INT64_MAX - 1);

	see(f, &g, STATUS_ERR);
	const struct incident i = last_of(f);
	struct silence wrong[7];
	for (size_t k = 0; k < ARRAY_LEN(wrong); k++)
		wrong[k] = s;
	strcpy(wrong[0].environment, "DEV");
	strcpy(wrong[1].cluster, "o");
	strcpy(wrong[2].topic, "bills-*");
	strcpy(wrong[3].group, "group");
	wrong[4].status = STATUS_WARN;
	wrong[5].reason = REASON_TIME_LAG;
	wrong[6].label_count = 1;
	strcpy(wrong[6].labels[0].name, "team");
	strcpy(wrong[6].labels[0].value, "pay*");
	for (size_t k = 0; k < ARRAY_LEN(wrong); k++)
		add_silence(f, wrong[k]);
	tick(f);
	assert_false(silences_match(f->silences, NULL, &i));

	const struct rules_label label = {"team", "payments", 1};
	struct rules_entry entry = {
		.patterns = {"*", "*", "*", "*", "*"}, .labels = &label, .label_count = 1};
	const struct rules_base base = {.given = 0};
	struct rules_set *rules = rules_new("rules.yaml", 1, &base, &entry, 1);
	assert_true(silences_match(f->silences, rules, &i));
	rules_unref(&rules);

	s.status = STATUS_ERR;
	s.reason = REASON_NO_COMMITS;
	strcpy(s.topic, "inv*");
	add_silence(f, s);
	tick(f);
	assert_true(silences_match(f->silences, NULL, &i));
}

/* Nights from Friday to Saturday and from Saturday to Sunday, 22:00 to 06:00 in Berlin. */
static void a_window_comes_again_each_week(void **state)
{
	static const struct {
		int64_t at_s;
		bool on;
	} TIMES[] = {
		{1700254799, false}, /* Friday 17 November 2023 20:59:59 UTC, 21:59:59 there */
		{1700254800, true},  /* 22:00 */
		{1700283599, true},  /* Saturday 05:59:59 */
		{1700283600, false}, /* 06:00 */
		{1700341200, true},  /* Saturday 22:00 */
		{1700369999, true},  /* Sunday 05:59:59 */
		{1700370000, false}, {1700427600, false}, /* Sunday 22:00 */
		{1718395200, true},                       /* Friday 14 June 2024 22:00, summer */
		{1718395199, false},
	};
	struct alert_fixture *f = *state;
	struct seen_group g = {.id = 1};
	struct silence s = silence_of("*", 0, INT64_MAX);

	s.window = (struct silence_window){.days = 1 << 4 | 1 << 5, 22 * 60, 6 * 60};
	strcpy(s.timezone, "Europe/Berlin");
	see(f, &g, STATUS_ERR);
	const struct incident i = last_of(f);
	add_silence(f, s);
	for (size_t k = 0; k < ARRAY_LEN(TIMES); k++) {
		f->now_ms = TIMES[k].at_s * 1000;
		tick(f);
		assert_int_equal(silences_match(f->silences, NULL, &i), TIMES[k].on);
		assert_true(silences_next_ms(f->silences) <= f->now_ms + 60000);
	}
	strcpy(s.timezone, "Europe/Nowhere");
	struct store_txn t = store_begin(f->store, true);
	assert_int_equal(silences_add(f->silences, &t, &s), ERR_NOT_FOUND);
	store_abort(&t);
}

static void silences_are_bounded_and_forgotten(void **state)
{
	struct alert_fixture *f = *state;
	struct silence s = silence_of("*", f->now_ms, f->now_ms + 1000);
	struct store_txn t = store_begin(f->store, true);

	for (int k = 0; k < SILENCES_MAX; k++)
		assert_int_equal(silences_add(f->silences, &t, &s), ERR_OK);
	assert_int_equal(silences_add(f->silences, &t, &s), ERR_LIMIT);
	assert_int_equal(store_commit(&t), ERR_OK);
	f->now_ms += 2 * 86400000;
	tick(f);
	t = store_begin(f->store, true);
	assert_int_equal(silences_add(f->silences, &t, &s), ERR_OK);
	store_abort(&t);
}

/* --- rules --- */

static void trouble_that_maintenance_hides_ends_by_it(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group g = {.id = 1};
	struct rules_entry entry = {.patterns = {"*", "*", "*", "*", "*"},
				    .values = {.maintenance_until_ms = BEGIN_MS * 2},
				    .given = 1u << RULES_MAINTENANCE};
	const struct rules_base base = {.given = 0};
	struct rules_set *rules = rules_new("rules.yaml", 1, &base, &entry, 1);

	see(f, &g, STATUS_ERR);
	incidents_rules(f->incidents, rules);
	rules_unref(&rules);
	see(f, &g, STATUS_OK);
	assert_int_equal(last_of(f).end, INCIDENT_MAINTENANCE);
}

/* --- history --- */

static void trim_until(struct alert_fixture *f, int64_t now_ms)
{
	for (int k = 0; k < 20; k++) {
		struct store_txn t = store_begin(f->store, true);

		incidents_trim(f->incidents, &t, now_ms);
		assert_int_equal(store_commit(&t), ERR_OK);
	}
}

static void what_was_over_long_ago_is_forgotten(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group two[2] = {{1, STATUS_ERR, BEGIN_MS}, {2, STATUS_ERR, BEGIN_MS}};

	fixture_pass(f, two, 2, true);
	two[0].status = STATUS_OK;
	fixture_pass(f, two, 2, true);
	trim_until(f, f->now_ms + INCIDENTS_KEPT_MS - 1);
	assert_int_equal(stored_count(f), 2);
	trim_until(f, f->now_ms + 2 * INCIDENTS_KEPT_MS);
	assert_int_equal(stored_count(f), 2); /* it is remembered, for flapping */
	f->now_ms += INCIDENT_FLAPS_MS;
	fixture_pass(f, two, 2, true);
	trim_until(f, f->now_ms + 3 * INCIDENTS_KEPT_MS);
	assert_int_equal(stored_count(f), 1); /* the other is not over */

	struct store_txn t = store_begin(f->store, false);
	uint32_t version = 0;
	const uint8_t *data = NULL;
	size_t size = 0;
	assert_false(alert_store_next_step(&t, f->told[0].incident.id, 0, &version, &data, &size));
	store_abort(&t);
}

/* --- anything --- */

/* Groups that do as they like, transactions that fail and restarts: in the end there is for each
 * group in trouble one incident that is not over, and none for others. */
static void each_bad_group_has_exactly_one(void **state)
{
	struct alert_fixture *f = *state;
	struct seen_group groups[20];
	size_t count = ARRAY_LEN(groups);

	srand(7);
	for (uint32_t i = 0; i < count; i++)
		groups[i] = (struct seen_group){i + 1, STATUS_OK, BEGIN_MS};
	for (int pass = 0; pass < 400; pass++) {
		for (size_t i = 0; i < count; i++) {
			if (rand() % 20 != 0)
				continue;
			groups[i].status = (enum status)(STATUS_OK + rand() % 3);
			groups[i].since_ms = f->now_ms + PASS_MS;
		}
		fixture_pass(f, groups, count, rand() % 10 != 0);
		if (rand() % 50 == 0) {
			fixture_close(f);
			fixture_open(f);
		}
	}
	fixture_pass(f, groups, count, true);
	struct store_txn t = store_begin(f->store, false);
	for (size_t i = 0; i < count; i++) {
		struct alert_place p = {INT64_MAX, UINT64_MAX};
		const uint8_t *data = NULL;
		struct incident one;
		size_t size = 0;
		size_t live = 0;

		while (alert_store_before(&t, p, &p, &data, &size)) {
			assert_true(incident_unpack(data, size, &one));
			live += one.group_id == groups[i].id && one.state != INCIDENT_RESOLVED &&
				(!one.flapping || one.status > STATUS_OK);
		}
		assert_int_equal(live, groups[i].status > STATUS_OK);
	}
	store_abort(&t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_bad_group_has_one_incident_until_it_is_well),
		TEST(an_aborted_pass_leaves_nothing),
		TEST(a_restart_changes_nothing),
		TEST(a_group_that_is_gone_ends_its_incident),
		TEST(a_cluster_that_is_gone_ends_all),
		TEST(a_blind_cluster_is_one_incident_and_its_groups_stay),
		TEST(by_hand_it_is_acknowledged_and_ended),
		TEST(the_timeline_keeps_the_first_and_the_last),
		TEST(a_silence_is_told_when_it_ends_before_the_trouble),
		TEST(each_matcher_of_a_silence_must_match),
		TEST(a_window_comes_again_each_week),
		TEST(silences_are_bounded_and_forgotten),
		TEST(trouble_that_maintenance_hides_ends_by_it),
		TEST(what_was_over_long_ago_is_forgotten),
		TEST(each_bad_group_has_exactly_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
