/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* silence_config - silences of the configuration as those that people make. */

#include "aggregator/alert/alert_config.h"
#include "aggregator/alert/silence.h"

/* The index-th of the configuration, which has been checked. Its id is of what it says, so that it
 * is the same after a start. */
void silence_config_get(const struct alert_config *config, size_t index, struct silence *ret_s);

/* Have all of them. What silences_fix() returns. */
MUST_CHECK int silence_config_fix(const struct alert_config *config, struct silences *silences);
