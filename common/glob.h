/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* glob - shell-like patterns over whole names: * any run, ? any character, [a-z] a class.
 * A slash is an ordinary character. Linear in practice: no recursion, no exponential case. */

#include "common/base.h"

bool glob_match(const char *pattern, const char *name);

/* Deny lists win over allow lists; an empty allow list allows all. */
bool glob_allowed(char *const *allow, size_t allow_count, char *const *deny, size_t deny_count,
		  const char *name);
