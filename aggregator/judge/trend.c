/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/trend.h"

#include <string.h>

#define POINTS_MAX WINDOW_POINTS_MAX

/* So much has to be there to speak of a trend. */
#define SPAN_MIN_MS INT64_C(90000)
#define PASSES_MIN 6
#define POINTS_MIN 5

/* A lag younger than this share of what is warned of is close to the end, and so is a single
 * message: it may be the marker of a transaction, that nobody reads. */
#define NEAR_SHARE 4
#define MARKER_LAG 1

/* Growth between thirds, and distance from the peak, against the scatter of the points. */
#define NOISES 2

/* A lag that grows by less than this share of what came in lately does not. */
#define GROWTH_SHARE 0.01

/* So many times up and down make waves. The least lag of them has to rise by this share of their
 * height. */
#define WAVE_PEAKS 3
#define FLOOR_SHARE 0.75

/* A fall is another wave up to so many times the deepest before: points are too few to catch every
 * top and bottom. */
#define DIP_SHARE 1.5

/* The last quarter of the window is looked at in two halves of three points at least. */
#define QUARTER_MIN 6

/* A fall just now: for so long, and by so much. */
#define RUN_MS INT64_C(15000)
#define RUN_NOISES 4

/* Rates are taken over the last quarter, and so many points at least. */
#define RATE_POINTS 4

/* Newest first. */
struct series {
	size_t count;
	const struct window_point *commits;
	double lag[POINTS_MAX];
	double end[POINTS_MAX];       /* of the log, when the commit came */
	double behind_ms[POINTS_MAX]; /* age of the oldest unread message then */
	bool at_least;                /* some of these are lower bounds */
};

/* --- commits and log, side by side --- */

/* Follows the log back in time. */
struct follower {
	const struct window_point *points; /* newest first */
	size_t count;
	size_t at; /* the older neighbour of what is looked for; count: there is none */
};

static struct window_point newer(const struct follower *f)
{
	return f->points[f->at == 0 ? 0 : f->at - 1];
}

/* The log end at a time, between two points that are close, as a step where they are not. */
static double end_at(struct follower *f, int64_t at_ms, int64_t gap_ms)
{
	while (f->at < f->count && f->points[f->at].at_ms > at_ms)
		f->at++;
	struct window_point b = newer(f);
	struct window_point a = f->at < f->count ? f->points[f->at] : b;

	if (b.at_ms <= a.at_ms || b.at_ms - a.at_ms > gap_ms)
		return (double)a.value;
	return (double)a.value + ((double)b.value - (double)a.value) * (double)(at_ms - a.at_ms) /
					 (double)(b.at_ms - a.at_ms);
}

/* When the log end passed an offset; false: before the window begins, *ret_at_ms is its beginning.
 */
static bool passed_at(struct follower *f, int64_t offset, const struct cluster_track *c,
		      int64_t *ret_at_ms)
{
	if (newer(f).value <= offset) /* the group has gone back since */
		f->at = 0;
	while (f->at < f->count && f->points[f->at].value > offset)
		f->at++;
	*ret_at_ms = newer(f).at_ms;
	if (f->at == f->count)
		return false;
	if (newer(f).value > offset)
		*ret_at_ms = window_between(f->points[f->at], newer(f), offset, track_gap_ms(c),
					    c->interval_ms);
	return true;
}

static void collect_lags(struct series *s, struct follower ends, const struct cluster_track *c)
{
	for (size_t i = 0; i < s->count; i++) {
		s->end[i] = end_at(&ends, s->commits[i].at_ms, track_gap_ms(c));
		s->lag[i] = MAX(s->end[i] - (double)s->commits[i].value, 0.0);
	}
}

/* Ages of the newest so many points. */
static void collect_ages(struct series *s, struct follower ends, const struct cluster_track *c,
			 size_t count)
{
	s->at_least = false;
	for (size_t i = 0; i < count; i++) {
		int64_t at_ms = s->commits[i].at_ms;
		int64_t passed_ms = 0;

		if (!passed_at(&ends, s->commits[i].value, c, &passed_ms))
			s->at_least = true;
		s->behind_ms[i] =
			s->lag[i] <= MARKER_LAG ? 0 : (double)MAX(at_ms - passed_ms, (int64_t)0);
	}
}

/* The time between two points, the newer one first. */
static double between_ms(const struct series *s, size_t i, size_t j)
{
	return (double)(s->commits[i].at_ms - s->commits[j].at_ms);
}

/* --- up --- */

static double median(const double *values, size_t n)
{
	double v[POINTS_MAX];

	for (size_t i = 0; i < n; i++) {
		size_t j = i;

		for (; j > 0 && v[j - 1] > values[i]; j--)
			v[j] = v[j - 1];
		v[j] = values[i];
	}
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* How far lags lie from the line between their neighbours: scatter, whatever the trend does. */
static double noise(const struct series *s)
{
	double off[POINTS_MAX];
	size_t n = 0;

	for (size_t i = 1; i + 1 < s->count; i++) {
		double part = between_ms(s, i, i + 1) / between_ms(s, i - 1, i + 1);
		double away = s->lag[i] - s->lag[i + 1] - part * (s->lag[i - 1] - s->lag[i + 1]);

		off[n++] = away < 0 ? -away : away;
	}
	return median(off, n);
}

/* By how much the newest third of a series lies above the oldest. */
static double growth(const double *values, size_t count)
{
	size_t third = count / 3;

	return median(values, third) - median(values + count - third, third);
}

/* By how many ms the age has grown with the lag. Where the window does not reach back to the oldest
 * unread message, by how long the log took to grow as much. */
static double ages(const struct series *s, double grown)
{
	double came = s->end[0] - s->end[s->count - 1];

	if (!s->at_least)
		return growth(s->behind_ms, s->count);
	return came <= 0 ? 0 : grown / came * between_ms(s, 0, s->count - 1);
}

/* Up with the last commit. */
static bool climbs(const struct series *s)
{
	return s->lag[0] >= s->lag[1] && s->lag[0] > s->lag[2];
}

/* Does more come now, between the last two points of the log, than was read between the last two
 * commits? */
static bool comes_faster(const struct series *s, const struct window_point *log)
{
	double comes = ((double)log[0].value - (double)log[1].value) /
		       (double)(log[0].at_ms - log[1].at_ms);
	double reads =
		((double)s->commits[0].value - (double)s->commits[1].value) / between_ms(s, 0, 1);

	return comes > reads;
}

/* --- up and down --- */

/* The lag since the group was last close to the end. */
struct waves {
	size_t peaks;
	double fall;    /* from the highest to now */
	double deepest; /* of the falls before, after which it came back to a new height */
	double height;  /* of all falls the deepest */
};

static bool is_peak(const struct series *s, size_t i)
{
	return i + 1 < s->count && s->lag[i] > s->lag[i - 1] && s->lag[i] >= s->lag[i + 1];
}

static struct waves waves_of(const struct series *s, int64_t near_ms)
{
	struct waves w = {0};
	size_t episode = 1;
	size_t top = 0;
	double peak = 0;

	for (; episode < s->count && s->behind_ms[episode] > (double)near_ms; episode++) {
		w.peaks += is_peak(s, episode);
		top = s->lag[episode] > s->lag[top] ? episode : top;
	}
	for (size_t i = episode; i-- > 0;) {
		peak = MAX(peak, s->lag[i]);
		w.height = MAX(w.height, peak - s->lag[i]);
		if (i == top)
			w.deepest = w.height;
	}
	w.fall = s->lag[top] - s->lag[0];
	return w;
}

/* By how much the least lag of the newer half of the time lies above that of the older half, which
 * waves do not hide. */
static double floor_rise(const struct series *s)
{
	double half_ms = between_ms(s, 0, s->count - 1) / 2;
	double newest = s->lag[0];
	double oldest = s->lag[s->count - 1];

	for (size_t i = 1; i + 1 < s->count; i++) {
		if (between_ms(s, 0, i) <= half_ms)
			newest = MIN(newest, s->lag[i]);
		else
			oldest = MIN(oldest, s->lag[i]);
	}
	return newest - oldest;
}

/* --- down --- */

/* The newer half of the last quarter lies below its older half. */
static bool falls_in_quarter(const struct series *s)
{
	size_t half = MIN(MAX(s->count / 4, (size_t)QUARTER_MIN), s->count) / 2;

	return median(s->lag, half) < median(s->lag + half, half);
}

static size_t run_down(const struct series *s, size_t from)
{
	size_t i = from;

	while (i + 1 < s->count && s->lag[i] < s->lag[i + 1])
		i++;
	return i - from;
}

/* Down at every step of late, for longer than ever before in the window. A lag that goes up and
 * down does not pass for a falling one each time it goes down, nor does one that is but seen at
 * another moment between two commits. */
static bool falls_now(const struct series *s, int64_t interval_ms)
{
	size_t run = run_down(s, 0);
	double for_ms = between_ms(s, 0, run);
	double fall = s->lag[run] - s->lag[0];

	if (for_ms < RUN_MS)
		return false;
	if (run == 1 && fall < (s->end[0] - s->end[1]) * (double)interval_ms / for_ms)
		return false;
	for (size_t i = run + 1; i < s->count; i++) {
		if (run_down(s, i) >= run)
			return false;
	}
	return fall >= RUN_NOISES * noise(s);
}

static bool falls(const struct series *s, const struct waves *w, int64_t interval_ms)
{
	if (w->fall <= DIP_SHARE * w->deepest)
		return false;
	return falls_in_quarter(s) || falls_now(s, interval_ms);
}

/* --- all of it --- */

static void rates(const struct series *s, struct trend *t)
{
	size_t i = MIN(s->count - 1, MAX(s->count / 4, (size_t)RATE_POINTS));
	double seconds = between_ms(s, 0, i) / 1000;

	t->reads = ((double)s->commits[0].value - (double)s->commits[i].value) / seconds;
	t->grows = (s->end[0] - s->end[i]) / seconds;
}

/* Points since the group reads again: what was not read before says nothing of how fast it reads.
 */
static size_t since_err(const struct series *s, const struct commit_track *t)
{
	size_t n = 0;

	if (t->status > STATUS_ERR)
		return 0;
	while (n < s->count && (t->after_err == 0 || s->commits[n].at_ms >= t->since_ms))
		n++;
	return n;
}

static bool is_known(const struct series *s, const struct commit_track *t,
		     const struct cluster_track *c)
{
	return s->count >= POINTS_MIN && between_ms(s, 0, s->count - 1) >= SPAN_MIN_MS &&
	       c->passes - t->first_pass + 1 >= PASSES_MIN;
}

/* What came in lately, of which growth has to be a share. */
static double least_growth(const struct series *s)
{
	return GROWTH_SHARE * (s->end[0] - s->end[s->count / 3]);
}

/* To raise a warning lag has to grow beyond its noise, and to do so now: it stands at its highest,
 * or goes in waves. */
static bool begins(const struct series *s, const struct waves *w, const struct window_point *log,
		   int64_t interval_ms)
{
	double grown = growth(s->lag, s->count);
	double least = least_growth(s);
	double scatter = noise(s);
	bool wave = w->peaks >= WAVE_PEAKS;
	bool rises = climbs(s) && w->fall <= NOISES * scatter && comes_faster(s, log);

	if (!wave && !rises)
		return false;
	bool grows = grown > MAX(MAX(NOISES * scatter, w->height), least) ||
		     (wave && floor_rise(s) > MAX(FLOOR_SHARE * w->height, least));
	return grows && ages(s, grown) > (double)interval_ms / 2;
}

static bool may_begin(const struct series *s)
{
	size_t peaks = 0;

	for (size_t i = 1; i < s->count; i++)
		peaks += is_peak(s, i);
	return peaks >= WAVE_PEAKS || climbs(s);
}

void trend_of(const struct commit_track *t, const struct log_track *log,
	      const struct cluster_track *cluster, int64_t from_ms, int64_t warn_after_ms,
	      struct trend *ret_t)
{
	struct window_point commits[POINTS_MAX];
	struct window_point ends[POINTS_MAX];
	struct series s = {.commits = commits};
	struct follower f = {.points = ends};

	*ret_t = (struct trend){0};
	s.count = window_points(&t->offsets, from_ms, commits);
	f.count = window_points(&log->ends, 0, ends);
	if (s.count == 0 || f.count == 0)
		return;
	collect_lags(&s, f, cluster);
	collect_ages(&s, f, cluster, 1);
	ret_t->behind_ms = (int64_t)s.behind_ms[0];
	if (s.count < 2)
		return;
	rates(&s, ret_t);
	s.count = since_err(&s, t);
	bool up = t->status == STATUS_WARN;
	if (ret_t->behind_ms < warn_after_ms / 2 || !is_known(&s, t, cluster) || f.count < 2 ||
	    (!up && !may_begin(&s)))
		return;
	collect_ages(&s, f, cluster, s.count);
	struct waves w = waves_of(&s, warn_after_ms / NEAR_SHARE);
	/* To keep a warning up it is enough not to fall. */
	if (up)
		ret_t->worse = growth(s.lag, s.count) > least_growth(&s);
	else
		ret_t->worse = begins(&s, &w, ends, cluster->interval_ms);
	ret_t->worse = ret_t->worse && !falls(&s, &w, cluster->interval_ms);
}
