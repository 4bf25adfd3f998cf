/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mark - linked into an aggregator with --wrap=ingest_link_reply: before an acknowledgement is
 * handed to the network, its number is marked in the oplog. What is marked must survive.
 */

#include <dlfcn.h>

#include "aggregator/ingest/link.h"
#include "common/arena.h"
#include "common/err.h"
#include "proto/frame.h"
#include "proto/wire.h"

/* There only when the oplog is preloaded. */
static void mark(uint64_t number)
{
	static void (*oplog_mark)(uint64_t);

	if (oplog_mark == NULL)
		*(void **)(void *)&oplog_mark = dlsym(RTLD_DEFAULT, "oplog_mark");
	if (oplog_mark != NULL)
		oplog_mark(number);
}

void __real_ingest_link_reply(struct ingest_message *m, const void *reply, size_t size);
void __wrap_ingest_link_reply(struct ingest_message *m, const void *reply, size_t size);

void __wrap_ingest_link_reply(struct ingest_message *m, const void *reply, size_t size)
{
	static _Thread_local struct arena arena;
	struct frame f;
	struct wire_ack ack;

	if (arena.size == 0)
		arena_init(&arena, 1 << 20);
	arena_reset(&arena);
	if (frame_get(reply, size, WIRE_BODY_MAX, &arena, &f) == ERR_OK && f.type == FRAME_ACK &&
	    wire_get_ack(f.body, f.size, &arena, &ack) == ERR_OK && ack.code == WIRE_OK)
		mark(ack.applied_seq);
	__real_ingest_link_reply(m, reply, size);
}
