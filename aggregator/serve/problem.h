/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* problem - errors of the API in the form of RFC 9457. */

#include "aggregator/serve/request.h"
#include "common/json.h"

/* Make rs the answer; what it held is gone. detail is one sentence for people. */
void problem_answer(struct response *rs, int status, const char *detail);

/* The same with members of the caller's own, written between these two. */
struct json problem_begin(struct response *rs, int status, const char *detail);
void problem_end(struct json *j);
