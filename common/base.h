/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * base - the compiler attributes and two-line macros every file may use.
 *
 * Nothing here has a .c file. If a helper needs one, it is its own module.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/* Run fn(&var) when var leaves its scope. fn must accept a zeroed var. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* One of the two is evaluated twice: no calls that do anything. */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
