/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * throttle - how often each address has shown wrong credentials of late. Thread safe.
 *
 * An address that did so too often in a minute is blocked until that minute is over. Of IPv6 the
 * first 64 bits count, which is what one subscriber has. The memory is fixed: when it is full, the
 * address that has been quiet for longest is forgotten.
 */

#include "common/base.h"

#define THROTTLE_ADDRESS 16 /* bytes: IPv6, or IPv4 mapped into it */
#define THROTTLE_FAILURES 10
#define THROTTLE_WINDOW_MS 60000

struct throttle;

enum throttle_change {
	THROTTLE_SAME,
	THROTTLE_FIRST,   /* the first failure in a while */
	THROTTLE_BLOCKED, /* from now on */
};

/* NULL: no memory. */
struct throttle *throttle_new(void);
void throttle_free(struct throttle **t);

/* Milliseconds until the address is no longer blocked; 0 if it is not. */
int64_t throttle_blocked_ms(struct throttle *t, const uint8_t from[static THROTTLE_ADDRESS],
			    int64_t now_ms);

/* The address has failed once more. */
enum throttle_change throttle_failed(struct throttle *t,
				     const uint8_t from[static THROTTLE_ADDRESS], int64_t now_ms);
