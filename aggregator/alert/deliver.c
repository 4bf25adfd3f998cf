/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/deliver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/sender.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define LANE_SENDINGS 4 /* to one receiver at a time */
#define TAKE_MAX 64
#define STOP_MS 500 /* for what is under way to end */
#define SLEEP_MS 60000
#define PICTURE_MS 3600000
#define POINTS_MAX 400

/* Alertmanager holds an alert for a few minutes only: it has to hear of it again before. */
#define ALERTMANAGER_DELAY_MS 30000

struct lane;

/* One sending of a job. */
struct sending {
	struct job *job;
	size_t target;
};

/* A message under way. */
struct job {
	struct job *next; /* in its lane, while queued */
	bool queued;      /* not all of its sendings have begun */
	struct job *all_next, **all_link;
	struct lane *lane;
	struct outbox_item item;
	struct message *message; /* NULL: its bytes are none */
	size_t next_target;
	size_t running;
	bool again, refused, confirmed;
	int64_t retry_after_ms;
	char error[160]; /* the first */
	struct sending sendings[RECEIVER_TARGETS_MAX];
};

/* Who of several has confirmed a message that others have not; forgotten at the end of the process,
 * after which all get it again, with the same key. */
struct partial {
	struct partial *next;
	uint64_t id;
	bool done[RECEIVER_TARGETS_MAX];
};

struct lane {
	struct deliver *deliver;
	const struct receiver *receiver;
	struct job *first, **last;
	size_t sendings;
	bool failing;
};

struct deliver {
	struct deliver_options o;
	struct sender *sender;
	struct lane *lanes;
	size_t lane_count;
	struct partial *partials;
	struct job *jobs;
	struct picture_point *points;
	atomic_bool stop;
	pthread_t thread;
};

int64_t deliver_delay_ms(const struct alert_retry *retry, uint32_t attempts, uint64_t key)
{
	int64_t ms = retry->first_ms;

	for (uint32_t i = 1; i < attempts && ms < retry->max_ms; i++)
		ms *= 2;
	ms = MIN(ms, retry->max_ms);
	/* Up to a fifth less or more, so that what failed together does not come again together. */
	uint64_t mixed = (key ^ attempts) * 0x9e3779b97f4a7c15u;
	return ms * 4 / 5 + (int64_t)((mixed >> 32) % (uint64_t)(ms * 2 / 5 + 1));
}

/* --- those who have it already --- */

static struct partial **find_partial(struct deliver *d, uint64_t id)
{
	struct partial **p = &d->partials;

	while (*p != NULL && (*p)->id != id)
		p = &(*p)->next;
	return p;
}

static void drop_partial(struct deliver *d, uint64_t id)
{
	struct partial **at = find_partial(d, id);
	struct partial *p = *at;

	if (p != NULL) {
		*at = p->next;
		free(p);
	}
}

static bool has_it(struct deliver *d, uint64_t id, size_t target)
{
	const struct partial *p = *find_partial(d, id);

	return p != NULL && p->done[target];
}

static void note_it(struct deliver *d, uint64_t id, size_t target)
{
	struct partial **at = find_partial(d, id);

	if (*at == NULL)
		*at = calloc(1, sizeof(**at));
	if (*at != NULL) {
		(*at)->id = id;
		(*at)->done[target] = true;
	}
}

/* --- the end of a job --- */

static void free_job(struct job *job)
{
	*job->all_link = job->all_next;
	if (job->all_next != NULL)
		job->all_next->all_link = job->all_link;
	message_free(&job->message);
	buf_free(&job->item.message);
	free(job);
}

static const struct alert_receiver *config_of(const struct job *job)
{
	return receiver_config(job->lane->receiver);
}

/* One line when a receiver begins to fail, and one when it takes messages again. */
static void tell(struct job *job, bool failing)
{
	if (job->lane->failing == failing)
		return;
	job->lane->failing = failing;
	if (failing)
		log_warn("receiver does not take messages", "receiver=%s err=%s",
			 log_quote(config_of(job)->name), log_quote(job->error));
	else
		log_info("receiver takes messages again", "receiver=%s",
			 log_quote(config_of(job)->name));
}

static void give_up(struct deliver *d, struct job *job, const char *error)
{
	log_error("message is not delivered", "receiver=%s kind=%s attempts=%u err=%s",
		  log_quote(job->item.row.receiver), message_kind_str(job->item.row.kind),
		  job->item.row.attempts + 1, log_quote(error));
	outbox_done(d->o.outbox, &job->item, OUTBOX_DEAD, clock_wall_ms(), error);
}

static void try_again(struct deliver *d, struct job *job)
{
	const struct alert_receiver *c = config_of(job);
	const struct outbox_row *row = &job->item.row;
	const int64_t now_ms = clock_wall_ms();
	int64_t delay_ms = deliver_delay_ms(&c->retry, row->attempts + 1, row->key);

	if (c->type == ALERT_ALERTMANAGER)
		delay_ms = MIN(delay_ms, ALERTMANAGER_DELAY_MS);
	delay_ms = MAX(delay_ms, job->retry_after_ms);
	if (now_ms + delay_ms - row->created_ms > c->retry.for_ms) {
		drop_partial(d, row->id);
		give_up(d, job, job->error);
		return;
	}
	outbox_done(d->o.outbox, &job->item, OUTBOX_WAITING, now_ms + delay_ms, job->error);
}

/* All of its targets have been tried. */
static void end_job(struct deliver *d, struct job *job)
{
	/* An alert is told again soon, to all of them: one that is away must not hold that up. */
	bool enough = job->confirmed && config_of(job)->type == ALERT_ALERTMANAGER;

	tell(job, job->again || job->refused);
	if (job->again && !enough) {
		try_again(d, job);
	} else {
		drop_partial(d, job->item.row.id);
		if (job->refused && !enough)
			give_up(d, job, job->error);
		else
			outbox_done(d->o.outbox, &job->item, OUTBOX_SENT, clock_wall_ms(),
				    job->error);
	}
	free_job(job);
}

/* --- one sending --- */

static void note_result(struct job *job, size_t target, const struct sender_result *r)
{
	struct deliver *d = job->lane->deliver;

	if (r->verdict == SENDER_CONFIRMED) {
		job->confirmed = true;
		if (receiver_targets(job->lane->receiver) > 1)
			note_it(d, job->item.row.id, target);
		return;
	}
	if (r->verdict == SENDER_AGAIN)
		job->again = true;
	else
		job->refused = true;
	job->retry_after_ms = MAX(job->retry_after_ms, r->retry_after_ms);
	if (job->error[0] == '\0')
		memcpy(job->error, r->error, sizeof(job->error));
}

static void pump(struct deliver *d, struct lane *lane);

static void on_end(void *arg, const struct sender_result *result)
{
	struct sending *sending = arg;
	struct job *job = sending->job;
	struct lane *lane = job->lane;

	note_result(job, sending->target, result);
	lane->sendings--;
	job->running--;
	if (job->running == 0 && !job->queued)
		end_job(lane->deliver, job);
	pump(lane->deliver, lane);
}

static void draw(struct deliver *d, const struct message *m, struct buf *png)
{
	const struct incident *i = m->count > 0 ? &m->incidents[0].incident : NULL;

	if (d->o.points == NULL || i == NULL || i->kind != INCIDENT_GROUP)
		return;
	size_t count =
		d->o.points(d->o.arg, i, m->at_ms - PICTURE_MS, m->at_ms, d->points, POINTS_MAX);
	picture_put(png, d->points, count, m->at_ms - PICTURE_MS, m->at_ms);
	if (png->err != ERR_OK)
		buf_reset(png);
}

/* NULL, or why it was not begun; *ret_verdict is then what becomes of it. */
static const char *send(struct deliver *d, struct job *job, struct sending *sending,
			enum sender_verdict *ret_verdict)
{
	CLEANUP(buf_free) struct buf png = {0};
	CLEANUP(receiver_request_free) struct receiver_request q = {0};
	struct receiver_secrets secrets;
	const struct receiver *r = job->lane->receiver;
	const char *why = receiver_read_secrets(r, &secrets);

	*ret_verdict = SENDER_AGAIN;
	if (why != NULL)
		return why;
	if (config_of(job)->type == ALERT_MAIL || config_of(job)->type == ALERT_BURROW_EMAIL)
		draw(d, job->message, &png);
	const struct receiver_given given = {&secrets, &png, clock_wall_ms()};
	int err = receiver_make(r, job->message, sending->target, &given, &q);
	if (err == ERR_OK && q.built_in)
		log_warn("template makes too much, the built-in form is sent", "receiver=%s",
			 log_quote(config_of(job)->name));
	if (err == ERR_OK)
		err = sender_add(d->sender, r, &q, &secrets, on_end, sending);
	explicit_bzero(&secrets, sizeof(secrets));
	if (err != ERR_OK && err != -ENOMEM)
		*ret_verdict = SENDER_REFUSED;
	return err == ERR_OK ? NULL : err_str(err);
}

/* Begin the job's next sending. */
static void begin(struct deliver *d, struct job *job)
{
	struct sender_result failed = {.verdict = SENDER_AGAIN};
	const size_t target = job->next_target++;
	struct sending *sending = &job->sendings[target];

	*sending = (struct sending){job, target};
	const char *why = send(d, job, sending, &failed.verdict);
	if (why == NULL) {
		job->running++;
		job->lane->sendings++;
		return;
	}
	strncpy(failed.error, why, sizeof(failed.error) - 1);
	note_result(job, target, &failed);
}

/* Begin what the lane has room for. */
static void pump(struct deliver *d, struct lane *lane)
{
	const size_t targets = receiver_targets(lane->receiver);

	while (lane->first != NULL && lane->sendings < LANE_SENDINGS) {
		struct job *job = lane->first;

		while (job->next_target < targets && has_it(d, job->item.row.id, job->next_target))
			job->next_target++;
		if (job->next_target < targets) {
			begin(d, job);
			continue;
		}
		lane->first = job->next;
		if (lane->first == NULL)
			lane->last = &lane->first;
		job->queued = false;
		if (job->running == 0)
			end_job(d, job);
	}
}

/* --- taking --- */

static struct lane *lane_of(struct deliver *d, const char *receiver)
{
	for (size_t i = 0; i < d->lane_count; i++) {
		if (strcmp(receiver_config(d->lanes[i].receiver)->name, receiver) == 0)
			return &d->lanes[i];
	}
	return NULL;
}

static void queue(struct deliver *d, const struct outbox_item *item)
{
	struct job *job = calloc(1, sizeof(*job));
	struct outbox_item copy = *item;

	if (job == NULL) {
		outbox_done(d->o.outbox, &copy, OUTBOX_WAITING, clock_wall_ms() + SLEEP_MS,
			    err_str(-ENOMEM));
		return;
	}
	job->all_link = &d->jobs;
	job->all_next = d->jobs;
	if (job->all_next != NULL)
		job->all_next->all_link = &job->all_next;
	d->jobs = job;
	job->item = copy;
	job->lane = lane_of(d, copy.row.receiver);
	int err = message_decode(copy.message.data, copy.message.size, &job->message);
	if (job->lane == NULL || err != ERR_OK) {
		give_up(d, job,
			job->lane == NULL ? "there is no such receiver any more"
					  : "the message cannot be read");
		free_job(job);
		return;
	}
	job->queued = true;
	*job->lane->last = job;
	job->lane->last = &job->next;
}

static void take(struct deliver *d)
{
	struct outbox_item items[TAKE_MAX];
	size_t count = 0;

	do {
		count = outbox_take(d->o.outbox, clock_wall_ms(), items, TAKE_MAX);
		for (size_t i = 0; i < count; i++)
			queue(d, &items[i]);
		for (size_t i = 0; count > 0 && i < d->lane_count; i++)
			pump(d, &d->lanes[i]);
	} while (count == TAKE_MAX);
}

/* --- the thread --- */

static int sleep_ms(struct deliver *d)
{
	const int64_t next_ms = outbox_next_ms(d->o.outbox);
	const int64_t now_ms = clock_wall_ms();

	if (next_ms > now_ms + SLEEP_MS)
		return SLEEP_MS;
	return next_ms <= now_ms ? 0 : (int)(next_ms - now_ms);
}

static void *run(void *arg)
{
	struct deliver *d = arg;

	pthread_setname_np(pthread_self(), "deliver");
	while (!atomic_load(&d->stop)) {
		take(d);
		sender_work(d->sender, sleep_ms(d));
	}
	for (const int64_t end_ms = clock_mono_ms() + STOP_MS; d->jobs != NULL;) {
		const int64_t left_ms = end_ms - clock_mono_ms();

		if (left_ms <= 0)
			break;
		sender_work(d->sender, (int)left_ms);
	}
	return NULL;
}

static void wake(void *arg)
{
	struct deliver *d = arg;

	sender_wake(d->sender);
}

static void free_deliver(struct deliver *d)
{
	sender_close(&d->sender);
	while (d->jobs != NULL)
		free_job(d->jobs);
	while (d->partials != NULL)
		drop_partial(d, d->partials->id);
	free(d->points);
	free(d->lanes);
	free(d);
}

/* NULL: there is no memory. */
static struct deliver *new_deliver(const struct deliver_options *o)
{
	struct deliver *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->o = *o;
	d->lane_count = receivers_count(o->receivers);
	d->lanes = calloc(MAX(d->lane_count, (size_t)1), sizeof(*d->lanes));
	d->points = calloc(POINTS_MAX, sizeof(*d->points));
	if (d->lanes == NULL || d->points == NULL || sender_open(&d->sender) != ERR_OK) {
		free_deliver(d);
		return NULL;
	}
	for (size_t i = 0; i < d->lane_count; i++)
		d->lanes[i] = (struct lane){
			.deliver = d,
			.receiver = receivers_at(o->receivers, i),
			.last = &d->lanes[i].first,
		};
	return d;
}

int deliver_start(const struct deliver_options *o, struct deliver **ret_d)
{
	struct deliver *d = new_deliver(o);

	if (d == NULL)
		return -ENOMEM;
	outbox_wake_by(o->outbox, wake, d);
	int err = -pthread_create(&d->thread, NULL, run, d);
	if (err != ERR_OK) {
		free_deliver(d);
		return err;
	}
	*ret_d = d;
	return ERR_OK;
}

void deliver_stop(struct deliver **d)
{
	if (*d == NULL)
		return;
	atomic_store(&(*d)->stop, true);
	sender_wake((*d)->sender);
	pthread_join((*d)->thread, NULL);
	outbox_wake_by((*d)->o.outbox, NULL, NULL);
	free_deliver(*d);
	*d = NULL;
}
