/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/http.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

/* libmicrohttpd loses the events of a thread that has exactly 128 sockets ready, until its
 * time-out: no thread may have as many. */
#define THREADS 4
#define CONNECTIONS_MAX (THREADS * 120U)
#define CONNECTION_MEMORY ((size_t)32 * 1024) /* request line, headers and the buffers of one */
#define BACKLOG 128
#define COMPLAINTS_EVERY_MS 10000
#define FINISH_MS 2000 /* at the end, for answers that are being sent */

struct http {
	struct server *server; /* borrowed */
	struct MHD_Daemon *daemon;
	unsigned port;
	atomic_int_fast64_t next_complaint_ms; /* on the monotonic clock */
	atomic_uint_fast64_t complaints;       /* not logged since the last that was */

	pthread_mutex_t mtx;
	int sockets[CONNECTIONS_MAX]; /* under mtx; of the connections there are */
	size_t socket_count;          /* under mtx */
};

/* One request on its way through libmicrohttpd, which calls for it again and again. */
struct exchange {
	struct buf body;
	bool started; /* called before: the headers have been looked at */
	char target[];
};

/* --- requests --- */

/* Called with the target as it came, before libmicrohttpd cuts and unescapes it. */
static void *begin_exchange(void *arg, const char *uri, struct MHD_Connection *connection)
{
	const char *target = uri != NULL ? uri : "";
	size_t size = strlen(target) + 1;
	struct exchange *x = malloc(sizeof(*x) + size);

	(void)arg;
	(void)connection;
	if (x == NULL)
		return NULL;
	*x = (struct exchange){.body = {.limit = REQUEST_BODY_MAX}};
	memcpy(x->target, target, size);
	return x;
}

static void end_exchange(void *arg, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *state;

	(void)arg;
	(void)connection;
	(void)why;
	if (x != NULL)
		buf_free(&x->body);
	free(x);
	*state = NULL;
}

/* The target is taken apart and unescaped in route.c. */
static size_t leave_escaped(void *arg, struct MHD_Connection *connection, char *s)
{
	(void)arg;
	(void)connection;
	return strlen(s);
}

static enum method method_of(const char *name)
{
	static const struct {
		const char *name;
		enum method method;
	} METHODS[] = {
		{"GET", METHOD_GET},   {"DELETE", METHOD_DELETE},   {"POST", METHOD_POST},
		{"HEAD", METHOD_HEAD}, {"OPTIONS", METHOD_OPTIONS}, {"PUT", METHOD_PUT},
	};

	for (size_t i = 0; i < ARRAY_LEN(METHODS); i++) {
		if (strcmp(name, METHODS[i].name) == 0)
			return METHODS[i].method;
	}
	return METHOD_OTHER;
}

/* --- answers --- */

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

static enum MHD_Result send_answer(const struct http *h, struct MHD_Connection *connection,
				   struct response *rs)
{
	struct MHD_Response *response = response_of(rs);

	if (response == NULL)
		return MHD_NO;
	const char *location = rs->location.size > 0 ? buf_str(&rs->location) : NULL;
	enum MHD_Result ok = MHD_YES;
	if (add_header(response, "Content-Type", rs->type) != MHD_YES ||
	    add_header(response, "Access-Control-Allow-Origin",
		       server_config(h->server)->allow_origin) != MHD_YES ||
	    add_header(response, "X-Content-Type-Options", rs->nosniff ? "nosniff" : NULL) !=
		    MHD_YES ||
	    add_header(response, "Allow", rs->allow) != MHD_YES ||
	    add_header(response, "WWW-Authenticate", rs->status == 401 ? "Bearer" : NULL) !=
		    MHD_YES ||
	    add_header(response, "Location", location) != MHD_YES)
		ok = MHD_NO;
	if (ok == MHD_YES)
		ok = MHD_queue_response(connection, (unsigned)rs->status, response);
	MHD_destroy_response(response);
	return ok;
}

static enum MHD_Result answer(const struct http *h, struct MHD_Connection *connection,
			      const char *method, const struct exchange *x)
{
	struct request rq = {.method = method_of(method),
			     .target = x->target,
			     .body = x->body.data != NULL ? x->body.data : "",
			     .body_size = x->body.size,
			     .authorization = MHD_lookup_connection_value(
				     connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION)};
	struct response rs;

	server_handle(h->server, &rq, &rs);
	enum MHD_Result ok = send_answer(h, connection, &rs);
	response_free(&rs);
	return ok;
}

static enum MHD_Result refuse(const struct http *h, struct MHD_Connection *connection,
			      const struct exchange *x, int status, const char *message)
{
	const struct request rq = {.target = x->target};
	struct response rs;

	response_init(&rs);
	server_refuse(h->server, &rq, status, message, &rs);
	enum MHD_Result ok = send_answer(h, connection, &rs);
	response_free(&rs);
	return ok;
}

/* --- the calls of libmicrohttpd --- */

/* Bytes of body announced; UINT64_MAX if they come in chunks and are not. libmicrohttpd has checked
 * that the header is a number. */
static uint64_t announced(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);

	if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
					MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL)
		return UINT64_MAX;
	return length != NULL ? strtoull(length, NULL, 10) : 0;
}

/* The headers are there; nothing of the body is. */
static enum MHD_Result look_at_headers(const struct http *h, struct MHD_Connection *connection,
				       const char *method, struct exchange *x)
{
	uint64_t size = announced(connection);
	enum method m = method_of(method);

	x->started = true;
	if (size == 0)
		return MHD_YES;
	if (m != METHOD_POST && m != METHOD_PUT && m != METHOD_DELETE)
		return refuse(h, connection, x, 400, "a request with this method has no body");
	if (size > REQUEST_BODY_MAX && size != UINT64_MAX)
		return refuse(h, connection, x, 413, "the body is too large");
	return MHD_YES;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are the library's. */
static enum MHD_Result on_call(void *arg, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *size, void **state)
{
	const struct http *h = arg;
	struct exchange *x = *state;

	(void)url;
	(void)version;
	if (x == NULL) /* no memory for it */
		return MHD_NO;
	if (!x->started)
		return look_at_headers(h, connection, method, x);
	if (*size > 0) {
		buf_put(&x->body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (x->body.err != ERR_OK)
		return refuse(h, connection, x, x->body.err == ERR_LIMIT ? 413 : 503,
			      x->body.err == ERR_LIMIT ? "the body is too large"
						       : "no memory for the body");
	return answer(h, connection, method, x);
}

/* libmicrohttpd complains once for each connection over a limit, which a client could make a flood
 * of: one line in a while says how many there were. */
static PRINTF_LIKE(2, 0) void on_complaint(void *arg, const char *fmt, va_list args)
{
	struct http *h = arg;
	char text[256];
	int64_t now = clock_mono_ms();
	int_fast64_t due = atomic_load(&h->next_complaint_ms);

	if (now < due || !atomic_compare_exchange_strong(&h->next_complaint_ms, &due,
							 now + COMPLAINTS_EVERY_MS)) {
		atomic_fetch_add(&h->complaints, 1);
		return;
	}
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\r\n")] = '\0';
	log_warn("HTTP library complains", "text=%s more_since_last=%llu", log_quote(text),
		 (unsigned long long)atomic_exchange(&h->complaints, 0));
}

/* --- the connections there are --- */

static void add_socket(struct http *h, int fd)
{
	if (h->socket_count < ARRAY_LEN(h->sockets))
		h->sockets[h->socket_count++] = fd;
}

static void remove_socket(struct http *h, int fd)
{
	for (size_t i = 0; i < h->socket_count; i++) {
		if (h->sockets[i] == fd) {
			h->sockets[i] = h->sockets[--h->socket_count];
			return;
		}
	}
}

/* Called before the socket is closed, so that no other file has its number yet. */
static void on_connection(void *arg, struct MHD_Connection *connection, void **state,
			  enum MHD_ConnectionNotificationCode what)
{
	struct http *h = arg;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	(void)state;
	if (info == NULL)
		return;
	pthread_mutex_lock(&h->mtx);
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		add_socket(h, info->connect_fd);
	else
		remove_socket(h, info->connect_fd);
	pthread_mutex_unlock(&h->mtx);
}

/* Let no more requests come in: connections that are answered end after it, the others now.
 * True when there are none. */
static bool close_inward(struct http *h)
{
	pthread_mutex_lock(&h->mtx);
	for (size_t i = 0; i < h->socket_count; i++)
		shutdown(h->sockets[i], SHUT_RD);
	bool none = h->socket_count == 0;
	pthread_mutex_unlock(&h->mtx);
	return none;
}

/* --- start and stop --- */

/* Cut "address:port" or "[address]:port"; a missing address is any. */
static int parse_listen(const char *listen, struct addrinfo **ret_list)
{
	char host[64];
	const char *colon = strrchr(listen, ':');
	size_t size = colon != NULL ? (size_t)(colon - listen) : 0;

	if (colon == NULL || size >= sizeof(host))
		return ERR_CONFIG;
	bool brackets = size >= 2 && listen[0] == '[' && listen[size - 1] == ']';
	snprintf(host, sizeof(host), "%.*s", (int)(brackets ? size - 2 : size), listen + brackets);
	if (!brackets && strchr(host, ':') != NULL)
		return ERR_CONFIG;
	const struct addrinfo hints = {.ai_family = host[0] == '\0' ? AF_INET6 : AF_UNSPEC,
				       .ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	if (getaddrinfo(host[0] != '\0' ? host : NULL, colon + 1, &hints, ret_list) != 0)
		return ERR_CONFIG;
	return ERR_OK;
}

static int bind_and_listen(int fd, const struct addrinfo *to)
{
	const int on = 1;
	const int off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return -errno;
	if (to->ai_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0)
		return -errno;
	if (bind(fd, to->ai_addr, to->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
		return -errno;
	return ERR_OK;
}

static int open_socket(const char *listen, int *ret_fd)
{
	struct addrinfo *to = NULL;
	int err = parse_listen(listen, &to);

	if (err != ERR_OK)
		return err;
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fd < 0 ? -errno : bind_and_listen(fd, to);
	freeaddrinfo(to);
	if (err == ERR_OK)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return err;
}

static unsigned port_of(int fd)
{
	struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof(at);
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (getsockname(fd, (struct sockaddr *)&at, &size) != 0)
		return 0;
	memcpy(&v4, &at, sizeof(v4));
	memcpy(&v6, &at, sizeof(v6));
	return ntohs(at.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

static struct MHD_Daemon *start_daemon(struct http *h, const struct http_options *o, int fd)
{
	/* The logger comes first, or what the others complain about is not seen. */
	return MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_USE_ITC, 0, NULL, NULL,
		on_call, h, MHD_OPTION_EXTERNAL_LOGGER, on_complaint, h, MHD_OPTION_LISTEN_SOCKET,
		fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS, MHD_OPTION_CONNECTION_LIMIT,
		MAX(MIN(o->connections, CONNECTIONS_MAX), (unsigned)THREADS),
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connections_per_address,
		MHD_OPTION_CONNECTION_TIMEOUT, o->idle_timeout_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT,
		1, MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, h, MHD_OPTION_NOTIFY_COMPLETED,
		end_exchange, h, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, h,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
}

static void release(struct http *h)
{
	pthread_mutex_destroy(&h->mtx);
	free(h);
}

int http_start(const struct http_options *options, struct server *s, struct http **ret_h)
{
	int fd = -1;
	int err = open_socket(options->listen, &fd);

	if (err != ERR_OK)
		return err;
	struct http *h = calloc(1, sizeof(*h));
	if (h == NULL) {
		close(fd);
		return -ENOMEM;
	}
	pthread_mutex_init(&h->mtx, NULL);
	h->server = s;
	h->port = port_of(fd);
	h->daemon = start_daemon(h, options, fd);
	if (h->daemon == NULL) { /* it has closed the socket */
		release(h);
		return -ENOMEM;
	}
	*ret_h = h;
	return ERR_OK;
}

void http_stop(struct http **h)
{
	struct http *gone = *h;

	*h = NULL;
	if (gone == NULL)
		return;
	/* libmicrohttpd follows a null pointer when it is stopped while it refuses a request: it is
	 * stopped when there are no requests. */
	int fd = MHD_quiesce_daemon(gone->daemon);
	int64_t end = clock_mono_ms() + FINISH_MS;
	while (!close_inward(gone) && clock_mono_ms() < end)
		usleep(2000);
	MHD_stop_daemon(gone->daemon);
	if (fd >= 0)
		close(fd);
	release(gone);
}

unsigned http_port(const struct http *h)
{
	return h->port;
}
