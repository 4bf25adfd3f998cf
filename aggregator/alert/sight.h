/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* sight - what a view shows of a group or a cluster, as incidents see it. */

#include "aggregator/alert/incident.h"
#include "aggregator/judge/view.h"

/* The texts of *ret_s are the view's, and sentence. */
void sight_of_group(const struct view *v, const struct view_group *g,
		    char sentence[static INCIDENT_TEXT_MAX], struct incident_sight *ret_s);

/* STATUS_OK: it is seen. Otherwise nothing is heard of it. */
void sight_of_cluster(const struct view *v, enum status status, int64_t at_ms,
		      struct incident_sight *ret_s);
