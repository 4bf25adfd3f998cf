/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/sampler.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "agent/steady.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define SERVERS "bootstrap.servers"

/* Listing the topics of a large cluster costs the brokers more than all else we ask. Up to a
 * twentieth of the interval it is done at every pass; above, when there is a reason, and once a
 * minute. */
#define LISTING_SHARE 20
#define LISTING_MAX_MS 60000

static const char *property(const struct agent_cluster *conf, const char *key)
{
	for (size_t i = 0; i < conf->kafka.count; i++) {
		if (strcmp(conf->kafka.pairs[i].key, key) == 0)
			return conf->kafka.pairs[i].value;
	}
	return "";
}

int sampler_open(struct sampler *s, const struct agent_cluster *conf, char why[static 512])
{
	CLEANUP(mem_free)
	struct kafka_property *props = mem_resize(NULL, conf->kafka.count, sizeof(*props));

	for (size_t i = 0; i < conf->kafka.count; i++)
		props[i] = (struct kafka_property){conf->kafka.pairs[i].key,
						   conf->kafka.pairs[i].value};
	*s = (struct sampler){.conf = conf, .use_admin = conf->source == AGENT_SOURCE_ADMIN};
	int err = kafka_open(props, conf->kafka.count, why, &s->kafka);
	if (err != ERR_OK)
		return err;
	snprintf(s->servers, sizeof(s->servers), "%s", property(conf, SERVERS));
	table_init(&s->table, &conf->groups, &conf->topics);
	s->keep.rules = keep_rules(&conf->groups, &conf->topics);
	source_topic_init(&s->topic, s->kafka, &s->table, &s->keep);
	s->admin = (struct source_admin){.kafka = s->kafka, .table = &s->table};
	return ERR_OK;
}

void sampler_close(struct sampler *s)
{
	if (s->kafka == NULL)
		return;
	progress_end(&s->progress);
	kafka_topics_free(&s->topics);
	source_topic_free(&s->topic);
	table_free(&s->table);
	keep_free(&s->keep);
	kafka_close(&s->kafka);
}

/* --- between the samples --- */

static bool reading(const struct sampler *s)
{
	return !s->use_admin && s->topic.count > 0 && !s->missing;
}

static void may_not_read(struct sampler *s)
{
	if (s->conf->source == AGENT_SOURCE_AUTO && !s->topic.caught_up) {
		log_warn("__consumer_offsets may not be read: the Admin API is asked instead, "
			 "which shows no repeated commits",
			 "cluster=%s", log_quote(s->conf->name));
		s->use_admin = true;
	} else if (!s->denied) {
		log_error("__consumer_offsets may not be read", "cluster=%s needs=%s",
			  log_quote(s->conf->name), log_quote("READ and DESCRIBE on the topic"));
		s->denied = true;
	}
}

static void nap(int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};
	nanosleep(&t, NULL);
}

static void tell_progress(struct sampler *s)
{
	struct source_progress p = source_topic_progress(&s->topic);

	if (p.to_read > 0)
		progress_tell(&s->progress, s->conf->name, p.read, p.to_read);
}

bool sampler_wait(struct sampler *s, int timeout_ms)
{
	if (!reading(s)) {
		nap(timeout_ms);
		return false;
	}
	bool before = s->topic.caught_up;
	int64_t begun = clock_mono_ms();
	int got = source_topic_read(&s->topic, timeout_ms);

	if (got > 0)
		s->denied = false;
	else if (got == -EACCES)
		may_not_read(s);
	else if (got == ERR_NOT_FOUND)
		s->missing = true;
	/* An error may come back at once, again and again. */
	if (got < 0 && clock_mono_ms() - begun < timeout_ms / 2)
		nap(timeout_ms / 2);

	if (!s->topic.caught_up)
		tell_progress(s);
	else if (!before)
		progress_end(&s->progress);
	return s->topic.caught_up && !before;
}

/* --- topics --- */

static bool listing_due(const struct sampler *s)
{
	int64_t age = clock_mono_ms() - s->listed_mono;

	return s->topics == NULL || age >= LISTING_MAX_MS || s->failed > 0 || s->missing ||
	       s->table.topics.news != s->news_listed ||
	       s->listing_ms * LISTING_SHARE <= s->conf->sample_interval_ms;
}

static int list_topics(struct sampler *s, int timeout_ms)
{
	struct kafka_topics *listed = NULL;
	int64_t begun = clock_mono_ms();

	if (!listing_due(s))
		return ERR_OK;
	int err = kafka_topics(s->kafka, timeout_ms, &listed);
	if (err != ERR_OK)
		return err;
	s->listed_mono = clock_mono_ms();
	s->listing_ms = s->listed_mono - begun;
	topics_update(&s->table.topics, listed);
	s->news_listed = s->table.topics.news;
	kafka_topics_free(&s->topics);
	s->topics = listed;
	return ERR_OK;
}

static const struct kafka_topic *offsets_topic(const struct sampler *s)
{
	size_t low = 0;
	size_t high = s->topics == NULL ? 0 : s->topics->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(s->topics->topics[mid].name, TOPICS_OFFSETS);
		if (order == 0)
			return &s->topics->topics[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Begin to read, or to read more. Where the topic is not listed, reading one partition of it tells
 * whether it is not there or not for us. */
static int follow_topic(struct sampler *s)
{
	const struct kafka_topic *t = offsets_topic(s);
	int32_t count = t != NULL && t->partition_count > 0 ? t->partition_count : 1;

	if (s->use_admin || (s->missing && t == NULL) || (!s->missing && count <= s->topic.count))
		return ERR_OK;
	if (s->missing)
		log_info("__consumer_offsets is there now", "cluster=%s partitions=%d",
			 log_quote(s->conf->name), count);
	int err = source_topic_follow(&s->topic, count);
	if (err == ERR_OK)
		s->missing = false;
	return err;
}

/* --- log offsets --- */

static bool any_answer(const struct kafka_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ranges[i].err == ERR_OK)
			return true;
	}
	return count == 0;
}

/* Ask for the logs of the topics, where wanted, and of __consumer_offsets itself. */
static bool ask_logs(struct sampler *s, bool all, int timeout_ms)
{
	CLEANUP(mem_free) struct kafka_range *ranges = NULL;
	bool listed = offsets_topic(s) != NULL;
	size_t own = reading(s) && listed ? (size_t)s->topic.count : 0;
	size_t count = 0;

	if (all)
		count = topics_ranges(&s->table.topics, own, &ranges);
	else
		ranges = mem_resize(NULL, own, sizeof(*ranges));
	if (own > 0)
		source_topic_ask(&s->topic, offsets_topic(s), ranges + count);

	size_t failed = kafka_ranges(s->kafka, ranges, count + own, timeout_ms);
	if (!any_answer(ranges, count + own))
		return false;
	s->unread = own > 0 ? source_topic_answers(&s->topic, ranges + count) : 0;
	s->failed = failed - MIN(failed, (size_t)s->unread);
	topics_answers(&s->table.topics, ranges, count);
	return true;
}

static enum sample take(struct sampler *s, int timeout_ms)
{
	/* What is committed comes first: a log end asked for later is never behind it. */
	if (s->use_admin && source_admin_take(&s->admin, s->at_ms, timeout_ms) != ERR_OK)
		return SAMPLE_BLIND;
	if (list_topics(s, timeout_ms) != ERR_OK || follow_topic(s) != ERR_OK || s->denied)
		return SAMPLE_BLIND;
	bool catching_up = reading(s) && !s->topic.caught_up;
	if (!ask_logs(s, !catching_up, timeout_ms))
		return SAMPLE_BLIND;
	if (s->probe != NULL && !catching_up)
		probe_stable(s->probe, &s->table.topics, timeout_ms);
	return catching_up ? SAMPLE_CATCHING_UP : SAMPLE_COMPLETE;
}

/* In words, for people. */
static void explain(struct sampler *s)
{
	const char *trouble = kafka_problem(s->kafka);

	s->problem[0] = '\0';
	if (s->denied)
		snprintf(s->problem, sizeof(s->problem),
			 "not authorised to read __consumer_offsets");
	else if (trouble[0] != '\0')
		snprintf(s->problem, sizeof(s->problem), "%s", trouble);
	else if (s->unread > 0)
		snprintf(s->problem, sizeof(s->problem),
			 "%d partitions of __consumer_offsets do not answer", s->unread);
	else if (s->use_admin && s->admin.partial)
		snprintf(s->problem, sizeof(s->problem), "not every broker listed its groups");
	else if (s->use_admin && s->admin.failed > 0)
		snprintf(s->problem, sizeof(s->problem), "%zu groups did not answer",
			 s->admin.failed);
}

enum sample sampler_take(struct sampler *s, int timeout_ms)
{
	s->at_ms = steady_ms();
	enum sample sample = take(s, timeout_ms);
	explain(s);
	if (sample == SAMPLE_BLIND && s->problem[0] == '\0')
		snprintf(s->problem, sizeof(s->problem), "no broker answers");
	return sample;
}

void sampler_report(const struct sampler *s, enum sample sample, struct wire_report *ret_r)
{
	static const enum wire_agent_state STATES[] = {
		[SAMPLE_COMPLETE] = WIRE_AGENT_RUNNING,
		[SAMPLE_CATCHING_UP] = WIRE_AGENT_CATCHING_UP,
		[SAMPLE_BLIND] = WIRE_AGENT_BLIND,
	};
	struct source_progress p = source_topic_progress(&s->topic);

	*ret_r = (struct wire_report){
		.state = STATES[sample],
		.read = p.read,
		.to_read = p.to_read,
		.records = s->topic.records,
		.unknown = s->topic.unknown,
		.malformed = s->topic.malformed,
		.skipped = s->table.skipped,
		.log_failed = s->failed,
		.problem = s->problem,
		.source = s->use_admin ? "admin" : "offsets-topic",
		.servers = s->servers,
		.lag = s->use_admin ? WIRE_UNKNOWN : p.lag,
	};
}
