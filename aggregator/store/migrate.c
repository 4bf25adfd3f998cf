/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "aggregator/store/store_priv.h"
#include "common/clock.h"
#include "common/err.h"

#define RECORD_MAX 512

/* Give every record of a table another form. form writes size bytes, at most RECORD_MAX, and
 * returns false for a record that is not of the old form. */
static void reform(struct store_txn *t, enum table table, size_t size,
		   bool (*form)(const MDB_val *old, void *out))
{
	MDB_cursor *c = NULL;
	MDB_val k;
	MDB_val v;
	uint8_t key[STORE_NAME_MAX];
	_Alignas(8) uint8_t out[RECORD_MAX];

	if (t->err != ERR_OK ||
	    !store_check(t, mdb_cursor_open(t->txn, t->store->tables[table], &c)))
		return;
	int rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
	while (rc == MDB_SUCCESS) {
		MDB_val new = {size, out};

		if (k.mv_size > sizeof(key) || !form(&v, out)) {
			rc = MDB_CORRUPTED;
			break;
		}
		/* The page that k points into is moved about. */
		memcpy(key, k.mv_data, k.mv_size);
		k.mv_data = key;
		rc = mdb_cursor_put(c, &k, &new, MDB_CURRENT);
		if (rc == MDB_SUCCESS)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	if (rc != MDB_NOTFOUND)
		store_check(t, rc);
}

/* --- layout 1 --- */

/* Sessions did not count what they applied, and burials were kept for ever. */

struct session_1 {
	uint64_t epoch, applied_seq, instance, session, lost;
};

static bool form_session_1(const MDB_val *old, void *out)
{
	struct session_1 s;

	if (old->mv_size != sizeof(s))
		return false;
	memcpy(&s, old->mv_data, sizeof(s));
	const struct store_session now = {
		.epoch = s.epoch,
		.applied_seq = s.applied_seq,
		.instance = s.instance,
		.session = s.session,
		.lost = MIN(s.lost, s.applied_seq),
		.batches = s.applied_seq - MIN(s.lost, s.applied_seq),
		.seen_ms = clock_wall_ms(),
	};
	memcpy(out, &now, sizeof(now));
	return true;
}

static bool form_burial_1(const MDB_val *old, void *out)
{
	int64_t at_ms = 0;

	if (old->mv_size != sizeof(at_ms))
		return false;
	memcpy(&at_ms, old->mv_data, sizeof(at_ms));
	memcpy(out, &(struct store_burial){at_ms, at_ms}, sizeof(struct store_burial));
	return true;
}

/* The paces were kept in another way at first, and are learned anew; before and after them nothing
 * has changed. */
#define PACES_AT offsetof(struct commit_track, commits)
#define PACES_1 56

static bool form_commit_1(const MDB_val *old, void *out)
{
	const struct commit_track none = {0};
	const uint8_t *from = old->mv_data;
	uint8_t *to = out;
	size_t paces = sizeof(none.commits) + sizeof(none.progress);

	memcpy(to, &none, sizeof(none));
	if (old->mv_size == sizeof(none)) {
		memcpy(to, from, sizeof(none));
		return true;
	}
	if (old->mv_size != sizeof(none) - paces + PACES_1)
		return false;
	memcpy(to, from, PACES_AT);
	memcpy(to + PACES_AT + paces, from + PACES_AT + PACES_1, sizeof(none.offsets));
	return true;
}

_Static_assert(sizeof(struct commit_track) == 448 && sizeof(struct commit_track) <= RECORD_MAX,
	       "a new size is a new layout");

static void from_1(struct store_txn *t)
{
	reform(t, COMMIT, sizeof(struct commit_track), form_commit_1);
	reform(t, SESSION, sizeof(struct store_session), form_session_1);
	reform(t, BURIED, sizeof(struct store_burial), form_burial_1);
}

/* --- layout 2 --- */

/* Nothing was known of incidents, and their tables are empty; but an aggregator that knows nothing
 * of them must not write on beside them. */
static void from_2(struct store_txn *t)
{
	(void)t;
}

/* --- the table --- */

/* By layout: what makes it the next one. Tables that are new need nothing: they are empty. */
static void (*const STEPS[STORE_LAYOUT])(struct store_txn *t) = {
	[1] = from_1,
	[2] = from_2,
};

void migrate(struct store_txn *t, uint32_t layout)
{
	for (uint32_t i = layout; i < STORE_LAYOUT; i++)
		STEPS[i](t);
}
