/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert_cmd.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/example.h"
#include "aggregator/alert/incidents.h"
#include "aggregator/alert/sender.h"
#include "aggregator/alert/template_check.h"
#include "aggregator/config.h"
#include "aggregator/rules_file.h"
#include "common/clock.h"
#include "common/err.h"

static const char RENDER_USAGE[] =
	"usage: warren-aggregator render -c FILE [option] (--incident ID | --example)\n"
	"\n"
	"Shows what a template makes of an incident, or what a receiver would be sent. Sends "
	"nothing.\n"
	"\n"
	"  -c, --config FILE    the aggregator's configuration\n"
	"      --template FILE  this template; a broken one is refused, as at start\n"
	"      --as CONTEXT     what it is for: text (default), html, json, slack, form or url\n"
	"      --receiver NAME  the templates of this receiver, whole as it would be sent\n"
	"      --incident ID    of this incident, 16 hexadecimal digits\n"
	"      --example        of an example\n"
	"      --kind KIND      the example's message: open, update, repeat, escalate, resolve,\n"
	"                       summary or test\n"
	"  -h, --help           show this and exit\n";

static const char TEST_USAGE[] =
	"usage: warren-aggregator notify-test -c FILE RECEIVER|ROUTE\n"
	"\n"
	"Sends a test message to a receiver, or to that of a route, by its name or place (2.1), "
	"and\n"
	"says what came of it. Exit status 0: the other side has confirmed it.\n"
	"\n"
	"  -c, --config FILE  the aggregator's configuration\n"
	"  -h, --help         show this and exit\n";

struct options {
	const char *config, *template, *as, *receiver, *incident, *kind;
	bool example;
};

/* False: *ret_status is the exit status, everything has been said. */
static bool parse(int argc, char **argv, const char *usage, struct options *o, int *ret_status)
{
	static const struct option LONG[] = {
		{"config", required_argument, NULL, 'c'},
		{"template", required_argument, NULL, 't'},
		{"as", required_argument, NULL, 'a'},
		{"receiver", required_argument, NULL, 'r'},
		{"incident", required_argument, NULL, 'i'},
		{"example", no_argument, NULL, 'e'},
		{"kind", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};

	*ret_status = EXIT_FAILURE;
	for (int c = 0; (c = getopt_long(argc, argv, "c:h", LONG, NULL)) != -1;) {
		const char **text = c == 'c'   ? &o->config
				    : c == 't' ? &o->template
				    : c == 'a' ? &o->as
				    : c == 'r' ? &o->receiver
				    : c == 'i' ? &o->incident
				    : c == 'k' ? &o->kind
					       : NULL;
		if (text != NULL) {
			*text = optarg;
		} else if (c == 'e') {
			o->example = true;
		} else {
			fputs(usage, c == 'h' ? stdout : stderr);
			*ret_status = c == 'h' ? EXIT_SUCCESS : EXIT_FAILURE;
			return false;
		}
	}
	return true;
}

/* What both commands begin with. False: what is wrong has been said. */
static bool load(const char *path, struct aggregator_config **ret_cfg, struct receivers **ret_rs)
{
	CLEANUP(buf_free) struct buf errors = {0};
	int err = aggregator_config_load(path, ret_cfg, &errors);

	if (err == ERR_OK)
		err = receivers_load(&(*ret_cfg)->alert, &errors, ret_rs);
	if (err != ERR_OK)
		fputs(buf_str(&errors), stderr);
	return err == ERR_OK;
}

static void tell_receivers(const struct receivers *rs)
{
	if (receivers_count(rs) == 0)
		fputs("alert.receivers is empty", stderr);
	for (size_t i = 0; i < receivers_count(rs); i++)
		fprintf(stderr, "%s%s", i == 0 ? "there are " : ", ",
			receiver_config(receivers_at(rs, i))->name);
	fputs("\n", stderr);
}

/* --- the message --- */

/* Not given: open. False: what is wrong has been said. */
static bool kind_of(const char *word, enum message_kind *ret_kind)
{
	*ret_kind = MESSAGE_OPEN;
	if (word == NULL)
		return true;
	for (enum message_kind k = MESSAGE_OPEN; k <= MESSAGE_TEST; k++) {
		if (strcmp(message_kind_str(k), word) == 0) {
			*ret_kind = k;
			return true;
		}
	}
	fprintf(stderr,
		"render: --kind %s: there is no such message; there are open, update, repeat, "
		"escalate, resolve, summary and test\n",
		word);
	return false;
}

static struct message *make_example(const struct aggregator_config *cfg, const struct options *o)
{
	enum message_kind kind = MESSAGE_OPEN;

	if (!kind_of(o->kind, &kind))
		return NULL;
	return example_message(o->receiver == NULL ? "" : o->receiver, "", cfg->alert.url, kind,
			       clock_wall_ms());
}

/* Give the incident of m the labels of its group. */
static bool add_labels(const struct aggregator_config *cfg, struct message *m)
{
	CLEANUP(buf_free) struct buf errors = {0};
	const struct incident *i = &m->incidents[0].incident;
	const struct rules_base base = rules_file_base(cfg);
	const struct rules_place place = {i->environment, i->cluster, i->group, NULL, -1};
	struct rules_set *rules = NULL;
	struct rules_label *labels = NULL;

	if (cfg->rules_file[0] == '\0')
		return true;
	if (rules_file_load(cfg->rules_file, &base, &errors, &rules) != ERR_OK) {
		fputs(buf_str(&errors), stderr);
		return false;
	}
	size_t count = rules_labels(rules, &place, &labels);
	for (size_t k = 0; k < MIN(count, (size_t)MESSAGE_LABELS_MAX); k++)
		(void)example_label(m, 0, labels[k].name, labels[k].value);
	free(labels);
	rules_unref(&rules);
	return true;
}

/* The incident of the store; NULL: what is wrong has been said. */
static struct message *read_incident(const struct aggregator_config *cfg, const struct options *o)
{
	struct store *store = NULL;
	struct incident i;
	char why[512] = "";
	char *end = NULL;
	const uint64_t id = strtoull(o->incident, &end, 16);

	if (end == o->incident || *end != '\0') {
		fprintf(stderr,
			"render: --incident %s: an incident's id is 16 hexadecimal digits, as "
			"/api/v1/incidents shows it\n",
			o->incident);
		return NULL;
	}
	if (store_open_readonly(cfg->data_dir, why, &store) != ERR_OK) {
		fprintf(stderr, "render: %s\n", why);
		return NULL;
	}
	struct store_txn t = store_begin(store, false);
	bool found = incidents_get(&t, id, &i);
	store_abort(&t);
	store_close(&store);
	if (!found) {
		fprintf(stderr, "render: there is no incident %s in %s\n", o->incident,
			cfg->data_dir);
		return NULL;
	}
	struct message *m = example_of(&i, o->receiver == NULL ? "" : o->receiver, cfg->alert.url,
				       clock_wall_ms());
	if (m != NULL && !add_labels(cfg, m))
		message_free(&m);
	return m;
}

/* --- render --- */

/* Not given: text. False: what is wrong has been said. */
static bool context_of(const char *word, enum escape *ret_how)
{
	static const char *const CONTEXTS[] = {
		[ESCAPE_TEXT] = "text", [ESCAPE_JSON] = "json", [ESCAPE_SLACK] = "slack",
		[ESCAPE_URL] = "url",   [ESCAPE_FORM] = "form", [ESCAPE_HTML] = "html",
	};
	size_t how = 0;

	while (how < ARRAY_LEN(CONTEXTS) && word != NULL && strcmp(CONTEXTS[how], word) != 0)
		how++;
	*ret_how = (enum escape)how;
	if (how == ARRAY_LEN(CONTEXTS))
		fprintf(stderr,
			"render: --as %s: there is no such context; there are text, html, json, "
			"slack, form and url\n",
			word);
	return how != ARRAY_LEN(CONTEXTS);
}

/* The template, as it would be accepted at start; NULL: what is wrong has been said. */
static struct template *load_template(const struct options *o, const struct fields_at *at)
{
	const bool end = at->message->kind == MESSAGE_RESOLVE;
	CLEANUP(buf_free) struct buf errors = {0};
	struct template *t = NULL;
	enum escape how = ESCAPE_TEXT;

	if (!context_of(o->as, &how))
		return NULL;
	int err = template_load(o->template, how, &errors, &t);
	if (err == ERR_OK)
		err = template_check(t, o->template, end ? TEMPLATE_FOR_END : TEMPLATE_FOR_OPEN, at,
				     &errors);
	if (err != ERR_OK) {
		fputs(buf_str(&errors), stderr);
		template_free(&t);
	}
	return t;
}

static int render_template(const struct options *o, const struct message *m)
{
	CLEANUP(buf_free) struct buf text = {.limit = (size_t)1 << 20};
	const struct fields_at at = {.message = m, .to = "", .from = "", .sms = ""};
	CLEANUP(template_free) struct template *t = load_template(o, &at);

	if (t == NULL)
		return EXIT_FAILURE;
	int err = template_render(t, &at, &text);
	if (err != ERR_OK) {
		fprintf(stderr, "render: %s\n",
			err == ERR_LIMIT ? "it makes more than 1 MiB" : err_str(err));
		return EXIT_FAILURE;
	}
	fputs(buf_str(&text), stdout);
	return EXIT_SUCCESS;
}

static int print_request(const struct receiver *r, const struct message *m, size_t target)
{
	static const char *const METHODS[] = {"POST", "PUT", "PATCH", "GET", "DELETE"};
	static const struct receiver_secrets MASKED = {"", "***", "***", "***"};
	CLEANUP(receiver_request_free) struct receiver_request q = {0};
	const struct receiver_given given = {&MASKED, NULL, m->at_ms};
	int err = receiver_make(r, m, target, &given, &q);

	if (err != ERR_OK) {
		fprintf(stderr, "render: %s\n", err_str(err));
		return EXIT_FAILURE;
	}
	if (!q.mail) {
		printf("%s %s\n", METHODS[q.method],
		       receiver_config(r)->url_file[0] != '\0' ? "***" : buf_str(&q.url));
		for (size_t at = 0; at < q.headers.size; at += strlen(q.headers.data + at) + 1)
			puts(strncasecmp(q.headers.data + at, "Authorization:", 14) == 0
				     ? "Authorization: ***"
				     : q.headers.data + at);
		puts("");
	}
	fwrite(q.body.data, 1, q.body.size, stdout);
	puts("");
	return EXIT_SUCCESS;
}

static int render_receiver(const struct receivers *rs, const struct options *o,
			   const struct message *m)
{
	const struct receiver *r = receivers_find(rs, o->receiver);

	if (r == NULL) {
		fprintf(stderr, "render: there is no receiver %s; ", o->receiver);
		tell_receivers(rs);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < receiver_targets(r); i++) {
		if (print_request(r, m, i) != EXIT_SUCCESS)
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/* What does not go together; NULL: nothing. */
static const char *check_render(const struct options *o, bool more)
{
	if (more)
		return "it takes options only";
	if (o->config == NULL)
		return "-c FILE is missing, the aggregator's configuration";
	if ((o->incident == NULL) == !o->example)
		return "either --incident ID or --example says what it is about";
	if ((o->template == NULL) == (o->receiver == NULL))
		return "either --template FILE or --receiver NAME says what to show";
	if (o->as != NULL && o->template == NULL)
		return "--as goes with --template; a receiver's templates have their context";
	if (o->kind != NULL && !o->example)
		return "--kind goes with --example";
	return NULL;
}

int alert_cmd_render(int argc, char **argv)
{
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	CLEANUP(receivers_free) struct receivers *rs = NULL;
	CLEANUP(message_free) struct message *m = NULL;
	struct options o = {0};
	int status = 0;

	if (!parse(argc, argv, RENDER_USAGE, &o, &status))
		return status;
	const char *wrong = check_render(&o, optind != argc);
	if (wrong != NULL) {
		fprintf(stderr, "render: %s; see warren-aggregator render --help\n", wrong);
		return EXIT_FAILURE;
	}
	if (!load(o.config, &cfg, &rs))
		return EXIT_FAILURE;
	m = o.example ? make_example(cfg, &o) : read_incident(cfg, &o);
	if (m == NULL)
		return EXIT_FAILURE;
	return o.template != NULL ? render_template(&o, m) : render_receiver(rs, &o, m);
}

/* --- notify-test --- */

/* The route of that name or place, or NULL. place: of r. */
static const struct alert_route *find_route(const struct alert_route *r, const char *place,
					    const char *wanted)
{
	const struct alert_route *routes = r->routes.items;
	const struct alert_route *found = NULL;

	if (strcmp(r->name, wanted) == 0 || (place[0] != '\0' && strcmp(place, wanted) == 0))
		return r;
	for (size_t i = 0; found == NULL && i < r->routes.count; i++) {
		CLEANUP(buf_free) struct buf below = {0};

		buf_printf(&below, "%s%s%zu", place, place[0] != '\0' ? "." : "", i + 1);
		found = find_route(&routes[i], buf_str(&below), wanted);
	}
	return found;
}

/* The receiver of that name, or of the route; NULL: what is wrong has been said. */
static const struct receiver *find_receiver(const struct aggregator_config *cfg,
					    const struct receivers *rs, const char *name)
{
	const struct receiver *r = receivers_find(rs, name);
	const struct alert_route *route = NULL;

	if (r != NULL)
		return r;
	route = find_route(&cfg->alert.route, "", name);
	if (route == NULL) {
		fprintf(stderr, "notify-test: there is no receiver and no route %s; ", name);
		tell_receivers(rs);
	} else if (route->receiver[0] == '\0') {
		fprintf(stderr, "notify-test: route %s has no receiver: it only shows\n", name);
	} else {
		r = receivers_find(rs, route->receiver);
	}
	return r;
}

struct outcome {
	bool ended;
	struct sender_result result;
};

static void on_end(void *arg, const struct sender_result *result)
{
	struct outcome *o = arg;

	o->ended = true;
	o->result = *result;
}

static int send_one(struct sender *s, const struct receiver *r, const struct message *m,
		    size_t target, struct outcome *o)
{
	CLEANUP(receiver_request_free) struct receiver_request q = {0};
	struct receiver_secrets secrets;
	const char *why = receiver_read_secrets(r, &secrets);
	const struct receiver_given given = {&secrets, NULL, clock_wall_ms()};

	if (why != NULL) {
		fprintf(stderr, "notify-test: a file with a secret: %s\n", why);
		return ERR_CONFIG;
	}
	int err = receiver_make(r, m, target, &given, &q);
	if (err == ERR_OK)
		err = sender_add(s, r, &q, &secrets, on_end, o);
	explicit_bzero(&secrets, sizeof(secrets));
	if (err != ERR_OK)
		fprintf(stderr, "notify-test: %s\n", err_str(err));
	while (err == ERR_OK && !o->ended)
		sender_work(s, 1000);
	return err;
}

/* True: confirmed by all of its targets. */
static bool send_all(const struct receiver *r, const struct message *m)
{
	CLEANUP(sender_close) struct sender *s = NULL;
	const struct alert_receiver *c = receiver_config(r);
	bool ok = sender_open(&s) == ERR_OK;

	for (size_t i = 0; ok && i < receiver_targets(r); i++) {
		struct outcome o = {.ended = false};
		int64_t from_ms = clock_mono_ms();

		if (send_one(s, r, m, i, &o) != ERR_OK)
			return false;
		ok = o.result.verdict == SENDER_CONFIRMED;
		printf("%s, %s, %s: %s%s%s, %" PRId64 " ms\n", c->name, alert_type_str(c->type),
		       message_kind_str(m->kind), ok ? "confirmed" : "failed",
		       o.result.error[0] != '\0' ? ": " : "", o.result.error,
		       clock_mono_ms() - from_ms);
	}
	if (ok && receiver_targets(r) == 0)
		printf("%s, %s: nothing is sent\n", c->name, alert_type_str(c->type));
	return ok;
}

int alert_cmd_test(int argc, char **argv)
{
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	CLEANUP(receivers_free) struct receivers *rs = NULL;
	CLEANUP(message_free) struct message *m = NULL;
	struct options o = {0};
	int status = 0;

	if (!parse(argc, argv, TEST_USAGE, &o, &status))
		return status;
	if (optind + 1 != argc || o.config == NULL) {
		fprintf(stderr, "notify-test: %s; see warren-aggregator notify-test --help\n",
			o.config == NULL ? "-c FILE is missing, the aggregator's configuration"
					 : "it takes the name of one receiver or route");
		return EXIT_FAILURE;
	}
	if (!load(o.config, &cfg, &rs))
		return EXIT_FAILURE;
	const struct receiver *r = find_receiver(cfg, rs, argv[optind]);
	if (r == NULL)
		return EXIT_FAILURE;
	const struct alert_receiver *c = receiver_config(r);
	m = example_message(c->name, "", cfg->alert.url, MESSAGE_TEST, clock_wall_ms());
	if (m == NULL || !send_all(r, m))
		return EXIT_FAILURE;
	/* These keep what they were told of until they hear that it is over. */
	m->kind = MESSAGE_RESOLVE;
	if ((c->type == ALERT_PAGERDUTY || c->type == ALERT_OPSGENIE) && !send_all(r, m))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
