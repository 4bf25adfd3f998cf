/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aggregator/judge/pace.h"

void explain_count(struct buf *out, int64_t n)
{
	char digits[24];
	size_t len =
		(size_t)snprintf(digits, sizeof(digits), "%" PRIu64, (uint64_t)MAX(n, (int64_t)0));

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buf_putc(out, ',');
		buf_putc(out, digits[i]);
	}
}

void explain_time(struct buf *out, int64_t ms)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} UNITS[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	int64_t left = MAX(ms, (int64_t)0) / 1000;
	size_t i = 0;

	if (left == 0) {
		buf_puts(out, "less than 1 s");
		return;
	}
	while (i + 1 < ARRAY_LEN(UNITS) && left < UNITS[i].seconds)
		i++;
	buf_printf(out, "%" PRId64 " %s", left / UNITS[i].seconds, UNITS[i].name);
	left %= UNITS[i].seconds;
	if (i + 1 < ARRAY_LEN(UNITS) && left >= UNITS[i + 1].seconds)
		buf_printf(out, " %" PRId64 " %s", left / UNITS[i + 1].seconds, UNITS[i + 1].name);
}

/*
 * The sentences. In them stand for
 *	%c committed offset   %e log end         %s log start       %l lag
 *	%w messages lost      %a age of the oldest unread message   %t time elapsed
 *	%m limit              %p usual pause between commits         %f, %g rewind from, to
 *	%i time to catch up   %b for how long the agent has seen nothing
 */
static const struct {
	const char *what;
	const char *clears; /* what would change it; NULL: nothing has to */
} TEXTS[REASON_COUNT] = {
	[REASON_NO_DATA] = {"nothing has been seen of it for %b, so the last verdict stands",
			    "it is judged again with the next pass that sees it"},
	[REASON_WARMING_UP] = {"fewer than 3 passes have been seen, too few to judge by", NULL},
	[REASON_OFFSET_BEYOND_END] = {"committed %c lies beyond the log end %e: what arrives until "
				      "then will not be read",
				      "clears when the committed offset lies inside the log"},
	[REASON_DATA_LOSS] = {"%w messages were deleted before they were read: committed %c, log "
			      "start %s",
			      "clears when the group reads on from the log start"},
	[REASON_CAUGHT_UP] = {"no messages wait: committed %c, log end %e", NULL},
	[REASON_OPEN_TRANSACTION] = {"what lies behind committed %c belongs to a transaction that "
				     "has been open for %t",
				     NULL},
	[REASON_WENT_BACKWARDS] = {"the committed offset went back from %f to %g, %t ago",
				   "clears when %f is passed again, or after %m of steady reading"},
	[REASON_NO_COMMITS] =
		{"no commit has arrived for %t while %l messages wait, the oldest for "
		 "%a; pauses of %p are usual, %m is allowed",
		 "clears when commits arrive again"},
	[REASON_NO_MEMBERS] =
		{"the group lost all its members and nothing has been committed for %t, "
		 "while %l messages wait, the oldest for %a",
		 "clears when a member commits"},
	[REASON_NEVER_COMMITTED] = {"a member has the partition but never committed; messages have "
				    "arrived since then and the oldest has waited for %a",
				    "clears with the first commit"},
	[REASON_UNASSIGNED] =
		{"the group subscribes to the topic, but for %t no member has been given "
		 "this partition; %l messages wait",
		 "clears when a member is assigned and commits"},
	[REASON_UNOWNED] = {"no member has the partition, nothing has been committed for %t and %l "
			    "messages wait",
			    "clears when a member commits; not counted any more when nobody has it "
			    "for 5 min"},
	[REASON_ABANDONED] = {"no member reads this topic any more; it is not counted", NULL},
	[REASON_NO_PROGRESS] =
		{"committed %c has not moved on for %t while %l messages wait, the oldest "
		 "for %a; the consumer lives",
		 "clears when the committed offset moves on"},
	[REASON_REWIND_LOOP] =
		{"the committed offset moves, now %c, but has not passed its highest "
		 "value for %t while %l messages wait",
		 "clears when that is passed"},
	[REASON_FALLING_BEHIND] =
		{"reads, but too slowly: %l messages wait, more and more over the "
		 "window, and the oldest waited for %t at the last commit",
		 "clears when lag falls, or the oldest waits for less than %m"},
	[REASON_TIME_LAG] =
		{"the oldest of %l messages has waited for %t, %m are allowed, and at this "
		 "speed that does not change within a window",
		 "clears below %m"},
	[REASON_CATCHING_UP] =
		{"%l messages wait, the oldest for %a, and they become fewer: caught up "
		 "in %i",
		 NULL},
	[REASON_KEEPING_UP] = {"reads on: %l messages wait, the oldest for %a", NULL},
	[REASON_IGNORED] = {"not counted", NULL},
};

static int64_t count_of(char what, const struct explain_facts *f)
{
	switch (what) {
	case 'c':
		return f->committed;
	case 'e':
		return f->log_end;
	case 's':
		return f->log_start;
	case 'l':
		return f->lag;
	case 'w':
		return f->lost;
	case 'f':
		return f->rewind_from;
	default:
		return f->rewind_to;
	}
}

static int64_t time_of(char what, const struct explain_facts *f)
{
	switch (what) {
	case 'a':
		return f->time_lag_ms;
	case 't':
		return f->elapsed_ms;
	case 'm':
		return f->limit_ms;
	case 'p':
		return f->usual_ms;
	case 'i':
		return f->eta_ms;
	default:
		return f->unseen_ms;
	}
}

static void put_text(const char *text, const struct explain_facts *f, struct buf *out)
{
	for (; *text != '\0'; text++) {
		if (*text != '%') {
			buf_putc(out, *text);
			continue;
		}
		text++;
		if (strchr("ceslwfg", *text) != NULL) {
			explain_count(out, count_of(*text, f));
			continue;
		}
		if (*text == 'a' && f->time_lag_at_least)
			buf_puts(out, "at least ");
		explain_time(out, time_of(*text, f));
	}
}

/* Whose will it is that this is not counted. */
static void put_ignored(const struct explain_facts *f, struct buf *out)
{
	if (f->ignored) {
		buf_puts(out, ": a rule says ignore");
		return;
	}
	buf_puts(out, ": in maintenance for another ");
	explain_time(out, f->maintenance_ms);
	if (*f->maintenance_why != '\0')
		buf_printf(out, ", because \"%s\"", f->maintenance_why);
}

void explain_facts(const struct explain_facts *f, struct buf *out)
{
	unsigned reason = f->reason;

	if (reason >= REASON_COUNT || TEXTS[reason].what == NULL)
		return;
	put_text(TEXTS[reason].what, f, out);
	if (reason == REASON_IGNORED)
		put_ignored(f, out);
	if (TEXTS[reason].clears != NULL) {
		buf_puts(out, "; ");
		put_text(TEXTS[reason].clears, f, out);
	}
	buf_puts(out, " (window ");
	explain_time(out, f->window_ms);
	buf_printf(out, ", %d%% seen)", (int)(f->complete * 100));
}

bool explain_is_plain(enum reason reason)
{
	const char *what = TEXTS[reason].what;
	const char *clears = TEXTS[reason].clears;

	for (const char *at = what; at != NULL && (at = strchr(at, '%')) != NULL; at++)
		if (strchr("tmpbfg", at[1]) != NULL)
			return false;
	for (const char *at = clears; at != NULL && (at = strchr(at, '%')) != NULL; at++)
		if (strchr("tmpbfg", at[1]) != NULL)
			return false;
	return reason != REASON_IGNORED;
}

/* Since when nothing is known: of the cluster, or of this log alone. */
static int64_t unseen_ms(const struct judge_input *in)
{
	int64_t since_ms = in->cluster->last_ms;

	if (in->log != NULL && in->log->unknown_since_ms != 0)
		since_ms = MIN(since_ms, in->log->unknown_since_ms);
	return in->now_ms - since_ms;
}

void explain_gather(const struct judge_input *in, const struct verdict *v,
		    struct explain_facts *ret_f)
{
	const struct commit_track *t = in->commit;
	const struct log_track *l = in->log;
	const struct rules *r = in->rules;

	*ret_f = (struct explain_facts){
		.reason = v->reason,
		.time_lag_at_least = v->time_lag_at_least,
		.ignored = r->ignore,
		.complete = v->complete,
		.committed = t->offset,
		.log_start = l == NULL ? 0 : l->start,
		.log_end = l == NULL ? 0 : l->end,
		.lag = v->lag,
		.lost = v->lost,
		.time_lag_ms = v->time_lag_ms,
		.elapsed_ms = v->elapsed_ms,
		.limit_ms = v->limit_ms,
		.eta_ms = v->eta_ms,
		.usual_ms = pace_usual_ms(&t->commits),
		.unseen_ms = unseen_ms(in),
		.rewind_from = t->rewind_from,
		.rewind_to = t->rewind_to,
		.window_ms = r->window_ms,
		.maintenance_ms = r->maintenance_until_ms - in->now_ms,
		.maintenance_why = r->maintenance_why == NULL ? "" : r->maintenance_why,
	};
}

void explain(const struct judge_input *in, const struct verdict *v, struct buf *out)
{
	struct explain_facts f;

	explain_gather(in, v, &f);
	explain_facts(&f, out);
}

void explain_quiet_group(size_t partitions, size_t unknown, uint64_t total_lag, struct buf *out)
{
	if (partitions == 0) {
		buf_puts(out, "nothing is committed yet, so there is nothing to judge");
		return;
	}
	if (partitions == 1)
		buf_puts(out, "its one partition is OK");
	else
		buf_printf(out, "all partitions (%zu) are OK", partitions);
	if (unknown < partitions && total_lag == 0)
		buf_puts(out, ", no messages wait");
	else if (unknown < partitions)
		buf_printf(out, ", %" PRIu64 " %s", total_lag,
			   total_lag == 1 ? "message waits" : "messages wait");
	if (unknown > 0)
		buf_printf(out, ", the lag of %zu is not known", unknown);
}
