/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of the link in one process, over loopback; peers that misbehave are raw sockets. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/ship/link.h"
#include "aggregator/ingest/link.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/frame.h"
#include "proto/wire.h"

/* nng 1.5 loses a dialer now and then that is closed in the moment it connects. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libnng";
}

#define TRIPS 1000
#define PATIENCE_MS 20000
#define BUSY "busy"

/* ---------------------------------------------------------------- raw sockets */

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A listening socket; its port is put into *ret_port. */
static int raw_listen(int *ret_port)
{
	struct sockaddr_in at = loopback(0);
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static int free_port(void)
{
	int port;

	close(raw_listen(&port));
	return port;
}

/* Somebody listens on the port. */
static bool raw_is_open(int port)
{
	struct sockaddr_in at = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int rc = connect(fd, (struct sockaddr *)&at, sizeof(at));

	close(fd);
	return rc == 0;
}

static int raw_connect(int port)
{
	struct sockaddr_in at = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval patience = {.tv_sec = 5};
	int small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void raw_send(int fd, const void *data, size_t size)
{
	(void)!send(fd, data, size, MSG_NOSIGNAL);
}

/* The peer has closed, or does within five seconds; what it sends until then is dropped. */
static bool raw_is_closed(int fd)
{
	char bytes[4096];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

/* A connection that has said, as nng's own do, that it is the request side. */
static int raw_request_side(int port)
{
	int fd = raw_connect(port);
	char hello[8];

	raw_send(fd, "\0SP\0\0\x30\0\0", 8);
	assert_int_equal(recv(fd, hello, sizeof(hello), MSG_WAITALL), 8);
	return fd;
}

/* A request of size bytes, of which the first ones are the number nng puts there. */
static void raw_request(int fd, uint64_t size)
{
	uint8_t bytes[8 + 4 + 64] = {0};
	uint64_t be = htobe64(size);

	memcpy(bytes, &be, 8);
	bytes[8] = 0x80;
	raw_send(fd, bytes, 8 + MIN(size, (uint64_t)(4 + 64)));
}

/* ---------------------------------------------------------------- an aggregator that echoes */

static const struct ingest_link_limits LIMITS = {
	.bytes = 16u << 20,
	.messages = 1000,
	.connections = 1000,
	.idle_ms = 60000,
	.busy = BUSY,
	.busy_size = sizeof(BUSY) - 1,
};

struct server {
	int port;
	struct ingest_link *link;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint seen[TRIPS]; /* how often request i has come */
	size_t reply_size;       /* 0: as it came */
	struct ingest_message last;
};

static struct ingest_link *listen_on(int port, struct ingest_link_limits limits)
{
	CLEANUP(buf_free) struct buf why = {0};
	struct ingest_link *l = NULL;
	char url[64];
	const struct ingest_listen listen = {.url = url};

	snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", port);
	int err = ingest_link_open(&listen, 1, &limits, &why, &l);
	if (err != ERR_OK)
		fail_msg("%s", buf_str(&why));
	return l;
}

static void serve(struct server *s, struct ingest_message *m)
{
	static char large[65536];
	uint32_t number = 0;

	if (m->size >= sizeof(number))
		memcpy(&number, m->data, sizeof(number));
	if (number < TRIPS)
		s->seen[number]++;
	s->last = *m;
	if (s->reply_size != 0)
		ingest_link_reply(m, large, s->reply_size);
	else
		ingest_link_reply(m, m->data, m->size);
}

static void *server_loop(void *arg)
{
	struct server *s = arg;

	while (!s->stop) {
		struct ingest_message *next, *m = ingest_link_take(s->link, 1000);

		for (; m != NULL; m = next) {
			next = m->next;
			serve(s, m);
		}
	}
	return NULL;
}

static void server_start(struct server *s, struct ingest_link_limits limits)
{
	s->stop = false;
	s->link = listen_on(s->port, limits);
	assert_int_equal(pthread_create(&s->thread, NULL, server_loop, s), 0);
}

static void server_stop(struct server *s)
{
	s->stop = true;
	ingest_link_wake(s->link);
	pthread_join(s->thread, NULL);
	ingest_link_close(s->link);
}

static struct server *server_new(struct ingest_link_limits limits)
{
	struct server *s = calloc(1, sizeof(*s));

	s->port = free_port();
	server_start(s, limits);
	return s;
}

static void server_free(struct server *s)
{
	server_stop(s);
	free(s);
}

/* The same in a process of its own, which can be killed: "test_link --serve PORT". */
static pid_t start_process(int port)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", port);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* do not outlive a test that fails */
		execl("/proc/self/exe", "test_link", "--serve", text, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	for (int i = 0; i < 500 && !raw_is_open(port); i++)
		usleep(10000);
	return pid;
}

static void stop_process(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int serve_until_killed(int port)
{
	struct server *s = calloc(1, sizeof(*s));

	s->port = port;
	s->link = listen_on(port, LIMITS);
	server_loop(s);
	return 1;
}

/* ---------------------------------------------------------------- an agent */

static struct link *connect_to(int port, struct link_times times)
{
	struct link *l = NULL;
	char url[64];

	snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", port);
	assert_int_equal(link_open(url, times, NULL, &l), ERR_OK);
	return l;
}

/* Wait for an event of this kind; others are passed over. */
static struct link_event await(struct link *l, enum link_event_kind kind)
{
	int64_t end = clock_mono_ms() + PATIENCE_MS;
	struct link_event e;

	do {
		link_wait(l, 1000, &e);
		if (clock_mono_ms() > end)
			fail_msg("no event %d", kind);
	} while (e.kind != kind);
	return e;
}

/* Request number, of a size that depends on it. */
static void send_number(struct link *l, unsigned int slot, uint32_t number)
{
	static uint8_t body[20000];

	memcpy(body, &number, sizeof(number));
	assert_int_equal(link_send(l, slot, body, sizeof(number) + number * 7919 % 15000), ERR_OK);
}

static void check_reply(const struct link_event *e, uint32_t number)
{
	uint32_t got = 0;

	assert_int_equal(e->size, sizeof(number) + number * 7919 % 15000);
	memcpy(&got, e->data, sizeof(got));
	assert_int_equal(got, number);
}

static void one_trip(struct link *l)
{
	send_number(l, 0, 7);
	struct link_event e = await(l, LINK_REPLY);
	check_reply(&e, 7);
}

/* All TRIPS requests over all slots. At number break_at, if it is not 0, an aggregator in another
 * process is killed and a new one started. Returns how often the connection was lost. */
static unsigned int many_trips(struct link *l, uint32_t break_at, pid_t *other, int port)
{
	uint32_t in_slot[LINK_SLOTS], next = 0, done = 0;
	unsigned int downs = 0;

	for (; next < LINK_SLOTS; next++) {
		in_slot[next] = next;
		send_number(l, next, next);
	}
	while (done < TRIPS) {
		struct link_event e;

		link_wait(l, PATIENCE_MS, &e);
		assert_int_not_equal(e.kind, LINK_NOTHING);
		assert_int_not_equal(e.kind, LINK_LOST);
		downs += e.kind == LINK_DOWN;
		if (e.kind != LINK_REPLY)
			continue;
		check_reply(&e, in_slot[e.slot]);
		done++;
		if (next == TRIPS)
			continue;
		in_slot[e.slot] = next;
		send_number(l, e.slot, next++);
		if (break_at != 0 && next == break_at) {
			stop_process(*other);
			*other = start_process(port);
		}
	}
	return downs;
}

/* ---------------------------------------------------------------- tests */

static void a_thousand_requests_get_their_own_replies(void **state)
{
	(void)state;
	struct server *s = server_new(LIMITS);
	struct link *l = connect_to(s->port, LINK_TIMES);
	struct ingest_link_stats stats;

	await(l, LINK_UP);
	assert_int_equal(many_trips(l, 0, NULL, 0), 0);
	for (int i = 0; i < TRIPS; i++)
		assert_int_equal(s->seen[i], 1);
	ingest_link_stats(s->link, &stats);
	assert_int_equal(stats.messages, TRIPS);
	assert_int_equal(stats.connections, 1);
	assert_int_equal(stats.held + stats.held_bytes + stats.busy + stats.refused, 0);
	assert_memory_equal(s->last.remote, "127.0.0.1:", 10);
	assert_int_not_equal(s->last.connection, 0);
	assert_int_equal(s->last.listener, 0);
	assert_true(s->last.received_ms > 1600000000000);
	link_close(l);
	server_free(s);
}

static void nothing_is_lost_when_the_aggregator_is_killed(void **state)
{
	(void)state;
	int port = free_port();
	pid_t other = start_process(port);
	struct link *l = connect_to(port, LINK_TIMES);

	await(l, LINK_UP);
	assert_int_equal(many_trips(l, TRIPS / 2, &other, port), 1);
	stop_process(other);
	await(l, LINK_DOWN);
	link_close(l);
}

static void requests_wait_for_an_aggregator_that_is_not_there_yet(void **state)
{
	(void)state;
	struct server s = {.port = free_port()};
	struct link *l = connect_to(s.port, LINK_TIMES);
	struct link_event e;

	send_number(l, 0, 7);
	link_wait(l, 100, &e);
	assert_int_equal(e.kind, LINK_NOTHING);
	server_start(&s, LIMITS);
	await(l, LINK_UP);
	e = await(l, LINK_REPLY);
	check_reply(&e, 7);
	server_stop(&s);
	await(l, LINK_DOWN);
	link_close(l);
}

static void a_request_that_is_too_large_is_not_sent(void **state)
{
	(void)state;
	struct server *s = server_new(LIMITS);
	struct link *l = connect_to(s->port, LINK_TIMES);
	size_t largest = FRAME_HEADER + WIRE_BODY_MAX + FRAME_CODE;
	uint8_t *body = calloc(1, largest + 1);

	assert_int_equal(link_send(l, 0, body, largest + 1), ERR_LIMIT);
	s->reply_size = 1;
	assert_int_equal(link_send(l, 0, body, largest), ERR_OK);
	assert_int_equal(await(l, LINK_REPLY).size, 1);
	free(body);
	link_close(l);
	server_free(s);
}

static void peers_that_talk_nonsense_do_no_harm(void **state)
{
	(void)state;
	struct server *s = server_new(LIMITS);
	struct link *l = connect_to(s->port, LINK_TIMES);
	int silent[200];

	await(l, LINK_UP);
	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		silent[i] = raw_connect(s->port);

	int fd = raw_connect(s->port); /* another protocol */
	raw_send(fd, "GET / HTTP/1.1\r\n\r\n", 18);
	assert_true(raw_is_closed(fd));
	close(fd);
	fd = raw_connect(s->port); /* another kind of socket */
	raw_send(fd, "\0SP\0\0\x50\0\0", 8);
	assert_true(raw_is_closed(fd));
	close(fd);
	fd = raw_request_side(s->port); /* a request without a number */
	raw_request(fd, 2);
	assert_true(raw_is_closed(fd));
	close(fd);
	static const uint64_t sizes[] = {WIRE_BODY_MAX + 65536 + 1, 1ull << 32, UINT64_MAX};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		fd = raw_request_side(s->port);
		raw_request(fd, sizes[i]);
		assert_true(raw_is_closed(fd));
		close(fd);
	}
	fd = raw_request_side(s->port); /* a request that never ends */
	raw_request(fd, WIRE_BODY_MAX);

	assert_int_equal(many_trips(l, 0, NULL, 0), 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		close(silent[i]);
	one_trip(l);
	link_close(l);
	server_free(s);
}

static void a_full_queue_answers_busy(void **state)
{
	(void)state;
	struct ingest_link_limits limits = LIMITS;
	int port = free_port();

	limits.messages = 2;
	struct ingest_link *in = listen_on(port, limits);
	struct link *l = connect_to(port, LINK_TIMES);
	struct ingest_link_stats stats;

	for (unsigned int i = 0; i < LINK_SLOTS; i++)
		send_number(l, i, i);
	for (unsigned int i = 0; i < LINK_SLOTS - 2; i++) {
		struct link_event e = await(l, LINK_REPLY);
		assert_int_equal(e.size, sizeof(BUSY) - 1);
		assert_memory_equal(e.data, BUSY, e.size);
	}
	ingest_link_stats(in, &stats);
	assert_int_equal(stats.busy, LINK_SLOTS - 2);
	assert_int_equal(stats.held, 2);

	struct ingest_message *first = ingest_link_take(in, 1000), *second = first->next;
	assert_null(second->next);
	assert_null(ingest_link_take(in, 0));
	ingest_link_reply(second, "2", 1); /* in any order */
	ingest_link_reply(first, "1", 1);
	await(l, LINK_REPLY);
	await(l, LINK_REPLY);
	ingest_link_stats(in, &stats);
	assert_int_equal(stats.held + stats.held_bytes, 0);
	link_close(l);
	ingest_link_close(in);
}

static void too_many_bytes_are_answered_busy(void **state)
{
	(void)state;
	struct ingest_link_limits limits = LIMITS;
	int port = free_port();

	limits.bytes = WIRE_BODY_MAX + 65536;
	struct ingest_link *in = listen_on(port, limits);
	struct link *l = connect_to(port, LINK_TIMES);
	uint8_t *body = calloc(1, WIRE_BODY_MAX);

	assert_int_equal(link_send(l, 0, body, WIRE_BODY_MAX), ERR_OK);
	struct ingest_message *m = ingest_link_take(in, 5000);
	assert_int_equal(m->size, WIRE_BODY_MAX);
	assert_int_equal(link_send(l, 1, body, 65537), ERR_OK);
	assert_int_equal(await(l, LINK_REPLY).size, sizeof(BUSY) - 1);
	assert_int_equal(link_send(l, 1, body, 65536), ERR_OK);
	struct ingest_message *fits = ingest_link_take(in, 5000);
	ingest_link_reply(fits, "", 0);
	ingest_link_reply(m, "", 0);
	await(l, LINK_REPLY);
	assert_int_equal(await(l, LINK_REPLY).size, 0);
	free(body);
	link_close(l);
	ingest_link_close(in);
}

static void connections_are_bounded_and_silent_ones_go(void **state)
{
	(void)state;
	struct ingest_link_limits limits = LIMITS;
	int fd[6];
	struct ingest_link_stats stats;

	limits.connections = 4;
	limits.idle_ms = 300;
	struct server *s = server_new(limits);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		fd[i] = raw_request_side(s->port);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		assert_true(raw_is_closed(fd[i]));
		close(fd[i]);
	}
	ingest_link_stats(s->link, &stats);
	assert_int_equal(stats.refused, 2);
	assert_int_equal(stats.idle, 4);

	struct link *l = connect_to(s->port, LINK_TIMES);
	one_trip(l);
	for (int i = 0; i < 100 && stats.connections != 1; i++) {
		usleep(20000); /* nng takes its time to say that one has gone */
		ingest_link_stats(s->link, &stats);
	}
	assert_int_equal(stats.connections, 1);
	link_close(l);
	server_free(s);
}

/* Of connections that send no more than a greeting, which has been read. */
static size_t count_closed(const int *fd, size_t count)
{
	size_t closed = 0;
	char byte;

	for (size_t i = 0; i < count; i++)
		closed += recv(fd[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
	return closed;
}

static void who_says_nothing_makes_room_for_who_speaks(void **state)
{
	(void)state;
	struct ingest_link_limits limits = LIMITS;
	int fd[6];
	struct ingest_link_stats stats;

	limits.connections = 4;
	struct server *s = server_new(limits);
	struct link *early = connect_to(s->port, LINK_TIMES);
	one_trip(early);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		fd[i] = raw_request_side(s->port);
	struct link *late = connect_to(s->port, LINK_TIMES);
	one_trip(late);
	one_trip(early);
	ingest_link_stats(s->link, &stats);
	for (int i = 0; i < 500 && stats.refused != 4; i++) {
		usleep(20000);
		ingest_link_stats(s->link, &stats);
	}
	assert_int_equal(stats.connections, 4);
	assert_int_equal(stats.refused, 4);
	for (int i = 0; i < 500 && count_closed(fd, ARRAY_LEN(fd)) != 4; i++)
		usleep(20000);
	assert_int_equal(count_closed(fd, ARRAY_LEN(fd)), 4);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
	link_close(early);
	link_close(late);
	server_free(s);
}

/* A peer that asks and does not read blocks contexts, until it is closed. */
static void a_peer_that_does_not_read_blocks_the_others_for_a_while_only(void **state)
{
	(void)state;
	struct ingest_link_limits limits = LIMITS;
	struct ingest_link_stats stats;

	limits.idle_ms = 1000;
	struct server *s = server_new(limits);
	s->reply_size = 65536;
	int fd = raw_request_side(s->port);
	for (int i = 0; i < 400; i++)
		raw_request(fd, 4 + 64);

	struct link *l = connect_to(s->port, LINK_TIMES);
	send_number(l, 0, 7);
	assert_int_equal(await(l, LINK_REPLY).size, 65536);
	assert_true(raw_is_closed(fd));
	ingest_link_stats(s->link, &stats);
	assert_true(stats.idle >= 1);
	close(fd);
	link_close(l);
	server_free(s);
}

static void a_peer_that_freezes_is_replaced(void **state)
{
	(void)state;
	struct link_times times = {.redial_ms = 5000, .reply_ms = 300};
	int port;
	int listening = raw_listen(&port);
	struct link *l = connect_to(port, times);
	char request[100];

	/* One that agrees to talk and never answers. */
	int frozen = accept(listening, NULL, NULL);
	raw_send(frozen, "\0SP\0\0\x31\0\0", 8);
	await(l, LINK_UP);
	assert_int_equal(link_send(l, 3, "question", 8), ERR_OK);
	await(l, LINK_DOWN);

	/* The next one gets the same question, and answers. */
	int fd = accept(listening, NULL, NULL);
	raw_send(fd, "\0SP\0\0\x31\0\0", 8);
	assert_int_equal(recv(fd, request, 28, MSG_WAITALL), 28);
	assert_memory_equal(request + 20, "question", 8);
	raw_send(fd, "\0\0\0\0\0\0\0\x0a", 8);
	raw_send(fd, request + 16, 4); /* nng's number of the request */
	raw_send(fd, "answer", 6);
	struct link_event e = await(l, LINK_REPLY);
	assert_int_equal(e.slot, 3);
	assert_int_equal(e.size, 6);
	assert_memory_equal(e.data, "answer", 6);
	link_close(l);
	close(frozen);
	close(fd);
	close(listening);
}

static void a_dial_that_does_not_end_is_given_up(void **state)
{
	(void)state;
	struct link_times times = {.redial_ms = 300, .reply_ms = 30000};
	int port;
	int listening = raw_listen(&port);
	struct link *l = connect_to(port, times);
	struct link_event e;

	for (int i = 0; i < 2; i++) {
		int silent = accept(listening, NULL, NULL);

		link_wait(l, 1500, &e);
		assert_int_equal(e.kind, LINK_NOTHING);
		assert_true(raw_is_closed(silent) || i == 1);
		close(silent);
	}
	link_close(l);
	close(listening);
}

/* Many new dialers, with nobody there and requests waiting: then one gets through. */
static void dialing_anew_again_and_again_does_no_harm(void **state)
{
	(void)state;
	struct link_times times = {.redial_ms = 0, .reply_ms = 30000};
	struct server s = {.port = free_port()};
	struct link *l = connect_to(s.port, times);
	struct link_event e;

	send_number(l, 0, 7);
	for (int i = 0; i < 300; i++)
		link_wait(l, 1, &e);
	server_start(&s, LIMITS);
	e = await(l, LINK_REPLY);
	check_reply(&e, 7);
	link_close(l);
	server_stop(&s);
}

static void what_cannot_be_listened_on_is_said(void **state)
{
	(void)state;
	int port;
	int taken = raw_listen(&port);
	char url[64];
	snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", port);
	const struct {
		const char *url;
		int want;
		const char *text;
	} refused[] = {
		{url, -EADDRINUSE, "address already in use"},
		{"tcp://no..host:7701", ERR_CONFIG, "unknown host"},
		{"tcp://192.0.2.1:7701", ERR_CONFIG, "not an address of this machine"},
		{"ipc:///tmp/x", ERR_CONFIG, "not a URL"},
		{"127.0.0.1:7701", ERR_CONFIG, "not a URL"},
		{"tls+tcp://127.0.0.1:7701", ERR_CONFIG, "not a URL"}, /* without a certificate */
	};

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		CLEANUP(buf_free) struct buf why = {0};
		struct ingest_link *in = NULL;
		const struct ingest_listen listen = {.url = refused[i].url};
		int err = ingest_link_open(&listen, 1, &LIMITS, &why, &in);

		print_message("%s\n", buf_str(&why));
		assert_int_equal(err, refused[i].want);
		assert_null(in);
		assert_non_null(strstr(buf_str(&why), refused[i].url));
		assert_non_null(strstr(buf_str(&why), refused[i].text));
	}
	struct link *l = NULL;
	assert_int_equal(link_open("ipc:///tmp/x", LINK_TIMES, NULL, &l), ERR_CONFIG);
	assert_int_equal(link_open("tls+tcp://localhost:1", LINK_TIMES, NULL, &l), ERR_CONFIG);
	assert_int_equal(link_open("tcp://", LINK_TIMES, NULL, &l), ERR_CONFIG);
	assert_null(l);
	close(taken);
}

static void several_listeners_are_told_apart(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf why = {0};
	int ports[2] = {free_port(), free_port()};
	char url[2][64];
	const struct ingest_listen listen[2] = {{.url = url[0]}, {.url = url[1]}};
	struct ingest_link *in = NULL;

	snprintf(url[0], sizeof(url[0]), "tcp://127.0.0.1:%d", ports[0]);
	snprintf(url[1], sizeof(url[1]), "tcp://127.0.0.1:%d", ports[1]);
	assert_int_equal(ingest_link_open(listen, 2, &LIMITS, &why, &in), ERR_OK);
	for (unsigned int i = 0; i < 2; i++) {
		struct link *l = connect_to(ports[i], LINK_TIMES);

		send_number(l, 0, 7);
		struct ingest_message *m = ingest_link_take(in, 5000);
		assert_int_equal(m->listener, i);
		ingest_link_reply(m, "", 0);
		await(l, LINK_REPLY);
		link_close(l);
	}
	ingest_link_close(in);
}

static void waiting_ends_when_woken(void **state)
{
	(void)state;
	int port = free_port();
	struct ingest_link *in = listen_on(port, LIMITS);
	struct link *l = connect_to(port, LINK_TIMES);
	struct link_event e;
	int64_t before = clock_mono_ms();

	await(l, LINK_UP);
	link_wake(l);
	link_wait(l, 10000, &e);
	assert_int_equal(e.kind, LINK_NOTHING);
	ingest_link_wake(in);
	assert_null(ingest_link_take(in, 10000));
	assert_true(clock_mono_ms() - before < 5000);
	link_close(l);
	ingest_link_close(in);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_requests_get_their_own_replies),
		cmocka_unit_test(nothing_is_lost_when_the_aggregator_is_killed),
		cmocka_unit_test(requests_wait_for_an_aggregator_that_is_not_there_yet),
		cmocka_unit_test(a_request_that_is_too_large_is_not_sent),
		cmocka_unit_test(peers_that_talk_nonsense_do_no_harm),
		cmocka_unit_test(a_full_queue_answers_busy),
		cmocka_unit_test(too_many_bytes_are_answered_busy),
		cmocka_unit_test(connections_are_bounded_and_silent_ones_go),
		cmocka_unit_test(who_says_nothing_makes_room_for_who_speaks),
		cmocka_unit_test(a_peer_that_does_not_read_blocks_the_others_for_a_while_only),
		cmocka_unit_test(a_peer_that_freezes_is_replaced),
		cmocka_unit_test(a_dial_that_does_not_end_is_given_up),
		cmocka_unit_test(dialing_anew_again_and_again_does_no_harm),
		cmocka_unit_test(what_cannot_be_listened_on_is_said),
		cmocka_unit_test(several_listeners_are_told_apart),
		cmocka_unit_test(waiting_ends_when_woken),
	};

	if (argc == 3 && strcmp(argv[1], "--serve") == 0)
		return serve_until_killed(atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
