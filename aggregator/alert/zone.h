/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * zone - a time zone of the system's database by its name. The C library knows one zone a process,
 * and changing it is for no thread; this reads the files itself. Immutable once loaded.
 */

#include "common/base.h"

struct zone;

/* "UTC", "Europe/Berlin". Caller frees *ret_z with zone_free(). ERR_NOT_FOUND: there is no zone of
 * that name on this machine (is tzdata installed?); ERR_MALFORMED: its file is none. */
MUST_CHECK int zone_new(const char *name, struct zone **ret_z);
void zone_free(struct zone **z);

/* The same of the bytes of such a file, see tzfile(5). ERR_MALFORMED: they are none. */
MUST_CHECK int zone_parse(const void *data, size_t size, struct zone **ret_z);

/* Seconds that its clocks are ahead of UTC at a Unix time. */
int zone_offset_s(const struct zone *z, int64_t unix_s);

/* Day of the week, 0 Monday, and minute of the day by its clocks. */
void zone_local(const struct zone *z, int64_t unix_ms, int *ret_weekday, int *ret_minute);
