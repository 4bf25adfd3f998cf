/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * steady - the agent's own time: Unix time that never steps. The time of passes, of commits'
 * arrival, and by which the spool grows old.
 *
 * It begins with the wall clock, goes on with one that nobody sets (and that counts while the
 * machine sleeps), and follows the wall clock from afar: a tenth faster or slower until both agree
 * again. So a wall clock that is set by an hour makes no hour of silence, and no hour that comes
 * twice. One that is found to be ahead by more than a day was wrong before: then it is followed at
 * once. Backwards it is never followed at once.
 */

#include <stdint.h>

#define STEADY_SLEW 10 /* one part in so many, faster or slower */
#define STEADY_JUMP_MS 86400000

/* Now, in ms. Any thread; never less than what any thread was told before. */
int64_t steady_ms(void);

struct steady {
	int64_t told_ms;   /* last; 0: nothing yet */
	int64_t offset_ms; /* from the clock that is never set to ours */
	int64_t slewed_ms; /* by that clock: when the offset was last looked at */
};

/* The same with the clocks given: the wall clock, and one that is never set. */
int64_t steady_next(struct steady *s, int64_t wall_ms, int64_t mono_ms);
