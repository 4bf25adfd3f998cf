/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_reconnect - many agents lose their aggregator at the same moment and come back over TLS:
 *how long until each has had an answer from the new one.
 *
 *	bench_reconnect [agents] [milliseconds without an aggregator]
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ship/link.h"
#include "aggregator/ingest/link.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/tls_fixture.h"

#define URL "tls+tcp://127.0.0.1:17772"
#define SERVER "aggregator"
#define LIMIT_MS 120000

/* An aggregator that answers each request with itself, until it is killed. */
static void serve(const struct cert *cert)
{
	const struct ingest_listen listen = {URL, cert};
	const struct ingest_link_limits limits = {.bytes = 64u << 20,
						  .messages = 4096,
						  .connections = 2000,
						  .idle_ms = 60000,
						  .busy = "",
						  .busy_size = 0};
	struct ingest_link *link = NULL;
	struct buf why = {0};

	if (ingest_link_open(&listen, 1, &limits, &why, &link) != ERR_OK) {
		fprintf(stderr, "%s\n", buf_str(&why));
		_exit(EXIT_FAILURE);
	}
	for (;;) {
		struct ingest_message *next, *m = ingest_link_take(link, 1000);

		for (; m != NULL; m = next) {
			next = m->next;
			ingest_link_reply(m, m->data, m->size);
		}
	}
}

struct server {
	pid_t pid;
	int start; /* a byte written here has it listen */
};

/* A process that waits to be one: nng does not survive a fork, so all are made before its use. */
static struct server new_server(const struct cert *cert)
{
	int ends[2];

	if (pipe(ends) != 0)
		abort();
	struct server s = {.pid = fork(), .start = ends[1]};
	if (s.pid == 0) {
		char byte;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[1]);
		if (read(ends[0], &byte, 1) == 1)
			serve(cert);
		_exit(EXIT_SUCCESS);
	}
	close(ends[0]);
	return s;
}

static void start(const struct server *s)
{
	if (write(s->start, "x", 1) != 1)
		abort();
}

/* Until each link has had its answer; the time it took, in ms. */
static int64_t exchange(struct link **links, int count)
{
	bool *done = calloc((size_t)count, sizeof(*done));
	int64_t began = clock_mono_ms();
	int left = count;

	for (int i = 0; i < count; i++)
		if (link_send(links[i], 0, "question", 8) != ERR_OK)
			abort();
	while (left > 0 && clock_mono_ms() - began < LIMIT_MS) {
		for (int i = 0; i < count; i++) {
			struct link_event e = {0};

			for (link_wait(links[i], 0, &e); e.kind != LINK_NOTHING;
			     link_wait(links[i], 0, &e)) {
				left -= e.kind == LINK_REPLY && !done[i];
				done[i] = done[i] || e.kind == LINK_REPLY;
			}
		}
		usleep(1000);
	}
	free(done);
	if (left > 0) {
		fprintf(stderr, "%d agents have had no answer\n", left);
		exit(EXIT_FAILURE);
	}
	return clock_mono_ms() - began;
}

int main(int argc, char **argv)
{
	const int count = argc > 1 ? atoi(argv[1]) : 300;
	const int away_ms = argc > 2 ? atoi(argv[2]) : 0;
	const struct rlimit files = {8192, 8192};
	struct tls_ca ca = tls_ca_new("bench");
	struct cert *server = tls_issue_now(&ca, SERVER);
	struct cert *agent = tls_issue_now(&ca, "agent");
	const struct link_tls tls = {agent, SERVER};
	struct link **links = calloc((size_t)count, sizeof(*links));

	setrlimit(RLIMIT_NOFILE, &files);
	const struct server first = new_server(server);
	const struct server second = new_server(server);
	start(&first);
	for (int i = 0; i < count; i++)
		if (link_open(URL, LINK_TIMES, &tls, &links[i]) != ERR_OK)
			abort();
	printf("%d agents connect: %lld ms\n", count, (long long)exchange(links, count));
	printf("and ask once: %lld ms\n", (long long)exchange(links, count));
	kill(first.pid, SIGKILL);
	waitpid(first.pid, NULL, 0);
	usleep((useconds_t)away_ms * 1000);
	start(&second);
	printf("the aggregator dies and another comes after %d ms: %lld ms\n", away_ms,
	       (long long)exchange(links, count));
	kill(second.pid, SIGKILL);
	fflush(stdout);
	_exit(EXIT_SUCCESS);
}
