/* SPDX-License-Identifier: Apache-2.0 */

/* shipper_post - what is under way: framed, sealed, and in a slot of the link. */

#include "agent/ship/shipper_priv.h"

#include <assert.h>

#include "common/err.h"

unsigned int shipper_batches_fly(const struct shipper *s)
{
	unsigned int n = 0;

	for (size_t i = 0; i < LINK_SLOTS; i++)
		n += s->slots[i].load == LOAD_BATCH;
	return n;
}

bool shipper_hello_flies(const struct shipper *s)
{
	for (size_t i = 0; i < LINK_SLOTS; i++) {
		if (s->slots[i].load == LOAD_HELLO)
			return true;
	}
	return false;
}

/* Batches leave one slot free, and there is one hello at a time. */
static unsigned int free_slot(const struct shipper *s)
{
	unsigned int i = 0;

	while (i < LINK_SLOTS && s->slots[i].load != LOAD_NONE)
		i++;
	assert(i < LINK_SLOTS);
	return i;
}

/* Add the code that the aggregator asks for. */
static void seal(struct shipper *s, enum frame_type type, struct slot load)
{
	struct frame_context context = {0};

	if (type == FRAME_BATCH)
		context = (struct frame_context){
			.session = s->session,
			.instance = s->options.instance,
			.epoch = load.epoch,
			.seq = load.seq,
		};
	frame_seal(&s->frame, &s->options.identity.key, &context);
}

bool shipper_post(struct shipper *s, enum frame_type type, struct slot load)
{
	unsigned int slot = free_slot(s);

	buf_reset(&s->frame);
	frame_put(&s->frame, type, s->body.data, s->body.size, s->zstd && type == FRAME_BATCH);
	if (s->challenged && s->frame.err == ERR_OK)
		seal(s, type, load);
	int err = s->body.err != ERR_OK ? s->body.err : s->frame.err;
	if (err == ERR_OK)
		err = link_send(s->link, slot, s->frame.data, s->frame.size);
	if (err == ERR_OK)
		s->slots[slot] = load;
	return err == ERR_OK;
}
