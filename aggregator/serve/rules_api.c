/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/rules_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/rules_file.h"
#include "aggregator/serve/admin.h"
#include "aggregator/serve/problem.h"
#include "aggregator/serve/query.h"
#include "common/conf_value.h"
#include "common/err.h"

/* --- one value --- */

static void put_str(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_str(j, value);
}

static void put_int(struct json *j, const char *key, int64_t value)
{
	json_key(j, key);
	json_int(j, value);
}

/* As it is written in the file, and as a number. */
static void put_duration(struct json *j, int64_t ms)
{
	CLEANUP(buf_free) struct buf text = {0};
	const struct conf_item item = {.type = CONF_DURATION};

	conf_value_put(&text, &item, &ms);
	put_str(j, "value", buf_str(&text));
	put_int(j, "ms", ms);
}

static void put_time(struct json *j, const char *key, int64_t ms)
{
	CLEANUP(buf_free) struct buf text = {0};

	rules_file_put_time(&text, ms);
	put_str(j, key, buf_str(&text));
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
	put_str(j, "why", r->maintenance_why != NULL ? r->maintenance_why : "");
	json_end_object(j);
}

/* The members "value", and for durations "ms". */
static void put_value(struct json *j, const struct rules *r, enum rules_key k)
{
	switch (k) {
	case RULES_ALLOWED_LAG:
		put_int(j, "value", r->allowed_lag);
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
		put_int(j, "value", r->raise_after);
		break;
	case RULES_CLEAR_AFTER:
		put_int(j, "value", r->clear_after);
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

/* Every key with its value and where that comes from. */
static void put_found(struct json *j, const struct rules_set *s, const struct rules_found *f)
{
	json_begin_object(j);
	for (unsigned i = 0; i < RULES_KEYS; i++) {
		CLEANUP(buf_free) struct buf origin = {0};
		enum rules_key k = (enum rules_key)i;

		rules_put_origin(s, f, k, &origin);
		json_key(j, rules_key_str(k));
		json_begin_object(j);
		put_value(j, &f->rules, k);
		put_str(j, "origin", buf_str(&origin));
		json_end_object(j);
	}
	json_end_object(j);
}

/* --- the set --- */

static void put_set(struct json *j, const struct rulebook_state *state)
{
	char hash[17];

	snprintf(hash, sizeof(hash), "%016" PRIx64, rules_hash(state->rules));
	put_str(j, "file", rules_file(state->rules));
	put_str(j, "hash", hash);
	put_int(j, "version", state->version);
	put_time(j, "since", state->since_ms);
	put_int(j, "since_ms", state->since_ms);
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

static void put_refused(struct json *j, struct rulebook_state *state)
{
	json_key(j, "refused");
	if (state->refused_at_ms == 0) {
		json_null(j);
		return;
	}
	json_begin_object(j);
	put_time(j, "at", state->refused_at_ms);
	put_int(j, "at_ms", state->refused_at_ms);
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
		put_int(j, "line", e->lines[k]);
		json_end_object(j);
	}
	json_end_object(j);
}

static void put_entry(struct json *j, const struct rules_entry *e)
{
	static const enum rules_field ORDER[] = {RULES_ENVIRONMENT, RULES_CLUSTER, RULES_GROUP,
						 RULES_TOPIC, RULES_PARTITION};

	json_begin_object(j);
	put_int(j, "line", e->line);
	for (size_t i = 0; i < ARRAY_LEN(ORDER); i++)
		put_str(j, rules_field_str(ORDER[i]), e->patterns[ORDER[i]]);
	put_given(j, e);
	json_key(j, "labels");
	json_begin_object(j);
	for (size_t i = 0; i < e->label_count; i++) {
		json_name(j, e->labels[i].name);
		json_begin_object(j);
		put_str(j, "value", e->labels[i].value);
		put_int(j, "line", e->labels[i].line);
		json_end_object(j);
	}
	json_end_object(j);
	json_end_object(j);
}

void rules_api_list(struct server *s, const struct request *rq, struct response *rs)
{
	CLEANUP(rulebook_state_free) struct rulebook_state state = {0};
	struct json j = {.out = &rs->body};
	size_t count = 0;

	(void)rq;
	server_calls(s)->rules(server_calls(s)->arg, &state);
	const struct rules_entry *entries = rules_entries(state.rules, &count);
	const struct rules_found base = {.rules = rules_base(state.rules)->values};
	rs->type = "application/json";
	json_begin_object(&j);
	put_set(&j, &state);
	put_refused(&j, &state);
	json_key(&j, "defaults");
	put_found(&j, state.rules, &base);
	json_key(&j, "rules");
	json_begin_array(&j);
	for (size_t i = 0; i < count; i++)
		put_entry(&j, &entries[i]);
	json_end_array(&j);
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

	if (!admin_allowed(s, rq, rs))
		return;
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

/* What the query asks of the group. */
struct asked {
	char env[REQUEST_TARGET_MAX + 1]; /* "": any */
	char topic[REQUEST_TARGET_MAX + 1];
	bool has_topic;
	int32_t partition; /* -1: all */
};

static int parse_partition(const char *text, int32_t *ret)
{
	char *end = NULL;

	errno = 0;
	long n = strtol(text, &end, 10);
	if (strspn(text, "0123456789") != strlen(text) || *text == '\0' || errno != 0 ||
	    n > INT32_MAX)
		return ERR_MALFORMED;
	*ret = (int32_t)n;
	return ERR_OK;
}

/* NULL, or what is wrong with the query. */
static const char *parse_query(const struct request *rq, struct asked *ret_a)
{
	char number[REQUEST_TARGET_MAX + 1];

	ret_a->partition = -1;
	int err = query_get(rq, "env", ret_a->env);
	if (err == ERR_NOT_FOUND)
		ret_a->env[0] = '\0';
	int topic_err = query_get(rq, "topic", ret_a->topic);
	int partition_err = query_get(rq, "partition", number);
	if (err == ERR_MALFORMED || topic_err == ERR_MALFORMED || partition_err == ERR_MALFORMED)
		return "the query holds a percent escape that is none, or a NUL";
	ret_a->has_topic = topic_err == ERR_OK;
	if (partition_err == ERR_NOT_FOUND)
		return NULL;
	if (!ret_a->has_topic)
		return "partition needs a topic beside it";
	return parse_partition(number, &ret_a->partition) == ERR_OK
		       ? NULL
		       : "partition must be a number from 0 up";
}

/* The view of the cluster, referenced. NULL, and the refusal in rs: there is none, or several. */
static struct view *find_view(struct server *s, const char *name, const char *env,
			      struct response *rs)
{
	struct view **views = NULL;
	struct view *found = NULL;
	size_t matches = 0;
	size_t count = board_all(server_board(s), &views);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(views[i]->cluster, name) == 0 &&
		    (*env == '\0' || strcmp(views[i]->environment, env) == 0) && ++matches == 1)
			found = views[i];
		else
			view_unref(&views[i]);
	}
	free(views);
	if (matches == 1)
		return found;
	view_unref(&found);
	if (matches == 0)
		problem_answer(rs, 404, "no such cluster");
	else
		problem_answer(rs, 409,
			       "several environments have a cluster of this name: say which with "
			       "?env=");
	return NULL;
}

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
		put_str(j, "value", labels[i].value);
		put_str(j, "origin", buf_str(&origin));
		json_end_object(j);
	}
	json_end_object(j);
	free(labels);
}

static void put_place(struct json *j, const struct rules_place *p)
{
	put_str(j, "environment", p->environment);
	put_str(j, "cluster", p->cluster);
	put_str(j, "group", p->group);
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
	put_found(&j, state.rules, &f);
	json_key(&j, "labels");
	put_labels(&j, state.rules, p);
	json_end_object(&j);
}

void rules_api_group(struct server *s, const struct request *rq, struct response *rs)
{
	struct asked a;
	const char *wrong = parse_query(rq, &a);

	if (wrong != NULL) {
		problem_answer(rs, 400, wrong);
		return;
	}
	CLEANUP(view_unref) struct view *v = find_view(s, rq->args[0], a.env, rs);
	if (v == NULL)
		return;
	const struct rules_place place = {
		.environment = v->environment,
		.cluster = v->cluster,
		.group = rq->args[1],
		.topic = a.has_topic ? a.topic : NULL,
		.partition = a.partition,
	};
	answer_place(s, &place, view_find_group(v, rq->args[1]) != NULL, rs);
}
