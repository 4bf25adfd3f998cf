/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ship/shipper.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ship/compose.h"
#include "agent/ship/flight.h"
#include "agent/ship/link.h"
#include "agent/thread.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "proto/frame.h"
#include "proto/wire.h"

#define WAIT_MAX_MS 500
#define STOP_LOOK_MS 50        /* whether all is delivered */
#define HELLO_RETRY_MS 5000    /* the aggregator has no time for us */
#define HELLO_REFUSED_MS 60000 /* it does not want us */
#define RETRY_MAX_MS 60000     /* of what an aggregator may ask for */
#define REJECTED_TELL_MS 60000
#define RENEW_MS 5000      /* a new identity waits so long for what is under way */
#define UNREACHED_MS 30000 /* then it is told that there is no connection */
#define CHALLENGES_MAX 3   /* in a row, before a pause */
#define ARENA_BYTES (1u << 20)
#define BATCHES_MAX (LINK_SLOTS - 1) /* one slot is for the hello */

enum phase {
	PHASE_DOWN,     /* not connected */
	PHASE_HELLO,    /* hello is on its way */
	PHASE_WAITING,  /* to say hello again at hello_at */
	PHASE_SHIPPING, /* welcome */
};

enum load { LOAD_NONE, LOAD_HELLO, LOAD_BATCH };

struct slot {
	enum load load;
	uint64_t epoch, seq; /* of a batch; of a hello the epoch it told */
};

struct shipper {
	struct shipper_options options;
	struct state *state;
	struct link *link;
	pthread_t thread;
	atomic_llong stop_by; /* monotonic; 0: go on */

	pthread_mutex_t lock;
	struct identity next;  /* to be shown soon; under lock */
	atomic_llong renew_by; /* monotonic, when next is shown at the latest; 0: none */

	enum phase phase;
	bool connected;
	int64_t away_since; /* monotonic, not connected */
	bool away_told;
	bool refused; /* told in the log */
	int64_t hello_at;
	int64_t pause_until; /* no batches before */
	uint64_t epoch;      /* that the aggregator was told */
	uint64_t session;    /* its number for this start of the agent */
	uint8_t challenge[MAC_SIZE];
	bool challenged; /* on this connection: batches carry codes, too */
	unsigned int challenges;
	struct flight flight;
	unsigned int credit;
	uint32_t max_bytes;
	bool zstd;
	struct slot slots[LINK_SLOTS];
	uint64_t rejected;
	int64_t rejected_told;
	int64_t up_mono;
	struct arena arena;
	struct buf body, frame;
};

static unsigned int flying(const struct shipper *s)
{
	unsigned int n = 0;

	for (size_t i = 0; i < LINK_SLOTS; i++)
		n += s->slots[i].load == LOAD_BATCH;
	return n;
}

static bool hello_flies(const struct shipper *s)
{
	for (size_t i = 0; i < LINK_SLOTS; i++) {
		if (s->slots[i].load == LOAD_HELLO)
			return true;
	}
	return false;
}

/* Batches leave one slot free, and there is one hello at a time. */
static unsigned int free_slot(const struct shipper *s)
{
	unsigned int i = 0;

	while (i < LINK_SLOTS && s->slots[i].load != LOAD_NONE)
		i++;
	assert(i < LINK_SLOTS);
	return i;
}

/* Add the code that the aggregator asks for. */
static void seal(struct shipper *s, enum frame_type type, struct slot load)
{
	struct frame_context context = {0};

	if (type == FRAME_BATCH)
		context = (struct frame_context){
			.session = s->session,
			.instance = s->options.instance,
			.epoch = load.epoch,
			.seq = load.seq,
		};
	frame_seal(&s->frame, &s->options.identity.key, &context);
}

/* Frame the body and give it to the link. */
static bool post(struct shipper *s, enum frame_type type, struct slot load)
{
	unsigned int slot = free_slot(s);

	buf_reset(&s->frame);
	frame_put(&s->frame, type, s->body.data, s->body.size, s->zstd && type == FRAME_BATCH);
	if (s->challenged && s->frame.err == ERR_OK)
		seal(s, type, load);
	int err = s->body.err != ERR_OK ? s->body.err : s->frame.err;
	if (err == ERR_OK)
		err = link_send(s->link, slot, s->frame.data, s->frame.size);
	if (err == ERR_OK)
		s->slots[slot] = load;
	return err == ERR_OK;
}

/* --- hello --- */

static void later(struct shipper *s, int64_t ms)
{
	s->phase = PHASE_WAITING;
	s->hello_at = clock_mono_ms() + ms;
}

static void say_hello(struct shipper *s)
{
	struct state_spool spool;

	s->phase = PHASE_HELLO;
	if (hello_flies(s))
		return; /* the link sends it again by itself */

	state_spool(s->state, &spool);
	compose_hello(&s->body, &s->options, &spool, s->challenged ? s->challenge : NULL);
	if (!post(s, FRAME_HELLO, (struct slot){LOAD_HELLO, spool.epoch, 0}))
		later(s, HELLO_RETRY_MS);
}

static void refuse(struct shipper *s, const char *what, const char *reason)
{
	if (!s->refused)
		log_error(what, "aggregator=%s reason=%s retry_s=%d", s->options.address,
			  log_quote(reason), HELLO_REFUSED_MS / 1000);
	s->refused = true;
	later(s, HELLO_REFUSED_MS);
}

/* Our numbers are older than what the aggregator has of us: a copied or restored state. */
static void leave_epoch(struct shipper *s, const struct wire_welcome *w, uint64_t epoch)
{
	log_warn("the aggregator has batches that this agent has yet to number: its state was "
		 "copied or restored; a new epoch begins",
		 "aggregator=%s applied_seq=%" PRIu64, s->options.address, w->applied_seq);
	state_new_epoch(s->state, epoch);
	say_hello(s);
}

/* Where the aggregator stands decides, not what it acknowledged once: it may have lost its data. */
static void start_flight(struct shipper *s, uint64_t applied)
{
	struct state_spool spool;

	state_spool(s->state, &spool);
	flight_start(&s->flight, MAX(applied, spool.floor_seq - 1));
	state_acked(s->state, s->options.target, s->epoch, s->flight.done);
	if (applied + 1 < spool.floor_seq)
		state_break(s->state); /* what it lacks only a full pass can give it */
	for (size_t i = 0; i < LINK_SLOTS; i++) {
		if (s->slots[i].load == LOAD_BATCH && s->slots[i].epoch == s->epoch)
			flight_send(&s->flight, s->slots[i].seq);
	}
}

static void welcome(struct shipper *s, const struct wire_welcome *w, uint64_t epoch)
{
	struct state_spool spool;

	state_spool(s->state, &spool);
	if (epoch != spool.epoch) {
		say_hello(s); /* it has answered to an epoch that is no more */
		return;
	}
	if (w->applied_seq >= spool.next_seq) {
		leave_epoch(s, w, epoch);
		return;
	}
	s->epoch = epoch;
	s->session = w->session;
	s->challenges = 0;
	s->credit = MIN(MAX(w->credit, 1u), (unsigned int)BATCHES_MAX);
	s->max_bytes = w->max_batch_bytes;
	s->zstd = (w->features & WIRE_FEATURE_ZSTD) != 0;
	start_flight(s, w->applied_seq);
	s->phase = PHASE_SHIPPING;
	s->pause_until = 0;
	s->refused = false;
	log_info("shipping", "aggregator=%s session=%" PRIu64 " waiting=%" PRIu64,
		 s->options.address, w->session, spool.next_seq - 1 - s->flight.done);
}

/* The aggregator wants proof. A challenge is for one connection and a short time, so that a second
 * one may be right; more are not. */
static void challenge(struct shipper *s, const struct wire_welcome *w)
{
	if (!s->options.identity.keyed) {
		refuse(s, "aggregator asks for a key", "set key_file");
		return;
	}
	s->challenged = true;
	memcpy(s->challenge, w->challenge, sizeof(s->challenge));
	if (++s->challenges % (CHALLENGES_MAX + 1) == 0)
		later(s, HELLO_RETRY_MS);
	else
		say_hello(s);
}

static void on_welcome(struct shipper *s, const struct frame *f, uint64_t epoch)
{
	struct wire_welcome w;

	bool ok = wire_get_welcome(f->body, f->size, &s->arena, &w) == ERR_OK;
	if (ok && w.code == WIRE_OK)
		welcome(s, &w, epoch);
	else if (ok && w.code == WIRE_CHALLENGE)
		challenge(s, &w);
	else if (ok && w.code == WIRE_REFUSED)
		refuse(s, "aggregator refuses this agent", w.reason);
	else
		later(s, HELLO_RETRY_MS);
}

/* --- batches --- */

static void finish(struct shipper *s, uint64_t seq)
{
	flight_finish(&s->flight, seq);
	state_acked(s->state, s->options.target, s->epoch, s->flight.done);
}

static void reject(struct shipper *s, uint64_t seq, const char *reason)
{
	int64_t now = clock_mono_ms();

	s->rejected++;
	if (s->rejected == 1 || now - s->rejected_told >= REJECTED_TELL_MS) {
		s->rejected_told = now;
		log_error("batch rejected",
			  "aggregator=%s seq=%" PRIu64 " reason=%s rejected=%" PRIu64,
			  s->options.address, seq, log_quote(reason), s->rejected);
	}
	state_break(s->state);
	finish(s, seq);
}

/* Send the next batch there is. False when there is none, or none may be sent now. */
static bool send_one(struct shipper *s)
{
	struct state_spool spool;
	uint64_t seq = flight_next(&s->flight);
	uint64_t found = 0;
	uint8_t *body = NULL;
	size_t size = 0;

	if (seq == 0 || flying(s) >= s->credit)
		return false;
	int err = state_fetch(s->state, s->epoch, seq, &found, &body, &size);
	if (err == ERR_VERSION)
		say_hello(s);
	if (err != ERR_OK)
		return false;
	if (found != seq) {
		/* What lies between is no more; look from there, in the next round. */
		flight_raise(&s->flight, found);
		free(body);
		return true;
	}
	state_spool(s->state, &spool);
	if (spool.epoch == s->epoch)
		compose_batch(&s->body, &s->options, &spool, seq, body, size);
	free(body);
	if (spool.epoch != s->epoch)
		return false;
	if (s->body.size > s->max_bytes) {
		reject(s, seq, "larger than the aggregator takes");
		return true;
	}
	if (!post(s, FRAME_BATCH, (struct slot){LOAD_BATCH, s->epoch, seq}))
		return false;
	flight_send(&s->flight, seq);
	return true;
}

/* Two agents number batches of one epoch: one of them has a copy of the other's state. In an epoch
 * of its own this one is told apart; as long as the other lives it is refused. */
static void fenced(struct shipper *s, const char *reason)
{
	refuse(s, "another agent has this agent's name and a copy of its state_dir", reason);
	state_new_epoch(s->state, s->epoch);
}

static void on_ack(struct shipper *s, const struct wire_ack *a, uint64_t seq)
{
	switch (a->code) {
	case WIRE_OK:
	case WIRE_DUPLICATE:
		finish(s, seq);
		return;
	case WIRE_REJECTED:
		reject(s, seq, a->reason);
		return;
	case WIRE_RETRY:
		s->pause_until = clock_mono_ms() + MIN(a->retry_ms, (uint32_t)RETRY_MAX_MS);
		break;
	case WIRE_NEED_HELLO:
		if (s->phase == PHASE_SHIPPING)
			say_hello(s);
		break;
	case WIRE_REFUSED:
		refuse(s, "aggregator refuses this agent", a->reason);
		break;
	case WIRE_CHALLENGE: /* no answer to a batch: the decoder has seen to it */
	case WIRE_FENCED:
		fenced(s, a->reason);
		break;
	}
	flight_again(&s->flight, seq);
}

/* --- what the link tells --- */

static void on_reply(struct shipper *s, const struct link_event *e)
{
	struct slot slot = s->slots[e->slot];
	struct frame f;
	struct wire_ack ack;

	s->slots[e->slot] = (struct slot){0};
	arena_reset(&s->arena);
	int err = frame_get(e->data, e->size, ARENA_BYTES, &s->arena, &f);
	bool ok = err == ERR_OK;
	if (slot.load == LOAD_HELLO) {
		if (ok && f.type == FRAME_WELCOME)
			on_welcome(s, &f, slot.epoch);
		else
			later(s, HELLO_RETRY_MS);
		return;
	}
	if (slot.epoch != s->epoch)
		return; /* it will be sent under its new number */
	ok = ok && f.type == FRAME_ACK && wire_get_ack(f.body, f.size, &s->arena, &ack) == ERR_OK;
	if (ok) {
		if (ack.probe_count > 0 && s->options.on_probes != NULL)
			s->options.on_probes(s->options.arg, &ack);
		on_ack(s, &ack, slot.seq);
		return;
	}
	s->pause_until = clock_mono_ms() + HELLO_RETRY_MS;
	flight_again(&s->flight, slot.seq);
}

static void on_lost(struct shipper *s, unsigned int i)
{
	struct slot slot = s->slots[i];

	s->slots[i] = (struct slot){0};
	if (slot.load == LOAD_HELLO)
		later(s, HELLO_RETRY_MS);
	else if (slot.epoch == s->epoch)
		flight_again(&s->flight, slot.seq);
}

static void on_up(struct shipper *s)
{
	if (s->away_told)
		log_info("link up", "aggregator=%s", s->options.address);
	s->connected = true;
	s->away_told = false;
	s->challenged = false;
	say_hello(s);
}

static void on_down(struct shipper *s)
{
	if (s->connected)
		log_warn("link down", "aggregator=%s", s->options.address);
	s->away_told = s->away_told || s->connected;
	s->away_since = clock_mono_ms();
	s->connected = false;
	s->phase = PHASE_DOWN;
}

static void on_event(struct shipper *s, const struct link_event *e)
{
	switch (e->kind) {
	case LINK_NOTHING:
		break;
	case LINK_UP:
		on_up(s);
		break;
	case LINK_DOWN:
		on_down(s);
		break;
	case LINK_REPLY:
		on_reply(s, e);
		break;
	case LINK_LOST:
		on_lost(s, e->slot);
		break;
	}
}

/* --- the thread --- */

/* When there is something to do that no event will tell of. */
static int64_t due_at(const struct shipper *s)
{
	if (s->phase == PHASE_WAITING)
		return s->hello_at;
	return s->phase == PHASE_SHIPPING ? s->pause_until : 0;
}

static int wait_ms(const struct shipper *s, int64_t now)
{
	int64_t wait = WAIT_MAX_MS;
	int64_t due = due_at(s);
	long long stop_by = atomic_load(&s->stop_by);

	if (due > now)
		wait = MIN(wait, due - now);
	if (stop_by != 0)
		wait = MIN(wait, MIN(stop_by - now, STOP_LOOK_MS));
	return (int)MAX(wait, 0);
}

static bool slots_are_free(const struct shipper *s)
{
	return flying(s) == 0 && !hello_flies(s);
}

static struct link_tls tls_of(const struct shipper *s)
{
	return (struct link_tls){s->options.identity.cert, s->options.server_name};
}

/* Show the next identity. */
static void renew(struct shipper *s)
{
	pthread_mutex_lock(&s->lock);
	struct identity old = s->options.identity;
	s->options.identity = s->next;
	s->next = (struct identity){0}; /* its content has moved */
	atomic_store(&s->renew_by, 0);
	pthread_mutex_unlock(&s->lock);

	struct link_tls tls = tls_of(s);
	int err = tls.cert == NULL ? ERR_OK : link_renew(s->link, &tls);
	if (err != ERR_OK)
		log_error("new certificate is not used", "aggregator=%s err=%s", s->options.address,
			  log_quote(err_str(err)));
	else
		log_info("new identity in use", "aggregator=%s", s->options.address);
	identity_free(&old);
	if (tls.cert == NULL && s->connected) {
		s->challenged = false;
		say_hello(s);
	}
}

/* There is no event for it: nng tells nothing of a connection that does not come about. */
static void tell_unreached(struct shipper *s, int64_t now)
{
	if (s->connected || s->away_told || now - s->away_since < UNREACHED_MS)
		return;
	s->away_told = true;
	log_warn("no connection to the aggregator", "aggregator=%s since_s=%d do=%s",
		 s->options.address, UNREACHED_MS / 1000,
		 log_quote(s->options.identity.cert == NULL
				   ? "is it running, and is the address right?"
				   : "is it running, do both certificates come from the CAs of the "
				     "other side, and has its one the server_name?"));
}

/* What can be done without waiting. */
static void step(struct shipper *s, int64_t now)
{
	struct state_spool spool;
	long long renew_by = atomic_load(&s->renew_by);

	tell_unreached(s, now);
	if (renew_by != 0 && (slots_are_free(s) || now >= renew_by))
		renew(s);
	else if (renew_by != 0)
		return; /* nothing new until then */
	if (s->phase == PHASE_WAITING && now >= s->hello_at)
		say_hello(s);
	if (s->phase != PHASE_SHIPPING)
		return;
	state_spool(s->state, &spool);
	if (spool.epoch != s->epoch) {
		say_hello(s);
		return;
	}
	flight_raise(&s->flight, spool.floor_seq);
	while (now >= s->pause_until && s->phase == PHASE_SHIPPING && send_one(s))
		;
}

static bool is_over(const struct shipper *s, int64_t now)
{
	long long stop_by = atomic_load(&s->stop_by);
	struct state_spool spool;

	if (stop_by == 0)
		return false;
	if (now >= stop_by || s->phase != PHASE_SHIPPING)
		return true;
	state_spool(s->state, &spool);
	return s->flight.done + 1 >= spool.next_seq;
}

static void *run(void *arg)
{
	struct shipper *s = arg;

	for (int64_t now = clock_mono_ms(); !is_over(s, now); now = clock_mono_ms()) {
		struct link_event e;
		step(s, now);
		link_wait(s->link, wait_ms(s, now), &e);
		on_event(s, &e);
	}
	return NULL;
}

static void wake(void *arg)
{
	struct shipper *s = arg;
	link_wake(s->link);
}

/* --- life --- */

static void free_shipper(struct shipper **s)
{
	if (*s == NULL)
		return;
	link_close((*s)->link);
	identity_free(&(*s)->options.identity);
	identity_free(&(*s)->next);
	arena_free(&(*s)->arena);
	buf_free(&(*s)->body);
	buf_free(&(*s)->frame);
	free(*s);
	*s = NULL;
}

int shipper_start(const struct shipper_options *options, struct state *st, struct shipper **ret_s)
{
	CLEANUP(free_shipper) struct shipper *s = calloc(1, sizeof(*s));
	if (s == NULL)
		abort();
	s->options = *options;
	s->options.identity = identity_copy(&options->identity);
	pthread_mutex_init(&s->lock, NULL);
	s->away_since = clock_mono_ms();
	s->state = st;
	arena_init(&s->arena, ARENA_BYTES);

	struct link_tls tls = tls_of(s);
	int err = link_open(options->address, LINK_TIMES, tls.cert == NULL ? NULL : &tls, &s->link);
	if (err != ERR_OK)
		return err;
	state_on_append(st, options->target, wake, s);
	err = -pthread_create(&s->thread, NULL, run, s);
	if (err != ERR_OK) {
		state_on_append(st, options->target, NULL, NULL);
		return err;
	}
	*ret_s = s;
	s = NULL; /* the caller's now */
	return ERR_OK;
}

void shipper_renew(struct shipper *s, const struct identity *identity)
{
	pthread_mutex_lock(&s->lock);
	identity_free(&s->next);
	s->next = identity_copy(identity);
	atomic_store(&s->renew_by, clock_mono_ms() + RENEW_MS);
	pthread_mutex_unlock(&s->lock);
	link_wake(s->link);
}

void shipper_ask_stop(struct shipper *s, int drain_ms)
{
	atomic_store(&s->stop_by, clock_mono_ms() + drain_ms);
	link_wake(s->link);
}

bool shipper_join(struct shipper **s, int timeout_ms)
{
	if (!thread_join((*s)->thread, timeout_ms))
		return false;
	state_on_append((*s)->state, (*s)->options.target, NULL, NULL);
	free_shipper(s);
	return true;
}
