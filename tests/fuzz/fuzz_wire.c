/* SPDX-License-Identifier: Apache-2.0 */
/* Input: one byte, which says what kind of message, then its body. What is decoded is encoded and
 * decoded once more: both must go well, and encoding reads every byte the message points to, so
 * that a sanitizer sees a bad pointer. */
#include "proto/wire.h"

#include <assert.h>

#include "common/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_hello(const uint8_t *data, size_t size, struct arena *a, struct buf *b)
{
	struct wire_hello m;

	if (wire_get_hello(data, size, a, &m) != ERR_OK)
		return;
	wire_put_hello(b, &m);
	int err = wire_get_hello((const uint8_t *)b->data, b->size, a, &m);
	assert(err == ERR_OK);
}

static void try_welcome(const uint8_t *data, size_t size, struct arena *a, struct buf *b)
{
	struct wire_welcome m;

	if (wire_get_welcome(data, size, a, &m) != ERR_OK)
		return;
	wire_put_welcome(b, &m);
	int err = wire_get_welcome((const uint8_t *)b->data, b->size, a, &m);
	assert(err == ERR_OK);
}

static void try_ack(const uint8_t *data, size_t size, struct arena *a, struct buf *b)
{
	struct wire_ack m;

	if (wire_get_ack(data, size, a, &m) != ERR_OK)
		return;
	wire_put_ack(b, &m);
	int err = wire_get_ack((const uint8_t *)b->data, b->size, a, &m);
	assert(err == ERR_OK);
}

static void try_batch(const uint8_t *data, size_t size, struct arena *a, struct buf *b)
{
	struct wire_batch m, again;

	if (wire_get_batch(data, size, a, &m) != ERR_OK)
		return;
	wire_put_batch(b, &m);
	int err = wire_get_batch((const uint8_t *)b->data, b->size, a, &again);
	assert(err == ERR_OK);
	assert(again.log_count == m.log_count && again.commit_count == m.commit_count);
	assert(again.probe_count == m.probe_count);
	for (size_t i = 0; i < m.probe_count; i++)
		assert(again.probes[i].time_ms == m.probes[i].time_ms);
	for (size_t i = 0; i < m.log_count; i++)
		assert(again.logs[i].stable == m.logs[i].stable);
	for (size_t i = 0; i < m.commit_count; i++)
		assert(again.commits[i].time_ms == m.commits[i].time_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const try[])(const uint8_t *, size_t, struct arena *,
				   struct buf *) = {try_hello, try_welcome, try_ack, try_batch};
	static struct arena a;
	CLEANUP(buf_free) struct buf b = {0};

	if (size == 0)
		return 0;
	if (a.base == NULL)
		arena_init(&a, WIRE_ARENA_BYTES);
	arena_reset(&a);
	try[data[0] % ARRAY_LEN(try)](data + 1, size - 1, &a, &b);
	return 0;
}
