/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * shipper_fixture - a shipper with a spool, and in place of link.c a connection to an aggregator
 * that lives in this file. It answers in the order the test has set, and keeps account of what it
 * was sent.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "agent/ship/link.h"
#include "agent/ship/shipper.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "temp.h"

#define APPLIED_MAX 1000

struct link {
	pthread_mutex_t lock;
	bool busy[LINK_SLOTS];
	uint8_t *request[LINK_SLOTS];
	size_t size[LINK_SLOTS];
	bool woken;
};

/* The aggregator. */
static struct {
	bool up, told_up;
	bool hello_seen;
	enum wire_code hello_code;
	uint64_t applied; /* answered in a welcome */
	uint32_t credit;
	int retries;     /* batches to be answered RETRY first */
	uint64_t reject; /* this number is rejected */
	bool newest_first;
	bool silent; /* answers nothing */
	bool asks;   /* for a probe with every ack */
	unsigned int asked;

	bool challenging; /* wants proof by key */
	struct mac_key key;
	uint8_t challenge[MAC_SIZE];
	unsigned int challenges;
	unsigned int unproved; /* batches without the right code */
	unsigned int renewed;
	unsigned int renewed_flying;

	struct wire_hello last_hello;
	uint64_t hello_epoch;
	unsigned int hellos;
	unsigned int flying_max;
	unsigned int duplicates;
	uint64_t last_epoch;
	int got[APPLIED_MAX]; /* how often each number came and was taken */
	uint64_t count;       /* numbers taken */
	struct arena arena;
	struct buf reply;
} peer;

static pthread_mutex_t peer_lock = PTHREAD_MUTEX_INITIALIZER;

int link_open(const char *url, struct link_times times, const struct link_tls *tls,
	      struct link **ret_link)
{
	(void)times;
	(void)tls;
	if (strncmp(url, "tcp://", 6) != 0)
		return ERR_CONFIG;
	*ret_link = calloc(1, sizeof(**ret_link));
	return ERR_OK;
}

int link_renew(struct link *l, const struct link_tls *tls)
{
	(void)l;
	assert_non_null(tls->cert);
	assert_string_equal(tls->server_name, "aggregator");
	pthread_mutex_lock(&peer_lock);
	peer.renewed++;
	peer.renewed_flying = 0;
	for (size_t i = 0; i < LINK_SLOTS; i++)
		peer.renewed_flying += l->busy[i];
	pthread_mutex_unlock(&peer_lock);
	return ERR_OK;
}

int link_send(struct link *l, unsigned int slot, const void *msg, size_t size)
{
	unsigned int flying = 0;

	assert_false(l->busy[slot]);
	l->busy[slot] = true;
	l->request[slot] = malloc(size);
	memcpy(l->request[slot], msg, size);
	l->size[slot] = size;
	for (size_t i = 0; i < LINK_SLOTS; i++)
		flying += l->busy[i];
	peer.flying_max = MAX(peer.flying_max, flying);
	return ERR_OK;
}

static inline void answer_hello(const struct frame *f)
{
	struct wire_hello h;

	assert_int_equal(wire_get_hello(f->body, f->size, &peer.arena, &h), ERR_OK);
	peer.hellos++;
	peer.hello_epoch = h.epoch;
	peer.last_hello = h;
	bool proved = h.challenge != NULL && mac_same(h.challenge, peer.challenge) &&
		      frame_proves(f, &peer.key, &(struct frame_context){0});
	CLEANUP(buf_free) struct buf body = {0};
	if (peer.challenging && !proved) {
		peer.challenges++;
		peer.challenge[0]++;
		wire_put_welcome(&body, &(struct wire_welcome){.code = WIRE_CHALLENGE,
							       .challenge = peer.challenge});
		frame_put(&peer.reply, FRAME_WELCOME, body.data, body.size, false);
		return;
	}
	struct wire_welcome w = {.code = peer.hello_code,
				 .reason = "because",
				 .version = 1,
				 .features = WIRE_FEATURES,
				 .session = 77,
				 .applied_seq = peer.applied,
				 .max_batch_bytes = WIRE_BODY_MAX,
				 .credit = peer.credit};
	peer.hello_seen = peer.hello_code == WIRE_OK;
	wire_put_welcome(&body, &w);
	frame_put(&peer.reply, FRAME_WELCOME, body.data, body.size, false);
}

static inline enum wire_code judge(const struct wire_batch *b)
{
	if (!peer.hello_seen)
		return WIRE_NEED_HELLO;
	if (peer.retries > 0) {
		peer.retries--;
		return WIRE_RETRY;
	}
	if (b->seq == peer.reject)
		return WIRE_REJECTED;
	peer.last_epoch = b->epoch;
	peer.duplicates += peer.got[b->seq] > 0;
	peer.count += peer.got[b->seq] == 0;
	return peer.got[b->seq]++ > 0 ? WIRE_DUPLICATE : WIRE_OK;
}

static inline void answer_batch(const struct frame *f)
{
	struct wire_batch b;

	assert_int_equal(wire_get_batch(f->body, f->size, &peer.arena, &b), ERR_OK);
	assert_string_equal(b.agent, "agent-1");
	assert_string_equal(b.cluster, "Seoul-1");
	assert_int_equal(b.instance, 99);
	assert_true(b.seq > 0 && b.seq < APPLIED_MAX);
	assert_true(b.floor_seq <= b.seq);
	const struct frame_context context = {77, b.instance, b.epoch, b.seq};
	assert_int_equal(f->code != NULL, peer.challenging);
	if (peer.challenging)
		peer.unproved += !frame_proves(f, &peer.key, &context);
	static const struct wire_probe probe = {"orders", 3, 90, 100};
	struct wire_ack a = {.code = judge(&b), .seq = b.seq, .retry_ms = 5, .reason = ""};
	if (peer.asks) {
		a.probe_cluster = "Seoul-1";
		a.probe_environment = "PROD";
		a.probes = &probe;
		a.probe_count = 1;
	}
	CLEANUP(buf_free) struct buf body = {0};
	wire_put_ack(&body, &a);
	frame_put(&peer.reply, FRAME_ACK, body.data, body.size, false);
}

static inline void answer(struct link *l, unsigned int slot, struct link_event *ret_event)
{
	struct frame f;

	arena_reset(&peer.arena);
	buf_reset(&peer.reply);
	assert_int_equal(frame_get(l->request[slot], l->size[slot], WIRE_BODY_MAX, &peer.arena, &f),
			 ERR_OK);
	if (f.type == FRAME_HELLO)
		answer_hello(&f);
	else
		answer_batch(&f);
	free(l->request[slot]);
	l->busy[slot] = false;
	*ret_event = (struct link_event){.kind = LINK_REPLY,
					 .slot = slot,
					 .data = (const uint8_t *)peer.reply.data,
					 .size = peer.reply.size};
}

static inline bool next_event(struct link *l, struct link_event *ret_event)
{
	if (peer.up != peer.told_up) {
		peer.told_up = peer.up;
		peer.hello_seen = false;
		ret_event->kind = peer.up ? LINK_UP : LINK_DOWN;
		return true;
	}
	for (unsigned int i = 0; i < LINK_SLOTS && peer.up && !peer.silent; i++) {
		unsigned int slot = peer.newest_first ? LINK_SLOTS - 1 - i : i;
		if (l->busy[slot]) {
			answer(l, slot, ret_event);
			return true;
		}
	}
	return false;
}

static inline void nap(void)
{
	struct timespec t = {.tv_nsec = 1000000};
	nanosleep(&t, NULL);
}

void link_wait(struct link *l, int timeout_ms, struct link_event *ret_event)
{
	int64_t until = clock_mono_ms() + timeout_ms;

	*ret_event = (struct link_event){.kind = LINK_NOTHING};
	do {
		pthread_mutex_lock(&peer_lock);
		bool got = next_event(l, ret_event);
		pthread_mutex_unlock(&peer_lock);
		pthread_mutex_lock(&l->lock);
		bool woken = l->woken;
		l->woken = false;
		pthread_mutex_unlock(&l->lock);
		if (got || woken)
			return;
		nap();
	} while (clock_mono_ms() < until);
}

void link_wake(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	l->woken = true;
	pthread_mutex_unlock(&l->lock);
}

void link_close(struct link *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < LINK_SLOTS; i++) {
		if (l->busy[i])
			free(l->request[i]);
	}
	free(l);
}

/* --- the shipper --- */

static const char *const TARGETS[] = {"tcp://one:1"};
static const char *const CLUSTERS[] = {"Seoul-1"};

struct fixture {
	struct temp temp;
	struct state *st;
	struct shipper *shipper;
	bool probes;
	struct identity identity;
};

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct state_options options = {.spool_bytes = 16 << 20,
					.spool_age_ms = 3600000,
					.targets = TARGETS,
					.target_count = 1};
	char why[512];

	log_set_level(LOG_LEVEL_ERROR);
	f->temp = temp_make();
	assert_int_equal(state_open(f->temp.dir, &options, why, &f->st), ERR_OK);
	memset(&peer, 0, sizeof(peer));
	peer.up = true;
	peer.hello_code = WIRE_OK;
	peer.credit = 4;
	arena_init(&peer.arena, WIRE_ARENA_BYTES);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	shipper_ask_stop(f->shipper, 0);
	assert_true(shipper_join(&f->shipper, 5000));
	state_close(&f->st);
	temp_remove(&f->temp);
	arena_free(&peer.arena);
	buf_free(&peer.reply);
	free(f);
	return 0;
}

static inline void on_probes(void *arg, const struct wire_ack *ack)
{
	assert_ptr_equal(arg, &peer);
	assert_string_equal(ack->probe_cluster, "Seoul-1");
	assert_string_equal(ack->probe_environment, "PROD");
	assert_int_equal(ack->probe_count, 1);
	assert_string_equal(ack->probes[0].topic, "orders");
	assert_int_equal(ack->probes[0].offset, 90);
	pthread_mutex_lock(&peer_lock);
	peer.asked++;
	pthread_mutex_unlock(&peer_lock);
}

static inline void start(struct fixture *f)
{
	struct shipper_options options = {.agent = "agent-1",
					  .address = "tcp://one:1",
					  .clusters = CLUSTERS,
					  .cluster_count = 1,
					  .instance = 99,
					  .server_name = "aggregator",
					  .identity = f->identity,
					  .on_probes = f->probes ? on_probes : NULL,
					  .arg = &peer};

	assert_int_equal(shipper_start(&options, f->st, &f->shipper), ERR_OK);
}

static inline void append(struct fixture *f, int count)
{
	CLEANUP(buf_free) struct buf body = {0};
	struct wire_batch b = {.cluster = "Seoul-1", .pass = 1, .pass_at_ms = 1};

	wire_put_batch(&body, &b);
	for (int i = 0; i < count; i++) {
		struct state_txn t = state_begin(f->st);
		state_append(&t, body.data, body.size);
		assert_int_equal(state_commit(&t), ERR_OK);
	}
}

/* Wait for this many numbers to be taken; false after half a minute. */
static inline bool wait_for(uint64_t count)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&peer_lock);
		bool there = peer.count >= count;
		pthread_mutex_unlock(&peer_lock);
		if (there)
			return true;
		nap();
	}
	return false;
}

static inline unsigned int hellos(void)
{
	pthread_mutex_lock(&peer_lock);
	unsigned int n = peer.hellos;
	pthread_mutex_unlock(&peer_lock);
	return n;
}

static inline bool wait_for_cursor(struct fixture *f, uint64_t seq)
{
	for (int i = 0; i < 20000 && state_cursor(f->st, 0) < seq; i++)
		nap();
	return state_cursor(f->st, 0) == seq;
}

static inline void set_up(bool up)
{
	pthread_mutex_lock(&peer_lock);
	peer.up = up;
	pthread_mutex_unlock(&peer_lock);
}
