/* SPDX-License-Identifier: Apache-2.0 */

/* Incidents that come and go at random: what holds of the messages whatever happens, and that they
 * are the same ones when the aggregator is started again at any point. */

#include "aggregator/alert/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "notify_fixture.h"

#define INCIDENTS 12
#define STEPS 150

#define RECEIVERS                                                                                  \
	"  receivers:\n"                                                                           \
	"    - {name: mail, type: mail, server: 'smtp://h:25', from: a@b, to: [c@d]}\n"            \
	"    - {name: boss, type: webhook, url: 'http://b/'}\n"                                    \
	"    - {name: night, type: webhook, url: 'http://n/'}\n"                                   \
	"    - {name: pd, type: pagerduty, api_key_file: /k}\n"                                    \
	"    - {name: bu, type: burrow_http, url: 'http://h/', burrow: {send_close: true}}\n"

#define CALM "storm_limit: 0, "

static const char *const CONFIGS[] = {
	RECEIVERS "  route: {" CALM "receiver: mail, wait: 30s, repeat_interval: 1h}\n",
	RECEIVERS "  route: {" CALM "receiver: mail, wait: 0s, repeat_interval: 1h, "
		  "escalate_after: 20m, escalate_to: boss}\n",
	RECEIVERS "  route: {" CALM "receiver: mail, group_by: [], wait: 1m, routes: "
		  "[{cluster: [c1], receiver: pd, continue: true}, {status: [ERR], receiver: "
		  "boss}]}\n",
	RECEIVERS "  route: {" CALM "receiver: bu}\n",
	RECEIVERS "  route: {" CALM "receiver: mail, wait: 30s, hours: {from: '08:00', to: "
		  "'10:00', otherwise: night}}\n",
	RECEIVERS "  route: {receiver: mail, wait: 30s, storm_limit: 2, storm_span: 15m, "
		  "escalate_after: 20m, escalate_to: boss}\n",
	RECEIVERS "  route: {receiver: mail, wait: 30s, storm_limit: 1, storm_span: 5m, hours: "
		  "{from: '08:00', to: '10:00', otherwise: night}}\n",
	RECEIVERS "  route: {" CALM "receiver: mail, wait: 30s, hours: {from: '08:00', to: "
		  "'10:00'}}\n",
	RECEIVERS "  route: {" CALM "receiver: mail, wait: 0s, escalate_after: 5m, escalate_to: "
		  "pd}\n",
};

/* --- the stream --- */

struct stream {
	unsigned seed;
	struct incident is[INCIDENTS];
};

static unsigned draw(struct stream *s, unsigned below)
{
	s->seed = s->seed * 1103515245 + 12345;
	return (s->seed >> 16) % below;
}

static void open_one(struct fixture *f, struct stream *s, size_t k)
{
	char group[16], cluster[16];

	snprintf(group, sizeof(group), "g%zu", k);
	snprintf(cluster, sizeof(cluster), "c%zu", k % 3);
	s->is[k] = incident_at("PROD", cluster, group, f->now_ms);
	s->is[k].status = draw(s, 2) == 0 ? STATUS_WARN : STATUS_ERR;
	fixture_change(f, &s->is[k], INCIDENT_OPENED);
}

static void change_one(struct fixture *f, struct stream *s, size_t k)
{
	struct incident *i = &s->is[k];
	bool worse = i->status == STATUS_WARN;

	switch (draw(s, 8)) {
	case 0:
	case 1:
		i->status = worse ? STATUS_ERR : STATUS_WARN;
		fixture_change(f, i, worse ? INCIDENT_WORSE : INCIDENT_BETTER);
		break;
	case 2:
		i->state = INCIDENT_ACKNOWLEDGED;
		fixture_change(f, i, INCIDENT_WAS_ACKNOWLEDGED);
		break;
	case 3:
		i->silenced = !i->silenced;
		fixture_change(f, i, i->silenced ? INCIDENT_WAS_SILENCED : INCIDENT_SILENCE_ENDED);
		break;
	case 4:
		i->flapping = 1;
		fixture_change(f, i, INCIDENT_FLAPS);
		break;
	default:
		fixture_resolve(f, i);
		break;
	}
}

static void step(struct fixture *f, struct stream *s)
{
	size_t k = draw(s, INCIDENTS);
	int64_t ms = draw(s, 4) == 0 ? 1000 * draw(s, 3000) : 1000 * draw(s, 90);

	if (s->is[k].state == 0 || s->is[k].state == INCIDENT_RESOLVED)
		open_one(f, s, k);
	else
		change_one(f, s, k);
	fixture_pass(f, ms);
}

static void end_all(struct fixture *f, struct stream *s)
{
	for (size_t k = 0; k < INCIDENTS; k++) {
		if (s->is[k].state == INCIDENT_OPEN || s->is[k].state == INCIDENT_ACKNOWLEDGED)
			fixture_resolve(f, &s->is[k]);
	}
	fixture_pass(f, 48 * HOUR);
}

/* --- what holds --- */

static void no_message_comes_twice(const struct fixture *f)
{
	for (size_t i = 0; i < f->count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (f->sent[i].key == f->sent[k].key)
				print_message("%zu and %zu: kind %d to %s of %zu\n", k, i,
					      (int)f->sent[i].kind, f->sent[i].receiver,
					      f->sent[i].count);
			assert_int_not_equal(f->sent[i].key, f->sent[k].key);
		}
	}
}

/* A thread begins with its opening, and after its end only another opening follows. In a storm a
 * summary may be the end of many. */
static void threads_begin_and_end(const struct fixture *f)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct sent *s = &f->sent[i], *before = NULL;

		for (size_t k = 0; k < i; k++) {
			if (f->sent[k].thread == s->thread &&
			    strcmp(f->sent[k].receiver, s->receiver) == 0)
				before = &f->sent[k];
		}
		bool first = before == NULL || before->kind == MESSAGE_RESOLVE;
		bool opens = s->kind == MESSAGE_OPEN || s->kind == MESSAGE_SUMMARY ||
			     s->kind == MESSAGE_ESCALATE;

		if (first != opens && s->kind != MESSAGE_SUMMARY)
			print_message("%zu: kind %d after %d to %s\n", i, (int)s->kind,
				      before == NULL ? 0 : (int)before->kind, s->receiver);
		assert_true(first == opens || s->kind == MESSAGE_SUMMARY);
	}
}

/* Who was told of an incident is told of its end; who was not, is not. */
static void ends_follow_openings(const struct fixture *f)
{
	for (size_t i = 0; i < f->count; i++) {
		for (size_t n = 0; n < f->sent[i].count; n++) {
			bool ended = f->sent[i].states[n] == INCIDENT_RESOLVED, found = false;

			for (size_t k = ended ? 0 : i; k < (ended ? i : f->count); k++) {
				for (size_t x = 0; x < f->sent[k].count; x++)
					found = found || (f->sent[k].ids[x] == f->sent[i].ids[n] &&
							  (f->sent[k].states[x] ==
							   INCIDENT_RESOLVED) != ended &&
							  strcmp(f->sent[k].receiver,
								 f->sent[i].receiver) == 0);
			}
			if (!found)
				print_message("%zu: kind %d to %s: %s without its other half\n", i,
					      (int)f->sent[i].kind, f->sent[i].receiver,
					      ended ? "an end" : "an opening");
			assert_true(found);
		}
	}
}

/* When a receiver was last told of an incident; 0: never. */
static int64_t last_told(const struct fixture *f, uint64_t id)
{
	int64_t at_ms = 0;

	for (size_t i = 0; i < f->count; i++) {
		for (size_t n = 0; n < f->sent[i].count; n++) {
			if (f->sent[i].ids[n] == id)
				at_ms = f->sent[i].at_ms;
		}
	}
	return at_ms;
}

/* Of what lasts, and nobody sees to, was told; and not longer ago than wait and repeat, or than
 * its last change, such as the end of a silence. */
static void what_lasts_was_told(const struct fixture *f, const struct stream *s, int64_t wait_ms,
				int64_t repeat_ms)
{
	for (size_t k = 0; k < INCIDENTS; k++) {
		const struct incident *i = &s->is[k];

		if (i->state != INCIDENT_OPEN || i->silenced ||
		    f->now_ms - i->changed_ms <= wait_ms)
			continue;
		int64_t told_ms = last_told(f, i->id);

		assert_true(told_ms != 0);
		assert_true(f->now_ms - MAX(told_ms, i->changed_ms) <= wait_ms + repeat_ms);
	}
}

static void messages_are_right_whatever_happens(void **state)
{
	(void)state;
	for (unsigned c = 0; c < ARRAY_LEN(CONFIGS); c++) {
		struct fixture f = fixture_new(CONFIGS[c]);
		struct stream s = {.seed = 7 + c};

		for (int k = 0; k < STEPS; k++) {
			step(&f, &s);
			if (c == 0)
				what_lasts_was_told(&f, &s, 30 * SECOND, HOUR);
		}
		end_all(&f, &s);
		print_message("configuration %u: %zu messages\n", c, f.count);
		no_message_comes_twice(&f);
		if (strstr(CONFIGS[c], CALM) != NULL)
			threads_begin_and_end(&f);
		ends_follow_openings(&f);
		assert_int_equal(notify_next_ms(f.notify), INT64_MAX);
		fixture_free(&f);
	}
}

static int compare_sent(const void *a, const void *b)
{
	const struct sent *x = a, *y = b;

	return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms) != 0
		       ? (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms)
		       : (x->key > y->key) - (x->key < y->key);
}

/* With a start at each of the steps, and without any. */
static void a_restart_at_any_point_changes_nothing(void **state)
{
	(void)state;
	for (unsigned c = 0; c < ARRAY_LEN(CONFIGS); c++) {
		struct fixture one = fixture_new(CONFIGS[c]), other = fixture_new(CONFIGS[c]);
		struct stream s = {.seed = 99 + c}, again = s;

		for (int k = 0; k < 60; k++) {
			step(&one, &s);
			step(&other, &again);
			fixture_restart(&other);
		}
		end_all(&one, &s);
		end_all(&other, &again);
		assert_int_equal(one.count, other.count);
		qsort(one.sent, one.count, sizeof(struct sent), compare_sent);
		qsort(other.sent, other.count, sizeof(struct sent), compare_sent);
		for (size_t i = 0; i < one.count; i++) {
			assert_int_equal(one.sent[i].key, other.sent[i].key);
			assert_int_equal(one.sent[i].at_ms, other.sent[i].at_ms);
			assert_int_equal(one.sent[i].kind, other.sent[i].kind);
		}
		fixture_free(&one);
		fixture_free(&other);
	}
}

/* What a transaction did that failed is done again by the next, with the same keys. */
static void a_failed_transaction_leaves_nothing_behind(void **state)
{
	struct fixture f = fixture_new(CONFIGS[1]);
	struct incident i = incident_at("PROD", "c0", "g", f.now_ms);

	(void)state;
	assert_int_equal(store_commit(&f.t), ERR_OK);
	outbox_end(f.outbox, true);
	for (int k = 0; k < 2; k++) {
		f.t = store_begin(f.store, true);
		outbox_load(f.outbox, &f.t);
		notify_load(f.notify, &f.t);
		notify_change(f.notify, &f.t, NULL, &i, INCIDENT_OPENED, f.now_ms);
		notify_tick(f.notify, &f.t, f.now_ms);
		if (k == 0) {
			store_abort(&f.t);
			outbox_end(f.outbox, false);
			fixture_deliver(&f);
			assert_int_equal(f.count, 0);
		}
	}
	fixture_commit(&f);
	assert_int_equal(f.count, 1);
	fixture_free(&f);
}

/* Told of by a route that the next start does not have: the routes there are take it. */
static void another_configuration_takes_what_lasts(void **state)
{
	struct fixture f = fixture_new(RECEIVERS "  route: {receiver: mail, wait: 0s}\n");
	struct incident i = fixture_incident(&f, "g");

	(void)state;
	fixture_pass(&f, MINUTE);
	assert_sent(&f, 0, MESSAGE_OPEN, "mail", 1);
	aggregator_config_free(&f.config);
	f.config = fixture_config(RECEIVERS "  route: {receiver: boss, wait: 0s}\n");
	fixture_restart(&f);
	fixture_pass(&f, MINUTE);
	assert_int_equal(f.count, 2);
	assert_sent(&f, 1, MESSAGE_OPEN, "boss", 1);
	fixture_resolve(&f, &i);
	fixture_pass(&f, MINUTE);
	assert_int_equal(f.count, 3);
	assert_sent(&f, 2, MESSAGE_RESOLVE, "boss", 1);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_right_whatever_happens),
		cmocka_unit_test(a_restart_at_any_point_changes_nothing),
		cmocka_unit_test(a_failed_transaction_leaves_nothing_behind),
		cmocka_unit_test(another_configuration_takes_what_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
