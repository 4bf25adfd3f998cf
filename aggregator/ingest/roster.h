/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * roster - the agents that have said hello since the start, and how each of them fares.
 *
 * Written by the writer's thread, read by any. Kept in memory only: what must last is in the
 * sessions and origins of the store.
 */

#include "common/base.h"
#include "proto/wire.h"

#define ROSTER_SKEWS 8

struct roster_agent {
	char name[WIRE_LABEL_MAX + 1];
	char software[32];
	uint64_t config_hash; /* 0: not told */
	uint64_t session;
	int64_t connected_ms; /* its last hello; as all times here by this machine's wall clock */
	int64_t seen_ms;      /* its last message */
	uint64_t hellos;
	uint64_t batches, duplicates, rejected; /* since the start of this program */
	uint64_t spool_batches, spool_bytes;    /* when it sent its last batch */
	int64_t spool_age_ms; /* of the pass in that batch, when it was sent; -1: not known */

	/* By how much its clock was ahead of ours when its last batches came, the way not counted;
	 * a batch that was long under way makes this too small, so the greatest is the best. */
	int64_t skews_ms[ROSTER_SKEWS];
	unsigned skew_count;
};

struct roster;

/* Aborts when there is no memory. */
struct roster *roster_new(void);
void roster_free(struct roster **r);

/* A hello that was welcome. */
void roster_hello(struct roster *r, const struct wire_hello *h, uint64_t session, int64_t now_ms);

/* A batch came. received_ms: when it was here. */
enum roster_batch { ROSTER_APPLIED, ROSTER_DUPLICATE, ROSTER_REJECTED };
void roster_batch(struct roster *r, const struct wire_batch *b, int64_t received_ms,
		  enum roster_batch what);

/* How far its clock is ahead; false: not known. */
bool roster_skew(const struct roster_agent *a, int64_t *ret_skew_ms);

/* Call emit for a copy of each, in order of names. */
void roster_each(struct roster *r, void (*emit)(void *arg, const struct roster_agent *a),
		 void *arg);
