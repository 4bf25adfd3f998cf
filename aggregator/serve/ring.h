/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ring - the events that a stream has told of lately, numbered from 1 on, for readers that are at
 * different places of it. Bounded in number and bytes: the oldest go first. No lock, no clock.
 */

#include "common/base.h"

#define RING_EVENTS 32768
#define RING_BYTES ((size_t)8 << 20) /* of all events, their names included */

struct ring_event {
	const char *environment, *cluster;
	const char *group; /* "": it is of the cluster */
	const char *text;  /* as it is sent; NULL: a later event stands in its place */
	size_t size;       /* of text */
	int64_t at_ms;     /* what it tells of happened then */
};

struct ring;

/* Never NULL. */
struct ring *ring_new(void);
void ring_free(struct ring **r);

/* The number of the oldest event there is, and of the next that will be. */
uint64_t ring_first(const struct ring *r);
uint64_t ring_end(const struct ring *r);

/* Borrowed until the next ring_add(). */
const struct ring_event *ring_at(const struct ring *r, uint64_t number);

/* Copies all of it. Returns its number. */
uint64_t ring_add(struct ring *r, const struct ring_event *e);

/* As well, for an event that makes the one before of the same kind worthless: of each cluster only
 * the latest such is kept. */
uint64_t ring_replace(struct ring *r, uint32_t cluster_id, const struct ring_event *e);

/* Nothing from before since_ms will be found in it. */
void ring_begin_at(struct ring *r, int64_t since_ms);

/* Where one goes on who knows of all that happened up to told_ms: *ret_number, before which nothing
 * is newer. False: some of what he does not know is no longer there. */
bool ring_find(const struct ring *r, int64_t told_ms, uint64_t *ret_number);
