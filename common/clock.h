/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* clock - the two clocks, in milliseconds. Pure code takes the time as a parameter instead. */

#include <stdint.h>

/* Unix time: for what is stored, shown or sent. May step. */
int64_t clock_wall_ms(void);

/* Never steps back: for timeouts and intervals. Its zero means nothing. */
int64_t clock_mono_ms(void);

/* The same in microseconds, for measuring. */
int64_t clock_mono_us(void);
