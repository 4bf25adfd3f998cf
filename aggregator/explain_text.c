/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/explain_text.h"

#include <inttypes.h>
#include <string.h>

#include "aggregator/judge/pace.h"
#include "common/conf_value.h"
#include "common/date.h"

#define POINTS 12 /* of the window, the newest */

/* --- cells --- */

/* Begins a cell of the width; end_cell() fills it up. */
static size_t begin_cell(const struct buf *out, size_t width)
{
	return out->size + width;
}

static void end_cell(struct buf *out, size_t until)
{
	while (out->size < until && out->err == 0)
		buf_putc(out, ' ');
	buf_putc(out, ' ');
}

static void put_cell(struct buf *out, size_t width, const char *text)
{
	size_t until = begin_cell(out, width);

	buf_puts(out, text);
	end_cell(out, until);
}

/* A number, to the right; "-" if it is not known. */
static void put_number(struct buf *out, size_t width, int64_t n)
{
	CLEANUP(buf_free) struct buf text = {0};

	if (n >= 0)
		explain_count(&text, n);
	else
		buf_putc(&text, '-');
	for (size_t i = text.size; i < width; i++)
		buf_putc(out, ' ');
	buf_puts(out, buf_str(&text));
	buf_putc(out, ' ');
}

/* The last of a line. */
static void put_age(struct buf *out, int64_t ms, bool at_least)
{
	if (ms < 0)
		buf_putc(out, '-');
	else if (ms == 0)
		buf_putc(out, '0');
	else
		explain_time(out, ms);
	buf_puts(out, ms > 0 && at_least ? " or more\n" : "\n");
}

/* --- the group --- */

void explain_text_group(struct buf *out, const struct story_group *g,
			const struct past_standing *standing, int64_t last_ms)
{
	buf_printf(out, "group %s of cluster %s, environment %s\n", g->name, g->cluster,
		   g->environment[0] == '\0' ? "-" : g->environment);
	buf_printf(out, "status %s", status_str((enum status)standing->status));
	if (standing->since_ms != 0) {
		buf_puts(out, " since ");
		date_put(out, standing->since_ms);
		buf_puts(out, ", for ");
		explain_time(out, last_ms + g->silent_ms - standing->since_ms);
	}
	buf_puts(out, "\nlast pass ");
	date_put(out, last_ms);
	if (g->silent_ms != 0) {
		buf_puts(out, "; the agent has been silent for ");
		explain_time(out, g->silent_ms);
		buf_puts(out, ", so the last verdict stands");
	}
	buf_putc(out, '\n');
}

/* --- the table --- */

void explain_text_table_head(struct buf *out)
{
	put_cell(out, 32, "PARTITION");
	put_cell(out, 7, "STATUS");
	put_cell(out, 17, "REASON");
	put_cell(out, 20, "SINCE");
	buf_puts(out, "      COMMITTED         LOG END           LAG OLDEST WAITS FOR\n");
}

void explain_text_row(struct buf *out, const struct story_partition *p)
{
	const struct commit_track *t = p->in->commit;
	size_t until = begin_cell(out, 32);

	buf_printf(out, "%s/%" PRId32, p->topic, p->partition);
	end_cell(out, until);
	put_cell(out, 7, status_str((enum status)t->status));
	put_cell(out, 17, reason_str((enum reason)t->reason));
	until = begin_cell(out, 20);
	date_put(out, t->since_ms);
	end_cell(out, until);
	put_number(out, 14, t->offset);
	put_number(out, 15, p->in->log == NULL ? TRACK_UNKNOWN : p->in->log->end);
	put_number(out, 13, p->verdict->lag);
	put_age(out, p->verdict->time_lag_ms, p->verdict->time_lag_at_least);
}

/* --- one partition --- */

static void put_pending(struct buf *out, const struct story_partition *p)
{
	const struct commit_track *t = p->in->commit;
	bool worse = t->pending > t->status;

	if (t->pending_count == 0 || t->pending == t->status)
		return;
	buf_printf(out, "  about to become %s: seen in %u of the %u passes that are needed\n",
		   status_str((enum status)t->pending), t->pending_count,
		   worse ? p->in->rules->raise_after : p->in->rules->clear_after);
}

static void put_owner(struct buf *out, const struct story_partition *p)
{
	if (p->member[0] == '\0' && p->host[0] == '\0')
		buf_puts(out, "  owned by no member that is known\n");
	else
		buf_printf(out, "  owned by %s, client %s, on %s\n", p->member, p->client, p->host);
}

static void put_one_pace(struct buf *out, const char *what, const struct track_pace *pace,
			 int64_t limit_ms)
{
	buf_printf(out, "  %s ", what);
	explain_time(out, limit_ms);
	if (pace_known(pace)) {
		buf_puts(out, " (its pauses are up to ");
		explain_time(out, pace_usual_ms(pace));
		buf_printf(out, ", learned from %" PRIu32 ")\n", pace_count(pace));
	} else {
		buf_printf(out, " (its pace is not known yet, %" PRIu32 " pauses seen)\n",
			   pace_count(pace));
	}
}

static void put_window(struct buf *out, const struct story_partition *p)
{
	struct story_point points[STORY_POINTS_MAX];
	struct track_gap gaps[TRACK_GAPS];
	size_t count = story_points(p->in, points);
	size_t gap_count = story_gaps(p->in, gaps);

	buf_puts(out, "  the window, as far as it changed:\n");
	for (size_t i = count > POINTS ? count - POINTS : 0; i < count; i++) {
		buf_puts(out, "    ");
		date_put(out, points[i].at_ms);
		buf_puts(out, "  committed");
		put_number(out, 14, points[i].committed);
		buf_puts(out, "  log end");
		put_number(out, 14, points[i].end);
		buf_puts(out, "  lag");
		put_number(out, 12, points[i].lag);
		buf_putc(out, '\n');
	}
	for (size_t i = 0; i < gap_count; i++) {
		buf_puts(out, "    blind from ");
		date_put(out, gaps[i].from_ms);
		buf_puts(out, " to ");
		date_put(out, gaps[i].to_ms);
		buf_putc(out, '\n');
	}
}

static void put_duration(struct buf *out, int64_t ms)
{
	const struct conf_item item = {.type = CONF_DURATION};

	conf_value_put(out, &item, &ms);
}

static void put_rule(struct buf *out, const struct rules *r, enum rules_key k)
{
	switch (k) {
	case RULES_ALLOWED_LAG:
		buf_put_i64(out, r->allowed_lag);
		break;
	case RULES_MAX_TIME_LAG:
		put_duration(out, r->max_time_lag_ms);
		break;
	case RULES_WINDOW:
		put_duration(out, r->window_ms);
		break;
	case RULES_STOP_AFTER_MIN:
		put_duration(out, r->stop_after_min_ms);
		break;
	case RULES_STOP_AFTER_MAX:
		put_duration(out, r->stop_after_max_ms);
		break;
	case RULES_WARN_AFTER:
		put_duration(out, r->warn_after_ms);
		break;
	case RULES_RAISE_AFTER:
		buf_put_u64(out, r->raise_after);
		break;
	case RULES_CLEAR_AFTER:
		buf_put_u64(out, r->clear_after);
		break;
	case RULES_EXPIRE_GROUP:
		put_duration(out, r->expire_group_ms);
		break;
	case RULES_IGNORE:
		buf_puts(out, r->ignore ? "true" : "false");
		break;
	default:
		if (r->maintenance_until_ms != 0)
			date_put(out, r->maintenance_until_ms);
		else
			buf_puts(out, "none");
		break;
	}
}

static void put_rules(struct buf *out, const struct story_partition *p)
{
	buf_puts(out, "  rules in force:\n");
	for (unsigned i = 0; i < RULES_KEYS; i++) {
		enum rules_key k = (enum rules_key)i;

		buf_puts(out, "    ");
		put_cell(out, 16, rules_key_str(k));
		size_t until = begin_cell(out, 10);
		put_rule(out, &p->rules->rules, k);
		end_cell(out, until);
		rules_put_origin(p->set, p->rules, k, out);
		buf_putc(out, '\n');
	}
}

void explain_text_details(struct buf *out, const struct story_partition *p)
{
	const struct verdict *v = p->verdict;

	buf_printf(out, "\n%s/%" PRId32 ": judged %s by rule %u, %s\n  ", p->topic, p->partition,
		   status_str(v->status), v->rule, reason_str(v->reason));
	explain(p->in, v, out);
	buf_putc(out, '\n');
	put_pending(out, p);
	put_owner(out, p);
	put_one_pace(out, "called STOP without a commit for", &p->in->commit->commits,
		     judge_stop_after_ms(p->in->commit, p->in->rules));
	put_one_pace(out, "called STALL without progress for", &p->in->commit->progress,
		     judge_stall_after_ms(p->in->commit, p->in->rules));
	put_window(out, p);
	put_rules(out, p);
}

/* --- the past --- */

void explain_text_event(struct buf *out, const struct past_event *e)
{
	date_put(out, e->at_ms);
	if (e->of_group)
		buf_puts(out, "  group ");
	else
		buf_printf(out, "  %s/%" PRId32 " ", e->topic, e->partition);
	if (e->kind == PAST_STATUS)
		buf_printf(out, "%s -> %s", status_str((enum status)e->from),
			   status_str((enum status)e->to));
	buf_printf(out, "\n    %s\n", e->sentence);
}

void explain_text_lag_head(struct buf *out)
{
	put_cell(out, 20, "TIME");
	put_cell(out, 7, "STATUS");
	buf_puts(out, "      LAG, SUM  OF ONE PARTITION OLDEST WAITS FOR\n");
}

void explain_text_lag(struct buf *out, const struct story_lag *l)
{
	date_put(out, l->at_ms);
	buf_putc(out, ' ');
	if (!l->seen) {
		buf_puts(out, "not seen\n");
		return;
	}
	put_cell(out, 7, status_str(l->status));
	put_number(out, 14, l->lag);
	put_number(out, 17, l->max);
	put_age(out, l->time_lag_ms, l->at_least);
}
