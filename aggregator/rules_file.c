/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/rules_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/date.h"
#include "common/err.h"
#include "common/log.h"

#define SECONDS ((int64_t)1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)

#define NAME_MAX_BYTES 1024 /* of a pattern: as long as a group's name may be */
#define TEXT_MAX_BYTES 1024 /* of a label, and of why */
#define LABELS_MAX 32

struct maintenance {
	char *until;
	char *why;
};

/* One rule as the file has it. */
struct written {
	char *patterns[RULES_FIELDS];
	int64_t allowed_lag;
	int64_t max_time_lag_ms;
	int64_t window_ms;
	int64_t stop_after_min_ms;
	int64_t stop_after_max_ms;
	int64_t warn_after_ms;
	int64_t raise_after;
	int64_t clear_after;
	int64_t expire_group_ms;
	bool ignore;
	struct maintenance maintenance;
	struct conf_map labels;

	/* set by the checks */
	int64_t until_ms;
	uint32_t given;
	int lines[RULES_KEYS];
	int line;
	int label_lines[LABELS_MAX];
};

struct file {
	struct conf_array rules; /* of struct written */
};

/* --- times --- */

/* --- checks --- */

static void check_partition(struct conf_load *c, const struct tree_node *node, void *field)
{
	const char *pattern = *(char **)field;

	if (strspn(pattern, "0123456789*?[]-!") != strlen(pattern))
		conf_error(c, node, "partition: %s matches no number; expects one, or a pattern",
			   log_quote(pattern));
}

static void check_until(struct conf_load *c, const struct tree_node *node, void *field)
{
	int64_t ms = 0;

	if (!date_parse(*(char **)field, &ms))
		conf_error(c, node,
			   "until: %s is no time; expects one such as 2026-12-01T06:00:00Z",
			   log_quote(*(char **)field));
}

static void check_maintenance(struct conf_load *c, const struct tree_node *map, void *object)
{
	const struct tree_node *until = tree_get(map, "until");

	(void)object;
	if (map != NULL && (until == NULL || until->null))
		conf_error(c, map, "maintenance: until is missing; it is required");
}

static void check_labels(struct conf_load *c, const struct tree_node *node, void *field)
{
	const struct conf_map *map = field;
	const struct tree_node *child = node->first;

	for (size_t i = 0; i < map->count; i++, child = child->next) {
		if (strlen(map->pairs[i].value) > TEXT_MAX_BYTES)
			conf_error(c, child,
				   "labels: value of %s has %zu bytes; allowed are 0 to "
				   "%d",
				   log_quote(child->key), strlen(map->pairs[i].value),
				   TEXT_MAX_BYTES);
		if (child->key[0] == '\0')
			conf_error(c, child, "labels: a name is empty");
	}
}

static void note_given(struct written *w, const struct tree_node *map)
{
	for (size_t k = 0; k < RULES_KEYS; k++) {
		const struct tree_node *node = tree_get(map, rules_key_str((enum rules_key)k));

		if (node == NULL || node->null)
			continue;
		w->given |= 1u << k;
		w->lines[k] = node->line;
	}
}

/* Whether a rule has anything beside its place: what has a mistake counts. */
static bool says_anything(const struct tree_node *map)
{
	for (const struct tree_node *n = map->first; n != NULL; n = n->next) {
		unsigned f = 0;

		while (f < RULES_FIELDS &&
		       strcmp(n->key, rules_field_str((enum rules_field)f)) != 0)
			f++;
		if (f == RULES_FIELDS && !n->null)
			return true;
	}
	return false;
}

static bool gives(const struct written *w, enum rules_key k)
{
	return (w->given & 1u << k) != 0;
}

static void check_rule(struct conf_load *c, const struct tree_node *map, void *object)
{
	struct written *w = object;
	const struct tree_node *labels = tree_get(map, "labels");
	size_t i = 0;

	w->line = map->line;
	note_given(w, map);
	if (labels != NULL && labels->kind == TREE_MAP && labels->count <= LABELS_MAX)
		for (const struct tree_node *n = labels->first; n != NULL; n = n->next)
			w->label_lines[i++] = n->line;
	if (w->maintenance.until[0] != '\0')
		(void)date_parse(w->maintenance.until, &w->until_ms); /* reported already */
	if (!says_anything(map))
		conf_error(c, map,
			   "rules: this one says nothing; expects a key such as "
			   "allowed_lag, or labels");
	if (gives(w, RULES_STOP_AFTER_MIN) && gives(w, RULES_STOP_AFTER_MAX) &&
	    w->stop_after_max_ms < w->stop_after_min_ms)
		conf_error(c, tree_get(map, "stop_after_max"),
			   "stop_after_max: is less than stop_after_min");
	if (gives(w, RULES_EXPIRE_GROUP) && (strcmp(w->patterns[RULES_TOPIC], "*") != 0 ||
					     strcmp(w->patterns[RULES_PARTITION], "*") != 0))
		conf_error(c, tree_get(map, "expire_group"),
			   "expire_group: is for whole groups; topic and partition must be \"*\"");
}

/* --- the tables --- */

#define PATTERN(name, field, more)                                                                 \
	{                                                                                          \
		.key = (name), .type = CONF_STRING,                                                \
		.offset = offsetof(struct written, patterns[field]), .fallback = "*", .min = 1,    \
		.max = NAME_MAX_BYTES, .check = (more)                                             \
	}

/* The defaults of the keys are never used: a key that is not given comes from another rule. */
#define KEY(name, kind, field, least, most)                                                        \
	{                                                                                          \
		.key = (name), .type = (kind), .offset = offsetof(struct written, field),          \
		.min = (least), .max = (most)                                                      \
	}

static const struct conf_item MAINTENANCE_ITEMS[] = {
	{.key = "until",
	 .type = CONF_STRING,
	 .offset = offsetof(struct maintenance, until),
	 .check = check_until},
	{.key = "why",
	 .type = CONF_STRING,
	 .offset = offsetof(struct maintenance, why),
	 .max = TEXT_MAX_BYTES},
};

static const struct conf_schema MAINTENANCE = {
	.size = sizeof(struct maintenance),
	.items = MAINTENANCE_ITEMS,
	.item_count = ARRAY_LEN(MAINTENANCE_ITEMS),
	.check = check_maintenance,
};

static const struct conf_item RULE_ITEMS[] = {
	PATTERN("environment", RULES_ENVIRONMENT, NULL),
	PATTERN("cluster", RULES_CLUSTER, NULL),
	PATTERN("group", RULES_GROUP, NULL),
	PATTERN("topic", RULES_TOPIC, NULL),
	PATTERN("partition", RULES_PARTITION, check_partition),
	KEY("allowed_lag", CONF_INT, allowed_lag, 0, INT64_MAX),
	KEY("max_time_lag", CONF_DURATION, max_time_lag_ms, 0, 30 * DAYS),
	KEY("window", CONF_DURATION, window_ms, 2 * MINUTES, 1 * HOURS),
	KEY("stop_after_min", CONF_DURATION, stop_after_min_ms, 1 * SECONDS, 30 * DAYS),
	KEY("stop_after_max", CONF_DURATION, stop_after_max_ms, 1 * SECONDS, 30 * DAYS),
	KEY("warn_after", CONF_DURATION, warn_after_ms, 0, 1 * DAYS),
	KEY("raise_after", CONF_INT, raise_after, 1, 100),
	KEY("clear_after", CONF_INT, clear_after, 1, 100),
	KEY("expire_group", CONF_DURATION, expire_group_ms, 1 * HOURS, 3650 * DAYS),
	{.key = "ignore", .type = CONF_BOOL, .offset = offsetof(struct written, ignore)},
	{.key = "maintenance",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct written, maintenance),
	 .schema = &MAINTENANCE},
	{.key = "labels",
	 .type = CONF_MAP,
	 .offset = offsetof(struct written, labels),
	 .max = LABELS_MAX,
	 .check = check_labels},
};

static const struct conf_schema RULE = {
	.size = sizeof(struct written),
	.items = RULE_ITEMS,
	.item_count = ARRAY_LEN(RULE_ITEMS),
	.check = check_rule,
};

static const struct conf_item FILE_ITEMS[] = {
	{.key = "rules",
	 .type = CONF_ARRAY,
	 .offset = offsetof(struct file, rules),
	 .max = RULES_FILE_MAX,
	 .schema = &RULE},
};

static const struct conf_schema FILE_SCHEMA = {
	.size = sizeof(struct file),
	.items = FILE_ITEMS,
	.item_count = ARRAY_LEN(FILE_ITEMS),
};

/* --- from the file to the set --- */

static void fill_labels(const struct written *w, struct rules_label *labels)
{
	for (size_t i = 0; i < w->labels.count; i++)
		labels[i] = (struct rules_label){
			.name = w->labels.pairs[i].key,
			.value = w->labels.pairs[i].value,
			.line = w->label_lines[i],
		};
}

static struct rules_entry entry_of(const struct written *w, const struct rules_label *labels)
{
	struct rules_entry e = {
		.values = {.allowed_lag = w->allowed_lag,
			   .max_time_lag_ms = w->max_time_lag_ms,
			   .window_ms = w->window_ms,
			   .stop_after_min_ms = w->stop_after_min_ms,
			   .stop_after_max_ms = w->stop_after_max_ms,
			   .warn_after_ms = w->warn_after_ms,
			   .maintenance_until_ms = w->until_ms,
			   .expire_group_ms = w->expire_group_ms,
			   .raise_after = (uint32_t)w->raise_after,
			   .clear_after = (uint32_t)w->clear_after,
			   .ignore = w->ignore,
			   .maintenance_why = w->maintenance.why},
		.given = w->given,
		.line = w->line,
		.labels = labels,
		.label_count = w->labels.count,
	};

	for (size_t i = 0; i < RULES_FIELDS; i++)
		e.patterns[i] = w->patterns[i];
	memcpy(e.lines, w->lines, sizeof(e.lines));
	return e;
}

/* FNV-1a: tells whether a file has changed. */
static uint64_t hash_of(const char *text, size_t size)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return h;
}

static struct rules_set *set_of(const struct file *f, const char *name, uint64_t hash,
				const struct rules_base *base)
{
	const struct written *list = f->rules.items;
	size_t count = f->rules.count;
	struct rules_entry *entries = calloc(count + 1, sizeof(*entries));
	struct rules_label *labels = calloc(count + 1, LABELS_MAX * sizeof(*labels));

	if (entries == NULL || labels == NULL)
		abort();
	for (size_t i = 0; i < count; i++) {
		fill_labels(&list[i], &labels[i * LABELS_MAX]);
		entries[i] = entry_of(&list[i], &labels[i * LABELS_MAX]);
	}
	struct rules_set *s = rules_new(name, hash, base, entries, count);
	free(entries);
	free(labels);
	return s;
}

int rules_file_parse(const char *file, const char *text, size_t size, const struct rules_base *base,
		     struct buf *errors, struct rules_set **ret_s)
{
	const char *slash = strrchr(file, '/');
	void *object = NULL;
	int err = conf_parse(&FILE_SCHEMA, file, text, size, errors, &object);

	if (err != ERR_OK)
		return err;
	*ret_s = set_of(object, slash == NULL ? file : slash + 1, hash_of(text, size), base);
	conf_free(&FILE_SCHEMA, &object);
	return ERR_OK;
}

int rules_file_load(const char *path, const struct rules_base *base, struct buf *errors,
		    struct rules_set **ret_s)
{
	CLEANUP(buf_free) struct buf text = {0};
	int err = tree_read(path, errors, &text);

	if (err != ERR_OK)
		return err;
	return rules_file_parse(path, text.data, text.size, base, errors, ret_s);
}

/* --- what aggregator.yaml says --- */

struct rules_base rules_file_base(const struct aggregator_config *cfg)
{
	struct rules_base base = {.values = RULES_DEFAULT, .given = cfg->judge.given};

	base.values.allowed_lag = cfg->judge.allowed_lag;
	base.values.max_time_lag_ms = cfg->judge.max_time_lag_ms;
	base.values.window_ms = cfg->judge.window_ms;
	base.values.stop_after_min_ms = cfg->judge.stop_after_min_ms;
	base.values.stop_after_max_ms = cfg->judge.stop_after_max_ms;
	base.values.warn_after_ms = cfg->judge.warn_after_ms;
	base.values.raise_after = (uint32_t)cfg->judge.raise_after;
	base.values.clear_after = (uint32_t)cfg->judge.clear_after;
	base.values.expire_group_ms = cfg->expire_group_ms;
	return base;
}
