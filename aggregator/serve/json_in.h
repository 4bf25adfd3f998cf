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
