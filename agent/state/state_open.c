/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/state/state_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/err.h"

#define WHY 512 /* bytes of an explanation */

static const char *const KIND_NAMES[STATE_KINDS] = {
	[STATE_PASS] = "pass",
	[STATE_POSITION] = "position",
	[STATE_GROUP_NAME] = "groupname",
	[STATE_TOPIC_NAME] = "topicname",
	[STATE_GROUP] = "group",
	[STATE_COMMIT] = "commit",
};

static int damaged(const char *dir, const char *what, char why[static WHY])
{
	snprintf(why, WHY,
		 "%.300s/data.mdb: %s; move the directory away and start again: the agent then "
		 "reads all of __consumer_offsets anew",
		 dir, what);
	return ERR_MALFORMED;
}

static int system_error(const char *dir, const char *what, char why[static WHY])
{
	int err = -errno;
	snprintf(why, WHY, "%.300s: %s: %s", dir, what, err_str(err));
	return err;
}

/* The lock lives as long as the process. */
static int lock_dir(struct state *st, const char *dir, char why[static WHY])
{
	char path[4096];

	if (mkdir(dir, 0750) != 0 && errno != EEXIST)
		return system_error(dir, "cannot create the directory", why);
	if (snprintf(path, sizeof(path), "%s/lock", dir) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return system_error(dir, "state_dir", why);
	}
	st->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (st->lock_fd < 0)
		return system_error(dir, "cannot write in the directory", why);
	if (flock(st->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return ERR_OK;
	if (errno != EWOULDBLOCK)
		return system_error(dir, "cannot lock", why);
	snprintf(why, WHY, "%.300s: another agent is running with this state_dir", dir);
	return -EBUSY;
}

/* LMDB maps the file and would die of SIGBUS in pages that are not there. */
static bool is_cut(struct state *st, const char *dir)
{
	char path[4096];
	struct stat file;
	MDB_envinfo info;
	MDB_stat stat;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	if (lstat(path, &file) != 0 || mdb_env_info(st->env, &info) != MDB_SUCCESS ||
	    mdb_env_stat(st->env, &stat) != MDB_SUCCESS)
		return true;
	return (uint64_t)file.st_size < (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize &&
	       info.me_last_pgno > 1;
}

static int open_env(struct state *st, const char *dir, char why[static WHY])
{
	size_t map = (size_t)st->spool_limit + (size_t)st->spool_limit / 4 + STATE_MAP_EXTRA;

	int rc = mdb_env_create(&st->env);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_maxdbs(st->env, STATE_KINDS + 2);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_mapsize(st->env, map);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(st->env, dir, MDB_NOTLS | MDB_NORDAHEAD, 0640);
	int err = lmdb_err(rc);
	if (err == ERR_MALFORMED || err == ERR_VERSION)
		return damaged(dir, "is not the state of an agent, or is damaged", why);
	if (err != ERR_OK) {
		snprintf(why, WHY, "%.300s/data.mdb: cannot open: %s", dir, err_str(err));
		return err;
	}
	return is_cut(st, dir) ? damaged(dir, "is damaged: it has been cut short", why) : ERR_OK;
}

/* --- what is in it --- */

static bool has_data(struct state_txn *t)
{
	MDB_dbi root;
	MDB_stat stat = {0};

	if (state_check(t, mdb_dbi_open(t->txn, NULL, 0, &root)))
		state_check(t, mdb_stat(t->txn, root, &stat));
	return stat.ms_entries > 0;
}

static void open_dbs(struct state_txn *t)
{
	struct state *st = t->state;

	if (t->err == ERR_OK)
		state_check(t, mdb_dbi_open(t->txn, "meta", MDB_CREATE, &st->meta));
	if (t->err == ERR_OK)
		state_check(t, mdb_dbi_open(t->txn, "spool", MDB_CREATE, &st->spool));
	for (size_t i = 0; i < STATE_KINDS && t->err == ERR_OK; i++)
		state_check(t, mdb_dbi_open(t->txn, KIND_NAMES[i], MDB_CREATE, &st->kinds[i]));
}

static void load_head(struct state_txn *t)
{
	struct state *st = t->state;
	MDB_val k = lmdb_val("head", 4);
	MDB_val v;

	if (t->err != ERR_OK || !state_check(t, mdb_get(t->txn, st->meta, &k, &v)))
		return;
	const uint8_t *p = v.mv_data;
	if (v.mv_size != STATE_HEAD_SIZE || get_be64(p) != STATE_MAGIC) {
		t->err = ERR_MALFORMED;
		return;
	}
	if (get_be64(p + 8) != STATE_LAYOUT) {
		t->err = ERR_VERSION;
		return;
	}
	st->epoch = get_be64(p + 16);
	st->base = get_be64(p + 24);
	st->next = get_be64(p + 32);
	st->dropped = get_be64(p + 40);
	if (st->next == 0 || st->base >= st->next || st->epoch == 0)
		t->err = ERR_MALFORMED;
}

static void load_targets(struct state_txn *t)
{
	for (size_t i = 0; i < t->state->target_count && t->err == ERR_OK; i++) {
		struct state_target *target = &t->state->targets[i];
		char key[512];
		int size = snprintf(key, sizeof(key), "target/%.400s", target->address);
		MDB_val k = lmdb_val(key, (size_t)size);
		MDB_val v;
		int rc = mdb_get(t->txn, t->state->meta, &k, &v);
		if (rc == MDB_NOTFOUND)
			continue;
		if (state_check(t, rc) && v.mv_size == 8)
			target->has = MIN(get_be64(v.mv_data), t->state->next - 1);
	}
}

/* What is on disk; the floor is the caller's. Returns the lowest key, or next. */
static uint64_t count_spool(struct state_txn *t)
{
	struct state *st = t->state;
	MDB_cursor *cursor = NULL;
	MDB_val k;
	MDB_val v;

	uint64_t lowest = st->next;
	st->disk_bytes = 0;
	st->disk_batches = 0;
	if (t->err != ERR_OK || !state_check(t, mdb_cursor_open(t->txn, st->spool, &cursor)))
		return lowest;
	int rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	for (; rc == MDB_SUCCESS; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
		if (k.mv_size != 8 || v.mv_size < 8 || get_be64(k.mv_data) >= st->next) {
			rc = MDB_CORRUPTED;
			break;
		}
		lowest = MIN(lowest, get_be64(k.mv_data));
		st->disk_bytes += v.mv_size - 8;
		st->disk_batches++;
	}
	mdb_cursor_close(cursor);
	state_check(t, rc == MDB_NOTFOUND ? MDB_SUCCESS : rc);
	return lowest;
}

static void load(struct state_txn *t)
{
	struct state *st = t->state;
	bool fresh = !has_data(t);

	open_dbs(t);
	if (fresh) {
		st->epoch = state_random();
		st->next = 1;
		st->floor = 1;
	} else {
		load_head(t);
		load_targets(t);
		st->floor = count_spool(t);
	}
	t->next = st->next;
}

static int load_all(struct state *st, const char *dir, char why[static WHY])
{
	struct state_txn t = state_begin(st);
	if (t.err == ERR_OK)
		load(&t);
	int err = state_commit(&t);

	/* A base that LMDB can open, but without our head, is somebody else's. */
	if (err == ERR_NOT_FOUND || err == ERR_MALFORMED)
		return damaged(dir, "is not the state of an agent, or is damaged", why);
	if (err == ERR_VERSION) {
		snprintf(why, WHY, "%.300s/data.mdb: written by a newer agent; run that one, or %s",
			 dir, "move the directory away");
		return err;
	}
	if (err != ERR_OK)
		snprintf(why, WHY, "%.300s/data.mdb: cannot be written: %s", dir, err_str(err));
	return err;
}

static int fill_options(struct state *st, const char *dir, const struct state_options *options)
{
	st->dir = strdup(dir);
	if (st->dir == NULL)
		return -ENOMEM;
	st->spool_limit = options->spool_bytes;
	st->spool_age_ms = options->spool_age_ms;
	st->target_count = MIN(options->target_count, (size_t)STATE_TARGETS_MAX);
	for (size_t i = 0; i < st->target_count; i++) {
		st->targets[i].address = strdup(options->targets[i]);
		if (st->targets[i].address == NULL)
			return -ENOMEM;
	}
	return ERR_OK;
}

static void give_back(struct state **st)
{
	if (*st == NULL)
		return;
	while ((*st)->first != NULL) {
		struct state_kept *k = (*st)->first;
		(*st)->first = k->next;
		free(k);
	}
	if ((*st)->env != NULL)
		mdb_env_close((*st)->env);
	if ((*st)->lock_fd >= 0)
		close((*st)->lock_fd);
	for (size_t i = 0; i < (*st)->target_count; i++)
		free((*st)->targets[i].address);
	free((*st)->dir);
	free(*st);
	*st = NULL;
}

/* The handles of a transaction last only when it is committed. */
static int reopen_dbs(struct state *st)
{
	struct state_txn t = {.state = st};
	MDB_txn *txn = NULL;

	state_check(&t, mdb_txn_begin(st->env, NULL, 0, &txn));
	t.txn = txn;
	open_dbs(&t);
	count_spool(&t);
	if (t.err == ERR_OK)
		state_check(&t, mdb_txn_commit(txn));
	else if (txn != NULL)
		mdb_txn_abort(txn);
	return t.err;
}

int state_reopen(struct state *st)
{
	char why[WHY];

	if (st->env != NULL)
		mdb_env_close(st->env);
	st->env = NULL;
	int err = open_env(st, st->dir, why);
	if (err == ERR_OK)
		err = reopen_dbs(st);
	if (err != ERR_OK && st->env != NULL) {
		mdb_env_close(st->env);
		st->env = NULL;
	}
	return err;
}

int state_open(const char *dir, const struct state_options *options, char why[static 512],
	       struct state **ret_st)
{
	CLEANUP(give_back) struct state *st = calloc(1, sizeof(*st));
	if (st == NULL)
		return -ENOMEM;
	st->lock_fd = -1;
	pthread_mutex_init(&st->writer, NULL);
	pthread_mutex_init(&st->lock, NULL);

	snprintf(why, WHY, "out of memory");
	int err = fill_options(st, dir, options);
	if (err == ERR_OK)
		err = lock_dir(st, dir, why);
	if (err == ERR_OK)
		err = open_env(st, dir, why);
	if (err == ERR_OK)
		err = load_all(st, dir, why);
	if (err != ERR_OK)
		return err;
	why[0] = '\0';
	*ret_st = st;
	st = NULL; /* the caller's now */
	return ERR_OK;
}

void state_close(struct state **st)
{
	if (*st == NULL)
		return;
	struct state_txn t = state_begin(*st);
	int err = state_commit(&t);
	(void)err; /* what is lost are acknowledgements: those batches are sent once more */
	give_back(st);
}

int state_cluster(struct state *st, const char *name, uint32_t *ret_id)
{
	struct state_txn t = state_begin(st);
	char key[512];
	int size = snprintf(key, sizeof(key), "cluster/%.400s", name);
	MDB_val k = lmdb_val(key, (size_t)size);
	MDB_val v;
	uint32_t id = 0;

	int rc = t.err == ERR_OK ? mdb_get(t.txn, st->meta, &k, &v) : MDB_NOTFOUND;
	if (rc == MDB_SUCCESS && v.mv_size == 4) {
		id = get_be32(v.mv_data);
	} else if (rc == MDB_NOTFOUND && t.err == ERR_OK) {
		/* meta holds an entry for each cluster ever seen, so its size is a fresh number. */
		MDB_stat stat;
		state_check(&t, mdb_stat(t.txn, st->meta, &stat));
		id = (uint32_t)stat.ms_entries + 1;
		uint8_t raw[4];
		put_be32(raw, id);
		state_put_raw(&t, st->meta, k, lmdb_val(raw, sizeof(raw)));
	} else {
		state_check(&t, rc == MDB_SUCCESS ? MDB_CORRUPTED : rc);
	}
	int err = state_commit(&t);
	if (err == ERR_OK)
		*ret_id = id;
	return err;
}
