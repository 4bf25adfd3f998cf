/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* thread - waiting for the end of a thread, but not for ever. */

#include <pthread.h>
#include <time.h>

#include "common/base.h"
#include "common/clock.h"

/* False: it has not ended within timeout_ms. After true the thread is joined. */
static inline bool thread_join(pthread_t thread, int timeout_ms)
{
	int64_t until = clock_mono_ms() + timeout_ms;

	while (pthread_tryjoin_np(thread, NULL) != 0) {
		if (clock_mono_ms() >= until)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return true;
}
