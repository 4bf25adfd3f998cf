/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregator/serve/changes.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/glob.h"

#define EVENTS 4096                 /* kept for readers that come back */
#define BYTES_MAX ((size_t)8 << 20) /* of all of them */
#define LOOK_MS 100                 /* between two looks at the board */
#define SILENCE_MS 15000            /* then a comment is sent: proxies give silent streams up */
#define CHUNK ((size_t)16 * 1024)   /* bytes gathered for a reader at a time */

/* One event as it is sent. */
struct event {
	char *environment, *cluster, *group; /* group "": it is of the cluster */
	char *text;
	size_t size;
};

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

struct stream {
	struct board *board;
	pthread_t thread;
	struct changes *changes; /* the thread's */
	uint64_t
		started; /* part of the numbers: those of another run of the program are not ours */

	pthread_mutex_t lock;
	pthread_cond_t more;         /* for the thread: it is to end */
	struct event events[EVENTS]; /* a ring */
	uint64_t first, end;         /* numbers: the oldest there is, and the next */
	size_t bytes;
	struct stream_reader *readers;
	size_t reader_count;
	bool closed;
};

/* --- the ring; all with the lock held --- */

static void drop_oldest(struct stream *s)
{
	struct event *e = &s->events[s->first++ % EVENTS];

	s->bytes -= e->size;
	free(e->environment);
	free(e->cluster);
	free(e->group);
	free(e->text);
	*e = (struct event){0};
}

static char *copy(const char *s)
{
	char *c = s == NULL ? NULL : strdup(s);

	if (s != NULL && c == NULL)
		abort();
	return c;
}

static void put_id(const struct stream *s, struct buf *out, uint64_t number)
{
	buf_printf(out, "id: %" PRIx64 "-%" PRIu64 "\n", s->started, number);
}

static void add(struct stream *s, const char *name, const char *environment, const char *cluster,
		const char *group, const char *data)
{
	struct buf text = {0};

	put_id(s, &text, s->end);
	buf_printf(&text, "event: %s\ndata: ", name);
	buf_puts(&text, data);
	buf_puts(&text, "\n\n");
	if (text.err != ERR_OK) {
		buf_free(&text);
		return;
	}
	while (s->end - s->first == EVENTS ||
	       (s->end != s->first && s->bytes + text.size > BYTES_MAX))
		drop_oldest(s);
	s->bytes += text.size;
	s->events[s->end++ % EVENTS] = (struct event){.environment = copy(environment),
						      .cluster = copy(cluster),
						      .group = copy(group),
						      .text = text.data,
						      .size = text.size};
}

/* --- readers --- */

static bool due(const struct stream_reader *r, int64_t now_mono)
{
	return r->stream->closed || r->at != r->stream->end ||
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

static bool wants(const struct stream_reader *r, const struct event *e)
{
	return access_sees(r->who, e->environment, e->cluster) &&
	       (r->env == NULL || glob_match(r->env, e->environment)) &&
	       (r->cluster == NULL || glob_match(r->cluster, e->cluster)) &&
	       (r->group == NULL || e->group[0] == '\0' || glob_match(r->group, e->group));
}

/* More text for a reader, as far as there is any. With the lock held. */
static void gather(struct stream_reader *r)
{
	const struct stream *s = r->stream;

	buf_reset(&r->text);
	r->sent = 0;
	if (r->at < s->first || r->at > s->end) {
		r->at = s->end;
		put_id(s, &r->text, s->end - 1);
		buf_puts(&r->text, "event: reset\ndata: {}\n\n");
	}
	while (r->at != s->end && r->text.size < CHUNK) {
		const struct event *e = &s->events[r->at++ % EVENTS];

		if (wants(r, e))
			buf_put(&r->text, e->text, e->size);
	}
	if (r->text.size == 0 && clock_mono_ms() - r->said_mono >= SILENCE_MS)
		buf_puts(&r->text, ":\n\n");
}

/* The number after the one of an id that this stream has given; else one that is not there, which
 * makes a "reset". */
static uint64_t after(const struct stream *s, const char *id)
{
	char *rest = NULL;
	uint64_t started = strtoull(id, &rest, 16);

	if (started != s->started || *rest != '-')
		return UINT64_MAX;
	uint64_t number = strtoull(rest + 1, &rest, 10);
	return *rest == '\0' ? number + 1 : UINT64_MAX;
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
	r->at = wish->last_id == NULL ? s->end : after(s, wish->last_id);
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
	add(arg, c->event, c->environment, c->cluster, c->group, c->data);
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
		wake_readers(s);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int stream_start(struct board *board, struct stream **ret_s)
{
	struct stream *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (s == NULL)
		return -ENOMEM;
	s->board = board;
	s->started = (uint64_t)clock_wall_ms();
	s->first = s->end = 1;
	s->changes = changes_new();
	pthread_mutex_init(&s->lock, NULL);
	/* A clock that is set back would let the thread sleep until it has caught up. */
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->more, &attr);
	pthread_condattr_destroy(&attr);
	int err = -pthread_create(&s->thread, NULL, run, s);
	if (err != ERR_OK) {
		s->thread = 0;
		stream_stop(&s);
		return err;
	}
	*ret_s = s;
	return ERR_OK;
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
	if (gone->thread != 0)
		pthread_join(gone->thread, NULL);
	while (gone->first != gone->end)
		drop_oldest(gone);
	changes_free(&gone->changes);
	pthread_cond_destroy(&gone->more);
	pthread_mutex_destroy(&gone->lock);
	free(gone);
}

void stream_tell(struct stream *s, const char *event, const char *environment, const char *cluster,
		 const char *group, const char *data)
{
	pthread_mutex_lock(&s->lock);
	add(s, event, environment, cluster, group, data);
	wake_readers(s);
	pthread_mutex_unlock(&s->lock);
}
