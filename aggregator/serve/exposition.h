/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* exposition - writes samples as Prometheus' text format and OpenMetrics both have them, to a
 * struct buf, whose error sticks. A sample is its name, exposition_open(), labels,
 * exposition_close() and a value; or without labels its name, a blank and a value. */

#include "common/buf.h"
#include "common/histogram.h"

/* The name, and the brace before its labels. */
void exposition_open(struct buf *b, const char *name);

/* name="value", and a comma. Escaped; what is not UTF-8 becomes U+FFFD, for one such byte would
 * have the whole scrape refused. */
void exposition_label(struct buf *b, const char *name, const char *value);

/* After the last label: the brace in place of its comma, or of the first one if there is none, and
 * a blank. */
void exposition_close(struct buf *b);

/* The value of a label alone, escaped. */
void exposition_escaped(struct buf *b, const char *value);

/* Values, with the end of the line. The latter are written in seconds. */
void exposition_int(struct buf *b, int64_t value);
void exposition_ms(struct buf *b, int64_t ms);
void exposition_us(struct buf *b, int64_t us);

/* A sample without labels. */
void exposition_plain(struct buf *b, const char *name, uint64_t value);

/* A sample with one. */
void exposition_labelled(struct buf *b, const char *name, const char *label, const char *text,
			 uint64_t value);

/* All samples of a histogram, with one label more than its own; label NULL: without. */
void exposition_histogram(struct buf *b, const char *name, const char *label, const char *value,
			  const struct histogram_counts *counts);
