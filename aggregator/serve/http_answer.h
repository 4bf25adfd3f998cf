/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* http_answer - an answer on its way into libmicrohttpd: its bytes without a copy, its headers, and
 * what goes on as things happen. Of http.c alone. */

#include "aggregator/serve/request.h"

struct MHD_Connection;

/* Send rs; what is taken over is gone from it. allow_origin "": no such header. close: nothing that
 * follows on this connection can be trusted to be a request. False: the connection has to end. */
bool http_answer(struct MHD_Connection *connection, struct response *rs, const char *allow_origin,
		 bool close);
