/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * json - writes compact JSON to a struct buf. Every string is escaped here and only here.
 *
 * The text is byte for byte what Go's encoding/json writes with its HTML escaping on, which is what
 * readers of Burrow's replies get. The writer places the commas; that objects and arrays are closed
 * in order and that each value in an object has its key is the caller's part. Errors stick in the
 * buf: look at out->err once, at the end.
 *
 *	struct json j = {.out = &body};
 *	json_begin_object(&j);
 *	json_key(&j, "error");
 *	json_bool(&j, false);
 *	json_end_object(&j);
 */

#include <string.h>

#include "common/buf.h"

struct json {
	struct buf *out; /* borrowed */
	bool comma;      /* the next key, or value of an array, needs a comma before it */
};

void json_begin_object(struct json *j);
void json_end_object(struct json *j);
void json_begin_array(struct json *j);
void json_end_array(struct json *j);

/* A key that needs no escaping, of size bytes: the names of our own fields. */
void json_plain_key(struct json *j, const char *key, size_t size);

/* The same for a string literal, whose length the compiler knows. */
static inline void json_key(struct json *j, const char *key)
{
	json_plain_key(j, key, strlen(key));
}

/* A key that came from outside (a topic's name), escaped. */
void json_name(struct json *j, const char *name);

/* A quoted and escaped string; of size bytes, which may hold NULs. NULL is written as "". */
void json_str(struct json *j, const char *s);
void json_text(struct json *j, const char *s, size_t size);

void json_int(struct json *j, int64_t v);
void json_uint(struct json *j, uint64_t v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);

/* The fewest digits that read back as the same float: 1, 0, 0.33333334; an exponent only below 1e-6
 * and from 1e21 on. JSON has no NaN and no infinity: null. */
void json_float32(struct json *j, float v);
