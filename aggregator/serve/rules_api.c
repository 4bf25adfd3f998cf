/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/rules_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/api.h"
#include "aggregator/serve/problem.h"
#include "common/conf_value.h"
#include "common/date.h"
#include "common/err.h"

/* --- one value --- */

/* As it is written in the file, and as a number. */
static void put_duration(struct json *j, int64_t ms)
{
	CLEANUP(buf_free) struct buf text = {0};
	const struct conf_item item = {.type = CONF_DURATION};

	conf_value_put(&text, &item, &ms);
	api_str(j, "value", buf_str(&text));
	api_int(j, "ms", ms);
}

static void put_time(struct json *j, const char *key, int64_t ms)
{
	CLEANUP(buf_free) struct buf text = {0};

	date_put(&text, ms);
	api_str(j, key, buf_str(&text));
}

static void put_maintenance(struct json *j, const struct rules *r)
{
	json_key(j, "value");
	if (r->maintenance_until_ms == 0) {
		json_null(j);
		return;
	}
	json_begin_object(j);
	put_time(j, "until", r->maintenance_until_ms);
	api_str(j, "why", r->maintenance_why != NULL ? r->maintenance_why : "");
	json_end_object(j);
}

/* The members "value", and for durations "ms". */
static void put_value(struct json *j, const struct rules *r, enum rules_key k)
{
	switch (k) {
	case RULES_ALLOWED_LAG:
		api_int(j, "value", r->allowed_lag);
		break;
	case RULES_MAX_TIME_LAG:
		put_duration(j, r->max_time_lag_ms);
		break;
	case RULES_WINDOW:
		put_duration(j, r->window_ms);
		break;
	case RULES_STOP_AFTER_MIN:
		put_duration(j, r->stop_after_min_ms);
		break;
	case RULES_STOP_AFTER_MAX:
		put_duration(j, r->stop_after_max_ms);
		break;
	case RULES_WARN_AFTER:
		put_duration(j, r->warn_after_ms);
		break;
	case RULES_RAISE_AFTER:
		api_int(j, "value", r->raise_after);
		break;
	case RULES_CLEAR_AFTER:
		api_int(j, "value", r->clear_after);
		break;
	case RULES_EXPIRE_GROUP:
		put_duration(j, r->expire_group_ms);
		break;
	case RULES_IGNORE:
		json_key(j, "value");
		json_bool(j, r->ignore);
		break;
	default:
		put_maintenance(j, r);
		break;
	}
}

void rules_api_put(struct json *j, const struct rules_set *s, const struct rules_found *f)
{
	json_begin_object(j);
	for (unsigned i = 0; i < RULES_KEYS; i++) {
		CLEANUP(buf_free) struct buf origin = {0};
		enum rules_key k = (enum rules_key)i;

		rules_put_origin(s, f, k, &origin);
		json_key(j, rules_key_str(k));
		json_begin_object(j);
		put_value(j, &f->rules, k);
		api_str(j, "origin", buf_str(&origin));
		json_end_object(j);
	}
	json_end_object(j);
}

/* --- the set --- */

static void put_set(struct json *j, const struct rulebook_state *state)
{
	char hash[17];

	snprintf(hash, sizeof(hash), "%016" PRIx64, rules_hash(state->rules));
	api_str(j, "file", rules_file(state->rules));
	api_str(j, "hash", hash);
	api_int(j, "version", state->version);
	put_time(j, "since", state->since_ms);
	api_int(j, "since_ms", state->since_ms);
}

/* The lines of a text as an array. */
static void put_lines(struct json *j, const char *key, struct buf *text)
{
	json_key(j, key);
	json_begin_array(j);
	for (const char *at = buf_str(text); *at != '\0';) {
		size_t size = strcspn(at, "\n");

		json_text(j, at, size);
		at += size + (at[size] == '\n');
	}
	json_end_array(j);
}

static void put_refused(struct json *j, struct rulebook_state *state, const struct access *who)
{
	json_key(j, "refused");
	if (state->refused_at_ms == 0) {
		json_null(j);
		return;
	}
	json_begin_object(j);
	put_time(j, "at", state->refused_at_ms);
	api_int(j, "at_ms", state->refused_at_ms);
	/* They may name any cluster. */
	if (who->scope == 0)
		put_lines(j, "errors", &state->refused);
	json_end_object(j);
}

static void put_given(struct json *j, const struct rules_entry *e)
{
	json_key(j, "values");
	json_begin_object(j);
	for (unsigned k = 0; k < RULES_KEYS; k++) {
		if ((e->given & 1u << k) == 0)
			continue;
		json_key(j, rules_key_str((enum rules_key)k));
		json_begin_object(j);
		put_value(j, &e->values, (enum rules_key)k);
		api_int(j, "line", e->lines[k]);
		json_end_object(j);
	}
	json_end_object(j);
}

static void put_entry(struct json *j, const struct rules_entry *e)
{
	static const enum rules_field ORDER[] = {RULES_ENVIRONMENT, RULES_CLUSTER, RULES_GROUP,
						 RULES_TOPIC, RULES_PARTITION};

	json_begin_object(j);
	api_int(j, "line", e->line);
	for (size_t i = 0; i < ARRAY_LEN(ORDER); i++)
		api_str(j, rules_field_str(ORDER[i]), e->patterns[ORDER[i]]);
	put_given(j, e);
	json_key(j, "labels");
	json_begin_object(j);
	for (size_t i = 0; i < e->label_count; i++) {
		json_name(j, e->labels[i].name);
		json_begin_object(j);
		api_str(j, "value", e->labels[i].value);
		api_int(j, "line", e->labels[i].line);
		json_end_object(j);
	}
	json_end_object(j);
	json_end_object(j);
}

/* The rules, to who sees some of the clusters alone those that can concern them. */
static void put_entries(struct json *j, struct server *s, const struct request *rq,
			const struct rules_set *set)
{
	struct view **views = NULL;
	size_t view_count = server_all_views(s, rq, &views);
	size_t count = 0;
	const struct rules_entry *entries = rules_entries(set, &count);

	json_key(j, "rules");
	json_begin_array(j);
	for (size_t i = 0; i < count; i++) {
		const char *const *patterns = entries[i].patterns;

		if (rq->who->scope == 0 ||
		    api_concerns(views, view_count, patterns[RULES_ENVIRONMENT],
				 patterns[RULES_CLUSTER]))
			put_entry(j, &entries[i]);
	}
	json_end_array(j);
	for (size_t i = 0; i < view_count; i++)
		view_unref(&views[i]);
	free(views);
}

void rules_api_list(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	struct json j = {.out = &rs->body};

	if (!query_check(rq, "pretty", rs))
		return;
	server_calls(s)->rules(server_calls(s)->arg, &state);
	const struct rules_found base = {.rules = rules_base(state.rules)->values};
	rs->type = "application/json";
	json_begin_object(&j);
	put_set(&j, &state);
	put_refused(&j, &state, rq->who);
	json_key(&j, "defaults");
	rules_api_put(&j, state.rules, &base);
	put_entries(&j, s, rq, state.rules);
	json_end_object(&j);
}

/* --- reloading --- */

static void answer_reloaded(struct server *s, bool changed, struct response *rs)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	struct json j = {.out = &rs->body};
	size_t count = 0;

	server_calls(s)->rules(server_calls(s)->arg, &state);
	rules_entries(state.rules, &count);
	rs->type = "application/json";
	json_begin_object(&j);
	put_set(&j, &state);
	json_key(&j, "rules");
	json_uint(&j, count);
	json_key(&j, "changed");
	json_bool(&j, changed);
	json_end_object(&j);
}

void rules_api_reload(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(buf_free) struct buf errors = {0};
	bool changed = false;

	(void)rq;
	int err = server_calls(s)->reload_rules(server_calls(s)->arg, &errors, &changed);
	if (err == ERR_OK) {
		answer_reloaded(s, changed, rs);
		return;
	}
	if (err == ERR_NOT_FOUND) {
		problem_answer(rs, 409,
			       "there is no rules file: set rules_file in aggregator.yaml and "
			       "restart");
		return;
	}
	struct json j = problem_begin(
		rs, 422, "the rules file is wrong; the rules from before stay in force");
	put_lines(&j, "errors", &errors);
	problem_end(&j);
}

/* --- one place --- */

static void put_labels(struct json *j, const struct rules_set *s, const struct rules_place *p)
{
	struct rules_label *labels = NULL;
	size_t count = rules_labels(s, p, &labels);

	json_begin_object(j);
	for (size_t i = 0; i < count; i++) {
		CLEANUP(buf_free) struct buf origin = {0};

		buf_printf(&origin, "%s line %d", rules_file(s), labels[i].line);
		json_name(j, labels[i].name);
		json_begin_object(j);
		api_str(j, "value", labels[i].value);
		api_str(j, "origin", buf_str(&origin));
		json_end_object(j);
	}
	json_end_object(j);
	free(labels);
}

static void put_place(struct json *j, const struct rules_place *p)
{
	api_str(j, "environment", p->environment);
	api_str(j, "cluster", p->cluster);
	api_str(j, "group", p->group);
	json_key(j, "topic");
	if (p->topic != NULL)
		json_str(j, p->topic);
	else
		json_null(j);
	json_key(j, "partition");
	if (p->partition >= 0)
		json_int(j, p->partition);
	else
		json_null(j);
}

static void answer_place(struct server *s, const struct rules_place *p, bool known,
			 struct response *rs)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	struct json j = {.out = &rs->body};
	struct rules_found f;

	server_calls(s)->rules(server_calls(s)->arg, &state);
	rules_resolve(state.rules, p, &f);
	rs->type = "application/json";
	json_begin_object(&j);
	put_place(&j, p);
	json_key(&j, "known");
	json_bool(&j, known);
	put_set(&j, &state);
	json_key(&j, "values");
	rules_api_put(&j, state.rules, &f);
	json_key(&j, "labels");
	put_labels(&j, state.rules, p);
	json_end_object(&j);
}

void rules_api_group(struct server *s, const struct request *rq, struct response *rs)
{
	char copy[REQUEST_TARGET_MAX + 1];
	const char *topic = NULL;
	int64_t partition = -1;

	if (!query_check(rq, "env topic partition pretty", rs) ||
	    !api_query_text(rq, "topic", copy, &topic, rs) ||
	    !api_query_number(rq, "partition", INT32_MAX, &partition, rs))
		return;
	if (partition >= 0 && topic == NULL) {
		problem_answer(rs, 400, "partition needs a topic beside it");
		return;
	}
	CLEANUP(view_unref) struct view *v = api_find_view(s, rq, rs);
	if (v == NULL)
		return;
	const struct rules_place place = {
		.environment = v->environment,
		.cluster = v->cluster,
		.group = rq->args[1],
		.topic = topic,
		.partition = (int32_t)partition,
	};
	answer_place(s, &place, view_find_group(v, rq->args[1]) != NULL, rs);
}
