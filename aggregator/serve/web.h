/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * web - the page for people. Its files are in serve/web, are compiled into the program, and hold
 * nothing that is worth protecting: what the page shows it asks of the API, with the credentials of
 * whoever looks at it.
 */

#include "aggregator/serve/request.h"

/* A file of the page, as web_embed.cmake makes it. */
struct web_file {
	const char *path; /* "/web/app.js" */
	const char *type;
	const char *etag; /* quoted, of the bytes */
	const unsigned char *data;
	size_t size;
};

extern const struct web_file WEB_FILES[];
extern const size_t WEB_FILE_COUNT;

/* Answer with a file of the page. "/" is the page only to who accepts HTML, so that to Burrow's
 * clients it stays what it is. False: the request is not for the page, and rs is as it was. */
bool web_answer(const struct request *rq, struct response *rs);

/* One of its files by its path; NULL: there is none. */
const struct web_file *web_find(const char *path);
