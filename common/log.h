/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * log - one structured line an event, to stderr.
 *
 *	log_warn("batch refused", "agent=%s err=%s", agent, err_str(err));
 *
 * The message is constant, what varies follows as key=value. A value that may hold
 * spaces or quotes goes through log_quote(). Lines are limited by the caller: log a
 * change of state once, not each time it is seen. Any thread may log.
 */

#include "common/base.h"

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_AUDIT, /* of events alone: see log_audit() */
};
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* May be called again at any time, from any thread. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_format(enum log_format format);

void log_event(enum log_level level, const char *message, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_debug(...) log_event(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_event(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...) log_event(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_event(LOG_LEVEL_ERROR, __VA_ARGS__)

/* A line of level info that is written whatever the level: for who changed what. */
#define log_audit(...) log_event(LOG_LEVEL_AUDIT, __VA_ARGS__)

/* An error of its own for each line of text, as "what": mistakes come many at a time. */
void log_lines(const char *text, const char *message);

/* s as a logfmt value: bare if it is one plain word, quoted and escaped otherwise.
 * Static per-thread storage: four results live at a time. Never NULL. */
const char *log_quote(const char *s);
