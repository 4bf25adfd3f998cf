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

struct walk {
	int (*on)(void *arg, const struct json_in_value *v);
	void *arg;
};

static int tell(const struct walk *w, const char *parent, const char *name, const json_t *value)
{
	struct json_in_value v = {.parent = parent, .name = name};
	int64_t whole = 0;

	if (json_is_null(value))
		return ERR_OK;
	if (json_is_string(value)) {
		v.text = json_string_value(value);
		if (strlen(v.text) != json_string_length(value))
			return ERR_MALFORMED; /* a NUL in it */
	}
	if (json_is_integer(value)) {
		whole = json_integer_value(value);
		v.whole = &whole;
	}
	return w->on(w->arg, &v);
}

static int walk_inner(const struct walk *w, const char *parent, json_t *value)
{
	const char *key = NULL;
	json_t *inner = NULL;
	size_t index = 0;
	int err = ERR_OK;

	json_object_foreach(value, key, inner)
	{
		if (err == ERR_OK)
			err = tell(w, parent, key, inner);
	}
	json_array_foreach(value, index, inner)
	{
		if (err == ERR_OK)
			err = tell(w, parent, "", inner);
	}
	return err;
}

int json_in_each(const char *data, size_t size, int (*on)(void *arg, const struct json_in_value *v),
		 void *arg)
{
	const struct walk w = {on, arg};
	json_t *root = size == 0 ? json_object() : json_loadb(data, size, 0, NULL);
	int err = json_is_object(root) ? ERR_OK : ERR_MALFORMED;
	const char *key = NULL;
	json_t *value = NULL;

	json_object_foreach(root, key, value)
	{
		if (err != ERR_OK)
			break;
		err = json_is_object(value) || json_is_array(value) ? walk_inner(&w, key, value)
								    : tell(&w, NULL, key, value);
	}
	json_decref(root);
	return err;
}
