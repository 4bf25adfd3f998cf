/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/sweep.h"

#include <string.h>

#include "aggregator/store/store_priv.h"
#include "common/bytes.h"
#include "common/err.h"

#define PART 4 /* bytes of a number in a key */

/* The tables, and where in a key group and topic are, in numbers; 0: nowhere. */
static const struct {
	enum table table;
	enum sweep_kind kind;
	uint8_t parts, group, topic;
} TABLES[] = {
	{COMMIT, SWEEP_COMMIT, 4, 1, 2}, {LOG, SWEEP_LOG, 3, 0, 1},
	{GROUP, SWEEP_GROUP, 2, 1, 0},   {MEMBERS, SWEEP_MEMBERS, 2, 1, 0},
	{BURIED, SWEEP_BURIED, 3, 1, 2}, {STANDING, SWEEP_STANDING, 2, 1, 0},
	{HISTORY, SWEEP_OTHER, 4, 0, 0}, {OLDEST, SWEEP_OTHER, 3, 0, 0},
	{LAG, SWEEP_OTHER, 6, 0, 0},     {EVENT, SWEEP_OTHER, 5, 0, 0},
	{CLUSTER, SWEEP_OTHER, 1, 0, 0}, {ORIGIN, SWEEP_OTHER, 1, 0, 0},
};

static uint32_t part(const MDB_val *k, unsigned at)
{
	return at == 0 ? 0 : get_be32((const uint8_t *)k->mv_data + at * PART);
}

/* Remember where to go on, or that it is with the next table. */
static void leave_at(struct sweep *s, const MDB_val *k)
{
	s->key_size = k->mv_size;
	memcpy(s->key, k->mv_data, k->mv_size);
}

static int step_over(MDB_cursor *c, MDB_val *k, MDB_val *v, enum sweep_answer answer)
{
	uint8_t next[PART];

	if (answer != SWEEP_PASS || get_be32(k->mv_data) == UINT32_MAX)
		return mdb_cursor_get(c, k, v, MDB_NEXT);
	put_be32(next, get_be32(k->mv_data) + 1);
	*k = lmdb_val(next, sizeof(next));
	return mdb_cursor_get(c, k, v, MDB_SET_RANGE);
}

/* Visit entries of the table at hand; true: it has no more. */
static bool step_table(struct store_txn *t, struct sweep *s, size_t *left,
		       enum sweep_answer (*visit)(void *arg, const struct sweep_entry *e),
		       void *arg)
{
	unsigned i = s->table;
	MDB_cursor *c = NULL;
	MDB_val k = {s->key_size, s->key};
	MDB_val v;

	if (!store_check(t, mdb_cursor_open(t->txn, t->store->tables[TABLES[i].table], &c)))
		return false;
	int rc = mdb_cursor_get(c, &k, &v, s->key_size == 0 ? MDB_FIRST : MDB_SET_RANGE);
	for (; rc == MDB_SUCCESS && *left > 0; --*left) {
		if (k.mv_size != TABLES[i].parts * (size_t)PART) {
			rc = MDB_CORRUPTED;
			break;
		}
		enum sweep_answer answer =
			visit(arg, &(struct sweep_entry){TABLES[i].kind, get_be32(k.mv_data),
							 part(&k, TABLES[i].group),
							 part(&k, TABLES[i].topic), v.mv_data,
							 v.mv_size});
		if (answer == SWEEP_REMOVE)
			rc = mdb_cursor_del(c, 0);
		if (rc == MDB_SUCCESS)
			rc = step_over(c, &k, &v, answer);
	}
	if (rc == MDB_SUCCESS)
		leave_at(s, &k);
	mdb_cursor_close(c);
	if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND)
		store_check(t, rc);
	return rc == MDB_NOTFOUND;
}

bool sweep_step(struct store_txn *t, struct sweep *s, size_t max,
		enum sweep_answer (*visit)(void *arg, const struct sweep_entry *e), void *arg)
{
	while (t->err == ERR_OK && step_table(t, s, &max, visit, arg)) {
		s->table++;
		s->key_size = 0;
		if (s->table == ARRAY_LEN(TABLES)) {
			*s = (struct sweep){0};
			return false;
		}
	}
	return true;
}

size_t sweep_sessions(struct store_txn *t, int64_t before_ms)
{
	MDB_cursor *c = NULL;
	MDB_val k;
	MDB_val v;
	size_t removed = 0;

	if (t->err != ERR_OK ||
	    !store_check(t, mdb_cursor_open(t->txn, t->store->tables[SESSION], &c)))
		return 0;
	int rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
	while (rc == MDB_SUCCESS) {
		struct store_session s;

		if (v.mv_size != sizeof(s)) {
			rc = MDB_CORRUPTED;
			break;
		}
		memcpy(&s, v.mv_data, sizeof(s));
		if (s.seen_ms < before_ms) {
			rc = mdb_cursor_del(c, 0);
			removed++;
		}
		if (rc == MDB_SUCCESS)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	if (rc != MDB_NOTFOUND)
		store_check(t, rc);
	return removed;
}
