/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/keep.h"

#include "agent/collect/hash.h"
#include "common/bytes.h"
#include "common/err.h"
#include "common/mem.h"

/*
 * Records, integers big-endian:
 *	pass       number: 8, rules: 8
 *	position   next offset: 8
 *	group name the bytes
 *	topic name Kafka's id: 16, then the bytes
 *	group      protocol: 1, state: 1, generation: 4, members as members_pack()
 *	commit     offset: 8, time: 8, arrival: 8, leader epoch: 4
 */
#define PASS_SIZE 16
#define GROUP_HEAD 6
#define COMMIT_SIZE 28
#define POSITIONS_MAX 100000

struct loading {
	struct keep *keep;
	struct table *table;
	uint64_t rules; /* as saved */
};

void keep_free(struct keep *k)
{
	free(k->positions);
	*k = (struct keep){0};
}

static uint64_t hash_list(uint64_t h, const struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		h = hash_bytes(h, list->items[i], strlen(list->items[i]));
	return hash_mix(h + list->count + 1);
}

uint64_t keep_rules(const struct agent_filter *groups, const struct agent_filter *topics)
{
	uint64_t h = hash_list(1, &groups->allow);

	h = hash_list(h, &groups->deny);
	h = hash_list(h, &topics->allow);
	return hash_list(h, &topics->deny);
}

/* --- loading --- */

static int load_pass(void *arg, struct state_key k, const uint8_t *data, size_t size)
{
	struct loading *l = arg;
	(void)k;

	if (size != PASS_SIZE)
		return ERR_MALFORMED;
	l->keep->pass = get_be64(data);
	l->rules = get_be64(data + 8);
	return ERR_OK;
}

static int load_position(void *arg, struct state_key k, const uint8_t *data, size_t size)
{
	struct keep *keep = ((struct loading *)arg)->keep;

	if (size != 8 || k.a >= POSITIONS_MAX || k.a < (uint32_t)keep->position_count)
		return ERR_MALFORMED;
	keep->positions = mem_resize(keep->positions, k.a + 1, sizeof(*keep->positions));
	while (keep->position_count < (int32_t)k.a)
		keep->positions[keep->position_count++] = -1;
	keep->positions[keep->position_count++] = (int64_t)get_be64(data);
	keep->saved_positions = keep->position_count;
	return ERR_OK;
}

static int load_group_name(void *arg, struct state_key k, const uint8_t *data, size_t size)
{
	return table_restore_group(((struct loading *)arg)->table, k.a, (const char *)data, size);
}

static int load_topic_name(void *arg, struct state_key k, const uint8_t *data, size_t size)
{
	struct table *t = ((struct loading *)arg)->table;

	if (size < 16)
		return ERR_MALFORMED;
	return topics_restore(&t->topics, k.a, (const char *)data + 16, size - 16, data)
		       ? ERR_OK
		       : ERR_MALFORMED;
}

static int load_group(void *arg, struct state_key k, const uint8_t *data, size_t size)
{
	struct table *t = ((struct loading *)arg)->table;

	if (size < GROUP_HEAD || names_text(&t->names, k.a) == NULL ||
	    data[0] > WIRE_PROTOCOL_NONE || data[1] > WIRE_GROUP_DEAD)
		return ERR_MALFORMED;
	struct group *g = &t->groups[k.a];
	if (g->hidden)
		return ERR_OK;
	g->protocol = data[0];
	g->state = data[1];
	g->generation = (int32_t)get_be32(data + 2);
	return members_unpack(&g->members, data + GROUP_HEAD, size - GROUP_HEAD);
}

static int load_commit(void *arg, struct state_key k, const uint8_t *data, size_t size)
{
	if (size != COMMIT_SIZE || k.c > WIRE_PARTITION_MAX)
		return ERR_MALFORMED;
	struct commit c = {.group = k.a,
			   .topic = k.b,
			   .partition = k.c & 0xfffff,
			   .epoch = (int32_t)get_be32(data + 24),
			   .offset = (int64_t)get_be64(data),
			   .time_ms = (int64_t)get_be64(data + 8),
			   .arrival_ms = (int64_t)get_be64(data + 16)};
	return table_restore_commit(((struct loading *)arg)->table, &c);
}

/* A group that was deleted and whose commits were, but of which the rules hid one or the other. */
static void end_empty_groups(struct table *t)
{
	for (uint32_t n = 0; n < t->names.count; n++) {
		struct group *g = &t->groups[n];
		if (names_text(&t->names, n) != NULL && !g->hidden && g->commits == 0 &&
		    g->protocol == WIRE_PROTOCOL_NONE) {
			g->gone = true;
			g->unsaved = true;
		}
	}
}

int keep_load(struct keep *k, struct state *st, struct table *t, const char **ret_what)
{
	static const struct {
		enum state_kind kind;
		const char *what;
		int (*load)(void *arg, struct state_key k, const uint8_t *data, size_t size);
	} STEPS[] = {
		{STATE_PASS, "number of the pass", load_pass},
		{STATE_POSITION, "positions", load_position},
		{STATE_GROUP_NAME, "names of groups", load_group_name},
		{STATE_TOPIC_NAME, "names of topics", load_topic_name},
		{STATE_GROUP, "groups", load_group},
		{STATE_COMMIT, "commits", load_commit},
	};
	struct loading l = {.keep = k, .table = t, .rules = k->rules};

	for (size_t i = 0; i < ARRAY_LEN(STEPS); i++) {
		int err = state_walk(st, STEPS[i].kind, k->cluster, STEPS[i].load, &l);
		if (err != ERR_OK) {
			*ret_what = STEPS[i].what;
			return err;
		}
	}
	end_empty_groups(t);
	if (l.rules != k->rules)
		k->position_count = 0;
	return ERR_OK;
}

/* --- saving --- */

static void save_head(struct keep *k, struct state_txn *txn)
{
	uint8_t raw[PASS_SIZE];

	put_be64(raw, k->pass);
	put_be64(raw + 8, k->rules);
	state_put(txn, STATE_PASS, (struct state_key){.cluster = k->cluster}, raw, sizeof(raw));
	for (int32_t p = 0; p < k->position_count; p++) {
		uint8_t at[8];
		put_be64(at, (uint64_t)k->positions[p]);
		state_put(txn, STATE_POSITION,
			  (struct state_key){.cluster = k->cluster, .a = (uint32_t)p}, at,
			  sizeof(at));
	}
	for (int32_t p = k->position_count; p < k->saved_positions; p++)
		state_del(txn, STATE_POSITION,
			  (struct state_key){.cluster = k->cluster, .a = (uint32_t)p});
}

static void save_topic(const struct keep *k, struct state_txn *txn, struct topics *t, uint32_t n)
{
	struct topic *it = &t->items[n];
	struct state_key key = {.cluster = k->cluster, .a = n};
	uint8_t raw[16 + WIRE_TOPIC_MAX];
	size_t size = strlen(names_text(&t->names, n));

	it->forgotten = (it->hidden || !it->listed) && it->commits == 0;
	if (it->forgotten) {
		state_del(txn, STATE_TOPIC_NAME, key);
		return;
	}
	memcpy(raw, it->id, 16);
	memcpy(raw + 16, names_text(&t->names, n), size);
	state_put(txn, STATE_TOPIC_NAME, key, raw, 16 + size);
}

static void save_group(const struct keep *k, struct state_txn *txn, struct table *t, uint32_t n)
{
	CLEANUP(buf_free) struct buf out = {0};
	const struct group *g = &t->groups[n];
	struct state_key key = {.cluster = k->cluster, .a = n};
	const char *name = names_text(&t->names, n);

	if (g->gone || g->hidden) {
		state_del(txn, STATE_GROUP, key);
		state_del(txn, STATE_GROUP_NAME, key);
		return;
	}
	buf_putc(&out, (char)g->protocol);
	buf_putc(&out, (char)g->state);
	uint8_t generation[4];
	put_be32(generation, (uint32_t)g->generation);
	buf_put(&out, generation, sizeof(generation));
	members_pack(&g->members, &out);
	if (out.err != ERR_OK)
		abort();
	state_put(txn, STATE_GROUP_NAME, key, name, strlen(name));
	state_put(txn, STATE_GROUP, key, out.data, out.size);
}

static void save_commit(const struct keep *k, struct state_txn *txn, const struct commit *e)
{
	struct state_key key = {k->cluster, e->group, e->topic, e->partition};
	uint8_t raw[COMMIT_SIZE];

	if (!(e->flags & COMMIT_ALIVE)) {
		state_del(txn, STATE_COMMIT, key);
		return;
	}
	put_be64(raw, (uint64_t)e->offset);
	put_be64(raw + 8, (uint64_t)e->time_ms);
	put_be64(raw + 16, (uint64_t)e->arrival_ms);
	put_be32(raw + 24, (uint32_t)e->epoch);
	state_put(txn, STATE_COMMIT, key, raw, sizeof(raw));
}

/* In order of key, which spares LMDB most of the work. */
static void save_commits(const struct keep *k, struct state_txn *txn, const struct table *t)
{
	uint32_t count = 0;
	CLEANUP(mem_free) uint32_t *order = commits_sorted(&t->commits, COMMIT_UNSAVED, &count);

	for (uint32_t i = 0; i < count; i++)
		save_commit(k, txn, commits_at(&t->commits, order[i]));
}

void keep_save(struct keep *k, struct state_txn *txn, struct table *t)
{
	save_head(k, txn);
	for (uint32_t n = 0; n < t->names.count; n++) {
		if (names_text(&t->names, n) != NULL && t->groups[n].unsaved)
			save_group(k, txn, t, n);
	}
	for (uint32_t n = 0; n < t->topics.names.count; n++) {
		if (names_text(&t->topics.names, n) != NULL && t->topics.items[n].unsaved)
			save_topic(k, txn, &t->topics, n);
	}
	save_commits(k, txn, t);
	if (txn->err == ERR_OK)
		k->saved_positions = k->position_count;
}
