/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * wire_priv - what both ways of wire need: the generated structs, and how columns hold differences.
 *
 * Differences wrap around like unsigned numbers, on both sides: so every value makes the
 * way there and back, nothing overflows, and the reader checks what comes out.
 */

#include "proto/wire.h"
#include "warren.pb-c.h"

static inline int64_t plus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t minus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}
