/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/route.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "aggregator/serve/problem.h"
#include "aggregator/serve/server.h"
#include "common/err.h"

#define PARTS_MAX 12 /* parts of a path; no route has as many */

static const char *const METHODS[] = {"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"};

/* A path cut at its slashes. */
struct path {
	const char *parts[PARTS_MAX]; /* unescaped */
	size_t count;                 /* more than PARTS_MAX: too many for any route */
};

/* Where the parts are kept, and the whole path. */
struct texts {
	char parts[REQUEST_TARGET_MAX + 1]; /* unescaped, each with its NUL */
	char url[REQUEST_TARGET_MAX + 1];   /* unescaped */
};

/* --- taking the path apart --- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int route_unescape(char *s)
{
	char *to = s;

	while (*s != '\0') {
		if (*s != '%') {
			*to++ = *s++;
			continue;
		}
		int high = hex_digit(s[1]);
		int low = high < 0 ? -1 : hex_digit(s[2]);
		if (low < 0 || (high == 0 && low == 0))
			return ERR_MALFORMED;
		*to++ = (char)(high << 4 | low);
		s += 3;
	}
	*to = '\0';
	return ERR_OK;
}

/* Where the path starts in a target, which may be a whole URL. */
static const char *path_start(const char *target)
{
	if (*target == '/')
		return target;
	if (strncasecmp(target, "http://", 7) == 0)
		return strchrnul(target + 7, '/');
	if (strncasecmp(target, "https://", 8) == 0)
		return strchrnul(target + 8, '/');
	return "";
}

/* Cut the size bytes at s, which start with a slash. The parts of *ret_p are in *t. */
static int split(const char *s, size_t size, struct texts *t, struct path *ret_p)
{
	char *at = t->parts;

	ret_p->count = 0;
	memcpy(t->parts, s, size);
	t->parts[size] = '\0';
	memcpy(t->url, t->parts, size + 1);
	int err = route_unescape(t->url);
	while (err == ERR_OK && at != NULL) {
		char *part = at + 1;

		at = strchr(part, '/');
		if (at != NULL)
			*at = '\0';
		err = route_unescape(part);
		if (ret_p->count < PARTS_MAX)
			ret_p->parts[ret_p->count] = part;
		ret_p->count++;
	}
	return err;
}

/* --- matching --- */

/* Whether one part of a path is the size bytes of a route's part, in any letter case if loose. */
static bool part_ok(const char *part, const char *want, size_t size, bool loose)
{
	if (strlen(part) != size)
		return false;
	return (loose ? strncasecmp(part, want, size) : strncmp(part, want, size)) == 0;
}

/* Whether p is the path of a route; the names it gives go to args. */
static bool path_ok(const char *want, const struct path *p, bool loose, const char **args)
{
	size_t i = 0;
	size_t arg = 0;

	for (; *want == '/'; i++) {
		size_t size = (size_t)(strchrnul(want + 1, '/') - (want + 1));

		if (i >= p->count)
			return false;
		if (want[1] != ':' && !part_ok(p->parts[i], want + 1, size, loose))
			return false;
		/* An empty name is one that is not found, but at the end it is a slash too many. */
		if (want[1] == ':' && p->parts[i][0] == '\0' && i + 1 == p->count)
			return false;
		if (want[1] == ':')
			args[arg++] = p->parts[i];
		want += 1 + size;
	}
	return i == p->count;
}

struct match {
	const struct route *table;
	size_t count;
	const struct path *path;
};

static const struct route *find(const struct match *m, enum method method, bool loose,
				const char **args)
{
	if (m->path->count > PARTS_MAX)
		return NULL;
	for (size_t i = 0; i < m->count; i++) {
		if (m->table[i].method == method && path_ok(m->table[i].path, m->path, loose, args))
			return &m->table[i];
	}
	return NULL;
}

/* --- the answers that need no handler --- */

static void plain_error(struct response *rs, int status, const char *text)
{
	rs->status = status;
	rs->type = "text/plain; charset=utf-8";
	rs->nosniff = true;
	buf_puts(&rs->body, text);
}

static bool is_ours(const struct request *rq)
{
	return strncmp(rq->url, "/api/", 5) == 0;
}

/* The methods that the path has, in the order of their names, OPTIONS among them. False: none. */
static bool allow(const struct match *m, const struct request *rq, struct response *rs)
{
	const char *args[REQUEST_ARGS_MAX];
	size_t size = 0;
	bool any = false;

	for (enum method method = 0; method < ARRAY_LEN(METHODS); method++) {
		bool head = method == METHOD_HEAD && is_ours(rq);
		bool has = find(m, head ? METHOD_GET : method, false, args) != NULL;

		any = any || has;
		if (!has && method != METHOD_OPTIONS)
			continue;
		size += (size_t)snprintf(rs->allow + size, sizeof(rs->allow) - size, "%s%s",
					 size > 0 ? ", " : "", METHODS[method]);
	}
	if (!any)
		rs->allow[0] = '\0';
	return any;
}

/* p without the parts that say nothing: empty ones, "." and "..". */
static struct path cleaned(const struct path *p)
{
	struct path clean = {.count = 0};

	for (size_t i = 0; i < MIN(p->count, (size_t)PARTS_MAX); i++) {
		if (strcmp(p->parts[i], "..") == 0)
			clean.count -= clean.count > 0;
		else if (p->parts[i][0] != '\0' && strcmp(p->parts[i], ".") != 0)
			clean.parts[clean.count++] = p->parts[i];
	}
	return clean;
}

static void put_escaped(struct buf *b, const char *s, const char *keep)
{
	for (; *s != '\0'; s++) {
		if (isalnum((unsigned char)*s) || strchr(keep, *s) != NULL)
			buf_putc(b, *s);
		else
			buf_printf(b, "%%%02X", (unsigned char)*s);
	}
}

/* The path as the route spells it, with the names of the request. */
static void put_location(struct buf *b, const char *path, const char *const *args,
			 const char *query)
{
	size_t arg = 0;

	while (*path == '/') {
		size_t size = (size_t)(strchrnul(path + 1, '/') - (path + 1));

		buf_putc(b, '/');
		if (path[1] == ':')
			put_escaped(b, args[arg++], "-._~$&+,:;=@");
		else
			buf_put(b, path + 1, size);
		path += 1 + size;
	}
	if (*query != '\0') {
		buf_putc(b, '?');
		put_escaped(b, query, "-._~$&+,:;=@%/?!'()*[]");
	}
}

static void put_html(struct buf *b, const char *s, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		switch (s[i]) {
		case '&':
			buf_puts(b, "&amp;");
			break;
		case '\'':
			buf_puts(b, "&#39;");
			break;
		default:
			buf_putc(b, s[i]);
		}
	}
}

/* Whether the request is nearly that of a route; then the answer is where to find it. */
static bool redirect(const struct match *m, const struct request *rq, struct response *rs)
{
	const char *args[REQUEST_ARGS_MAX];
	const struct path clean = cleaned(m->path);
	const struct match loose = {.table = m->table, .count = m->count, .path = &clean};

	const struct route *r = find(&loose, rq->method, true, args);
	if (r == NULL)
		return false;
	put_location(&rs->location, r->path, args, rq->query);
	rs->status = rq->method == METHOD_GET ? 301 : 307;
	if (rq->method != METHOD_GET)
		return true;
	rs->type = "text/html; charset=utf-8";
	buf_puts(&rs->body, "<a href=\"");
	put_html(&rs->body, rs->location.data, rs->location.size);
	buf_puts(&rs->body, "\">Moved Permanently</a>.\n\n");
	return true;
}

/* Burrow's paths get the answers that its router gave, ours those of our API. */
static void refuse(const struct match *m, const struct request *rq, struct response *rs)
{
	bool ours = is_ours(rq);

	if (!allow(m, rq, rs)) {
		if (ours)
			problem_answer(rs, 404, "there is nothing of this path");
		else
			plain_error(rs, 404,
				    "{\"error\":true,\"message\":\"invalid request type\","
				    "\"result\":{}}\n");
	} else if (rq->method != METHOD_OPTIONS && ours) {
		char allowed[sizeof(rs->allow)];

		memcpy(allowed, rs->allow, sizeof(allowed));
		problem_answer(rs, 405, "this path does not have this method");
		memcpy(rs->allow, allowed, sizeof(allowed));
	} else if (rq->method != METHOD_OPTIONS) {
		plain_error(rs, 405, "Method Not Allowed\n");
	}
}

static void answer(const struct match *m, struct server *s, struct request *rq, struct response *rs)
{
	/* Burrow answers HEAD with 405; in our API it is what GET is, and the library leaves out
	 * the body. */
	enum method method = rq->method == METHOD_HEAD && is_ours(rq) ? METHOD_GET : rq->method;
	const struct route *r = find(m, method, false, rq->args);

	if (r != NULL) {
		if (server_admit(s, r->need, rq, rs))
			r->handle(s, rq, rs);
		return;
	}
	if (redirect(m, rq, rs))
		return;
	refuse(m, rq, rs);
}

void route_dispatch(const struct route *table, size_t count, struct server *s, struct request *rq,
		    struct response *rs)
{
	struct texts texts;
	struct path p;
	const char *path = path_start(rq->target);
	size_t size = strcspn(path, "?#");

	rq->query = path[size] == '?' ? path + size + 1 : "";
	if (*path != '/') {
		server_refuse(s, rq, 400, "the path does not begin with a slash", rs);
		return;
	}
	if (split(path, size, &texts, &p) != ERR_OK) {
		server_refuse(s, rq, 400, "the path holds a percent escape that is none, or a NUL",
			      rs);
		return;
	}
	rq->url = texts.url;
	const struct match m = {.table = table, .count = count, .path = &p};
	answer(&m, s, rq, rs);
}
