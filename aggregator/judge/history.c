/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/history.h"

#include <string.h>

/*
 * Each level takes the log end once a bin, when the bin is first seen. What is kept of it is one
 * byte: the growth since the bin before, as
 *
 *	0..15     itself
 *	16..255   (8 + m) << e, where code - 16 = (e - 1) * 8 + m: three bits of mantissa
 *
 * rounded down. The growth is taken from the value that the codes tell, not from the exact one, so
 * that what one rounding leaves goes into the next bin and errors never add up.
 *
 * When in its bin the end was taken is not kept. It is told as the end of the bin: an age that is
 * too low is a verdict that comes later, one that is too high would be a wrong one.
 */
#define HISTORY_VERSION 1
#define SECOND_MS INT64_C(1000)
#define CODE_LINEAR 16
#define CODE_MAX 255

static const struct {
	int64_t width_ms;
	uint16_t bins;
} LEVELS[HISTORY_LEVELS] = {
	{10 * SECOND_MS, 90},
	{60 * SECOND_MS, 360},
	{600 * SECOND_MS, 432},
	{7200 * SECOND_MS, 360},
};

static uint64_t decode(uint8_t code)
{
	if (code < CODE_LINEAR)
		return code;
	unsigned e = (unsigned)(code - CODE_LINEAR) / 8 + 1;
	return (uint64_t)(8 + (code - CODE_LINEAR) % 8) << e;
}

static uint8_t encode(uint64_t growth)
{
	if (growth < CODE_LINEAR)
		return (uint8_t)growth;
	unsigned e = 60 - (unsigned)__builtin_clzll(growth);
	uint64_t code = CODE_LINEAR + (e - 1) * 8 + ((growth >> e) & 7);
	return (uint8_t)MIN(code, (uint64_t)CODE_MAX);
}

size_t history_size(unsigned level)
{
	return offsetof(struct history_level, codes) + LEVELS[level].bins;
}

static void push(struct history_level *l, unsigned level, uint8_t code)
{
	uint16_t bins = LEVELS[level].bins;

	l->head = (uint16_t)((l->head + 1) % bins);
	l->codes[l->head] = code;
	l->count = (uint16_t)MIN(l->count + 1, (int)bins);
	l->value += (int64_t)decode(code);
	l->bin++;
}

/* Begin anew with this end in this bin. */
static void restart(struct history_level *l, int64_t bin, int64_t end)
{
	*l = (struct history_level){.bin = bin, .value = end, .version = HISTORY_VERSION};
}

static bool add(struct history_level *l, unsigned level, int64_t bin, int64_t end)
{
	if (bin <= l->bin)
		return false;
	if (l->version != HISTORY_VERSION || bin - l->bin > LEVELS[level].bins) {
		restart(l, bin, end);
		return true;
	}
	while (l->bin < bin - 1)
		push(l, level, 0);
	push(l, level, encode((uint64_t)(end - l->value)));
	return true;
}

unsigned history_add(struct history *h, int64_t at_ms, int64_t end)
{
	bool fell = false;
	unsigned changed = 0;

	if (at_ms <= 0 || end < 0)
		return 0;
	for (unsigned i = 0; i < HISTORY_LEVELS; i++)
		fell = fell || (h->levels[i].version != 0 && end < h->levels[i].value &&
				at_ms / LEVELS[i].width_ms >= h->levels[i].bin);
	for (unsigned i = 0; i < HISTORY_LEVELS; i++) {
		int64_t bin = at_ms / LEVELS[i].width_ms;

		if (fell)
			restart(&h->levels[i], bin, end);
		if (fell || add(&h->levels[i], i, bin, end))
			changed |= 1u << i;
	}
	return changed;
}

static bool is_sound(const struct history_level *l, unsigned level)
{
	return l->version == HISTORY_VERSION && l->count <= LEVELS[level].bins &&
	       l->head < LEVELS[level].bins;
}

/* Within one level: true when the end passed offset here; otherwise the oldest time it knows. */
static bool passed(const struct history_level *l, unsigned level, int64_t offset,
		   int64_t *ret_at_ms)
{
	int64_t width_ms = LEVELS[level].width_ms;
	uint16_t bins = LEVELS[level].bins;
	int64_t bin = l->bin;
	int64_t value = l->value;

	if (offset >= value) { /* rounding: the codes tell a little less than was */
		*ret_at_ms = (bin + 1) * width_ms;
		return true;
	}
	for (unsigned i = 0; i < l->count; i++, bin--) {
		int64_t growth = (int64_t)decode(l->codes[(l->head + bins - i) % bins]);

		if (value - growth <= offset) {
			double part = (double)(offset + 1 - (value - growth)) / (double)growth;

			*ret_at_ms = bin * width_ms + (int64_t)(part * (double)width_ms);
			return true;
		}
		value -= growth;
	}
	*ret_at_ms = (bin + 1) * width_ms;
	return false;
}

/* *ret_level is the level that told *ret_at_ms. */
static bool find(const struct history *h, int64_t offset, unsigned *ret_level, int64_t *ret_at_ms)
{
	int64_t oldest_ms = 0;

	*ret_level = 0;
	for (unsigned i = 0; i < HISTORY_LEVELS; i++) {
		int64_t at_ms = 0;
		bool known = is_sound(&h->levels[i], i);

		if (known && passed(&h->levels[i], i, offset, &at_ms)) {
			*ret_level = i;
			*ret_at_ms = at_ms;
			return true;
		}
		if (known && (oldest_ms == 0 || at_ms < oldest_ms)) {
			*ret_level = i;
			oldest_ms = at_ms;
		}
	}
	*ret_at_ms = oldest_ms;
	return false;
}

bool history_passed(const struct history *h, int64_t offset, int64_t *ret_at_ms)
{
	unsigned level = 0;

	return find(h, offset, &level, ret_at_ms);
}

bool history_came(const struct history *h, int64_t offset, int64_t *ret_at_ms)
{
	unsigned level = 0;
	bool known = find(h, offset, &level, ret_at_ms);

	if (*ret_at_ms != 0)
		*ret_at_ms -= LEVELS[level].width_ms;
	return known;
}

void history_walk_begin(struct history_walk *w, const struct history_level *l, unsigned level)
{
	*w = (struct history_walk){.level = level};
	if (!is_sound(l, level))
		return;
	w->of = l;
	w->bin = l->bin - l->count;
	w->end = l->value;
	for (unsigned i = 0; i < l->count; i++)
		w->end -= (int64_t)decode(
			l->codes[(l->head + LEVELS[level].bins - i) % LEVELS[level].bins]);
}

bool history_walk_to(struct history_walk *w, int64_t at_ms, int64_t *ret_end)
{
	int64_t bin = at_ms / LEVELS[w->level].width_ms;
	unsigned bins = LEVELS[w->level].bins;

	if (w->of == NULL || bin < w->bin)
		return false;
	while (w->bin < MIN(bin, w->of->bin)) {
		w->bin++;
		w->end += (int64_t)decode(
			w->of->codes[(w->of->head + bins - (unsigned)(w->of->bin - w->bin)) %
				     bins]);
	}
	*ret_end = w->end;
	return true;
}
