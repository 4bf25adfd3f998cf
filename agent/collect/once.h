/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* once - one pass of every cluster, printed as a table for people. */

#include <stdio.h>

#include "agent/collect/table.h"
#include "agent/config.h"
#include "common/base.h"

/* Sample all clusters, one after the other, and print them. Nothing is kept, nothing is sent.
 * ERR_BROKER if one of them did not answer: why not is on stderr. */
MUST_CHECK int once_run(const struct agent_config *cfg, FILE *out);

/* The rows of one table: group, topic, partition, committed, log end, lag, owner. */
void once_print(struct table *t, FILE *out);
