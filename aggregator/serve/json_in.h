/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* json_in - reads JSON that comes with requests. The only user of jansson. */

#include "common/base.h"

/* The text of one member, in any letter case, of the object that the size bytes at data begin
 * with; "" if there is no such member or it is null. Not what follows the object, as Go reads it.
 * ERR_MALFORMED if they begin with no object or null, or the member is no string; ERR_LIMIT if
 * the text does not fit. */
MUST_CHECK int json_in_member(const char *data, size_t size, const char *member, char *ret_text,
			      size_t text_size);

/* One value of an object, or of an object or array in it. */
struct json_in_value {
	const char *parent;   /* the member whose value it is in; NULL: it is a member itself */
	const char *name;     /* of the member; "" in an array */
	const char *text;     /* NULL: it is no text */
	const int64_t *whole; /* NULL: it is no whole number */
};

/* Call on for each value, null ones left out, until it returns an error, which is returned.
 * ERR_MALFORMED if the size bytes at data are no object, or hold more than two levels; empty is an
 * empty object. What is borrowed is valid during the call. */
MUST_CHECK int json_in_each(const char *data, size_t size,
			    int (*on)(void *arg, const struct json_in_value *v), void *arg);
