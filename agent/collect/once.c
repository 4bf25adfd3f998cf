/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/once.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/collect/sampler.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"

#define ASK_MS 10000
#define GIVE_UP_MS 30000 /* without any record to read, or any broker that answers */
#define COLUMNS 7

struct owner {
	uint32_t group, topic;
	int32_t partition;
	const struct member *member;
};

struct row {
	const char *group, *topic;
	int32_t partition;
	int64_t committed, end;
	const struct member *owner;
};

struct rows {
	struct row *items;
	size_t count;
	struct owner *owners;
	size_t owner_count, owner_cap;
};

static void free_rows(struct rows *r)
{
	free(r->items);
	free(r->owners);
}

/* --- who owns what --- */

static int by_place(const void *a, const void *b)
{
	const struct owner *x = a;
	const struct owner *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->topic != y->topic)
		return x->topic < y->topic ? -1 : 1;
	return (x->partition > y->partition) - (x->partition < y->partition);
}

static void add_owner(struct rows *r, struct owner o)
{
	if (r->owner_count == r->owner_cap) {
		r->owner_cap = r->owner_cap * 2 + 64;
		r->owners = mem_resize(r->owners, r->owner_cap, sizeof(*r->owners));
	}
	r->owners[r->owner_count++] = o;
}

static void own(struct rows *r, struct table *t, uint32_t group, const struct member *m)
{
	struct members_assigned a;

	for (size_t at = 0; members_next_assigned(m, &at, &a);) {
		uint32_t topic = a.topic_id != NULL
					 ? topics_by_id(&t->topics, a.topic_id)
					 : names_find(&t->topics.names, a.topic, strlen(a.topic));
		for (uint32_t i = 0; topic != NAMES_NONE && i < a.count; i++)
			add_owner(r, (struct owner){group, topic,
						    (int32_t)get_be32(a.partitions + (size_t)i * 4),
						    m});
	}
}

static void find_owners(struct rows *r, struct table *t)
{
	for (uint32_t n = 0; n < t->names.count; n++) {
		const struct members *m = &t->groups[n].members;
		for (uint32_t i = 0; i < m->count; i++)
			own(r, t, n, m->items[i]);
	}
	if (r->owner_count > 0)
		qsort(r->owners, r->owner_count, sizeof(*r->owners), by_place);
}

static const struct member *owner_of(const struct rows *r, const struct commit *e)
{
	struct owner key = {.group = e->group, .topic = e->topic, .partition = (int)e->partition};

	if (r->owner_count == 0)
		return NULL;
	const struct owner *o =
		bsearch(&key, r->owners, r->owner_count, sizeof(*r->owners), by_place);
	return o == NULL ? NULL : o->member;
}

/* --- the table --- */

static int by_name(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;
	int order = strcmp(x->group, y->group);

	if (order == 0)
		order = strcmp(x->topic, y->topic);
	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static int64_t log_end(const struct table *t, const struct commit *e)
{
	const struct topic *it = &t->topics.items[e->topic];
	return (int32_t)e->partition < it->log_count ? it->logs[e->partition].end : WIRE_UNKNOWN;
}

static void collect(struct rows *r, struct table *t)
{
	uint32_t count = 0;
	CLEANUP(mem_free) uint32_t *order = commits_sorted(&t->commits, COMMIT_ALIVE, &count);

	find_owners(r, t);
	r->items = mem_resize(NULL, count, sizeof(*r->items));
	r->count = count;
	for (uint32_t i = 0; i < count; i++) {
		const struct commit *e = commits_at(&t->commits, order[i]);
		r->items[i] = (struct row){
			.group = names_text(&t->names, e->group),
			.topic = names_text(&t->topics.names, e->topic),
			.partition = (int32_t)e->partition,
			.committed = e->offset,
			.end = log_end(t, e),
			.owner = owner_of(r, e),
		};
	}
	if (count > 0)
		qsort(r->items, count, sizeof(*r->items), by_name);
}

/* Names may hold anything: what would disturb a terminal is shown as a question mark. */
static void put_plain(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++)
		buf_putc(b, (char)((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s));
}

static void put_number(struct buf *b, int64_t v)
{
	if (v < 0)
		buf_putc(b, '-');
	else
		buf_put_i64(b, v);
}

static const char *cell(struct buf *b, const struct row *r, int column)
{
	buf_reset(b);
	switch (column) {
	case 0:
		put_plain(b, r->group);
		break;
	case 1:
		put_plain(b, r->topic);
		break;
	case 2:
		put_number(b, r->partition);
		break;
	case 3:
		put_number(b, r->committed);
		break;
	case 4:
		put_number(b, r->end);
		break;
	case 5:
		put_number(b, r->end < 0 ? -1 : MAX(r->end - r->committed, 0));
		break;
	default:
		put_plain(b, r->owner == NULL ? "-" : members_about(r->owner).client_id);
		if (r->owner != NULL)
			put_plain(b, members_about(r->owner).host);
	}
	return buf_str(b);
}

static const char *const TITLES[COLUMNS] = {"GROUP",   "TOPIC", "PARTITION", "COMMITTED",
					    "LOG-END", "LAG",   "OWNER"};

static void print_cell(FILE *out, int column, const char *text, int width)
{
	bool number = column >= 2 && column <= 5;

	if (column == COLUMNS - 1)
		fprintf(out, "%s\n", text);
	else
		fprintf(out, number ? "%*s  " : "%-*s  ", width, text);
}

void once_print(struct table *t, FILE *out)
{
	CLEANUP(free_rows) struct rows r = {0};
	CLEANUP(buf_free) struct buf b = {0};
	int width[COLUMNS];

	collect(&r, t);
	for (int c = 0; c < COLUMNS; c++) {
		width[c] = (int)strlen(TITLES[c]);
		for (size_t i = 0; i < r.count; i++)
			width[c] = MAX(width[c], (int)strlen(cell(&b, &r.items[i], c)));
	}
	for (int c = 0; c < COLUMNS; c++)
		print_cell(out, c, TITLES[c], width[c]);
	for (size_t i = 0; i < r.count; i++) {
		for (int c = 0; c < COLUMNS; c++)
			print_cell(out, c, cell(&b, &r.items[i], c), width[c]);
	}
}

/* --- sampling --- */

/* Read until the sample is complete, or nothing has moved for too long. */
static enum sample sample(struct sampler *s)
{
	int64_t moved = clock_mono_ms();
	uint64_t records = 0;
	enum sample got = sampler_take(s, ASK_MS);

	while (got != SAMPLE_COMPLETE && clock_mono_ms() - moved < GIVE_UP_MS) {
		bool caught_up = sampler_wait(s, 250);
		if (s->topic.records != records)
			moved = clock_mono_ms();
		records = s->topic.records;
		if (caught_up || got == SAMPLE_BLIND || s->use_admin || s->missing || s->denied)
			got = sampler_take(s, ASK_MS);
		if (s->denied)
			break;
	}
	return got;
}

static int run_cluster(const struct agent_cluster *conf, FILE *out)
{
	struct sampler s = {0};
	char why[512];

	int err = sampler_open(&s, conf, why);
	if (err != ERR_OK) {
		fprintf(stderr, "%s: %s\n", conf->name, why);
		return err;
	}
	if (sample(&s) == SAMPLE_COMPLETE) {
		fprintf(out, "cluster %s%s%s\n", conf->name,
			conf->environment[0] == '\0' ? "" : ", ", conf->environment);
		once_print(&s.table, out);
	} else {
		fprintf(stderr, "%s: %s\n", conf->name,
			s.problem[0] == '\0' ? "no answer in time" : s.problem);
		err = ERR_BROKER;
	}
	sampler_close(&s);
	return err;
}

int once_run(const struct agent_config *cfg, FILE *out)
{
	int err = ERR_OK;

	for (size_t i = 0; i < cfg->clusters.count; i++) {
		int rc = run_cluster(agent_config_cluster(cfg, i), out);
		if (err == ERR_OK)
			err = rc;
	}
	return err;
}
