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

static const char *const TABLE_NAMES[TABLE_COUNT] = {
	[COMMIT] = "commit",     [LOG] = "log",         [GROUP] = "group",
	[STANDING] = "standing", [OLDEST] = "oldest",   [LAG] = "lag",
	[HISTORY] = "history",   [MEMBERS] = "members", [CLUSTER] = "cluster",
	[ORIGIN] = "origin",     [BURIED] = "buried",   [EVENT] = "event",
	[NAME] = "name",         [SESSION] = "session", [META] = "meta",
};

/* A change of any record's layout is a new number; see store_open(). */
#define LAYOUT 1

#define READERS 126

static int lock_dir(struct store *st, const char *dir, char why[static 512])
{
	char path[4096];

	if (mkdir(dir, 0750) != 0 && errno != EEXIST) {
		snprintf(why, 512, "%s: cannot create the directory: %s", dir, err_str(-errno));
		return -errno;
	}
	snprintf(path, sizeof(path), "%s/lock", dir);
	st->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (st->lock < 0) {
		snprintf(why, 512, "%s/lock: %s; the directory must be writable", dir,
			 err_str(-errno));
		return -errno;
	}
	if (flock(st->lock, LOCK_EX | LOCK_NB) != 0) {
		snprintf(why, 512, "%s: another aggregator uses this store; stop it first", dir);
		return -EBUSY;
	}
	return ERR_OK;
}

/* map_bytes is 0 for a reader, which takes the writer's. */
static int open_env(struct store *st, const char *dir, size_t map_bytes, char why[static 512])
{
	unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (map_bytes == 0 ? MDB_RDONLY : 0);
	int rc = mdb_env_create(&st->env);

	if (rc == MDB_SUCCESS && map_bytes != 0)
		rc = mdb_env_set_mapsize(st->env, map_bytes);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_maxdbs(st->env, TABLE_COUNT);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_maxreaders(st->env, READERS);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(st->env, dir, flags, 0640);
	if (rc != MDB_SUCCESS)
		snprintf(why, 512, "%s/data.mdb: %s; %s", dir, mdb_strerror(rc),
			 map_bytes == 0
				 ? "an aggregator's data_dir is needed, and the right to write "
				   "to lock.mdb in it"
				 : "move it away to start empty, or restore a copy");
	return store_from_mdb(rc);
}

static int open_tables(struct store *st, const char *dir, bool write, char why[static 512])
{
	struct store_txn t = store_begin(st, write);

	for (size_t i = 0; i < TABLE_COUNT && t.err == ERR_OK; i++)
		store_check(&t, mdb_dbi_open(t.txn, TABLE_NAMES[i], write ? MDB_CREATE : 0,
					     &st->tables[i]));
	uint32_t layout = store_get_meta(&t, "layout");
	if (t.err == ERR_OK && layout > LAYOUT) {
		snprintf(why, 512, "%s: written by a newer version (layout %u, this one knows %d)",
			 dir, layout, LAYOUT);
		store_abort(&t);
		return ERR_VERSION;
	}
	if (write)
		store_put_meta(&t, "layout", LAYOUT);
	int err = store_commit(&t);
	if (err == ERR_NOT_FOUND)
		snprintf(why, 512, "%s: written by an older version; start the aggregator once",
			 dir);
	else if (err != ERR_OK)
		snprintf(why, 512, "%s: cannot set up the store: %s", dir, err_str(err));
	return err;
}

/* A store that is open nowhere yet; NULL: no memory. */
static struct store *new_store(void)
{
	struct store *st = calloc(1, sizeof(*st));

	if (st != NULL)
		st->lock = -1;
	return st;
}

int store_open(const char *dir, size_t map_bytes, char why[static 512], struct store **ret_st)
{
	CLEANUP(store_close) struct store *st = new_store();

	if (st == NULL)
		return -ENOMEM;
	int err = lock_dir(st, dir, why);
	if (err == ERR_OK)
		err = open_env(st, dir, map_bytes, why);
	if (err == ERR_OK)
		err = open_tables(st, dir, true, why);
	if (err == ERR_OK) {
		*ret_st = st;
		st = NULL; /* the caller's now */
	}
	return err;
}

int store_open_readonly(const char *dir, char why[static 512], struct store **ret_st)
{
	CLEANUP(store_close) struct store *st = new_store();

	if (st == NULL)
		return -ENOMEM;
	int err = open_env(st, dir, 0, why);
	if (err == ERR_OK)
		err = open_tables(st, dir, false, why);
	if (err == ERR_OK) {
		*ret_st = st;
		st = NULL; /* the caller's now */
	}
	return err;
}

void store_close(struct store **st)
{
	if (*st == NULL)
		return;
	if ((*st)->env != NULL)
		mdb_env_close((*st)->env);
	if ((*st)->lock >= 0)
		close((*st)->lock);
	free(*st);
	*st = NULL;
}

void store_usage(struct store *st, uint64_t *ret_used, uint64_t *ret_limit)
{
	MDB_envinfo info;
	MDB_stat stat;

	mdb_env_info(st->env, &info);
	mdb_env_stat(st->env, &stat);
	*ret_used = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
	*ret_limit = info.me_mapsize;
}
