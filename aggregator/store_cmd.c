/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store_cmd.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aggregator/alert/incident.h"
#include "aggregator/alert/notify.h"
#include "aggregator/alert/outbox_row.h"
#include "aggregator/alert/silence.h"
#include "aggregator/config.h"
#include "aggregator/ingest/members.h"
#include "aggregator/ingest/origin.h"
#include "aggregator/maintenance.h"
#include "aggregator/store/copy.h"
#include "aggregator/store/verify.h"
#include "common/err.h"
#include "common/mem.h"

static const char USAGE[] =
	"usage: warren-aggregator check (--data DIR | -c FILE)\n"
	"       warren-aggregator backup (--data DIR | -c FILE) TO\n"
	"       warren-aggregator restore FROM (--data DIR | -c FILE)\n"
	"\n"
	"check reads all that an aggregator has stored and says what is wrong with it; its exit\n"
	"status is 1 then. backup copies the store into the directory TO, and checks the copy. "
	"Both\n"
	"may be used while the aggregator runs. restore makes the copy in FROM the store of an\n"
	"aggregator that does not run and has none; it checks the copy first.\n"
	"\n"
	"  -c, --config FILE   the aggregator's configuration: its data_dir is meant\n"
	"      --data DIR      the data_dir itself\n"
	"  -h, --help          show this and exit\n";

struct options {
	const char *config, *data;
	const char *other; /* TO or FROM */
};

/* False: *ret_status is the exit status, everything has been said. */
static bool parse(int argc, char **argv, int others, struct options *o, int *ret_status)
{
	static const struct option LONG[] = {
		{"config", required_argument, NULL, 'c'},
		{"data", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};

	*o = (struct options){.config = NULL};
	*ret_status = EXIT_FAILURE;
	for (int c = 0; (c = getopt_long(argc, argv, "c:h", LONG, NULL)) != -1;) {
		if (c == 'c') {
			o->config = optarg;
		} else if (c == 'd') {
			o->data = optarg;
		} else {
			*ret_status = c == 'h' ? EXIT_SUCCESS : EXIT_FAILURE;
			fputs(USAGE, c == 'h' ? stdout : stderr);
			return false;
		}
	}
	if ((o->config == NULL) == (o->data == NULL) || argc - optind != others) {
		fputs(USAGE, stderr);
		return false;
	}
	o->other = others == 0 ? NULL : argv[optind];
	return true;
}

/* Both at once; *ret_cfg owns the directory's name when it came from the configuration. */
static bool begin(int argc, char **argv, int others, struct options *o,
		  struct aggregator_config **ret_cfg, int *ret_status)
{
	CLEANUP(buf_free) struct buf errors = {0};

	if (!parse(argc, argv, others, o, ret_status))
		return false;
	if (o->config == NULL)
		return true;
	if (aggregator_config_load(o->config, ret_cfg, &errors) != ERR_OK) {
		fputs(buf_str(&errors), stderr);
		return false;
	}
	o->data = (*ret_cfg)->data_dir;
	return true;
}

/* --- check --- */

static bool members_ok(const uint8_t *data, size_t size)
{
	struct members m;
	bool ok = members_unpack(data, size, &m) == ERR_OK;

	if (ok)
		members_free(&m);
	return ok;
}

static bool origin_ok(const uint8_t *data, size_t size)
{
	struct origin o;

	return origin_unpack(data, size, &o) == ERR_OK;
}

static void on_fault(void *arg, const char *text)
{
	(void)arg;
	printf("wrong: %s\n", text);
}

static void on_table(void *arg, const char *name, uint64_t records, uint64_t bytes)
{
	(void)arg;
	printf("%-10s %10" PRIu64 " records %12" PRIu64 " bytes\n", name, records, bytes);
}

static void on_session(void *arg, const char *agent, const struct store_session *s)
{
	(void)arg;
	printf("agent %s epoch %016" PRIx64 " applied %" PRIu64 " batches %" PRIu64 " lost %" PRIu64
	       "\n",
	       agent, s->epoch, s->applied_seq, s->batches, s->lost);
}

static bool incident_ok(const uint8_t *data, size_t size)
{
	struct incident i;

	return incident_unpack(data, size, &i);
}

static bool step_ok(const uint8_t *data, size_t size)
{
	struct incident_step s;

	return incident_step_unpack(data, size, &s);
}

static bool alert_ok(enum alert_table table, const uint8_t *data, size_t size)
{
	struct silence s;

	switch (table) {
	case ALERT_SILENCE:
		return silence_unpack(data, size, &s);
	case ALERT_OUTBOX:
		return outbox_row_is_whole(data, size);
	case ALERT_NOTIFY:
		return notify_is_whole(data, size);
	}
	return false;
}

static int check(const char *dir)
{
	const struct verify_options o = {
		.members_ok = members_ok,
		.origin_ok = origin_ok,
		.on_fault = on_fault,
		.on_table = on_table,
		.on_session = on_session,
		.incident_ok = incident_ok,
		.step_ok = step_ok,
		.alert_ok = alert_ok,
	};
	CLEANUP(store_close) struct store *st = NULL;
	char why[512] = "";
	int err = store_open_readonly(dir, why, &st);

	if (err != ERR_OK) {
		printf("wrong: %s\n", why);
		return EXIT_FAILURE;
	}
	uint64_t faults = verify(st, &o, &err);
	if (err != ERR_OK)
		printf("wrong: the store cannot be read to its end: %s\n", err_str(err));
	if (faults != 0)
		printf("%s: %" PRIu64 " records are wrong; restore a backup, or start empty: "
		       "agents tell all they know within minutes\n",
		       dir, faults);
	return faults == 0 && err == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* In a process of its own: LMDB does not survive every damage. */
static int check_apart(const char *dir)
{
	int status = 0;

	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		status = check(dir);
		fflush(NULL);
		_exit(status);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		fprintf(stderr, "%s: cannot be checked: %s\n", dir, err_str(-errno));
		return EXIT_FAILURE;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("wrong: %s/data.mdb is damaged: reading it ended with signal %s\n", dir,
	       sigabbrev_np(WTERMSIG(status)));
	return EXIT_FAILURE;
}

int store_cmd_check(int argc, char **argv)
{
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	struct options o;
	int status = 0;

	if (!begin(argc, argv, 0, &o, &cfg, &status))
		return status;
	status = check_apart(o.data);
	if (status == EXIT_SUCCESS)
		puts("all of it is as it should be");
	return status;
}

/* --- backup and restore --- */

/* What is in maintenance by hand lies beside the store. */
static int carry_maintenance(const char *from, const char *to)
{
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(mem_free) struct rules_maintenance *list = NULL;
	size_t count = 0;
	int err = maintenance_load(from, &errors, &list, &count);

	if (err == ERR_OK && count > 0)
		err = maintenance_store(to, list, count);
	if (err != ERR_OK)
		fprintf(stderr, "%s%s: " MAINTENANCE_FILE " is not copied: %s\n", buf_str(&errors),
			to, err_str(err));
	return err;
}

int store_cmd_backup(int argc, char **argv)
{
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	struct options o;
	char why[512] = "";
	int status = 0;

	if (!begin(argc, argv, 1, &o, &cfg, &status))
		return status;
	if (copy_out(o.data, o.other, why) != ERR_OK) {
		fprintf(stderr, "%s\n", why);
		return EXIT_FAILURE;
	}
	status = check_apart(o.other);
	if (status == EXIT_SUCCESS && carry_maintenance(o.data, o.other) != ERR_OK)
		return EXIT_FAILURE;
	if (status == EXIT_SUCCESS)
		printf("%s holds a copy of %s, and all of it is as it should be\n", o.other,
		       o.data);
	return status;
}

int store_cmd_restore(int argc, char **argv)
{
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	struct options o;
	char why[512] = "";
	int status = 0;

	if (!begin(argc, argv, 1, &o, &cfg, &status))
		return status;
	status = check_apart(o.other);
	if (status != EXIT_SUCCESS)
		return status;
	if (copy_in(o.other, o.data, why) != ERR_OK) {
		fprintf(stderr, "%s\n", why);
		return EXIT_FAILURE;
	}
	if (carry_maintenance(o.other, o.data) != ERR_OK)
		return EXIT_FAILURE;
	printf("%s is restored from %s; the aggregator can be started\n", o.data, o.other);
	return EXIT_SUCCESS;
}
