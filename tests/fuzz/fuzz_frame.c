/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a message as it comes from the network. */
#include "proto/frame.h"

#include <assert.h>
#include <string.h>

#include "common/err.h"

#define LIMIT 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena a;
	CLEANUP(buf_free) struct buf again = {0};
	struct frame f, g;

	if (a.base == NULL)
		arena_init(&a, 2 * LIMIT + 64);
	arena_reset(&a);
	if (frame_get(data, size, LIMIT, &a, &f) != ERR_OK)
		return 0;
	assert(f.size <= LIMIT);
	assert(!frame_proves(&f, &(struct mac_key){{0}}, &(struct frame_context){0}));
	frame_put(&again, f.type, f.body, f.size, true);
	int err = frame_get((const uint8_t *)again.data, again.size, f.size, &a, &g);
	assert(err == ERR_OK && g.type == f.type && g.size == f.size);
	assert(f.size == 0 || memcmp(f.body, g.body, f.size) == 0);
	return 0;
}
