/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* explain_text - what explain_cmd.c has read, as lines for people. Times are UTC. */

#include "aggregator/judge/story.h"
#include "aggregator/store/past.h"

/* Who it is, what it is and since when. last_ms: the last pass. */
void explain_text_group(struct buf *out, const struct story_group *g,
			const struct past_standing *standing, int64_t last_ms);

/* One line a partition. */
void explain_text_table_head(struct buf *out);
void explain_text_row(struct buf *out, const struct story_partition *p);

/* Sentence, window, pace and rules of a partition. */
void explain_text_details(struct buf *out, const struct story_partition *p);

void explain_text_event(struct buf *out, const struct past_event *e);

void explain_text_lag_head(struct buf *out);
void explain_text_lag(struct buf *out, const struct story_lag *l);
