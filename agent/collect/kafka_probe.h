/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * kafka_probe - single records of a cluster, and last stable offsets: what is asked of few
 * partitions only. Connections of its own, so that it never holds up the passes.
 *
 * One thread may read while another asks for stable offsets. Belongs to no group and commits
 * nothing; needs READ on the topics.
 */

#include <stdatomic.h>

#include "agent/collect/kafka.h"

struct kafka_probe;

/* Connects lazily, like kafka_open(). max_bytes: what one fetch of a partition may bring; a single
 * batch that is larger comes as a whole. Caller owns *ret_p. */
MUST_CHECK int kafka_probe_open(const struct kafka_property *props, size_t count, int64_t max_bytes,
				char why[static 512], struct kafka_probe **ret_p);

/* Accepts a pointer to NULL. */
void kafka_probe_close(struct kafka_probe **p);

struct kafka_peek {
	const char *topic; /* in: borrowed */
	int32_t partition; /* in */
	int64_t offset;    /* in */
	bool found;        /* out: there is a data record at offset or after it */
	int64_t at;        /* out: its offset; else up to where there is none */
	int64_t time_ms;   /* out: its timestamp, some host's clock; -1: it has none */
	int err;           /* out: ERR_OK, ERR_TIMEOUT, -EACCES, ERR_NOT_FOUND or ERR_BROKER */
};

/* Read the first record of each, committed transactions only, all side by side. No topic partition
 * may be there twice. Ends early when *stop becomes true. */
void kafka_probe_read(struct kafka_probe *p, struct kafka_peek *peeks, size_t count, int timeout_ms,
		      const atomic_bool *stop);

/* The last stable offset of each range, in end; start is left alone, leader is not looked at. */
void kafka_probe_stable(struct kafka_probe *p, struct kafka_range *ranges, size_t count,
			int timeout_ms);
