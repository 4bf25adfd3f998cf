/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/deliver.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "aggregator/serve/accept.h"
#include "aggregator/serve/api.h"
#include "aggregator/serve/cache.h"
#include "aggregator/serve/gzip.h"
#include "aggregator/serve/pretty.h"
#include "common/err.h"

#define WORTH_GZIP 1400 /* bytes; less fits a packet as it is */

/* Whoever keeps an answer asks each time whether it is still the same; no proxy keeps it for
 * others. */
#define SHARED_HEADERS                                                                             \
	{"Cache-Control", "private, no-cache"},                                                    \
	{                                                                                          \
		"Vary", "Accept, Accept-Encoding"                                                  \
	}

static const struct response_header PLAIN[] = {SHARED_HEADERS, {NULL, NULL}};
static const struct response_header GZIPPED[] = {
	SHARED_HEADERS, {"Content-Encoding", "gzip"}, {NULL, NULL}};

/* --- tags --- */

uint64_t deliver_mix(uint64_t tag, uint64_t number)
{
	uint64_t x = tag ^ (number + DELIVER_TAG_START + (tag << 6) + (tag >> 2));

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t start_number;

static void choose_start(void)
{
	if (getrandom(&start_number, sizeof(start_number), 0) != sizeof(start_number))
		start_number = 1;
}

/* Serials begin anew with each start of the program, so a tag says of which start it is. */
static uint64_t tag_of_start(uint64_t tag)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, choose_start);
	return deliver_mix(tag, start_number);
}

/* --- forms --- */

/* Whether the client takes gzip: it is named, and not with a weight of 0. */
static bool takes_gzip(const struct request *rq)
{
	return accept_weight(rq->accept_encoding, "gzip") > 0;
}

/* The request as the cache knows it: what is asked for, and in which form. */
struct form {
	char target[REQUEST_TARGET_MAX + 4];
	struct cache_key key;
};

static void set_form(struct form *f, const struct request *rq, uint64_t tag, bool csv)
{
	uint32_t slot = 2166136261u;

	snprintf(f->target, sizeof(f->target), "%c%c%s", csv ? 'c' : 'j',
		 takes_gzip(rq) ? 'z' : '-', rq->target);
	for (const char *at = f->target; *at != '\0'; at++)
		slot = (slot ^ (uint8_t)*at) * 16777619u;
	f->key = (struct cache_key){.serial = tag, .slot = slot, .target = f->target};
}

/* A body that gzip made says so itself, in its first bytes; none of ours begins like that. */
static bool is_gzipped(const struct body *b)
{
	return b->size > 2 && (uint8_t)b->data[0] == 0x1f && (uint8_t)b->data[1] == 0x8b;
}

static void set_type(struct response *rs, bool csv)
{
	rs->type = csv ? "text/csv; charset=utf-8; header=present" : "application/json";
}

bool deliver_known(struct server *s, const struct request *rq, uint64_t tag, bool csv,
		   struct response *rs)
{
	struct form f;

	rs->tag = tag_of_start(tag);
	rs->csv = csv;
	set_form(&f, rq, rs->tag, csv);
	snprintf(rs->etag_text, sizeof(rs->etag_text), "W/\"%016" PRIx64 "\"",
		 deliver_mix(rs->tag, (uint64_t)(uint8_t)f.target[0] << 8 | (uint8_t)f.target[1]));
	rs->etag = rs->etag_text;
	rs->headers = PLAIN;
	if (rq->if_none_match != NULL && (strstr(rq->if_none_match, rs->etag_text + 2) != NULL ||
					  strcmp(rq->if_none_match, "*") == 0)) {
		rs->status = 304;
		return true;
	}
	rs->shared = cache_get(server_cache(s), &f.key);
	if (rs->shared == NULL)
		return false;
	set_type(rs, csv);
	if (is_gzipped(rs->shared))
		rs->headers = GZIPPED;
	return true;
}

/* --- after the handler --- */

static void make_pretty(struct response *rs)
{
	struct buf out = {.limit = RESPONSE_BODY_MAX};

	pretty(rs->body.data, rs->body.size, &out);
	buf_free(&rs->body);
	rs->body = out;
}

static void make_small(struct response *rs)
{
	struct buf out = {.limit = RESPONSE_BODY_MAX};

	if (gzip(rs->body.data, rs->body.size, &out) != ERR_OK) {
		buf_free(&out); /* it goes as it is */
		return;
	}
	buf_free(&rs->body);
	rs->body = out;
	rs->headers = GZIPPED;
}

static void keep(struct server *s, const struct request *rq, struct response *rs)
{
	struct form f;

	/* The next page's address is a header, which the cache does not keep. */
	if (rs->link.size > 0)
		return;
	set_form(&f, rq, rs->tag, rs->csv);
	rs->shared = body_new(&rs->body);
	if (rs->shared != NULL)
		cache_put(server_cache(s), &f.key, rs->shared);
}

void deliver(struct server *s, const struct request *rq, struct response *rs)
{
	bool csv = rs->type != NULL && strncmp(rs->type, "text/csv", 8) == 0;

	if (rs->shared != NULL || rs->body.size == 0 || rs->body.err != ERR_OK || rs->type == NULL)
		return;
	if (!csv && strstr(rs->type, "json") == NULL)
		return;
	if (rs->headers == NULL)
		rs->headers = PLAIN;
	if (!csv && api_query_flag(rq, "pretty"))
		make_pretty(rs);
	if (rs->body.size >= WORTH_GZIP && takes_gzip(rq))
		make_small(rs);
	if (rs->body.err == ERR_OK && rs->tag != 0 && rs->status == 200)
		keep(s, rq, rs);
}
