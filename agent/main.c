/* SPDX-License-Identifier: Apache-2.0 */

/*
 * warren-agent: reads the options, starts a collector for each cluster and a shipper for each
 * aggregator, and waits for a signal. Every log line about the process itself is written here.
 */

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "agent/collect/collector.h"
#include "agent/collect/once.h"
#include "agent/config.h"
#include "agent/ship/identity.h"
#include "agent/ship/shipper.h"
#include "agent/state/state.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define COLLECTORS_END_MS 1200
#define DRAIN_MS 2000
#define SHIPPERS_END_MS 2500
#define PROBES_END_MS 500
#define DAY_MS 86400000
#define CERT_WARN_MS (14 * (int64_t)DAY_MS)
#define LIMIT_S 4 /* from the signal to the end of the process, whatever hangs */

static const char USAGE[] =
	"Usage: warren-agent -c FILE [--check-config | --print-config | --once]\n"
	"       warren-agent --version | --help\n"
	"\n"
	"Watches the consumer groups of Kafka clusters and ships what it sees to aggregators.\n"
	"\n"
	"  -c, --config FILE   the configuration, YAML; conf.d/*.yaml beside it is merged in\n"
	"      --check-config  say what is wrong with the configuration, if anything, and exit\n"
	"      --print-config  print the effective configuration, secrets masked, and exit\n"
	"      --once          sample every cluster once, print what is committed, the log ends\n"
	"                      and the lag as a table, and exit; nothing is kept, nothing sent\n"
	"      --version       print the version and exit\n"
	"  -h, --help          print this and exit\n"
	"\n"
	"Signals: SIGTERM and SIGINT end the agent within five seconds; batches that no\n"
	"aggregator has acknowledged stay in state_dir. SIGHUP has it read certificate and keys\n"
	"again; nothing is lost by it.\n"
	"Exit status: 0 done; 1 the agent cannot run, the reason is on standard error;\n"
	"2 the command line or the configuration is wrong.\n";

enum mode { MODE_RUN, MODE_CHECK, MODE_PRINT, MODE_ONCE, MODE_VERSION, MODE_HELP };

struct options {
	const char *config;
	enum mode mode;
};

struct agent {
	const struct agent_config *cfg;
	struct state *state;
	struct collector **collectors; /* cfg->clusters.count places, NULL where none runs */
	struct shipper **shippers;     /* cfg->aggregators.count places */
	struct probe **probes;         /* cfg->clusters.count places, all used */
	const char **clusters;         /* names */
	char (*server_names)[256];     /* of aggregators' certificates; cfg->aggregators.count */
	struct identity identity;
};

/* --- the command line --- */

static bool get_options(int argc, char **argv, struct options *ret_o)
{
	static const struct option LONG[] = {
		{"config", required_argument, NULL, 'c'},
		{"check-config", no_argument, NULL, MODE_CHECK},
		{"print-config", no_argument, NULL, MODE_PRINT},
		{"once", no_argument, NULL, MODE_ONCE},
		{"version", no_argument, NULL, MODE_VERSION},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct options o = {.mode = MODE_RUN};

	for (int c = getopt_long(argc, argv, "c:h", LONG, NULL); c != -1;
	     c = getopt_long(argc, argv, "c:h", LONG, NULL)) {
		if (c == '?')
			return false;
		if (c == 'c')
			o.config = optarg;
		else
			o.mode = c == 'h' ? MODE_HELP : (enum mode)c;
	}
	bool needs_config = o.mode != MODE_HELP && o.mode != MODE_VERSION;
	if (optind < argc)
		fprintf(stderr, "warren-agent: unexpected argument %s\n", argv[optind]);
	else if (needs_config && o.config == NULL)
		fprintf(stderr, "warren-agent: -c FILE is missing\n");
	else {
		*ret_o = o;
		return true;
	}
	return false;
}

static int print_config(const struct agent_config *cfg)
{
	CLEANUP(buf_free) struct buf out = {0};

	agent_config_print(cfg, &out);
	fputs(buf_str(&out), stdout);
	return out.err == ERR_OK && fflush(stdout) == 0 ? 0 : 1;
}

static int run_once(const struct agent_config *cfg)
{
	log_set_level(LOG_LEVEL_WARN); /* people wait for a table */
	return once_run(cfg, stdout) == ERR_OK ? 0 : 1;
}

/* --- starting --- */

static int open_state(struct agent *a)
{
	const struct agent_config *cfg = a->cfg;
	const char *targets[STATE_TARGETS_MAX];
	size_t count = MIN(cfg->aggregators.count, (size_t)STATE_TARGETS_MAX);
	char why[512];

	for (size_t i = 0; i < count; i++)
		targets[i] = cfg->aggregators.items[i];
	struct state_options options = {
		.spool_bytes = cfg->limits.spool_bytes,
		.spool_age_ms = cfg->limits.spool_age_ms,
		.targets = targets,
		.target_count = count,
	};
	int err = state_open(cfg->state_dir, &options, why, &a->state);
	if (err != ERR_OK)
		log_error("state cannot be used", "why=%s", log_quote(why));
	return err;
}

/* In a shipper's thread: what is asked of a cluster that is not ours goes unheard. */
static void take_probes(void *arg, const struct wire_ack *ack)
{
	const struct agent *a = arg;

	for (size_t i = 0; i < a->cfg->clusters.count; i++) {
		const struct agent_cluster *c = agent_config_cluster(a->cfg, i);

		if (strcmp(c->name, ack->probe_cluster) == 0 &&
		    strcmp(c->environment, ack->probe_environment) == 0)
			probe_ask(a->probes[i], ack->probes, ack->probe_count);
	}
}

static bool probes(const struct agent *a)
{
	for (size_t i = 0; i < a->cfg->clusters.count; i++)
		if (probe_limit(a->probes[i]) > 0)
			return true;
	return false;
}

static int read_identity(const struct agent_config *cfg, struct buf *why, struct identity *ret_i)
{
	const struct options_tls *tls = &cfg->tls.files;
	const struct cert_files files = {tls->ca_file, tls->cert_file, tls->key_file};

	return identity_load(&files, cfg->key_file, why, ret_i);
}

static void tell_end_of_cert(const struct agent *a)
{
	int64_t left_ms =
		a->identity.cert == NULL ? INT64_MAX : a->identity.cert->ends_ms - clock_wall_ms();

	if (left_ms < CERT_WARN_MS)
		log_warn("certificate expires soon", "file=%s days=%" PRId64,
			 log_quote(a->cfg->tls.files.cert_file), left_ms / DAY_MS);
}

/* On SIGHUP. What is wrong changes nothing. */
static void renew_identity(struct agent *a)
{
	CLEANUP(buf_free) struct buf why = {0};
	struct identity fresh = {0};

	if (read_identity(a->cfg, &why, &fresh) != ERR_OK) {
		log_error("certificate or key cannot be used: the ones before stay in use",
			  "why=%s", log_quote(buf_str(&why)));
		return;
	}
	bool same = identity_same(&fresh, &a->identity);
	log_info("certificate and key read again", "changed=%s", same ? "false" : "true");
	for (size_t i = 0; !same && i < a->cfg->aggregators.count; i++)
		shipper_renew(a->shippers[i], &fresh);
	identity_free(&a->identity);
	a->identity = fresh;
	tell_end_of_cert(a);
}

/* Of the effective configuration, its secrets masked: the same for agents that are set up alike. */
static uint64_t config_hash(const struct agent_config *cfg)
{
	CLEANUP(buf_free) struct buf text = {0};
	uint8_t digest[MAC_SIZE];
	uint64_t hash = 0;

	agent_config_print(cfg, &text);
	mac_digest(text.data, text.size, digest);
	for (size_t i = 0; i < sizeof(hash); i++)
		hash = hash << 8 | digest[i];
	return hash;
}

static int start_shippers(struct agent *a)
{
	uint64_t instance = 0;
	uint64_t hash = config_hash(a->cfg);

	if (getrandom(&instance, sizeof(instance), 0) != sizeof(instance))
		abort();
	for (size_t i = 0; i < a->cfg->aggregators.count; i++) {
		agent_config_server_name(a->cfg, i, a->server_names[i]);
		struct shipper_options options = {
			.agent = a->cfg->name,
			.address = a->cfg->aggregators.items[i],
			.clusters = a->clusters,
			.cluster_count = a->cfg->clusters.count,
			.instance = instance,
			.config_hash = hash,
			.target = i,
			.server_name = a->server_names[i],
			.identity = a->identity,
			.on_probes = probes(a) ? take_probes : NULL,
			.arg = a,
		};
		int err = shipper_start(&options, a->state, &a->shippers[i]);
		if (err != ERR_OK) {
			log_error("cannot ship", "aggregator=%s err=%s", options.address,
				  log_quote(err_str(err)));
			return err;
		}
	}
	return ERR_OK;
}

static int start_collectors(struct agent *a)
{
	for (size_t i = 0; i < a->cfg->clusters.count; i++) {
		const struct agent_cluster *conf = agent_config_cluster(a->cfg, i);
		char why[512] = "";
		int err = collector_start(conf, a->state, a->probes[i], why, &a->collectors[i]);
		if (err != ERR_OK) {
			log_error("cluster cannot be watched", "cluster=%s why=%s",
				  log_quote(conf->name), log_quote(why));
			return err;
		}
	}
	return ERR_OK;
}

static int start(struct agent *a)
{
	a->collectors = calloc(a->cfg->clusters.count, sizeof(struct collector *));
	a->shippers = calloc(a->cfg->aggregators.count, sizeof(struct shipper *));
	a->clusters = calloc(a->cfg->clusters.count, sizeof(*a->clusters));
	a->server_names = calloc(a->cfg->aggregators.count, sizeof(*a->server_names));
	a->probes = calloc(a->cfg->clusters.count, sizeof(struct probe *));
	if (a->collectors == NULL || a->shippers == NULL || a->clusters == NULL ||
	    a->server_names == NULL || a->probes == NULL)
		abort();
	for (size_t i = 0; i < a->cfg->clusters.count; i++) {
		a->clusters[i] = agent_config_cluster(a->cfg, i)->name;
		a->probes[i] = probe_new(agent_config_cluster(a->cfg, i));
	}

	int err = open_state(a);
	if (err == ERR_OK)
		err = start_shippers(a);
	if (err == ERR_OK)
		err = start_collectors(a);
	return err;
}

/* --- ending --- */

static int left_ms(int64_t until)
{
	return (int)MAX(until - clock_mono_ms(), 0);
}

static bool stop_collectors(struct agent *a)
{
	int64_t until = clock_mono_ms() + COLLECTORS_END_MS;
	bool all = true;

	for (size_t i = 0; i < a->cfg->clusters.count; i++) {
		if (a->collectors[i] != NULL)
			collector_ask_stop(a->collectors[i]);
	}
	for (size_t i = 0; i < a->cfg->clusters.count; i++) {
		if (a->collectors[i] != NULL)
			all &= collector_join(&a->collectors[i], left_ms(until));
	}
	return all;
}

/* Nobody asks any more and nobody takes answers. */
static bool stop_probes(struct agent *a)
{
	int64_t until = clock_mono_ms() + PROBES_END_MS;
	bool all = true;

	for (size_t i = 0; i < a->cfg->clusters.count; i++)
		probe_ask_stop(a->probes[i]);
	for (size_t i = 0; i < a->cfg->clusters.count; i++)
		all &= probe_join(&a->probes[i], left_ms(until));
	return all;
}

static bool stop_shippers(struct agent *a, int drain_ms)
{
	int64_t until = clock_mono_ms() + SHIPPERS_END_MS;
	bool all = true;

	for (size_t i = 0; i < a->cfg->aggregators.count; i++) {
		if (a->shippers[i] != NULL)
			shipper_ask_stop(a->shippers[i], drain_ms);
	}
	for (size_t i = 0; i < a->cfg->aggregators.count; i++) {
		if (a->shippers[i] != NULL)
			all &= shipper_join(&a->shippers[i], left_ms(until));
	}
	return all;
}

static void *limit(void *arg)
{
	struct timespec t = {.tv_sec = LIMIT_S};
	(void)arg;

	nanosleep(&t, NULL);
	_exit(0);
}

/* Collectors first, so that their last pass can still be delivered. Threads that hang in a library
 * are left behind: everything that must last is on disk already. */
static void stop(struct agent *a, int drain_ms)
{
	pthread_t timer;
	struct state_spool spool = {0};

	if (pthread_create(&timer, NULL, limit, NULL) == 0)
		pthread_detach(timer);
	bool ended = stop_collectors(a);
	ended &= stop_shippers(a, drain_ms);
	if (ended)
		ended = stop_probes(a);
	if (a->state == NULL)
		return;
	state_spool(a->state, &spool);
	log_info("agent ends", "kept_batches=%" PRIu64,
		 spool.next_seq - MIN(spool.floor_seq, spool.next_seq));
	if (ended)
		state_close(&a->state);
}

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void wait_for_end(struct agent *a, const sigset_t *set)
{
	int sig = 0;

	while (sigwait(set, &sig) != 0 || sig == SIGHUP) {
		if (sig == SIGHUP)
			renew_identity(a);
	}
	log_info("signal to end", "signal=%d", sig);
}

/* The identity is the agent's from here on. */
static int run(const struct agent_config *cfg, struct identity identity)
{
	struct agent a = {.cfg = cfg, .identity = identity};
	sigset_t set;

	block_signals(&set);
	options_log_apply(&cfg->log);
	log_info("agent starts", "version=%s name=%s clusters=%zu aggregators=%zu", WARREN_VERSION,
		 cfg->name, cfg->clusters.count, cfg->aggregators.count);

	tell_end_of_cert(&a);
	int err = start(&a);
	if (err == ERR_OK)
		wait_for_end(&a, &set);
	stop(&a, err == ERR_OK ? DRAIN_MS : 0);
	fflush(stderr);
	/* Not exit(): libraries' own threads may still run. */
	_exit(err == ERR_OK ? 0 : 1);
}

int main(int argc, char **argv)
{
	struct options o;
	struct agent_config *cfg = NULL;
	struct identity identity = {0};
	CLEANUP(buf_free) struct buf errors = {0};

	if (!get_options(argc, argv, &o)) {
		fputs("Try warren-agent --help.\n", stderr);
		return 2;
	}
	if (o.mode == MODE_HELP || o.mode == MODE_VERSION) {
		fputs(o.mode == MODE_HELP ? USAGE : "warren-agent " WARREN_VERSION "\n", stdout);
		return 0;
	}
	/* Passwords are read now: no core dumps, no tracing by others of the same user. */
	prctl(PR_SET_DUMPABLE, 0);
	bool links = o.mode == MODE_RUN || o.mode == MODE_CHECK;
	if (agent_config_load(o.config, &cfg, &errors) != ERR_OK ||
	    (links && read_identity(cfg, &errors, &identity) != ERR_OK)) {
		fprintf(stderr, "%s%s", buf_str(&errors), cfg == NULL ? "" : "\n");
		return 2;
	}

	int rc = 0;
	if (o.mode == MODE_PRINT)
		rc = print_config(cfg);
	else if (o.mode == MODE_ONCE)
		rc = run_once(cfg);
	else if (o.mode == MODE_RUN)
		rc = run(cfg, identity);
	identity_free(&identity);
	agent_config_free(&cfg);
	return rc;
}
