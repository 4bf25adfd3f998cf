/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/kafka.h"

#include "agent/collect/kafka_priv.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DESTROY_TIMEOUT_S 5
/* Up to here the library sends a nonce that brokers of Kafka 4 refuse as invalid credentials. */
#define SCRAM_VERSION 0x020601ff
/* The library repeats an unchanged trouble every 30 s while it lasts. */
#define TROUBLE_AGE_MS 60000

/* What suits a monitor better than the library's own defaults; the user may override it. */
static const struct kafka_property defaults[] = {
	{"client.id", "warren-agent"},
	{"socket.keepalive.enable", "true"},
	/* Not a minute: so long a broker may accept requests and keep silent. */
	{"socket.timeout.ms", "10000"},
	{"reconnect.backoff.max.ms", "10000"},
	/* An idle connection that the broker closes is no trouble. */
	{"log.connection.close", "false"},
	/* A queue that is full by either measure makes the library rest for a second; all
	 * partitions share one. So only bytes count, and they come in portions much smaller than
	 * it. */
	{"queued.min.messages", "1000000"},
	{"queued.max.messages.kbytes", "8192"},
	{"fetch.max.bytes", "4194304"},
	{"fetch.wait.max.ms", "100"},
	{"fetch.message.max.bytes", "1048576"},
};

/* What the code relies on; the user may not set it. A NULL value is set elsewhere or never. */
static const struct kafka_property ours[] = {
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"enable.partition.eof", "true"},
	/* An offset that is no longer in the log: start that partition again from its beginning. */
	{"auto.offset.reset", "earliest"},
	{"allow.auto.create.topics", "false"},
	{"isolation.level", NULL},
	{"group.id", NULL},
	{"group.instance.id", NULL},
	{"log.queue", NULL},
};

/* --- troubles --- */

/* The place of this broker's trouble, or else an unused one, or else the oldest. */
static struct kafka_trouble *place(struct kafka *k, const char *broker)
{
	struct kafka_trouble *best = &k->troubles[0];

	for (size_t i = 0; i < KAFKA_TROUBLES; i++) {
		struct kafka_trouble *t = &k->troubles[i];
		if (t->text[0] != '\0' && strcmp(t->broker, broker) == 0)
			return t;
		if (best->text[0] != '\0' && (t->text[0] == '\0' || t->at_ms < best->at_ms))
			best = t;
	}
	return best;
}

void kafka_note(struct kafka *k, const char *broker, const char *text)
{
	struct kafka_trouble *t = place(k, broker);

	snprintf(t->broker, sizeof(t->broker), "%s", broker);
	snprintf(t->text, sizeof(t->text), "%s", text);
	t->at_ms = clock_mono_ms();
}

/* That of a broker, if there is one, says more than what follows from it. */
static const struct kafka_trouble *latest_trouble(const struct kafka *k)
{
	const struct kafka_trouble *latest = NULL;
	bool of_broker = false;

	for (size_t i = 0; i < KAFKA_TROUBLES; i++) {
		const struct kafka_trouble *t = &k->troubles[i];
		bool is_broker = t->broker[0] != '\0';
		if (t->text[0] == '\0' || (of_broker && !is_broker))
			continue;
		if (latest == NULL || is_broker > of_broker || t->at_ms > latest->at_ms) {
			latest = t;
			of_broker = is_broker;
		}
	}
	return latest;
}

/* A broker that is down leaves the metadata after a while, and is to be counted still. */
void kafka_count_brokers(struct kafka *k, int count)
{
	k->broker_count = latest_trouble(k) == NULL ? count : MAX(k->broker_count, count);
}

bool kafka_in_trouble(const struct kafka *k, const char *broker)
{
	for (size_t i = 0; i < KAFKA_TROUBLES; i++)
		if (k->troubles[i].text[0] != '\0' && strcmp(k->troubles[i].broker, broker) == 0)
			return true;
	return false;
}

void kafka_forget(struct kafka *k, int64_t at_ms)
{
	for (size_t i = 0; i < KAFKA_TROUBLES; i++)
		if (k->troubles[i].at_ms < at_ms)
			k->troubles[i].text[0] = '\0';
}

const char *kafka_problem(struct kafka *k)
{
	int brokers = 0;

	kafka_serve(k);
	kafka_forget(k, clock_mono_ms() - TROUBLE_AGE_MS);
	for (size_t i = 0; i < KAFKA_TROUBLES; i++)
		brokers += k->troubles[i].text[0] != '\0' && k->troubles[i].broker[0] != '\0';

	const struct kafka_trouble *latest = latest_trouble(k);
	if (latest == NULL)
		k->problem[0] = '\0';
	else if (latest->broker[0] == '\0')
		snprintf(k->problem, sizeof(k->problem), "%s", latest->text);
	else if (k->broker_count >= brokers)
		snprintf(k->problem, sizeof(k->problem), "%d of %d brokers in trouble: %s: %s",
			 brokers, k->broker_count, latest->broker, latest->text);
	else
		snprintf(k->problem, sizeof(k->problem), "%s: %s", latest->broker, latest->text);
	return k->problem;
}

void kafka_serve(struct kafka *k)
{
	rd_kafka_poll(k->plain, 0);
	if (k->reader.rk != NULL)
		rd_kafka_poll(k->reader.rk, 0);
	if (k->admin.rk != NULL)
		rd_kafka_poll(k->admin.rk, 0);
}

/* --- callbacks of the library --- */

/* Called from any thread of the library. It repeats itself: a line like the one before is dropped.
 */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	static _Atomic uint32_t last_hash;
	uint32_t hash = (uint32_t)level;

	(void)rk;
	for (const char *p = text; *p != '\0'; p++)
		hash = hash * 31 + (uint8_t)*p;
	if (atomic_exchange(&last_hash, hash) != hash)
		log_debug("kafka library", "facility=%s text=%s", facility, log_quote(text));
}

/* Called from kafka_serve() only. reason is "ssl://k1:9093/1: what happened", or has no broker. */
static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
	struct kafka *k = opaque;
	const char *text = strstr(reason, ": ");
	const char *host = strstr(reason, "://");

	(void)rk;
	host = host == NULL || (text != NULL && host > text) ? reason : host + 3;
	size_t size = strcspn(host, "/");
	if (text == NULL || host + size > text) {
		kafka_note(k, "", reason);
		return;
	}

	char broker[sizeof(k->troubles[0].broker)];
	snprintf(broker, sizeof(broker), "%.*s", (int)MIN(size, sizeof(broker) - 1), host);
	if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION && strstr(text, "SCRAM") != NULL &&
	    rd_kafka_version() < SCRAM_VERSION) {
		char hint[sizeof(k->troubles[0].text)];
		snprintf(hint, sizeof(hint),
			 "%.170s (librdkafka %s cannot do SCRAM with Kafka 4, 2.6.1 can)", text + 2,
			 rd_kafka_version_str());
		kafka_note(k, broker, hint);
		return;
	}
	kafka_note(k, broker, text + 2);
}

/* --- configuration --- */

/* The library's table of its properties, as text; NULL without memory. Caller frees it. */
static char *property_table(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	rd_kafka_conf_properties_show(f);
	fclose(f);
	return text;
}

/* A line of the table begins "name   |  P  | range"; C, P or * says whom the property is for. */
static bool is_for_producers(const char *table, const char *name)
{
	size_t size = strlen(name);

	for (const char *line = table; line != NULL; line = strchr(line, '\n')) {
		line += strspn(line, "\n");
		if (strncmp(line, name, size) != 0)
			continue;
		const char *p = line + size;
		if (p[strspn(p, " ")] != '|' || *p != ' ')
			continue;
		p += strspn(p, " ") + 1;
		return p[strspn(p, " ")] == 'P';
	}
	return false;
}

static bool is_ours(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (strcmp(ours[i].name, name) == 0)
			return true;
	return false;
}

static int set(rd_kafka_conf_t *conf, const struct kafka_property *p, char why[static 512])
{
	char text[400];

	if (rd_kafka_conf_set(conf, p->name, p->value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
		return ERR_OK;
	snprintf(why, 512, "%.100s: %s", p->name, text);
	return ERR_CONFIG;
}

static int set_users(rd_kafka_conf_t *conf, const char *table, const struct kafka_property *p,
		     char why[static 512])
{
	if (is_ours(p->name)) {
		snprintf(why, 512, "%.100s: is decided by the agent", p->name);
		return ERR_CONFIG;
	}
	if (is_for_producers(table, p->name)) {
		snprintf(why, 512, "%.100s: is a property of producers, and the agent has none",
			 p->name);
		return ERR_CONFIG;
	}
	return set(conf, p, why);
}

static bool is_servers(const char *name)
{
	return strcmp(name, "bootstrap.servers") == 0 || strcmp(name, "metadata.broker.list") == 0;
}

static void free_text(char **text)
{
	free(*text);
}

static int configure(rd_kafka_conf_t *conf, const struct kafka_property *props, size_t count,
		     char why[static 512])
{
	CLEANUP(free_text) char *table = property_table();
	bool servers = false;
	int err = ERR_OK;

	if (table == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(defaults) && err == ERR_OK; i++)
		err = set(conf, &defaults[i], why);
	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		err = set_users(conf, table, &props[i], why);
		servers = servers || (is_servers(props[i].name) && props[i].value[0] != '\0');
	}
	for (size_t i = 0; i < ARRAY_LEN(ours) && err == ERR_OK; i++)
		err = ours[i].value == NULL ? ERR_OK : set(conf, &ours[i], why);
	if (err == ERR_OK && !servers) {
		snprintf(why, 512, "bootstrap.servers: is missing");
		return ERR_CONFIG;
	}
	return err;
}

/* --- handles --- */

int kafka_handle_new(struct kafka *k, const char *isolation, char why[static 512],
		     rd_kafka_t **ret_rk)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_dup(k->conf);
	int err = set(conf, &(struct kafka_property){"isolation.level", isolation}, why);

	if (err == ERR_OK) {
		*ret_rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, 512);
		if (*ret_rk != NULL)
			return ERR_OK;
		err = ERR_CONFIG;
	}
	rd_kafka_conf_destroy(conf);
	return err;
}

static void *destroy(void *rk)
{
	rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	return NULL;
}

void kafka_handle_destroy(rd_kafka_t **rk)
{
	pthread_t thread;
	struct timespec until;

	if (*rk == NULL)
		return;
	if (pthread_create(&thread, NULL, destroy, *rk) != 0) {
		destroy(*rk);
	} else {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += DESTROY_TIMEOUT_S;
		if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) != 0) {
			pthread_detach(thread);
			log_warn("kafka handle does not end, left behind", "");
		}
	}
	*rk = NULL;
}

int kafka_conf_new(const struct kafka_property *props, size_t count, char why[static 512],
		   rd_kafka_conf_t **ret_conf)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	int err = configure(conf, props, count, why);

	rd_kafka_conf_set_log_cb(conf, on_log);
	if (err == ERR_OK)
		*ret_conf = conf;
	else
		rd_kafka_conf_destroy(conf);
	return err;
}

int kafka_open(const struct kafka_property *props, size_t count, char why[static 512],
	       struct kafka **ret_k)
{
	CLEANUP(kafka_close) struct kafka *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return -ENOMEM;
	int err = kafka_conf_new(props, count, why, &k->conf);
	if (err != ERR_OK)
		return err;
	rd_kafka_conf_set_opaque(k->conf, k);
	rd_kafka_conf_set_error_cb(k->conf, on_error);
	err = kafka_handle_new(k, "read_uncommitted", why, &k->plain);
	if (err != ERR_OK)
		return err;
	*ret_k = k;
	k = NULL;
	return ERR_OK;
}

void kafka_close(struct kafka **k)
{
	if (*k == NULL)
		return;
	kafka_reader_close(&(*k)->reader);
	kafka_admin_close(&(*k)->admin);
	kafka_handle_destroy(&(*k)->plain);
	if ((*k)->conf != NULL)
		rd_kafka_conf_destroy((*k)->conf);
	free(*k);
	*k = NULL;
}

int kafka_translate(rd_kafka_resp_err_t err)
{
	switch ((int)err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return ERR_OK;
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
	case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
		return ERR_TIMEOUT;
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
		return ERR_NOT_FOUND;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		return -EACCES;
	default:
		return ERR_BROKER;
	}
}
