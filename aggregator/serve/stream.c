/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregator/serve/changes.h"
#include "aggregator/serve/ring.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/glob.h"
#include "common/mem.h"

#define LOOK_MS 100               /* between two looks at the board */
#define SILENCE_MS 15000          /* then a comment is sent: proxies give silent streams up */
#define CHUNK ((size_t)16 * 1024) /* bytes gathered for a reader at a time, */
#define STEPS 1024                /* out of so many events: others wait for the lock */
#define RECALL_MS 900000          /* before the start: for who was away while it was restarted */

struct stream_reader {
	struct stream *stream;
	struct stream_reader *next; /* in the stream's list */
	const struct access *who;
	uint8_t from[16];
	char *env, *cluster, *group; /* NULL: all */
	uint64_t at;                 /* number of the next event to look at */
	struct buf text;             /* gathered, */
	size_t sent;                 /* and how much of it has been read */
	int64_t said_mono;
	void (*wake)(void *arg); /* NULL: it does not wait */
	void *wake_arg;
};

static char *copy(const char *s)
{
	return s == NULL ? NULL : mem_copy(s);
}

/* Events of before the start, until they are in the ring. */
struct past {
	struct stream_event *list; /* with texts of their own */
	size_t count, cap;
};

struct stream {
	struct board *board;
	pthread_t thread;
	bool running;
	struct changes *changes; /* the thread's */
	struct past past;        /* for the time of stream_start() */
	uint64_t started;        /* part of the ids: those of another stream have other numbers */

	pthread_mutex_t lock;
	pthread_cond_t more; /* for the thread: it is to end */
	struct ring *ring;
	int64_t told_ms; /* see changes_told_ms(), as of the look before this one */
	struct stream_reader *readers;
	size_t reader_count;
	bool closed;
};

/* --- the ring; all with the lock held --- */

static void put_id(const struct stream *s, struct buf *out, uint64_t number, int64_t told_ms)
{
	buf_printf(out, "id: %" PRIx64 "-%" PRIu64 "-%" PRIx64 "\n", s->started, number,
		   (uint64_t)told_ms);
}

/* told_ms: what happened up to then has been told by the time one hears of this. passed: of which
 * cluster a new pass makes it worthless; 0: none. */
static void add(struct stream *s, const struct stream_event *e, int64_t told_ms, uint32_t passed)
{
	CLEANUP(buf_free) struct buf text = {0};

	put_id(s, &text, ring_end(s->ring), told_ms);
	buf_printf(&text, "event: %s\ndata: ", e->event);
	buf_puts(&text, e->data);
	buf_puts(&text, "\n\n");
	if (text.err != ERR_OK)
		return;
	const struct ring_event event = {
		.environment = e->environment,
		.cluster = e->cluster,
		.group = e->group,
		.text = text.data,
		.size = text.size,
		.at_ms = e->at_ms,
	};
	if (passed != 0)
		ring_replace(s->ring, passed, &event);
	else
		ring_add(s->ring, &event);
}

/* --- readers --- */

static bool due(const struct stream_reader *r, int64_t now_mono)
{
	return r->stream->closed || r->at != ring_end(r->stream->ring) ||
	       now_mono - r->said_mono >= SILENCE_MS;
}

/* Wake those for whom there is something. With the lock held: a reader that waits is not freed
 * meanwhile, and its wake does not come back here. */
static void wake_readers(struct stream *s)
{
	int64_t now_mono = clock_mono_ms();

	for (struct stream_reader *r = s->readers; r != NULL; r = r->next) {
		void (*wake)(void *arg) = r->wake;

		if (wake == NULL || !due(r, now_mono))
			continue;
		r->wake = NULL;
		wake(r->wake_arg);
	}
}

static bool wants(const struct stream_reader *r, const struct ring_event *e)
{
	return access_sees(r->who, e->environment, e->cluster) &&
	       (r->env == NULL || glob_match(r->env, e->environment)) &&
	       (r->cluster == NULL || glob_match(r->cluster, e->cluster)) &&
	       (r->group == NULL || e->group[0] == '\0' || glob_match(r->group, e->group));
}

static void gather_events(struct stream_reader *r)
{
	const struct ring *ring = r->stream->ring;

	for (size_t i = 0; i < STEPS && r->at != ring_end(ring) && r->text.size < CHUNK; i++) {
		const struct ring_event *e = ring_at(ring, r->at++);

		if (e->text != NULL && wants(r, e))
			buf_put(&r->text, e->text, e->size);
	}
}

/* More text for a reader, as far as there is any. With the lock held. */
static void gather(struct stream_reader *r)
{
	const struct stream *s = r->stream;

	buf_reset(&r->text);
	r->sent = 0;
	if (r->at < ring_first(s->ring) || r->at > ring_end(s->ring)) {
		r->at = ring_end(s->ring);
		put_id(s, &r->text, r->at - 1, s->told_ms);
		buf_puts(&r->text, "event: reset\ndata: {}\n\n");
	}
	gather_events(r);
	if (r->text.size == 0 && clock_mono_ms() - r->said_mono >= SILENCE_MS)
		buf_puts(&r->text, ":\n\n");
}

/* Where one goes on who has heard of the event of this id; a place that there is none, which makes
 * a "reset", if what came next is not known. With the lock held. */
static uint64_t after(const struct stream *s, const char *id)
{
	char *rest = NULL;
	uint64_t place = 0;
	uint64_t started = strtoull(id, &rest, 16);
	if (*rest != '-')
		return UINT64_MAX;
	uint64_t number = strtoull(rest + 1, &rest, 10);
	if (*rest != '-')
		return UINT64_MAX;
	int64_t told_ms = strtoll(rest + 1, &rest, 16);
	if (*rest != '\0')
		return UINT64_MAX;
	if (started == s->started)
		return number + 1;
	return told_ms > 0 && ring_find(s->ring, told_ms, &place) ? place : UINT64_MAX;
}

/* With the lock held. */
static bool has_room(const struct stream *s, const uint8_t from[static 16])
{
	size_t of_one = 0;

	for (const struct stream_reader *r = s->readers; r != NULL; r = r->next)
		of_one += memcmp(r->from, from, sizeof(r->from)) == 0;
	return s->reader_count < STREAM_READERS && of_one < STREAM_READERS_OF_ONE;
}

int stream_open(struct stream *s, const struct stream_wish *wish, struct stream_reader **ret_r)
{
	struct stream_reader *r = calloc(1, sizeof(*r));
	int err = r == NULL ? -ENOMEM : ERR_OK;

	if (err != ERR_OK)
		return err;
	*r = (struct stream_reader){.stream = s,
				    .who = wish->who,
				    .env = copy(wish->env),
				    .cluster = copy(wish->cluster),
				    .group = copy(wish->group),
				    .said_mono = clock_mono_ms()};
	memcpy(r->from, wish->from, sizeof(r->from));
	/* Something at once, so that the headers go out, and the client knows that it is heard. */
	buf_puts(&r->text, "retry: 2000\n\n");
	pthread_mutex_lock(&s->lock);
	r->at = wish->last_id == NULL ? ring_end(s->ring) : after(s, wish->last_id);
	if (s->closed || !has_room(s, wish->from)) {
		err = ERR_LIMIT;
	} else {
		r->next = s->readers;
		s->readers = r;
		s->reader_count++;
	}
	pthread_mutex_unlock(&s->lock);
	if (err == ERR_OK)
		*ret_r = r;
	else
		stream_reader_free(&r);
	return err;
}

static void take_out(struct stream *s, const struct stream_reader *r)
{
	struct stream_reader **at = &s->readers;

	while (*at != NULL && *at != r)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = r->next;
	s->reader_count--;
}

void stream_reader_free(struct stream_reader **r)
{
	struct stream_reader *gone = *r;

	*r = NULL;
	if (gone == NULL)
		return;
	pthread_mutex_lock(&gone->stream->lock);
	take_out(gone->stream, gone);
	pthread_mutex_unlock(&gone->stream->lock);
	buf_free(&gone->text);
	free(gone->env);
	free(gone->cluster);
	free(gone->group);
	free(gone);
}

ptrdiff_t stream_read(struct stream_reader *r, char *out, size_t max)
{
	bool closed = false;

	if (r->sent == r->text.size) {
		pthread_mutex_lock(&r->stream->lock);
		closed = r->stream->closed;
		if (!closed)
			gather(r);
		pthread_mutex_unlock(&r->stream->lock);
	}
	if (closed || r->text.err != ERR_OK)
		return -1;
	size_t size = MIN(r->text.size - r->sent, max);
	if (size == 0)
		return 0;
	memcpy(out, r->text.data + r->sent, size);
	r->sent += size;
	r->said_mono = clock_mono_ms();
	return (ptrdiff_t)size;
}

void stream_await(struct stream_reader *r, void (*wake)(void *arg), void *arg)
{
	pthread_mutex_lock(&r->stream->lock);
	r->wake = wake;
	r->wake_arg = arg;
	if (due(r, clock_mono_ms())) {
		r->wake = NULL;
		wake(arg);
	}
	pthread_mutex_unlock(&r->stream->lock);
}

/* --- the thread --- */

static void on_change(void *arg, const struct change *c)
{
	struct stream *s = arg;
	const struct stream_event e = {.at_ms = c->at_ms,
				       .event = c->event,
				       .environment = c->environment,
				       .cluster = c->cluster,
				       .group = c->group,
				       .data = c->data};

	add(s, &e, s->told_ms, c->group[0] == '\0' ? c->cluster_id : 0);
}

/* The agents' clocks may be ahead of what people do here. */
static void note_told(struct stream *s)
{
	int64_t told_ms = changes_told_ms(s->changes);
	int64_t now_ms = clock_wall_ms();

	s->told_ms = MIN(told_ms, now_ms);
}

static void nap(struct stream *s)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&s->more, &s->lock, &until);
}

static void *run(void *arg)
{
	struct stream *s = arg;
	uint64_t serial = 0;

	pthread_mutex_lock(&s->lock);
	while (!s->closed) {
		nap(s);
		pthread_mutex_unlock(&s->lock);
		uint64_t now = board_serial(s->board);
		if (now != serial)
			changes_look(s->changes, s->board);
		serial = now;
		pthread_mutex_lock(&s->lock);
		changes_each(s->changes, on_change, s);
		note_told(s);
		wake_readers(s);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int stream_new(struct board *board, struct stream **ret_s)
{
	struct stream *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (s == NULL)
		return -ENOMEM;
	s->board = board;
	s->started = (uint64_t)clock_wall_ms();
	s->ring = ring_new();
	s->changes = changes_new();
	pthread_mutex_init(&s->lock, NULL);
	/* A clock that is set back would let the thread sleep until it has caught up. */
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->more, &attr);
	pthread_condattr_destroy(&attr);
	*ret_s = s;
	return ERR_OK;
}

void stream_know(struct stream *s, const struct view *v)
{
	changes_know(s->changes, v);
}

int64_t stream_since_ms(const struct stream *s)
{
	int64_t told_ms = changes_told_ms(s->changes);

	return told_ms == 0 ? clock_wall_ms() : told_ms - RECALL_MS;
}

static int by_time(const void *a, const void *b)
{
	const struct stream_event *x = a;
	const struct stream_event *y = b;

	return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

static void free_past(struct past *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free((void *)(uintptr_t)p->list[i].environment);
		free((void *)(uintptr_t)p->list[i].cluster);
		free((void *)(uintptr_t)p->list[i].group);
		free((void *)(uintptr_t)p->list[i].data);
	}
	free(p->list);
	*p = (struct past){.list = NULL};
}

void stream_recall(struct stream *s, const struct stream_event *e)
{
	struct past *p = &s->past;

	p->list = mem_grow(p->list, p->count, &p->cap, sizeof(*p->list));
	p->list[p->count++] = (struct stream_event){.at_ms = e->at_ms,
						    .event = e->event,
						    .environment = copy(e->environment),
						    .cluster = copy(e->cluster),
						    .group = copy(e->group),
						    .data = copy(e->data)};
}

/* In the order in which they happened, so that whoever has heard of one has heard of all before. */
static void add_past(struct stream *s)
{
	struct past *p = &s->past;

	if (p->count > 1)
		qsort(p->list, p->count, sizeof(*p->list), by_time);
	for (size_t i = 0; i < p->count; i++)
		add(s, &p->list[i], p->list[i].at_ms - 1, 0);
	free_past(p);
}

int stream_start(struct stream *s, bool complete)
{
	pthread_mutex_lock(&s->lock);
	note_told(s);
	ring_begin_at(s->ring, complete ? stream_since_ms(s) : clock_wall_ms());
	add_past(s);
	pthread_mutex_unlock(&s->lock);
	int err = -pthread_create(&s->thread, NULL, run, s);
	s->running = err == ERR_OK;
	return err;
}

void stream_close(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->closed = true;
	pthread_cond_signal(&s->more);
	wake_readers(s);
	pthread_mutex_unlock(&s->lock);
}

void stream_stop(struct stream **s)
{
	struct stream *gone = *s;

	*s = NULL;
	if (gone == NULL)
		return;
	stream_close(gone);
	if (gone->running)
		pthread_join(gone->thread, NULL);
	ring_free(&gone->ring);
	changes_free(&gone->changes);
	pthread_cond_destroy(&gone->more);
	pthread_mutex_destroy(&gone->lock);
	free(gone);
}

void stream_tell(struct stream *s, const struct stream_event *e)
{
	pthread_mutex_lock(&s->lock);
	add(s, e, s->told_ms, 0);
	wake_readers(s);
	pthread_mutex_unlock(&s->lock);
}
