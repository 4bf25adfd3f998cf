/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/alert/incident.h"

#define PASS_MS 10000
#define HOUR_MS 3600000
#define BEGIN_MS 1700000000000

/* A group that is seen pass after pass. */
struct scene {
	struct incident i;
	bool any; /* i is one */
	int64_t at_ms, since_ms;
	enum status status;
	enum reason reason;
};

static struct incident_sight sight(const struct scene *s)
{
	return (struct incident_sight){
		.environment = "PROD",
		.cluster = "orders",
		.group = "billing",
		.cluster_id = 1,
		.group_id = 2,
		.status = s->status,
		.reason = s->reason,
		.since_ms = s->since_ms,
		.at_ms = s->at_ms,
		.topic = "invoices",
		.partition = 3,
		.bad_partitions = 1,
		.partitions = 12,
		.lag = 1000,
		.time_lag_ms = 60000,
		.margin_ms = -1,
		.sentence = "why",
	};
}

/* One more pass, with this status and reason. */
static enum incident_change see(struct scene *s, enum status status, enum reason reason)
{
	s->at_ms = s->at_ms == 0 ? BEGIN_MS : s->at_ms + PASS_MS;
	if (status != s->status)
		s->since_ms = s->at_ms;
	s->status = status;
	s->reason = status == STATUS_OK ? REASON_NONE : reason;
	const struct incident_sight now = sight(s);
	if (incident_is_new(s->any ? &s->i : NULL, status)) {
		struct incident last = s->i;
		incident_open(&now, s->any ? &last : NULL, &s->i);
		s->any = true;
		return INCIDENT_OPENED;
	}
	return s->any ? incident_see(&s->i, &now) : INCIDENT_NONE;
}

static enum incident_change err(struct scene *s)
{
	return see(s, STATUS_ERR, REASON_NO_COMMITS);
}

static enum incident_change warn(struct scene *s)
{
	return see(s, STATUS_WARN, REASON_FALLING_BEHIND);
}

static enum incident_change ok(struct scene *s)
{
	return see(s, STATUS_OK, REASON_NONE);
}

/* --- opening --- */

static void it_opens_with_the_first_bad_pass_and_says_what_is_wrong(void **state)
{
	struct scene s = {0};

	(void)state;
	assert_int_equal(ok(&s), INCIDENT_NONE);
	assert_int_equal(err(&s), INCIDENT_OPENED);
	assert_int_equal(s.i.state, INCIDENT_OPEN);
	assert_int_equal(s.i.kind, INCIDENT_GROUP);
	assert_int_equal(s.i.version, 1);
	assert_int_equal(s.i.opened_ms, s.since_ms);
	assert_string_equal(s.i.topic, "invoices");
	assert_string_equal(s.i.sentence, "why");
	assert_int_equal(s.i.lag, 1000);
	for (int k = 0; k < 10; k++)
		assert_int_equal(err(&s), INCIDENT_NONE);
	assert_int_equal(s.i.version, 1);
}

static void its_id_is_of_names_kind_and_first_bad_pass_alone(void **state)
{
	struct scene a = {0};
	struct scene b = {0};

	(void)state;
	(void)err(&a);
	struct incident_sight now = sight(&a);
	now.cluster_id = 77; /* another replica's numbers, and later */
	now.group_id = 88;
	now.at_ms += PASS_MS;
	now.lag = 5;
	incident_open(&now, NULL, &b.i);
	assert_true(a.i.id == b.i.id && a.i.id != 0);
	now.since_ms++;
	incident_open(&now, NULL, &b.i);
	assert_true(a.i.id != b.i.id);
	now.since_ms--;
	now.group = "billinh";
	incident_open(&now, NULL, &b.i);
	assert_true(a.i.id != b.i.id);
	now.group = "billing";
	now.environment = "DEV";
	incident_open(&now, NULL, &b.i);
	assert_true(a.i.id != b.i.id);
}

static void names_are_cut_between_characters(void **state)
{
	struct scene s = {0};
	struct incident i;
	char name[INCIDENT_GROUP_MAX + 2];

	(void)state;
	(void)err(&s);
	memset(name, 'x', sizeof(name));
	memcpy(name + INCIDENT_GROUP_MAX - 2, "\xc3\xa4", 3); /* its second byte has no room */
	struct incident_sight now = sight(&s);
	now.group = name;
	incident_open(&now, NULL, &i);
	assert_int_equal(strlen(i.group), INCIDENT_GROUP_MAX - 2);
}

/* --- a pass --- */

static void worse_and_better_are_told_once(void **state)
{
	struct scene s = {0};

	(void)state;
	assert_int_equal(warn(&s), INCIDENT_OPENED);
	assert_int_equal(err(&s), INCIDENT_WORSE);
	assert_int_equal(s.i.worst, STATUS_ERR);
	assert_int_equal(err(&s), INCIDENT_NONE);
	assert_int_equal(warn(&s), INCIDENT_BETTER);
	assert_int_equal(s.i.status, STATUS_WARN);
	assert_int_equal(s.i.worst, STATUS_ERR);
	assert_int_equal(warn(&s), INCIDENT_NONE);
	assert_int_equal(s.i.version, 3);
}

static void it_ends_when_the_group_is_well(void **state)
{
	struct scene s = {0};

	(void)state;
	(void)err(&s);
	assert_int_equal(ok(&s), INCIDENT_WAS_RESOLVED);
	assert_int_equal(s.i.end, INCIDENT_RECOVERED);
	assert_int_equal(s.i.resolved_ms, s.at_ms);
	assert_int_equal(ok(&s), INCIDENT_NONE);
	uint64_t id = s.i.id;
	assert_int_equal(err(&s), INCIDENT_OPENED);
	assert_true(s.i.id != id);
}

static void another_reason_is_told_only_when_it_lasts(void **state)
{
	struct scene s = {0};
	int passes = INCIDENT_REASON_MS / PASS_MS;

	(void)state;
	(void)err(&s);
	for (int k = 0; k < 3 * passes; k++) /* to and fro, each pass another */
		assert_int_equal(
			see(&s, STATUS_ERR, k % 2 == 0 ? REASON_NO_PROGRESS : REASON_NO_COMMITS),
			INCIDENT_NONE);
	for (int k = 0; k < passes; k++)
		assert_int_equal(see(&s, STATUS_ERR, REASON_NO_MEMBERS), INCIDENT_NONE);
	assert_int_equal(see(&s, STATUS_ERR, REASON_NO_MEMBERS), INCIDENT_OTHER_REASON);
	assert_int_equal(s.i.reason, REASON_NO_MEMBERS);
	assert_int_equal(see(&s, STATUS_ERR, REASON_NO_MEMBERS), INCIDENT_NONE);
}

static void what_time_alone_changes_is_foretold(void **state)
{
	struct scene s = {0};

	(void)state;
	(void)err(&s);
	assert_true(incident_next_ms(&s.i) == INT64_MAX);
	(void)see(&s, STATUS_ERR, REASON_NO_MEMBERS);
	assert_true(incident_next_ms(&s.i) == s.at_ms + INCIDENT_REASON_MS);
	(void)ok(&s);
	assert_true(incident_next_ms(&s.i) == s.at_ms + INCIDENT_FLAPS_MS);
	assert_false(incident_is_past(&s.i, s.at_ms + INCIDENT_FLAPS_MS - 1));
	assert_true(incident_is_past(&s.i, s.at_ms + INCIDENT_FLAPS_MS));
}

/* --- flapping --- */

static void a_group_that_comes_and_goes_is_one_incident(void **state)
{
	struct scene s = {0};
	unsigned opened = 0;
	unsigned resolved = 0;

	(void)state;
	for (int k = 0; k < 120; k++) {
		opened += err(&s) == INCIDENT_OPENED;
		(void)err(&s);
		resolved += ok(&s) == INCIDENT_WAS_RESOLVED;
	}
	assert_int_equal(opened, INCIDENT_FLAPS_MIN);
	assert_int_equal(resolved, INCIDENT_FLAPS_MIN - 1);
	assert_true(s.i.flapping);
	assert_int_equal(s.i.status, STATUS_OK);

	int64_t calm_ms = s.at_ms;
	while (s.i.state == INCIDENT_OPEN)
		(void)ok(&s);
	assert_int_equal(s.i.end, INCIDENT_RECOVERED);
	assert_int_equal(s.at_ms - calm_ms, INCIDENT_CALM_MS);
	assert_false(s.i.flapping);
}

static void one_that_goes_up_within_its_incident_says_so_once(void **state)
{
	struct scene s = {0};
	unsigned told = 0;
	unsigned flaps = 0;

	(void)state;
	(void)warn(&s);
	for (int k = 0; k < 100; k++) {
		enum incident_change up = err(&s);
		enum incident_change down = warn(&s);

		told += up != INCIDENT_NONE;
		told += down != INCIDENT_NONE;
		flaps += up == INCIDENT_FLAPS;
	}
	assert_int_equal(flaps, 1);
	/* Up and down twice, and up. */
	assert_int_equal(told, 2 * (INCIDENT_FLAPS_MIN - 2) + 1);
}

static void one_that_stays_bad_flaps_no_more(void **state)
{
	struct scene s = {0};

	(void)state;
	for (int k = 0; k < 10; k++) {
		(void)err(&s);
		(void)ok(&s);
	}
	assert_true(s.i.flapping);
	for (int64_t end = s.at_ms + INCIDENT_CALM_MS + 2 * PASS_MS; s.at_ms < end;)
		assert_int_equal(err(&s), INCIDENT_NONE);
	assert_false(s.i.flapping);
	assert_int_equal(ok(&s), INCIDENT_WAS_RESOLVED);
}

static void ups_of_long_ago_do_not_count(void **state)
{
	struct scene s = {0};

	(void)state;
	for (int k = 0; k < 20; k++) {
		assert_int_equal(err(&s), INCIDENT_OPENED);
		assert_int_equal(ok(&s), INCIDENT_WAS_RESOLVED);
		s.at_ms += HOUR_MS / 3;
	}
	assert_false(s.i.flapping);
}

/* --- by hand --- */

static void who_acknowledges_is_noted_once(void **state)
{
	struct scene s = {0};

	(void)state;
	(void)err(&s);
	assert_int_equal(incident_acknowledge(&s.i, "ops", "mine", s.at_ms),
			 INCIDENT_WAS_ACKNOWLEDGED);
	assert_int_equal(s.i.state, INCIDENT_ACKNOWLEDGED);
	assert_string_equal(s.i.by, "ops");
	assert_string_equal(s.i.note, "mine");
	assert_int_equal(incident_acknowledge(&s.i, "other", "", s.at_ms), INCIDENT_NONE);
	assert_string_equal(s.i.by, "ops");
	assert_int_equal(ok(&s), INCIDENT_WAS_RESOLVED);
	assert_string_equal(s.i.by, "ops");
	assert_int_equal(incident_acknowledge(&s.i, "other", "", s.at_ms), INCIDENT_NONE);
}

static void by_hand_it_stays_over_until_the_group_was_well(void **state)
{
	struct scene s = {0};

	(void)state;
	(void)err(&s);
	assert_int_equal(incident_end(&s.i, INCIDENT_BY_HAND, "ops", "known", s.at_ms),
			 INCIDENT_WAS_RESOLVED);
	for (int k = 0; k < 2 * HOUR_MS / PASS_MS; k++) {
		assert_int_equal(err(&s), INCIDENT_NONE);
		assert_false(incident_is_past(&s.i, s.at_ms));
	}
	assert_int_equal(ok(&s), INCIDENT_NONE);
	assert_int_equal(err(&s), INCIDENT_OPENED);
}

static void by_hand_it_comes_back_when_the_group_gets_worse(void **state)
{
	struct scene s = {0};

	(void)state;
	(void)warn(&s);
	(void)incident_end(&s.i, INCIDENT_BY_HAND, "ops", "", s.at_ms);
	assert_int_equal(warn(&s), INCIDENT_NONE);
	assert_int_equal(err(&s), INCIDENT_OPENED);
}

static void what_is_over_ends_once(void **state)
{
	struct scene s = {0};

	(void)state;
	(void)err(&s);
	assert_int_equal(incident_end(&s.i, INCIDENT_DELETED, "", "", s.at_ms),
			 INCIDENT_WAS_RESOLVED);
	assert_int_equal(incident_end(&s.i, INCIDENT_BY_HAND, "ops", "", s.at_ms), INCIDENT_NONE);
	assert_int_equal(s.i.end, INCIDENT_DELETED);
	assert_int_equal(incident_silence(&s.i, true, s.at_ms), INCIDENT_NONE);
}

static void a_silence_is_noted_when_it_begins_and_ends(void **state)
{
	struct scene s = {0};

	(void)state;
	(void)err(&s);
	assert_int_equal(incident_silence(&s.i, false, s.at_ms), INCIDENT_NONE);
	assert_int_equal(incident_silence(&s.i, true, s.at_ms), INCIDENT_WAS_SILENCED);
	assert_int_equal(incident_silence(&s.i, true, s.at_ms), INCIDENT_NONE);
	assert_int_equal(incident_silence(&s.i, false, s.at_ms), INCIDENT_SILENCE_ENDED);
	assert_false(s.i.silenced);
}

/* --- bytes --- */

static void bytes_come_back_and_nothing_else_is_taken(void **state)
{
	struct scene s = {0};
	uint8_t bytes[INCIDENT_BYTES_MAX];
	struct incident back;

	(void)state;
	(void)err(&s);
	(void)incident_acknowledge(&s.i, "ops", "note", s.at_ms);
	size_t size = incident_pack(&s.i, bytes);
	assert_true(size < 600);
	assert_true(incident_unpack(bytes, size, &back));
	assert_memory_equal(&back, &s.i, sizeof(back));
	for (size_t cut = 0; cut < size; cut++)
		assert_false(incident_unpack(bytes, cut, &back));
	bytes[size] = 0;
	assert_false(incident_unpack(bytes, size + 1, &back));
	bytes[0]++;
	assert_false(incident_unpack(bytes, size, &back));
}

static void any_bytes_are_taken_or_refused(void **state)
{
	struct scene s = {0};
	uint8_t bytes[INCIDENT_BYTES_MAX];
	struct incident back;
	struct incident_step step;

	(void)state;
	(void)err(&s);
	size_t size = incident_pack(&s.i, bytes);
	srand(1);
	for (int k = 0; k < 20000; k++) {
		uint8_t *data = malloc(size); /* its end is watched */

		memcpy(data, bytes, size);
		for (int n = rand() % 8; n >= 0; n--)
			data[(size_t)rand() % size] = (uint8_t)rand();
		if (incident_unpack(data, size, &back))
			assert_non_null(incident_state_str(back.state));
		(void)incident_step_unpack(data, size, &step);
		free(data);
	}
}

static void a_step_tells_what_was_said_or_why(void **state)
{
	struct scene s = {0};
	struct incident_step step;
	struct incident_step back;
	uint8_t bytes[sizeof(step)];

	(void)state;
	(void)err(&s);
	incident_step_of(&s.i, &step);
	assert_int_equal(step.change, INCIDENT_OPENED);
	assert_string_equal(step.text, "why");
	assert_string_equal(step.by, "");
	(void)incident_acknowledge(&s.i, "ops", "mine", s.at_ms);
	incident_step_of(&s.i, &step);
	assert_string_equal(step.text, "mine");
	assert_string_equal(step.by, "ops");
	assert_true(incident_step_unpack(bytes, incident_step_pack(&step, bytes), &back));
	assert_memory_equal(&back, &step, sizeof(back));
	(void)ok(&s);
	incident_step_of(&s.i, &step);
	assert_string_equal(step.text, "recovered");
	assert_string_equal(step.by, "");
}

/* --- anything, at any time --- */

static void check(const struct scene *s, const struct incident *before, enum incident_change change)
{
	const struct incident *i = &s->i;
	bool opened = change == INCIDENT_OPENED;

	if (!s->any)
		return;
	assert_true(i->version == (opened ? 1 : before->version + (change != INCIDENT_NONE)));
	assert_true(i->worst >= i->status || i->state == INCIDENT_RESOLVED);
	assert_int_equal(i->state == INCIDENT_RESOLVED, i->end != 0);
	assert_int_equal(i->state == INCIDENT_RESOLVED, i->resolved_ms != 0);
	assert_true(i->held == 0 || i->end == INCIDENT_BY_HAND);
	assert_true(!opened || before->state == INCIDENT_RESOLVED || before->id == 0);
	if (before->id != 0 && !opened && before->state == INCIDENT_RESOLVED)
		assert_int_equal(change, INCIDENT_NONE); /* nothing comes after its end */
	/* A group in trouble is in an incident, unless somebody has ended it. */
	if (s->status > STATUS_OK && i->state == INCIDENT_RESOLVED)
		assert_true(i->held != 0 || i->end == INCIDENT_DELETED);
	if (s->status == STATUS_OK && i->state != INCIDENT_RESOLVED)
		assert_true(i->flapping);
	assert_true(incident_next_ms(i) > s->at_ms || incident_is_past(i, s->at_ms));
}

static enum incident_change act(struct scene *s)
{
	static const enum reason REASONS[] = {REASON_NO_COMMITS, REASON_NO_MEMBERS,
					      REASON_TIME_LAG};

	switch (rand() % 40) {
	case 0:
		return s->any ? incident_acknowledge(&s->i, "ops", "", s->at_ms) : INCIDENT_NONE;
	case 1:
		return s->any ? incident_end(&s->i, INCIDENT_BY_HAND, "ops", "", s->at_ms)
			      : INCIDENT_NONE;
	case 2:
		return s->any ? incident_silence(&s->i, rand() % 2, s->at_ms) : INCIDENT_NONE;
	case 3:
	case 4:
		s->at_ms += rand() % (2 * HOUR_MS);
		return see(s, rand() % 2 ? STATUS_OK : STATUS_ERR, REASON_NO_COMMITS);
	case 5:
	case 6:
	case 7:
		return see(s, (enum status)(STATUS_OK + rand() % 3), REASONS[rand() % 3]);
	default:
		return see(s, s->status == STATUS_NOTFOUND ? STATUS_OK : s->status,
			   rand() % 20 == 0 || s->reason == REASON_NONE ? REASONS[rand() % 3]
									: s->reason);
	}
}

static void whatever_happens_it_is_in_order(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++) {
		struct scene s = {0};

		srand(seed);
		for (int k = 0; k < 2000; k++) {
			struct incident before = s.i;

			enum incident_change change = act(&s);
			check(&s, &before, change);
		}
	}
}

/* What is left out because incident_next_ms() says so would have changed nothing. */
static void quiet_passes_need_not_be_seen(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 50; seed++) {
		struct scene all = {0};
		struct incident some;
		enum status status = STATUS_NOTFOUND;
		enum reason reason = REASON_NONE;

		srand(seed);
		memset(&some, 0, sizeof(some));
		for (int k = 0; k < 2000; k++) {
			(void)see(&all,
				  rand() % 30 != 0 && k > 0 ? all.status
							    : (enum status)(STATUS_OK + rand() % 3),
				  rand() % 30 == 0 ? REASON_NO_MEMBERS : REASON_NO_COMMITS);
			const struct incident_sight now = sight(&all);
			if (status == all.status && reason == all.reason &&
			    all.at_ms < incident_next_ms(&some)) {
				assert_memory_equal(&some, &all.i, sizeof(some));
				continue;
			}
			status = all.status;
			reason = all.reason;
			if (incident_is_new(some.id == 0 ? NULL : &some, status)) {
				struct incident last = some;
				incident_open(&now, last.id == 0 ? NULL : &last, &some);
			} else if (some.id != 0) {
				(void)incident_see(&some, &now);
			}
			assert_memory_equal(&some, &all.i, sizeof(some));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_with_the_first_bad_pass_and_says_what_is_wrong),
		cmocka_unit_test(its_id_is_of_names_kind_and_first_bad_pass_alone),
		cmocka_unit_test(names_are_cut_between_characters),
		cmocka_unit_test(worse_and_better_are_told_once),
		cmocka_unit_test(it_ends_when_the_group_is_well),
		cmocka_unit_test(another_reason_is_told_only_when_it_lasts),
		cmocka_unit_test(what_time_alone_changes_is_foretold),
		cmocka_unit_test(a_group_that_comes_and_goes_is_one_incident),
		cmocka_unit_test(one_that_goes_up_within_its_incident_says_so_once),
		cmocka_unit_test(one_that_stays_bad_flaps_no_more),
		cmocka_unit_test(ups_of_long_ago_do_not_count),
		cmocka_unit_test(who_acknowledges_is_noted_once),
		cmocka_unit_test(by_hand_it_stays_over_until_the_group_was_well),
		cmocka_unit_test(by_hand_it_comes_back_when_the_group_gets_worse),
		cmocka_unit_test(what_is_over_ends_once),
		cmocka_unit_test(a_silence_is_noted_when_it_begins_and_ends),
		cmocka_unit_test(bytes_come_back_and_nothing_else_is_taken),
		cmocka_unit_test(any_bytes_are_taken_or_refused),
		cmocka_unit_test(a_step_tells_what_was_said_or_why),
		cmocka_unit_test(whatever_happens_it_is_in_order),
		cmocka_unit_test(quiet_passes_need_not_be_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
