/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* incident_json - incidents, their steps and silences as JSON: for the API and for events. Times
 * are Unix time in ms; null is what is not known or has not been. */

#include "aggregator/alert/incident.h"
#include "aggregator/alert/silence.h"
#include "aggregator/judge/rules.h"
#include "common/json.h"

/* The members of an incident, without the braces. */
void incident_json_members(struct json *j, const struct incident *i,
			   const struct rules_label *labels, size_t label_count);

void incident_json_step(struct json *j, const struct incident_step *s);

void incident_json_silence(struct json *j, const struct silence *s);
