/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* utf8 - one character of UTF-8 at a time, strictly: no overlong forms, no surrogates. */

#include "common/base.h"

/* The length, 1 to 4, of the character at the start of the size bytes at s, and its code point;
 * 0, and *ret_ch untouched, if they do not start with one. */
size_t utf8_decode(const char *s, size_t size, uint32_t *ret_ch);

/* Whether all size bytes are UTF-8. */
bool utf8_valid(const char *s, size_t size);
