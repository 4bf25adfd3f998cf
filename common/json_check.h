/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* json_check - whether a text is JSON by RFC 8259, and if not, where it ceases to be. */

#include "common/base.h"

#define JSON_CHECK_DEPTH_MAX 64

/* NULL: it is one value. Else what is wrong, static, and the place of the first byte that is. */
const char *json_check(const char *text, size_t size, size_t *ret_at);
