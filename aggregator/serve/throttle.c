/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/throttle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/mac.h"

#define SETS 1024 /* a power of two */
#define WAYS 4

struct entry {
	uint8_t key[THROTTLE_ADDRESS];
	int64_t since_ms;  /* of the first failure in the window */
	uint32_t failures; /* 0: empty */
};

struct throttle {
	pthread_mutex_t mtx;
	struct entry sets[SETS][WAYS]; /* under mtx */
	struct mac_key seed;           /* so that nobody can tell which addresses share a set */
};

struct throttle *throttle_new(void)
{
	struct throttle *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	pthread_mutex_init(&t->mtx, NULL);
	mac_random(&t->seed);
	return t;
}

void throttle_free(struct throttle **t)
{
	struct throttle *gone = *t;

	*t = NULL;
	if (gone == NULL)
		return;
	pthread_mutex_destroy(&gone->mtx);
	free(gone);
}

static void key_of(const uint8_t from[static THROTTLE_ADDRESS], uint8_t key[THROTTLE_ADDRESS])
{
	static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(key, from, THROTTLE_ADDRESS);
	if (memcmp(from, MAPPED, sizeof(MAPPED)) != 0)
		memset(key + 8, 0, 8);
}

static struct entry *set_of(struct throttle *t, const uint8_t key[THROTTLE_ADDRESS])
{
	uint64_t hash = 0;

	memcpy(&hash, t->seed.bytes, sizeof(hash));
	for (size_t i = 0; i < THROTTLE_ADDRESS; i++)
		hash = (hash ^ key[i]) * 0x9e3779b97f4a7c15u;
	return t->sets[(hash >> 32) % SETS];
}

static bool over(const struct entry *e, int64_t now_ms)
{
	return e->failures == 0 || now_ms - e->since_ms >= THROTTLE_WINDOW_MS;
}

/* The entry of a key; NULL: there is none. Under mtx. */
static struct entry *find(struct throttle *t, const uint8_t key[THROTTLE_ADDRESS], int64_t now_ms)
{
	struct entry *set = set_of(t, key);

	for (size_t i = 0; i < WAYS; i++) {
		if (!over(&set[i], now_ms) && memcmp(set[i].key, key, THROTTLE_ADDRESS) == 0)
			return &set[i];
	}
	return NULL;
}

/* A fresh entry, in the place of the one whose window is the oldest. Under mtx. */
static struct entry *take(struct throttle *t, const uint8_t key[THROTTLE_ADDRESS], int64_t now_ms)
{
	struct entry *set = set_of(t, key);
	struct entry *oldest = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].failures == 0) {
			oldest = &set[i];
			break;
		}
		if (set[i].since_ms < oldest->since_ms)
			oldest = &set[i];
	}
	*oldest = (struct entry){.since_ms = now_ms};
	memcpy(oldest->key, key, THROTTLE_ADDRESS);
	return oldest;
}

int64_t throttle_blocked_ms(struct throttle *t, const uint8_t from[static THROTTLE_ADDRESS],
			    int64_t now_ms)
{
	uint8_t key[THROTTLE_ADDRESS];
	int64_t left_ms = 0;

	key_of(from, key);
	pthread_mutex_lock(&t->mtx);
	const struct entry *e = find(t, key, now_ms);
	if (e != NULL && e->failures >= THROTTLE_FAILURES)
		left_ms = e->since_ms + THROTTLE_WINDOW_MS - now_ms;
	pthread_mutex_unlock(&t->mtx);
	return left_ms;
}

enum throttle_change throttle_failed(struct throttle *t,
				     const uint8_t from[static THROTTLE_ADDRESS], int64_t now_ms)
{
	uint8_t key[THROTTLE_ADDRESS];

	key_of(from, key);
	pthread_mutex_lock(&t->mtx);
	struct entry *e = find(t, key, now_ms);
	if (e == NULL)
		e = take(t, key, now_ms);
	uint32_t failures = e->failures < UINT32_MAX ? ++e->failures : e->failures;
	pthread_mutex_unlock(&t->mtx);
	if (failures == 1)
		return THROTTLE_FIRST;
	return failures == THROTTLE_FAILURES ? THROTTLE_BLOCKED : THROTTLE_SAME;
}
