/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* metrics_sheet - all samples that are made of one view, ready to be copied into an answer. Of each
 * family the samples of all clusters go together, so a sheet has a part for each. */

#include "aggregator/serve/gzip.h"
#include "aggregator/serve/metrics_table.h"
#include "aggregator/serve/server.h"

enum metrics_form { METRICS_PLAIN, METRICS_GZIP, METRICS_FORMS };

struct metrics_part {
	size_t end; /* in the bytes; it begins where the one before ends */
	struct gzip_sum sum;
};

struct metrics_sheet {
	uint64_t serial, pass; /* of the view */
	struct buf bytes;
	struct metrics_part parts[METRICS_VIEW_END];
};

/* -ENOMEM, ERR_LIMIT. Caller frees *ret_sheet. */
MUST_CHECK int metrics_sheet_make(const struct view *v, const struct server_config *config,
				  enum metrics_form form, struct metrics_sheet **ret_sheet);
void metrics_sheet_free(struct metrics_sheet **sheet);

/* Whether the configuration wants the family. */
bool metrics_sheet_has(const struct server_config *config, enum metrics_family family);

/* The bytes of one family; *ret_size may be 0. Borrowed. */
const char *metrics_sheet_part(const struct metrics_sheet *sheet, enum metrics_family family,
			       size_t *ret_size);
