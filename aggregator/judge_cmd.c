/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge_cmd.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/replay.h"
#include "common/err.h"

static const char USAGE[] =
	"usage: warren-aggregator judge FILE [option]\n"
	"\n"
	"Plays recorded cases through the judge with its default rules. Says how the verdict "
	"changed\n"
	"and why, and scores it, second by second, where the case knows the truth.\n"
	"\n"
	"      --scenario NAME  this one alone\n"
	"      --passes         what is judged in every pass, not only what changes\n"
	"  -q, --quiet          the scores alone\n"
	"      --every N        a pass for every Nth recorded row\n"
	"      --from N         the first pass is this row, from 0\n"
	"      --admin          commits as the Admin API shows them: moves only\n"
	"  -h, --help           show this and exit\n"
	"\n"
	"The exit status is 1 when a second that counts is wrong.\n";

#define ALARM (CASE_BIT(STATUS_WARN) | CASE_BIT(STATUS_ERR))

struct options {
	const char *file, *scenario;
	bool passes, quiet;
	struct replay_options replay;
};

/* Seconds of a phase, or of all. */
struct score {
	int64_t all, right; /* of those that count */
	int64_t false_alarm;
	int64_t missed; /* bad, and called good */
	int64_t grade;  /* bad, and called bad in the wrong way */
	int64_t absent;
	int64_t grace_alarm; /* false alarms in the grace time */
	int64_t kind_all;    /* of those where the partitions' truth is known too */
	int64_t kind;
};

static void add(struct score *to, const struct score *s)
{
	to->all += s->all;
	to->right += s->right;
	to->false_alarm += s->false_alarm;
	to->missed += s->missed;
	to->grade += s->grade;
	to->absent += s->absent;
	to->grace_alarm += s->grace_alarm;
	to->kind_all += s->kind_all;
	to->kind += s->kind;
}

static bool is_right(const struct score *s)
{
	return s->right == s->all && s->grace_alarm == 0 && s->kind == s->kind_all;
}

/* One scenario on its way. */
struct scenario {
	const struct options *options;
	const struct case_series *series;
	size_t count;
	struct replay *replay;
	enum status shown[REPLAY_PARTS_MAX]; /* said last */
	enum reason reasons[REPLAY_PARTS_MAX];
};

/* --- what it says --- */

/* A change of the reason alone is worth a line when something is wrong. */
static bool worth_saying(const struct scenario *s, size_t part, const struct commit_track *t)
{
	return s->options->passes || s->shown[part] != (enum status)t->status ||
	       (t->status > STATUS_OK && s->reasons[part] != (enum reason)t->reason);
}

static void say(void *arg, size_t part, const struct judge_input *in, const struct verdict *v)
{
	CLEANUP(buf_free) struct buf text = {0};
	struct scenario *s = arg;
	const struct commit_track *t = in->commit;

	if (s->options->quiet || !worth_saying(s, part, t))
		return;
	s->shown[part] = (enum status)t->status;
	s->reasons[part] = (enum reason)t->reason;
	explain(in, v, &text);
	printf("%8.1f s  %s  %-6s", (double)(in->now_ms - REPLAY_BASE_MS) / 1000,
	       s->series[part].name, status_str((enum status)t->status));
	if (v->status != (enum status)t->status)
		printf(" (judged %s)", status_str(v->status));
	printf(" rule %u, %s: %s\n", v->rule, reason_str(v->reason), buf_str(&text));
}

/* --- whether it is right --- */

static unsigned right_of(const struct case_phase *ph, const char *name)
{
	for (size_t i = 0; i < ph->part_count; i++)
		if (strcmp(ph->parts[i].name, name) == 0)
			return ph->parts[i].right;
	return CASE_BIT(STATUS_OK);
}

static bool parts_right(const struct scenario *s, const struct case_phase *ph,
			const struct replay_shown *shown)
{
	for (size_t i = 0; i < s->count; i++)
		if ((CASE_BIT(shown->parts[i]) & right_of(ph, s->series[i].name)) == 0)
			return false;
	return true;
}

static void score_wrong(const struct case_phase *ph, unsigned got, struct score *sc)
{
	bool bad = (ph->right & (CASE_BIT(STATUS_OK) | CASE_BIT(STATUS_NOTFOUND))) == 0;
	bool quiet = (ph->right & ALARM) == 0;

	if (quiet && (got & ALARM) != 0)
		sc->false_alarm++;
	else if (bad && (got & ALARM) == 0)
		sc->missed++;
	else if ((got & ALARM) != 0)
		sc->grade++;
	else
		sc->absent++;
}

/* before: what was right in the phase before. */
static void score_second(const struct scenario *s, const struct case_phase *ph, unsigned before,
			 int64_t at_ms, struct score *sc)
{
	const struct replay_shown *shown = replay_at(s->replay, at_ms);
	unsigned got = CASE_BIT(shown->group);
	bool good = (got & ph->right) != 0;

	if (at_ms - ph->from_ms <= ph->grace_ms) {
		sc->grace_alarm += (got & ALARM) != 0 && (ph->right & ALARM) == 0 &&
				   (got & (ph->right | before | ph->grace_right)) == 0;
		return;
	}
	sc->all++;
	sc->right += good;
	if (!good)
		score_wrong(ph, got, sc);
	if (good && ph->has_parts) {
		sc->kind_all++;
		sc->kind += parts_right(s, ph, shown);
	}
}

/* When the phase was first shown rightly; negative: never. */
static int64_t delay_ms(const struct scenario *s, const struct case_phase *ph)
{
	for (int64_t at_ms = ph->from_ms; at_ms <= ph->to_ms; at_ms += 1000)
		if ((CASE_BIT(replay_at(s->replay, at_ms)->group) & ph->right) != 0)
			return at_ms - ph->from_ms;
	return -1;
}

static void say_phase(const struct scenario *s, const struct case_phase *ph, const struct score *sc)
{
	int64_t delay = delay_ms(s, ph);

	printf("    phase %s, %" PRId64 " to %" PRId64 " s: %s", ph->name, ph->from_ms / 1000,
	       ph->to_ms / 1000,
	       !ph->scored    ? "not scored"
	       : is_right(sc) ? "right"
			      : "WRONG");
	if (delay >= 0)
		printf(", shown after %" PRId64 " s\n", delay / 1000);
	else
		printf(", never shown\n");
}

static struct score score_phases(const struct scenario *s)
{
	struct score sum = {0};
	unsigned before = 0;

	for (size_t i = 0; i < s->series->phase_count; i++) {
		const struct case_phase *ph = &s->series->phases[i];
		struct score sc = {0};

		for (int64_t at_ms = ph->from_ms + 1000; ph->scored && at_ms <= ph->to_ms;
		     at_ms += 1000)
			score_second(s, ph, before, at_ms, &sc);
		if (!s->options->quiet)
			say_phase(s, ph, &sc);
		add(&sum, &sc);
		before = ph->right;
	}
	return sum;
}

static void say_score(const char *name, const struct score *sc)
{
	printf("%-26s %5.1f%% of %4" PRId64 " s right; false alarm %" PRId64 "+%" PRId64
	       " s, missed %" PRId64 ", grade %" PRId64 ", absent %" PRId64 ", partitions %" PRId64
	       " of %" PRId64 "%s\n",
	       name, sc->all == 0 ? 100.0 : 100.0 * (double)sc->right / (double)sc->all, sc->all,
	       sc->false_alarm, sc->grace_alarm, sc->missed, sc->grade, sc->absent, sc->kind,
	       sc->kind_all, is_right(sc) ? "" : "  WRONG");
}

/* --- all of it --- */

/* Lines of one scenario from the first of them. */
static size_t same_scenario(const struct cases *c, size_t first)
{
	size_t count = 1;

	while (first + count < c->count &&
	       strcmp(c->series[first + count].scenario, c->series[first].scenario) == 0)
		count++;
	return count;
}

/* False: it is wrong, or cannot be played. */
static bool play(const struct options *o, const struct case_series *series, size_t count)
{
	CLEANUP(replay_free) struct replay *r = NULL;
	struct scenario s = {.options = o, .series = series, .count = count};

	if (replay_new(series, count, &o->replay, &r) != ERR_OK) {
		fprintf(stderr, "judge: %s has too many partitions\n", series->scenario);
		return false;
	}
	s.replay = r;
	if (!o->quiet)
		printf("%s\n", series->scenario);
	replay_run(r, say, &s);
	struct score sc = score_phases(&s);
	if (series->phase_count != 0)
		say_score(series->scenario, &sc);
	return is_right(&sc);
}

static int play_all(const struct options *o, const struct cases *c)
{
	size_t scenarios = 0;
	size_t right = 0;

	for (size_t i = 0; i < c->count;) {
		size_t count = same_scenario(c, i);

		if (o->scenario == NULL || strcmp(o->scenario, c->series[i].scenario) == 0) {
			scenarios++;
			right += play(o, &c->series[i], count);
		}
		i += count;
	}
	if (scenarios == 0) {
		fprintf(stderr, "judge: no such scenario: %s\n", o->scenario);
		return EXIT_FAILURE;
	}
	printf("%zu of %zu scenarios right in every second\n", right, scenarios);
	return right == scenarios ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A number from least up to a million. */
static bool parse_number(const char *text, size_t least, size_t *ret)
{
	if (*text == '\0' || strlen(text) > 6 || strspn(text, "0123456789") != strlen(text))
		return false;
	*ret = (size_t)strtoul(text, NULL, 10);
	return *ret >= least;
}

/* False: a wrong option. */
static bool take_option(int c, struct options *o)
{
	switch (c) {
	case 's':
		o->scenario = optarg;
		return true;
	case 'p':
		o->passes = true;
		return true;
	case 'q':
		o->quiet = true;
		return true;
	case 'a':
		o->replay.admin = true;
		return true;
	case 'e':
		return parse_number(optarg, 1, &o->replay.every);
	case 'f':
		return parse_number(optarg, 0, &o->replay.from);
	default:
		return false;
	}
}

int judge_cmd(int argc, char **argv)
{
	static const struct option LONG[] = {
		{"scenario", required_argument, NULL, 's'}, {"passes", no_argument, NULL, 'p'},
		{"quiet", no_argument, NULL, 'q'},          {"every", required_argument, NULL, 'e'},
		{"from", required_argument, NULL, 'f'},     {"admin", no_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
	};
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(cases_free) struct cases cases = {.series = NULL};
	struct options o = {.replay = {.every = 1}};

	for (int c = 0; (c = getopt_long(argc, argv, "qh", LONG, NULL)) != -1;) {
		if (c == 'h') {
			fputs(USAGE, stdout);
			return EXIT_SUCCESS;
		}
		if (!take_option(c, &o)) {
			fputs(USAGE, stderr);
			return EXIT_FAILURE;
		}
	}
	if (optind + 1 != argc) {
		fputs(USAGE, stderr);
		return EXIT_FAILURE;
	}
	if (cases_load(argv[optind], &cases, &errors) != ERR_OK) {
		fputs(buf_str(&errors), stderr);
		return EXIT_FAILURE;
	}
	return play_all(&o, &cases);
}
