/* SPDX-License-Identifier: Apache-2.0 */

/* warren-aggregator: options, start, wait for a signal, stop in reverse. */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "aggregator/config.h"
#include "aggregator/ingest/link.h"
#include "aggregator/ingest/points.h"
#include "aggregator/ingest/writer.h"
#include "aggregator/judge/view.h"
#include "aggregator/rulebook.h"
#include "aggregator/rules_file.h"
#include "aggregator/serve/http.h"
#include "aggregator/serve/server.h"
#include "aggregator/store/store.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"

static const char USAGE[] =
	"usage: warren-aggregator -c FILE [option]\n"
	"\n"
	"Takes what agents send, judges consumer groups, and answers Burrow's REST API.\n"
	"\n"
	"  -c, --config FILE   the configuration, YAML; conf.d/*.yaml beside it is merged in\n"
	"      --check-config  say what is wrong with it, or nothing, and exit\n"
	"      --print-config  show it with all defaults, secrets masked, and exit\n"
	"      --version       show the version and exit\n"
	"  -h, --help          show this and exit\n"
	"\n"
	"SIGHUP has it read the rules file again.\n"
	"SIGTERM and SIGINT stop it in order; it may also be killed: nothing acknowledged is "
	"lost.\n";

#define LINK_BYTES ((size_t)64 << 20)
#define LINK_MESSAGES 4096
#define LINK_CONNECTIONS 1000
#define LINK_IDLE_MS 900000 /* agents report at least every 10 minutes */

#define TOKEN_MAX 1024

enum action { RUN, CHECK, PRINT };

/* All that is read before anything is started. */
struct settings {
	const struct aggregator_config *cfg;
	struct rulebook *rulebook;
	const char *admin_token;
};

/* What calls from the HTTP server need. */
struct calls {
	struct store *store;
	struct writer *writer;
	struct rulebook *rulebook;
};

static int delete_group(void *arg, uint32_t cluster_id, uint32_t group_id)
{
	struct calls *c = arg;

	writer_bury(c->writer, cluster_id, group_id, NULL);
	return ERR_OK;
}

static int delete_group_topic(void *arg, uint32_t cluster_id, uint32_t group_id, const char *topic)
{
	struct calls *c = arg;

	writer_bury(c->writer, cluster_id, group_id, topic);
	return ERR_OK;
}

static int offsets(void *arg, const struct view *v, const struct view_group *g, uint32_t max_points,
		   server_emit *emit, void *emit_arg)
{
	struct calls *c = arg;

	return points_read(c->store, v, g, max_points, emit, emit_arg);
}

static void rules(void *arg, struct rulebook_state *ret_state)
{
	struct calls *c = arg;

	rulebook_state(c->rulebook, ret_state);
}

static void take_rules(void *arg, struct rules_set *s)
{
	writer_set_rules(arg, s);
}

/* One line a mistake. */
static void log_mistakes(struct buf *errors)
{
	for (const char *at = buf_str(errors); *at != '\0';) {
		CLEANUP(buf_free) struct buf line = {0};
		size_t size = strcspn(at, "\n");

		buf_put(&line, at, size);
		log_error("rules file is wrong", "what=%s", log_quote(buf_str(&line)));
		at += size + (at[size] == '\n');
	}
	log_error("rules file refused", "do=%s",
		  log_quote("the rules from before stay in force: correct it and reload"));
}

static int reload_rules(void *arg, struct buf *errors, bool *ret_changed)
{
	struct calls *c = arg;
	int err = rulebook_reload(c->rulebook, take_rules, c->writer, errors, ret_changed);

	if (err == ERR_OK)
		log_info("rules file loaded", "changed=%s", *ret_changed ? "true" : "false");
	else if (err == ERR_NOT_FOUND)
		log_warn("there is no rules file to load", "do=%s", log_quote("set rules_file"));
	else
		log_mistakes(errors);
	return err;
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

static int start_link(const struct aggregator_config *cfg, struct ingest_link **ret_link)
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
	int err = ingest_link_open((const char *const *)cfg->listen.items, cfg->listen.count,
				   &limits, &why, ret_link);
	if (err != ERR_OK)
		log_error("cannot listen for agents", "why=%s", log_quote(buf_str(&why)));
	buf_free(&busy);
	buf_free(&why);
	return err;
}

static void stop_link(struct ingest_link **l)
{
	ingest_link_close(*l);
	*l = NULL;
}

static int start_writer(struct rulebook *rulebook, struct store *store, struct board *board,
			struct ingest_link *link, struct writer **ret_writer)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};

	rulebook_state(rulebook, &state);
	const struct writer_options o = {
		.store = store,
		.board = board,
		.link = link,
		.rules = state.rules,
	};
	int err = writer_start(&o, ret_writer);
	if (err != ERR_OK)
		log_error("store cannot be read", "err=%s", log_quote(err_str(err)));
	return err;
}

static int start_server(const struct settings *settings, const struct server_calls *calls,
			struct board *board, struct server **ret_server)
{
	const struct aggregator_config *cfg = settings->cfg;
	const struct server_config c = {
		.listen = cfg->http.listen,
		.allow_origin = cfg->http.allow_origin,
		.admin_token = settings->admin_token,
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
	};
	int err = http_start(&o, server, ret_http);

	if (err != ERR_OK)
		log_error("cannot serve HTTP", "listen=%s err=%s do=%s", cfg->http.listen,
			  log_quote(err_str(err)), log_quote("choose another http.listen"));
	return err;
}

/* Until a signal to stop. */
static void serve_signals(struct calls *calls, const sigset_t *signals)
{
	int sig = 0;

	while (sigwait(signals, &sig) == 0 && sig == SIGHUP) {
		CLEANUP(buf_free) struct buf errors = {0};
		bool changed = false;

		(void)reload_rules(calls, &errors, &changed); /* it has said what is wrong */
	}
	log_info("aggregator stops", "signal=%s", sigabbrev_np(sig));
}

static int run(const struct settings *settings, const sigset_t *signals)
{
	const struct aggregator_config *cfg = settings->cfg;
	/* Each is stopped when run() returns, the last started first. */
	CLEANUP(store_close) struct store *store = NULL;
	CLEANUP(board_free) struct board *board = board_new();
	CLEANUP(stop_link) struct ingest_link *link = NULL;
	CLEANUP(writer_stop) struct writer *writer = NULL;
	CLEANUP(server_free) struct server *server = NULL;
	CLEANUP(http_stop) struct http *http = NULL;
	struct calls calls = {0};
	const struct server_calls server_calls = {
		.arg = &calls,
		.delete_group = delete_group,
		.delete_group_topic = delete_group_topic,
		.offsets = offsets,
		.rules = rules,
		.reload_rules = reload_rules,
	};

	int err = start_store(cfg, &store);
	if (err == ERR_OK)
		err = start_link(cfg, &link);
	if (err == ERR_OK)
		err = start_writer(settings->rulebook, store, board, link, &writer);
	calls = (struct calls){store, writer, settings->rulebook};
	if (err == ERR_OK)
		err = start_server(settings, &server_calls, board, &server);
	if (err == ERR_OK)
		err = start_http(cfg, server, &http);
	if (err != ERR_OK)
		return err;

	server_set_ready(server, true);
	log_info("aggregator started", "version=%s http=%s data_dir=%s", WARREN_VERSION,
		 cfg->http.listen, log_quote(cfg->data_dir));
	serve_signals(&calls, signals);
	return ERR_OK;
}

/* --- the command line --- */

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

/* The files that the configuration names. ERR_CONFIG, and the reasons in errors. */
static int read_files(const struct aggregator_config *cfg, char token[static TOKEN_MAX],
		      struct rulebook **ret_rulebook, struct buf *errors)
{
	const struct rules_base base = rules_file_base(cfg);
	const char *why = NULL;

	token[0] = '\0';
	int err = rulebook_open(cfg->rules_file, &base, errors, ret_rulebook);
	if (cfg->http.admin_token_file[0] != '\0')
		why = secret_read(cfg->http.admin_token_file, token, TOKEN_MAX);
	if (why == NULL)
		return err;
	tree_error(errors, cfg->http.admin_token_file, 0, "admin_token_file: %s", why);
	return ERR_CONFIG;
}

int main(int argc, char **argv)
{
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	CLEANUP(rulebook_close) struct rulebook *rulebook = NULL;
	CLEANUP(buf_free) struct buf errors = {0};
	char token[TOKEN_MAX];
	struct options o;
	int status = 0;
	sigset_t signals;

	if (!parse_options(argc, argv, &o, &status))
		return status;
	if (aggregator_config_load(o.config, &cfg, &errors) != ERR_OK ||
	    read_files(cfg, token, &rulebook, &errors) != ERR_OK) {
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
	prctl(PR_SET_DUMPABLE, 0);
	options_log_apply(&cfg->log);
	const struct settings settings = {cfg, rulebook, token};
	status = run(&settings, &signals) == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
	fflush(NULL);
	_exit(status); /* the libraries' own threads are not joined */
}
