/* SPDX-License-Identifier: Apache-2.0 */

/* warren-aggregator: options, start, wait for a signal, stop in reverse. */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "aggregator/alarm.h"
#include "aggregator/alarm_points.h"
#include "aggregator/alert/receiver.h"
#include "aggregator/alert_cmd.h"
#include "aggregator/calls.h"
#include "aggregator/config.h"
#include "aggregator/config_alert.h"
#include "aggregator/credentials.h"
#include "aggregator/door.h"
#include "aggregator/explain_cmd.h"
#include "aggregator/ingest/link.h"
#include "aggregator/ingest/writer.h"
#include "aggregator/judge/view.h"
#include "aggregator/judge_cmd.h"
#include "aggregator/remind.h"
#include "aggregator/rulebook.h"
#include "aggregator/rules_file.h"
#include "aggregator/serve/http.h"
#include "aggregator/serve/server.h"
#include "aggregator/serve/stream.h"
#include "aggregator/store/store.h"
#include "aggregator/store_cmd.h"
#include "common/again.h"
#include "common/err.h"
#include "common/log.h"

static const char USAGE[] =
	"usage: warren-aggregator -c FILE [option]\n"
	"       warren-aggregator COMMAND --help, where COMMAND is one of\n"
	"           explain                  why a group is judged as it is\n"
	"           judge                    recorded cases through the judge\n"
	"           check, backup, restore   the store, as a whole\n"
	"           render, notify-test      templates and receivers of alarms, tried out\n"
	"\n"
	"Takes what agents send, judges consumer groups, and answers Burrow's REST API.\n"
	"\n"
	"  -c, --config FILE   the configuration, YAML; conf.d/*.yaml beside it is merged in\n"
	"      --check-config  say what is wrong with it, or nothing, and exit\n"
	"      --print-config  show it with all defaults, secrets masked, and exit\n"
	"      --version       show the version and exit\n"
	"  -h, --help          show this and exit\n"
	"\n"
	"SIGHUP has it read the rules file and its certificate for HTTP again.\n"
	"SIGTERM and SIGINT stop it in order; it may also be killed: nothing acknowledged is "
	"lost.\n";

#define LINK_BYTES ((size_t)64 << 20)
#define LINK_MESSAGES 4096
#define LINK_CONNECTIONS 1000
#define LINK_IDLE_MS 1800000 /* agents report at least every 10 minutes */

enum action { RUN, CHECK, PRINT };

/* All that is read before anything is started. */
struct settings {
	const struct aggregator_config *cfg;
	struct rulebook *rulebook;
	struct auth *auth;
	struct tls *tls; /* NULL: plain HTTP */
	struct door *door;
	const struct receivers *receivers;
	const char *path;         /* of the configuration */
	uint8_t digest[MAC_SIZE]; /* of all that was read, see door_digest() */
};

/* What the files hold that the configuration names. */
struct files {
	struct rulebook *rulebook;
	struct auth *auth;
	struct tls *tls;
	struct door *door;
	struct receivers *receivers;
};

static void free_files(struct files *f)
{
	receivers_free(&f->receivers);
	door_free(&f->door);
	tls_free(&f->tls);
	auth_free(&f->auth);
	rulebook_close(&f->rulebook);
}

/* ERR_CONFIG, and the reasons in errors. */
static int read_files(const struct aggregator_config *cfg, struct files *ret_f, struct buf *errors)
{
	const struct rules_base base = rules_file_base(cfg);
	const int errs[] = {
		rulebook_open(cfg->rules_file, &base, errors, &ret_f->rulebook),
		credentials_load(&cfg->http, errors, &ret_f->auth),
		credentials_load_tls(&cfg->http, errors, &ret_f->tls),
		door_load(cfg, errors, &ret_f->door),
		receivers_load(&cfg->alert, errors, &ret_f->receivers),
		config_alert_secrets(&cfg->alert, errors),
	};

	for (size_t i = 0; i < ARRAY_LEN(errs); i++)
		if (errs[i] != ERR_OK)
			return errs[i];
	return rulebook_keep(ret_f->rulebook, cfg->data_dir, errors);
}

/* --- the parts, each with its own sentence when it does not start --- */

static int start_store(const struct aggregator_config *cfg, struct store **ret_store)
{
	char why[512] = "";
	int err = store_open(cfg->data_dir, (size_t)cfg->map_size, why, ret_store);

	if (err != ERR_OK)
		log_error("store does not open", "why=%s", log_quote(why));
	return err;
}

static int start_link(const struct settings *settings, struct ingest_link **ret_link)
{
	struct buf busy = {0};
	struct buf why = {0};

	writer_busy_reply(&busy);
	const struct ingest_link_limits limits = {
		.bytes = LINK_BYTES,
		.messages = LINK_MESSAGES,
		.connections = LINK_CONNECTIONS,
		.idle_ms = LINK_IDLE_MS,
		.busy = busy.data,
		.busy_size = busy.size,
	};
	int err = ingest_link_open(door_listen(settings->door), settings->cfg->listen.count,
				   &limits, &why, ret_link);
	if (err != ERR_OK)
		log_error("cannot listen for agents", "why=%s", log_quote(buf_str(&why)));
	buf_free(&busy);
	buf_free(&why);
	return err;
}

static void wake(void *arg)
{
	ingest_link_wake(arg);
}

/* The writer tells of what it judges by *ret_hook. */
static int start_alert(const struct settings *settings, struct store *store,
		       struct ingest_link *link, struct stream *stream,
		       struct writer_hook *ret_hook, struct alert **ret_alert)
{
	const struct alert_options o = {
		.config = &settings->cfg->alert,
		.receivers = settings->receivers,
		.store = store,
		.points = alarm_points,
		.wake = wake,
		.wake_arg = link,
		.changed = alarm_changed,
		.changed_arg = stream,
	};
	int err = alert_start(&o, ret_alert);

	if (err != ERR_OK)
		log_error("alarms do not start", "err=%s", log_quote(err_str(err)));
	else
		*ret_hook = alarm_hook(*ret_alert);
	return err;
}

static void stop_link(struct ingest_link **l)
{
	ingest_link_close(*l);
	*l = NULL;
}

/* o has all but the rules. */
static int start_writer(const struct settings *settings, struct writer_options o,
			struct writer **ret_writer)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};

	rulebook_state(settings->rulebook, &state);
	o.rules = state.rules;
	int err = writer_start(&o, ret_writer);
	if (err != ERR_OK)
		log_error("store cannot be read", "err=%s", log_quote(err_str(err)));
	return err;
}

/* Before the writer, so that what it had judged before is told once. */
static int start_stream(const struct settings *settings, struct store *store, struct alert *alert,
			struct stream *stream)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};

	rulebook_state(settings->rulebook, &state);
	alert_rules(alert, state.rules); /* incidents are told of with their labels */
	int err = remind(store, alert, stream);
	if (err != ERR_OK)
		log_warn("what happened before the start cannot be read: followers of the stream "
			 "load anew",
			 "err=%s", log_quote(err_str(err)));
	err = stream_start(stream, err == ERR_OK);
	if (err != ERR_OK)
		log_error("the stream of events does not start", "err=%s", log_quote(err_str(err)));
	return err;
}

static int start_server(const struct settings *settings, const struct server_calls *calls,
			struct board *board, struct stream *stream, struct server **ret_server)
{
	const struct aggregator_config *cfg = settings->cfg;
	const struct server_config c = {
		.listen = cfg->http.listen,
		.allow_origin = cfg->http.allow_origin,
		.auth = settings->auth,
		.stream = stream,
		.no_metrics_of = {.partitions = !cfg->http.metrics_partitions,
				  .topics = !cfg->http.metrics_topics,
				  .groups = !cfg->http.metrics_groups},
		.host = "",
		.idle_timeout_ms = cfg->http.idle_timeout_ms,
		.expire_group_ms = cfg->expire_group_ms,
		.intervals = (uint32_t)cfg->judge.intervals,
		.window_ms = cfg->judge.window_ms,
		.allowed_lag = cfg->judge.allowed_lag,
		.max_time_lag_ms = cfg->judge.max_time_lag_ms,
		.stop_after_min_ms = cfg->judge.stop_after_min_ms,
		.stop_after_max_ms = cfg->judge.stop_after_max_ms,
		.warn_after_ms = cfg->judge.warn_after_ms,
		.raise_after = cfg->judge.raise_after,
		.clear_after = cfg->judge.clear_after,
	};

	return server_new(&c, calls, board, ret_server);
}

static int start_http(const struct aggregator_config *cfg, struct server *server,
		      struct http **ret_http)
{
	const struct http_options o = {
		.listen = cfg->http.listen,
		.connections = (unsigned)cfg->http.connections,
		.connections_per_address = (unsigned)cfg->http.connections_per_address,
		.idle_timeout_s = (unsigned)(cfg->http.idle_timeout_ms / 1000),
		.tls = cfg->http.tls.cert_file[0] != '\0',
		.certificates = cfg->http.tls.client_ca_file[0] != '\0',
	};
	int err = http_start(&o, server, ret_http);

	if (err != ERR_OK)
		log_error("cannot serve HTTP", "listen=%s err=%s do=%s", cfg->http.listen,
			  log_quote(err_str(err)), log_quote("choose another http.listen"));
	return err;
}

static void reload_tls(struct tls *tls)
{
	CLEANUP(buf_free) struct buf why = {0};
	bool changed = false;

	if (tls == NULL)
		return;
	if (tls_reload(tls, &why, &changed) == ERR_OK)
		log_info("certificate for HTTP loaded", "changed=%s", changed ? "true" : "false");
	else
		log_error("certificate for HTTP refused", "why=%s do=%s", log_quote(buf_str(&why)),
			  log_quote("the one from before stays in use: correct it and reload"));
}

/* Whether it is to be started anew: something of the configuration has changed that is not read
 * again while it runs, and all of it is right. nng cannot listen anew in one process. */
static bool wants_restart(const struct settings *settings)
{
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	CLEANUP(free_files) struct files files = {0};
	CLEANUP(buf_free) struct buf errors = {0};
	uint8_t digest[MAC_SIZE];

	int err = aggregator_config_load(settings->path, &cfg, &errors);
	if (err == ERR_OK)
		door_digest(settings->path, cfg, digest);
	if (err == ERR_OK && mac_same(digest, settings->digest))
		return false;
	if (err == ERR_OK)
		err = read_files(cfg, &files, &errors);
	if (err == ERR_OK)
		return true;
	log_lines(buf_str(&errors), "configuration is wrong");
	log_error("configuration refused", "do=%s",
		  log_quote("what was read at the start stays in force: correct it and reload"));
	return false;
}

/* Until a signal to stop, or to start anew: true. */
static bool serve_signals(const struct settings *settings, struct calls *calls,
			  const sigset_t *signals)
{
	int sig = 0;

	while (sigwait(signals, &sig) == 0 && sig == SIGHUP) {
		CLEANUP(buf_free) struct buf errors = {0};
		bool changed = false;

		(void)calls_reload_rules(calls, &errors, &changed); /* it has said what is wrong */
		reload_tls(settings->tls);
		if (wants_restart(settings)) {
			log_info("configuration has changed: the aggregator starts anew", "");
			return true;
		}
	}
	log_info("aggregator stops", "signal=%s", sigabbrev_np(sig));
	return false;
}

/* *ret_anew: it has stopped to be started anew. */
static int run(const struct settings *settings, const sigset_t *signals, bool *ret_anew)
{
	const struct aggregator_config *cfg = settings->cfg;
	/* Each is stopped when run() returns, the last started first. */
	CLEANUP(store_close) struct store *store = NULL;
	CLEANUP(board_free) struct board *board = board_new();
	CLEANUP(stream_stop) struct stream *stream = NULL;
	CLEANUP(stop_link) struct ingest_link *link = NULL;
	CLEANUP(guard_free) struct guard *guard = door_guard(settings->door);
	CLEANUP(alert_stop) struct alert *alert = NULL;
	struct writer_hook hook = {0};
	CLEANUP(writer_stop) struct writer *writer = NULL;
	CLEANUP(server_free) struct server *server = NULL;
	CLEANUP(http_stop) struct http *http = NULL;
	struct calls calls = {0};
	struct server_calls server_calls = calls_server(&calls);

	int err = start_store(cfg, &store);
	if (err == ERR_OK) {
		explain_cmd_note(cfg->data_dir, settings->path);
		err = stream_new(board, &stream);
	}
	if (err == ERR_OK)
		err = start_link(settings, &link);
	if (err == ERR_OK)
		err = start_alert(settings, store, link, stream, &hook, &alert);
	const struct writer_options writer_options = {
		.store = store,
		.board = board,
		.link = link,
		.guard = guard,
		.hook = &hook,
		.expire_cluster_ms = cfg->expire_cluster_ms,
	};
	if (err == ERR_OK)
		err = start_stream(settings, store, alert, stream);
	if (err == ERR_OK)
		err = start_writer(settings, writer_options, &writer);
	calls = (struct calls){store, link, writer, settings->rulebook};
	if (err == ERR_OK)
		server_calls.alarms = alarm_calls(alert);
	if (err == ERR_OK)
		err = start_server(settings, &server_calls, board, stream, &server);
	if (err == ERR_OK)
		err = start_http(cfg, server, &http);
	if (err != ERR_OK)
		return err;

	server_set_ready(server, true);
	if (cfg->http.auth.count == 0 && cfg->http.anonymous == ACCESS_NONE)
		log_warn("nobody may ask anything over HTTP", "do=%s",
			 log_quote("set http.auth or http.anonymous"));
	log_info("aggregator started", "version=%s http=%s data_dir=%s", WARREN_VERSION,
		 cfg->http.listen, log_quote(cfg->data_dir));
	door_tell(settings->door);
	*ret_anew = serve_signals(settings, &calls, signals);
	return ERR_OK;
}

/* --- the command line --- */

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} COMMANDS[] = {
	{"explain", explain_cmd},        {"judge", judge_cmd},
	{"check", store_cmd_check},      {"backup", store_cmd_backup},
	{"restore", store_cmd_restore},  {"render", alert_cmd_render},
	{"notify-test", alert_cmd_test},
};

struct options {
	enum action action;
	const char *config;
};

/* False: *ret_status is the exit status, everything has been said. */
static bool parse_options(int argc, char **argv, struct options *ret_o, int *ret_status)
{
	static const struct option LONG[] = {
		{"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 'k'},
		{"print-config", no_argument, NULL, 'p'}, {"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
	};
	struct options o = {.action = RUN};

	*ret_status = EXIT_SUCCESS;
	for (int c = 0; (c = getopt_long(argc, argv, "c:h", LONG, NULL)) != -1;) {
		switch (c) {
		case 'c':
			o.config = optarg;
			break;
		case 'k':
			o.action = CHECK;
			break;
		case 'p':
			o.action = PRINT;
			break;
		case 'v':
			puts("warren-aggregator " WARREN_VERSION);
			return false;
		case 'h':
			fputs(USAGE, stdout);
			return false;
		default:
			*ret_status = EXIT_FAILURE;
			return false;
		}
	}
	if (o.config == NULL || optind != argc) {
		fputs(USAGE, stderr);
		*ret_status = EXIT_FAILURE;
		return false;
	}
	*ret_o = o;
	return true;
}

static void print_config(const struct aggregator_config *cfg)
{
	struct buf text = {0};

	aggregator_config_print(cfg, &text);
	fputs(buf_str(&text), stdout);
	buf_free(&text);
}

/* Secrets are in memory: no other process of this user may look, and nothing is left of a crash. */
static void hide_memory(void)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
}

/* Each connection takes one. */
static void take_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	CLEANUP(free_files) struct files files = {0};
	CLEANUP(buf_free) struct buf errors = {0};
	bool anew = false;
	struct options o;
	int status = 0;
	sigset_t signals;

	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(COMMANDS); i++)
		if (strcmp(argv[1], COMMANDS[i].name) == 0)
			return COMMANDS[i].run(argc - 1, argv + 1);
	if (!parse_options(argc, argv, &o, &status))
		return status;
	hide_memory();
	if (aggregator_config_load(o.config, &cfg, &errors) != ERR_OK ||
	    read_files(cfg, &files, &errors) != ERR_OK) {
		fputs(buf_str(&errors), stderr);
		return EXIT_FAILURE;
	}
	if (o.action == PRINT)
		print_config(cfg);
	if (o.action != RUN)
		return EXIT_SUCCESS;

	/* Before the first thread, so that all inherit it and sigwait() gets the signals. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	options_log_apply(&cfg->log);
	take_descriptors();
	struct settings settings = {
		.cfg = cfg,
		.rulebook = files.rulebook,
		.auth = files.auth,
		.tls = files.tls,
		.door = files.door,
		.receivers = files.receivers,
		.path = o.config,
	};
	door_digest(o.config, cfg, settings.digest);
	status = run(&settings, &signals, &anew) == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
	fflush(NULL);
	if (anew) {
		log_error("cannot start anew", "err=%s", log_quote(err_str(again())));
		status = EXIT_FAILURE;
	}
	_exit(status); /* the libraries' own threads are not joined */
}
