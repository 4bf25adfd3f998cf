/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/http_answer.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#include "aggregator/serve/stream.h"
#include "common/base.h"

#define STREAM_BLOCK ((size_t)8 * 1024) /* of a stream, at a time */

static void unref_body(void *arg)
{
	struct body *body = arg;

	body_unref(&body);
}

/* What an answer of two parts holds on to until it is sent. */
struct parts {
	char *own;
	struct body *shared;
};

static void free_parts(void *arg)
{
	struct parts *parts = arg;

	free(parts->own);
	body_unref(&parts->shared);
	free(parts);
}

static struct MHD_Response *response_of_parts(struct response *rs)
{
	struct parts *parts = malloc(sizeof(*parts));

	if (parts == NULL)
		return NULL;
	*parts = (struct parts){rs->body.data, rs->shared};
	const struct MHD_IoVec iov[] = {{rs->body.data, rs->body.size},
					{rs->shared->data, rs->shared->size}};
	struct MHD_Response *response =
		MHD_create_response_from_iovec(iov, ARRAY_LEN(iov), free_parts, parts);
	if (response == NULL) {
		free(parts);
		return NULL;
	}
	rs->body = (struct buf){.limit = 0};
	rs->shared = NULL;
	return response;
}

/* An answer that goes on as things happen. */
struct flow {
	struct MHD_Connection *connection;
	struct stream_reader *reader;
};

static void resume(void *arg)
{
	MHD_resume_connection(arg);
}

static ssize_t on_flow(void *arg, uint64_t position, char *out, size_t max)
{
	struct flow *flow = arg;
	ptrdiff_t size = stream_read(flow->reader, out, max);

	(void)position;
	if (size < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (size > 0)
		return size;
	MHD_suspend_connection(flow->connection);
	stream_await(flow->reader, resume, flow->connection);
	return 0;
}

static void free_flow(void *arg)
{
	struct flow *flow = arg;

	stream_reader_free(&flow->reader);
	free(flow);
}

static struct MHD_Response *response_of_stream(struct MHD_Connection *connection,
					       struct response *rs)
{
	struct flow *flow = malloc(sizeof(*flow));

	if (flow == NULL)
		return NULL;
	*flow = (struct flow){connection, rs->stream};
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_flow, flow, free_flow);
	if (response == NULL)
		free(flow);
	else
		rs->stream = NULL;
	return response;
}

/* rs's bytes without a copy; what is taken over is gone from rs. */
static struct MHD_Response *response_of(struct response *rs)
{
	struct MHD_Response *response = NULL;

	if (rs->shared != NULL && rs->body.size > 0)
		return response_of_parts(rs);
	if (rs->shared != NULL) {
		response = MHD_create_response_from_buffer_with_free_callback_cls(
			rs->shared->size, rs->shared->data, unref_body, rs->shared);
		if (response != NULL)
			rs->shared = NULL;
		return response;
	}
	response = MHD_create_response_from_buffer(rs->body.size, rs->body.data,
						   MHD_RESPMEM_MUST_FREE);
	if (response != NULL)
		rs->body = (struct buf){.limit = 0};
	return response;
}

static enum MHD_Result add_header(struct MHD_Response *response, const char *name,
				  const char *value)
{
	if (value == NULL || *value == '\0')
		return MHD_YES;
	return MHD_add_response_header(response, name, value);
}

static enum MHD_Result add_headers(struct MHD_Response *response,
				   const struct response_header *headers)
{
	for (; headers != NULL && headers->name != NULL; headers++) {
		if (add_header(response, headers->name, headers->value) != MHD_YES)
			return MHD_NO;
	}
	return MHD_YES;
}

bool http_answer(struct MHD_Connection *connection, struct response *rs, const char *allow_origin,
		 bool close)
{
	struct MHD_Response *response =
		rs->stream != NULL ? response_of_stream(connection, rs) : response_of(rs);
	char retry[16] = "";

	if (rs->retry_after_s > 0)
		snprintf(retry, sizeof(retry), "%u", rs->retry_after_s);
	if (response == NULL)
		return false;
	const char *location = rs->location.size > 0 ? buf_str(&rs->location) : NULL;
	const char *link = rs->link.size > 0 ? buf_str(&rs->link) : NULL;
	enum MHD_Result ok = MHD_YES;
	if (add_header(response, "Content-Type", rs->type) != MHD_YES ||
	    add_header(response, "Access-Control-Allow-Origin", allow_origin) != MHD_YES ||
	    add_header(response, "X-Content-Type-Options", rs->nosniff ? "nosniff" : NULL) !=
		    MHD_YES ||
	    add_header(response, "Allow", rs->allow) != MHD_YES ||
	    add_header(response, "WWW-Authenticate", rs->challenges[0]) != MHD_YES ||
	    add_header(response, "WWW-Authenticate", rs->challenges[1]) != MHD_YES ||
	    add_header(response, "Retry-After", retry) != MHD_YES ||
	    add_header(response, "ETag", rs->etag) != MHD_YES ||
	    add_header(response, "Link", link) != MHD_YES ||
	    add_headers(response, rs->headers) != MHD_YES ||
	    add_header(response, "Connection", close ? "close" : NULL) != MHD_YES ||
	    add_header(response, "Location", location) != MHD_YES)
		ok = MHD_NO;
	if (ok == MHD_YES)
		ok = MHD_queue_response(connection, (unsigned)rs->status, response);
	MHD_destroy_response(response);
	return ok == MHD_YES;
}
