/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ship/flight.h"

void flight_start(struct flight *f, uint64_t done)
{
	*f = (struct flight){.done = done};
}

/* The bit of a number, 0 outside. */
static uint64_t bit(const struct flight *f, uint64_t seq)
{
	if (seq <= f->done || seq - f->done > FLIGHT_SIZE)
		return 0;
	return 1ull << (seq - f->done - 1);
}

uint64_t flight_next(const struct flight *f)
{
	uint64_t taken = f->ahead | f->flying;

	return taken == UINT64_MAX ? 0 : f->done + 1 + (uint64_t)__builtin_ctzll(~taken);
}

void flight_send(struct flight *f, uint64_t seq)
{
	f->flying |= bit(f, seq);
}

void flight_again(struct flight *f, uint64_t seq)
{
	f->flying &= ~bit(f, seq);
}

static void move(struct flight *f)
{
	while (f->ahead & 1) {
		f->ahead >>= 1;
		f->flying >>= 1;
		f->done++;
	}
}

void flight_finish(struct flight *f, uint64_t seq)
{
	f->flying &= ~bit(f, seq);
	f->ahead |= bit(f, seq);
	move(f);
}

void flight_raise(struct flight *f, uint64_t floor)
{
	uint64_t by = floor > f->done + 1 ? floor - 1 - f->done : 0;

	f->ahead = by < FLIGHT_SIZE ? f->ahead >> by : 0;
	f->flying = by < FLIGHT_SIZE ? f->flying >> by : 0;
	f->done += by;
	move(f);
}
