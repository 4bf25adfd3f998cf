/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/web.h"

#include <string.h>

/* Scripts, styles, pictures and requests go to this server alone, nothing is inline, and no other
 * page may frame this one. The browser asks each time whether a file is still the same. */
static const struct response_header HEADERS[] = {
	{"Cache-Control", "no-cache"},
	{"Content-Security-Policy",
	 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	 "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Referrer-Policy", "no-referrer"},
	{"Vary", "Accept"},
	{NULL, NULL},
};

static const struct web_file *find(const char *path, size_t size)
{
	for (size_t i = 0; i < WEB_FILE_COUNT; i++) {
		const char *have = WEB_FILES[i].path;

		if (strlen(have) == size && memcmp(have, path, size) == 0)
			return &WEB_FILES[i];
	}
	return NULL;
}

static const struct web_file *wanted(const struct request *rq)
{
	static const char page[] = "/web/index.html";
	size_t size = strcspn(rq->target, "?#");

	if (rq->method != METHOD_GET && rq->method != METHOD_HEAD)
		return NULL;
	if (size != 1 || rq->target[0] != '/')
		return find(rq->target, size);
	if (rq->accept == NULL || strcasestr(rq->accept, "text/html") == NULL)
		return NULL;
	return find(page, sizeof(page) - 1);
}

bool web_answer(const struct request *rq, struct response *rs)
{
	const struct web_file *f = wanted(rq);

	if (f == NULL)
		return false;
	rs->headers = HEADERS;
	rs->etag = f->etag;
	rs->nosniff = true;
	if (rq->if_none_match != NULL && strstr(rq->if_none_match, f->etag) != NULL) {
		rs->status = 304;
		return true;
	}
	rs->type = f->type;
	buf_put(&rs->body, f->data, f->size);
	return true;
}

const struct web_file *web_find(const char *path)
{
	return find(path, strlen(path));
}
