/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/status.h"

static const char *const STATUS_NAMES[] = {
	[STATUS_NOTFOUND] = "NOTFOUND", [STATUS_OK] = "OK",     [STATUS_WARN] = "WARN",
	[STATUS_ERR] = "ERR",           [STATUS_STOP] = "STOP", [STATUS_STALL] = "STALL",
	[STATUS_REWIND] = "REWIND",
};

static const char *const REASON_NAMES[REASON_COUNT] = {
	[REASON_NONE] = "none",
	[REASON_NO_DATA] = "no_data",
	[REASON_WARMING_UP] = "warming_up",
	[REASON_OFFSET_BEYOND_END] = "offset_beyond_end",
	[REASON_DATA_LOSS] = "data_loss",
	[REASON_CAUGHT_UP] = "caught_up",
	[REASON_OPEN_TRANSACTION] = "open_transaction",
	[REASON_WENT_BACKWARDS] = "went_backwards",
	[REASON_NO_COMMITS] = "no_commits",
	[REASON_NO_MEMBERS] = "no_members",
	[REASON_NEVER_COMMITTED] = "never_committed",
	[REASON_UNASSIGNED] = "unassigned",
	[REASON_UNOWNED] = "unowned",
	[REASON_ABANDONED] = "abandoned",
	[REASON_NO_PROGRESS] = "no_progress",
	[REASON_REWIND_LOOP] = "rewind_loop",
	[REASON_FALLING_BEHIND] = "falling_behind",
	[REASON_TIME_LAG] = "time_lag",
	[REASON_CATCHING_UP] = "catching_up",
	[REASON_KEEPING_UP] = "keeping_up",
	[REASON_IGNORED] = "ignored",
};

const char *status_str(enum status s)
{
	return (size_t)s < ARRAY_LEN(STATUS_NAMES) ? STATUS_NAMES[s] : "NOTFOUND";
}

const char *reason_str(enum reason r)
{
	return (size_t)r < ARRAY_LEN(REASON_NAMES) ? REASON_NAMES[r] : "none";
}

enum status status_of_group(enum status worst_partition)
{
	return worst_partition > STATUS_ERR ? STATUS_ERR : worst_partition;
}
