/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* query - the part of a target behind its question mark: NAME=VALUE&NAME=VALUE. */

#include "aggregator/serve/request.h"

/* The value of the first NAME in rq->query, unescaped, a plus being a blank, in text. ERR_NOT_FOUND
 * if there is none; ERR_MALFORMED for a percent escape that is none. */
MUST_CHECK int query_get(const struct request *rq, const char *name,
			 char text[static REQUEST_TARGET_MAX + 1]);
