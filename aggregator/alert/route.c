/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/route.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/hash.h"
#include "aggregator/alert/zone.h"
#include "common/err.h"
#include "common/glob.h"
#include "common/log.h"

#define MINUTE_MS 60000
#define WEEK_MINUTES 10080
#define ALERTMANAGER_REPEAT_MS 120000

/* A place in the tree, in the order of the file; what is below it follows. */
struct node {
	const struct alert_route *config;
	size_t after;        /* the first that is not below it */
	struct route *route; /* NULL: it only shows */
	struct route own;
	struct zone *zone; /* NULL: it speaks at any time */
	uint8_t days;      /* bit 0: Monday */
	uint16_t from_min, to_min;
	bool has_allow, has_deny;
	regex_t allow, deny;
};

struct route_set {
	struct node *nodes;
	size_t count;
};

/* --- making --- */

static size_t count_below(const struct alert_route *r)
{
	const struct alert_route *routes = r->routes.items;
	size_t count = 1;

	for (size_t i = 0; i < r->routes.count; i++)
		count += count_below(&routes[i]);
	return count;
}

static int make_regex(const char *pattern, regex_t *regex, bool *ret_has)
{
	if (pattern[0] == '\0')
		return ERR_OK;
	if (regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return ERR_CONFIG;
	*ret_has = true;
	return ERR_OK;
}

static int make_hours(struct node *n, const struct alert_hours *h)
{
	static const char *const DAYS[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	bool from_ok = alert_config_minutes(h->from, &n->from_min);
	bool to_ok = alert_config_minutes(h->to, &n->to_min);

	if (!from_ok || !to_ok)
		return ERR_CONFIG;
	for (size_t i = 0; i < h->days.count; i++) {
		for (unsigned d = 0; d < ARRAY_LEN(DAYS); d++) {
			if (strcmp(h->days.items[i], DAYS[d]) == 0)
				n->days |= (uint8_t)(1u << d);
		}
	}
	if (n->days == 0)
		n->days = 0x7f;
	if (n->days == 0x7f && n->from_min == n->to_min)
		return ERR_OK;
	return zone_new(h->timezone, &n->zone);
}

/* What Burrow's options say in the place of the route's. */
static void follow_burrow(struct route *r, const struct alert_burrow *b)
{
	int64_t again_ms = MAX(b->interval_ms, b->send_interval_ms);

	r->each = true;
	r->wait_ms = 0;
	r->repeat_ms = b->send_once ? 0 : again_ms;
	r->once = b->send_once;
	r->strict = true;
	r->send_resolved = b->send_close;
	r->storm_limit = 0;
	r->min_status = MAX(r->min_status, b->threshold == 3 ? STATUS_ERR : STATUS_WARN);
}

static void follow_alertmanager(struct route *r)
{
	r->everywhere = true;
	r->wait_ms = 0;
	r->repeat_ms = ALERTMANAGER_REPEAT_MS;
	r->send_resolved = true;
	r->storm_limit = 0;
}

static void make_route(const struct alert_config *c, struct node *n)
{
	const struct alert_route *a = n->config;
	const struct alert_receiver *receiver = alert_config_receiver(c, a->receiver);

	if (receiver == NULL)
		return;
	n->route = &n->own;
	n->own = (struct route){
		.config = a,
		.receiver = receiver,
		.escalate_to = alert_config_receiver(c, a->escalate_to),
		.otherwise = alert_config_receiver(c, a->hours.otherwise),
		.hash = hash_str(hash_str(HASH_SEED, a->name), receiver->name),
		.send_resolved = receiver->send_resolved,
		.min_status = a->min_status == ALERT_STATUS_ERR ? STATUS_ERR : STATUS_WARN,
		.wait_ms = a->wait_ms,
		.repeat_ms = a->repeat_ms,
		.escalate_after_ms = a->escalate_after_ms,
		.storm_limit = a->storm_limit,
		.storm_span_ms = a->storm_span_ms,
	};
	if (n->own.escalate_to == NULL)
		n->own.escalate_after_ms = 0;
	if (receiver->type == ALERT_ALERTMANAGER)
		follow_alertmanager(&n->own);
	if (alert_config_is_burrow(receiver))
		follow_burrow(&n->own, &receiver->burrow);
}

static int make_node(const struct alert_config *c, struct node *n, const struct alert_route *a)
{
	n->config = a;
	make_route(c, n);
	if (n->route == NULL)
		return ERR_OK;
	int err = make_hours(n, &a->hours);

	if (err == ERR_OK && alert_config_is_burrow(n->own.receiver)) {
		const struct alert_burrow *b = &n->own.receiver->burrow;

		err = make_regex(b->group_allow, &n->allow, &n->has_allow);
		if (err == ERR_OK)
			err = make_regex(b->group_deny, &n->deny, &n->has_deny);
	}
	if (err != ERR_OK)
		log_error("a route cannot be used", "route=%s err=%s", log_quote(a->name),
			  err_str(err));
	return err;
}

static int make_below(const struct alert_config *c, struct route_set *s,
		      const struct alert_route *a)
{
	const struct alert_route *routes = a->routes.items;
	struct node *n = &s->nodes[s->count++];
	int err = make_node(c, n, a);

	for (size_t i = 0; i < a->routes.count && err == ERR_OK; i++)
		err = make_below(c, s, &routes[i]);
	n->after = s->count;
	return err;
}

int route_set_new(const struct alert_config *config, struct route_set **ret_s)
{
	struct route_set *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->nodes = calloc(count_below(&config->route), sizeof(*s->nodes));
	if (s->nodes == NULL) {
		free(s);
		return -ENOMEM;
	}
	int err = make_below(config, s, &config->route);

	if (err == ERR_OK)
		*ret_s = s;
	else
		route_set_free(&s);
	return err;
}

void route_set_free(struct route_set **s)
{
	if (*s == NULL)
		return;
	for (size_t i = 0; i < (*s)->count; i++) {
		struct node *n = &(*s)->nodes[i];

		zone_free(&n->zone);
		if (n->has_allow)
			regfree(&n->allow);
		if (n->has_deny)
			regfree(&n->deny);
	}
	free((*s)->nodes);
	free(*s);
	*s = NULL;
}

/* --- matching --- */

static bool any_glob(const struct conf_list *globs, const char *name)
{
	if (globs->count == 0)
		return true;
	for (size_t i = 0; i < globs->count; i++) {
		if (glob_match(globs->items[i], name))
			return true;
	}
	return false;
}

static bool any_word(const struct conf_list *words, const char *word)
{
	if (words->count == 0)
		return true;
	for (size_t i = 0; i < words->count; i++) {
		if (strcmp(words->items[i], word) == 0)
			return true;
	}
	return false;
}

static const char *label_of(const struct rules_label *labels, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(labels[i].name, name) == 0)
			return labels[i].value;
	}
	return "";
}

static bool all_labels(const struct conf_map *map, const struct rules_label *labels, size_t count)
{
	for (size_t i = 0; i < map->count; i++) {
		if (!glob_match(map->pairs[i].value, label_of(labels, count, map->pairs[i].key)))
			return false;
	}
	return true;
}

static bool allowed(const struct node *n, const struct incident *i)
{
	if (n->route == NULL || !alert_config_is_burrow(n->own.receiver))
		return true;
	if (i->kind != INCIDENT_GROUP)
		return false; /* Burrow tells of groups alone */
	if (n->has_deny && regexec(&n->deny, i->group, 0, NULL, 0) == 0)
		return false;
	return !n->has_allow || regexec(&n->allow, i->group, 0, NULL, 0) == 0;
}

static bool matches(const struct alert_route *a, const struct incident *i,
		    const struct rules_label *labels, size_t label_count)
{
	return any_glob(&a->environment, i->environment) && any_glob(&a->cluster, i->cluster) &&
	       any_glob(&a->group, i->group) &&
	       any_word(&a->status, i->status == STATUS_WARN ? "WARN" : "ERR") &&
	       any_word(&a->reason, reason_str((enum reason)i->reason)) &&
	       any_word(&a->kind, i->kind == INCIDENT_GROUP ? "group" : "blind") &&
	       all_labels(&a->label, labels, label_count);
}

struct search {
	const struct route_set *s;
	const struct incident *i;
	const struct rules_label *labels;
	size_t label_count;
	const struct route **routes;
	size_t count;
};

/* Whether the node at index, or one below it, takes the incident. */
static bool search_node(struct search *f, size_t index)
{
	const struct node *n = &f->s->nodes[index];
	bool taken = false;

	if (!matches(n->config, f->i, f->labels, f->label_count))
		return false;
	for (size_t k = index + 1; k < n->after; k = f->s->nodes[k].after) {
		bool by_this = search_node(f, k);

		taken = taken || by_this;
		if (by_this && !f->s->nodes[k].config->go_on)
			return true;
	}
	if (taken)
		return true;
	if (n->route != NULL && f->i->status >= n->own.min_status && allowed(n, f->i) &&
	    f->count < ROUTE_MATCHES_MAX)
		f->routes[f->count++] = n->route;
	return true;
}

size_t route_match(const struct route_set *s, const struct incident *i,
		   const struct rules_label *labels, size_t label_count,
		   const struct route *ret_routes[static ROUTE_MATCHES_MAX])
{
	struct search f = {
		.s = s, .i = i, .labels = labels, .label_count = label_count, .routes = ret_routes};

	search_node(&f, 0);
	return f.count;
}

const struct route *route_find(const struct route_set *s, uint64_t hash)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->nodes[i].route != NULL && s->nodes[i].own.hash == hash)
			return s->nodes[i].route;
	}
	return NULL;
}

/* --- what is told of together --- */

static const char *value_of(const char *key, const struct incident *i,
			    const struct rules_label *labels, size_t label_count)
{
	if (strcmp(key, "environment") == 0)
		return i->environment;
	if (strcmp(key, "cluster") == 0)
		return i->cluster;
	if (strcmp(key, "group") == 0)
		return i->group;
	if (strcmp(key, "topic") == 0)
		return i->topic;
	if (strcmp(key, "reason") == 0)
		return reason_str((enum reason)i->reason);
	return label_of(labels, label_count, key);
}

void route_put_group(const struct route *r, const struct incident *i,
		     const struct rules_label *labels, size_t label_count, struct buf *out)
{
	static char environment[] = "environment", cluster[] = "cluster", group[] = "group";
	static char *one[] = {environment, cluster, group};
	const struct conf_list each = {.items = one, .count = ARRAY_LEN(one)};
	const struct conf_list none = {0};
	const struct conf_list *by = r->each ? &each : r->everywhere ? &none : &r->config->group_by;

	for (size_t k = 0; k < by->count; k++)
		buf_printf(out, "%s%s=%s", k == 0 ? "" : " ", by->items[k],
			   value_of(by->items[k], i, labels, label_count));
}

/* --- hours --- */

static const struct node *node_of(const struct route *r)
{
	return (const struct node *)((const char *)r - offsetof(struct node, own));
}

/* What goes over midnight belongs to the day on which it begins. */
bool route_in_hours(const struct route *r, int64_t at_ms)
{
	const struct node *n = node_of(r);
	int day = 0, minute = 0;

	if (n->zone == NULL)
		return true;
	zone_local(n->zone, at_ms, &day, &minute);
	bool today = (n->days >> day & 1) != 0;
	bool yesterday = (n->days >> (day + 6) % 7 & 1) != 0;

	if (n->from_min < n->to_min)
		return today && minute >= n->from_min && minute < n->to_min;
	if (n->from_min == n->to_min)
		return today;
	return (today && minute >= n->from_min) || (yesterday && minute < n->to_min);
}

int64_t route_hours_begin(const struct route *r, int64_t at_ms)
{
	int64_t minute_ms = (at_ms / MINUTE_MS + 1) * MINUTE_MS;

	for (int i = 0; i <= WEEK_MINUTES && !route_in_hours(r, minute_ms); i++)
		minute_ms += MINUTE_MS;
	return minute_ms;
}
