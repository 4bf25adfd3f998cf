/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/window.h"

#include <string.h>

#include "common/bytes.h"

/*
 * Older points follow each other from the newest on, each as two varints (seven bits a byte, low
 * ones first, top bit: more follow):
 *
 *	ticks of 10 ms by which the point is older than the one before
 *	zigzag of (value of the point before - value of this one)
 *
 * so that a new point is an insertion at the front, and the oldest ones fall off the end. Times are
 * rounded before they are subtracted: the error of one point is not handed on to the next.
 */
#define TICK_MS 10
#define VARINT_MAX 10

static size_t put_varint(uint8_t *out, uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	return n;
}

static uint64_t zigzag(uint64_t difference)
{
	return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}

static uint64_t unzigzag(uint64_t v)
{
	return v >> 1 ^ (~(v & 1) + 1);
}

/* Wrapping, so that no pair of values is a special case. */
static uint64_t difference(int64_t a, int64_t b)
{
	return (uint64_t)a - (uint64_t)b;
}

static size_t size_used(const struct window *w)
{
	return MIN(w->used, (uint16_t)WINDOW_BYTES);
}

/* The next number, and where it ends; NULL: there is none. */
static inline const uint8_t *take_varint(const uint8_t *p, const uint8_t *end, uint64_t *ret_v)
{
	uint64_t v = 0;

	for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
		uint8_t byte = *p++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_v = v;
			return p;
		}
	}
	return NULL;
}

/* The next point, and where it ends; NULL: there is none. Most have two numbers of two bytes: these
 * are taken at once, as walks of many points for every partition are what a pass takes long for. */
static inline const uint8_t *take_point(const uint8_t *p, const uint8_t *end, uint64_t *ret_ticks,
					uint64_t *ret_fall)
{
	uint32_t four = end - p >= 4 ? get_be32(p) : 0;

	if ((four & 0x80808080) == 0x80008000) {
		*ret_ticks = (four >> 24 & 0x7f) | (four >> 9 & 0x3f80);
		*ret_fall = (four >> 8 & 0x7f) | (four << 7 & 0x3f80);
		return p + 4;
	}
	p = take_varint(p, end, ret_ticks);
	return p == NULL ? NULL : take_varint(p, end, ret_fall);
}

struct window_cursor window_newest(const struct window *w)
{
	return (struct window_cursor){
		.point = {w->at_ms, w->value},
		.window = w,
		.valid = w->at_ms != 0,
	};
}

static inline bool step_back(struct window_cursor *c)
{
	const uint8_t *bytes = c->window->bytes;
	const uint8_t *end = bytes + size_used(c->window);
	uint64_t ticks = 0;
	uint64_t fall = 0;
	const uint8_t *next = c->valid ? take_point(bytes + c->next, end, &ticks, &fall) : NULL;

	c->valid = next != NULL;
	if (!c->valid)
		return false;
	c->next = (uint16_t)(next - bytes);
	c->point.at_ms = (int64_t)(((uint64_t)c->point.at_ms / TICK_MS - ticks) * TICK_MS);
	c->point.value = (int64_t)difference(c->point.value, (int64_t)unzigzag(fall));
	return true;
}

bool window_older(struct window_cursor *c)
{
	return step_back(c);
}

size_t window_points(const struct window *w, int64_t from_ms,
		     struct window_point ret_points[static WINDOW_POINTS_MAX])
{
	struct window_cursor c = window_newest(w);
	size_t n = 0;

	while (c.valid && c.point.at_ms >= from_ms) {
		ret_points[n++] = c.point;
		(void)step_back(&c);
	}
	return n;
}

/* Forget the oldest point: its two varints, found from the end. */
static void drop_oldest(struct window *w)
{
	for (int i = 0; i < 2; i++) {
		if (w->used > 0)
			w->used--;
		while (w->used > 0 && w->bytes[w->used - 1] >= 0x80)
			w->used--;
	}
	w->count--;
}

/* Forget the newest point of at least two. */
static void drop_newest(struct window *w)
{
	struct window_cursor c = window_newest(w);

	if (!window_older(&c))
		return;
	w->at_ms = c.point.at_ms;
	w->value = c.point.value;
	w->used = (uint16_t)(size_used(w) - c.next);
	w->count--;
	memmove(w->bytes, w->bytes + c.next, w->used);
}

static void push(struct window *w, int64_t at_ms, int64_t value)
{
	uint8_t pair[2 * VARINT_MAX];
	uint64_t ticks = (uint64_t)at_ms / TICK_MS - (uint64_t)w->at_ms / TICK_MS;
	size_t n = put_varint(pair, ticks);

	n += put_varint(pair + n, zigzag(difference(value, w->value)));
	w->used = (uint16_t)size_used(w);
	while (w->used + n > WINDOW_BYTES)
		drop_oldest(w);
	memmove(w->bytes + n, w->bytes, w->used);
	memcpy(w->bytes, pair, n);
	w->used = (uint16_t)(w->used + n);
}

/* Would the newest point lie between two others that are no more than gap_ms apart? */
static bool is_crowded(const struct window *w, int64_t at_ms, int64_t gap_ms)
{
	struct window_cursor c = window_newest(w);

	return window_older(&c) && (int64_t)difference(at_ms, c.point.at_ms) <= gap_ms;
}

void window_add(struct window *w, int64_t at_ms, int64_t value, int64_t gap_ms)
{
	if (w->at_ms != 0 && (at_ms <= w->at_ms || value == w->value))
		return;
	if (w->at_ms == 0) {
		window_clear(w);
	} else {
		if (is_crowded(w, at_ms, gap_ms))
			drop_newest(w);
		push(w, at_ms, value);
	}
	w->at_ms = at_ms;
	w->value = value;
	w->count++;
	memset(w->bytes + w->used, 0, WINDOW_BYTES - size_used(w));
}

void window_clear(struct window *w)
{
	*w = (struct window){0};
}

/* The newest point at or before a time; false: all are later, the oldest. */
static bool look_back(const struct window *w, int64_t at_ms, struct window_point *ret_p)
{
	const uint8_t *p = w->bytes;
	const uint8_t *end = p + size_used(w);
	uint64_t tick = (uint64_t)w->at_ms / TICK_MS;
	uint64_t ticks = 0;
	uint64_t fall = 0;

	*ret_p = (struct window_point){w->at_ms, w->value};
	while (ret_p->at_ms > at_ms) {
		p = take_point(p, end, &ticks, &fall);
		if (p == NULL)
			return false;
		tick -= ticks;
		ret_p->at_ms = (int64_t)(tick * TICK_MS);
		ret_p->value = (int64_t)difference(ret_p->value, (int64_t)unzigzag(fall));
	}
	return true;
}

struct window_point window_back(const struct window *w, int64_t at_ms)
{
	struct window_point p;

	(void)look_back(w, at_ms, &p);
	return p;
}

bool window_value_at(const struct window *w, int64_t at_ms, int64_t *ret_value)
{
	struct window_point p;

	if (w->at_ms == 0 || !look_back(w, at_ms, &p))
		return false;
	*ret_value = p.value;
	return true;
}

int64_t window_between(struct window_point before, struct window_point after, int64_t base,
		       int64_t gap_ms, int64_t step_ms)
{
	int64_t width_ms = (int64_t)difference(after.at_ms, before.at_ms);
	double part = ((double)base + 1 - (double)before.value) /
		      ((double)after.value - (double)before.value);

	if (width_ms > gap_ms)
		width_ms = MIN(width_ms, step_ms);
	if (width_ms <= 0 || !(part >= 0 && part <= 1))
		return after.at_ms;
	return (int64_t)difference(after.at_ms, (int64_t)((1 - part) * (double)width_ms));
}

bool window_passed(const struct window *w, int64_t base, int64_t gap_ms, int64_t step_ms,
		   int64_t *ret_at_ms)
{
	struct window_cursor c = window_newest(w);
	struct window_point after = c.point;

	while (step_back(&c)) {
		if (c.point.value <= base) {
			*ret_at_ms = window_between(c.point, after, base, gap_ms, step_ms);
			return true;
		}
		after = c.point;
	}
	*ret_at_ms = after.at_ms;
	return false;
}
