/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/alert_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "aggregator/config.h"
#include "aggregator/config_alert.h"
#include "common/err.h"
#include "temp.h"

#define HOOK "  receivers: [{name: hook, type: webhook, url: 'http://h/'}]\n"

static struct aggregator_config *parse(const char *alert, struct buf *errors)
{
	CLEANUP(buf_free) struct buf text = {0};
	struct aggregator_config *cfg = NULL;

	buf_printf(&text, "data_dir: /d\nalert:\n%s", alert);
	int err = aggregator_config_parse("a.yaml", text.data, text.size, &cfg, errors);

	assert_true((err == ERR_OK) == (cfg != NULL));
	return cfg;
}

static struct aggregator_config *parse_ok(const char *alert)
{
	CLEANUP(buf_free) struct buf errors = {0};
	struct aggregator_config *cfg = parse(alert, &errors);

	if (cfg == NULL)
		print_message("%s", buf_str(&errors));
	assert_non_null(cfg);
	return cfg;
}

static void assert_error(const char *alert, const char *expected)
{
	CLEANUP(buf_free) struct buf errors = {0};
	struct aggregator_config *cfg = parse(alert, &errors);

	if (cfg != NULL || strstr(buf_str(&errors), expected) == NULL)
		print_message("%s\n-> %s\nexpected: %s\n", alert, buf_str(&errors), expected);
	assert_null(cfg);
	assert_non_null(strstr(buf_str(&errors), expected));
}

static void without_it_nobody_is_told(void **state)
{
	struct aggregator_config *cfg = parse_ok("");

	(void)state;
	assert_int_equal(cfg->alert.receivers.count, 0);
	assert_string_equal(cfg->alert.route.receiver, "");
	assert_string_equal(cfg->alert.route.name, "top");
	aggregator_config_free(&cfg);
}

static void a_route_inherits_what_it_does_not_say(void **state)
{
	struct aggregator_config *cfg =
		parse_ok(HOOK "  route:\n"
			      "    receiver: hook\n"
			      "    wait: 7s\n"
			      "    group_by: [topic, team]\n"
			      "    hours: {from: '08:00', to: '18:00', timezone: Europe/Berlin}\n"
			      "    routes:\n"
			      "      - wait: 9s\n"
			      "        routes: [{group_by: [], name: deep}]\n"
			      "      - {receiver: '', hours: {}}\n");
	const struct alert_route *first = cfg->alert.route.routes.items;
	const struct alert_route *deep = first->routes.items;

	(void)state;
	assert_string_equal(first->receiver, "hook");
	assert_string_equal(first->name, "1");
	assert_int_equal(first->wait_ms, 9000);
	assert_int_equal(first->group_by.count, 2);
	assert_string_equal(first->hours.timezone, "Europe/Berlin");
	assert_int_equal(deep->wait_ms, 9000);
	assert_int_equal(deep->group_by.count, 0);
	assert_string_equal(deep->name, "deep");
	assert_string_equal(deep->hours.from, "08:00");
	assert_string_equal(first[1].receiver, "");
	assert_int_equal(first[1].wait_ms, 7000);
	assert_string_equal(first[1].hours.from, "00:00");
	aggregator_config_free(&cfg);
}

/* What is in effect is printed; loaded again it means the same. */
static void what_is_printed_means_the_same(void **state)
{
	CLEANUP(buf_free) struct buf text = {0};
	CLEANUP(buf_free) struct buf again = {0};
	CLEANUP(buf_free) struct buf errors = {0};
	struct aggregator_config *cfg = parse_ok(
		"  receivers:\n"
		"    - {name: hook, type: webhook, url: 'http://h/', headers: {X-Key: s3cr3t}}\n"
		"    - {name: mail, type: mail, server: 'smtp://h', from: a@b, to: [c@d]}\n"
		"    - {name: b, type: burrow_http, url: 'http://h/', burrow: {extras: {a: b}}}\n"
		"  route: {receiver: hook, wait: 7s, routes: [{label: {team: x*}, routes: "
		"[{receiver: mail}]}]}\n");
	struct aggregator_config *other = NULL;

	(void)state;
	aggregator_config_print(cfg, &text);
	assert_null(strstr(buf_str(&text), "s3cr3t"));
	assert_int_equal(aggregator_config_parse("b.yaml", text.data, text.size, &other, &errors),
			 ERR_OK);
	aggregator_config_print(other, &again);
	assert_string_equal(buf_str(&text), buf_str(&again));
	const struct alert_route *first = other->alert.route.routes.items;

	assert_int_equal(first->wait_ms, 7000);
	aggregator_config_free(&cfg);
	aggregator_config_free(&other);
}

static void mistakes_say_what_and_where(void **state)
{
	(void)state;
	assert_error(HOOK "  route: {receiver: hok}\n",
		     "a.yaml:4: receiver: there is no receiver hok; there are hook");
	assert_error("  route: {receiver: hok}\n", "alert.receivers is empty");
	assert_error(HOOK "  route: {receiver: hook, routes: [{escalate_to: nobody}]}\n",
		     "escalate_to: there is no receiver nobody");
	assert_error(HOOK "  route: {receiver: hook, hours: {otherwise: nobody}}\n",
		     "otherwise: there is no receiver nobody");
	assert_error(HOOK "  route: {receiver: hook, escalate_after: 5m}\n",
		     "escalate_after: needs escalate_to");
	assert_error(HOOK "  route: {routes: [{name: a}, {routes: [{name: a}]}]}\n",
		     "name: there are two routes a");
	assert_error(HOOK "  route: {status: [STOP]}\n",
		     "status: STOP is wrong; expects WARN, ERR");
	assert_error(HOOK "  route: {reason: [tired]}\n", "reason: tired is wrong");
	assert_error(HOOK "  route: {hours: {days: [monday]}}\n", "days: monday is wrong");
	assert_error(HOOK "  route: {hours: {from: '8:00'}}\n", "is no time of day");
	assert_error(HOOK "  route: {hours: {timezone: Europe/Atlantis}}\n",
		     "timezone: Europe/Atlantis is not known here");
	assert_error(HOOK "  route: {hours: {timezone: ../../etc/passwd}}\n", "is not known here");
	assert_error(HOOK "  route: {recever: hook}\n", "did you mean receiver?");
	assert_error(HOOK "  send: first-alive\n", "send: first-alive needs peers");
	assert_error(HOOK "  send: first-alive\n  peers: ['http://a:1', 'http://b:1']\n",
		     "self: \"\" is none of peers");
}

static void mistakes_of_receivers_too(void **state)
{
	(void)state;
	assert_error("  receivers: [{name: a, type: sms}]\n", "type: sms is wrong");
	assert_error("  receivers: [{name: a, type: webhook}]\n", "url: missing");
	assert_error("  receivers: [{name: a, type: webhook, url: 'http://h/', url_file: f}]\n",
		     "url: and url_file do not go together");
	assert_error("  receivers: [{name: a, type: webhook, url: 'ftp://h/'}]\n", "is no URL");
	assert_error("  receivers: [{name: a, type: slack, url: \"http://h/\\r\\nX: y\"}]\n",
		     "is no URL");
	assert_error("  receivers: [{name: a, type: webhook, url: 'http://h/', to: [x]}]\n",
		     "to: is not for receivers of type webhook");
	assert_error("  receivers: [{name: a, type: mail, from: a@b, to: [c@d]}]\n",
		     "server: missing");
	assert_error("  receivers: [{name: a, type: mail, server: 'smtp://h'}]\n",
		     "needs from and to");
	assert_error(
		"  receivers: [{name: a, type: mail, server: 'smtp://h', from: a@b, to: [c@d], "
		"user: u, password_file: f, starttls: none}]\n",
		"would send the password in clear");
	assert_error("  receivers: [{name: a, type: mail, server: 'smtp://h', from: \"a\\nb\", to: "
		     "[c@d]}]\n",
		     "holds a control character");
	assert_error("  receivers: [{name: a, type: pagerduty}]\n", "api_key_file: missing");
	assert_error("  receivers: [{name: a, type: alertmanager}]\n", "urls: missing");
	assert_error("  receivers: [{name: a, type: webhook, url: 'http://h/', headers: {\"X\\n\": "
		     "y}}]\n",
		     "is no header of one line");
	assert_error("  receivers: [{name: a, type: burrow_http, url: 'http://h/', burrow: "
		     "{group_allowlist: '('}}]\n",
		     "is no POSIX extended regular expression");
	assert_error("  receivers: [{name: a, type: burrow_http, url: 'http://h/', burrow: "
		     "{group_denylist: '^[a-z]+-\\d+$'}}]\n",
		     "group_denylist: \\d means nothing in a POSIX extended regular expression");
	assert_error("  receivers: [{name: a, type: webhook, url: 'http://h/', proxy: "
		     "'ann:secr3t@proxy:3128'}]\n",
		     "proxy: this is no URL of a proxy");
	assert_error(HOOK "  receivers: [{name: a, type: none}, {name: a, type: none}]\n", "");
	assert_error("  receivers: [{name: a, type: none}, {name: a, type: none}]\n",
		     "name: the receiver a is there twice");
}

/* Each block of it that begins with "alert:". */
static void examples_of_the_readme_load(void **state)
{
	static const char BEGIN[] = "```yaml\nalert:\n";
	CLEANUP(buf_free) struct buf readme = {0};
	FILE *f = fopen(SOURCE_DIR "/README.md", "re");
	size_t found = 0;

	(void)state;
	assert_non_null(f);
	char *room = buf_reserve(&readme, (size_t)1 << 20);
	readme.size = fread(room, 1, ((size_t)1 << 20) - 1, f);
	assert_int_equal(fclose(f), 0);
	for (const char *at = buf_str(&readme); (at = strstr(at, BEGIN)) != NULL; found++) {
		CLEANUP(buf_free) struct buf block = {0};

		at += sizeof(BEGIN) - 1;
		const char *end = strstr(at, "```");
		assert_non_null(end);
		buf_put(&block, at, (size_t)(end - at));
		struct aggregator_config *cfg = parse_ok(buf_str(&block));
		aggregator_config_free(&cfg);
	}
	assert_true(found >= 2);
}

static void secrets_must_be_readable_and_by_no_other(void **state)
{
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf text = {0};
	struct temp temp = temp_make();
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/token", temp.dir);
	buf_printf(&text,
		   "  receivers: [{name: a, type: webhook, url: 'http://h/', token_file: %s}]\n",
		   path);
	struct aggregator_config *cfg = parse_ok(buf_str(&text));

	assert_int_equal(config_alert_secrets(&cfg->alert, &errors), ERR_CONFIG);
	assert_non_null(strstr(buf_str(&errors), "token_file: of the receiver a: "));
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs("0123456789abcdef\n", file);
	fclose(file);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(config_alert_secrets(&cfg->alert, &errors), ERR_CONFIG);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(config_alert_secrets(&cfg->alert, &errors), ERR_OK);
	aggregator_config_free(&cfg);
	temp_remove(&temp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_it_nobody_is_told),
		cmocka_unit_test(a_route_inherits_what_it_does_not_say),
		cmocka_unit_test(what_is_printed_means_the_same),
		cmocka_unit_test(mistakes_say_what_and_where),
		cmocka_unit_test(mistakes_of_receivers_too),
		cmocka_unit_test(examples_of_the_readme_load),
		cmocka_unit_test(secrets_must_be_readable_and_by_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
