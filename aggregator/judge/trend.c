/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/judge/trend.h"

#include <string.h>

/* A window's bytes hold no more points than this, at two bytes each. */
#define POINTS_MAX (WINDOW_BYTES / 2 + 1)

/* So much has to be there to speak of a trend. */
#define SPAN_MIN_MS INT64_C(90000)
#define PASSES_MIN 6
#define POINTS_MIN 5

/* A lag of one may be the marker of a transaction, that nobody reads. */
#define MARKER_LAG 1

/* The last quarter of the window is looked at in two halves of three points at least. */
#define QUARTER_MIN 6

/* Growth between thirds, and distance from the peak, against the scatter of the points. */
#define GROWTH_NOISES 2
#define PEAK_NOISES 2

/* A lag that grows by less than this share of what came in lately does not. */
#define GROWTH_SHARE 0.01
#define PEAK_SHARE 0.01

#define WAVE_PEAKS 3

/* Of waves the least lag has to rise by so much of their height. */
#define FLOOR_SHARE 0.75

/* A fall is another wave up to so many times the deepest before: points are too few to catch every
 * top and bottom. */
#define DIP_SHARE 1.5

/* A fall just now: for so long, and by so much. */
#define RUN_MS INT64_C(15000)
#define RUN_NOISES 4
#define STEP_NOISES                                                                                \
	8 /* a single step has to be a clear one, and more than comes in between looks */
#define RATE_POINTS 4 /* rates are taken over the last quarter, and so many points at least */

struct series {
	size_t count;
	int64_t at_ms[POINTS_MAX]; /* newest first */
	double lag[POINTS_MAX];
	double behind_ms[POINTS_MAX];
	double offset[POINTS_MAX];
	double end[POINTS_MAX];
	bool at_least; /* some behind_ms are lower bounds */
};

/* Follows one window back in time beside another. */
struct follower {
	struct window_cursor at;   /* the older neighbour of what is looked for */
	struct window_point newer; /* the newer one; equal to at where there is none */
};

static struct follower follow(const struct window *w)
{
	struct window_cursor c = window_newest(w);

	return (struct follower){c, c.point};
}

static void step(struct follower *f)
{
	f->newer = f->at.point;
	window_older(&f->at);
}

/* The log end at a time, between two points that are close, as a step where they are not. */
static double end_at(struct follower *f, int64_t at_ms, int64_t gap_ms)
{
	while (f->at.valid && f->at.point.at_ms > at_ms)
		step(f);
	struct window_point a = f->at.valid ? f->at.point : f->newer;
	struct window_point b = f->newer;

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
	while (f->at.valid && f->at.point.value > offset)
		step(f);
	*ret_at_ms = f->newer.at_ms;
	if (!f->at.valid)
		return false;
	if (f->newer.value > offset)
		*ret_at_ms = window_between(f->at.point, f->newer, offset, track_gap_ms(c),
					    c->interval_ms);
	return true;
}

static void collect(const struct commit_track *t, const struct log_track *log,
		    const struct cluster_track *c, int64_t from_ms, struct series *s)
{
	struct follower ends = follow(&log->ends);
	struct follower ages = ends;
	struct window_cursor commits = window_newest(&t->offsets);

	s->count = 0;
	s->at_least = false;
	for (; commits.valid && commits.point.at_ms >= from_ms && s->count < POINTS_MAX;
	     window_older(&commits)) {
		size_t i = s->count++;
		int64_t passed_ms = 0;

		s->at_ms[i] = commits.point.at_ms;
		s->offset[i] = (double)commits.point.value;
		s->end[i] = end_at(&ends, commits.point.at_ms, track_gap_ms(c));
		s->lag[i] = MAX(s->end[i] - s->offset[i], 0.0);
		if (!passed_at(&ages, commits.point.value, c, &passed_ms))
			s->at_least = true;
		s->behind_ms[i] = s->lag[i] <= MARKER_LAG
					  ? 0
					  : (double)MAX(s->at_ms[i] - passed_ms, (int64_t)0);
	}
}

static void sort(double *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		double x = v[i];
		size_t j = i;

		for (; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

static double median(const double *values, size_t n)
{
	double v[POINTS_MAX];

	memcpy(v, values, n * sizeof(*v));
	sort(v, n);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* How far lags lie from the line between their neighbours: scatter, whatever the trend does. */
static double noise(const struct series *s)
{
	double off[POINTS_MAX];
	size_t n = 0;

	for (size_t i = 1; i + 1 < s->count; i++) {
		double part = (double)(s->at_ms[i] - s->at_ms[i + 1]) /
			      (double)(s->at_ms[i - 1] - s->at_ms[i + 1]);
		double away = s->lag[i] - s->lag[i + 1] - part * (s->lag[i - 1] - s->lag[i + 1]);

		off[n++] = away < 0 ? -away : away;
	}
	return n == 0 ? 0 : median(off, n);
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
	return came <= 0 ? 0 : grown / came * (double)(s->at_ms[0] - s->at_ms[s->count - 1]);
}

/* Up with the last commit, and as high as ever in the window. */
static bool is_rising(const struct series *s, double scatter)
{
	double peak = 0;

	for (size_t i = 0; i < s->count; i++)
		peak = MAX(peak, s->lag[i]);
	return s->lag[0] >= s->lag[1] && s->lag[0] > s->lag[2] &&
	       s->lag[0] + MAX(PEAK_NOISES * scatter, peak * PEAK_SHARE) >= peak;
}

/* Does more come now, between the last two points of the log, than was read between the last two
 * commits? */
static bool comes_faster(const struct series *s, const struct log_track *log)
{
	struct window_cursor c = window_newest(&log->ends);

	if (!window_older(&c))
		return true;
	double comes = ((double)log->ends.value - (double)c.point.value) /
		       (double)MAX(log->ends.at_ms - c.point.at_ms, INT64_C(1));
	return comes > (s->offset[0] - s->offset[1]) / (double)(s->at_ms[0] - s->at_ms[1]);
}

/* Up and down again and again since the group was last close to the end: no single burst. */
static bool is_wave(const struct series *s, int64_t near_ms)
{
	size_t peaks = 0;

	for (size_t i = 1; i + 1 < s->count && s->behind_ms[i] > (double)near_ms; i++)
		peaks += s->lag[i] > s->lag[i - 1] && s->lag[i] >= s->lag[i + 1];
	return peaks >= WAVE_PEAKS;
}

/* The lag since the group was last close to the end. */
struct waves {
	double fall;    /* from the highest to now */
	double deepest; /* of the falls before, after which it came back to a new height */
	double height;  /* of all falls the deepest */
};

static struct waves waves_of(const struct series *s, int64_t near_ms)
{
	struct waves w = {0};
	size_t episode = 1;
	size_t top = 0;
	double peak = 0;

	while (episode < s->count && s->behind_ms[episode] > (double)near_ms)
		episode++;
	for (size_t i = 0; i < episode; i++)
		top = s->lag[i] > s->lag[top] ? i : top;
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
	int64_t middle_ms = s->at_ms[0] - (s->at_ms[0] - s->at_ms[s->count - 1]) / 2;
	double newer = s->lag[0];
	double older = s->lag[s->count - 1];

	for (size_t i = 0; i < s->count; i++) {
		if (s->at_ms[i] >= middle_ms)
			newer = MIN(newer, s->lag[i]);
		else
			older = MIN(older, s->lag[i]);
	}
	return newer - older;
}

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
 * down does not pass for a falling one each time it goes down. */
static bool falls_now(const struct series *s, double scatter, int64_t interval_ms)
{
	size_t run = run_down(s, 0);
	int64_t for_ms = s->at_ms[0] - s->at_ms[run];
	double least = RUN_NOISES * scatter;

	if (for_ms < RUN_MS)
		return false;
	if (run == 1)
		least = MAX(STEP_NOISES * scatter,
			    (s->end[0] - s->end[1]) * (double)interval_ms / (double)for_ms);
	if (s->lag[run] - s->lag[0] < least)
		return false;
	for (size_t i = run + 1; i < s->count; i++) {
		if (run_down(s, i) >= run)
			return false;
	}
	return true;
}

static void rates(const struct series *s, struct trend *t)
{
	size_t i = MIN(s->count - 1, MAX(s->count / 4, (size_t)RATE_POINTS));
	double seconds = (double)(s->at_ms[0] - s->at_ms[i]) / 1000;

	if (seconds <= 0)
		return;
	t->reads = (s->offset[0] - s->offset[i]) / seconds;
	t->grows = (s->end[0] - s->end[i]) / seconds;
}

/* Points since the group reads again: what was not read before says nothing of how fast it reads.
 */
static size_t since_err(const struct series *s, const struct commit_track *t)
{
	size_t n = 0;

	if (t->status > STATUS_ERR)
		return 0;
	while (n < s->count && (t->after_err == 0 || s->at_ms[n] >= t->since_ms))
		n++;
	return n;
}

void trend_of(const struct commit_track *t, const struct log_track *log,
	      const struct cluster_track *cluster, int64_t from_ms, int64_t near_ms,
	      struct trend *ret_t)
{
	struct series s;

	*ret_t = (struct trend){0};
	collect(t, log, cluster, from_ms, &s);
	if (s.count == 0)
		return;
	ret_t->behind_ms = (int64_t)s.behind_ms[0];
	if (s.count < 2)
		return;
	rates(&s, ret_t);
	s.count = since_err(&s, t);
	ret_t->known = s.count >= POINTS_MIN && s.at_ms[0] - s.at_ms[s.count - 1] >= SPAN_MIN_MS &&
		       cluster->passes - t->first_pass + 1 >= PASSES_MIN;
	if (!ret_t->known)
		return;
	double scatter = noise(&s);
	struct waves w = waves_of(&s, near_ms);
	double grown = growth(s.lag, s.count);
	double risen = floor_rise(&s);
	double least = GROWTH_SHARE * (s.end[0] - s.end[s.count / 3]);
	bool wave = is_wave(&s, near_ms);

	ret_t->growing = grown > MAX(MAX(GROWTH_NOISES * scatter, w.height), least) ||
			 (wave && risen > MAX(FLOOR_SHARE * w.height, least));
	ret_t->growing = ret_t->growing && ages(&s, grown) > cluster->interval_ms / 2.0;
	ret_t->lasting = MAX(grown, risen) > least;
	ret_t->rising = wave || (is_rising(&s, scatter) && comes_faster(&s, log));
	ret_t->falling = (falls_in_quarter(&s) || falls_now(&s, scatter, cluster->interval_ms)) &&
			 w.fall > DIP_SHARE * w.deepest;
}
