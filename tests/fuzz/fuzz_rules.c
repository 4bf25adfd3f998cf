/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes are rules or a list of mistakes; what rules say of a place is what a memo says of it,
 * and is within what judge() takes. */

#include <assert.h>

#include "aggregator/judge/rules_memo.h"
#include "aggregator/rules_file.h"
#include "common/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rules_memo_place PLACES[] = {
	{1, 1, 0, {"PROD", "seoul", "batch-1", NULL, -1}},
	{1, 1, 1, {"PROD", "seoul", "batch-1", "orders", -1}},
	{1, 1, 1, {"PROD", "seoul", "batch-1", "orders", 3}},
	{1, 1, 1, {"PROD", "seoul", "batch-1", "orders", 12}},
	{2, 2, 2, {"", "b", "\xff*[a", "t\n", 0}},
};

static void check(const struct rules *r)
{
	assert(r->raise_after >= 1 && r->clear_after >= 1);
	assert(r->window_ms > 0 && r->window_ms <= 3600000);
	assert(r->allowed_lag >= 0 && r->max_time_lag_ms >= 0 && r->maintenance_until_ms >= 0);
	assert(r->stop_after_min_ms > 0 && r->stop_after_max_ms > 0);
}

static void look(struct rules_set *s)
{
	struct rules_memo *memo = rules_memo_new(s);

	for (size_t i = 0; i < 2 * ARRAY_LEN(PLACES); i++) {
		const struct rules_memo_place *p = &PLACES[i % ARRAY_LEN(PLACES)];
		struct rules_found f;

		rules_resolve(s, &p->names, &f);
		check(&f.rules);
		assert(rules_max_window_ms(s) >= f.rules.window_ms);
		const struct rules *r = rules_memo_get(memo, p);
		assert(r->allowed_lag == f.rules.allowed_lag && r->ignore == f.rules.ignore);
		assert(r->window_ms == f.rules.window_ms);
		assert(r->maintenance_why == f.rules.maintenance_why);
	}
	rules_memo_free(&memo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(rules_unref) struct rules_set *s = NULL;
	CLEANUP(buf_free) struct buf errors = {0};
	const struct rules_base base = {.values = RULES_DEFAULT};

	int err = rules_file_parse("dir/fuzz", (const char *)data, size, &base, &errors, &s);
	assert((err == ERR_OK) == (errors.size == 0) && (err == ERR_OK) == (s != NULL));
	if (err == ERR_OK)
		look(s);
	return 0;
}
