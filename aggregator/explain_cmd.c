/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/explain_cmd.h"

#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/explain_text.h"
#include "aggregator/ingest/cluster.h"
#include "aggregator/ingest/evaluate.h"
#include "aggregator/ingest/recall.h"
#include "aggregator/maintenance.h"
#include "aggregator/rules_file.h"
#include "common/clock.h"
#include "common/date.h"
#include "common/err.h"
#include "common/mem.h"

static const char USAGE[] =
	"usage: warren-aggregator explain -c FILE | --data DIR [option] CLUSTER GROUP\n"
	"\n"
	"Says why a consumer group is judged as it is, or what happened to it. Reads the store of "
	"an\n"
	"aggregator, which may be running.\n"
	"\n"
	"  -c, --config FILE  the aggregator's configuration: where its data is, and its rules\n"
	"      --data DIR     where its data is; the configuration is then that with which the\n"
	"                     aggregator was started last\n"
	"      --env ENV      the environment, when several have a cluster of this name\n"
	"      --all          all partitions, not only those that are not OK\n"
	"      --at TIME      the events before this time, and the lag around it; as\n"
	"                     2026-11-25T03:04:05Z, or Unix time in ms\n"
	"  -h, --help         show this and exit\n";

/* Around --at. */
#define AROUND_MS 1800000
#define AROUND_STEP_MS 60000
#define AT_EVENTS 10

/* In data_dir: the path of the configuration. */
#define NOTE "configuration"

struct options {
	const char *config, *data, *env, *cluster, *group;
	int64_t at_ms; /* 0: now */
	bool all;
};

/* What an answer is made from. */
struct source {
	struct aggregator_config *cfg;
	struct rules_set *rules;
	struct store *store;
	struct names *names;
	struct clusters *clusters;
};

static void close_source(struct source *s)
{
	aggregator_config_free(&s->cfg);
	if (s->rules != NULL)
		rules_unref(&s->rules);
	names_free(&s->names);
	clusters_free(&s->clusters);
	store_close(&s->store);
}

/* --- the command line --- */

static bool parse_time(const char *text, int64_t *ret_ms)
{
	if (date_parse(text, ret_ms))
		return true;
	if (*text == '\0' || strlen(text) > 15 || strspn(text, "0123456789") != strlen(text))
		return false;
	*ret_ms = strtoll(text, NULL, 10);
	return *ret_ms > 0;
}

/* False: *ret_status is the exit status, everything has been said. */
static bool parse(int argc, char **argv, struct options *o, int *ret_status)
{
	static const struct option LONG[] = {
		{"config", required_argument, NULL, 'c'},
		{"data", required_argument, NULL, 'd'},
		{"env", required_argument, NULL, 'e'},
		{"at", required_argument, NULL, 't'},
		{"all", no_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};

	*ret_status = EXIT_FAILURE;
	for (int c = 0; (c = getopt_long(argc, argv, "c:h", LONG, NULL)) != -1;) {
		if (c == 'c') {
			o->config = optarg;
		} else if (c == 'd') {
			o->data = optarg;
		} else if (c == 'e') {
			o->env = optarg;
		} else if (c == 'a') {
			o->all = true;
		} else if (c == 't' && parse_time(optarg, &o->at_ms)) {
			continue;
		} else if (c == 'h') {
			fputs(USAGE, stdout);
			*ret_status = EXIT_SUCCESS;
			return false;
		} else {
			if (c == 't')
				fprintf(stderr, "explain: not a time: %s\n", optarg);
			return false;
		}
	}
	if (optind + 2 != argc || (o->config == NULL && o->data == NULL)) {
		fputs(USAGE, stderr);
		return false;
	}
	o->cluster = argv[optind];
	o->group = argv[optind + 1];
	return true;
}

/* --- opening --- */

void explain_cmd_note(const char *data_dir, const char *config)
{
	char path[PATH_MAX];
	char *whole = realpath(config, NULL);

	snprintf(path, sizeof(path), "%s/" NOTE, data_dir);
	FILE *f = whole == NULL ? NULL : fopen(path, "we");
	if (f != NULL) {
		fputs(whole, f);
		fclose(f);
	}
	free(whole);
}

/* The path that was noted in dir; false: none. */
static bool read_note(const char *dir, char ret_path[static PATH_MAX])
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" NOTE, dir);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	size_t size = fread(ret_path, 1, PATH_MAX - 1, f);
	fclose(f);
	ret_path[size] = '\0';
	return size != 0;
}

static int read_rules(struct source *s, struct buf *errors)
{
	const struct rules_base defaults = {.values = RULES_DEFAULT};
	struct rules_base base = s->cfg == NULL ? defaults : rules_file_base(s->cfg);

	if (s->cfg != NULL && s->cfg->rules_file[0] != '\0')
		return rules_file_load(s->cfg->rules_file, &base, errors, &s->rules);
	s->rules = rules_new("", 0, &base, NULL, 0);
	return ERR_OK;
}

static int read_maintenance(struct source *s, const char *dir, struct buf *errors)
{
	CLEANUP(mem_free) struct rules_maintenance *list = NULL;
	size_t count = 0;
	int err = maintenance_load(dir, errors, &list, &count);

	if (err != ERR_OK)
		return err;
	struct rules_set *of_file = s->rules;
	s->rules = rules_maintain(of_file, list, count);
	rules_unref(&of_file);
	return ERR_OK;
}

/* The configuration named, or the one noted. False: what is wrong has been said. */
static bool read_config(const struct options *o, struct source *s)
{
	CLEANUP(buf_free) struct buf errors = {0};
	char noted[PATH_MAX];
	const char *path = o->config;
	int err = ERR_OK;

	if (path == NULL && read_note(o->data, noted))
		path = noted;
	if (path != NULL)
		err = aggregator_config_load(path, &s->cfg, &errors);
	if (err == ERR_OK)
		err = read_rules(s, &errors);
	if (err == ERR_OK)
		err = read_maintenance(s, o->data != NULL ? o->data : s->cfg->data_dir, &errors);
	if (err == ERR_OK)
		return true;
	fputs(buf_str(&errors), stderr);
	if (o->config == NULL)
		fputs("explain: name the configuration with -c, so that its rules are known\n",
		      stderr);
	return false;
}

static int read_names(struct source *s)
{
	struct store_txn t = store_begin(s->store, false);
	int err = names_load(&t, &s->names);

	if (err == ERR_OK)
		err = clusters_load(&t, s->names, &s->clusters);
	store_abort(&t);
	return err;
}

/* False: what is wrong has been said. */
static bool open_source(const struct options *o, struct source *s)
{
	char why[512] = "";

	if (!read_config(o, s))
		return false;
	if (store_open_readonly(o->data != NULL ? o->data : s->cfg->data_dir, why, &s->store) !=
	    ERR_OK) {
		fprintf(stderr, "explain: %s\n", why);
		return false;
	}
	int err = read_names(s);
	if (err != ERR_OK)
		fprintf(stderr, "explain: the store cannot be read: %s\n", err_str(err));
	return err == ERR_OK;
}

/* --- finding the group --- */

static struct cluster *find_cluster(const struct options *o, struct source *s)
{
	struct cluster *found = NULL;

	for (size_t i = 0; i < clusters_count(s->clusters); i++) {
		struct cluster *c = clusters_at(s->clusters, i);

		if (strcmp(c->name, o->cluster) != 0 ||
		    (o->env != NULL && strcmp(c->origin.environment, o->env) != 0))
			continue;
		if (found != NULL) {
			fprintf(stderr, "explain: several environments have a cluster of this "
					"name: say which with --env\n");
			return NULL;
		}
		found = c;
	}
	if (found == NULL)
		fprintf(stderr, "explain: no such cluster: %s\n", o->cluster);
	return found;
}

static bool find_group(const struct options *o, struct source *s, struct cluster **ret_c,
		       struct story_group *ret_g)
{
	struct cluster *c = find_cluster(o, s);

	if (c == NULL)
		return false;
	int64_t silent_ms = clock_wall_ms() - c->origin.passed_ms;
	*ret_c = c;
	*ret_g = (struct story_group){
		.environment = c->origin.environment,
		.cluster = c->name,
		.name = o->group,
		.cluster_id = c->id,
		.group_id = names_find(s->names, STORE_GROUP, c->id, o->group),
		.silent_ms = evaluate_blind(c, silent_ms) ? silent_ms : 0,
	};
	if (ret_g->group_id == 0)
		fprintf(stderr, "explain: no such consumer group in %s: %s\n", c->name, o->group);
	return ret_g->group_id != 0;
}

/* --- now --- */

struct telling {
	struct buf table, details;
	size_t count;
};

static void tell_partition(void *arg, const struct story_partition *p)
{
	struct telling *t = arg;

	if (t->count++ == 0)
		explain_text_table_head(&t->table);
	explain_text_row(&t->table, p);
	explain_text_details(&t->details, p);
}

static int tell_now(const struct options *o, const struct source *s, const struct cluster *c,
		    const struct story_group *g)
{
	CLEANUP(buf_free) struct buf head = {0};
	const struct story_filter f = {.partition = -1, .all = o->all};
	struct telling t = {.count = 0};
	struct store_txn txn = store_begin(s->store, false);
	struct past_standing standing = {0};

	(void)past_get_standing(&txn, g->cluster_id, g->group_id, &standing);
	store_abort(&txn);
	explain_text_group(&head, g, &standing, c->track.last_ms);
	int err = recall_partitions(s->store, g, s->rules, &f, tell_partition, &t);
	fputs(buf_str(&head), stdout);
	if (t.count == 0)
		puts(o->all ? "\nIt has committed nothing."
			    : "\nNo partition is in trouble; --all "
			      "shows all of them.");
	else
		printf("\n%s%s", buf_str(&t.table), buf_str(&t.details));
	buf_free(&t.table);
	buf_free(&t.details);
	return err;
}

/* --- then --- */

static void tell_event(void *arg, const struct past_event *e)
{
	explain_text_event(arg, e);
}

static void tell_lag(void *arg, const struct story_lag *l)
{
	explain_text_lag(arg, l);
}

static int tell_then(const struct options *o, const struct source *s, const struct story_group *g)
{
	CLEANUP(buf_free) struct buf text = {0};
	const struct story_span span = {.from_ms = o->at_ms - AROUND_MS,
					.to_ms = o->at_ms + AROUND_MS,
					.step_ms = AROUND_STEP_MS};
	int64_t step_ms = 0;

	buf_puts(&text, "Events before that time, the newest first:\n");
	int err = recall_events(s->store, g, o->at_ms + 1, AT_EVENTS, tell_event, &text);
	buf_puts(&text, "\nLag around it:\n");
	explain_text_lag_head(&text);
	if (err == ERR_OK)
		err = recall_lag(s->store, g, &span, tell_lag, &text, &step_ms);
	fputs(buf_str(&text), stdout);
	return err;
}

int explain_cmd(int argc, char **argv)
{
	CLEANUP(close_source) struct source s = {.cfg = NULL};
	struct options o = {.config = NULL};
	struct cluster *c = NULL;
	struct story_group g;
	int status = 0;

	if (!parse(argc, argv, &o, &status))
		return status;
	if (!open_source(&o, &s) || !find_group(&o, &s, &c, &g))
		return EXIT_FAILURE;
	int err = o.at_ms != 0 ? tell_then(&o, &s, &g) : tell_now(&o, &s, c, &g);
	if (err != ERR_OK)
		fprintf(stderr, "explain: the store cannot be read: %s\n", err_str(err));
	return err == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
