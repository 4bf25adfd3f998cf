/* SPDX-License-Identifier: Apache-2.0 */

/* alert_read - what people see of incidents and silences, from any thread: straight from the store,
 * in transactions that only read. */

#include <stdlib.h>

#include "aggregator/alert/alert_priv.h"
#include "aggregator/alert/silence_config.h"
#include "common/err.h"
#include "common/glob.h"
#include "common/mem.h"

/* The rules that hold, referenced; NULL: they are not known yet. */
static struct rules_set *rules_now(struct alert *a)
{
	pthread_mutex_lock(&a->lock);
	struct rules_set *rules = a->shown_rules == NULL ? NULL : rules_ref(a->shown_rules);
	pthread_mutex_unlock(&a->lock);
	return rules;
}

void alert_show(const struct incident *i, const struct rules_set *rules, alert_on_incident *on,
		void *arg)
{
	const struct rules_place place = {i->environment, i->cluster, i->group, NULL, -1};
	struct rules_label *labels = NULL;
	size_t count = rules == NULL ? 0 : rules_labels(rules, &place, &labels);

	on(arg, i, labels, count);
	free(labels);
}

static bool glob_ok(const char *pattern, const char *name)
{
	return pattern == NULL || glob_match(pattern, name);
}

static bool matches(const struct alert_filter *f, const struct incident *i)
{
	return (f->states >> i->state & 1) != 0 &&
	       (f->status == 0 ||
		f->status == (i->state == INCIDENT_RESOLVED ? i->worst : i->status)) &&
	       i->opened_ms >= f->since_ms && glob_ok(f->environment, i->environment) &&
	       glob_ok(f->cluster, i->cluster) && glob_ok(f->group, i->group) &&
	       f->sees(f->arg, i->environment, i->cluster);
}

static bool is_before(struct alert_place a, struct alert_place b)
{
	return a.opened_ms != b.opened_ms ? a.opened_ms < b.opened_ms : a.id < b.id;
}

/* Those that match. */
struct found {
	const struct alert_filter *filter;
	struct alert_place *list;
	size_t count, cap;
};

static void add(struct found *f, const struct incident *i)
{
	if (!matches(f->filter, i))
		return;
	if (f->count == f->cap) {
		f->cap = MAX(2 * f->cap, (size_t)64);
		f->list = mem_resize(f->list, f->cap, sizeof(*f->list));
	}
	f->list[f->count++] = (struct alert_place){i->opened_ms, i->id};
}

static int newest_first(const void *a, const void *b)
{
	return is_before(*(const struct alert_place *)a, *(const struct alert_place *)b) ? 1 : -1;
}

/* Of those that are not over, which are few beside those that are. */
static void find_live(struct store_txn *t, struct found *f)
{
	uint32_t cluster = 0;
	uint32_t group = 0;
	uint64_t id = 0;
	struct incident i;

	while (alert_store_next_trouble(t, &cluster, &group, &id))
		if (incidents_get(t, id, &i))
			add(f, &i);
	if (f->count > 0)
		qsort(f->list, f->count, sizeof(*f->list), newest_first);
}

/* Of all there are. */
static void find_any(struct store_txn *t, struct found *f)
{
	struct alert_place p = {INT64_MAX, UINT64_MAX};
	const uint8_t *data = NULL;
	size_t size = 0;
	struct incident i;

	while (alert_store_before(t, p, &p, &data, &size) && p.opened_ms >= f->filter->since_ms) {
		if (incident_unpack(data, size, &i))
			add(f, &i);
		else
			t->err = ERR_MALFORMED;
	}
}

int alert_list(struct alert *a, const struct alert_filter *f, alert_on_incident *on, void *arg,
	       size_t *ret_total, struct alert_place *ret_next)
{
	CLEANUP(rules_unref) struct rules_set *rules = rules_now(a);
	struct store_txn t = store_begin(a->options.store, false);
	struct found found = {.filter = f};
	size_t at = 0;
	struct incident i;

	if ((f->states & 1u << INCIDENT_RESOLVED) == 0)
		find_live(&t, &found);
	else
		find_any(&t, &found);
	while (at < found.count && f->before.id != 0 && !is_before(found.list[at], f->before))
		at++;
	size_t end = MIN(found.count, at + f->max);
	*ret_next =
		end > at && end < found.count ? found.list[end - 1] : (struct alert_place){0, 0};
	*ret_total = found.count;
	for (; at < end && incidents_get(&t, found.list[at].id, &i); at++)
		alert_show(&i, rules, on, arg);
	int err = t.err;
	store_abort(&t);
	free(found.list);
	return err;
}

static void each_step(struct store_txn *t, uint64_t id, alert_on_step *on_step, void *arg)
{
	const uint8_t *data = NULL;
	uint32_t version = 0;
	size_t size = 0;
	struct incident_step s;

	for (; alert_store_next_step(t, id, version, &version, &data, &size); version++)
		if (incident_step_unpack(data, size, &s))
			on_step(arg, &s);
}

int alert_one(struct alert *a, uint64_t id, const struct alert_filter *f, alert_on_incident *on,
	      alert_on_step *on_step, void *arg)
{
	CLEANUP(rules_unref) struct rules_set *rules = rules_now(a);
	struct store_txn t = store_begin(a->options.store, false);
	struct incident i;

	bool found = incidents_get(&t, id, &i) && f->sees(f->arg, i.environment, i.cluster);
	if (found)
		alert_show(&i, rules, on, arg);
	if (found && on_step != NULL)
		each_step(&t, id, on_step, arg);
	int err = t.err != ERR_OK ? t.err : found ? ERR_OK : ERR_NOT_FOUND;
	store_abort(&t);
	return err;
}

int alert_silences(struct alert *a, alert_on_silence *on, void *arg)
{
	struct store_txn t = store_begin(a->options.store, false);
	const uint8_t *data = NULL;
	size_t size = 0;
	struct silence s;

	for (size_t i = 0; i < a->options.config->silences.count; i++) {
		silence_config_get(a->options.config, i, &s);
		on(arg, &s);
	}
	for (uint64_t id = 0; alert_store_next(&t, ALERT_SILENCE, id, &id, &data, &size); id++)
		if (silence_unpack(data, size, &s))
			on(arg, &s);
	int err = t.err;
	store_abort(&t);
	return err;
}
