/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/kafka.h"

#include "agent/collect/kafka_priv.h"
#include "common/clock.h"
#include "common/err.h"

/*
 * Requests about a group go to its coordinator, and librdkafka 2.0 ends the process when such a
 * request reaches its time-out before the coordinator is found and the coordinator comes back
 * afterwards. So these requests get a time-out that is never reached, the deadlines are ours, and
 * the handle is replaced, with all requests that it may still keep, long before that time-out.
 */
#define ABANDONED_AGE_MS (INT64_C(600) * 1000)
#define ABANDONED_MAX 1000

#define IN_FLIGHT_MAX 32

/* --- the handle --- */

void kafka_admin_close(struct kafka_admin *a)
{
	if (a->rk != NULL) {
		rd_kafka_queue_destroy(a->queue);
		kafka_handle_destroy(&a->rk);
	}
	*a = (struct kafka_admin){.latest_id = a->latest_id};
}

int kafka_admin_open(struct kafka *k)
{
	struct kafka_admin *a = &k->admin;
	bool aged = a->abandoned > 0 && clock_mono_ms() - a->abandoned_at_ms > ABANDONED_AGE_MS;
	char why[512];

	if (a->stale || aged || a->abandoned > ABANDONED_MAX)
		kafka_admin_close(a);
	if (a->rk != NULL)
		return ERR_OK;
	if (kafka_handle_new(k, "read_committed", why, &a->rk) != ERR_OK) {
		kafka_note(k, "", why);
		return ERR_BROKER;
	}
	a->queue = rd_kafka_queue_new(a->rk);
	return ERR_OK;
}

rd_kafka_AdminOptions_t *kafka_admin_options(struct kafka_admin *a, rd_kafka_admin_op_t op,
					     int timeout_ms, uint64_t id)
{
	rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(a->rk, op);
	char text[128];

	(void)rd_kafka_AdminOptions_set_request_timeout(o, timeout_ms, text, sizeof(text));
	rd_kafka_AdminOptions_set_opaque(o, (void *)(uintptr_t)id);
	return o;
}

/* A coordinator that has moved is not looked up again by the handle that knows it. */
int kafka_admin_error(struct kafka_admin *a, rd_kafka_resp_err_t code)
{
	if (code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR)
		a->stale = true;
	return kafka_translate(code);
}

/* --- requests --- */

struct slot {
	uint64_t id; /* 0: free */
	size_t request;
	int64_t deadline_ms;
};

struct slots {
	struct slot slots[IN_FLIGHT_MAX];
	size_t used;
};

static void launch(struct kafka_flight *f, struct slots *all, size_t request)
{
	struct slot *s = all->slots;

	while (s->id != 0)
		s++;
	*s = (struct slot){.id = ++f->k->admin.latest_id,
			   .request = request,
			   .deadline_ms = clock_mono_ms() + f->request_ms};
	all->used++;
	f->send(f, request, s->id);
}

static void answer(struct kafka_flight *f, struct slots *all, rd_kafka_event_t *e)
{
	uint64_t id = (uint64_t)(uintptr_t)rd_kafka_event_opaque(e);

	for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
		struct slot *s = &all->slots[i];
		if (s->id == id) {
			s->id = 0;
			all->used--;
			f->land(f, s->request, e);
			return;
		}
	}
	/* A request that was given up is answered after all. */
	if (f->k->admin.abandoned > 0)
		f->k->admin.abandoned--;
}

/* Give up what is over its deadline. Returns the next deadline. */
static int64_t expire(struct kafka_flight *f, struct slots *all, int64_t now_ms)
{
	int64_t next_ms = f->deadline_ms;

	for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
		struct slot *s = &all->slots[i];
		if (s->id == 0)
			continue;
		if (now_ms < s->deadline_ms && now_ms < f->deadline_ms) {
			next_ms = MIN(next_ms, s->deadline_ms);
			continue;
		}
		s->id = 0;
		all->used--;
		if (f->k->admin.abandoned++ == 0)
			f->k->admin.abandoned_at_ms = now_ms;
		f->land(f, s->request, NULL);
	}
	return next_ms;
}

struct kafka_flight kafka_admin_flight(struct kafka *k, int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_mono_ms();

	return (struct kafka_flight){.k = k,
				     .deadline_ms = deadline_ms,
				     .request_ms =
					     MIN(MAX(left_ms / 4, (int64_t)200), (int64_t)5000)};
}

/* Start what there is time and room for. Returns the first request not dealt with. */
static size_t launch_more(struct kafka_flight *f, struct slots *all, size_t next, size_t count,
			  int64_t now_ms)
{
	for (; next < count && now_ms >= f->deadline_ms; next++)
		f->land(f, next, NULL);
	for (; next < count && all->used < IN_FLIGHT_MAX; next++)
		launch(f, all, next);
	return next;
}

void kafka_admin_fly(struct kafka_flight *f, size_t count)
{
	struct slots all = {.used = 0};
	size_t next = 0;

	while (next < count || all.used > 0) {
		int64_t now_ms = clock_mono_ms();
		int64_t until_ms = expire(f, &all, now_ms);

		next = launch_more(f, &all, next, count, now_ms);
		if (all.used == 0)
			continue;
		int64_t wait_ms = MIN(until_ms - now_ms, f->request_ms);
		rd_kafka_event_t *e =
			rd_kafka_queue_poll(f->k->admin.queue, (int)MAX(wait_ms, (int64_t)0));
		if (e != NULL) {
			answer(f, &all, e);
			rd_kafka_event_destroy(e);
		}
	}
}
