/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ship/window.h"

void window_start(struct window *w, uint64_t done)
{
	*w = (struct window){.done = done};
}

/* The bit of a number, 0 outside the window. */
static uint64_t bit(const struct window *w, uint64_t seq)
{
	if (seq <= w->done || seq - w->done > WINDOW_SIZE)
		return 0;
	return 1ull << (seq - w->done - 1);
}

uint64_t window_next(const struct window *w)
{
	uint64_t taken = w->ahead | w->flying;

	return taken == UINT64_MAX ? 0 : w->done + 1 + (uint64_t)__builtin_ctzll(~taken);
}

void window_send(struct window *w, uint64_t seq)
{
	w->flying |= bit(w, seq);
}

void window_again(struct window *w, uint64_t seq)
{
	w->flying &= ~bit(w, seq);
}

static void move(struct window *w)
{
	while (w->ahead & 1) {
		w->ahead >>= 1;
		w->flying >>= 1;
		w->done++;
	}
}

void window_finish(struct window *w, uint64_t seq)
{
	w->flying &= ~bit(w, seq);
	w->ahead |= bit(w, seq);
	move(w);
}

void window_raise(struct window *w, uint64_t floor)
{
	uint64_t by = floor > w->done + 1 ? floor - 1 - w->done : 0;

	w->ahead = by < WINDOW_SIZE ? w->ahead >> by : 0;
	w->flying = by < WINDOW_SIZE ? w->flying >> by : 0;
	w->done += by;
	move(w);
}
