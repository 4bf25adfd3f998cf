/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aggregator/store/store_priv.h"
#include "common/err.h"

const char *const STORE_TABLES[TABLE_COUNT] = {
	[COMMIT] = "commit",     [LOG] = "log",         [GROUP] = "group",
	[STANDING] = "standing", [OLDEST] = "oldest",   [LAG] = "lag",
	[HISTORY] = "history",   [MEMBERS] = "members", [CLUSTER] = "cluster",
	[ORIGIN] = "origin",     [BURIED] = "buried",   [EVENT] = "event",
	[INCIDENT] = "incident", [OPENED] = "opened",   [TROUBLE] = "trouble",
	[TIMELINE] = "timeline", [SILENCE] = "silence", [OUTBOX] = "outbox",
	[NOTIFY] = "notify",     [NAME] = "name",       [SESSION] = "session",
	[META] = "meta",
};

#define READERS 126
#define MAP_FIRST ((size_t)64 << 20)

int store_lock(const char *dir, int *ret_fd, char why[static 512])
{
	char path[4096];

	if (mkdir(dir, 0750) != 0 && errno != EEXIST) {
		snprintf(why, 512, "%s: cannot create the directory: %s", dir, err_str(-errno));
		return -errno;
	}
	snprintf(path, sizeof(path), "%s/lock", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		snprintf(why, 512, "%s/lock: %s; the directory must be writable", dir,
			 err_str(-errno));
		return -errno;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		snprintf(why, 512, "%s: another aggregator uses this store; stop it first", dir);
		return -EBUSY;
	}
	*ret_fd = fd;
	return ERR_OK;
}

static size_t file_size(const char *dir)
{
	char path[4096];
	struct stat file;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	return stat(path, &file) == 0 ? (size_t)file.st_size : 0;
}

/* LMDB maps the file and would die of SIGBUS in pages that are not there. */
static bool is_cut(struct store *st)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (mdb_env_info(st->env, &info) != MDB_SUCCESS ||
	    mdb_env_stat(st->env, &stat) != MDB_SUCCESS)
		return true;
	return info.me_last_pgno > 1 &&
	       file_size(st->dir) < (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
}

/* A writer's map has room for twice what is there; a reader takes the writer's. LMDB sees to it
 * that what is there fits, whatever is asked for. */
static size_t first_map(const struct store *st)
{
	return st->write ? MIN(st->limit, MAX(MAP_FIRST, 2 * file_size(st->dir))) : 0;
}

static int open_env(struct store *st, char why[static 512])
{
	unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (st->write ? 0 : MDB_RDONLY);
	size_t map = first_map(st);
	int rc = mdb_env_create(&st->env);

	if (rc == MDB_SUCCESS && map != 0)
		rc = mdb_env_set_mapsize(st->env, map);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_maxdbs(st->env, TABLE_COUNT);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_maxreaders(st->env, READERS);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(st->env, st->dir, flags, 0640);
	if (rc == MDB_SUCCESS && !is_cut(st))
		return ERR_OK;
	snprintf(why, 512, "%s/data.mdb: %s; %s", st->dir,
		 rc == MDB_SUCCESS ? "it has been cut short" : mdb_strerror(rc),
		 st->write ? "move it away to start empty, or restore a copy"
			   : "an aggregator's data_dir is needed, and the right to write to "
			     "lock.mdb in it");
	return rc == MDB_SUCCESS ? ERR_MALFORMED : lmdb_err(rc);
}

static void close_env(struct store *st)
{
	if (st->env != NULL)
		mdb_env_close(st->env);
	st->env = NULL;
}

/* --- what is in it --- */

static void open_handles(struct store_txn *t)
{
	for (size_t i = 0; i < TABLE_COUNT && t->err == ERR_OK; i++)
		store_check(t, mdb_dbi_open(t->txn, STORE_TABLES[i], t->write ? MDB_CREATE : 0,
					    &t->store->tables[i]));
}

/* Nothing is written where all is as it should be: a store that is full can be opened. */
static void check_layout(struct store_txn *t)
{
	uint32_t layout = store_get_meta(t, "layout");

	if (t->err != ERR_OK || layout == STORE_LAYOUT)
		return;
	if (layout > STORE_LAYOUT || !t->write) {
		t->err = layout > STORE_LAYOUT ? ERR_VERSION : ERR_NOT_FOUND;
		return;
	}
	if (layout != 0)
		migrate(t, layout);
	store_put_meta(t, "layout", STORE_LAYOUT);
}

static int open_tables(struct store *st, char why[static 512])
{
	struct store_txn t = store_begin(st, st->write);

	open_handles(&t);
	check_layout(&t);
	int err = store_commit(&t);
	if (err == ERR_VERSION)
		snprintf(why, 512,
			 "%s: written by a newer version; run that one, or restore a backup of "
			 "this one's (layouts up to %d are known)",
			 st->dir, STORE_LAYOUT);
	else if (err == ERR_NOT_FOUND)
		snprintf(why, 512, "%s: written by an older version; start the aggregator once",
			 st->dir);
	else if (err != ERR_OK)
		snprintf(why, 512, "%s: cannot set up the store: %s", st->dir, err_str(err));
	return err;
}

/* --- the map --- */

static int reopen(struct store *st)
{
	char why[512];
	MDB_txn *txn = NULL;
	struct store_txn t = {.store = st, .write = st->write};

	close_env(st);
	int err = open_env(st, why);
	if (err != ERR_OK)
		return err;
	store_check(&t, mdb_txn_begin(st->env, NULL, st->write ? 0 : MDB_RDONLY, &txn));
	t.txn = txn;
	open_handles(&t);
	if (t.err == ERR_OK)
		store_check(&t, mdb_txn_commit(txn));
	else if (txn != NULL)
		mdb_txn_abort(txn);
	return t.err;
}

/* The error LMDB gave is old once the gate is passed: another thread may have been here. */
void store_renew(struct store *st, int rc)
{
	pthread_rwlock_wrlock(&st->gate);
	if (rc == MDB_MAP_RESIZED)
		(void)mdb_env_set_mapsize(st->env, 0); /* the next begin tells */
	else if (reopen(st) != ERR_OK)
		close_env(st);
	pthread_rwlock_unlock(&st->gate);
}

int store_grow(struct store *st)
{
	MDB_envinfo info;
	int err = -EIO;

	pthread_rwlock_wrlock(&st->gate);
	if (st->env != NULL) {
		mdb_env_info(st->env, &info);
		size_t map = MIN(2 * info.me_mapsize, st->limit);
		err = map > info.me_mapsize ? lmdb_err(mdb_env_set_mapsize(st->env, map))
					    : ERR_FULL;
	}
	pthread_rwlock_unlock(&st->gate);
	return err;
}

/* --- open and close --- */

/* A store that is open nowhere yet; NULL: no memory. */
static struct store *new_store(const char *dir, size_t limit)
{
	pthread_rwlockattr_t attr;
	struct store *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return NULL;
	st->dir = strdup(dir);
	st->lock = -1;
	st->write = limit != 0;
	st->limit = limit;
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&st->gate, &attr);
	pthread_rwlockattr_destroy(&attr);
	if (st->dir == NULL)
		store_close(&st);
	return st;
}

/* limit is 0 to read only. */
static int open_store(const char *dir, size_t limit, char why[static 512], struct store **ret_st)
{
	CLEANUP(store_close) struct store *st = new_store(dir, limit);
	int err = st == NULL ? -ENOMEM : ERR_OK;

	if (err == ERR_OK && limit != 0)
		err = store_lock(dir, &st->lock, why);
	if (err == ERR_OK)
		err = open_env(st, why);
	if (err == ERR_OK)
		err = open_tables(st, why);
	/* To migrate takes room for what there was beside what there is. */
	while (err == ERR_FULL && store_grow(st) == ERR_OK)
		err = open_tables(st, why);
	if (err == ERR_OK) {
		*ret_st = st;
		st = NULL; /* the caller's now */
	}
	return err;
}

int store_open(const char *dir, size_t map_bytes, char why[static 512], struct store **ret_st)
{
	return open_store(dir, map_bytes, why, ret_st);
}

int store_open_readonly(const char *dir, char why[static 512], struct store **ret_st)
{
	return open_store(dir, 0, why, ret_st);
}

void store_close(struct store **st)
{
	if (*st == NULL)
		return;
	close_env(*st);
	if ((*st)->lock >= 0)
		close((*st)->lock);
	pthread_rwlock_destroy(&(*st)->gate);
	free((*st)->dir);
	free(*st);
	*st = NULL;
}

/* --- how full it is --- */

/* Pages that may be used again: LMDB's own first table lists them, a count before each list. */
static uint64_t free_pages(struct store_txn *t)
{
	MDB_cursor *c = NULL;
	MDB_val k;
	MDB_val v;
	uint64_t pages = 0;

	if (t->err != ERR_OK || !store_check(t, mdb_cursor_open(t->txn, 0, &c)))
		return 0;
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == MDB_SUCCESS) {
		size_t count = 0;

		memcpy(&count, v.mv_data, MIN(v.mv_size, sizeof(count)));
		pages += count;
	}
	mdb_cursor_close(c);
	return pages;
}

void store_usage(struct store *st, uint64_t *ret_used, uint64_t *ret_limit)
{
	struct store_txn t = store_begin(st, false);
	uint64_t unused = free_pages(&t);
	MDB_envinfo info = {0};
	MDB_stat stat = {0};

	if (t.txn != NULL) {
		mdb_env_info(st->env, &info);
		mdb_env_stat(st->env, &stat);
	}
	store_abort(&t);
	uint64_t pages = (uint64_t)info.me_last_pgno + 1;
	*ret_used = (pages - MIN(pages, unused)) * stat.ms_psize;
	*ret_limit = st->limit;
}
