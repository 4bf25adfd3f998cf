/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* config_silence - the part of the configuration under "alert.silences": windows of the week in
 * which nobody is told of some incidents. */

#include "common/conf.h"

/* The table of struct alert_silence. */
extern const struct conf_schema CONFIG_SILENCE;
