/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * mock - one small Kafka cluster inside this process, on ports of the loopback interface.
 *
 * librdkafka's mock brokers with a producer for them; the demo's only user of librdkafka. The
 * mock keeps at most 5 MiB of a partition and moves its log start past what it forgets. Not
 * thread safe: one thread owns a struct mock.
 */

#include "common/base.h"

struct mock;

/* Start brokers (1 to 3) and the producer. On failure why holds the library's words. Caller owns
 * *ret_m. */
MUST_CHECK int mock_open(int brokers, char why[static 256], struct mock **ret_m);
void mock_close(struct mock **m);

/* "host:port,..." of all brokers. Borrowed: valid until mock_close(). */
const char *mock_bootstrap(const struct mock *m);

MUST_CHECK int mock_add_topic(struct mock *m, const char *name, int32_t partitions);

struct mock_record {
	const char *topic;
	int32_t partition;
	const void *key; /* NULL: none */
	size_t key_size;
	const void *value;
	size_t value_size;
};

/* Queue one record; its bytes are copied. Once the broker has it, mock_poll() sets *ret_end, which
 * must live until mock_close(), to the log end offset behind it; NULL when that is of no interest.
 */
MUST_CHECK int mock_send(struct mock *m, const struct mock_record *r, int64_t *ret_end);

/* Note what the brokers have acknowledged. Never waits. */
void mock_poll(struct mock *m);
