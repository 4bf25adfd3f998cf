/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics_sheet.h"

#include <stdlib.h>

#include "aggregator/serve/metrics_view.h"
#include "common/err.h"

#define SHEET_MAX ((size_t)1 << 30) /* bytes; a partition of a group takes about 750 as text */

bool metrics_sheet_has(const struct server_config *config, enum metrics_family family)
{
	switch (metrics_table_row(family)->of) {
	case METRICS_OF_GROUPS:
		return !config->no_metrics_of.groups;
	case METRICS_OF_PARTITIONS:
		return !config->no_metrics_of.partitions;
	case METRICS_OF_TOPICS:
		return !config->no_metrics_of.topics;
	case METRICS_OF_WHOLE:
		break;
	}
	return true;
}

/* One family at a time is text, so that no more than that has to be in memory. */
static int pack_family(const struct metrics_view *m, enum metrics_family family, struct buf *text,
		       struct metrics_sheet *sheet)
{
	buf_reset(text);
	metrics_view_put(m, family, text);
	if (text->err != ERR_OK || text->size == 0)
		return text->err;
	return gzip_part(text->data, text->size, &sheet->bytes, &sheet->parts[family].sum);
}

static int fill(struct metrics_sheet *sheet, const struct metrics_view *m,
		const struct server_config *config, enum metrics_form form)
{
	CLEANUP(buf_free) struct buf text = {.limit = SHEET_MAX};
	int err = ERR_OK;

	for (enum metrics_family f = 0; f < METRICS_VIEW_END && err == ERR_OK; f++) {
		if (form == METRICS_GZIP && metrics_sheet_has(config, f))
			err = pack_family(m, f, &text, sheet);
		else if (metrics_sheet_has(config, f))
			metrics_view_put(m, f, &sheet->bytes);
		sheet->parts[f].end = sheet->bytes.size;
	}
	return err != ERR_OK ? err : sheet->bytes.err;
}

/* What room was left over goes back: a sheet stays until the next pass. */
static void trim(struct buf *b)
{
	char *data = b->size > 0 ? realloc(b->data, b->size) : NULL;

	if (data == NULL)
		return;
	b->data = data;
	b->cap = b->size;
}

int metrics_sheet_make(const struct view *v, const struct server_config *config,
		       enum metrics_form form, struct metrics_sheet **ret_sheet)
{
	CLEANUP(metrics_view_free) struct metrics_view m = {.view = v};
	struct metrics_sheet *sheet = calloc(1, sizeof(*sheet));
	int err = sheet != NULL ? metrics_view_begin(v, &m) : -ENOMEM;

	if (err == ERR_OK) {
		sheet->serial = v->serial;
		sheet->pass = v->pass;
		sheet->bytes.limit = SHEET_MAX;
		err = fill(sheet, &m, config, form);
	}
	if (err != ERR_OK) {
		metrics_sheet_free(&sheet);
		return err;
	}
	trim(&sheet->bytes);
	*ret_sheet = sheet;
	return ERR_OK;
}

void metrics_sheet_free(struct metrics_sheet **sheet)
{
	if (*sheet != NULL)
		buf_free(&(*sheet)->bytes);
	free(*sheet);
	*sheet = NULL;
}

const char *metrics_sheet_part(const struct metrics_sheet *sheet, enum metrics_family family,
			       size_t *ret_size)
{
	size_t begin = family > 0 ? sheet->parts[family - 1].end : 0;

	*ret_size = sheet->parts[family].end - begin;
	return sheet->bytes.data + begin;
}
