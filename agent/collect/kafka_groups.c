/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/kafka.h"

#include "agent/collect/kafka_priv.h"
#include "common/clock.h"
#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For a broker known to be in trouble; see send_list(). */
#define TROUBLED_MS 300

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

/* Rows handed to a callback; the memory is used again for the next. */
struct rows {
	struct kafka_group_offset *rows;
	size_t room;
};

/* Room for count rows, at least one; the old content is lost. */
static int reserve(struct rows *r, size_t count)
{
	if (count < r->room)
		return ERR_OK;
	free(r->rows);
	r->rows = calloc(count + 1, sizeof(*r->rows));
	r->room = r->rows == NULL ? 0 : count + 1;
	return r->rows == NULL ? -ENOMEM : ERR_OK;
}

/* --- which groups there are --- */

struct listed {
	char *name; /* owned */
	int state;
	bool simple;
};

struct list {
	const struct rd_kafka_metadata *md; /* the brokers to ask */
	bool (*wanted)(void *arg, const char *group);
	void *arg;
	struct listed *groups;
	size_t count, room;
	size_t answers; /* brokers that listed theirs */
	int err;        /* of the latest that did not; -ENOMEM: of us */
};

static void free_list(struct list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->groups[i].name);
	free(l->groups);
	if (l->md != NULL)
		rd_kafka_metadata_destroy(l->md);
}

/* Each broker lists the groups that it coordinates. A request to all would be answered only after
 * the slowest. As long as a broker does not accept connections the library tries it again without
 * a pause until the request ends, so that one in trouble gets little time. */
static void send_list(struct kafka_flight *f, size_t i, uint64_t id)
{
	struct kafka_admin *a = &f->k->admin;
	const struct rd_kafka_metadata_broker *b = &((struct list *)f->arg)->md->brokers[i];
	char name[sizeof(f->k->troubles[0].broker)];
	char text[128];

	snprintf(name, sizeof(name), "%s:%d", b->host, b->port);
	int timeout_ms = kafka_in_trouble(f->k, name) ? TROUBLED_MS : (int)f->request_ms;
	rd_kafka_AdminOptions_t *o =
		kafka_admin_options(a, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, timeout_ms, id);
	(void)rd_kafka_AdminOptions_set_broker(o, b->id, text, sizeof(text));
	rd_kafka_ListConsumerGroups(a->rk, o, a->queue);
	rd_kafka_AdminOptions_destroy(o);
}

static int add_listed(struct list *l, const rd_kafka_ConsumerGroupListing_t *g)
{
	const char *name = rd_kafka_ConsumerGroupListing_group_id(g);

	if (!l->wanted(l->arg, name))
		return ERR_OK;
	if (l->count == l->room) {
		size_t room = 2 * l->room + 64;
		struct listed *groups = reallocarray(l->groups, room, sizeof(*groups));
		if (groups == NULL)
			return -ENOMEM;
		l->groups = groups;
		l->room = room;
	}
	l->groups[l->count] = (struct listed){
		.name = strdup(name),
		.state = translate_state(rd_kafka_ConsumerGroupListing_state(g)),
		.simple = rd_kafka_ConsumerGroupListing_is_simple_consumer_group(g) != 0,
	};
	return l->groups[l->count++].name == NULL ? -ENOMEM : ERR_OK;
}

/* The error that a broker's answer holds, if any. */
static int list_error(struct kafka_flight *f, rd_kafka_event_t *e)
{
	size_t count = 0;

	if (e == NULL)
		return ERR_TIMEOUT;
	if (rd_kafka_event_error(e) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_admin_error(&f->k->admin, rd_kafka_event_error(e));
	const rd_kafka_ListConsumerGroups_result_t *result =
		rd_kafka_event_ListConsumerGroups_result(e);
	if (result == NULL)
		return ERR_BROKER;
	const rd_kafka_error_t **errors = rd_kafka_ListConsumerGroups_result_errors(result, &count);
	return count == 0 ? ERR_OK
			  : kafka_admin_error(&f->k->admin, rd_kafka_error_code(errors[0]));
}

static void land_list(struct kafka_flight *f, size_t i, rd_kafka_event_t *e)
{
	struct list *l = f->arg;
	int err = list_error(f, e);
	size_t count = 0;

	(void)i;
	if (err == ERR_OK) {
		const rd_kafka_ConsumerGroupListing_t **groups =
			rd_kafka_ListConsumerGroups_result_valid(
				rd_kafka_event_ListConsumerGroups_result(e), &count);
		for (size_t g = 0; g < count && err == ERR_OK; g++)
			err = add_listed(l, groups[g]);
	}
	if (err == ERR_OK)
		l->answers++;
	else if (l->err != -ENOMEM)
		l->err = err;
}

static int by_listed_name(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* A group that moves may be listed by two brokers. */
static void drop_doubles(struct list *l)
{
	size_t kept = 0;

	if (l->count > 0)
		qsort(l->groups, l->count, sizeof(*l->groups), by_listed_name);
	for (size_t i = 0; i < l->count; i++) {
		if (kept > 0 && by_listed_name(&l->groups[i], &l->groups[kept - 1]) == 0)
			free(l->groups[i].name);
		else
			l->groups[kept++] = l->groups[i];
	}
	l->count = kept;
}

/* A partition of __consumer_offsets without a leader has groups that no broker lists. */
static bool all_have_coordinators(const struct rd_kafka_metadata *md)
{
	for (int i = 0; md->topic_cnt == 1 && i < md->topics[0].partition_cnt; i++)
		if (md->topics[0].partitions[i].leader < 0)
			return false;
	return true;
}

static int list_brokers(struct kafka *k, int timeout_ms, const struct rd_kafka_metadata **ret_md)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(k->admin.rk, "__consumer_offsets", NULL);

	if (topic == NULL)
		return ERR_BROKER;
	int err = kafka_metadata(k->admin.rk, topic, timeout_ms, ret_md);
	rd_kafka_topic_destroy(topic);
	return err;
}

static int list_groups(struct kafka *k, int timeout_ms, struct list *l, bool *ret_partial)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	int err = list_brokers(k, timeout_ms / 2, &l->md);

	if (err != ERR_OK)
		return err;
	struct kafka_flight f = kafka_admin_flight(k, deadline_ms);
	f.send = send_list;
	f.land = land_list;
	f.arg = l;
	kafka_admin_fly(&f, (size_t)l->md->broker_cnt);
	if (l->answers == 0 || l->err == -ENOMEM)
		return l->err == ERR_OK ? ERR_BROKER : l->err;
	drop_doubles(l);
	*ret_partial = l->err != ERR_OK || !all_have_coordinators(l->md);
	return ERR_OK;
}

/* --- their offsets --- */

struct offsets {
	const struct listed *groups;
	void (*on_group)(void *arg, const struct kafka_group *g);
	void *arg;
	struct rows rows;
	size_t failed;
};

static void send_offsets(struct kafka_flight *f, size_t i, uint64_t id)
{
	struct kafka_admin *a = &f->k->admin;
	const struct offsets *all = f->arg;
	rd_kafka_ListConsumerGroupOffsets_t *request =
		rd_kafka_ListConsumerGroupOffsets_new(all->groups[i].name, NULL);
	rd_kafka_AdminOptions_t *o = kafka_admin_options(
		a, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, KAFKA_ADMIN_NEVER_MS, id);

	rd_kafka_ListConsumerGroupOffsets(a->rk, &request, 1, o, a->queue);
	rd_kafka_AdminOptions_destroy(o);
	rd_kafka_ListConsumerGroupOffsets_destroy(request);
}

/* A partition with an error of its own is left out. */
static int copy_rows(struct rows *to, const rd_kafka_topic_partition_list_t *list,
		     size_t *ret_count)
{
	size_t count = 0;
	int err = reserve(to, (size_t)list->cnt);

	if (err != ERR_OK)
		return err;
	for (int i = 0; i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *p = &list->elems[i];
		if (p->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			to->rows[count++] = (struct kafka_group_offset){
				p->topic, p->partition, MAX(p->offset, (int64_t)-1)};
	}
	*ret_count = count;
	return ERR_OK;
}

/* The rows point into the event. */
static int read_offsets(struct kafka_flight *f, rd_kafka_event_t *e, size_t *ret_count)
{
	struct kafka_admin *a = &f->k->admin;
	struct offsets *all = f->arg;
	size_t count = 0;

	if (e == NULL)
		return ERR_TIMEOUT;
	if (rd_kafka_event_error(e) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_admin_error(a, rd_kafka_event_error(e));
	const rd_kafka_ListConsumerGroupOffsets_result_t *result =
		rd_kafka_event_ListConsumerGroupOffsets_result(e);
	if (result == NULL)
		return ERR_BROKER;
	const rd_kafka_group_result_t **groups =
		rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count);
	if (count != 1)
		return ERR_BROKER;
	const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
	if (error != NULL)
		return kafka_admin_error(a, rd_kafka_error_code(error));
	const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
	return list == NULL ? ERR_BROKER : copy_rows(&all->rows, list, ret_count);
}

static void land_offsets(struct kafka_flight *f, size_t i, rd_kafka_event_t *e)
{
	struct offsets *all = f->arg;
	struct kafka_group g = {.name = all->groups[i].name,
				.state = all->groups[i].state,
				.simple = all->groups[i].simple};

	g.err = read_offsets(f, e, &g.offset_count);
	if (g.err == ERR_OK)
		g.offsets = all->rows.rows;
	else
		all->failed++;
	all->on_group(all->arg, &g);
}

int kafka_groups(struct kafka *k, int timeout_ms, bool (*wanted)(void *arg, const char *group),
		 void (*on_group)(void *arg, const struct kafka_group *g), void *arg,
		 size_t *ret_failed, bool *ret_partial)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	CLEANUP(free_list) struct list list = {.wanted = wanted, .arg = arg};
	int err = kafka_admin_open(k);

	if (err != ERR_OK)
		return err;
	kafka_serve(k);
	err = list_groups(k, timeout_ms / 2, &list, ret_partial);
	if (err != ERR_OK)
		return err;

	struct offsets all = {.groups = list.groups, .on_group = on_group, .arg = arg};
	struct kafka_flight f = kafka_admin_flight(k, deadline_ms);
	f.send = send_offsets;
	f.land = land_offsets;
	f.arg = &all;
	kafka_admin_fly(&f, list.count);
	free(all.rows.rows);
	*ret_failed = all.failed;
	return ERR_OK;
}

/* --- their members --- */

struct descriptions {
	const char *const *groups;
	void (*on_group)(void *arg, const struct kafka_description *d);
	void *arg;
	struct rows rows;
	size_t described;
};

/* One group a request: the answer to a request for many waits for the slowest. */
static void send_describe(struct kafka_flight *f, size_t i, uint64_t id)
{
	struct kafka_admin *a = &f->k->admin;
	const char *name = ((struct descriptions *)f->arg)->groups[i];
	rd_kafka_AdminOptions_t *o = kafka_admin_options(
		a, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, KAFKA_ADMIN_NEVER_MS, id);

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

static void copy_members(const rd_kafka_ConsumerGroupDescription_t *d, size_t count,
			 struct kafka_group_offset *rows, struct kafka_member *members)
{
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_MemberDescription_t *m =
			rd_kafka_ConsumerGroupDescription_member(d, i);
		members[i] = (struct kafka_member){
			.id = rd_kafka_MemberDescription_consumer_id(m),
			.client_id = rd_kafka_MemberDescription_client_id(m),
			.host = rd_kafka_MemberDescription_host(m),
			.assigned = rows,
			.assigned_count = copy_assigned(assigned_to(d, i), rows),
		};
		rows += members[i].assigned_count;
	}
}

static void tell(struct descriptions *all, const rd_kafka_ConsumerGroupDescription_t *d)
{
	size_t count = rd_kafka_ConsumerGroupDescription_member_count(d);
	struct kafka_member *members = calloc(count + 1, sizeof(*members));
	int state = translate_state(rd_kafka_ConsumerGroupDescription_state(d));

	if (members != NULL && reserve(&all->rows, count_assigned(d, count)) == ERR_OK) {
		copy_members(d, count, all->rows.rows, members);
		/* A broker says Dead of every group that is not classic, however alive. */
		struct kafka_description told = {
			.group = rd_kafka_ConsumerGroupDescription_group_id(d),
			.state = state == STATE_DEAD ? STATE_UNKNOWN : state,
			.members = members,
			.member_count = count};
		all->on_group(all->arg, &told);
		all->described++;
	}
	free(members);
}

static void land_describe(struct kafka_flight *f, size_t i, rd_kafka_event_t *e)
{
	size_t count = 0;

	(void)i;
	if (e == NULL || rd_kafka_event_error(e) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	const rd_kafka_DescribeConsumerGroups_result_t *result =
		rd_kafka_event_DescribeConsumerGroups_result(e);
	if (result == NULL)
		return;
	const rd_kafka_ConsumerGroupDescription_t **groups =
		rd_kafka_DescribeConsumerGroups_result_groups(result, &count);
	if (count != 1)
		return;
	const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
	if (error == NULL)
		tell(f->arg, groups[0]);
	else
		(void)kafka_admin_error(&f->k->admin, rd_kafka_error_code(error));
}

int kafka_describe(struct kafka *k, const char *const *groups, size_t count, int timeout_ms,
		   void (*on_group)(void *arg, const struct kafka_description *d), void *arg)
{
	int64_t deadline_ms = clock_mono_ms() + timeout_ms;
	struct descriptions all = {.groups = groups, .on_group = on_group, .arg = arg};
	int err = kafka_admin_open(k);

	if (err != ERR_OK)
		return err;
	kafka_serve(k);
	struct kafka_flight f = kafka_admin_flight(k, deadline_ms);
	f.send = send_describe;
	f.land = land_describe;
	f.arg = &all;
	kafka_admin_fly(&f, count);
	free(all.rows.rows);
	return count > 0 && all.described == 0 ? ERR_TIMEOUT : ERR_OK;
}
