/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* alarm_points - the lag of an incident's group over time, for the picture in a mail. */

#include "aggregator/alert/deliver.h"

/* As deliver_options.points; arg is the struct store. Any thread. */
size_t alarm_points(void *arg, const struct incident *i, int64_t from_ms, int64_t to_ms,
		    struct picture_point *ret_points, size_t max);
