/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/serve_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aggregator/serve/http.h"
#include "common/clock.h"
#include "common/log.h"

#define WAIT_MS 5000

static struct fixture fixture;
static struct http *http;
static char answer[256 * 1024]; /* what the last request got */

static void start_with(unsigned per_address, unsigned idle_timeout_s)
{
	const struct http_options options = {.listen = "127.0.0.1:0",
					     .connections = 40,
					     .connections_per_address = per_address,
					     .idle_timeout_s = idle_timeout_s};

	fixture_start(&fixture);
	assert_int_equal(http_start(&options, fixture.server, &http), ERR_OK);
	assert_int_not_equal(http_port(http), 0);
}

static int start(void **state)
{
	(void)state;
	start_with(20, 5);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	http_stop(&http);
	assert_null(http);
	http_stop(&http);
	fixture_stop(&fixture);
	return 0;
}

static int dial(void)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons((uint16_t)http_port(http)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void say(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0)
			return; /* refused before all was sent */
		data += n;
		size -= (size_t)n;
	}
}

static void ask(int fd, const char *text)
{
	say(fd, text, strlen(text));
}

/* Read on; false at the end of the connection. */
static bool hear_more(int fd, size_t *used)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	ssize_t n = recv(fd, answer + *used, sizeof(answer) - 1 - *used, 0);
	*used += n > 0 ? (size_t)n : 0;
	answer[*used] = '\0';
	return n > 0;
}

/* Read until the peer closes. */
static void hear_all(int fd)
{
	size_t used = 0;

	answer[0] = '\0';
	while (hear_more(fd, &used))
		;
}

/* Read answers until their bodies end with the text. */
static void hear_until(int fd, const char *end)
{
	size_t used = 0;

	answer[0] = '\0';
	while (used < strlen(end) || strcmp(answer + used - strlen(end), end) != 0)
		assert_true(hear_more(fd, &used));
}

static unsigned count_of(const char *part)
{
	unsigned count = 0;

	for (const char *at = answer; (at = strstr(at, part)) != NULL; at++)
		count++;
	return count;
}

/* Send piece by piece until an answer comes: one to what is too long comes before its end. */
static int once_slowly(const char *text)
{
	int fd = dial();
	int status = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (size_t size = strlen(text), at = 0; at < size; at += 512) {
		say(fd, text + at, MIN(size - at, (size_t)512));
		if (poll(&p, 1, 2) > 0)
			break;
	}
	hear_all(fd);
	close(fd);
	(void)sscanf(answer, "HTTP/1.1 %d", &status);
	return status;
}

/* One request of its own connection. */
static int once(const char *text)
{
	int fd = dial();
	int status = 0;

	ask(fd, text);
	hear_all(fd);
	close(fd);
	(void)sscanf(answer, "HTTP/1.1 %d", &status);
	return status;
}

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"
#define KEEP "Host: x\r\n\r\n"
#define CLUSTERS                                                                                   \
	"{\"error\":false,\"message\":\"cluster list returned\",\"clusters\":[\"local\"],"         \
	"\"request\":{\"url\":\"/v3/kafka\",\"host\":\"vm\"}}"

static void a_connection_is_kept(void **state)
{
	int fd = dial();

	(void)state;
	for (int i = 0; i < 3; i++) {
		ask(fd, "GET /v3/kafka HTTP/1.1\r\n" KEEP);
		hear_until(fd, CLUSTERS);
		assert_int_equal(count_of("HTTP/1.1 200 OK"), 1);
		assert_int_equal(count_of("Content-Type: application/json\r\n"), 1);
		assert_int_equal(count_of("Access-Control-Allow-Origin: mysite.example.com\r\n"),
				 1);
	}
	close(fd);
}

static void requests_in_one_packet_are_answered_in_order(void **state)
{
	int fd = dial();

	(void)state;
	ask(fd, "GET /burrow/admin HTTP/1.1\r\n" KEEP
		"GET /v3/kafka/local/consumer/g/lag HTTP/1.1\r\n" KEEP "GET /nope HTTP/1.1\r\n" KEEP
		"GET /v3/kafka HTTP/1.1\r\n" CLOSE);
	hear_all(fd);
	close(fd);
	assert_int_equal(count_of("HTTP/1.1 200 OK"), 3);
	assert_int_equal(count_of("HTTP/1.1 404 Not Found"), 1);
	assert_true(strstr(answer, "GOOD") < strstr(answer, "totallag"));
	assert_true(strstr(answer, "totallag") < strstr(answer, "invalid request type"));
	assert_true(strstr(answer, "invalid request type") < strstr(answer, CLUSTERS));
}

static void a_client_that_sends_byte_by_byte_is_served(void **state)
{
	const char *text = "GET /v3/kafka HTTP/1.1\r\n" CLOSE;
	int fd = dial();

	(void)state;
	for (; *text != '\0'; text++) {
		say(fd, text, 1);
		usleep(1000);
	}
	hear_all(fd);
	close(fd);
	assert_int_equal(count_of(CLUSTERS), 1);
}

static void a_silent_client_is_shown_the_door(void **state)
{
	int fd = -1;
	int64_t since = clock_mono_ms();

	(void)state;
	start_with(20, 1);
	fd = dial();
	ask(fd, "GET /v3/ka");
	hear_all(fd);
	assert_true(clock_mono_ms() - since < 4000);
	close(fd);
}

static void names_arrive_as_they_were_sent(void **state)
{
	(void)state;
	assert_int_equal(
		once("GET /v3/kafka/local/consumer/a%2Fb%20%25/status?x=%41&y HTTP/1.1\r\n" CLOSE),
		404);
	assert_int_equal(count_of("\"group\":\"a/b %\""), 1);
	assert_int_equal(count_of("\"url\":\"/v3/kafka/local/consumer/a/b %/status\""), 1);
	assert_int_equal(once("GET /v3/kafka/%zz HTTP/1.1\r\n" CLOSE), 400);
	assert_int_equal(count_of("\"error\":true"), 1);
	assert_int_equal(once("GET /v3/kafka/%00 HTTP/1.1\r\n" CLOSE), 400);
}

static void other_methods_and_near_paths_are_told_so(void **state)
{
	(void)state;
	assert_int_equal(once("HEAD /v3/kafka HTTP/1.1\r\n" CLOSE), 405);
	assert_int_equal(count_of("Allow: GET, OPTIONS\r\n"), 1);
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
	assert_int_equal(once("PATCH /v3/kafka HTTP/1.1\r\n" CLOSE), 405);
	assert_int_equal(count_of("X-Content-Type-Options: nosniff\r\n"), 1);
	assert_int_equal(once("OPTIONS /v3/kafka/local/consumer/g HTTP/1.1\r\n" CLOSE), 200);
	assert_int_equal(count_of("Allow: DELETE, GET, OPTIONS\r\n"), 1);
	assert_int_equal(count_of("Content-Type"), 0);
	assert_int_equal(once("GET /V3/kafka/?q=1 HTTP/1.1\r\n" CLOSE), 301);
	assert_int_equal(count_of("Location: /v3/kafka?q=1\r\n"), 1);
}

static void a_group_is_deleted(void **state)
{
	(void)state;
	assert_int_equal(once("DELETE /v3/kafka/local/consumer/g HTTP/1.1\r\n" CLOSE), 200);
	assert_int_equal(fixture.deleted_group, 2);
	assert_int_equal(once("GET /v3/kafka/local/consumer/g/lag HTTP/1.1\r\n" CLOSE), 404);
}

static void a_body_is_taken_where_there_may_be_one(void **state)
{
	(void)state;
	assert_int_equal(once("POST /v3/admin/loglevel HTTP/1.1\r\nContent-Length: 16\r\n" CLOSE
			      "{\"level\":\"warn\"}"),
			 200);
	assert_int_equal(log_get_level(), LOG_LEVEL_WARN);
	assert_int_equal(
		once("POST /v3/admin/loglevel HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
		     "9\r\n{\"level\":\r\n7\r\n\"info\"}\r\n0\r\n\r\n"),
		200);
	assert_int_equal(log_get_level(), LOG_LEVEL_INFO);
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(once("GET /v3/kafka HTTP/1.1\r\nContent-Length: 0\r\n" CLOSE), 200);
	assert_int_equal(once("GET /v3/kafka HTTP/1.1\r\nContent-Length: 1\r\n" CLOSE "x"), 400);
	assert_int_equal(count_of("has no body"), 1);
}

static void a_body_over_the_limit_is_refused(void **state)
{
	static char chunk[80 * 1024];
	int fd = dial();

	(void)state;
	ask(fd, "POST /v3/admin/loglevel HTTP/1.1\r\nContent-Length: 65537\r\n" KEEP);
	hear_all(fd);
	close(fd);
	assert_int_equal(count_of("HTTP/1.1 413"), 1);
	assert_int_equal(count_of("the body is too large"), 1);

	fd = dial();
	ask(fd, "POST /v3/admin/loglevel HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE);
	ask(fd, "14000\r\n"); /* the size of chunk */
	memset(chunk, ' ', sizeof(chunk));
	say(fd, chunk, sizeof(chunk));
	ask(fd, "\r\n0\r\n\r\n");
	hear_all(fd);
	close(fd);
	assert_int_equal(count_of("HTTP/1.1 413"), 1);
}

static void headers_and_paths_over_the_limit_are_refused(void **state)
{
	static char text[64 * 1024];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "GET /v3/kafka/", 14);
	memcpy(text + 9000, " HTTP/1.1\r\n" CLOSE, sizeof(" HTTP/1.1\r\n" CLOSE));
	assert_int_equal(once(text), 414);
	assert_int_equal(count_of("the path is too long"), 1);

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "GET /v3/kafka/", 14);
	assert_int_equal(once_slowly(text), 414);
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "GET /v3/kafka HTTP/1.1\r\nHost: x\r\nA: ", 36);
	assert_int_equal(once_slowly(text), 431);
}

static void garbage_does_no_harm(void **state)
{
	static const char *const GARBAGE[] = {
		"\r\n\r\n\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"GET\r\n\r\n",
		"GET /v3/kafka\r\n\r\n",
		"GET /v3/kafka HTTP/9.9\r\n\r\n",
		"GET /v3/kafka HTTP/1.1\r\n\r\n", /* no Host */
		"GET /v3 /kafka HTTP/1.1\r\n" CLOSE,
		"POST /v3/admin/loglevel HTTP/1.1\r\nContent-Length: -1\r\n" CLOSE,
		"POST /v3/admin/loglevel HTTP/1.1\r\nContent-Length: "
		"99999999999999999999\r\n" CLOSE,
		"POST /v3/admin/loglevel HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
		"zz\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	};

	(void)state;
	start_with(100, 1);
	srand(1);
	for (size_t i = 0; i < ARRAY_LEN(GARBAGE); i++) {
		int fd = dial();

		ask(fd, GARBAGE[i]);
		shutdown(fd, SHUT_WR);
		hear_all(fd);
		close(fd);
		assert_int_equal(count_of("HTTP/1.1 200"), 0);
	}
	for (int i = 0; i < 50; i++) {
		char noise[512];
		int fd = dial();

		for (size_t k = 0; k < sizeof(noise); k++)
			noise[k] = (char)rand();
		say(fd, noise, sizeof(noise));
		close(fd);
	}
	assert_int_equal(once("GET /v3/kafka HTTP/1.1\r\n" CLOSE), 200);
}

static void an_address_has_a_share_of_the_connections(void **state)
{
	int fds[3];

	(void)state;
	start_with(2, 5);
	for (size_t i = 0; i < 2; i++) {
		fds[i] = dial();
		ask(fds[i], "GET /v3/kafka HTTP/1.1\r\n" KEEP);
		hear_until(fds[i], CLUSTERS);
	}
	fds[2] = dial();
	hear_all(fds[2]);
	assert_string_equal(answer, "");
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
}

static void large_answers_of_two_parts_arrive_whole(void **state)
{
	struct view *v = fixture_view("large", 8);
	struct view_topic *t = view_alloc(v, sizeof(*t));
	int64_t *ends = view_alloc(v, 2000 * sizeof(*ends));

	(void)state;
	*t = (struct view_topic){
		.name = "z", .ends = ends, .starts = ends, .partition_count = 2000};
	v->topics = t;
	v->topic_count = 1;
	board_publish(fixture.board, v);
	assert_int_equal(once("GET /metrics HTTP/1.1\r\n" CLOSE), 200);
	assert_int_equal(count_of("topic=\"z\"} 0\n"), 2000);
	const char *length = strstr(answer, "Content-Length: ");
	assert_non_null(length);
	assert_int_equal(atoi(length + 16), strlen(strstr(answer, "\r\n\r\n") + 4));
}

static void a_listen_that_cannot_be_had_is_an_error(void **state)
{
	static const struct {
		const char *listen;
		int err;
	} CASES[] = {
		{"", ERR_CONFIG},
		{"127.0.0.1", ERR_CONFIG},
		{"localhost:80", ERR_CONFIG},
		{"127.0.0.1:http", ERR_CONFIG},
		{"::1:80", ERR_CONFIG},
		{"198.51.100.1:8000", -EADDRNOTAVAIL},
	};
	struct http_options options = {
		.connections = 8, .connections_per_address = 8, .idle_timeout_s = 1};
	char taken[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct http *h = NULL;

		options.listen = CASES[i].listen;
		assert_int_equal(http_start(&options, fixture.server, &h), CASES[i].err);
		assert_null(h);
	}
	struct http *h = NULL;
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", http_port(http));
	options.listen = taken;
	assert_int_equal(http_start(&options, fixture.server, &h), -EADDRINUSE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection_is_kept),
		TEST(requests_in_one_packet_are_answered_in_order),
		TEST(a_client_that_sends_byte_by_byte_is_served),
		cmocka_unit_test_teardown(a_silent_client_is_shown_the_door, stop),
		TEST(names_arrive_as_they_were_sent),
		TEST(other_methods_and_near_paths_are_told_so),
		TEST(a_group_is_deleted),
		TEST(a_body_is_taken_where_there_may_be_one),
		TEST(a_body_over_the_limit_is_refused),
		TEST(headers_and_paths_over_the_limit_are_refused),
		cmocka_unit_test_teardown(garbage_does_no_harm, stop),
		cmocka_unit_test_teardown(an_address_has_a_share_of_the_connections, stop),
		TEST(large_answers_of_two_parts_arrive_whole),
		TEST(a_listen_that_cannot_be_had_is_an_error),
	};

	log_set_level(LOG_LEVEL_ERROR); /* the library complains a lot here */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
