/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ship/shipper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "agent/ship/shipper_priv.h"
#include "agent/thread.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define WAIT_MAX_MS 500
#define STOP_LOOK_MS 50    /* whether all is delivered */
#define RENEW_MS 5000      /* a new identity waits so long for what is under way */
#define UNREACHED_MS 30000 /* then it is told that there is no connection */
#define ARENA_BYTES (1u << 20)

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
			shipper_on_welcome(s, &f, slot.epoch);
		else
			shipper_hello_later(s, SHIPPER_RETRY_MS);
		return;
	}
	if (slot.epoch != s->epoch)
		return; /* it will be sent under its new number */
	ok = ok && f.type == FRAME_ACK && wire_get_ack(f.body, f.size, &s->arena, &ack) == ERR_OK;
	if (ok) {
		if (ack.probe_count > 0 && s->options.on_probes != NULL)
			s->options.on_probes(s->options.arg, &ack);
		shipper_on_ack(s, &ack, slot.seq);
		return;
	}
	s->pause_until = clock_mono_ms() + SHIPPER_RETRY_MS;
	flight_again(&s->flight, slot.seq);
}

static void on_lost(struct shipper *s, unsigned int i)
{
	struct slot slot = s->slots[i];

	s->slots[i] = (struct slot){0};
	if (slot.load == LOAD_HELLO)
		shipper_hello_later(s, SHIPPER_RETRY_MS);
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
	shipper_say_hello(s);
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
	return shipper_batches_fly(s) == 0 && !shipper_hello_flies(s);
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
		shipper_say_hello(s);
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
		shipper_say_hello(s);
	if (s->phase != PHASE_SHIPPING)
		return;
	state_spool(s->state, &spool);
	if (spool.epoch != s->epoch) {
		shipper_say_hello(s);
		return;
	}
	flight_raise(&s->flight, spool.floor_seq);
	while (now >= s->pause_until && s->phase == PHASE_SHIPPING && shipper_send_batch(s))
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
