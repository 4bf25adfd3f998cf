/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* metrics_agents - how agents fare: little text that depends on the time, so it is made for each
 * scrape. */

#include "aggregator/serve/metrics_text.h"

/* Of each cluster, as its agent reports it. */
void metrics_agents_clusters(struct metrics_text *t, struct view *const *views, size_t count);

/* Of each agent for all its clusters together: only for who sees all of these. */
void metrics_agents_links(struct metrics_text *t, const struct server_calls *calls,
			  struct view *const *views, size_t count);
