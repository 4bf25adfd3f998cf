/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/judge/lag_history.h"
#include "aggregator/store/alert_store.h"
#include "aggregator/store/past.h"
#include "aggregator/store/store_priv.h"
#include "common/bytes.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define PART 4 /* bytes of a number in a key */
#define KEY_PARTS 6
#define NAME_HEADER 5 /* before the text of a name */

/* What a number stands for; kind 0: for nothing. */
struct known {
	uint8_t kind;
	uint32_t cluster;
};

struct verifier {
	const struct verify_options *o;
	struct store_txn txn;
	struct known *names; /* by number */
	uint32_t name_count;
	enum table table;
	uint64_t faults;
	unsigned told; /* of this table */

	/* the record at hand */
	uint32_t key[KEY_PARTS];
	const uint8_t *data;
	size_t size;
};

static void put_key(const struct verifier *v, char *out, size_t size, size_t parts)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < parts && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%" PRIu32, i == 0 ? "" : "/",
					 v->key[i]);
}

static size_t key_parts(enum table table)
{
	static const uint8_t PARTS[TABLE_COUNT] = {
		[COMMIT] = 4,   [LOG] = 3,     [GROUP] = 2,    [STANDING] = 2, [OLDEST] = 3,
		[LAG] = 6,      [HISTORY] = 4, [MEMBERS] = 2,  [CLUSTER] = 1,  [ORIGIN] = 1,
		[BURIED] = 3,   [EVENT] = 5,   [INCIDENT] = 4, [OPENED] = 2,   [TROUBLE] = 2,
		[TIMELINE] = 3, [SILENCE] = 2, [OUTBOX] = 2,   [NOTIFY] = 2,   [NAME] = 1,
	};

	return PARTS[table];
}

/* Count a fault of the record at hand, and tell the first ones. */
static void fault(struct verifier *v, const char *what)
{
	char key[128];
	char text[512];

	v->faults++;
	if (v->told++ >= VERIFY_TOLD)
		return;
	put_key(v, key, sizeof(key), key_parts(v->table));
	snprintf(text, sizeof(text), "%s %s: %s", STORE_TABLES[v->table], key, what);
	v->o->on_fault(v->o->arg, text);
}

static void expect(struct verifier *v, bool claim, const char *otherwise)
{
	if (!claim)
		fault(v, otherwise);
}

/* Copy the record out; false, and a fault, if it is of another size. */
static bool take(struct verifier *v, void *out, size_t size)
{
	expect(v, v->size == size, "not of the size that it should have");
	if (v->size == size)
		memcpy(out, v->data, size);
	return v->size == size;
}

/* --- what it refers to --- */

static void expect_name(struct verifier *v, uint32_t id, enum store_kind kind, uint32_t cluster)
{
	static const char *const MISSING[] = {
		['c'] = "its cluster has no name",
		['g'] = "its group has no name",
		['t'] = "its topic has no name",
	};
	const struct known *k = id < v->name_count ? &v->names[id] : NULL;

	expect(v, k != NULL && k->kind == kind && k->cluster == cluster, MISSING[kind]);
}

static void expect_cluster(struct verifier *v)
{
	expect_name(v, v->key[0], STORE_CLUSTER, 0);
}

static void expect_group(struct verifier *v)
{
	expect_cluster(v);
	expect_name(v, v->key[1], STORE_GROUP, v->key[0]);
}

static void expect_log(struct verifier *v)
{
	struct log_track l;

	expect(v,
	       store_get_log(&v->txn,
			     (struct store_log_key){v->key[0], v->key[1], (int32_t)v->key[2]}, &l),
	       "its log is not there");
}

/* --- parts of records --- */

static bool is_window(const struct window *w)
{
	struct window_cursor c = window_newest(w);
	size_t points = c.valid;

	if (w->used > WINDOW_BYTES)
		return false;
	for (int64_t newer_ms = c.point.at_ms; window_older(&c); newer_ms = c.point.at_ms) {
		if (c.point.at_ms > newer_ms)
			return false;
		points++;
	}
	return points == w->count;
}

static bool is_offset(int64_t offset)
{
	return offset >= TRACK_UNKNOWN;
}

static bool is_status(unsigned status)
{
	return status <= STATUS_REWIND;
}

/* --- the tables --- */

static void check_commit(struct verifier *v)
{
	struct commit_track c;

	expect_group(v);
	expect_name(v, v->key[2], STORE_TOPIC, v->key[0]);
	expect(v, v->key[3] <= INT32_MAX, "no such partition");
	if (!take(v, &c, sizeof(c)))
		return;
	expect(v, c.version == TRACK_VERSION, "of another version");
	expect(v, is_status(c.status) && is_status(c.pending), "no such status");
	expect(v, c.owner <= TRACK_OWNER_PRESENT && c.subscription <= TRACK_SUBSCRIPTION_YES,
	       "no such owner");
	expect(v, c.probe <= TRACK_PROBE_NOTHING, "no such answer of a probe");
	expect(v, is_offset(c.offset) && is_offset(c.highest) && is_offset(c.before_offset),
	       "no such offset");
	expect(v, c.joined_at_ms <= c.row_at_ms && c.since_ms >= 0, "times that cannot be");
	expect(v, is_window(&c.offsets), "its window is damaged");
}

static void check_log(struct verifier *v)
{
	struct log_track l;

	expect_cluster(v);
	expect_name(v, v->key[1], STORE_TOPIC, v->key[0]);
	expect(v, v->key[2] <= INT32_MAX, "no such partition");
	if (!take(v, &l, sizeof(l)))
		return;
	expect(v, l.version == TRACK_VERSION, "of another version");
	expect(v, is_offset(l.start) && is_offset(l.end) && is_offset(l.stable), "no such offset");
	expect(v, is_window(&l.ends), "its window is damaged");
}

static void check_history(struct verifier *v)
{
	struct history_level h = {0};

	expect_log(v);
	expect(v, v->key[3] < HISTORY_LEVELS, "no such level");
	if (v->key[3] >= HISTORY_LEVELS || !take(v, &h, history_size(v->key[3])))
		return;
	expect(v, h.count <= HISTORY_BINS_MAX && h.head < HISTORY_BINS_MAX, "damaged");
}

static void check_group(struct verifier *v)
{
	struct group_track g;

	expect_group(v);
	if (!take(v, &g, sizeof(g)))
		return;
	expect(v, g.version == TRACK_VERSION, "of another version");
	expect(v, g.protocol <= TRACK_PROTOCOL_NONE, "no such protocol");
	expect(v, g.state <= TRACK_GROUP_DEAD && g.had_members <= 1, "no such state");
}

static void check_members(struct verifier *v)
{
	struct group_track g;

	expect(v, store_get_group(&v->txn, v->key[0], v->key[1], &g), "its group is not there");
	expect(v, v->o->members_ok(v->data, v->size), "damaged");
}

static void check_cluster(struct verifier *v)
{
	struct cluster_track c;

	expect_cluster(v);
	if (!take(v, &c, sizeof(c)))
		return;
	expect(v, c.version == TRACK_VERSION || (c.version == 0 && c.passes == 0),
	       "of another version");
	expect(v, c.first_ms <= c.last_ms && c.before_ms <= c.last_ms, "times that cannot be");
}

static void check_origin(struct verifier *v)
{
	expect_cluster(v);
	expect(v, v->o->origin_ok(v->data, v->size), "damaged");
}

static void check_buried(struct verifier *v)
{
	struct store_burial b;

	if (take(v, &b, sizeof(b)))
		expect(v, b.at_ms <= b.kept_ms, "times that cannot be");
}

static void check_standing(struct verifier *v)
{
	struct past_standing s;

	if (!take(v, &s, sizeof(s)))
		return;
	expect(v, is_status(s.status), "no such status");
	expect(v, s.first_ms <= s.since_ms, "times that cannot be");
}

static void check_oldest(struct verifier *v)
{
	struct past_oldest o;

	expect_log(v);
	if (take(v, &o, sizeof(o)))
		expect(v, is_offset(o.start) && o.earlier <= 1, "no such offset");
}

static void check_lag(struct verifier *v)
{
	struct lag_reader r;
	struct lag_id id;
	struct lag_sample s;

	expect(v, v->key[1] < LAG_LEVELS, "no such level");
	if (v->key[1] >= LAG_LEVELS)
		return;
	lag_reader_begin(&r, v->key[1], v->data, v->size);
	while (r.left != 0 || r.at != r.end) {
		if (!lag_reader_next(&r, &id, &s)) {
			fault(v, "damaged");
			return;
		}
	}
}

static void check_event(struct verifier *v)
{
	const MDB_val data = lmdb_val(v->data, v->size);

	expect(v, past_is_event(&data), "damaged");
}

static uint64_t number(const struct verifier *v, size_t part)
{
	return (uint64_t)v->key[part] << 32 | v->key[part + 1];
}

static void expect_incident(struct verifier *v, uint64_t id)
{
	const uint8_t *data = NULL;
	size_t size = 0;

	expect(v, alert_store_get_incident(&v->txn, id, &data, &size), "its incident is not there");
}

static void check_incident(struct verifier *v)
{
	const uint8_t *data = NULL;
	size_t size = 0;

	expect(v, v->o->incident_ok == NULL || v->o->incident_ok(v->data, v->size), "damaged");
	expect(v, alert_store_get_incident(&v->txn, number(v, 2), &data, &size) && data == v->data,
	       "is not found by its id");
}

static void check_opened(struct verifier *v)
{
	expect(v, v->size == sizeof(uint64_t), "not of the size that it should have");
	expect_incident(v, number(v, 0));
}

static void check_trouble(struct verifier *v)
{
	expect(v, v->size == sizeof(uint64_t), "not of the size that it should have");
	if (v->size == sizeof(uint64_t))
		expect_incident(v, get_be64(v->data));
}

static void check_step(struct verifier *v)
{
	expect_incident(v, number(v, 0));
	expect(v, v->o->step_ok == NULL || v->o->step_ok(v->data, v->size), "damaged");
}

static void check_alert(struct verifier *v)
{
	const enum alert_table table = v->table == SILENCE  ? ALERT_SILENCE
				       : v->table == OUTBOX ? ALERT_OUTBOX
							    : ALERT_NOTIFY;

	expect(v, v->o->alert_ok == NULL || v->o->alert_ok(table, v->data, v->size), "damaged");
}

static void check_name(struct verifier *v)
{
	uint32_t id = v->key[0];
	uint8_t kind = v->size < NAME_HEADER ? 0 : v->data[0];

	if (kind != STORE_CLUSTER && kind != STORE_GROUP && kind != STORE_TOPIC) {
		fault(v, "neither a cluster nor a group nor a topic");
		return;
	}
	uint32_t cluster = get_be32(v->data + 1);

	expect(v, v->size - NAME_HEADER < STORE_NAME_MAX, "too long");
	expect(v, memchr(v->data + NAME_HEADER, 0, v->size - NAME_HEADER) == NULL, "holds a NUL");
	expect(v, id != 0 && id < v->name_count, "its number was never given");
	expect(v, (kind == STORE_CLUSTER) == (cluster == 0), "of a cluster that cannot be");
	if (kind == STORE_CLUSTER)
		expect(v, memchr(v->data + NAME_HEADER, '/', v->size - NAME_HEADER) != NULL,
		       "has no environment");
	if (id < v->name_count)
		v->names[id] = (struct known){kind, cluster};
}

static void check_session(struct verifier *v, const MDB_val *key)
{
	char agent[STORE_NAME_MAX];
	struct store_session s;

	snprintf(agent, sizeof(agent), "%.*s", (int)MIN(key->mv_size, sizeof(agent) - 1),
		 (const char *)key->mv_data);
	if (!take(v, &s, sizeof(s)))
		return;
	expect(v, s.batches + s.lost == s.applied_seq,
	       "batches applied and lost are not all there were");
	v->o->on_session(v->o->arg, agent, &s);
}

static void check_record(struct verifier *v, const MDB_val *key, const MDB_val *data)
{
	static void (*const CHECKS[TABLE_COUNT])(struct verifier * v) = {
		[COMMIT] = check_commit,     [LOG] = check_log,         [GROUP] = check_group,
		[STANDING] = check_standing, [OLDEST] = check_oldest,   [LAG] = check_lag,
		[HISTORY] = check_history,   [MEMBERS] = check_members, [CLUSTER] = check_cluster,
		[ORIGIN] = check_origin,     [BURIED] = check_buried,   [EVENT] = check_event,
		[INCIDENT] = check_incident, [OPENED] = check_opened,   [TROUBLE] = check_trouble,
		[TIMELINE] = check_step,     [SILENCE] = check_alert,   [OUTBOX] = check_alert,
		[NOTIFY] = check_alert,      [NAME] = check_name,
	};
	size_t parts = key_parts(v->table);

	v->data = data->mv_data;
	v->size = data->mv_size;
	memset(v->key, 0, sizeof(v->key));
	if (v->table == SESSION) {
		check_session(v, key);
	} else if (v->table == META) {
		expect(v, v->size == sizeof(uint32_t), "not a number");
	} else if (key->mv_size != parts * PART) {
		fault(v, "a key of another length");
	} else {
		for (size_t i = 0; i < parts; i++)
			v->key[i] = get_be32((const uint8_t *)key->mv_data + i * PART);
		CHECKS[v->table](v);
	}
}

static void check_table(struct verifier *v, enum table table)
{
	MDB_cursor *c = NULL;
	MDB_val k;
	MDB_val d;
	uint64_t records = 0;
	uint64_t bytes = 0;

	v->table = table;
	v->told = 0;
	if (v->txn.err != ERR_OK ||
	    !store_check(&v->txn, mdb_cursor_open(v->txn.txn, v->txn.store->tables[table], &c)))
		return;
	int rc = mdb_cursor_get(c, &k, &d, MDB_FIRST);
	for (; rc == MDB_SUCCESS; rc = mdb_cursor_get(c, &k, &d, MDB_NEXT)) {
		records++;
		bytes += k.mv_size + d.mv_size;
		check_record(v, &k, &d);
	}
	mdb_cursor_close(c);
	if (rc != MDB_NOTFOUND)
		store_check(&v->txn, rc);
	v->o->on_table(v->o->arg, STORE_TABLES[table], records, bytes);
}

uint64_t verify(struct store *st, const struct verify_options *o, int *ret_err)
{
	struct verifier v = {.o = o, .txn = store_begin(st, false)};

	v.name_count = store_get_meta(&v.txn, "next_id") + 1;
	v.names = mem_zeroed(v.name_count, sizeof(*v.names));
	check_table(&v, NAME);
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		if (i != NAME)
			check_table(&v, (enum table)i);
	*ret_err = v.txn.err;
	store_abort(&v.txn);
	free(v.names);
	return v.faults;
}
