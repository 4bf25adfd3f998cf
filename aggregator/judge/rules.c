/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/rules.h"

#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/glob.h"
#include "common/mem.h"

/* How specific a pattern is. Between these two: a pattern with this many fixed characters, and 1.
 */
#define ANY 0
#define EXACT UINT_MAX

struct pattern {
	unsigned weight;
	unsigned head; /* bytes before the first that means more than itself */
	char *text;    /* owned; where the weight is EXACT the name itself, without backslashes */
};

/* An entry, ready to be matched. */
struct ranked {
	const struct rules_entry *entry;
	struct pattern patterns[RULES_FIELDS];
};

struct rules_set {
	atomic_int refs;
	char *file;
	uint64_t hash;
	struct rules_base base;
	struct rules_entry *entries; /* in the order of the file */
	struct ranked *ranked;       /* of them, the most specific first */
	size_t count;
	size_t exact_count; /* of ranked: those for one group each, sorted by its name */
	int64_t max_window_ms;
	struct rules_maintenance *maintenance;
	size_t maintenance_count;
};

static const char *const FIELDS[] = {
	[RULES_GROUP] = "group",
	[RULES_TOPIC] = "topic",
	[RULES_PARTITION] = "partition",
	[RULES_CLUSTER] = "cluster",
	[RULES_ENVIRONMENT] = "environment",
};

static const char *const KEYS[] = {
	[RULES_ALLOWED_LAG] = "allowed_lag",
	[RULES_MAX_TIME_LAG] = "max_time_lag",
	[RULES_WINDOW] = "window",
	[RULES_STOP_AFTER_MIN] = "stop_after_min",
	[RULES_STOP_AFTER_MAX] = "stop_after_max",
	[RULES_WARN_AFTER] = "warn_after",
	[RULES_RAISE_AFTER] = "raise_after",
	[RULES_CLEAR_AFTER] = "clear_after",
	[RULES_EXPIRE_GROUP] = "expire_group",
	[RULES_IGNORE] = "ignore",
	[RULES_MAINTENANCE] = "maintenance",
};

const char *rules_field_str(enum rules_field f)
{
	return FIELDS[f];
}

const char *rules_key_str(enum rules_key k)
{
	return KEYS[k];
}

/* --- how specific --- */

/* The ']' of the class whose '[' is at at, as glob.c finds it; NULL: the '[' is only a character.
 */
static const char *class_end(const char *at)
{
	at += at[1] == '!' ? 2 : 1;
	for (bool first = true; *at != '\0'; first = false, at++) {
		if (*at == ']' && !first)
			return at;
		if (*at == '\\' && at[1] != '\0')
			at++;
	}
	return NULL;
}

static struct pattern pattern_of(const char *text)
{
	struct pattern p = {.weight = 1, .text = mem_copy(text)};
	char *name = p.text;
	bool wild = false;

	p.head = (unsigned)strcspn(text, "*?[\\");
	if (strcmp(text, "*") == 0) {
		p.weight = ANY;
		return p;
	}
	for (const char *at = text; *at != '\0'; at++) {
		const char *end = *at == '[' ? class_end(at) : NULL;

		if (*at == '*' || *at == '?' || end != NULL) {
			wild = true;
			at = end != NULL ? end : at;
			continue;
		}
		at += *at == '\\' && at[1] != '\0';
		*name++ = *at;
		if (((unsigned char)*at & 0xC0) != 0x80) /* not within a character */
			p.weight++;
	}
	if (wild) {
		memcpy(p.text, text, strlen(text));
		return p;
	}
	*name = '\0';
	p.weight = EXACT;
	return p;
}

static int by_weight(const struct pattern *x, const struct pattern *y)
{
	return (x->weight < y->weight) - (x->weight > y->weight);
}

/* The most specific first, of equal ones the later. Rules for one group each never meet, so among
 * them it is the name that comes first: they can then be found by it. */
static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a;
	const struct ranked *y = b;
	int order = by_weight(&x->patterns[RULES_GROUP], &y->patterns[RULES_GROUP]);

	if (order == 0 && x->patterns[RULES_GROUP].weight == EXACT)
		order = strcmp(x->patterns[RULES_GROUP].text, y->patterns[RULES_GROUP].text);
	for (size_t i = 0; i < RULES_FIELDS && order == 0; i++)
		order = by_weight(&x->patterns[i], &y->patterns[i]);
	return order != 0 ? order : (x->entry < y->entry) - (x->entry > y->entry);
}

/* --- the set --- */

static struct rules_entry copy_entry(const struct rules_entry *from)
{
	struct rules_entry e = *from;
	struct rules_label *labels = mem_zeroed(from->label_count, sizeof(*labels));

	for (size_t i = 0; i < RULES_FIELDS; i++)
		e.patterns[i] = mem_copy(from->patterns[i]);
	for (size_t i = 0; i < from->label_count; i++)
		labels[i] = (struct rules_label){
			.name = mem_copy(from->labels[i].name),
			.value = mem_copy(from->labels[i].value),
			.line = from->labels[i].line,
		};
	e.labels = labels;
	e.values.maintenance_why = from->values.maintenance_why == NULL
					   ? NULL
					   : mem_copy(from->values.maintenance_why);
	return e;
}

/* The texts are copies of this file's own, so that the const of the interface is not theirs. */
static void release(const void *p)
{
	free((void *)(uintptr_t)p);
}

static void free_entry(struct rules_entry *e)
{
	for (size_t i = 0; i < RULES_FIELDS; i++)
		release(e->patterns[i]);
	for (size_t i = 0; i < e->label_count; i++) {
		release(e->labels[i].name);
		release(e->labels[i].value);
	}
	release(e->labels);
	release(e->values.maintenance_why);
}

struct rules_set *rules_new(const char *file, uint64_t hash, const struct rules_base *base,
			    const struct rules_entry *entries, size_t count)
{
	struct rules_set *s = mem_zeroed(1, sizeof(*s));

	atomic_init(&s->refs, 1);
	s->file = mem_copy(file);
	s->hash = hash;
	s->base = *base;
	s->count = count;
	s->entries = mem_zeroed(count, sizeof(*s->entries));
	s->ranked = mem_zeroed(count, sizeof(*s->ranked));
	s->max_window_ms = base->values.window_ms;
	for (size_t i = 0; i < count; i++) {
		s->entries[i] = copy_entry(&entries[i]);
		s->ranked[i].entry = &s->entries[i];
		for (size_t k = 0; k < RULES_FIELDS; k++)
			s->ranked[i].patterns[k] = pattern_of(entries[i].patterns[k]);
		if (entries[i].given & 1u << RULES_WINDOW)
			s->max_window_ms = MAX(s->max_window_ms, entries[i].values.window_ms);
	}
	qsort(s->ranked, count, sizeof(*s->ranked), by_rank);
	while (s->exact_count < count &&
	       s->ranked[s->exact_count].patterns[RULES_GROUP].weight == EXACT)
		s->exact_count++;
	return s;
}

struct rules_set *rules_maintain(const struct rules_set *s, const struct rules_maintenance *list,
				 size_t count)
{
	struct rules_set *new = rules_new(s->file, s->hash, &s->base, s->entries, s->count);

	new->maintenance = mem_zeroed(count, sizeof(*list));
	new->maintenance_count = count;
	if (count > 0)
		memcpy(new->maintenance, list, count * sizeof(*list));
	return new;
}

struct rules_set *rules_ref(struct rules_set *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void rules_unref(struct rules_set **s)
{
	struct rules_set *gone = *s;

	*s = NULL;
	if (gone == NULL || atomic_fetch_sub(&gone->refs, 1) > 1)
		return;
	for (size_t i = 0; i < gone->count; i++) {
		free_entry(&gone->entries[i]);
		for (size_t k = 0; k < RULES_FIELDS; k++)
			free(gone->ranked[i].patterns[k].text);
	}
	free(gone->entries);
	free(gone->ranked);
	free(gone->maintenance);
	free(gone->file);
	free(gone);
}

const struct rules_entry *rules_entries(const struct rules_set *s, size_t *ret_count)
{
	*ret_count = s->count;
	return s->entries;
}

const struct rules_maintenance *rules_maintenance(const struct rules_set *s, size_t *ret_count)
{
	*ret_count = s->maintenance_count;
	return s->maintenance;
}

const struct rules_base *rules_base(const struct rules_set *s)
{
	return &s->base;
}

const char *rules_file(const struct rules_set *s)
{
	return s->file;
}

uint64_t rules_hash(const struct rules_set *s)
{
	return s->hash;
}

int64_t rules_max_window_ms(const struct rules_set *s)
{
	return s->max_window_ms;
}

/* --- finding --- */

/* The names of a place in the order of enum rules_field; NULL: any, matched by "*" alone. */
struct names {
	const char *names[RULES_FIELDS];
	char partition[16];
};

static void name_place(const struct rules_place *p, struct names *n)
{
	snprintf(n->partition, sizeof(n->partition), "%" PRId32, p->partition);
	n->names[RULES_GROUP] = p->group;
	n->names[RULES_TOPIC] = p->topic;
	n->names[RULES_PARTITION] = p->partition < 0 ? NULL : n->partition;
	n->names[RULES_CLUSTER] = p->cluster;
	n->names[RULES_ENVIRONMENT] = p->environment;
}

static bool field_ok(const struct ranked *r, const struct names *n, enum rules_field f)
{
	const struct pattern *p = &r->patterns[f];
	const char *name = n->names[f];

	if (p->weight == ANY)
		return true;
	if (name == NULL)
		return false;
	if (p->weight == EXACT)
		return strcmp(p->text, name) == 0;
	return strncmp(p->text, name, p->head) == 0 && glob_match(p->text, name);
}

/* Whether all fields but the partition match. */
static bool topic_ok(const struct ranked *r, const struct names *n)
{
	return field_ok(r, n, RULES_GROUP) && field_ok(r, n, RULES_TOPIC) &&
	       field_ok(r, n, RULES_CLUSTER) && field_ok(r, n, RULES_ENVIRONMENT);
}

/* The first rule for this group alone; exact_count if there is none. */
static size_t first_exact(const struct rules_set *s, const char *group)
{
	size_t low = 0;
	size_t high = s->exact_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(s->ranked[middle].patterns[RULES_GROUP].text, group) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The next rule from *at on whose fields match, all but the partition; NULL: no more. Those for the
 * group alone come first, and behind the last of them those with patterns. */
static const struct ranked *next_match(const struct rules_set *s, const struct names *n, size_t *at)
{
	const char *group = n->names[RULES_GROUP];

	while (*at < s->count) {
		const struct ranked *r = &s->ranked[*at];

		if (*at < s->exact_count && strcmp(r->patterns[RULES_GROUP].text, group) != 0) {
			*at = s->exact_count;
			continue;
		}
		++*at;
		if (topic_ok(r, n))
			return r;
	}
	return NULL;
}

static void take(struct rules *to, const struct rules *from, enum rules_key k)
{
	switch (k) {
	case RULES_ALLOWED_LAG:
		to->allowed_lag = from->allowed_lag;
		break;
	case RULES_MAX_TIME_LAG:
		to->max_time_lag_ms = from->max_time_lag_ms;
		break;
	case RULES_WINDOW:
		to->window_ms = from->window_ms;
		break;
	case RULES_STOP_AFTER_MIN:
		to->stop_after_min_ms = from->stop_after_min_ms;
		break;
	case RULES_STOP_AFTER_MAX:
		to->stop_after_max_ms = from->stop_after_max_ms;
		break;
	case RULES_WARN_AFTER:
		to->warn_after_ms = from->warn_after_ms;
		break;
	case RULES_RAISE_AFTER:
		to->raise_after = from->raise_after;
		break;
	case RULES_CLEAR_AFTER:
		to->clear_after = from->clear_after;
		break;
	case RULES_EXPIRE_GROUP:
		to->expire_group_ms = from->expire_group_ms;
		break;
	case RULES_IGNORE:
		to->ignore = from->ignore;
		break;
	default:
		to->maintenance_until_ms = from->maintenance_until_ms;
		to->maintenance_why = from->maintenance_why;
		break;
	}
}

static bool is_maintained(const struct rules_maintenance *m, const struct rules_place *p)
{
	bool topic_ok =
		p->topic == NULL ? strcmp(m->topic, "*") == 0 : glob_match(m->topic, p->topic);

	return topic_ok && glob_match(m->group, p->group) && glob_match(m->cluster, p->cluster) &&
	       glob_match(m->environment, p->environment);
}

/* What ends last holds. */
static void take_maintenance(const struct rules_set *s, const struct rules_place *p,
			     struct rules_found *f)
{
	for (size_t i = 0; i < s->maintenance_count; i++) {
		const struct rules_maintenance *m = &s->maintenance[i];

		if (m->until_ms <= f->rules.maintenance_until_ms || !is_maintained(m, p))
			continue;
		f->by_hand = m;
		f->rules.maintenance_until_ms = m->until_ms;
		f->rules.maintenance_why = m->note;
		f->rules.maintenance_by = m->by;
	}
}

void rules_resolve(const struct rules_set *s, const struct rules_place *p,
		   struct rules_found *ret_f)
{
	struct rules_found f = {.rules = s->base.values};
	uint32_t missing = (1u << RULES_KEYS) - 1;
	struct names n;

	name_place(p, &n);
	size_t at = first_exact(s, p->group);
	for (const struct ranked *r; (r = next_match(s, &n, &at)) != NULL;) {
		f.by_partition |= r->patterns[RULES_PARTITION].weight != ANY;
		if (!field_ok(r, &n, RULES_PARTITION))
			continue;
		for (uint32_t new = r->entry->given &missing; new != 0; new &= new - 1) {
			enum rules_key k = (enum rules_key)__builtin_ctz(new);

			take(&f.rules, &r->entry->values, k);
			f.from[k] = r->entry;
		}
		missing &= ~r->entry->given;
	}
	take_maintenance(s, p, &f);
	*ret_f = f;
}

/* --- labels --- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct rules_label *)a)->name, ((const struct rules_label *)b)->name);
}

static bool has_label(const struct rules_label *labels, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(labels[i].name, name) == 0)
			return true;
	return false;
}

size_t rules_labels(const struct rules_set *s, const struct rules_place *p,
		    struct rules_label **ret_labels)
{
	struct rules_label *labels = NULL;
	size_t count = 0;
	struct names n;

	name_place(p, &n);
	size_t at = first_exact(s, p->group);
	for (const struct ranked *r; (r = next_match(s, &n, &at)) != NULL;) {
		const struct rules_entry *e = r->entry;

		if (e->label_count == 0 || !field_ok(r, &n, RULES_PARTITION))
			continue;
		labels = mem_resize(labels, count + e->label_count, sizeof(*labels));
		for (size_t k = 0; k < e->label_count; k++)
			if (!has_label(labels, count, e->labels[k].name))
				labels[count++] = e->labels[k];
	}
	if (count > 1)
		qsort(labels, count, sizeof(*labels), by_name);
	*ret_labels = labels;
	return count;
}

/* --- for people --- */

void rules_put_origin(const struct rules_set *s, const struct rules_found *f, enum rules_key k,
		      struct buf *out)
{
	if (k == RULES_MAINTENANCE && f->by_hand != NULL)
		buf_printf(out, "%s over HTTP", f->by_hand->by);
	else if (f->from[k] != NULL)
		buf_printf(out, "%s line %d", s->file, f->from[k]->lines[k]);
	else
		buf_puts(out, s->base.given & 1u << k ? "aggregator.yaml" : "default");
}
