/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/problem.h"

static const char *title(int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 422:
		return "Unprocessable Content";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 429:
		return "Too Many Requests";
	default:
		return "Service Unavailable";
	}
}

struct json problem_begin(struct response *rs, int status, const char *detail)
{
	response_free(rs);
	response_init(rs);
	rs->status = status;
	rs->type = "application/problem+json";

	struct json j = {.out = &rs->body};
	json_begin_object(&j);
	json_key(&j, "title");
	json_str(&j, title(status));
	json_key(&j, "status");
	json_int(&j, status);
	json_key(&j, "detail");
	json_str(&j, detail);
	return j;
}

void problem_end(struct json *j)
{
	json_end_object(j);
}

void problem_answer(struct response *rs, int status, const char *detail)
{
	struct json j = problem_begin(rs, status, detail);

	problem_end(&j);
}
