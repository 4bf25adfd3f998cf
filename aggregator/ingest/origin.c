/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/origin.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"

/* The record: version, then the struct as it is. It never leaves the machine that wrote it, and a
 * build with another layout has another size. */
#define VERSION 2

/* Which ended before the pass last begun. */
#define VERSION_1 1
#define SIZE_1 offsetof(struct origin, pass)

/* A shift shrinks by this part of the time between two passes: slow enough that no interval looks
 * much shorter than it was. */
#define SHRINK 10

static void set(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

void origin_update(struct origin *o, const struct wire_batch *b, const char *software,
		   int64_t now_ms)
{
	const struct wire_report *r = &b->report;

	set(o->agent, sizeof(o->agent), b->agent);
	set(o->software, sizeof(o->software), software);
	set(o->environment, sizeof(o->environment), b->environment);
	set(o->source, sizeof(o->source), r->source);
	set(o->servers, sizeof(o->servers), r->servers);
	set(o->problem, sizeof(o->problem), r->problem);
	o->state = r->state;
	o->seen_ms = now_ms;
	o->read = r->read;
	o->to_read = r->to_read;
	o->records = r->records;
	o->unknown = r->unknown;
	o->malformed = r->malformed;
	o->log_failed = r->log_failed;
	o->spool_batches = r->spool_batches;
	o->dropped = r->dropped;
	o->reader_lag = r->lag;
}

int64_t origin_pass_ms(struct origin *o, const struct wire_batch *b, int64_t last_ms)
{
	bool is_same = b->pass == o->pass && b->pass_at_ms == o->pass_at_ms;
	bool is_next = b->pass > o->pass;

	if (is_same)
		return b->pass_at_ms + o->shift_ms;
	if (is_next && last_ms != 0 && b->pass_at_ms + o->shift_ms <= last_ms)
		o->shift_ms = last_ms + (int64_t)b->interval_ms - b->pass_at_ms;
	else if (o->shift_ms > 0)
		o->shift_ms -=
			MIN(o->shift_ms, MAX(b->pass_at_ms - o->pass_at_ms, (int64_t)0) / SHRINK);
	if (is_next || b->pass_at_ms + o->shift_ms > last_ms) {
		o->pass = b->pass;
		o->pass_at_ms = b->pass_at_ms;
	}
	return b->pass_at_ms + o->shift_ms;
}

void origin_pack(struct buf *out, const struct origin *o)
{
	buf_putc(out, VERSION);
	buf_put(out, o, sizeof(*o));
}

int origin_unpack(const uint8_t *data, size_t size, struct origin *ret_o)
{
	struct origin o = {.state = 0};
	size_t known = size != 0 && data[0] == VERSION_1 ? SIZE_1 : sizeof(o);

	if (size != 1 + known || data[0] > VERSION)
		return ERR_MALFORMED;
	memcpy(&o, data + 1, known);
	*ret_o = o;
	return ERR_OK;
}
