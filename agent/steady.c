/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/steady.h"

#include <pthread.h>
#include <time.h>

#include "common/base.h"
#include "common/clock.h"

/* Bring the offset nearer to the wall clock, by so much as the time since the last look allows. */
static void slew(struct steady *s, int64_t wall_ms, int64_t mono_ms)
{
	int64_t ahead_ms = wall_ms - (mono_ms + s->offset_ms);
	int64_t most_ms = (mono_ms - s->slewed_ms) / STEADY_SLEW;

	if (most_ms <= 0)
		return;
	s->offset_ms += ahead_ms > 0 ? MIN(ahead_ms, most_ms) : MAX(ahead_ms, -most_ms);
	s->slewed_ms = mono_ms;
}

int64_t steady_next(struct steady *s, int64_t wall_ms, int64_t mono_ms)
{
	if (s->told_ms == 0 || wall_ms - (mono_ms + s->offset_ms) > STEADY_JUMP_MS) {
		s->offset_ms = wall_ms - mono_ms;
		s->slewed_ms = mono_ms;
	}
	slew(s, wall_ms, mono_ms);
	s->told_ms = MAX(s->told_ms, mono_ms + s->offset_ms);
	return s->told_ms;
}

int64_t steady_ms(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct steady now;
	struct timespec t;

	pthread_mutex_lock(&lock);
	clock_gettime(CLOCK_BOOTTIME, &t);
	int64_t at_ms =
		steady_next(&now, clock_wall_ms(), (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
	pthread_mutex_unlock(&lock);
	return at_ms;
}
