/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "aggregator/config.h"
#include "common/err.h"

#ifndef SOURCE_DIR
#define SOURCE_DIR "."
#endif

static struct aggregator_config *parse(const char *yaml, struct buf *errors)
{
	struct aggregator_config *cfg = NULL;
	int err = aggregator_config_parse("f", yaml, strlen(yaml), &cfg, errors);

	assert_int_equal(err, errors->size == 0 ? ERR_OK : ERR_CONFIG);
	return cfg;
}

static struct aggregator_config *parse_good(const char *yaml)
{
	CLEANUP(buf_free) struct buf errors = {0};
	struct aggregator_config *cfg = parse(yaml, &errors);

	if (cfg == NULL)
		fail_msg("%s", buf_str(&errors));
	return cfg;
}

static void the_least_configuration_has_defaults(void **state)
{
	(void)state;
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = parse_good("data_dir: /d");

	assert_string_equal(cfg->data_dir, "/d");
	assert_true(cfg->map_size == (int64_t)16 << 30);
	assert_int_equal(cfg->listen.count, 1);
	assert_string_equal(aggregator_config_listen(cfg, 0)->url, "tcp://127.0.0.1:7701");
	assert_int_equal(cfg->agents.count, 0);
	assert_int_equal(cfg->limits.new_names, 100000);
	assert_string_equal(cfg->http.listen, "127.0.0.1:8000");
	assert_string_equal(cfg->http.allow_origin, "");
	assert_int_equal(cfg->http.connections, 480);
	assert_int_equal(cfg->http.connections_per_address, 60);
	assert_int_equal(cfg->http.idle_timeout_ms, 15000);
	assert_int_equal(cfg->judge.window_ms, 600000);
	assert_int_equal(cfg->judge.intervals, 10);
	assert_int_equal(cfg->judge.allowed_lag, 0);
	assert_int_equal(cfg->judge.max_time_lag_ms, 0);
	assert_int_equal(cfg->judge.stop_after_min_ms, 60000);
	assert_int_equal(cfg->judge.stop_after_max_ms, 3600000);
	assert_int_equal(cfg->judge.warn_after_ms, 60000);
	assert_int_equal(cfg->judge.raise_after, 2);
	assert_int_equal(cfg->judge.clear_after, 2);
	assert_int_equal(cfg->expire_group_ms, 7 * 86400000);
	assert_string_equal(cfg->rules_file, "");
	assert_int_equal(cfg->http.anonymous, ACCESS_READ);
	assert_int_equal(cfg->http.auth.count, 0);
	assert_string_equal(cfg->http.tls.cert_file, "");
	assert_int_equal(cfg->judge.given, 0);
	assert_int_equal(cfg->log.level, LOG_LEVEL_INFO);
	assert_false(cfg->insecure);
}

static void a_full_configuration_is_read(void **state)
{
	(void)state;
	CLEANUP(aggregator_config_free)
	struct aggregator_config *cfg = parse_good(
		"data_dir: /d\nmap_size: 64MiB\nlisten: ['tcp://0.0.0.0:1', {url: "
		"'tls+tcp://[::]:2', tls: {ca_file: a, cert_file: b, key_file: c}, clusters: "
		"['PROD/*']}]\n"
		"http: {listen: '[::]:80', allow_origin: 'https://x.org:8', connections: 8, "
		"connections_per_address: 1, idle_timeout: 5m}\n"
		"judge: {window: 2m, intervals: 60, allowed_lag: 9223372036854775807, "
		"max_time_lag: 1h, stop_after_min: 1s, stop_after_max: 1s, warn_after: 0s, "
		"raise_after: 1, clear_after: 100}\n"
		"agents: [{name: a, key_file: k, clusters: ['*']}]\n"
		"expire_group: 1h\nlog: {level: error, format: json}\ninsecure: true\n");

	assert_int_equal(cfg->listen.count, 2);
	const struct aggregator_listen *l = aggregator_config_listen(cfg, 1);
	assert_string_equal(l->url, "tls+tcp://[::]:2");
	assert_string_equal(l->tls.key_file, "c");
	assert_string_equal(l->clusters.items[0], "PROD/*");
	assert_int_equal(cfg->agents.count, 1);
	assert_string_equal(aggregator_config_agent(cfg, 0)->clusters.items[0], "*");
	assert_string_equal(cfg->http.listen, "[::]:80");
	assert_string_equal(cfg->http.allow_origin, "https://x.org:8");
	assert_int_equal(cfg->judge.window_ms, 120000);
	assert_true(cfg->judge.allowed_lag == INT64_MAX);
	assert_int_equal(cfg->judge.clear_after, 100);
	assert_int_equal(cfg->log.format, LOG_FORMAT_JSON);
}

static void the_role_of_strangers_depends_on_who_can_connect(void **state)
{
	static const struct {
		const char *http;
		enum access_role anonymous;
	} CASES[] = {
		{"listen: 127.0.0.1:1", ACCESS_READ},
		{"listen: '[::1]:1'", ACCESS_READ},
		{"listen: 0.0.0.0:1", ACCESS_NONE},
		{"listen: 0.0.0.0:1, anonymous: read", ACCESS_READ},
		{"listen: 127.0.0.1:1, anonymous: none", ACCESS_NONE},
		{"listen: 127.0.0.1:1, anonymous: ~", ACCESS_READ},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		CLEANUP(buf_free) struct buf yaml = {0};

		buf_printf(&yaml, "data_dir: /d\ninsecure: true\nhttp: {%s}\n", CASES[i].http);
		CLEANUP(aggregator_config_free)
		struct aggregator_config *cfg = parse_good(buf_str(&yaml));
		assert_int_equal(cfg->http.anonymous, CASES[i].anonymous);
	}
}

static void credentials_are_read(void **state)
{
	(void)state;
	CLEANUP(aggregator_config_free)
	struct aggregator_config *cfg = parse_good(
		"data_dir: /d\nhttp:\n  listen: 0.0.0.0:1\n"
		"  tls: {cert_file: c, key_file: k, client_ca_file: a}\n"
		"  auth:\n"
		"  - {name: g, token_file: t, roles: [metrics, read], clusters: [PROD/*, '*']}\n"
		"  - {name: c, client_cn: host, roles: [admin]}\n");
	const struct aggregator_credential *a = cfg->http.auth.items;
	CLEANUP(buf_free) struct buf printed = {0};

	assert_int_equal(cfg->http.auth.count, 2);
	assert_string_equal(a[0].token_file, "t");
	assert_int_equal(a[0].roles.count, 2);
	assert_string_equal(a[0].clusters.items[1], "*");
	assert_string_equal(a[1].client_cn, "host");
	assert_string_equal(a[1].clusters.items[0], "*");
	aggregator_config_print(cfg, &printed);
	CLEANUP(aggregator_config_free)
	struct aggregator_config *again = parse_good(buf_str(&printed));
	assert_int_equal(again->http.auth.count, 2);
}

#define LISTEN_HELP "is no address; expects one such as 127.0.0.1:8000 or [::1]:8000\n"
#define HTTP_HELP                                                                                  \
	"is open to other machines without TLS and credentials; set http.tls and http.auth, or "   \
	"insecure: true\n"
#define ONE_OF                                                                                     \
	"expects exactly one of token_sha256, token_file, password_hash, password_file and "       \
	"client_cn\n"

static const struct {
	const char *yaml; /* behind "data_dir: /d" in line 1 */
	const char *errors;
} BAD[] = {
	{"map_size: 63MiB", "f:2: map_size: 63MiB is out of range; allowed are 64MiB to 16TiB\n"},
	{"map_size: 17TiB", "f:2: map_size: 17TiB is out of range; allowed are 64MiB to 16TiB\n"},
	{"data_dirs: x", "f:2: data_dirs: unknown; did you mean data_dir?\n"},
	{"listen: []", "f:2: listen: has 0 items; allowed are 1 to 16\n"},
	{"listen: [tcp://10.0.0.1:7701]",
	 "f:2: insecure: tcp://10.0.0.1:7701 is plain tcp to other than loopback; use tls+tcp:// "
	 "or set insecure: true\n"},
	{"listen:\n- tcp://localhost:7701\n- tcp://localhost\n",
	 "f:4: listen: tcp://localhost is no address; expects tcp://host:port or "
	 "tls+tcp://host:port, an IPv6 host in brackets\n"},
	{"listen:\n- url: tcp://10.0.0.1:7701\n- {urls: x}\n",
	 "f:4: urls: unknown; did you mean url?\nf:4: url: missing; it is required\n"
	 "f:3: insecure: tcp://10.0.0.1:7701 is plain tcp to other than loopback; use tls+tcp:// "
	 "or set insecure: true\n"},
	{"listen:\n- url: tls+tcp://0.0.0.0:7701\n  tls: {ca_file: c}\n",
	 "f:3: tls: cert_file: missing; tls+tcp:// needs it\n"
	 "f:3: tls: key_file: missing; tls+tcp:// needs it\n"},
	{"listen: [[a]]", "f:2: listen: item is no map; expects a map\n"},
	{"agents:\n- {name: a, key_file: k, clusters: [x]}\n- {name: a, key_file: k, clusters: "
	 "[x]}",
	 "f:4: agents: a is there twice\n"},
	{"agents:\n- {name: a, key_file: k}", "f:3: clusters: missing; it is required\n"},
	{"agents: [a]", "f:2: agents: item is no map; expects a map\n"},
	{"limits: {new_names: 999}",
	 "f:2: new_names: 999 is out of range; allowed are 1000 to 1000000000\n"},
	{"http:\n  listen: 0.0.0.0:8000", "f:3: insecure: 0.0.0.0:8000 " HTTP_HELP},
	{"http:\n  listen: 0.0.0.0:8000\n  tls: {cert_file: c, key_file: k}",
	 "f:3: insecure: 0.0.0.0:8000 is open to other machines without credentials; set "
	 "http.auth, or insecure: true\n"},
	{"http:\n  listen: 0.0.0.0:8000\n  auth: [{name: n, token_file: t, roles: [read]}]",
	 "f:3: insecure: 0.0.0.0:8000 is open to other machines without TLS; set http.tls, or "
	 "insecure: true\n"},
	{"http:\n  anonymous: admin",
	 "f:3: anonymous: admin is wrong; expects one of none, metrics, read\n"},
	{"http:\n  tls: {cert_file: c}", "f:3: tls: cert_file and key_file go together\n"},
	{"http:\n  tls: {client_ca_file: c}",
	 "f:3: client_ca_file: needs cert_file and key_file\n"},
	{"http:\n  auth:\n  - {name: a b, token_file: t, roles: [read]}",
	 "f:4: name: \"a b\" holds more than plain characters without blanks\n"},
	{"http:\n  auth:\n  - {name: n, token_file: t}", "f:4: roles: missing; it is required\n"},
	{"http:\n  auth:\n  - {name: n, roles: [read]}", "f:4: auth: " ONE_OF},
	{"http:\n  auth:\n  - {name: n, roles: [read], token_file: t, client_cn: c}",
	 "f:4: auth: " ONE_OF "f:4: client_cn: needs tls.client_ca_file\n"},
	{"http:\n  auth:\n  - {name: n, roles: [read], password_file: t}",
	 "f:4: user: goes together with password_hash or password_file\n"},
	{"http:\n  auth:\n  - {name: n, roles: [read], token_file: t, user: u}",
	 "f:4: user: goes together with password_hash or password_file\n"},
	{"http:\n  auth:\n  - {name: n, roles: [read], password_file: t, user: 'u:v'}",
	 "f:4: user: u:v holds a colon or a control character\n"},
	{"http:\n  auth:\n  - {name: n, roles: [root], token_file: t}",
	 "f:4: roles: root is wrong; expects metrics, read or admin\n"},
	{"http:\n  auth:\n  - {name: n, roles: [read], token_sha256: secret}",
	 "f:4: token_sha256: is wrong; expects 64 hex digits, as from: printf %s TOKEN | "
	 "sha256sum\n"},
	{"http:\n  auth:\n  - {name: n, roles: [read], token_file: t, clusters: [local]}",
	 "f:4: clusters: local is wrong; expects a pattern such as PROD/* of "
	 "ENVIRONMENT/CLUSTER\n"},
	{"http:\n  auth:\n  - {name: n, roles: [read], token_file: t, clusters: []}",
	 "f:4: clusters: has 0 items; allowed are 1 to 64\n"},
	{"http:\n  auth:\n  - {name: n, roles: [read], password_file: t, user: u}\n"
	 "  - {name: n, roles: [read], password_file: t, user: u}",
	 "f:4: name: n comes twice\nf:4: user: u comes twice\n"},
	{"http:\n  listen: '[::]:8000'", "f:3: insecure: [::]:8000 " HTTP_HELP},
	{"http:\n  listen: localhost:8000", "f:3: listen: localhost:8000 " LISTEN_HELP},
	{"http:\n  listen: 8000", "f:3: listen: 8000 " LISTEN_HELP},
	{"http:\n  listen: 127.0.0.1:0", "f:3: listen: 127.0.0.1:0 " LISTEN_HELP},
	{"http:\n  listen: ':8000'", "f:3: listen: :8000 " LISTEN_HELP},
	{"http:\n  listen: 1.2.3:8000", "f:3: listen: 1.2.3:8000 " LISTEN_HELP},
	{"http:\n  allow_origin: \"*\\r\\nX: y\"",
	 "f:3: allow_origin: \"*\\r\\nX: y\" is no origin; expects * or one such as "
	 "https://host:port\n"},
	{"http:\n  allow_origin: \"caf\\u00e9\"",
	 "f:3: allow_origin: \"caf\xc3\xa9\" is no origin; expects * or one such as "
	 "https://host:port\n"},
	{"http:\n  connections: 481",
	 "f:3: connections: 481 is out of range; allowed are 8 to 480\n"},
	{"http:\n  connections_per_address: 0",
	 "f:3: connections_per_address: 0 is out of range; allowed are 1 to 480\n"},
	{"http:\n  idle_timeout: 0s",
	 "f:3: idle_timeout: 0s is out of range; allowed are 1s to 5m\n"},
	{"judge:\n  window: 90s", "f:3: window: 90s is out of range; allowed are 2m to 1h\n"},
	{"judge:\n  intervals: 1", "f:3: intervals: 1 is out of range; allowed are 2 to 60\n"},
	{"judge:\n  allowed_lag: -1",
	 "f:3: allowed_lag: -1 is out of range; allowed are 0 to 9223372036854775807\n"},
	{"judge:\n  stop_after_min: 2h", "f:3: stop_after_max: is less than stop_after_min\n"},
	{"judge:\n  stop_after_min: 5m\n  stop_after_max: 4m",
	 "f:4: stop_after_max: is less than stop_after_min\n"},
	{"judge:\n  raise_after: 0\n  clear_after: 101",
	 "f:3: raise_after: 0 is out of range; allowed are 1 to 100\n"
	 "f:4: clear_after: 101 is out of range; allowed are 1 to 100\n"},
	{"expire_group: 59m", "f:2: expire_group: 59m is out of range; allowed are 1h to 3650d\n"},
	{"insecure: 1", "f:2: insecure: 1 is wrong; expects true or false\n"},
};

static void all_mistakes_are_told_with_their_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		CLEANUP(buf_free) struct buf yaml = {0};
		CLEANUP(buf_free) struct buf errors = {0};

		buf_printf(&yaml, "data_dir: /d\n%s", BAD[i].yaml);
		assert_null(parse(buf_str(&yaml), &errors));
		assert_string_equal(buf_str(&errors), BAD[i].errors);
	}
}

static void a_missing_directory_is_told(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};

	assert_null(parse("", &errors));
	assert_string_equal(buf_str(&errors), "f:1: data_dir: missing; it is required\n");
}

static void the_example_loads_and_shows_the_defaults(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf printed = {0};
	CLEANUP(buf_free) struct buf defaults = {0};
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;

	if (aggregator_config_load(SOURCE_DIR "/deploy/aggregator.example.yaml", &cfg, &errors) !=
	    ERR_OK)
		fail_msg("%s", buf_str(&errors));
	aggregator_config_print(cfg, &printed);
	CLEANUP(aggregator_config_free)
	struct aggregator_config *least = parse_good("data_dir: /var/lib/warren");
	aggregator_config_print(least, &defaults);
	assert_string_equal(buf_str(&printed), buf_str(&defaults));
}

static void the_example_has_every_option(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf example = {0};
	CLEANUP(buf_free) struct buf printed = {0};
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = parse_good("data_dir: /d");
	FILE *f = fopen(SOURCE_DIR "/deploy/aggregator.example.yaml", "r");

	assert_non_null(f);
	char *at = buf_reserve(&example, 65536);
	example.size = fread(at, 1, 65535, f);
	fclose(f);
	aggregator_config_print(cfg, &printed);
	buf_str(&printed);
	for (char *line = strtok(printed.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		CLEANUP(buf_free) struct buf key = {0};

		line += strspn(line, " -");
		buf_put(&key, line, strcspn(line, ":") + 1);
		if (strstr(buf_str(&example), buf_str(&key)) == NULL)
			fail_msg("%s is not in the example", buf_str(&key));
	}
}

static void what_is_printed_loads_again(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf first = {0};
	CLEANUP(buf_free) struct buf second = {0};
	CLEANUP(aggregator_config_free)
	struct aggregator_config *cfg = parse_good("data_dir: '/d $${HOME}'");

	aggregator_config_print(cfg, &first);
	CLEANUP(aggregator_config_free)
	struct aggregator_config *again = parse_good(buf_str(&first));
	aggregator_config_print(again, &second);
	assert_string_equal(buf_str(&first), buf_str(&second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_configuration_has_defaults),
		cmocka_unit_test(a_full_configuration_is_read),
		cmocka_unit_test(the_role_of_strangers_depends_on_who_can_connect),
		cmocka_unit_test(credentials_are_read),
		cmocka_unit_test(all_mistakes_are_told_with_their_lines),
		cmocka_unit_test(a_missing_directory_is_told),
		cmocka_unit_test(the_example_loads_and_shows_the_defaults),
		cmocka_unit_test(the_example_has_every_option),
		cmocka_unit_test(what_is_printed_loads_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
