/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* rules_api - the rules as they are loaded, what they say of one place, and loading them again. */

#include "aggregator/judge/rules.h"
#include "aggregator/serve/server.h"
#include "common/json.h"

void rules_api_list(struct server *s, const struct request *rq, struct response *rs);
void rules_api_reload(struct server *s, const struct request *rq, struct response *rs);

/* Of a group, or with ?topic= and ?partition= of a part of it, known or not; ?env= tells clusters
 * of one name apart. */
void rules_api_group(struct server *s, const struct request *rq, struct response *rs);

/* An object: every key with its value and where that comes from. */
void rules_api_put(struct json *j, const struct rules_set *s, const struct rules_found *f);
