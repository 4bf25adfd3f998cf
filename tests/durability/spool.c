/* SPDX-License-Identifier: Apache-2.0 */

/*
 * spool - an agent's state without an agent.
 *
 *	spool write DIR COUNT   COUNT transactions of records and batches, acknowledgements between;
 *	                        each that is durable is marked in the oplog
 *	spool verify DIR        whether what is there can be; prints "ok NEXT FLOOR"
 *	spool show DIR          prints "epoch E next N floor F dropped D batches B"
 *
 * Transaction n appends one or two batches, writes a record that says n, and rewrites one of a
 * hundred others; a target has what is 40 batches old. So all that is found must agree on one n.
 */

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state/state.h"
#include "common/err.h"

#define RECORDS 100
#define BEHIND 40

/* There only when the oplog is preloaded. */
static void mark(uint64_t number)
{
	static void (*oplog_mark)(uint64_t);

	if (oplog_mark == NULL)
		*(void **)(void *)&oplog_mark = dlsym(RTLD_DEFAULT, "oplog_mark");
	if (oplog_mark != NULL)
		oplog_mark(number);
}

static struct state *open_state(const char *dir)
{
	static const char *const TARGETS[] = {"tcp://127.0.0.1:1"};
	const struct state_options o = {.spool_bytes = 64 << 20,
					.spool_age_ms = 86400000,
					.targets = TARGETS,
					.target_count = 1};
	struct state *st = NULL;
	char why[512];

	if (state_open(dir, &o, why, &st) != ERR_OK) {
		printf("cannot open: %s\n", why);
		exit(1);
	}
	return st;
}

/* Batch of a number: its number, and a length that follows from it. */
static size_t body_of(uint64_t seq, uint8_t body[static 8192])
{
	size_t size = 100 + seq * 7919 % 8000;

	memset(body, (int)(seq & 0xff), size);
	memcpy(body, &seq, sizeof(seq));
	return size;
}

static void write_one(struct state *st, uint64_t n)
{
	struct state_spool spool;
	struct state_txn t = state_begin(st);
	uint8_t body[8192];

	for (uint64_t i = 0; i < 1 + n % 2; i++)
		state_append(&t, body, body_of(t.next, body));
	state_put(&t, STATE_PASS, (struct state_key){.cluster = 1}, &n, sizeof(n));
	state_put(&t, STATE_COMMIT, (struct state_key){1, 1, 1, (uint32_t)(n % RECORDS)}, &n,
		  sizeof(n));
	if (state_commit(&t) != ERR_OK)
		exit(1);
	mark(n);
	state_spool(st, &spool);
	if (spool.next_seq > BEHIND)
		state_acked(st, 0, spool.epoch, spool.next_seq - BEHIND);
}

static int get_number(void *arg, struct state_key k, const uint8_t *data, size_t size)
{
	uint64_t *numbers = arg;

	if (size != sizeof(*numbers) || k.c >= RECORDS)
		return ERR_MALFORMED;
	memcpy(&numbers[k.c], data, size);
	return ERR_OK;
}

static int wrong(const char *what, uint64_t number)
{
	printf("wrong: %s %" PRIu64 "\n", what, number);
	return 1;
}

/* Every record must be the last that transactions up to n have written. */
static int verify_records(struct state *st, uint64_t n)
{
	uint64_t numbers[RECORDS] = {0};

	if (state_walk(st, STATE_COMMIT, 1, get_number, numbers) != ERR_OK)
		return wrong("records cannot be read", 0);
	for (uint64_t i = 0; i < RECORDS; i++) {
		uint64_t last = n < i ? 0 : n - (n - i) % RECORDS;

		if (numbers[i] != last)
			return wrong("record", i);
	}
	return 0;
}

static int verify_batches(struct state *st, const struct state_spool *s)
{
	uint8_t expected[8192];

	for (uint64_t seq = s->floor_seq; seq < s->next_seq; seq++) {
		uint64_t found = 0;
		uint8_t *body = NULL;
		size_t size = 0;

		if (state_fetch(st, s->epoch, seq, &found, &body, &size) != ERR_OK || found != seq)
			return wrong("batch is missing:", seq);
		if (size != body_of(seq, expected) || memcmp(body, expected, size) != 0)
			return wrong("batch is damaged:", seq);
		free(body);
	}
	return 0;
}

static int verify(const char *dir)
{
	struct state *st = open_state(dir);
	struct state_spool s;
	uint64_t numbers[RECORDS] = {0};

	state_spool(st, &s);
	if (state_walk(st, STATE_PASS, 1, get_number, numbers) != ERR_OK)
		return wrong("the number cannot be read", 0);
	uint64_t n = numbers[0];
	uint64_t next = 1 + n + (n + 1) / 2;
	if (s.next_seq != next)
		return wrong("next batch", s.next_seq);
	/* Up to one transaction's acknowledgement is saved with the next. */
	if (s.dropped != 0 || s.floor_seq + BEHIND + 4 < s.next_seq)
		return wrong("floor", s.floor_seq);
	int rc = verify_records(st, n);
	if (rc == 0)
		rc = verify_batches(st, &s);
	if (rc == 0)
		printf("ok %" PRIu64 " %" PRIu64 "\n", n, s.floor_seq);
	state_close(&st);
	return rc;
}

static int show(const char *dir)
{
	struct state *st = open_state(dir);
	struct state_spool s;

	state_spool(st, &s);
	printf("epoch %016" PRIx64 " next %" PRIu64 " floor %" PRIu64 " dropped %" PRIu64
	       " batches %" PRIu64 "\n",
	       s.epoch, s.next_seq, s.floor_seq, s.dropped, s.batches);
	state_close(&st);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "write") == 0) {
		struct state *st = open_state(argv[2]);

		for (uint64_t n = 1; n <= strtoull(argv[3], NULL, 10); n++)
			write_one(st, n);
		state_close(&st);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "verify") == 0)
		return verify(argv[2]);
	if (argc == 3 && strcmp(argv[1], "show") == 0)
		return show(argv[2]);
	fputs("usage: spool write DIR COUNT | verify DIR | show DIR\n", stderr);
	return 2;
}
