/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <errno.h>

/*
 * err - the one error space of both daemons.
 *
 * A function that can fail returns 0, or one of these, always negative. What the
 * system reports is -errno. What a library reports is translated to one of these
 * in the one file that includes the library's header, and nowhere else.
 */

enum err {
	ERR_OK = 0,
	ERR_NOT_FOUND = -1000, /* no such key, group, or route: often not a failure */
	ERR_MALFORMED,         /* bytes from outside that do not parse */
	ERR_LIMIT,             /* over a configured limit; the caller should shed load */
	ERR_VERSION,           /* well formed, but of a version this build does not know */
	ERR_FULL,              /* the store's map is full; an operator must act */
	ERR_BROKER,            /* Kafka said no, or nothing */
	ERR_LINK,              /* agent and aggregator cannot talk */
	ERR_CONFIG,            /* the configuration file is wrong */
	ERR_TIMEOUT,           /* no answer before the deadline */
};

/* A static string for any code above or any -errno. Thread safe; never NULL. */
const char *err_str(int err);
