/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* admin - who may change things: the one that knows the token of http.admin_token_file. */

#include "aggregator/serve/server.h"

/* Whether the request may administrate. If not, rs is the refusal. */
bool admin_allowed(const struct server *s, const struct request *rq, struct response *rs);
