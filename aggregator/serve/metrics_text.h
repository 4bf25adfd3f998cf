/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * metrics_text - an answer of /metrics as it is put together, in the form and the format that are
 * asked for: what is written to text as it is, and parts of sheets, which have the form already.
 */

#include "aggregator/serve/metrics_sheet.h"

struct metrics_text {
	enum metrics_form form;
	bool openmetrics;
	struct buf out;      /* what is sent */
	struct buf text;     /* what is not in out yet; its error ends up in out */
	struct gzip_sum sum; /* of what is in out, if it is gzip */
};

/* t has a form and a format, and is zeroes besides. room: about how many bytes of sheets will
 * follow. */
void metrics_text_begin(struct metrics_text *t, size_t room);

/* The lines before a family's samples, which the caller then appends to the buffer returned; or
 * hands over with metrics_text_part(). */
struct buf *metrics_text_family(struct metrics_text *t, enum metrics_family family);

/* A family of one sample, without labels. */
void metrics_text_number(struct metrics_text *t, enum metrics_family family, uint64_t value);

/* The samples that a sheet of the same form has of a family. */
void metrics_text_part(struct metrics_text *t, const struct metrics_sheet *sheet,
		       enum metrics_family family);

/* t->out is the whole then, and carries the first error. */
void metrics_text_end(struct metrics_text *t);
void metrics_text_free(struct metrics_text *t);
