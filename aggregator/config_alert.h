/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* config_alert - the part of the configuration under "alert": who is told of what, and how. */

#include "common/buf.h"
#include "common/conf.h"

struct alert_config;

/* The table of struct alert_config. */
extern const struct conf_schema CONFIG_ALERT;

/* Take the relative names of files from the directory of the file at path. */
void config_alert_place(const char *path, struct alert_config *alert);

/* Whether the files with secrets can be read, and by nobody else. ERR_CONFIG, and the reasons in
 * errors, if not. */
MUST_CHECK int config_alert_secrets(const struct alert_config *alert, struct buf *errors);
