/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/http.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aggregator/serve/clients.h"
#include "aggregator/serve/headers.h"
#include "aggregator/serve/http_answer.h"
#include "aggregator/serve/listen.h"
#include "aggregator/serve/stream.h"
#include "aggregator/serve/tls.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

/* libmicrohttpd loses the events of a thread that has exactly 128 sockets ready, until its
 * time-out: no thread may have as many. */
#define THREADS 4
#define CONNECTIONS_MAX (THREADS * 120U)
#define CONNECTION_MEMORY ((size_t)32 * 1024) /* request line, headers and the buffers of one */
#define PARAMETERS_MAX 400                    /* of a query: there is no room for more */
#define COMPLAINTS_EVERY_MS 10000
#define FINISH_MS 2000 /* at the end, for answers that are being sent */
#define ASK_MS 15000   /* for a whole request, beyond the time that a client may be silent */

struct http {
	struct server *server; /* borrowed */
	struct MHD_Daemon *daemon;
	unsigned port;
	atomic_int_fast64_t next_complaint_ms; /* on the monotonic clock */
	atomic_uint_fast64_t complaints;       /* not logged since the last that was */
	struct clients *clients;
	bool certificates; /* clients must show one */
};

/* One request on its way through libmicrohttpd, which calls for it again and again. */
struct exchange {
	struct buf body;
	bool started;  /* called before: the headers have been looked at */
	uintptr_t end; /* where libmicrohttpd had the end of target */
	struct client *client;
	char target[];
};

/* --- connections --- */

/* Called before the socket is closed, so that no other file has its number yet. */
static void on_connection(void *arg, struct MHD_Connection *connection, void **state,
			  enum MHD_ConnectionNotificationCode what)
{
	const struct http *h = arg;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		*state = info != NULL ? clients_add(h->clients, info->connect_fd) : NULL;
	else if (*state != NULL)
		clients_remove(h->clients, *state);
}

static struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

/* --- requests --- */

/* For more parameters than it has room for libmicrohttpd has no room for an answer either, and
 * keeps the connection until it has been idle for long. */
static void end_if_no_room(const char *target, const struct client *client)
{
	size_t parameters = 0;

	for (const char *at = strchrnul(target, '?'); *at != '\0'; at++)
		parameters += *at == '&';
	if (parameters > PARAMETERS_MAX && client != NULL)
		shutdown(client->fd, SHUT_RDWR);
}

/* Called with the target as it came, before libmicrohttpd cuts and unescapes it. */
static void *begin_exchange(void *arg, const char *uri, struct MHD_Connection *connection)
{
	const char *target = uri != NULL ? uri : "";
	size_t size = strlen(target) + 1;
	struct exchange *x = malloc(sizeof(*x) + size);

	(void)arg;
	if (x == NULL)
		return NULL;
	*x = (struct exchange){.body = {.limit = REQUEST_BODY_MAX},
			       .end = (uintptr_t)uri + size - 1,
			       .client = client_of(connection)};
	memcpy(x->target, target, size);
	end_if_no_room(target, x->client);
	return x;
}

static void end_exchange(void *arg, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode why)
{
	const struct http *h = arg;
	struct exchange *x = *state;

	(void)connection;
	(void)why;
	if (x != NULL && x->client != NULL)
		clients_answered(h->clients, x->client);
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

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* The address of the client, IPv4 mapped into IPv6. */
static void put_address(struct MHD_Connection *connection, uint8_t from[static 16])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (info == NULL || info->client_addr == NULL)
		return;
	if (info->client_addr->sa_family == AF_INET6) {
		memcpy(&v6, info->client_addr, sizeof(v6));
		memcpy(from, &v6.sin6_addr, 16);
		return;
	}
	memcpy(&v4, info->client_addr, sizeof(v4));
	memset(from + 10, 0xff, 2);
	memcpy(from + 12, &v4.sin_addr, 4);
}

/* The name in the client's certificate, which is read once a connection; NULL: none. */
static const char *certificate_of(const struct http *h, struct MHD_Connection *connection,
				  struct client *client)
{
	if (!h->certificates || client == NULL)
		return NULL;
	if (!client->named) {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

		if (info == NULL || !tls_client_name(info->tls_session, client->certificate,
						     sizeof(client->certificate)))
			client->certificate[0] = '\0';
		client->named = true;
	}
	return client->certificate[0] != '\0' ? client->certificate : NULL;
}

static enum MHD_Result answer(const struct http *h, struct MHD_Connection *connection,
			      const char *method, const struct exchange *x)
{
	struct request rq = {.method = method_of(method),
			     .target = x->target,
			     .body = x->body.data != NULL ? x->body.data : "",
			     .body_size = x->body.size,
			     .authorization = header_of(connection, MHD_HTTP_HEADER_AUTHORIZATION),
			     .accept = header_of(connection, MHD_HTTP_HEADER_ACCEPT),
			     .accept_encoding =
				     header_of(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING),
			     .if_none_match = header_of(connection, MHD_HTTP_HEADER_IF_NONE_MATCH),
			     .last_event_id = header_of(connection, "Last-Event-ID"),
			     .certificate = certificate_of(h, connection, x->client)};
	struct response rs;

	put_address(connection, rq.from);
	server_handle(h->server, &rq, &rs);
	bool ok = http_answer(connection, &rs, server_config(h->server)->allow_origin, false);
	response_free(&rs);
	return ok ? MHD_YES : MHD_NO;
}

static enum MHD_Result refuse(const struct http *h, struct MHD_Connection *connection,
			      const struct exchange *x, int status, const char *message)
{
	const struct request rq = {.target = x->target};
	struct response rs;

	response_init(&rs);
	server_refuse(h->server, &rq, status, message, &rs);
	if (status == 405)
		snprintf(rs.allow, sizeof(rs.allow), "DELETE, GET, HEAD, OPTIONS, POST, PUT");
	bool ok = http_answer(connection, &rs, server_config(h->server)->allow_origin, true);
	response_free(&rs);
	return ok ? MHD_YES : MHD_NO;
}

/* --- the calls of libmicrohttpd --- */

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
				 size_t name_size, const char *value, size_t value_size)
{
	(void)kind;
	headers_add(arg, name, name_size, value, value_size);
	return MHD_YES;
}

/* The headers are there; nothing of the body is. */
static enum MHD_Result look_at_headers(const struct http *h, struct MHD_Connection *connection,
				       const char *method, const char *version, struct exchange *x)
{
	struct headers headers = headers_none();
	enum method m = method_of(method);

	x->started = true;
	/* libmicrohttpd takes a NUL in the line of the request for the end of the target: then
	 * there is more between the target and the version than the blank. */
	if ((uintptr_t)version != x->end + 1)
		return refuse(h, connection, x, 400, "the request line holds a NUL");
	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_header, &headers);
	const char *why = headers_wrong(&headers);
	if (why != NULL)
		return refuse(h, connection, x, 400, why);
	uint64_t size = headers.body_size;
	if (size == 0)
		return MHD_YES;
	if (m == METHOD_OTHER)
		return refuse(h, connection, x, 405, "there is no such method here");
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
	if (x == NULL) /* no memory for it */
		return MHD_NO;
	if (!x->started)
		return look_at_headers(h, connection, method, version, x);
	if (*size > 0) {
		buf_put(&x->body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (x->body.err != ERR_OK)
		return refuse(h, connection, x, x->body.err == ERR_LIMIT ? 413 : 503,
			      x->body.err == ERR_LIMIT ? "the body is too large"
						       : "no memory for the body");
	if (x->client != NULL)
		clients_asked(h->clients, x->client);
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

	if (strncmp(fmt, "Failed to send", 14) == 0)
		return; /* the client has left, as those of a stream do at some time */
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

/* --- start and stop --- */

static struct MHD_Daemon *start_daemon(struct http *h, const struct http_options *o, int fd)
{
	const struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)tls_retriever()},
		{MHD_OPTION_END, 0, NULL},
	};
	const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_USE_ITC |
			 MHD_ALLOW_SUSPEND_RESUME | (o->tls ? MHD_USE_TLS : 0U);

	/* The logger comes first, or what the others complain about is not seen. */
	return MHD_start_daemon(
		flags, 0, NULL, NULL, on_call, h, MHD_OPTION_EXTERNAL_LOGGER, on_complaint, h,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
		MHD_OPTION_CONNECTION_LIMIT,
		MAX(MIN(o->connections, CONNECTIONS_MAX), (unsigned)THREADS),
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connections_per_address,
		MHD_OPTION_CONNECTION_TIMEOUT, o->idle_timeout_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT,
		1, MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, h, MHD_OPTION_NOTIFY_COMPLETED,
		end_exchange, h, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, h,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_ARRAY,
		o->tls ? tls : plain, MHD_OPTION_END);
}

static void release(struct http *h)
{
	clients_free(&h->clients);
	free(h);
}

int http_start(const struct http_options *options, struct server *s, struct http **ret_h)
{
	int fd = -1;
	int err = listen_open(options->listen, &fd);

	if (err != ERR_OK)
		return err;
	struct http *h = calloc(1, sizeof(*h));
	err = h == NULL
		      ? -ENOMEM
		      : clients_new((int64_t)options->idle_timeout_s * 1000 + ASK_MS, &h->clients);
	if (err != ERR_OK) {
		close(fd);
		free(h);
		return err;
	}
	h->server = s;
	h->certificates = options->certificates;
	h->port = listen_port(fd);
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
	if (server_stream(gone->server) != NULL)
		stream_close(server_stream(gone->server));
	/* libmicrohttpd follows a null pointer when it is stopped while it refuses a request: it is
	 * stopped when there are no requests. */
	int fd = MHD_quiesce_daemon(gone->daemon);
	int64_t end = clock_mono_ms() + FINISH_MS;
	while (!clients_close_inward(gone->clients) && clock_mono_ms() < end)
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
