/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* config_receiver - the part of the configuration under "alert.receivers": who can be told. */

#include "common/conf.h"

struct alert_receiver;
struct alert_tls;

/* The tables of struct alert_receiver and struct alert_tls. */
extern const struct conf_schema CONFIG_RECEIVER;
extern const struct conf_schema CONFIG_RECEIVER_TLS;

/* The words of enum alert_method, with a NULL at the end. */
extern const char *const CONFIG_RECEIVER_METHODS[];

/* Take the relative names of files from the directory of the file at path. */
void config_receiver_place(const char *path, struct alert_receiver *r);
void config_receiver_place_tls(const char *path, struct alert_tls *tls);
