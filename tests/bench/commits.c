/* SPDX-License-Identifier: Apache-2.0 */

/*
 * commits - a load of consumer group commits on one real broker, over Kafka's plain protocol.
 *
 * Many partitions go into one OffsetCommit, and some thirty connections are kept busy, which
 * writes far more commits a second than any consumer could. Groups are simple consumers: no
 * members, no generation. Group g reads topic g modulo the number of topics, whole.
 *
 *	bench_commits [options] create          topics, with records in every partition
 *	bench_commits [options] fill COMMITS    as fast as the broker takes them
 *	bench_commits [options] run RATE SECONDS  commits a second; each topic's log grows in turn
 *
 * Prints one line: what=... commits=... seconds=... rate=... next=..., where next is the offset
 * that comes next, for -o of the next call. Any error of the broker but one that passes ends it.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base.h"
#include "common/buf.h"
#include "common/bytes.h"
#include "common/clock.h"

#define API_PRODUCE 0
#define API_OFFSET_COMMIT 8
#define API_FIND_COORDINATOR 10
#define API_CREATE_TOPICS 19

/* The broker is not ready yet: loading, no coordinator, not the coordinator, unknown topic. */
#define ERROR_LOADING 14
#define ERROR_NO_COORDINATOR 15
#define ERROR_NOT_COORDINATOR 16
#define ERROR_UNKNOWN_TOPIC 3
#define ERROR_NO_LEADER 5
#define ERROR_NOT_LEADER 6
#define ERROR_TOPIC_EXISTS 36

#define READY_LIMIT_MS 60000
#define CONNECTIONS_MAX 128
#define ANSWER_MAX (16u << 20)
#define NO_TIMESTAMP 0

struct options {
	int port;
	int groups, topics, partitions, connections;
	int records;   /* in every partition, at first */
	int64_t first; /* offset of the first round of commits */
};

/* One connection, one request under way. */
struct link {
	int fd;
	struct buf request;
	char *answer; /* owned */
	size_t size, at;
};

/* What the threads of one load share. */
struct load {
	const struct options *o;
	_Atomic int64_t next; /* number of the next request */
	int64_t requests;     /* in all */
	int64_t began_us;
	double per_second; /* requests; 0: no limit */
};

static void die(const char *what, int code)
{
	fprintf(stderr, "bench_commits: %s: %d\n", what, code);
	exit(1);
}

/* --- bytes out and in --- */

static void put16(struct buf *b, int v)
{
	uint8_t be[2];
	put_be16(be, (uint16_t)v);
	buf_put(b, be, sizeof(be));
}

static void put32(struct buf *b, int32_t v)
{
	uint8_t be[4];
	put_be32(be, (uint32_t)v);
	buf_put(b, be, sizeof(be));
}

static void put64(struct buf *b, int64_t v)
{
	uint8_t be[8];
	put_be64(be, (uint64_t)v);
	buf_put(b, be, sizeof(be));
}

static void put_string(struct buf *b, const char *s)
{
	put16(b, (int)strlen(s));
	buf_puts(b, s);
}

/* Zigzag, as records have it. */
static void put_varint(struct buf *b, int32_t v)
{
	uint32_t u = (uint32_t)v << 1 ^ (uint32_t)(v >> 31);

	for (; u >= 0x80; u >>= 7)
		buf_putc(b, (char)(u | 0x80));
	buf_putc(b, (char)u);
}

static void put_topic(struct buf *b, int i)
{
	char name[32];
	snprintf(name, sizeof(name), "load.topic-%03d", i);
	put_string(b, name);
}

static void put_group(struct buf *b, int i)
{
	char name[32];
	snprintf(name, sizeof(name), "load-group-%05d", i);
	put_string(b, name);
}

static const uint8_t *take(struct link *l, size_t size)
{
	if (size > l->size - l->at)
		die("answer is cut short at byte", (int)l->at);
	const uint8_t *p = (const uint8_t *)l->answer + l->at;
	l->at += size;
	return p;
}

static int take16(struct link *l)
{
	return (int16_t)get_be16(take(l, 2));
}

static int32_t take32(struct link *l)
{
	return (int32_t)get_be32(take(l, 4));
}

static void skip_string(struct link *l)
{
	int size = take16(l);
	if (size > 0)
		take(l, (size_t)size);
}

/* --- requests --- */

static void dial(struct link *l, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	*l = (struct link){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("cannot connect, errno", errno);
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void hang_up(struct link *l)
{
	close(l->fd);
	free(l->answer);
	buf_free(&l->request);
}

static struct buf *begin(struct link *l, int api, int version)
{
	struct buf *b = &l->request;

	buf_reset(b);
	put32(b, 0); /* its size, when that is known */
	put16(b, api);
	put16(b, version);
	put32(b, 0);
	put_string(b, "bench");
	return b;
}

static void receive(struct link *l, void *to, size_t size)
{
	if (recv(l->fd, to, size, MSG_WAITALL) != (ssize_t)size)
		die("the broker hung up, errno", errno);
}

/* Send what begin() began, and wait for the answer, which is then read with take...(). */
static void call(struct link *l)
{
	struct buf *b = &l->request;
	uint8_t head[4];

	if (b->err != 0)
		die("no memory", b->err);
	put_be32((uint8_t *)b->data, (uint32_t)b->size - 4);
	for (size_t sent = 0; sent < b->size;) {
		ssize_t n = send(l->fd, b->data + sent, b->size - sent, MSG_NOSIGNAL);
		if (n <= 0)
			die("the broker hung up, errno", errno);
		sent += (size_t)n;
	}
	receive(l, head, sizeof(head));
	l->size = get_be32(head);
	if (l->size < 4 || l->size > ANSWER_MAX)
		die("size of an answer", (int)l->size);
	l->answer = realloc(l->answer, l->size);
	if (l->answer == NULL)
		die("no memory for", (int)l->size);
	receive(l, l->answer, l->size);
	l->at = 4; /* the correlation id */
}

static bool passes(int error)
{
	return error == ERROR_LOADING || error == ERROR_NO_COORDINATOR ||
	       error == ERROR_NOT_COORDINATOR || error == ERROR_UNKNOWN_TOPIC ||
	       error == ERROR_NO_LEADER || error == ERROR_NOT_LEADER;
}

/* Repeat a request until the broker is ready for it. */
static void insist(struct link *l, const struct options *o, const char *what, int i,
		   int (*request)(struct link *l, const struct options *o, int i))
{
	int64_t until = clock_mono_ms() + READY_LIMIT_MS;
	int error = request(l, o, i);

	while (passes(error) && clock_mono_ms() < until) {
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
		error = request(l, o, i);
	}
	if (error != 0)
		die(what, error);
}

static int create_topic(struct link *l, const struct options *o, int i)
{
	struct buf *b = begin(l, API_CREATE_TOPICS, 4);

	put32(b, 1);
	put_topic(b, i);
	put32(b, o->partitions);
	put16(b, 1); /* replicas */
	put32(b, 0); /* no assignment by hand */
	put32(b, 0); /* no configuration */
	put32(b, 60000);
	buf_putc(b, 0); /* not only a check */
	call(l);
	take32(l); /* throttle time */
	take32(l);
	skip_string(l);
	int error = take16(l);
	return error == ERROR_TOPIC_EXISTS ? 0 : error;
}

/* Makes the broker create __consumer_offsets, too. */
static int find_coordinator(struct link *l, const struct options *o, int i)
{
	struct buf *b = begin(l, API_FIND_COORDINATOR, 1);
	(void)o;

	put_group(b, i);
	buf_putc(b, 0); /* of a group */
	call(l);
	take32(l);
	return take16(l);
}

/* Castagnoli's polynomial, bit by bit: only ever a few kilobytes. */
static uint32_t crc32c(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < size; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

/* A batch of records without key, value or time. */
static void put_records(struct buf *b, int count)
{
	CLEANUP(buf_free) struct buf body = {0};
	uint8_t crc[4];

	put16(&body, 0); /* attributes */
	put32(&body, count - 1);
	put64(&body, NO_TIMESTAMP);
	put64(&body, NO_TIMESTAMP);
	put64(&body, -1); /* no producer id */
	put16(&body, -1);
	put32(&body, -1);
	put32(&body, count);
	for (int i = 0; i < count; i++) {
		put_varint(&body, 6 + (i > 63) + (i > 8191));
		buf_putc(&body, 0);
		put_varint(&body, 0);
		put_varint(&body, i);
		put_varint(&body, -1);
		put_varint(&body, -1);
		put_varint(&body, 0);
	}
	put_be32(crc, crc32c(body.data, body.size));
	put64(b, 0);
	put32(b, (int32_t)body.size + 9);
	put32(b, -1);   /* leader epoch */
	buf_putc(b, 2); /* magic */
	buf_put(b, crc, sizeof(crc));
	buf_put(b, body.data, body.size);
}

static int produce(struct link *l, int topic, int partitions, int records)
{
	CLEANUP(buf_free) struct buf batch = {0};
	struct buf *b = begin(l, API_PRODUCE, 3);
	int error = 0;

	put_records(&batch, records);
	put16(b, -1); /* no transaction */
	put16(b, 1);  /* acknowledged by the leader */
	put32(b, 30000);
	put32(b, 1);
	put_topic(b, topic);
	put32(b, partitions);
	for (int p = 0; p < partitions; p++) {
		put32(b, p);
		put32(b, (int32_t)batch.size);
		buf_put(b, batch.data, batch.size);
	}
	call(l);
	take32(l);
	skip_string(l);
	for (int32_t left = take32(l); left > 0; left--) {
		take32(l);
		int one = take16(l);
		take(l, 16); /* offset and time of appending */
		error = one != 0 ? one : error;
	}
	return error;
}

static int fill_topic(struct link *l, const struct options *o, int i)
{
	return produce(l, i, o->partitions, o->records);
}

static int grow_topic(struct link *l, const struct options *o, int i)
{
	return produce(l, i, o->partitions, 1);
}

/* The i-th request: one group commits all its partitions, one round after the other. */
static int commit(struct link *l, const struct options *o, int64_t i)
{
	int group = (int)(i % o->groups);
	int64_t offset = o->first + i / o->groups;
	struct buf *b = begin(l, API_OFFSET_COMMIT, 5);
	int error = 0;

	put_group(b, group);
	put32(b, -1); /* generation: none */
	put_string(b, "");
	put32(b, 1);
	put_topic(b, group % o->topics);
	put32(b, o->partitions);
	for (int p = 0; p < o->partitions; p++) {
		put32(b, p);
		put64(b, offset);
		put_string(b, "");
	}
	call(l);
	take32(l);
	take32(l);
	skip_string(l);
	for (int32_t left = take32(l); left > 0; left--) {
		take32(l);
		int one = take16(l);
		error = one != 0 ? one : error;
	}
	return error;
}

static int commit_once(struct link *l, const struct options *o, int i)
{
	return commit(l, o, i);
}

/* --- loads --- */

static void wait_until(int64_t at_us)
{
	int64_t left = at_us - clock_mono_us();

	if (left > 0)
		nanosleep(&(struct timespec){.tv_sec = left / 1000000,
					     .tv_nsec = left % 1000000 * 1000},
			  NULL);
}

static void *work(void *arg)
{
	struct load *load = arg;
	struct link l;

	dial(&l, load->o->port);
	for (;;) {
		int64_t i = atomic_fetch_add(&load->next, 1);
		if (i >= load->requests)
			break;
		if (load->per_second > 0)
			wait_until(load->began_us + (int64_t)((double)i / load->per_second * 1e6));
		int error = commit(&l, load->o, i);
		if (error != 0)
			die("commit", error);
	}
	hang_up(&l);
	return NULL;
}

/* One record into every partition of one topic after the other, so that in ten seconds every log
 * has grown. */
static void *grow(void *arg)
{
	struct load *load = arg;
	struct link l;
	double turn_us = 10e6 / load->o->topics;

	dial(&l, load->o->port);
	for (int turn = 0; atomic_load(&load->next) < load->requests; turn++) {
		insist(&l, load->o, "produce", turn % load->o->topics, grow_topic);
		wait_until(load->began_us + (int64_t)(turn_us * (turn + 1)));
	}
	hang_up(&l);
	return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *arg), struct load *load)
{
	int rc = pthread_create(thread, NULL, run, load);
	if (rc != 0)
		die("cannot start a thread", rc);
}

static void run_load(const struct options *o, const char *what, int64_t commits, double rate)
{
	pthread_t threads[CONNECTIONS_MAX];
	pthread_t grower;
	struct load load = {.o = o,
			    .requests = (commits + o->partitions - 1) / o->partitions,
			    .began_us = clock_mono_us(),
			    .per_second = rate / o->partitions};

	for (int i = 0; i < o->connections; i++)
		start(&threads[i], work, &load);
	if (rate > 0)
		start(&grower, grow, &load);
	for (int i = 0; i < o->connections; i++)
		pthread_join(threads[i], NULL);
	if (rate > 0)
		pthread_join(grower, NULL);

	double seconds = (double)(clock_mono_us() - load.began_us) / 1e6;
	int64_t done = load.requests * o->partitions;
	printf("what=%s commits=%" PRId64 " seconds=%.2f rate=%.0f next=%" PRId64 "\n", what, done,
	       seconds, (double)done / seconds,
	       o->first + (load.requests + o->groups - 1) / o->groups);
}

static void create(const struct options *o)
{
	struct link l;
	int64_t began_us = clock_mono_us();

	dial(&l, o->port);
	for (int i = 0; i < o->topics; i++)
		insist(&l, o, "create a topic", i, create_topic);
	for (int i = 0; i < o->topics; i++)
		insist(&l, o, "produce", i, fill_topic);
	/* Every partition of __consumer_offsets must have been loaded: each has some group. */
	insist(&l, o, "find the coordinator", 0, find_coordinator);
	for (int i = 0; i < o->groups; i++)
		insist(&l, o, "commit", i, commit_once);
	hang_up(&l);
	printf("what=create commits=%d seconds=%.2f next=%" PRId64 "\n", o->groups * o->partitions,
	       (double)(clock_mono_us() - began_us) / 1e6, o->first + 1);
}

/* --- the command line --- */

static int usage(void)
{
	fprintf(stderr, "Usage: bench_commits [-p PORT] [-g GROUPS] [-t TOPICS] [-n PARTITIONS]\n"
			"                     [-c CONNECTIONS] [-r RECORDS] [-o FIRST_OFFSET]\n"
			"                     create | fill COMMITS | run RATE SECONDS\n");
	return 2;
}

static bool get_options(int argc, char **argv, struct options *o)
{
	for (int c = getopt(argc, argv, "p:g:t:n:c:r:o:"); c != -1;
	     c = getopt(argc, argv, "p:g:t:n:c:r:o:")) {
		int v = c == '?' ? 0 : atoi(optarg);
		int *places['z'] = {
			['p'] = &o->port,       ['g'] = &o->groups,      ['t'] = &o->topics,
			['n'] = &o->partitions, ['c'] = &o->connections, ['r'] = &o->records};

		if (v < 0 || (v == 0 && c != 'o'))
			return false;
		if (c == 'o')
			o->first = v;
		else
			*places[c] = v;
	}
	return o->connections <= CONNECTIONS_MAX;
}

int main(int argc, char **argv)
{
	struct options o = {.port = 9092,
			    .groups = 1000,
			    .topics = 10,
			    .partitions = 100,
			    .connections = 30,
			    .records = 1000};

	if (!get_options(argc, argv, &o) || optind == argc)
		return usage();
	const char *what = argv[optind];
	int left = argc - optind - 1;
	if (strcmp(what, "create") == 0 && left == 0)
		create(&o);
	else if (strcmp(what, "fill") == 0 && left == 1)
		run_load(&o, what, atoll(argv[optind + 1]), 0);
	else if (strcmp(what, "run") == 0 && left == 2)
		run_load(&o, what, atoll(argv[optind + 1]) * atoll(argv[optind + 2]),
			 atof(argv[optind + 1]));
	else
		return usage();
	return 0;
}
