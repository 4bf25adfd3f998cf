/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/origin.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"

/* The record: version, then the struct as it is. It never leaves the machine that wrote it, and a
 * build with another layout has another size. */
#define VERSION 1

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

void origin_pack(struct buf *out, const struct origin *o)
{
	buf_putc(out, VERSION);
	buf_put(out, o, sizeof(*o));
}

int origin_unpack(const uint8_t *data, size_t size, struct origin *ret_o)
{
	if (size != 1 + sizeof(*ret_o) || data[0] != VERSION)
		return ERR_MALFORMED;
	memcpy(ret_o, data + 1, sizeof(*ret_o));
	return ERR_OK;
}
