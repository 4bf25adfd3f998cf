/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/openmetrics.h"

#include <string.h>

#include "common/err.h"

#define HELP "# HELP "
#define TYPE "# TYPE "
#define TOTAL "_total"
#define COUNTER " counter"

bool openmetrics_wanted(const struct request *rq)
{
	return rq->accept != NULL && strcasestr(rq->accept, "application/openmetrics-text") != NULL;
}

static bool begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

/* Whether the lines at HELP are of a counter: exposition_family() writes TYPE right after. */
static bool is_counter(const char *help)
{
	const char *type = strchrnul(help, '\n');

	if (*type == '\0' || !begins(type + 1, TYPE))
		return false;
	const char *end = strchrnul(type + 1, '\n');
	size_t size = (size_t)(end - type);
	return size > strlen(COUNTER) &&
	       memcmp(end - strlen(COUNTER), COUNTER, strlen(COUNTER)) == 0;
}

/* Write the line of size bytes without the _total of the name in it. */
static void put_without_total(struct buf *out, const char *line, size_t size)
{
	size_t name_end = strlen(HELP) + strcspn(line + strlen(HELP), " \n");
	bool has = name_end > strlen(TOTAL) &&
		   memcmp(line + name_end - strlen(TOTAL), TOTAL, strlen(TOTAL)) == 0;

	buf_put(out, line, name_end - (has ? strlen(TOTAL) : 0));
	buf_put(out, line + name_end, size - name_end);
}

void openmetrics_families(struct buf *b)
{
	struct buf out = {.limit = b->limit};
	bool counter = false;

	if (b->err != ERR_OK)
		return;
	for (const char *line = buf_str(b); *line != '\0';) {
		size_t size = strcspn(line, "\n");

		size += line[size] == '\n';
		if (begins(line, HELP))
			counter = is_counter(line);
		if (counter && (begins(line, HELP) || begins(line, TYPE)))
			put_without_total(&out, line, size);
		else
			buf_put(&out, line, size);
		line += size;
	}
	buf_free(b);
	*b = out;
}
