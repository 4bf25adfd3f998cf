/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* config_burrow - the options of Burrow's notifiers, under "burrow" of a receiver. */

#include "common/conf.h"

/* The table of struct alert_burrow. */
extern const struct conf_schema CONFIG_BURROW;
