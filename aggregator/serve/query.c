/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/query.h"

#include <string.h>

#include "aggregator/serve/route.h"
#include "common/err.h"

int query_get(const struct request *rq, const char *name, char text[static REQUEST_TARGET_MAX + 1])
{
	size_t name_size = strlen(name);

	for (const char *at = rq->query; *at != '\0';) {
		size_t size = strcspn(at, "&");

		if (size > name_size && at[name_size] == '=' && strncmp(at, name, name_size) == 0) {
			size_t value_size = size - name_size - 1;

			if (value_size > REQUEST_TARGET_MAX)
				return ERR_MALFORMED;
			memcpy(text, at + name_size + 1, value_size);
			text[value_size] = '\0';
			for (char *c = text; (c = strchr(c, '+')) != NULL; c++)
				*c = ' ';
			return route_unescape(text);
		}
		at += size + (at[size] == '&');
	}
	return ERR_NOT_FOUND;
}
