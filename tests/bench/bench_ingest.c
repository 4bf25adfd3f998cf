/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_ingest - agents in one process, the aggregator's link, writer and store in another,
 * loopback between them: rows decoded, applied, synced, judged and acknowledged a second.
 *
 *	bench_ingest [agents] [group-partitions of each] [seconds] [rows in a batch]
 *		     [tcp | tls | key] [rows a second at most] [percent behind] [url]
 *
 * tls: certificates on both sides; key: and a code by the agent's key with each batch. url: only
 * the agents, of an aggregator that runs there and has not heard of them before.
 *
 * Every group-partition commits in every pass. Most read within one pass what came; so many
 * percent of the groups lag by up to an hour, which takes a look at all that is remembered of the
 * log to judge.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ship/link.h"
#include "aggregator/ingest/link.h"
#include "aggregator/ingest/writer.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "tests/unit/temp.h"
#include "tests/unit/tls_fixture.h"

#define PORT 17771
#define PORTS 1000 /* from there on, so that two can run at a time */
#define SERVER "aggregator"
#define AGENTS_MAX 1000
#define PARTITIONS 100 /* of each group */
#define LATENCIES 1000000
#define LOOKS 10
#define COMES 137 /* messages in each partition a pass */
#define LAG_FAR 50000

struct options {
	int agents, partitions, seconds, rows;
	bool tls, keyed;
	int64_t rate; /* rows a second; 0: as many as there may be */
	int behind;   /* percent of the groups that lag far */
	struct cert *server, *client;
	struct mac_key key; /* of all agents */
	char url[64];
};

/* --- the sending side --- */

struct slot {
	bool busy;
	struct buf frame; /* what it carries */
	int64_t sent_us;  /* first */
	int64_t again_us; /* when it is to be sent again; 0: it is not */
};

struct sender {
	struct link *link;
	char name[32];
	const char **names; /* groups, then one topic */
	uint64_t seq, acked;
	uint64_t pass;
	int next; /* group-partition the next batch begins with */
	struct slot slots[LINK_SLOTS];
	bool welcome;
	uint64_t session;
	uint8_t challenge[MAC_SIZE];
	bool challenged;
};

static uint32_t latencies_us[LATENCIES];
static size_t latency_count;
static uint64_t rows_acked;
static int64_t rows_sent;
static uint64_t put_off; /* answered "later" */
static struct buf body;

static void send_frame(struct sender *s, unsigned slot, enum frame_type type,
		       const struct options *o)
{
	struct slot *to = &s->slots[slot];
	struct frame_context context = {0};

	buf_reset(&to->frame);
	frame_put(&to->frame, type, body.data, body.size, type == FRAME_BATCH);
	if (type == FRAME_BATCH)
		context = (struct frame_context){s->session, 1, 1, s->seq};
	if (s->challenged)
		frame_seal(&to->frame, &o->key, &context);
	if (link_send(s->link, slot, to->frame.data, to->frame.size) != ERR_OK)
		abort();
	to->busy = true;
	to->sent_us = clock_mono_us();
}

static void send_again(struct sender *s, unsigned slot)
{
	struct slot *to = &s->slots[slot];

	if (link_send(s->link, slot, to->frame.data, to->frame.size) != ERR_OK)
		abort();
	to->again_us = 0;
}

static void send_hello(struct sender *s, const struct options *o)
{
	const struct wire_hello h = {.agent = s->name,
				     .epoch = 1,
				     .instance = 1,
				     .next_seq = 1,
				     .version_min = 1,
				     .version_max = 1,
				     .software = "bench",
				     .challenge = s->challenged ? s->challenge : NULL};

	buf_reset(&body);
	wire_put_hello(&body, &h);
	send_frame(s, 0, FRAME_HELLO, o);
}

static int64_t log_end(const struct sender *s)
{
	return (int64_t)s->pass * COMES + LAG_FAR;
}

/* Groups with a low number in their hundred lag far, each partition by something else. */
static int64_t offset_of(const struct sender *s, int at, const struct options *o)
{
	int64_t behind =
		at / PARTITIONS % 100 < o->behind ? (int64_t)at * 97 % LAG_FAR : at % COMES;

	return log_end(s) - behind;
}

static void send_batch(struct sender *s, unsigned slot, const struct options *o)
{
	static struct wire_commit_row commits[WIRE_ROWS_MAX];
	static struct wire_log_row logs[WIRE_ROWS_MAX];
	int groups = o->partitions / PARTITIONS;
	int count = MIN(o->rows, o->partitions - s->next);
	int64_t now_ms = 1700000000000 + (int64_t)s->pass * 10000;

	for (int i = 0; i < count; i++) {
		int at = s->next + i;
		uint32_t group = (uint32_t)(at / PARTITIONS);

		commits[i] = (struct wire_commit_row){group,           (uint32_t)groups,
						      at % PARTITIONS, offset_of(s, at, o),
						      now_ms - 40,     now_ms - 20};
	}
	int log_count = s->next == 0 ? PARTITIONS : 0;
	for (int i = 0; i < log_count; i++)
		logs[i] = (struct wire_log_row){(uint32_t)groups, i, 0, log_end(s), -1, 1};
	const struct wire_batch b = {
		.agent = s->name,
		.epoch = 1,
		.seq = ++s->seq,
		.instance = 1,
		.floor_seq = 1,
		.cluster = s->name,
		.environment = "BENCH",
		.pass = s->pass,
		.pass_at_ms = now_ms,
		.interval_ms = 10000,
		.flags = (s->next == 0 ? WIRE_PASS_FIRST : 0) |
			 (s->next + count == o->partitions ? WIRE_PASS_LAST : 0),
		.report = {.state = WIRE_AGENT_RUNNING},
		.names = s->names,
		.name_count = (size_t)groups + 1,
		.commits = commits,
		.commit_count = (size_t)count,
		.logs = logs,
		.log_count = (size_t)log_count,
	};
	buf_reset(&body);
	wire_put_batch(&body, &b);
	send_frame(s, slot, FRAME_BATCH, o);
	rows_sent += count;
	s->next += count;
	if (s->next == o->partitions) {
		s->next = 0;
		s->pass++;
	}
}

static void on_welcome(struct sender *s, const struct frame *f, const struct options *o,
		       struct arena *a)
{
	struct wire_welcome w;

	if (wire_get_welcome(f->body, f->size, a, &w) != ERR_OK)
		abort();
	s->session = w.session;
	s->welcome = w.code == WIRE_OK;
	if (w.code == WIRE_CHALLENGE) {
		s->challenged = true;
		memcpy(s->challenge, w.challenge, MAC_SIZE);
		send_hello(s, o);
	}
}

static void on_reply(struct sender *s, const struct link_event *e, const struct options *o,
		     struct arena *a)
{
	struct slot *slot = &s->slots[e->slot];
	struct frame f;
	struct wire_ack ack;

	arena_reset(a);
	if (frame_get(e->data, e->size, WIRE_BODY_MAX, a, &f) != ERR_OK)
		abort();
	if (f.type == FRAME_WELCOME) {
		slot->busy = false;
		on_welcome(s, &f, o, a);
		return;
	}
	if (wire_get_ack(f.body, f.size, a, &ack) != ERR_OK ||
	    (ack.code != WIRE_OK && ack.code != WIRE_RETRY)) {
		fprintf(stderr, "batch not taken: code %d %s\n", (int)ack.code, ack.reason);
		exit(EXIT_FAILURE);
	}
	if (ack.code == WIRE_RETRY) {
		put_off++;
		slot->again_us = clock_mono_us() + (int64_t)ack.retry_ms * 1000 + 1;
		return;
	}
	slot->busy = false;
	if (latency_count < LATENCIES)
		latencies_us[latency_count++] = (uint32_t)(clock_mono_us() - slot->sent_us);
	rows_acked += (uint64_t)o->rows;
	s->acked++;
}

static struct sender new_sender(int number, const struct options *o)
{
	struct sender s = {.pass = 1};
	int groups = o->partitions / PARTITIONS;

	snprintf(s.name, sizeof(s.name), "agent-%d", number);
	s.names = calloc((size_t)groups + 1, sizeof(*s.names));
	for (int i = 0; i <= groups; i++) {
		char *text = NULL;

		if (asprintf(&text, i < groups ? "payments-service-group-%04d" : "orders.v%d", i) <
		    0)
			abort();
		s.names[i] = text;
	}
	const struct link_tls tls = {o->client, SERVER};
	if (link_open(o->url, LINK_TIMES, &tls, &s.link) != ERR_OK)
		abort();
	send_hello(&s, o);
	return s;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void step(struct sender *s, const struct options *o, struct arena *a, int64_t ran_us)
{
	struct link_event e;

	for (unsigned slot = 0; s->welcome && slot < LINK_SLOTS; slot++) {
		const struct slot *to = &s->slots[slot];

		if (to->again_us != 0 && clock_mono_us() >= to->again_us)
			send_again(s, slot);
		if (!to->busy && (o->rate == 0 || rows_sent <= ran_us * o->rate / 1000000))
			send_batch(s, slot, o);
	}
	for (link_wait(s->link, 0, &e); e.kind != LINK_NOTHING; link_wait(s->link, 0, &e))
		if (e.kind == LINK_REPLY)
			on_reply(s, &e, o, a);
}

static void send_all(const struct options *o)
{
	struct sender *senders = calloc((size_t)o->agents, sizeof(*senders));
	struct arena a;

	arena_init(&a, WIRE_ARENA_BYTES);
	for (int i = 0; i < o->agents; i++)
		senders[i] = new_sender(i, o);
	int64_t began_us = clock_mono_us();
	while (clock_mono_us() - began_us < (int64_t)o->seconds * 1000000) {
		for (int i = 0; i < o->agents; i++)
			step(&senders[i], o, &a, clock_mono_us() - began_us);
		usleep(200);
	}
	double seconds = (double)(clock_mono_us() - began_us) / 1e6;
	qsort(latencies_us, latency_count, sizeof(*latencies_us), by_value);
	printf("%.0f rows/s acknowledged, %.0f batches/s, ack p50 %.1f ms p99 %.1f ms; %llu put "
	       "off\n",
	       (double)rows_acked / seconds, (double)latency_count / seconds,
	       latency_count ? latencies_us[latency_count / 2] / 1e3 : 0,
	       latency_count ? latencies_us[latency_count * 99 / 100] / 1e3 : 0,
	       (unsigned long long)put_off);
	fflush(stdout);
	_exit(0);
}

/* --- the receiving side --- */

static void print_stats(struct writer *w, struct store *st, double seconds,
			const long mib[static LOOKS])
{
	struct writer_stats s;
	struct rusage use;
	uint64_t used = 0;
	uint64_t limit = 0;

	writer_stats(w, &s);
	getrusage(RUSAGE_SELF, &use);
	store_usage(st, &used, &limit);
	uint64_t judged = s.judging.below[HISTOGRAM_BUCKETS - 1];
	printf("writer: %.0f rows/s in %llu batches, %.1f batches a transaction, %llu passes "
	       "judged, each in %.1f ms; lost %llu duplicates %llu\n",
	       (double)s.rows / seconds, (unsigned long long)s.batches,
	       (double)s.batches / (double)MAX(s.transactions, (uint64_t)1),
	       (unsigned long long)judged,
	       (double)s.judging.sum_us / 1e3 / (double)MAX(judged, (uint64_t)1),
	       (unsigned long long)s.lost, (unsigned long long)s.duplicates);
	printf("aggregator: max RSS %ld MiB, cpu %.2f s, store %.0f MiB\n", use.ru_maxrss / 1024,
	       (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
		       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6,
	       (double)used / (1 << 20));
	printf("memory MiB:");
	for (int i = 0; i < LOOKS; i++)
		printf(" %ld", mib[i]);
	printf("\n");
}

/* Without the pages of the store, which the system may take back. */
static long memory_mib(void)
{
	long resident = 0;
	long shared = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%*d %ld %ld", &resident, &shared) != 2)
		abort();
	fclose(f);
	return (resident - shared) * sysconf(_SC_PAGESIZE) >> 20;
}

/* Until the agents have ended; looks ten times how much memory is in use. */
static int watch(pid_t agents, int seconds, long ret_mib[static LOOKS])
{
	int64_t began_us = clock_mono_us();
	int looks = 0;
	int status = 0;

	while (waitpid(agents, &status, WNOHANG) == 0) {
		usleep(10000);
		if (looks < LOOKS && (clock_mono_us() - began_us) * LOOKS / 1000000 >=
					     (int64_t)seconds * (looks + 1))
			ret_mib[looks++] = memory_mib();
	}
	return status;
}

/* Certificates, or a guard that knows all agents by the one key. */
static void prepare(struct options *o, const char *how)
{
	struct tls_ca ca = tls_ca_new("bench");

	o->keyed = strcmp(how, "key") == 0;
	o->tls = o->keyed || strcmp(how, "tls") == 0;
	o->server = tls_issue_now(&ca, SERVER);
	o->client = tls_issue_now(&ca, "agent");
	mac_random(&o->key);
	snprintf(o->url, sizeof(o->url), "%s://127.0.0.1:%d", o->tls ? "tls+tcp" : "tcp",
		 PORT + (int)getpid() % PORTS);
	tls_ca_free(&ca);
}

static struct guard *make_guard(const struct options *o)
{
	static struct guard_agent agents[AGENTS_MAX];
	static char names[AGENTS_MAX][32];
	struct guard_options g = {.agents = agents, .new_names = 1000000000};

	g.agent_count = o->keyed ? (size_t)o->agents : 0;
	for (size_t i = 0; i < g.agent_count; i++) {
		snprintf(names[i], sizeof(names[i]), "agent-%zu", i);
		agents[i] = (struct guard_agent){.name = names[i], .key = o->key};
	}
	return guard_new(&g);
}

int main(int argc, char **argv)
{
	struct options o = {
		.agents = argc > 1 ? MIN(atoi(argv[1]), AGENTS_MAX) : 10,
		.partitions = argc > 2 ? atoi(argv[2]) : 10000,
		.seconds = argc > 3 ? atoi(argv[3]) : 10,
		.rows = argc > 4 ? MIN(atoi(argv[4]), WIRE_ROWS_MAX) : 5000,
		.rate = argc > 6 ? atoll(argv[6]) : 0,
		.behind = argc > 7 ? atoi(argv[7]) : 5,
	};

	prepare(&o, argc > 5 ? argv[5] : "tcp");
	if (argc > 8) {
		snprintf(o.url, sizeof(o.url), "%s", argv[8]);
		send_all(&o);
	}
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		send_all(&o);
	}
	struct temp dir = temp_make();
	char why_store[512] = "";
	struct buf why = {0};
	struct store *st = NULL;
	struct board *board = board_new();
	struct ingest_link *link = NULL;
	struct writer *w = NULL;
	const struct ingest_listen listen = {o.url, o.server};
	struct guard *guard = make_guard(&o);
	const struct ingest_link_limits limits = {.bytes = 64u << 20,
						  .messages = 4096,
						  .connections = 1000,
						  .idle_ms = 60000,
						  .busy = "",
						  .busy_size = 0};
	int err = store_open(dir.dir, (size_t)4 << 30, why_store, &st);
	if (err == ERR_OK)
		err = ingest_link_open(&listen, 1, &limits, &why, &link);
	const struct rules_base base = {.values = RULES_DEFAULT};
	struct rules_set *rules = rules_new("", 0, &base, NULL, 0);
	const struct writer_options options = {.store = st,
					       .board = board,
					       .link = link,
					       .guard = guard,
					       .rules = rules,
					       .expire_cluster_ms = INT64_MAX};
	if (err == ERR_OK)
		err = writer_start(&options, &w);
	if (err != ERR_OK) {
		fprintf(stderr, "cannot start: %s %s\n", why_store, buf_str(&why));
		return EXIT_FAILURE;
	}
	int64_t began_us = clock_mono_us();
	long mib[LOOKS] = {0};
	int status = watch(child, o.seconds, mib);
	print_stats(w, st, (double)(clock_mono_us() - began_us) / 1e6, mib);
	writer_stop(&w);
	store_close(&st);
	board_free(&board);
	temp_remove(&dir);
	fflush(stdout);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}
