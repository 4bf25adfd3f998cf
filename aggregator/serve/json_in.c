/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/json_in.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"

static int text_of(const json_t *value, char *ret_text, size_t text_size)
{
	if (json_is_null(value))
		return ERR_OK;
	if (!json_is_string(value))
		return ERR_MALFORMED;
	if (json_string_length(value) >= text_size)
		return ERR_LIMIT;
	memcpy(ret_text, json_string_value(value), json_string_length(value) + 1);
	return ERR_OK;
}

int json_in_member(const char *data, size_t size, const char *member, char *ret_text,
		   size_t text_size)
{
	json_t *root = json_loadb(data, size, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, NULL);
	int err = json_is_object(root) || json_is_null(root) ? ERR_OK : ERR_MALFORMED;
	const char *key = NULL;
	json_t *value = NULL;

	ret_text[0] = '\0';
	json_object_foreach(root, key, value)
	{
		if (err == ERR_OK && strcasecmp(key, member) == 0)
			err = text_of(value, ret_text, text_size);
	}
	json_decref(root);
	return err;
}
