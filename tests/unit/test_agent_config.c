/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "common/err.h"

#ifndef SOURCE_DIR
#define SOURCE_DIR "."
#endif

#define HEAD                                                                                       \
	"name: a\nstate_dir: /s\naggregators: [tcp://127.0.0.1:7701]\nclusters:\n"                 \
	"  - name: c\n    kafka: {bootstrap.servers: 'k:9092'}\n"

static char directory[64];
static char fifo_path[96];
static char good_path[96];
static char open_path[96];
static char empty_path[96];
static char long_path[96];

static struct agent_config *parse(const char *yaml, struct buf *errors)
{
	struct agent_config *cfg = NULL;
	int err = agent_config_parse("f", yaml, strlen(yaml), &cfg, errors);

	assert_int_equal(err, errors->size == 0 ? ERR_OK : ERR_CONFIG);
	return cfg;
}

static struct agent_config *parse_good(const char *yaml)
{
	CLEANUP(buf_free) struct buf errors = {0};
	struct agent_config *cfg = parse(yaml, &errors);

	if (cfg == NULL)
		fail_msg("%s", buf_str(&errors));
	return cfg;
}

static void the_least_configuration_has_defaults(void **state)
{
	(void)state;
	CLEANUP(agent_config_free) struct agent_config *cfg = parse_good(HEAD);

	assert_string_equal(cfg->name, "a");
	assert_string_equal(cfg->state_dir, "/s");
	assert_int_equal(cfg->aggregators.count, 1);
	assert_string_equal(cfg->aggregators.items[0], "tcp://127.0.0.1:7701");
	assert_true(cfg->limits.spool_bytes == (int64_t)1 << 30);
	assert_int_equal(cfg->limits.spool_age_ms, 86400000);
	assert_int_equal(cfg->log.level, LOG_LEVEL_INFO);
	assert_int_equal(cfg->log.format, LOG_FORMAT_LOGFMT);
	assert_false(cfg->insecure);
	assert_int_equal(cfg->clusters.count, 1);
	const struct agent_cluster *cluster = agent_config_cluster(cfg, 0);
	assert_string_equal(cluster->name, "c");
	assert_string_equal(cluster->environment, "");
	assert_int_equal(cluster->source, AGENT_SOURCE_AUTO);
	assert_int_equal(cluster->sample_interval_ms, 10000);
	assert_int_equal(cluster->groups.allow.count, 0);
	assert_int_equal(cluster->topics.deny.count, 0);
	assert_int_equal(cluster->kafka.count, 1);
	assert_string_equal(cluster->kafka.pairs[0].value, "k:9092");
	assert_true(cluster->probe.enabled);
	assert_int_equal(cluster->probe.per_pass, 20);
	assert_int_equal(cluster->probe.max_bytes, 1 << 20);
}

static void a_full_configuration_is_read(void **state)
{
	(void)state;
	CLEANUP(agent_config_free)
	struct agent_config *cfg = parse_good(
		"name: dc1-prod-a\n"
		"state_dir: /var/lib/warren-agent\n"
		"aggregators: ['tcp://[::1]:7701', 'tls+tcp://agg.example.org:7702']\n"
		"tls: {ca_file: ca, cert_file: /c, key_file: k}\n"
		"key_file: agent.key\n"
		"clusters:\n"
		"  - name: Seoul-1\n"
		"    environment: PROD\n"
		"    kafka: {bootstrap.servers: 'k1:9092,k2:9092', socket.timeout.ms: 3000}\n"
		"    source: admin\n"
		"    sample_interval: 1m\n"
		"    groups: {allow: ['*'], deny: ['console-consumer-*']}\n"
		"    topics: {allow: [], deny: ['__*']}\n"
		"    probe: {enabled: false, per_pass: 1, max_bytes: 64KiB}\n"
		"  - name: Seoul-1\n"
		"    environment: TEST\n"
		"    kafka: {bootstrap.servers: k3}\n"
		"    source: offsets-topic\n"
		"limits: {spool_bytes: 16MiB, spool_age: 30d}\n"
		"log: {level: debug, format: json}\n"
		"insecure: true\n");

	char name[256];
	agent_config_server_name(cfg, 0, name);
	assert_string_equal(name, "");
	agent_config_server_name(cfg, 1, name);
	assert_string_equal(name, "agg.example.org");
	assert_string_equal(cfg->tls.files.cert_file, "/c");
	assert_string_equal(cfg->key_file, "agent.key");
	assert_int_equal(cfg->clusters.count, 2);
	const struct agent_cluster *first = agent_config_cluster(cfg, 0);
	const struct agent_cluster *second = agent_config_cluster(cfg, 1);
	assert_string_equal(first->environment, "PROD");
	assert_int_equal(first->source, AGENT_SOURCE_ADMIN);
	assert_int_equal(first->sample_interval_ms, 60000);
	assert_string_equal(first->kafka.pairs[1].key, "socket.timeout.ms");
	assert_string_equal(first->kafka.pairs[1].value, "3000");
	assert_string_equal(first->groups.deny.items[0], "console-consumer-*");
	assert_false(first->probe.enabled);
	assert_int_equal(first->probe.per_pass, 1);
	assert_int_equal(first->probe.max_bytes, 64 << 10);
	assert_true(second->probe.enabled);
	assert_string_equal(second->environment, "TEST");
	assert_int_equal(second->source, AGENT_SOURCE_OFFSETS_TOPIC);
	assert_int_equal(cfg->log.level, LOG_LEVEL_DEBUG);
	assert_int_equal(cfg->log.format, LOG_FORMAT_JSON);
	assert_true(cfg->insecure);
}

#define ADDRESS_HELP "expects tcp://host:port or tls+tcp://host:port, an IPv6 host in brackets"
#define PLAIN_HELP "is plain tcp to other than loopback; use tls+tcp:// or set insecure: true"

static const struct {
	const char *yaml;
	const char *errors;
} BAD[] = {
	{"", "f:1: name: missing; it is required\n"
	     "f:1: state_dir: missing; it is required\n"
	     "f:1: aggregators: missing; it is required\n"
	     "f:1: clusters: missing; it is required\n"},
	{HEAD "nmae: x", "f:7: nmae: unknown; did you mean name?\n"},
	{HEAD "sample_interval: 5s",
	 "f:7: sample_interval: unknown; allowed are name, state_dir, aggregators, tls, "
	 "key_file, clusters, limits, log, insecure\n"},
	{"name: a\nstate_dir: /s\naggregators:\n  - tls+tcp://agg:1\n  - tls+tcp://10.0.0.1:2\n"
	 "clusters:\n  - {name: c, kafka: {bootstrap.servers: k}}\ntls:\n  ca_file: c\n",
	 "f:5: tls: server_name: missing; tls+tcp://10.0.0.1:2 has no name to find in the "
	 "aggregator's certificate\n"
	 "f:9: tls: cert_file: missing; tls+tcp:// needs it\n"
	 "f:9: tls: key_file: missing; tls+tcp:// needs it\n"},
	{"name: a\nstate_dir: /s\naggregators: ['tls+tcp://agg:1']\n"
	 "clusters:\n  - {name: c, kafka: {bootstrap.servers: k}}\n",
	 "f:1: tls: ca_file: missing; tls+tcp:// needs it\n"
	 "f:1: tls: cert_file: missing; tls+tcp:// needs it\n"
	 "f:1: tls: key_file: missing; tls+tcp:// needs it\n"},
	{HEAD "    sample_interval: 0s",
	 "f:7: sample_interval: 0s is out of range; allowed are 1s to 10m\n"},
	{HEAD "    sample_interval: 601s",
	 "f:7: sample_interval: 601s is out of range; allowed are 1s to 10m\n"},
	{HEAD "    probe: {per_pass: 0}",
	 "f:7: per_pass: 0 is out of range; allowed are 1 to 1000\n"},
	{HEAD "    probe: {max_bytes: 17MiB}",
	 "f:7: max_bytes: 17MiB is out of range; allowed are 1KiB to 16MiB\n"},
	{HEAD "    source: topic",
	 "f:7: source: topic is wrong; expects one of auto, offsets-topic, admin\n"},
	{HEAD "    groups: ['*']", "f:7: groups: is a list; expects a map of options\n"},
	{HEAD "    groups: {alow: ['*']}", "f:7: alow: unknown; did you mean allow?\n"},
	{HEAD "    environment: a/b", "f:7: environment: a/b has a '/'; a name may not\n"},
	{HEAD "    sample_intervall: 5s",
	 "f:7: sample_intervall: unknown; did you mean sample_interval?\n"},
	{HEAD "  - kafka: {bootstrap.servers: k}", "f:7: name: missing; it is required\n"},
	{HEAD "  - name: d", "f:7: kafka: missing; it is required\n"},
	{HEAD "  - name: d\n    kafka: {client.id: x}",
	 "f:8: kafka: bootstrap.servers: missing; expects host:port,host:port,...\n"},
	{HEAD "  - name: d\n    kafka: {bootstrap.servers: ''}",
	 "f:8: kafka: bootstrap.servers: missing; expects host:port,host:port,...\n"},
	{HEAD "  - name: d/e\n    kafka: {bootstrap.servers: k}",
	 "f:7: name: d/e has a '/'; a name may not\n"},
	{HEAD "  - name: c\n    kafka: {bootstrap.servers: k}",
	 "f:7: clusters: c is there twice in environment \"\"; a name may be once in each\n"},
	{HEAD "  - name: c\n    environment: P\n    kafka: {bootstrap.servers: k}\n"
	      "  - name: c\n    environment: P\n    kafka: {bootstrap.servers: k}\n",
	 "f:10: clusters: c is there twice in environment P; a name may be once in each\n"},
	{HEAD "limits:\n  spool_bytes: 15MiB\n  spool_age: 59s\n",
	 "f:8: spool_bytes: 15MiB is out of range; allowed are 16MiB to 1TiB\n"
	 "f:9: spool_age: 59s is out of range; allowed are 1m to 30d\n"},
	{HEAD "log: {level: trace}",
	 "f:7: level: trace is wrong; expects one of debug, info, warn, error\n"},
	{HEAD "log: info", "f:7: log: is a single value; expects a map of options\n"},
	{"name: 'a b'\nstate_dir: ''\naggregators: []\nclusters: []\n",
	 "f:1: name: \"a b\" has characters other than A-Z a-z 0-9 . _ -\n"
	 "f:2: state_dir: has 0 bytes; allowed are 1 to 4000\n"
	 "f:3: aggregators: has 0 items; allowed are 1 to 8\n"
	 "f:4: clusters: has 0 items; allowed are 1 to 64\n"},
};

static void all_mistakes_are_told_with_their_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		CLEANUP(buf_free) struct buf errors = {0};

		assert_null(parse(BAD[i].yaml, &errors));
		assert_string_equal(buf_str(&errors), BAD[i].errors);
	}
}

static const struct {
	const char *address;
	const char *error; /* behind the address; NULL: none */
} ADDRESSES[] = {
	{"tcp://127.0.0.1:7701", NULL},
	{"tcp://127.8.9.10:1", NULL},
	{"tcp://localhost:65535", NULL},
	{"tcp://[::1]:7701", NULL},
	{"tls+tcp://warren.example.org:7701", NULL},
	{"tls+tcp://10.0.0.1:7701", NULL},
	{"tls+tcp://[2001:db8::1]:7701", NULL},
	{"tcp://10.0.0.1:7701", PLAIN_HELP},
	{"tcp://0.0.0.0:7701", PLAIN_HELP},
	{"tcp://[::]:7701", PLAIN_HELP},
	{"tcp://localhost.example.org:7701", PLAIN_HELP},
	{"tcp://128.0.0.1:7701", PLAIN_HELP},
	{"127.0.0.1:7701", ADDRESS_HELP},
	{"http://127.0.0.1:7701", ADDRESS_HELP},
	{"TCP://127.0.0.1:7701", ADDRESS_HELP},
	{"tcp://127.0.0.1", ADDRESS_HELP},
	{"tcp://127.0.0.1:", ADDRESS_HELP},
	{"tcp://127.0.0.1:0", ADDRESS_HELP},
	{"tcp://127.0.0.1:65536", ADDRESS_HELP},
	{"tcp://127.0.0.1:000001", ADDRESS_HELP},
	{"tcp://127.0.0.1:77x", ADDRESS_HELP},
	{"tcp://127.0.0.1:-1", ADDRESS_HELP},
	{"tcp://:7701", ADDRESS_HELP},
	{"tcp://::1:7701", ADDRESS_HELP},
	{"tcp://[::1:7701", ADDRESS_HELP},
	{"tcp://[]:7701", ADDRESS_HELP},
	{"tcp://[:7701", ADDRESS_HELP},
	{"tcp://[x]:7701", ADDRESS_HELP},
	{"tcp://[127.0.0.1]:7701", ADDRESS_HELP},
	{"tcp://a/b:7701", ADDRESS_HELP},
	{"tcp://", ADDRESS_HELP},
};

static void aggregators_are_checked_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ADDRESSES); i++) {
		CLEANUP(buf_free) struct buf errors = {0};
		CLEANUP(buf_free) struct buf yaml = {0};

		buf_printf(&yaml,
			   "name: a\nstate_dir: /s\naggregators:\n  - tcp://127.0.0.1:1\n  - '%s'\n"
			   "clusters:\n  - {name: c, kafka: {bootstrap.servers: k}}\n"
			   "tls: {ca_file: /a, cert_file: /c, key_file: /k, server_name: warren}\n",
			   ADDRESSES[i].address);
		CLEANUP(agent_config_free)
		struct agent_config *cfg = parse(buf_str(&yaml), &errors);
		assert_true((cfg != NULL) == (ADDRESSES[i].error == NULL));
		if (ADDRESSES[i].error == NULL)
			continue;
		assert_ptr_equal(strstr(buf_str(&errors), "f:5: "), errors.data);
		assert_non_null(strstr(buf_str(&errors), ADDRESSES[i].address));
		assert_non_null(strstr(buf_str(&errors), ADDRESSES[i].error));
	}
}

static void insecure_allows_plain_tcp_elsewhere(void **state)
{
	(void)state;
	CLEANUP(agent_config_free)
	struct agent_config *cfg =
		parse_good("name: a\nstate_dir: /s\naggregators: [tcp://10.0.0.1:7701]\n"
			   "clusters: [{name: c, kafka: {bootstrap.servers: k}}]\n"
			   "insecure: true\n");

	assert_true(cfg->insecure);
}

static void a_very_long_host_is_refused(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf yaml = {0};
	CLEANUP(buf_free) struct buf errors = {0};

	buf_puts(&yaml, "name: a\nstate_dir: /s\naggregators: ['tcp://");
	for (int i = 0; i < 256; i++)
		buf_putc(&yaml, 'h');
	buf_puts(&yaml, ":1']\nclusters: [{name: c, kafka: {bootstrap.servers: k}}]\n");
	assert_null(parse(buf_str(&yaml), &errors));
	assert_non_null(strstr(buf_str(&errors), "is no address"));
}

/* --- secrets --- */

static struct agent_config *parse_kafka(const char *properties, const char *path,
					struct buf *errors)
{
	CLEANUP(buf_free) struct buf yaml = {0};

	buf_puts(&yaml, "name: a\nstate_dir: /s\naggregators: [tcp://127.0.0.1:7701]\nclusters:\n"
			"  - name: c\n    kafka:\n      bootstrap.servers: k\n");
	buf_printf(&yaml, "      %s: %s\n", properties, path);
	return parse(buf_str(&yaml), errors);
}

static void a_file_gives_the_value_of_its_key(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf printed = {0};
	CLEANUP(agent_config_free)
	struct agent_config *cfg = parse_kafka("sasl.username_file", good_path, &errors);

	assert_non_null(cfg);
	const struct conf_pair *pair = &agent_config_cluster(cfg, 0)->kafka.pairs[1];
	assert_string_equal(pair->key, "sasl.username");
	assert_string_equal(pair->value, "pa ss");
	assert_true(pair->secret);
	agent_config_print(cfg, &printed);
	assert_non_null(strstr(buf_str(&printed), "sasl.username: \"***\"\n"));
	assert_null(strstr(buf_str(&printed), "pa ss"));
}

static void secret_properties_are_masked(void **state)
{
	(void)state;
	static const char *const SECRETS[] = {
		"sasl.password",    "ssl.keystore.password", "sasl.oauthbearer.client.secret",
		"sasl.jaas.config", "ssl.key.pem",
	};
	static const char *const OPEN[] = {"sasl.username", "ssl.certificate.pem", "client.id"};

	for (size_t i = 0; i < ARRAY_LEN(SECRETS) + ARRAY_LEN(OPEN); i++) {
		CLEANUP(buf_free) struct buf errors = {0};
		CLEANUP(buf_free) struct buf printed = {0};
		bool secret = i < ARRAY_LEN(SECRETS);
		CLEANUP(agent_config_free)
		struct agent_config *cfg = parse_kafka(
			secret ? SECRETS[i] : OPEN[i - ARRAY_LEN(SECRETS)], "hush", &errors);

		assert_non_null(cfg);
		agent_config_print(cfg, &printed);
		assert_true((strstr(buf_str(&printed), "hush") == NULL) == secret);
		assert_string_equal(agent_config_cluster(cfg, 0)->kafka.pairs[1].value, "hush");
	}
}

static void secret_files_must_be_fit_for_it(void **state)
{
	(void)state;
	const struct {
		const char *path;
		const char *why;
	} cases[] = {
		{open_path, "others may read or write it; expects a mode such as 0640"},
		{empty_path, "its first line is empty"},
		{long_path, "its first line is too long"},
		{"/nowhere/none", "No such file or directory"},
		{directory, "not a regular file"},
		{fifo_path, "not a regular file"},
		{"/dev/null", "not a regular file"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_free) struct buf errors = {0};
		CLEANUP(buf_free) struct buf want = {0};

		assert_null(parse_kafka("sasl.password_file", cases[i].path, &errors));
		buf_printf(&want, "f:8: kafka: sasl.password_file: %s: %s\n", cases[i].path,
			   cases[i].why);
		assert_string_equal(buf_str(&errors), buf_str(&want));
	}
}

static void a_key_and_its_file_exclude_each_other(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf later = {0};

	buf_printf(&later, "%s\n      sasl.password: x", good_path);
	assert_null(parse_kafka("sasl.password_file", buf_str(&later), &errors));
	assert_string_equal(buf_str(&errors),
			    "f:8: kafka: sasl.password: given twice, with and without _file\n");
	buf_reset(&errors);
	assert_null(parse_kafka("sasl.password: x\n      sasl.password_file", good_path, &errors));
	assert_string_equal(buf_str(&errors),
			    "f:9: kafka: sasl.password: given twice, with and without _file\n");
}

static void secrets_are_in_no_error(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};

	assert_null(parse_kafka("sasl.password", "[hush]", &errors));
	assert_null(parse_kafka("sasl.password: hush\n      x", "[a]", &errors));
	assert_null(strstr(buf_str(&errors), "hush"));
}

/* --- the example --- */

static void the_example_loads_and_shows_the_defaults(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf printed = {0};
	CLEANUP(buf_free) struct buf defaults = {0};
	CLEANUP(agent_config_free) struct agent_config *cfg = NULL;

	if (agent_config_load(SOURCE_DIR "/deploy/agent.example.yaml", &cfg, &errors) != ERR_OK)
		fail_msg("%s", buf_str(&errors));
	agent_config_print(cfg, &printed);
	CLEANUP(agent_config_free)
	struct agent_config *least = parse_good(
		"name: dc1-prod-a\nstate_dir: /var/lib/warren-agent\n"
		"aggregators: [tcp://127.0.0.1:7701]\n"
		"clusters: [{name: Seoul-1, kafka: {bootstrap.servers: localhost:9092}}]\n");
	agent_config_print(least, &defaults);
	assert_string_equal(buf_str(&printed), buf_str(&defaults));
}

static void the_example_has_every_option(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf example = {0};
	CLEANUP(buf_free) struct buf printed = {0};
	CLEANUP(agent_config_free) struct agent_config *cfg = parse_good(HEAD);
	FILE *f = fopen(SOURCE_DIR "/deploy/agent.example.yaml", "r");

	assert_non_null(f);
	char *at = buf_reserve(&example, 65536);
	example.size = fread(at, 1, 65535, f);
	fclose(f);
	agent_config_print(cfg, &printed);
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
	CLEANUP(agent_config_free) struct agent_config *cfg = parse_good(HEAD);

	agent_config_print(cfg, &first);
	CLEANUP(agent_config_free) struct agent_config *again = parse_good(buf_str(&first));
	agent_config_print(again, &second);
	assert_string_equal(buf_str(&first), buf_str(&second));
}

static void write_file(char path[static 96], const char *name, const char *text, mode_t mode)
{
	snprintf(path, 96, "%s/%s", directory, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static int make_files(void **state)
{
	(void)state;
	char *big = calloc(1, 70001);

	strcpy(directory, "/tmp/test_config.XXXXXX");
	assert_non_null(mkdtemp(directory));
	memset(big, 'x', 70000);
	write_file(good_path, "good", "pa ss\r\nsecond line\n", 0640);
	write_file(open_path, "open", "secret\n", 0644);
	write_file(empty_path, "empty", "\nx\n", 0600);
	write_file(long_path, "long", big, 0600);
	free(big);
	snprintf(fifo_path, sizeof(fifo_path), "%s/fifo", directory);
	return mkfifo(fifo_path, 0600);
}

static int remove_files(void **state)
{
	(void)state;
	unlink(good_path);
	unlink(open_path);
	unlink(empty_path);
	unlink(long_path);
	unlink(fifo_path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_configuration_has_defaults),
		cmocka_unit_test(a_full_configuration_is_read),
		cmocka_unit_test(all_mistakes_are_told_with_their_lines),
		cmocka_unit_test(aggregators_are_checked_addresses),
		cmocka_unit_test(insecure_allows_plain_tcp_elsewhere),
		cmocka_unit_test(a_very_long_host_is_refused),
		cmocka_unit_test(a_file_gives_the_value_of_its_key),
		cmocka_unit_test(secret_properties_are_masked),
		cmocka_unit_test(secret_files_must_be_fit_for_it),
		cmocka_unit_test(a_key_and_its_file_exclude_each_other),
		cmocka_unit_test(secrets_are_in_no_error),
		cmocka_unit_test(the_example_loads_and_shows_the_defaults),
		cmocka_unit_test(the_example_has_every_option),
		cmocka_unit_test(what_is_printed_loads_again),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
