/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* exposition - writes Prometheus' text format, version 0.0.4, to a struct buf, whose error sticks.
 */

#include "common/buf.h"

/* The HELP and TYPE lines before a family's samples. help needs no escaping. */
void exposition_family(struct buf *b, const char *name, const char *type, const char *help);

/* name="value", and a comma. Escaped; what is not UTF-8 becomes U+FFFD, for one such byte would
 * have the whole scrape refused. */
void exposition_label(struct buf *b, const char *name, const char *value);

/* After the last label: the brace in place of its comma, and a blank. */
void exposition_labels_end(struct buf *b);

/* The value of a label alone, escaped. */
void exposition_escaped(struct buf *b, const char *value);

/* Milliseconds as seconds. */
void exposition_seconds(struct buf *b, int64_t ms);
