/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* silence_in - a silence as it comes over HTTP. */

#include "aggregator/alert/silence.h"
#include "aggregator/serve/access.h"
#include "common/buf.h"

/* Read one from JSON, for who asks. ERR_MALFORMED, and one sentence in why. */
MUST_CHECK int silence_in(const struct access *who, const char *data, size_t size, struct buf *why,
			  struct silence *ret_s);

/* Whether one who asks may make or remove it: who sees some of the clusters alone may where it
 * names one of them, without wildcards. */
bool silence_in_may(const struct access *who, const struct silence *s);
