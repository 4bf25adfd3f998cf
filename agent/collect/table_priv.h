/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* table_priv - what the files table*.c share. */

#include "agent/collect/table.h"

/* It is to be told and saved, and is not gone. */
void table_changed(struct group *g);

/* A group that only ever was commits ends with the last of them. */
void table_end_if_empty(struct group *g);

/* Neither members nor protocol any more; its commits stay. */
void table_reset_group(struct group *g);

/* Mark a commit as gone, and its group if it was the last. */
void table_kill_commit(struct table *t, struct commit *e);

/* The entry of a commit that lives, made if need be; NULL, and counted, if it cannot be kept. */
struct commit *table_live_commit(struct table *t, uint32_t group, uint32_t topic,
				 int32_t partition);
