/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "agent/collect/kafka_probe.h"
#include "agent/collect/probe.h"
#include "common/err.h"
#include "common/log.h"

#define LIMIT 4
#define END 100

/* In place of kafka_probe.c: partition n of any topic is as its row says. */
static struct {
	pthread_mutex_t lock;
	int open_err;
	bool held; /* reading does not end */
	unsigned int opens, reads, peeks;
	size_t widest; /* most peeks in one read */
	struct kafka_peek rows[8];
	int64_t stable;
	int stable_err;
	unsigned int stables;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

int kafka_probe_open(const struct kafka_property *props, size_t count, int64_t max_bytes,
		     char why[static 512], struct kafka_probe **ret_p)
{
	assert_int_equal(count, 1);
	assert_string_equal(props[0].name, "bootstrap.servers");
	assert_int_equal(max_bytes, 1 << 20);
	pthread_mutex_lock(&fake.lock);
	fake.opens++;
	int err = fake.open_err;
	pthread_mutex_unlock(&fake.lock);
	if (err == ERR_OK)
		*ret_p = calloc(1, 1);
	else
		snprintf(why, 512, "no");
	return err;
}

void kafka_probe_close(struct kafka_probe **p)
{
	free(*p);
	*p = NULL;
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static bool is_held(void)
{
	pthread_mutex_lock(&fake.lock);
	bool held = fake.held;
	pthread_mutex_unlock(&fake.lock);
	return held;
}

void kafka_probe_read(struct kafka_probe *p, struct kafka_peek *peeks, size_t count, int timeout_ms,
		      const atomic_bool *stop)
{
	(void)p;
	assert_true(timeout_ms > 0 && timeout_ms <= 3000);
	while (is_held() && !atomic_load(stop))
		nap();
	pthread_mutex_lock(&fake.lock);
	fake.reads++;
	fake.peeks += (unsigned int)count;
	fake.widest = MAX(fake.widest, count);
	for (size_t i = 0; i < count; i++) {
		const struct kafka_peek *row = &fake.rows[peeks[i].partition];

		peeks[i].found = row->found;
		peeks[i].at = row->at;
		peeks[i].time_ms = row->time_ms;
		peeks[i].err = row->err;
	}
	pthread_mutex_unlock(&fake.lock);
}

void kafka_probe_stable(struct kafka_probe *p, struct kafka_range *ranges, size_t count,
			int timeout_ms)
{
	(void)p;
	assert_true(timeout_ms <= 1000);
	fake.stables += (unsigned int)count;
	for (size_t i = 0; i < count; i++) {
		ranges[i].end = fake.stable;
		ranges[i].err = fake.stable_err;
	}
}

struct fixture {
	struct agent_cluster conf;
	struct conf_pair pair;
	struct probe *p;
	struct probe_answer answers[LIMIT];
};

static void start(struct fixture *f, bool enabled)
{
	f->conf.probe = (struct agent_probe){enabled, LIMIT, 1 << 20};
	f->p = probe_new(&f->conf);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	static char name[] = "c", key[] = "bootstrap.servers", value[] = "k:9092";

	log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
	fake.open_err = ERR_OK;
	fake.held = false;
	fake.opens = fake.reads = fake.peeks = fake.stables = 0;
	fake.widest = 0;
	fake.stable_err = ERR_OK;
	memset(fake.rows, 0, sizeof(fake.rows));
	f->pair = (struct conf_pair){.key = key, .value = value};
	f->conf = (struct agent_cluster){.name = name, .kafka = {.pairs = &f->pair, .count = 1}};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	probe_ask_stop(f->p);
	assert_true(probe_join(&f->p, 5000));
	assert_null(f->p);
	free(f);
	return 0;
}

static void ask_at(struct fixture *f, const char *topic, int32_t partition, int64_t offset)
{
	const struct wire_probe q = {topic, partition, offset, END};

	probe_ask(f->p, &q, 1);
}

static void ask(struct fixture *f, const char *topic, int32_t partition)
{
	ask_at(f, topic, partition, 90);
}

/* Wait for so many answers; less after a second. */
static size_t answers(struct fixture *f, size_t want)
{
	size_t count = 0;

	for (int i = 0; i < 1000 && count < want; i++) {
		count += probe_take(f->p, f->answers + count, LIMIT - count);
		nap();
	}
	return count;
}

static unsigned int reads(void)
{
	pthread_mutex_lock(&fake.lock);
	unsigned int n = fake.reads;
	pthread_mutex_unlock(&fake.lock);
	return n;
}

static void wait_for_reads(unsigned int want)
{
	for (int i = 0; i < 1000 && reads() < want; i++)
		nap();
	assert_int_equal(reads(), want);
}

static void answer_is(const struct probe_answer *a, enum wire_probe_answer answer, int64_t end,
		      int64_t time_ms)
{
	assert_string_equal(a->topic, "t");
	assert_int_equal(a->offset, 90);
	assert_int_equal(a->answer, answer);
	assert_int_equal(a->end, end);
	assert_int_equal(a->time_ms, time_ms);
}

/* --- answers --- */

static void what_is_found_is_told_with_what_was_asked(void **state)
{
	static const struct {
		struct kafka_peek found;
		enum wire_probe_answer answer;
		int64_t end, time_ms;
	} rows[] = {
		{{.found = true, .at = 95, .time_ms = 7000}, WIRE_PROBE_RECORD, END, 7000},
		{{.found = true, .at = 90, .time_ms = -1}, WIRE_PROBE_RECORD, END, WIRE_UNKNOWN},
		/* A record that came later says nothing of those before the end, and no other does.
		 */
		{{.found = true, .at = END, .time_ms = 7000},
		 WIRE_PROBE_NOTHING,
		 END,
		 WIRE_UNKNOWN},
		{{.found = true, .at = 130, .time_ms = 7000},
		 WIRE_PROBE_NOTHING,
		 130,
		 WIRE_UNKNOWN},
		{{.at = END, .time_ms = -1}, WIRE_PROBE_NOTHING, END, WIRE_UNKNOWN},
		{{.at = 120, .time_ms = -1}, WIRE_PROBE_NOTHING, 120, WIRE_UNKNOWN},
		{{.at = 93, .time_ms = -1}, WIRE_PROBE_NOTHING, 93, WIRE_UNKNOWN},
		{{.at = -1, .time_ms = -1, .err = -EACCES}, WIRE_PROBE_UNKNOWN, END, WIRE_UNKNOWN},
	};
	struct fixture *f = *state;

	start(f, true);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fake.rows[2] = rows[i].found;
		ask(f, "t", 2);
		assert_int_equal(answers(f, 1), 1);
		answer_is(&f->answers[0], rows[i].answer, rows[i].end, rows[i].time_ms);
		assert_int_equal(f->answers[0].partition, 2);
	}
}

static void without_an_answer_it_may_be_asked_again(void **state)
{
	static const int errors[] = {ERR_TIMEOUT, ERR_BROKER, ERR_NOT_FOUND};
	struct fixture *f = *state;

	start(f, true);
	for (unsigned int i = 0; i < ARRAY_LEN(errors); i++) {
		fake.rows[0] = (struct kafka_peek){.err = errors[i]};
		ask(f, "t", 0);
		wait_for_reads(i + 1);
		nap();
		assert_int_equal(probe_take(f->p, f->answers, LIMIT), 0);
	}
	fake.rows[0] = (struct kafka_peek){.found = true, .at = 90, .time_ms = 5};
	ask(f, "t", 0);
	assert_int_equal(answers(f, 1), 1);
	assert_int_equal(fake.opens, 1);
}

static void a_topic_that_may_not_be_read_is_read_no_more(void **state)
{
	struct fixture *f = *state;

	start(f, true);
	fake.rows[0].err = -EACCES;
	fake.rows[1] = (struct kafka_peek){.found = true, .at = 90, .time_ms = 5};
	ask(f, "t", 0);
	assert_int_equal(answers(f, 1), 1);
	ask(f, "t", 0);
	ask(f, "t", 1);
	assert_int_equal(answers(f, 2), 2);
	assert_int_equal(f->answers[0].answer, WIRE_PROBE_UNKNOWN);
	assert_int_equal(f->answers[1].answer, WIRE_PROBE_UNKNOWN);
	assert_int_equal(reads(), 1);
	ask(f, "other", 1);
	assert_int_equal(answers(f, 1), 1);
	assert_int_equal(f->answers[0].answer, WIRE_PROBE_RECORD);
}

static void what_cannot_be_opened_is_tried_again(void **state)
{
	struct fixture *f = *state;

	start(f, true);
	fake.rows[0] = (struct kafka_peek){.at = END};
	pthread_mutex_lock(&fake.lock);
	fake.open_err = ERR_CONFIG;
	pthread_mutex_unlock(&fake.lock);
	ask(f, "t", 0);
	assert_int_equal(answers(f, 1), 0);
	pthread_mutex_lock(&fake.lock);
	fake.open_err = ERR_OK;
	pthread_mutex_unlock(&fake.lock);
	ask(f, "t", 0);
	assert_int_equal(answers(f, 1), 1);
	assert_int_equal(fake.opens, 2);
}

/* --- how much --- */

static void no_more_is_read_in_a_pass_than_allowed(void **state)
{
	struct fixture *f = *state;

	start(f, true);
	assert_int_equal(probe_limit(f->p), LIMIT);
	for (int32_t i = 0; i < 8; i++) {
		fake.rows[i].at = END;
		ask(f, "t", i);
	}
	assert_int_equal(answers(f, LIMIT), LIMIT);
	assert_int_equal(fake.peeks, LIMIT);
	assert_int_equal(probe_take(f->p, f->answers, LIMIT), 0);
	ask(f, "t", 7);
	assert_int_equal(answers(f, 1), 1);
}

static void a_question_asked_twice_is_read_once(void **state)
{
	struct fixture *f = *state;

	start(f, true);
	fake.rows[0].at = END;
	fake.held = true;
	ask(f, "t", 0);
	ask(f, "t", 0);
	ask_at(f, "t", 0, 80);
	pthread_mutex_lock(&fake.lock);
	fake.held = false;
	pthread_mutex_unlock(&fake.lock);
	assert_int_equal(answers(f, 2), 2);
	ask(f, "t", 0);
	assert_int_equal(answers(f, 1), 1);
	assert_int_equal(fake.peeks, 3);
}

static void offsets_of_one_partition_are_read_one_after_the_other(void **state)
{
	struct fixture *f = *state;
	const struct wire_probe questions[] = {
		{"t", 0, 90, END}, {"t", 0, 91, END}, {"t", 0, 92, END}, {"u", 0, 90, END}};

	start(f, true);
	fake.rows[0].at = END;
	probe_ask(f->p, questions, ARRAY_LEN(questions));
	assert_int_equal(answers(f, 4), 4);
	assert_int_equal(fake.reads, 3);
	assert_int_equal(fake.widest, 2);
}

static void switched_off_it_takes_no_questions(void **state)
{
	struct fixture *f = *state;

	start(f, false);
	assert_int_equal(probe_limit(f->p), 0);
	ask(f, "t", 0);
	assert_int_equal(probe_take(f->p, f->answers, 0), 0);
	assert_int_equal(fake.opens, 0);
}

static void it_ends_while_it_reads(void **state)
{
	struct fixture *f = *state;

	start(f, true);
	fake.held = true;
	ask(f, "t", 0);
	nap();
}

/* --- open transactions --- */

static void feed_logs(struct topics *t, int64_t end)
{
	for (int32_t p = 0; p < t->items[0].log_count; p++)
		t->items[0].logs[p].end = end;
}

static void the_stable_offset_is_told_while_a_transaction_is_open(void **state)
{
	struct fixture *f = *state;
	struct kafka_partition partitions[2] = {{1}, {1}};
	char name[] = "t";
	struct kafka_topic topic = {.name = name, .partitions = partitions, .partition_count = 2};
	struct kafka_topics listed = {.topics = &topic, .count = 1};
	struct topics t;

	start(f, true);
	topics_init(&t, NULL);
	topics_update(&t, &listed);
	feed_logs(&t, END);
	probe_stable(f->p, &t, 5000);
	assert_int_equal(fake.stables, 0);

	fake.rows[1] = (struct kafka_peek){.at = 93, .time_ms = -1};
	ask(f, "t", 1);
	assert_int_equal(answers(f, 1), 1);
	fake.stable = 93;
	probe_stable(f->p, &t, 5000);
	assert_int_equal(fake.stables, 1);
	assert_int_equal(t.items[0].logs[1].stable, 93);
	assert_int_equal(t.items[0].logs[0].stable, WIRE_UNKNOWN);

	fake.stable_err = ERR_TIMEOUT; /* no answer: it stays as it was */
	probe_stable(f->p, &t, 5000);
	assert_int_equal(t.items[0].logs[1].stable, 93);
	fake.stable_err = ERR_OK;
	fake.stable = END + 1;
	probe_stable(f->p, &t, 5000);
	assert_int_equal(t.items[0].logs[1].stable, END + 1);

	listed.count = 0; /* the topic is deleted: nothing is asked any more */
	topics_update(&t, &listed);
	probe_stable(f->p, &t, 5000);
	fake.stables = 0;
	probe_stable(f->p, &t, 5000);
	assert_int_equal(fake.stables, 0);
	topics_free(&t);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_found_is_told_with_what_was_asked),
		TEST(without_an_answer_it_may_be_asked_again),
		TEST(a_topic_that_may_not_be_read_is_read_no_more),
		TEST(what_cannot_be_opened_is_tried_again),
		TEST(no_more_is_read_in_a_pass_than_allowed),
		TEST(a_question_asked_twice_is_read_once),
		TEST(offsets_of_one_partition_are_read_one_after_the_other),
		TEST(switched_off_it_takes_no_questions),
		TEST(it_ends_while_it_reads),
		TEST(the_stable_offset_is_told_while_a_transaction_is_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
