/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics_text.h"

#include "aggregator/serve/exposition.h"
#include "common/err.h"

#define TEXT_MAX ((size_t)2 << 30)
#define END "# EOF\n" /* of OpenMetrics; what ends before it was cut off */

#define REST ((size_t)64 << 10) /* about what comes beside the sheets */

void metrics_text_begin(struct metrics_text *t, size_t room)
{
	t->out.limit = TEXT_MAX;
	t->text.limit = TEXT_MAX;
	(void)buf_reserve(&t->out, room + REST); /* its error sticks */
	if (t->form == METRICS_GZIP)
		gzip_begin(&t->out);
}

struct buf *metrics_text_family(struct metrics_text *t, enum metrics_family family)
{
	metrics_table_head(family, t->openmetrics, &t->text);
	return &t->text;
}

void metrics_text_number(struct metrics_text *t, enum metrics_family family, uint64_t value)
{
	exposition_plain(metrics_text_family(t, family), metrics_table_row(family)->name, value);
}

/* Move text to out. */
static void flush(struct metrics_text *t)
{
	struct gzip_sum sum = {0};
	int err = t->text.err;

	if (err == ERR_OK && t->text.size == 0)
		return;
	if (err == ERR_OK && t->form == METRICS_PLAIN)
		buf_put(&t->out, t->text.data, t->text.size);
	else if (err == ERR_OK)
		err = gzip_part(t->text.data, t->text.size, &t->out, &sum);
	if (err == ERR_OK)
		gzip_join(&t->sum, &sum);
	else
		t->out.err = err;
	t->text.size = 0;
}

void metrics_text_part(struct metrics_text *t, const struct metrics_sheet *sheet,
		       enum metrics_family family)
{
	size_t size = 0;
	const char *part = metrics_sheet_part(sheet, family, &size);

	if (size == 0)
		return;
	flush(t);
	buf_put(&t->out, part, size);
	gzip_join(&t->sum, &sheet->parts[family].sum);
}

void metrics_text_end(struct metrics_text *t)
{
	if (t->openmetrics)
		buf_puts(&t->text, END);
	flush(t);
	if (t->form == METRICS_GZIP)
		gzip_end(&t->out, &t->sum);
}

void metrics_text_free(struct metrics_text *t)
{
	buf_free(&t->out);
	buf_free(&t->text);
}
