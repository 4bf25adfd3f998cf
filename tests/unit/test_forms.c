/* SPDX-License-Identifier: Apache-2.0 */

/* What each receiver over HTTP is sent, byte by byte, as the documentation of who takes it says. */

#include "aggregator/alert/forms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/alert/example.h"
#include "aggregator/alert/gsm.h"
#include "aggregator/alert/receiver.h"
#include "aggregator/config.h"
#include "common/err.h"
#include "common/json_check.h"

#define AT_MS INT64_C(1700000000000) /* 2023-11-14T22:13:20Z */

struct fixture {
	struct aggregator_config *config;
	struct receivers *receivers;
	struct message *message;
	struct receiver_request q;
};

static struct incident trouble(void)
{
	struct incident i = {
		.id = 0x5eed,
		.version = 1,
		.kind = INCIDENT_GROUP,
		.state = INCIDENT_OPEN,
		.change = INCIDENT_OPENED,
		.status = STATUS_ERR,
		.worst = STATUS_ERR,
		.reason = REASON_NO_PROGRESS,
		.opened_ms = AT_MS - 240000,
		.changed_ms = AT_MS,
		.partition = 3,
		.bad_partitions = 2,
		.partitions = 12,
		.lag = 4711,
		.time_lag_ms = 240000,
		.margin_ms = -1,
	};

	strcpy(i.environment, "PROD");
	strcpy(i.cluster, "seoul");
	strcpy(i.topic, "orders");
	strcpy(i.group, "a\"<b>&c");
	strcpy(i.sentence, "no progress for 4 min");
	return i;
}

/* One receiver of these options, and a message of one incident. */
static struct fixture fixture_new(const char *receiver, const struct incident *i)
{
	CLEANUP(buf_free) struct buf text = {0};
	CLEANUP(buf_free) struct buf errors = {0};
	struct fixture f = {.message = example_of(i, "r", "https://w", AT_MS)};

	assert_non_null(f.message);
	f.message->key = 0x4e;
	assert_true(example_label(f.message, 0, "team", "shop"));
	buf_printf(&text, "data_dir: /tmp/x\nalert:\n  receivers:\n    - {name: r, %s}\n",
		   receiver);
	int err = aggregator_config_parse("a.yaml", text.data, text.size, &f.config, &errors);
	if (err == ERR_OK)
		err = receivers_load(&f.config->alert, &errors, &f.receivers);
	if (err != ERR_OK)
		fail_msg("%s", buf_str(&errors));
	return f;
}

static void fixture_free(struct fixture *f)
{
	receiver_request_free(&f->q);
	receivers_free(&f->receivers);
	aggregator_config_free(&f->config);
	message_free(&f->message);
}

static void make(struct fixture *f, size_t target)
{
	static const struct receiver_secrets SECRETS = {"", "t0ken", "k3y", "passw0rd"};
	const struct receiver_given given = {&SECRETS, NULL, AT_MS};

	receiver_request_free(&f->q);
	assert_int_equal(
		receiver_make(receivers_at(f->receivers, 0), f->message, target, &given, &f->q),
		ERR_OK);
	assert_false(f->q.built_in);
}

/* The value of a header, NULL where there is none. */
static const char *header(const struct fixture *f, const char *name)
{
	const struct buf *h = &f->q.headers;
	size_t size = strlen(name);

	for (size_t at = 0; at < h->size; at += strlen(h->data + at) + 1) {
		if (strncmp(h->data + at, name, size) == 0 && h->data[at + size] == ':')
			return h->data + at + size + 2;
	}
	return NULL;
}

/* The group's name where it stands in JSON, and in Slack's JSON; and what the text says below. */
#define NAME "a\\\"\\u003cb\\u003e\\u0026c"
#define SLACK_NAME "a\\\"\\u0026lt;b\\u0026gt;\\u0026amp;c"
#define LINES(ended_)                                                                              \
	"\\n  why: no progress for 4 min\\n  reason: no_progress\\n  worst: orders, partition "    \
	"3\\n"                                                                                     \
	"  partitions in trouble: 2 of 12\\n  lag: 4711\\n  time lag: 4m 0s\\n"                    \
	"  since: 2023-11-14T22:09:20Z\\n  lasted: 4m 0s\\n" ended_ "  labels: team=shop\\n"       \
	"  link: https://w/#/incidents/0000000000005eed\\n"

/* That a receiver of these options is sent this about the incident. */
static void expect(const char *options, const struct incident *i, const char *url, const char *body)
{
	struct fixture f = fixture_new(options, i);

	if (i->state == INCIDENT_ACKNOWLEDGED)
		f.message->kind = MESSAGE_UPDATE;
	make(&f, 0);
	assert_string_equal(buf_str(&f.q.url), url);
	assert_string_equal(buf_str(&f.q.body), body);
	assert_int_equal(f.q.method, ALERT_POST);
	fixture_free(&f);
}

static struct incident acknowledged(void)
{
	struct incident i = trouble();

	i.state = INCIDENT_ACKNOWLEDGED;
	i.change = INCIDENT_WAS_ACKNOWLEDGED;
	i.acknowledged_ms = AT_MS;
	strcpy(i.by, "ann");
	strcpy(i.note, "on it");
	return i;
}

static struct incident ended(enum incident_end why)
{
	struct incident i = trouble();

	i.state = INCIDENT_RESOLVED;
	i.change = INCIDENT_WAS_RESOLVED;
	i.end = (uint8_t)why;
	i.status = STATUS_OK;
	i.resolved_ms = AT_MS;
	return i;
}

/* --- chats --- */

/* https://api.slack.com/reference/messaging/payload: the three characters of its own as entities.
 */
static void slack(void **state)
{
	static const char OPTIONS[] = "type: slack, url: 'https://hooks.slack.example/x'";
	const struct incident open = trouble();
	const struct incident end = ended(INCIDENT_RECOVERED);

	(void)state;
	expect(OPTIONS, &open, "https://hooks.slack.example/x",
	       "{\"text\":\"[ERR] PROD/seoul: " SLACK_NAME "\",\"mrkdwn\":false,"
	       "\"attachments\":[{\"color\":\"danger\","
	       "\"fallback\":\"[ERR] PROD/seoul: " SLACK_NAME "\","
	       "\"text\":\"[ERR] PROD/seoul: " SLACK_NAME LINES("") "\",\"mrkdwn_in\":[]}]}");
	expect(OPTIONS, &end, "https://hooks.slack.example/x",
	       "{\"text\":\"[resolved] PROD/seoul: " SLACK_NAME "\",\"mrkdwn\":false,"
	       "\"attachments\":[{\"color\":\"good\","
	       "\"fallback\":\"[resolved] PROD/seoul: " SLACK_NAME "\","
	       "\"text\":\"[resolved] PROD/seoul: " SLACK_NAME LINES(
		       "  ended: recovered\\n") "\",\"mrkdwn_in\":[]}]}");
}

/* A card as workflows and incoming webhooks of Teams take it. */
static void teams(void **state)
{
	const struct incident open = trouble();

	(void)state;
	expect("type: teams, url: 'https://teams.example/x'", &open, "https://teams.example/x",
	       "{\"type\":\"message\",\"attachments\":["
	       "{\"contentType\":\"application/vnd.microsoft.card.adaptive\",\"contentUrl\":null,"
	       "\"content\":{\"$schema\":\"http://adaptivecards.io/schemas/adaptive-card.json\","
	       "\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"body\":["
	       "{\"type\":\"RichTextBlock\",\"inlines\":["
	       "{\"type\":\"TextRun\",\"weight\":\"bolder\",\"size\":\"medium\","
	       "\"text\":\"[ERR] PROD/seoul: " NAME "\"}]},"
	       "{\"type\":\"RichTextBlock\",\"inlines\":["
	       "{\"type\":\"TextRun\",\"weight\":\"bolder\",\"text\":\"PROD/seoul: " NAME " \"},"
	       "{\"type\":\"TextRun\",\"text\":\"ERR. no progress for 4 min\"},"
	       "{\"type\":\"TextRun\",\"isSubtle\":true,\"text\":\" team: shop\"}]}],"
	       "\"actions\":[{\"type\":\"Action.OpenUrl\",\"title\":\"Open in Warren\","
	       "\"url\":\"https://w/#/incidents/0000000000005eed\"}]}}]}");
}

/* 28 KB are all that Teams takes: fewer incidents, and no template is to blame. */
static void teams_takes_no_more_than_28_kb(void **state)
{
	const struct incident open = trouble();
	struct fixture f = fixture_new("type: teams, url: 'https://teams.example/x'", &open);
	struct message_incident one = f.message->incidents[0];
	struct message_incident many[MESSAGE_INCIDENTS_MAX];

	(void)state;
	memset(one.incident.group, 'g', sizeof(one.incident.group) - 1);
	memset(one.incident.sentence, '"', sizeof(one.incident.sentence) - 1);
	for (size_t k = 0; k < ARRAY_LEN(many); k++)
		many[k] = one;
	struct message_incident *own = f.message->incidents;
	f.message->incidents = many;
	f.message->count = f.message->total = ARRAY_LEN(many);
	make(&f, 0);
	assert_in_range(f.q.body.size, 10000, 28000);
	f.message->incidents = own;
	f.message->count = 1;
	fixture_free(&f);
}

/* --- who calls people --- */

/* https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ */
static void pagerduty(void **state)
{
	static const char OPTIONS[] = "type: pagerduty, api_key_file: /k";
	static const char URL[] = "https://events.pagerduty.com/v2/enqueue";
	const struct incident open = trouble();
	const struct incident taken = acknowledged();
	const struct incident end = ended(INCIDENT_BY_HAND);

	(void)state;
	expect(OPTIONS, &open, URL,
	       "{\"routing_key\":\"k3y\",\"event_action\":\"trigger\","
	       "\"dedup_key\":\"0000000000005eed\",\"client\":\"Warren\","
	       "\"client_url\":\"https://w\",\"payload\":{"
	       "\"summary\":\"[ERR] PROD/seoul: " NAME "\",\"source\":\"PROD/seoul\","
	       "\"severity\":\"critical\",\"timestamp\":\"2023-11-14T22:13:20Z\","
	       "\"component\":\"orders\",\"group\":\"" NAME "\",\"class\":\"no_progress\","
	       "\"custom_details\":{\"text\":\"[ERR] PROD/seoul: " NAME LINES(
		       "") "\","
			   "\"labels\":{ \"team\":\"shop\"}}},"
			   "\"links\":[{\"href\":\"https://w/#/incidents/0000000000005eed\","
			   "\"text\":\"Open in Warren\"}]}");
	expect(OPTIONS, &taken, URL,
	       "{\"routing_key\":\"k3y\",\"event_action\":\"acknowledge\","
	       "\"dedup_key\":\"0000000000005eed\"}");
	expect(OPTIONS, &end, URL,
	       "{\"routing_key\":\"k3y\",\"event_action\":\"resolve\","
	       "\"dedup_key\":\"0000000000005eed\"}");
}

/* https://docs.opsgenie.com/docs/alert-api */
static void opsgenie(void **state)
{
	static const char OPTIONS[] = "type: opsgenie, api_key_file: /k";
	static const char EUROPE[] = "type: opsgenie, api_key_file: /k, "
				     "url: 'https://api.eu.opsgenie.com/v2/alerts/'";
	const struct incident open = trouble();
	const struct incident taken = acknowledged();
	const struct incident end = ended(INCIDENT_BY_HAND);

	(void)state;
	expect(OPTIONS, &open, "https://api.opsgenie.com/v2/alerts",
	       "{\"message\":\"[ERR] PROD/seoul: " NAME "\",\"alias\":\"0000000000005eed\","
	       "\"description\":\"[ERR] PROD/seoul: " NAME LINES(
		       "") "\",\"source\":\"Warren\","
			   "\"entity\":\"" NAME "\",\"priority\":\"P1\",\"details\":{"
			   "\"environment\":\"PROD\",\"cluster\":\"seoul\",\"reason\":\"no_"
			   "progress\","
			   "\"link\":\"https://w/#/incidents/"
			   "0000000000005eed\",\"label_team\":\"shop\"}}");
	expect(OPTIONS, &taken,
	       "https://api.opsgenie.com/v2/alerts/0000000000005eed/acknowledge"
	       "?identifierType=alias",
	       "{\"source\":\"Warren\",\"user\":\"ann\","
	       "\"note\":\"[ERR] PROD/seoul: " NAME ". on it\"}");
	expect(EUROPE, &end,
	       "https://api.eu.opsgenie.com/v2/alerts/0000000000005eed/close"
	       "?identifierType=alias",
	       "{\"source\":\"Warren\",\"note\":\"[resolved] PROD/seoul: " NAME "\"}");
}

/* Of several, somebody has to see to one; or more has changed than that. */
static void only_what_is_all_acknowledged_is(void **state)
{
	const struct incident taken = acknowledged();
	struct fixture f = fixture_new("type: pagerduty, api_key_file: /k", &taken);
	struct message_incident two[2] = {f.message->incidents[0], f.message->incidents[0]};
	struct message_incident *own = f.message->incidents;

	(void)state;
	f.message->incidents = two;
	f.message->count = f.message->total = 2;
	f.message->kind = MESSAGE_UPDATE;
	assert_true(message_is_acknowledgement(f.message));
	two[1].incident.state = INCIDENT_RESOLVED;
	assert_true(message_is_acknowledgement(f.message));
	two[1].incident.state = INCIDENT_OPEN;
	assert_false(message_is_acknowledgement(f.message));
	make(&f, 0);
	assert_non_null(strstr(buf_str(&f.q.body), "\"event_action\":\"trigger\""));
	f.message->total = 3; /* of one nothing is known here */
	two[1].incident.state = INCIDENT_ACKNOWLEDGED;
	assert_false(message_is_acknowledgement(f.message));
	f.message->incidents = own;
	f.message->count = 1;
	fixture_free(&f);
}

static void limits_of_fields_are_kept(void **state)
{
	struct incident long_one = trouble();

	(void)state;
	memset(long_one.group, 'g', sizeof(long_one.group) - 1);
	struct fixture f = fixture_new("type: opsgenie, api_key_file: /k", &long_one);
	make(&f, 0);
	const char *message = strstr(buf_str(&f.q.body), "\"message\":\"");
	const char *entity = strstr(buf_str(&f.q.body), "\"entity\":\"");
	assert_non_null(message);
	assert_non_null(entity);
	assert_int_equal(strcspn(message + strlen("\"message\":\""), "\""), 130);
	assert_int_equal(strspn(entity + strlen("\"entity\":\""), "g"), 500);
	fixture_free(&f);
}

/* --- SMS --- */

/* https://www.twilio.com/docs/messaging/api/message-resource, and a shape that others take. */
static void an_sms_goes_to_each_number(void **state)
{
	static const char *const BODIES[] = {
		"To=%2B49&From=%2B1&Body=%5BERR%5D+PROD%2Fseoul%3A+a%22%3Cb%3E%26c%3A+no+progress+"
		"for+4+min",
		"To=%2B50&From=%2B1&Body=%5BERR%5D+PROD%2Fseoul%3A+a%22%3Cb%3E%26c%3A+no+progress+"
		"for+4+min",
	};
	const struct incident open = trouble();
	struct fixture f = fixture_new("type: twilio-sms, url: 'https://sms.example/m', "
				       "from: '+1', to: ['+49', '+50']",
				       &open);

	(void)state;
	assert_int_equal(receiver_targets(receivers_at(f.receivers, 0)), 2);
	for (size_t k = 0; k < 2; k++) {
		make(&f, k);
		assert_string_equal(buf_str(&f.q.body), BODIES[k]);
		assert_string_equal(header(&f, "Content-Type"),
				    "application/x-www-form-urlencoded");
		assert_string_equal(header(&f, "Idempotency-Key"),
				    k == 0 ? "000000000000004e" : "000000000000004e-1");
	}
	fixture_free(&f);
	expect("type: json-sms, url: 'https://sms.example/m', from: '+1', to: ['+49']", &open,
	       "https://sms.example/m",
	       "{\"to\":\"+49\",\"from\":\"+1\","
	       "\"text\":\"[ERR] PROD/seoul: " NAME ": no progress for 4 min\"}");
}

/* What json-sms is sent when the sentence is text. */
static void expect_sms(const char *text, const char *end)
{
	struct incident open = trouble();

	snprintf(open.sentence, sizeof(open.sentence), "%s", text);
	strcpy(open.group, "g");
	struct fixture f = fixture_new(
		"type: json-sms, url: 'https://sms.example/m', from: '+1', to: ['+49']", &open);
	make(&f, 0);
	const char *sms = strstr(buf_str(&f.q.body), "\"text\":\"") + strlen("\"text\":\"");
	size_t size = strlen(sms) - strlen("\"}");
	assert_in_range(gsm_length(sms, size), 1, GSM_MAX);
	assert_true(size > strlen(end));
	assert_memory_equal(sms + size - strlen(end), end, strlen(end));
	fixture_free(&f);
}

/* GSM 03.38: what it has to escape counts twice, what it does not have is written otherwise. */
static void an_sms_is_160_characters_of_gsm(void **state)
{
	char text[256] = "";

	(void)state;
	expect_sms("naïve – “déjà vu”", ": naive - \\\"déjà vu\\\"");
	expect_sms("\xf0\x9f\x94\xa5", ": ?");
	/* "[ERR] PROD/seoul: g: " takes 23, as its brackets are escaped. */
	memset(text, 'x', 137);
	expect_sms(text, "xxxx");
	memset(text, 'x', 138);
	expect_sms(text, "x...");
	memset(text, '~', 68);
	text[68] = '\0';
	expect_sms(text, "~~~~");
	memset(text, '~', 69);
	text[69] = '\0';
	expect_sms(text, "~...");
}

/* --- webhooks --- */

static void webhooks(void **state)
{
	const struct incident open = trouble();

	(void)state;
	expect("type: webhook, url: 'https://h.example/{{environment}}/{{group}}'", &open,
	       "https://h.example/PROD/a%22%3Cb%3E%26c",
	       "{\"version\":1,\"kind\":\"open\",\"key\":\"000000000000004e\","
	       "\"thread\":\"0000000000005eed\",\"at\":\"2023-11-14T22:13:20Z\","
	       "\"at_ms\":1700000000000,\"route\":\"\",\"receiver\":\"r\","
	       "\"group_by\":\"environment=PROD cluster=seoul\","
	       "\"title\":\"[ERR] PROD/seoul: " NAME "\","
	       "\"text\":\"[ERR] PROD/seoul: " NAME LINES(
		       "") "\",\"page\":\"https://w\","
			   "\"total\":1,\"more\":0,\"incidents\":[{\"id\":\"0000000000005eed\","
			   "\"version\":1,"
			   "\"kind\":\"group\",\"state\":\"open\",\"status\":\"ERR\",\"worst\":"
			   "\"ERR\","
			   "\"severity\":\"critical\",\"reason\":\"no_progress\","
			   "\"sentence\":\"no progress for 4 min\",\"change\":\"opened\","
			   "\"environment\":\"PROD\",\"cluster\":\"seoul\",\"group\":\"" NAME "\","
			   "\"topic\":\"orders\",\"partition\":3,\"bad_partitions\":2,"
			   "\"partitions\":12,"
			   "\"lag\":4711,\"time_lag_ms\":240000,\"margin_ms\":null,\"lost\":0,"
			   "\"flapping\":false,\"opened\":\"2023-11-14T22:09:20Z\","
			   "\"changed\":\"2023-11-14T22:13:20Z\",\"acknowledged\":\"\","
			   "\"resolved\":\"\","
			   "\"end\":\"\",\"by\":\"\",\"note\":\"\","
			   "\"link\":\"https://w/#/incidents/0000000000005eed\","
			   "\"labels\":{ \"team\":\"shop\"}}]}");
	expect("type: webhook, url: 'https://h.example/', body: form", &open, "https://h.example/",
	       "kind=open&key=000000000000004e&thread=0000000000005eed"
	       "&at=2023-11-14T22%3A13%3A20Z&title=%5BERR%5D+PROD%2Fseoul%3A+a%22%3Cb%3E%26c"
	       "&text=%5BERR%5D+PROD%2Fseoul%3A+a%22%3Cb%3E%26c%0A"
	       "++why%3A+no+progress+for+4+min%0A++reason%3A+no_progress%0A"
	       "++worst%3A+orders%2C+partition+3%0A++partitions+in+trouble%3A+2+of+12%0A"
	       "++lag%3A+4711%0A++time+lag%3A+4m+0s%0A++since%3A+2023-11-14T22%3A09%3A20Z%0A"
	       "++lasted%3A+4m+0s%0A++labels%3A+team%3Dshop%0A"
	       "++link%3A+https%3A%2F%2Fw%2F%23%2Fincidents%2F0000000000005eed%0A"
	       "&total=1&status=ERR&worst=ERR&reason=no_progress&environment=PROD"
	       "&cluster=seoul&group=a%22%3Cb%3E%26c"
	       "&link=https%3A%2F%2Fw%2F%23%2Fincidents%2F0000000000005eed");
	expect("type: webhook, url: 'https://h.example/', body: text", &open, "https://h.example/",
	       "[ERR] PROD/seoul: a\"<b>&c\n  why: no progress for 4 min\n  reason: no_progress\n"
	       "  worst: orders, partition 3\n  partitions in trouble: 2 of 12\n  lag: 4711\n"
	       "  time lag: 4m 0s\n  since: 2023-11-14T22:09:20Z\n  lasted: 4m 0s\n"
	       "  labels: team=shop\n  link: https://w/#/incidents/0000000000005eed\n\n"
	       "https://w\n");
}

/* Burrow's notifier: where to, and how, when it opens and when it closes. */
static void burrow(void **state)
{
	static const char OPTIONS[] =
		"type: burrow_http, url: 'http://h.example/{{extra.app}}/{{group}}', method: PUT, "
		"burrow: {send_close: true, url_close: 'http://h.example/{{extra.app}}/{{id}}', "
		"method_close: DELETE, extras: {app: 'a/b'}}";
	const struct incident open = trouble();
	const struct incident end = ended(INCIDENT_RECOVERED);
	struct fixture f = fixture_new(OPTIONS, &open);

	(void)state;
	make(&f, 0);
	assert_int_equal(f.q.method, ALERT_PUT);
	assert_string_equal(buf_str(&f.q.url), "http://h.example/a%2Fb/a%22%3Cb%3E%26c");
	assert_string_equal(header(&f, "Content-Type"), "application/json");
	fixture_free(&f);
	f = fixture_new(OPTIONS, &end);
	make(&f, 0);
	assert_int_equal(f.q.method, ALERT_DELETE);
	assert_string_equal(buf_str(&f.q.url), "http://h.example/a%2Fb/0000000000005eed");
	fixture_free(&f);
	/* Without a place of its own the end goes where the opening went. */
	f = fixture_new("type: burrow_http, url: 'http://h.example/', burrow: {send_close: true}",
			&end);
	make(&f, 0);
	assert_int_equal(f.q.method, ALERT_POST);
	assert_string_equal(buf_str(&f.q.url), "http://h.example/");
	fixture_free(&f);
}

static void headers_say_who_what_and_which(void **state)
{
	const struct incident open = trouble();
	struct fixture f = fixture_new("type: webhook, url: 'https://h.example/', method: PUT, "
				       "token_file: /t, headers: {X-Team: shop, user-agent: we}",
				       &open);

	(void)state;
	make(&f, 0);
	assert_int_equal(f.q.method, ALERT_PUT);
	assert_string_equal(header(&f, "Content-Type"), "application/json");
	assert_string_equal(header(&f, "Idempotency-Key"), "000000000000004e");
	assert_string_equal(header(&f, "Authorization"), "Bearer t0ken");
	assert_string_equal(header(&f, "X-Team"), "shop");
	assert_string_equal(header(&f, "user-agent"), "we");
	assert_null(header(&f, "User-Agent"));
	fixture_free(&f);
	f = fixture_new("type: opsgenie, api_key_file: /k", &open);
	make(&f, 0);
	assert_string_equal(header(&f, "Authorization"), "GenieKey k3y");
	fixture_free(&f);
}

/* Whatever stands in the message. */
static void every_body_of_json_is_json(void **state)
{
	static const char *const OPTIONS[] = {
		"type: slack, url: 'https://h/'",
		"type: teams, url: 'https://h/'",
		"type: pagerduty, api_key_file: /k",
		"type: opsgenie, api_key_file: /k",
		"type: json-sms, url: 'https://h/', from: '+1', to: ['+2']",
		"type: webhook, url: 'https://h/'",
		"type: burrow_http, url: 'https://h/'",
		"type: alertmanager, urls: ['https://h/']",
	};
	const struct incident open = trouble();

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(OPTIONS); k++) {
		for (size_t n = 0; n < EXAMPLES; n++) {
			struct fixture f = fixture_new(OPTIONS[k], &open);
			size_t at = 0;

			message_free(&f.message);
			f.message = example_hard(n);
			make(&f, 0);
			const char *why = json_check(f.q.body.data, f.q.body.size, &at);
			if (why != NULL)
				fail_msg("%s, %s: %s at %zu of %s", OPTIONS[k],
					 example_hard_name(n), why, at, buf_str(&f.q.body));
			fixture_free(&f);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slack),
		cmocka_unit_test(teams),
		cmocka_unit_test(teams_takes_no_more_than_28_kb),
		cmocka_unit_test(pagerduty),
		cmocka_unit_test(opsgenie),
		cmocka_unit_test(only_what_is_all_acknowledged_is),
		cmocka_unit_test(limits_of_fields_are_kept),
		cmocka_unit_test(an_sms_goes_to_each_number),
		cmocka_unit_test(an_sms_is_160_characters_of_gsm),
		cmocka_unit_test(webhooks),
		cmocka_unit_test(burrow),
		cmocka_unit_test(headers_say_who_what_and_which),
		cmocka_unit_test(every_body_of_json_is_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
