/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/admin.h"

#include <string.h>
#include <strings.h>

#include "aggregator/serve/problem.h"
#include "common/secret.h"

static const char SCHEME[] = "Bearer ";

bool admin_allowed(const struct server *s, const struct request *rq, struct response *rs)
{
	const char *token = server_config(s)->admin_token;
	const char *given = rq->authorization;

	if (*token == '\0') {
		problem_answer(rs, 403,
			       "this changes the aggregator, and nobody may: set "
			       "http.admin_token_file in aggregator.yaml and restart");
		return false;
	}
	if (given == NULL || strncasecmp(given, SCHEME, strlen(SCHEME)) != 0) {
		problem_answer(rs, 401,
			       "this needs the header \"Authorization: Bearer TOKEN\" with the "
			       "token that http.admin_token_file holds");
		return false;
	}
	given += strlen(SCHEME);
	if (!secret_same(given + strspn(given, " "), token)) {
		problem_answer(rs, 403,
			       "the token is not the one that http.admin_token_file holds");
		return false;
	}
	return true;
}
