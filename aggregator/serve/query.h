/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * query - the part of a target behind its question mark: NAME=VALUE&NAME=VALUE, and the language
 * in which lists are asked for. What is refused is answered with what is allowed.
 */

#include "aggregator/judge/status.h"
#include "aggregator/serve/request.h"

/* The value of the first NAME in rq->query, unescaped, a plus being a blank, in text. ERR_NOT_FOUND
 * if there is none; ERR_MALFORMED for a percent escape that is none. */
MUST_CHECK int query_get(const struct request *rq, const char *name,
			 char text[static REQUEST_TARGET_MAX + 1]);

/* The same for the first NAME from *at on, which then stands behind it; at first *at is rq->query.
 */
MUST_CHECK int query_next(const char **at, const char *name,
			  char text[static REQUEST_TARGET_MAX + 1]);

/* Whether each parameter is one of these names, which are parted by blanks, is there once, and has
 * whole percent escapes. False: refused, rs says what is allowed. */
bool query_check(const struct request *rq, const char *allowed, struct response *rs);

/* The same, but those of repeated, which are among the allowed, may be there many times. */
bool query_check_repeated(const struct request *rq, const char *allowed, const char *repeated,
			  struct response *rs);

/* --- lists --- */

#define QUERY_LIMIT_MAX 10000

enum query_sort {
	QUERY_BY_NAME,
	QUERY_BY_LAG,
	QUERY_BY_TIME_LAG,
	QUERY_BY_STATUS,
	QUERY_BY_SINCE,
	QUERY_SORTS,
};

#define QUERY_STORM (1u << 31) /* in reasons: the group has a storm of rebalances */

/* Which rows of a list are wanted, in which order and form. Texts are NULL if not given; env,
 * cluster, group and topic are globs, where the path does not name them. */
struct query {
	const char *env, *cluster, *group, *topic;
	const char *q;
	unsigned statuses; /* bits of enum status; 0: all */
	uint32_t reasons;  /* bits of enum reason, and QUERY_STORM; 0: all */
	unsigned states;   /* bits of QUERY_STATES; 0: all */
	enum query_sort sort;
	bool falling;
	size_t limit;
	const char *cursor;
	bool csv;
	char texts[REQUEST_TARGET_MAX + 1];
};

/* What a list knows: its parameters beside q, sort, limit, cursor, format and pretty, parted by
 * blanks, and its orders, as bits of enum query_sort. */
struct query_kind {
	const char *filters;
	unsigned sorts;
};

/* False: refused. ret_q->env and the like point into it. */
bool query_read(const struct request *rq, const struct query_kind *kind, struct query *ret_q,
		struct response *rs);

/* Whether a text is wanted by a glob; a glob of NULL wants all. */
bool query_glob(const char *glob, const char *text);

/* Whether q, if it is given, stands in one of the texts, in any letter case; ended by a NULL. */
bool query_finds(const struct query *q, const char *const *texts);

/* Whether a status, reason and state are wanted. */
bool query_status(const struct query *q, enum status status);
bool query_reason(const struct query *q, enum reason reason, bool storm);
bool query_state(const struct query *q, const char *state);

/* The word of an order: "name", "lag", ... */
const char *query_sort_str(enum query_sort sort);
