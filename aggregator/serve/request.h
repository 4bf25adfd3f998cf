/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * request - a request and its answer as plain structs. http.c makes the one from a socket and sends
 * the other; everything between is a pure function of them and of the server's context.
 */

#include "aggregator/serve/access.h"
#include "aggregator/serve/body.h"
#include "common/base.h"
#include "common/buf.h"

#define REQUEST_TARGET_MAX 8192 /* bytes of path and query, escaped */
#define REQUEST_BODY_MAX 65536  /* bytes */
#define RESPONSE_BODY_MAX ((size_t)32 << 20)
#define REQUEST_ARGS_MAX 4

enum method {
	METHOD_DELETE,
	METHOD_GET,
	METHOD_HEAD,
	METHOD_OPTIONS,
	METHOD_POST,
	METHOD_PUT,
	METHOD_OTHER,
};

struct request {
	enum method method;
	const char *target; /* path and query as they came, not longer than REQUEST_TARGET_MAX */
	const char *body;
	size_t body_size;
	const char *authorization;   /* the header, secret: never logged; NULL: none */
	const char *accept;          /* the header; NULL: none */
	const char *accept_encoding; /* the header; NULL: none */
	const char *if_none_match;   /* the header; NULL: none */
	const char *last_event_id;   /* the header; NULL: none */
	const char *certificate;     /* common name of the client's, verified; NULL: none */
	uint8_t from[16];            /* address of the client: IPv6, or IPv4 mapped into it */

	/* set by server_admit() */
	enum access_need need;
	const struct access *who; /* NULL: not admitted, and not known */

	/* set by route_dispatch() */
	const char *url;                    /* the path, unescaped once */
	const char *query;                  /* still escaped, "" if none */
	const char *args[REQUEST_ARGS_MAX]; /* what stood for the route's :names, unescaped once */
};

struct response_header {
	const char *name, *value;
};

struct stream_reader; /* stream.h */
void stream_reader_free(struct stream_reader **r);

struct response {
	int status;
	const char *type; /* Content-Type, static; NULL: none */
	bool nosniff;
	char allow[48];                        /* "" for none */
	const char *challenges[2];             /* WWW-Authenticate, static; NULL: none */
	unsigned retry_after_s;                /* 0: none */
	const char *etag;                      /* quoted, static; NULL: none */
	const struct response_header *headers; /* more, static, ended by a NULL; NULL: none */
	struct buf location;                   /* empty for none */
	struct buf link;                       /* empty for none */
	char etag_text[24];                    /* what etag points to, if it is made for this */
	uint64_t tag; /* what the body was made from, see deliver.h; 0: it is not kept */
	bool csv;     /* tag was told with this */
	/* What is sent is body, then shared. */
	struct buf body;              /* owned */
	struct body *shared;          /* referenced; NULL for none */
	struct stream_reader *stream; /* owned: it is sent instead, as it comes; NULL for none */
};

static inline void response_init(struct response *rs)
{
	*rs = (struct response){.status = 200, .body = {.limit = RESPONSE_BODY_MAX}};
}

static inline void response_free(struct response *rs)
{
	buf_free(&rs->location);
	buf_free(&rs->link);
	buf_free(&rs->body);
	body_unref(&rs->shared);
	stream_reader_free(&rs->stream);
}
