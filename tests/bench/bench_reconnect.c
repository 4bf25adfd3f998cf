/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_reconnect - many agents, each a process as in life, lose their aggregator at the same
 *moment and come back over TLS: how long until each has had an answer from the new one.
 *
 *	bench_reconnect [agents] [milliseconds without an aggregator] [milliseconds between
 *requests]
 */

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ship/link.h"
#include "aggregator/ingest/link.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/temp.h"
#include "tests/unit/tls_fixture.h"

#define URL "tls+tcp://127.0.0.1:17772"
#define SERVER "aggregator"
#define LIMIT_MS 60000
#define AGENTS_MAX 1000
#define TEXT_MAX 8192

/* What all processes see; a file, so that one that begins anew finds it again. */
struct shared {
	char ca[TEXT_MAX], chain[2][TEXT_MAX], key[2][TEXT_MAX]; /* of server and agents */
	int gap_ms;
	atomic_uint begun[AGENTS_MAX];    /* how often the agent has begun */
	atomic_uint answered[AGENTS_MAX]; /* the number of the server that answered last */
};

static struct shared *map(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(struct shared)) != 0)
		abort();
	void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	close(fd);
	return p;
}

static struct cert cert_of(struct shared *s, int side)
{
	return (struct cert){.ca = s->ca, .chain = s->chain[side], .key = s->key[side]};
}

/* An aggregator that answers each request with its number, until it is killed. */
static int serve(struct shared *s, unsigned int number)
{
	const struct cert cert = cert_of(s, 0);
	const struct ingest_listen listen = {URL, &cert};
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
		return EXIT_FAILURE;
	}
	for (;;) {
		struct ingest_message *next, *m = ingest_link_take(link, 1000);

		for (; m != NULL; m = next) {
			next = m->next;
			ingest_link_reply(m, &number, sizeof(number));
		}
	}
}

/* An agent that asks again and again, until it is killed. */
static int ask(struct shared *s, int agent)
{
	const struct cert cert = cert_of(s, 1);
	const struct link_tls tls = {&cert, SERVER};
	struct link *link = NULL;
	struct link_event e;

	s->begun[agent]++;
	if (link_open(URL, LINK_TIMES, &tls, &link) != ERR_OK)
		return EXIT_FAILURE;
	for (;;) {
		if (link_send(link, 0, "question", 8) != ERR_OK)
			return EXIT_FAILURE;
		do
			link_wait(link, 1000, &e);
		while (e.kind != LINK_REPLY);
		unsigned int number = 0;
		memcpy(&number, e.data, sizeof(number));
		s->answered[agent] = number;
		usleep((useconds_t)s->gap_ms * 1000);
	}
}

static pid_t start(const char *what, const char *path, unsigned int number)
{
	char text[16];
	pid_t pid = fork();

	snprintf(text, sizeof(text), "%u", number);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/proc/self/exe", "bench_reconnect", what, path, text, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Until all have had an answer of this server; the times of half of them and of the last, in ms. */
static bool await(const struct shared *s, int count, unsigned int number, const char *what)
{
	int64_t began = clock_mono_ms(), half = 0, now = began;
	int left = count;

	while (left > 0 && now - began < LIMIT_MS) {
		usleep(5000);
		now = clock_mono_ms();
		left = 0;
		for (int i = 0; i < count; i++)
			left += s->answered[i] != number;
		if (half == 0 && left <= count / 2)
			half = now - began;
	}
	printf("%s: half after %lld ms, all after %lld ms", what, (long long)half,
	       (long long)(now - began));
	printf(left > 0 ? ", %d not at all\n" : "\n", left);
	return left == 0;
}

static void prepare(struct shared *s, int gap_ms)
{
	struct tls_ca ca = tls_ca_new("bench");
	struct cert *certs[] = {tls_issue_now(&ca, SERVER), tls_issue_now(&ca, "agent")};

	for (int i = 0; i < 2; i++) {
		snprintf(s->ca, TEXT_MAX, "%s", certs[i]->ca);
		snprintf(s->chain[i], TEXT_MAX, "%s", certs[i]->chain);
		snprintf(s->key[i], TEXT_MAX, "%s", certs[i]->key);
		cert_unref(&certs[i]);
	}
	s->gap_ms = gap_ms;
	tls_ca_free(&ca);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "--serve") == 0)
		return serve(map(argv[2]), (unsigned int)atoi(argv[3]));
	if (argc == 4 && strcmp(argv[1], "--ask") == 0)
		return ask(map(argv[2]), atoi(argv[3]));

	const int count = argc > 1 ? MIN(atoi(argv[1]), AGENTS_MAX) : 300;
	const int away_ms = argc > 2 ? atoi(argv[2]) : 0;
	struct temp dir = temp_make();
	char path[128];
	pid_t agents[AGENTS_MAX];
	unsigned int begun = 0;

	snprintf(path, sizeof(path), "%s/shared", dir.dir);
	struct shared *s = map(path);
	prepare(s, argc > 3 ? atoi(argv[3]) : 100);
	pid_t server = start("--serve", path, 1);
	for (int i = 0; i < count; i++)
		agents[i] = start("--ask", path, (unsigned int)i);
	bool ok = await(s, count, 1, "agents start");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	usleep((useconds_t)away_ms * 1000);
	server = start("--serve", path, 2);
	ok = await(s, count, 2, "their aggregator is another") && ok;
	kill(server, SIGKILL);
	for (int i = 0; i < count; i++) {
		kill(agents[i], SIGKILL);
		begun += s->begun[i] - 1;
	}
	printf("%u agents began anew because nng was stuck\n", begun);
	while (wait(NULL) > 0)
		;
	temp_remove(&dir);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
