/* SPDX-License-Identifier: Apache-2.0 */

/*
 * load - an agent that cannot forget: sends batches that follow from their number alone, again and
 * again until each is acknowledged, and counts. So what an aggregator must have afterwards is
 * known exactly.
 *
 *	load URL AGENT [key=value ...]
 *
 *	passes=100      passes, each of batches=4 batches, or
 *	seconds=0       as many as go in so many seconds
 *	groups=10       in a batch, each with partitions=20 partitions
 *	pace_ms=0       time between two passes
 *	interval_ms=1000  what the agent says of it
 *	fresh=0         1: every pass names new groups, and nothing of the old ones
 *	full=0          1: passes are full ones, what they do not name is gone
 *	epoch=1 instance=0 (random) next=1: of the stream; next is the first batch
 *	drain_s=60      for what is not acknowledged at the end
 *
 * SIGTERM ends it early, in order. Prints one line: sent, acked, duplicates, retries, hellos,
 *fenced, refused. The exit status is 0 when everything sent was acknowledged.
 */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/ship/link.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/frame.h"
#include "proto/wire.h"

#define AHEAD 64 /* batches sent and not acknowledged, at most */
#define BATCHES_MAX (LINK_SLOTS - 1)

struct options {
	int64_t passes, batches, seconds, groups, partitions, pace_ms, interval_ms, fresh, full,
		epoch, instance, next, drain_s;
};

struct load {
	struct options o;
	const char *agent;
	struct link *link;
	struct arena arena;
	struct buf body, frame;
	int64_t began_ms, began_mono;

	bool greeted;
	bool out; /* refused, or fenced: nothing more is sent */
	int64_t hello_at, pause_until;
	uint64_t slots[LINK_SLOTS]; /* number of the batch; UINT64_MAX: a hello; 0: free */
	uint64_t last;              /* the last batch there is to send so far */
	uint64_t done;              /* all up to this are acknowledged */
	bool acked[AHEAD];          /* by number modulo AHEAD, above done */
	uint64_t acks, duplicates, retries, hellos, fenced, refused;
};

static bool set_option(struct options *o, const char *text)
{
	static const struct {
		const char *name;
		size_t at;
	} NAMES[] = {
		{"passes", offsetof(struct options, passes)},
		{"batches", offsetof(struct options, batches)},
		{"seconds", offsetof(struct options, seconds)},
		{"groups", offsetof(struct options, groups)},
		{"partitions", offsetof(struct options, partitions)},
		{"pace_ms", offsetof(struct options, pace_ms)},
		{"interval_ms", offsetof(struct options, interval_ms)},
		{"fresh", offsetof(struct options, fresh)},
		{"full", offsetof(struct options, full)},
		{"epoch", offsetof(struct options, epoch)},
		{"instance", offsetof(struct options, instance)},
		{"next", offsetof(struct options, next)},
		{"drain_s", offsetof(struct options, drain_s)},
	};
	const char *value = strchr(text, '=');

	for (size_t i = 0; value != NULL && i < ARRAY_LEN(NAMES); i++) {
		size_t size = strlen(NAMES[i].name);

		if (size != (size_t)(value - text) || memcmp(text, NAMES[i].name, size) != 0)
			continue;
		*(int64_t *)((char *)o + NAMES[i].at) = atoll(value + 1);
		return true;
	}
	return false;
}

/* --- out --- */

static bool post(struct load *l, enum frame_type type, uint64_t what)
{
	unsigned slot = 0;

	while (slot < LINK_SLOTS && l->slots[slot] != 0)
		slot++;
	if (slot == LINK_SLOTS)
		return false;
	buf_reset(&l->frame);
	frame_put(&l->frame, type, l->body.data, l->body.size, type == FRAME_BATCH);
	if (link_send(l->link, slot, l->frame.data, l->frame.size) != ERR_OK)
		abort();
	l->slots[slot] = what;
	return true;
}

static bool is_out(const struct load *l, uint64_t what)
{
	for (unsigned i = 0; i < LINK_SLOTS; i++)
		if (l->slots[i] == what)
			return true;
	return false;
}

static void say_hello(struct load *l)
{
	const struct wire_hello h = {
		.agent = l->agent,
		.epoch = (uint64_t)l->o.epoch,
		.instance = (uint64_t)l->o.instance,
		.next_seq = l->last + 1,
		.version_min = WIRE_VERSION,
		.version_max = WIRE_VERSION,
		.software = "load",
	};

	if (is_out(l, UINT64_MAX))
		return;
	l->hellos++;
	buf_reset(&l->body);
	wire_put_hello(&l->body, &h);
	(void)post(l, FRAME_HELLO, UINT64_MAX);
}

/* Names of groups, then one topic, in the arena. */
static void put_names(struct load *l, struct wire_batch *b, uint64_t piece)
{
	size_t count = (size_t)l->o.groups + 1;
	const char **names = arena_alloc(&l->arena, count * sizeof(*names));

	for (size_t i = 0; i < count; i++) {
		char *name = arena_alloc(&l->arena, 64);

		if (i == (size_t)l->o.groups)
			snprintf(name, 64, "orders");
		else
			snprintf(name, 64, "readers-%" PRIu64 "-%" PRIu64 "-%zu",
				 l->o.fresh ? b->pass : 0, piece, i);
		names[i] = name;
	}
	b->names = names;
	b->name_count = count;
}

static void put_rows(struct load *l, struct wire_batch *b)
{
	int64_t partitions = l->o.partitions;
	size_t count = (size_t)(l->o.groups * partitions);
	struct wire_commit_row *commits = arena_alloc(&l->arena, count * sizeof(*commits));
	struct wire_log_row *logs = arena_alloc(&l->arena, (size_t)partitions * sizeof(*logs));

	for (size_t i = 0; i < count; i++)
		commits[i] = (struct wire_commit_row){
			.group = (uint32_t)((int64_t)i / partitions),
			.topic = (uint32_t)l->o.groups,
			.partition = (int32_t)((int64_t)i % partitions),
			.offset = (int64_t)b->pass * 100,
			.time_ms = b->pass_at_ms - 40,
			.arrival_ms = b->pass_at_ms - 20,
		};
	for (int32_t i = 0; i < partitions; i++)
		logs[i] = (struct wire_log_row){.topic = (uint32_t)l->o.groups,
						.partition = i,
						.end = (int64_t)b->pass * 100 + 7,
						.stable = WIRE_UNKNOWN,
						.epoch = 1};
	b->commits = commits;
	b->commit_count = count;
	b->logs = logs;
	b->log_count = (b->flags & WIRE_PASS_FIRST) ? (size_t)partitions : 0;
}

static bool send_batch(struct load *l, uint64_t seq)
{
	uint64_t per_pass = (uint64_t)l->o.batches;
	uint64_t piece = (seq - 1) % per_pass;
	struct wire_batch b = {
		.agent = l->agent,
		.epoch = (uint64_t)l->o.epoch,
		.seq = seq,
		.instance = (uint64_t)l->o.instance,
		.floor_seq = 1,
		.cluster = l->agent,
		.environment = "LOAD",
		.pass = (seq - 1) / per_pass + 1,
		.interval_ms = (uint32_t)l->o.interval_ms,
		.flags = (piece == 0 ? WIRE_PASS_FIRST : 0) |
			 (piece == per_pass - 1 ? WIRE_PASS_LAST : 0) |
			 (l->o.full ? WIRE_PASS_FULL : 0),
		.report = {.state = WIRE_AGENT_RUNNING},
	};

	arena_reset(&l->arena);
	b.pass_at_ms = l->began_ms + (int64_t)b.pass * MAX(l->o.pace_ms, l->o.interval_ms);
	put_names(l, &b, piece);
	put_rows(l, &b);
	buf_reset(&l->body);
	wire_put_batch(&l->body, &b);
	return post(l, FRAME_BATCH, seq);
}

/* --- in --- */

static void on_welcome(struct load *l, const struct frame *f)
{
	struct wire_welcome w;

	if (wire_get_welcome(f->body, f->size, &l->arena, &w) != ERR_OK)
		abort();
	l->greeted = w.code == WIRE_OK;
	if (w.code == WIRE_REFUSED) {
		fprintf(stderr, "refused: %s\n", w.reason);
		l->refused++;
		l->out = true;
		return;
	}
	if (w.code == WIRE_RETRY)
		l->hello_at = clock_mono_ms() + 500;
	if (w.code != WIRE_OK || w.applied_seq <= l->done)
		return;
	/* What it has it has: an acknowledgement may have been lost. */
	for (uint64_t seq = l->done + 1; seq <= MIN(w.applied_seq, l->last); seq++)
		l->acked[seq % AHEAD] = true;
}

static void on_ack(struct load *l, const struct frame *f, uint64_t seq)
{
	struct wire_ack a;

	if (wire_get_ack(f->body, f->size, &l->arena, &a) != ERR_OK)
		abort();
	switch (a.code) {
	case WIRE_OK:
	case WIRE_DUPLICATE:
		l->acks++;
		l->duplicates += a.code == WIRE_DUPLICATE;
		if (seq > l->done)
			l->acked[seq % AHEAD] = true;
		break;
	case WIRE_RETRY:
		l->retries++;
		l->pause_until = clock_mono_ms() + MIN(a.retry_ms, 1000u);
		break;
	case WIRE_NEED_HELLO:
		l->greeted = false;
		say_hello(l);
		break;
	case WIRE_FENCED:
		l->fenced++;
		l->out = true;
		break;
	default:
		fprintf(stderr, "batch %" PRIu64 ": code %d %s\n", seq, (int)a.code, a.reason);
		exit(2);
	}
}

static void on_reply(struct load *l, const struct link_event *e)
{
	uint64_t what = l->slots[e->slot];
	struct frame f;

	l->slots[e->slot] = 0;
	arena_reset(&l->arena);
	if (frame_get(e->data, e->size, WIRE_BODY_MAX, &l->arena, &f) != ERR_OK)
		abort();
	if (f.type == FRAME_WELCOME)
		on_welcome(l, &f);
	else if (what != UINT64_MAX)
		on_ack(l, &f, what);
	while (l->done < l->last && l->acked[(l->done + 1) % AHEAD])
		l->acked[++l->done % AHEAD] = false;
}

static void on_event(struct load *l, const struct link_event *e)
{
	if (e->kind == LINK_UP) {
		l->greeted = false;
		say_hello(l);
	} else if (e->kind == LINK_DOWN) {
		l->greeted = false;
	} else if (e->kind == LINK_REPLY) {
		on_reply(l, e);
	} else if (e->kind == LINK_LOST) {
		l->slots[e->slot] = 0;
	}
}

/* --- the whole --- */

static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

static bool is_over(const struct load *l)
{
	if (ended)
		return true;
	if (l->o.seconds != 0)
		return clock_mono_ms() - l->began_mono >= l->o.seconds * 1000;
	return l->last >= (uint64_t)(l->o.next - 1 + l->o.passes * l->o.batches);
}

/* Let there be more to send, as the pace allows. */
static void produce(struct load *l)
{
	int64_t gone_ms = clock_mono_ms() - l->began_mono;

	while (l->last - l->done < AHEAD && !is_over(l)) {
		uint64_t pass = (l->last - (uint64_t)l->o.next + 1) / (uint64_t)l->o.batches;

		if (l->o.pace_ms != 0 && (int64_t)pass * l->o.pace_ms > gone_ms)
			return;
		l->last++;
	}
}

static void send_some(struct load *l)
{
	unsigned out = 0;

	if (!l->greeted && l->hello_at != 0 && clock_mono_ms() >= l->hello_at) {
		l->hello_at = 0;
		say_hello(l);
	}
	if (!l->greeted || clock_mono_ms() < l->pause_until)
		return;
	for (unsigned i = 0; i < LINK_SLOTS; i++)
		out += l->slots[i] != 0;
	for (uint64_t seq = l->done + 1; seq <= l->last && out < BATCHES_MAX; seq++) {
		if (l->acked[seq % AHEAD] || is_out(l, seq))
			continue;
		if (!send_batch(l, seq))
			return;
		out++;
	}
}

static void run(struct load *l)
{
	int64_t drain_until = 0;

	while (!l->out) {
		struct link_event e;

		produce(l);
		if (is_over(l) && l->done == l->last)
			return;
		if (is_over(l) && drain_until == 0)
			drain_until = clock_mono_ms() + l->o.drain_s * 1000;
		if (drain_until != 0 && clock_mono_ms() > drain_until)
			return;
		send_some(l);
		for (link_wait(l->link, 5, &e); e.kind != LINK_NOTHING; link_wait(l->link, 0, &e))
			on_event(l, &e);
	}
}

int main(int argc, char **argv)
{
	static struct load l = {.o = {.passes = 100,
				      .batches = 4,
				      .groups = 10,
				      .partitions = 20,
				      .epoch = 1,
				      .next = 1,
				      .interval_ms = 1000,
				      .drain_s = 60}};
	const struct link_times times = {.redial_ms = 5000, .reply_ms = 20000};

	for (int i = 3; i < argc; i++)
		if (!set_option(&l.o, argv[i]))
			argc = 0;
	if (argc < 3) {
		fputs("usage: load URL AGENT [key=value ...]\n", stderr);
		return 2;
	}
	while (l.o.instance == 0)
		if (getrandom(&l.o.instance, sizeof(l.o.instance), 0) < 0)
			abort();
	signal(SIGTERM, on_signal);
	l.agent = argv[2];
	l.began_ms = clock_wall_ms();
	l.began_mono = clock_mono_ms();
	l.last = l.done = (uint64_t)l.o.next - 1;
	arena_init(&l.arena, WIRE_ARENA_BYTES);
	if (link_open(argv[1], times, NULL, &l.link) != ERR_OK)
		abort();
	run(&l);
	uint64_t before = (uint64_t)l.o.next - 1;
	printf("sent %" PRIu64 " acked %" PRIu64 " duplicates %" PRIu64 " retries %" PRIu64
	       " hellos %" PRIu64 " fenced %" PRIu64 " refused %" PRIu64 "\n",
	       l.last - before, l.done - before, l.duplicates, l.retries, l.hellos, l.fenced,
	       l.refused);
	fflush(stdout);
	_exit(l.done == l.last && !l.out ? 0 : 1);
}
