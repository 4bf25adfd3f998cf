/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/kafka.h"

#include "agent/collect/kafka_priv.h"
#include "common/clock.h"
#include "common/err.h"

#include <stdlib.h>
#include <string.h>

/*
 * Requests about a group go to its coordinator, and the library ends the process when such a
 * request reaches its time-out before the coordinator is found and the coordinator comes back
 * afterwards. So these requests get a time-out that is never reached, the deadlines are ours, and
 * the handle is replaced, with all requests that it may still keep, long before that time-out.
 */
#define NEVER_MS (3600 * 1000)
#define ABANDONED_AGE_MS (600 * 1000)
#define ABANDONED_MAX 1000

#define IN_FLIGHT_MAX 32

/* enum wire_group_state of proto/wire.h, which this file does not include. */
enum {
	STATE_UNKNOWN,
	STATE_EMPTY,
	STATE_STABLE,
	STATE_REBALANCING,
	STATE_DEAD,
};

static int translate_state(rd_kafka_consumer_group_state_t state)
{
	switch ((int)state) {
	case RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY:
		return STATE_EMPTY;
	case RD_KAFKA_CONSUMER_GROUP_STATE_STABLE:
		return STATE_STABLE;
	case RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE:
	case RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE:
		return STATE_REBALANCING;
	case RD_KAFKA_CONSUMER_GROUP_STATE_DEAD:
		return STATE_DEAD;
	default:
		return STATE_UNKNOWN;
	}
}

/* --- the handle --- */

void kafka_admin_close(struct kafka_admin *a)
{
	if (a->rk != NULL) {
		rd_kafka_queue_destroy(a->queue);
		kafka_handle_destroy(&a->rk);
	}
	*a = (struct kafka_admin){.latest_id = a->latest_id};
}

static int open_admin(struct kafka *k)
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

static rd_kafka_AdminOptions_t *options(struct kafka_admin *a, rd_kafka_admin_op_t op,
					int timeout_ms, uint64_t id)
{
	rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(a->rk, op);
	char text[128];

	(void)rd_kafka_AdminOptions_set_request_timeout(o, timeout_ms, text, sizeof(text));
	rd_kafka_AdminOptions_set_opaque(o, (void *)(uintptr_t)id);
	return o;
}

static uint64_t id_of(rd_kafka_event_t *e)
{
	return (uint64_t)(uintptr_t)rd_kafka_event_opaque(e);
}

static void abandon(struct kafka_admin *a)
{
	if (a->abandoned++ == 0)
		a->abandoned_at_ms = clock_mono_ms();
}

/* The answer to a request that was given up came after all. */
static void recover(struct kafka_admin *a)
{
	if (a->abandoned > 0)
		a->abandoned--;
}

/* An answer's error. A coordinator that has moved is not looked up again by this handle. */
static int error_of(struct kafka_admin *a, rd_kafka_resp_err_t code)
{
	if (code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR)
		a->stale = true;
	return kafka_translate(code);
}

static void free_event(rd_kafka_event_t **e)
{
	if (*e != NULL)
		rd_kafka_event_destroy(*e);
}

/* --- many requests, one a group --- */

struct slot {
	uint64_t id; /* 0: free */
	size_t group;
	int64_t deadline_ms;
};

struct flight {
	struct kafka_admin *admin;
	int64_t deadline_ms; /* of all */
	int64_t request_ms;  /* for one */
	struct slot slots[IN_FLIGHT_MAX];
	size_t used;

	/* Start the request about group number i. */
	void (*send)(struct flight *f, size_t i, uint64_t id);
	/* Its answer; NULL if there is none. */
	void (*land)(struct flight *f, size_t i, rd_kafka_event_t *e);

	const rd_kafka_ConsumerGroupListing_t **listed; /* for kafka_groups() */
	const char *const *names;                       /* for kafka_describe() */
	void (*on_group)(void *arg, const struct kafka_group *g);
	void (*on_description)(void *arg, const struct kafka_description *d);
	void *arg;
	size_t failed;
	struct kafka_group_offset *rows; /* owned; reused for every group */
	size_t row_room;
};

static void launch(struct flight *f, size_t i)
{
	struct slot *s = f->slots;

	while (s->id != 0)
		s++;
	*s = (struct slot){.id = ++f->admin->latest_id,
			   .group = i,
			   .deadline_ms = clock_mono_ms() + f->request_ms};
	f->used++;
	f->send(f, i, s->id);
}

static void answer(struct flight *f, rd_kafka_event_t *e)
{
	uint64_t id = id_of(e);

	for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
		if (f->slots[i].id == id) {
			f->slots[i].id = 0;
			f->used--;
			f->land(f, f->slots[i].group, e);
			return;
		}
	}
	recover(f->admin);
}

/* Give up what is over its deadline. Returns the next deadline. */
static int64_t expire(struct flight *f, int64_t now_ms)
{
	int64_t next_ms = f->deadline_ms;

	for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
		struct slot *s = &f->slots[i];
		if (s->id == 0)
			continue;
		if (now_ms < s->deadline_ms && now_ms < f->deadline_ms) {
			next_ms = MIN(next_ms, s->deadline_ms);
			continue;
		}
		s->id = 0;
		f->used--;
		abandon(f->admin);
		f->land(f, s->group, NULL);
	}
	return next_ms;
}

/* Groups that were not asked for lack of time land without an answer, too. */
static void fly(struct flight *f, size_t count)
{
	size_t next = 0;

	while (next < count || f->used > 0) {
		int64_t now_ms = clock_mono_ms();
		int64_t until_ms = expire(f, now_ms);

		while (next < count && now_ms >= f->deadline_ms)
			f->land(f, next++, NULL);
		while (next < count && f->used < IN_FLIGHT_MAX)
			launch(f, next++);
		if (f->used == 0)
			continue;

		int wait_ms = (int)MIN(until_ms - now_ms, f->request_ms);
		CLEANUP(free_event)
		rd_kafka_event_t *e = rd_kafka_queue_poll(f->admin->queue, MAX(wait_ms, 0));
		if (e != NULL)
			answer(f, e);
	}
	free(f->rows);
}

static struct flight prepare(struct kafka *k, int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_mono_ms();

	return (struct flight){.admin = &k->admin,
			       .deadline_ms = deadline_ms,
			       .request_ms = MIN(MAX(left_ms / 4, (int64_t)200), (int64_t)5000)};
}

/* Room for count rows, at least one; the old content is lost. */
static int reserve(struct flight *f, size_t count)
{
	if (count < f->row_room)
		return ERR_OK;
	free(f->rows);
	f->rows = calloc(count + 1, sizeof(*f->rows));
	f->row_room = f->rows == NULL ? 0 : count + 1;
	return f->rows == NULL ? -ENOMEM : ERR_OK;
}

/* --- listing --- */

/* The event of the list, or NULL when it does not come in time. */
static rd_kafka_event_t *list_groups(struct kafka_admin *a, int timeout_ms)
{
	uint64_t id = ++a->latest_id;
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	/* This request asks every broker and may time out: then it tells what the others said. */
	rd_kafka_AdminOptions_t *o =
		options(a, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, MAX(timeout_ms * 3 / 4, 1), id);

	rd_kafka_ListConsumerGroups(a->rk, o, a->queue);
	rd_kafka_AdminOptions_destroy(o);
	for (;;) {
		int64_t left_ms = MAX(deadline_ms - clock_mono_ms(), (int64_t)0);
		rd_kafka_event_t *e = rd_kafka_queue_poll(a->queue, (int)left_ms);
		if (e != NULL && id_of(e) == id)
			return e;
		if (e == NULL && left_ms == 0)
			break;
		if (e != NULL) {
			recover(a);
			rd_kafka_event_destroy(e);
		}
	}
	abandon(a);
	return NULL;
}

static int by_group_id(const void *a, const void *b)
{
	const rd_kafka_ConsumerGroupListing_t *const *x = a, *const *y = b;

	return strcmp(rd_kafka_ConsumerGroupListing_group_id(*x),
		      rd_kafka_ConsumerGroupListing_group_id(*y));
}

/* Sorted, without doubles (a group that moves is listed by two brokers) and unwanted ones. The
 * array is the caller's, its elements the event's. */
static int pick(const rd_kafka_ListConsumerGroups_result_t *result,
		bool (*wanted)(void *arg, const char *group), void *arg,
		const rd_kafka_ConsumerGroupListing_t ***ret_groups, size_t *ret_count)
{
	size_t all = 0, count = 0;
	const rd_kafka_ConsumerGroupListing_t **listed =
		rd_kafka_ListConsumerGroups_result_valid(result, &all);
	const rd_kafka_ConsumerGroupListing_t **groups = calloc(all + 1, sizeof(*groups));

	if (groups == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < all; i++)
		if (wanted(arg, rd_kafka_ConsumerGroupListing_group_id(listed[i])))
			groups[count++] = listed[i];
	qsort(groups, count, sizeof(*groups), by_group_id);

	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || by_group_id(&groups[i], &groups[kept - 1]) != 0)
			groups[kept++] = groups[i];
	*ret_groups = groups;
	*ret_count = kept;
	return ERR_OK;
}

/* --- offsets --- */

static void send_offsets(struct flight *f, size_t i, uint64_t id)
{
	struct kafka_admin *a = f->admin;
	const char *name = rd_kafka_ConsumerGroupListing_group_id(f->listed[i]);
	rd_kafka_ListConsumerGroupOffsets_t *request =
		rd_kafka_ListConsumerGroupOffsets_new(name, NULL);
	rd_kafka_AdminOptions_t *o =
		options(a, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, NEVER_MS, id);

	rd_kafka_ListConsumerGroupOffsets(a->rk, &request, 1, o, a->queue);
	rd_kafka_AdminOptions_destroy(o);
	rd_kafka_ListConsumerGroupOffsets_destroy(request);
}

/* Rows of one list; a partition with an error of its own is left out. */
static int copy_rows(struct flight *f, const rd_kafka_topic_partition_list_t *list,
		     size_t *ret_count)
{
	size_t count = 0;
	int err = reserve(f, (size_t)list->cnt);

	if (err != ERR_OK)
		return err;
	for (int i = 0; i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *p = &list->elems[i];
		if (p->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			f->rows[count++] = (struct kafka_group_offset){
				p->topic, p->partition, p->offset < 0 ? -1 : p->offset};
	}
	*ret_count = count;
	return ERR_OK;
}

/* The rows point into the event. */
static int read_offsets(struct flight *f, rd_kafka_event_t *e, size_t *ret_count)
{
	const rd_kafka_ListConsumerGroupOffsets_result_t *result =
		rd_kafka_event_ListConsumerGroupOffsets_result(e);
	size_t count = 0;

	if (rd_kafka_event_error(e) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return error_of(f->admin, rd_kafka_event_error(e));
	if (result == NULL)
		return ERR_BROKER;
	const rd_kafka_group_result_t **groups =
		rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count);
	if (count != 1)
		return ERR_BROKER;
	const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
	if (error != NULL)
		return error_of(f->admin, rd_kafka_error_code(error));
	const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
	return list == NULL ? ERR_BROKER : copy_rows(f, list, ret_count);
}

static void land_offsets(struct flight *f, size_t i, rd_kafka_event_t *e)
{
	const rd_kafka_ConsumerGroupListing_t *listed = f->listed[i];
	struct kafka_group g = {
		.name = rd_kafka_ConsumerGroupListing_group_id(listed),
		.state = translate_state(rd_kafka_ConsumerGroupListing_state(listed)),
		.simple = rd_kafka_ConsumerGroupListing_is_simple_consumer_group(listed) != 0,
	};

	g.err = e == NULL ? ERR_TIMEOUT : read_offsets(f, e, &g.offset_count);
	if (g.err == ERR_OK)
		g.offsets = f->rows;
	else
		f->failed++;
	f->on_group(f->arg, &g);
}

int kafka_groups(struct kafka *k, int timeout_ms, bool (*wanted)(void *arg, const char *group),
		 void (*on_group)(void *arg, const struct kafka_group *g), void *arg,
		 size_t *ret_failed, bool *ret_partial)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	const rd_kafka_error_t **errors;
	size_t error_count = 0, all = 0, count = 0;
	int err = open_admin(k);

	if (err != ERR_OK)
		return err;
	kafka_serve(k);
	CLEANUP(free_event) rd_kafka_event_t *e = list_groups(&k->admin, timeout_ms / 2);
	if (e == NULL)
		return ERR_TIMEOUT;
	const rd_kafka_ListConsumerGroups_result_t *result =
		rd_kafka_event_ListConsumerGroups_result(e);
	if (result == NULL || rd_kafka_event_error(e) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return MIN(kafka_translate(rd_kafka_event_error(e)), ERR_BROKER);
	errors = rd_kafka_ListConsumerGroups_result_errors(result, &error_count);
	(void)rd_kafka_ListConsumerGroups_result_valid(result, &all);
	if (all == 0 && error_count > 0)
		return kafka_translate(rd_kafka_error_code(errors[0]));

	struct flight f = prepare(k, deadline_ms);
	f.send = send_offsets;
	f.land = land_offsets;
	f.on_group = on_group;
	f.arg = arg;
	err = pick(result, wanted, arg, &f.listed, &count);
	if (err != ERR_OK)
		return err;
	fly(&f, count);
	free(f.listed);
	*ret_failed = f.failed;
	*ret_partial = error_count > 0;
	return ERR_OK;
}

/* --- members --- */

static void send_describe(struct flight *f, size_t i, uint64_t id)
{
	struct kafka_admin *a = f->admin;
	const char *name = f->names[i];
	rd_kafka_AdminOptions_t *o =
		options(a, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, NEVER_MS, id);

	/* One group a request: the answer to a request for many waits for the slowest. */
	rd_kafka_DescribeConsumerGroups(a->rk, &name, 1, o, a->queue);
	rd_kafka_AdminOptions_destroy(o);
}

static const rd_kafka_topic_partition_list_t *
assigned_to(const rd_kafka_ConsumerGroupDescription_t *d, size_t member)
{
	const rd_kafka_MemberAssignment_t *a = rd_kafka_MemberDescription_assignment(
		rd_kafka_ConsumerGroupDescription_member(d, member));

	return a == NULL ? NULL : rd_kafka_MemberAssignment_partitions(a);
}

static size_t count_assigned(const rd_kafka_ConsumerGroupDescription_t *d, size_t members)
{
	size_t count = 0;

	for (size_t i = 0; i < members; i++) {
		const rd_kafka_topic_partition_list_t *list = assigned_to(d, i);
		count += list == NULL ? 0 : (size_t)list->cnt;
	}
	return count;
}

static size_t copy_assigned(const rd_kafka_topic_partition_list_t *list,
			    struct kafka_group_offset *rows)
{
	if (list == NULL)
		return 0;
	for (int i = 0; i < list->cnt; i++)
		rows[i] = (struct kafka_group_offset){list->elems[i].topic,
						      list->elems[i].partition, -1};
	return (size_t)list->cnt;
}

/* A broker says Dead of every group that is not of the classic protocol, however alive. */
static int describe_state(const rd_kafka_ConsumerGroupDescription_t *d)
{
	int state = translate_state(rd_kafka_ConsumerGroupDescription_state(d));

	return state == STATE_DEAD ? STATE_UNKNOWN : state;
}

static void tell_description(struct flight *f, const rd_kafka_ConsumerGroupDescription_t *d)
{
	size_t count = rd_kafka_ConsumerGroupDescription_member_count(d), row = 0;
	struct kafka_member *members = calloc(count + 1, sizeof(*members));

	if (members == NULL || reserve(f, count_assigned(d, count)) != ERR_OK) {
		free(members);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_MemberDescription_t *m =
			rd_kafka_ConsumerGroupDescription_member(d, i);
		members[i] = (struct kafka_member){
			.id = rd_kafka_MemberDescription_consumer_id(m),
			.client_id = rd_kafka_MemberDescription_client_id(m),
			.host = rd_kafka_MemberDescription_host(m),
			.assigned = f->rows + row,
			.assigned_count = copy_assigned(assigned_to(d, i), f->rows + row),
		};
		row += members[i].assigned_count;
	}
	f->on_description(f->arg, &(struct kafka_description){
					  .group = rd_kafka_ConsumerGroupDescription_group_id(d),
					  .state = describe_state(d),
					  .members = members,
					  .member_count = count,
				  });
	free(members);
}

static void land_describe(struct flight *f, size_t i, rd_kafka_event_t *e)
{
	const rd_kafka_DescribeConsumerGroups_result_t *result =
		e == NULL ? NULL : rd_kafka_event_DescribeConsumerGroups_result(e);
	size_t count = 0;

	(void)i;
	f->failed++;
	if (result == NULL || rd_kafka_event_error(e) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	const rd_kafka_ConsumerGroupDescription_t **groups =
		rd_kafka_DescribeConsumerGroups_result_groups(result, &count);
	if (count != 1)
		return;
	const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
	if (error != NULL) {
		(void)error_of(f->admin, rd_kafka_error_code(error));
		return;
	}
	f->failed--;
	tell_description(f, groups[0]);
}

int kafka_describe(struct kafka *k, const char *const *groups, size_t count, int timeout_ms,
		   void (*on_group)(void *arg, const struct kafka_description *d), void *arg)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	int err = open_admin(k);

	if (err != ERR_OK)
		return err;
	kafka_serve(k);
	struct flight f = prepare(k, deadline_ms);
	f.send = send_describe;
	f.land = land_describe;
	f.names = groups;
	f.on_description = on_group;
	f.arg = arg;
	fly(&f, count);
	return count > 0 && f.failed == count ? ERR_TIMEOUT : ERR_OK;
}
