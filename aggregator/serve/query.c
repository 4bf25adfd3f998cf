/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aggregator/serve/problem.h"
#include "aggregator/serve/route.h"
#include "common/err.h"
#include "common/glob.h"

#define FLAGS "all pretty" /* parameters that need no value */
#define LIST_PARAMETERS "q sort limit cursor format pretty"

static const char *const SORTS[] = {"name", "lag", "time_lag", "status", "since"};
static const char *const STATES[] = {"unknown", "Empty", "Stable", "Rebalancing", "Dead"};

const char *query_sort_str(enum query_sort sort)
{
	return SORTS[sort];
}

/* --- parameters --- */

/* The value of a parameter, unescaped, a plus being a blank. */
static int unescape_value(const char *value, size_t size, char *text)
{
	if (size > REQUEST_TARGET_MAX)
		return ERR_MALFORMED;
	memcpy(text, value, size);
	text[size] = '\0';
	for (char *c = text; (c = strchr(c, '+')) != NULL; c++)
		*c = ' ';
	return route_unescape(text);
}

int query_next(const char **at, const char *name, char text[static REQUEST_TARGET_MAX + 1])
{
	size_t name_size = strlen(name);

	while (**at != '\0') {
		const char *one = *at;
		size_t size = strcspn(one, "&");

		*at += size + (one[size] == '&');
		if (size > name_size && one[name_size] == '=' && strncmp(one, name, name_size) == 0)
			return unescape_value(one + name_size + 1, size - name_size - 1, text);
	}
	return ERR_NOT_FOUND;
}

int query_get(const struct request *rq, const char *name, char text[static REQUEST_TARGET_MAX + 1])
{
	const char *at = rq->query;

	return query_next(&at, name, text);
}

/* The place, from 1 on, of a word of size bytes in a list parted by blanks; 0: it is not there. */
static size_t word_place(const char *list, const char *word, size_t size)
{
	for (size_t place = 1; *list != '\0'; place++) {
		size_t have = strcspn(list, " ");

		if (have == size && memcmp(list, word, size) == 0)
			return place;
		list += have;
		list += strspn(list, " ");
	}
	return 0;
}

static void put_words(struct json *j, const char *list)
{
	while (*list != '\0') {
		size_t size = strcspn(list, " ");

		json_text(j, list, size);
		list += size;
		list += strspn(list, " ");
	}
}

static bool refuse(struct response *rs, const char *name, size_t name_size, const char *why,
		   const char *allowed)
{
	char detail[256];

	snprintf(detail, sizeof(detail), "%.*s %s", (int)MIN(name_size, (size_t)64), name, why);
	struct json j = problem_begin(rs, 400, detail);
	json_key(&j, "parameter");
	json_text(&j, name, name_size);
	if (allowed != NULL) {
		json_key(&j, "allowed");
		json_begin_array(&j);
		put_words(&j, allowed);
		json_end_array(&j);
	}
	problem_end(&j);
	return false;
}

/* A flag that stands there without a value is on. */
static bool is_flag(const char *value)
{
	static const char *const VALUES[] = {"", "0", "1", "false", "true"};

	for (size_t i = 0; i < ARRAY_LEN(VALUES); i++) {
		if (strcmp(value, VALUES[i]) == 0)
			return true;
	}
	return false;
}

/* One parameter of size bytes, whose name is known. */
static bool check_value(const char *at, size_t size, size_t name_size, struct response *rs)
{
	char text[REQUEST_TARGET_MAX + 1];
	bool flag = word_place(FLAGS, at, name_size) != 0;

	if (size == name_size)
		return flag || refuse(rs, at, name_size, "needs a value", NULL);
	if (unescape_value(at + name_size + 1, size - name_size - 1, text) != ERR_OK)
		return refuse(rs, at, name_size, "must be text whose percent escapes are whole",
			      NULL);
	return !flag || is_flag(text) ||
	       refuse(rs, at, name_size, "must be 1, 0, true or false", NULL);
}

bool query_check_repeated(const struct request *rq, const char *allowed, const char *repeated,
			  struct response *rs)
{
	uint32_t seen = 0;
	size_t size = 0;

	for (const char *at = rq->query; *at != '\0'; at += size + (at[size] == '&')) {
		size_t name_size = strcspn(at, "=&");
		size_t place = word_place(allowed, at, name_size);

		size = strcspn(at, "&");
		if (size == 0)
			continue;
		if (place == 0)
			return refuse(rs, at, name_size, "is no parameter here", allowed);
		if ((seen & 1u << place) != 0 && word_place(repeated, at, name_size) == 0)
			return refuse(rs, at, name_size, "is given twice", NULL);
		if (!check_value(at, size, name_size, rs))
			return false;
		seen |= 1u << place;
	}
	return true;
}

bool query_check(const struct request *rq, const char *allowed, struct response *rs)
{
	return query_check_repeated(rq, allowed, "", rs);
}

/* --- the language of lists --- */

/* Reads values one after the other into a query's texts. */
struct reader {
	const struct request *rq;
	struct response *rs;
	char *room;
	bool refused;
};

/* The value; NULL if it is not given. That all values fit is certain: they come from one target. */
static const char *text_of(struct reader *r, const char *name)
{
	char copy[REQUEST_TARGET_MAX + 1];

	if (r->refused || query_get(r->rq, name, copy) != ERR_OK)
		return NULL;
	char *text = r->room;
	size_t size = strlen(copy) + 1;
	memcpy(text, copy, size);
	r->room += size;
	return text;
}

static void refuse_value(struct reader *r, const char *name, const char *why, const char *allowed)
{
	if (!r->refused)
		refuse(r->rs, name, strlen(name), why, allowed);
	r->refused = true;
}

/* The words of a table as one list. */
static const char *listed(char list[static 1024], const char *const *words, size_t count)
{
	size_t used = 0;

	list[0] = '\0';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(list + used, 1024 - used, "%s%s", i > 0 ? " " : "",
					 words[i]);
	return list;
}

/* Bits of the words given, parted by commas, by their place in the table. */
static uint32_t bits_of(struct reader *r, const char *name, const char *const *words, size_t count)
{
	const char *text = text_of(r, name);
	char list[1024];
	uint32_t bits = 0;

	while (text != NULL && !r->refused) {
		size_t size = strcspn(text, ",");
		size_t i = 0;

		while (i < count && (strlen(words[i]) != size || /* NOLINT */
				     strncasecmp(words[i], text, size) != 0))
			i++;
		if (i == count)
			refuse_value(r, name, "must be words parted by commas",
				     listed(list, words, count));
		bits |= 1u << MIN(i, (size_t)31);
		text = text[size] == ',' ? text + size + 1 : NULL;
	}
	return bits;
}

static unsigned read_statuses(struct reader *r)
{
	const char *words[STATUS_REWIND - STATUS_OK + 1];

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		words[i] = status_str((enum status)(STATUS_OK + i));
	return bits_of(r, "status", words, ARRAY_LEN(words)) << STATUS_OK;
}

static uint32_t read_reasons(struct reader *r)
{
	const char *words[REASON_COUNT + 1];

	_Static_assert(REASON_COUNT < 31, "a bit for each reason, and one for the storm");
	for (size_t i = 0; i < REASON_COUNT; i++)
		words[i] = reason_str((enum reason)i);
	words[REASON_COUNT] = "rebalance_storm";
	uint32_t bits = bits_of(r, "reason", words, ARRAY_LEN(words));
	return (bits & 1u << REASON_COUNT) != 0 ? (bits & ~(1u << REASON_COUNT)) | QUERY_STORM
						: bits;
}

static void read_sort(struct reader *r, unsigned sorts, struct query *q)
{
	const char *text = text_of(r, "sort");
	char list[64] = "";
	size_t used = 0;

	if (text == NULL)
		return;
	q->falling = *text == '-';
	text += q->falling;
	for (unsigned i = 0; i < QUERY_SORTS; i++) {
		if ((sorts & 1u << i) == 0)
			continue;
		if (strcmp(text, SORTS[i]) == 0) {
			q->sort = (enum query_sort)i;
			return;
		}
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
					 used > 0 ? " " : "", SORTS[i]);
	}
	refuse_value(r, "sort", "must be one of these, with a - before it to turn the order", list);
}

static void read_limit(struct reader *r, struct query *q)
{
	const char *text = text_of(r, "limit");

	q->limit = QUERY_LIMIT_MAX;
	if (text == NULL)
		return;
	size_t digits = strspn(text, "0123456789");
	unsigned long limit = digits > 0 && digits <= 6 ? strtoul(text, NULL, 10) : 0;
	if (text[digits] != '\0' || limit < 1 || limit > QUERY_LIMIT_MAX)
		refuse_value(r, "limit", "must be a whole number from 1 to 10000", NULL);
	else
		q->limit = limit;
}

static void read_format(struct reader *r, struct query *q)
{
	const char *text = text_of(r, "format");
	const char *accept = r->rq->accept;

	if (text != NULL && strcmp(text, "json") != 0 && strcmp(text, "csv") != 0)
		refuse_value(r, "format", "must be one of these", "json csv");
	else if (text != NULL)
		q->csv = strcmp(text, "csv") == 0;
	else
		q->csv = accept != NULL && strcasestr(accept, "text/csv") != NULL &&
			 strcasestr(accept, "json") == NULL;
}

bool query_read(const struct request *rq, const struct query_kind *kind, struct query *ret_q,
		struct response *rs)
{
	struct reader r = {.rq = rq, .rs = rs, .room = ret_q->texts};
	char allowed[256];

	snprintf(allowed, sizeof(allowed), "%s%s" LIST_PARAMETERS, kind->filters,
		 *kind->filters != '\0' ? " " : "");
	if (!query_check(rq, allowed, rs))
		return false;
	ret_q->sort = QUERY_BY_NAME;
	ret_q->falling = false;
	ret_q->env = text_of(&r, "env");
	ret_q->cluster = text_of(&r, "cluster");
	ret_q->group = text_of(&r, "group");
	ret_q->topic = text_of(&r, "topic");
	ret_q->q = text_of(&r, "q");
	ret_q->cursor = text_of(&r, "cursor");
	ret_q->statuses = read_statuses(&r);
	ret_q->reasons = read_reasons(&r);
	ret_q->states = bits_of(&r, "state", STATES, ARRAY_LEN(STATES));
	read_sort(&r, kind->sorts, ret_q);
	read_limit(&r, ret_q);
	read_format(&r, ret_q);
	return !r.refused;
}

/* --- what is wanted --- */

bool query_glob(const char *glob, const char *text)
{
	return glob == NULL || glob_match(glob, text);
}

bool query_finds(const struct query *q, const char *const *texts)
{
	if (q->q == NULL)
		return true;
	for (; *texts != NULL; texts++)
		if (strcasestr(*texts, q->q) != NULL)
			return true;
	return false;
}

bool query_status(const struct query *q, enum status status)
{
	return q->statuses == 0 || (q->statuses & 1u << status) != 0;
}

bool query_reason(const struct query *q, enum reason reason, bool storm)
{
	return q->reasons == 0 || (q->reasons & 1u << reason) != 0 ||
	       (storm && (q->reasons & QUERY_STORM) != 0);
}

bool query_state(const struct query *q, const char *state)
{
	size_t i = ARRAY_LEN(STATES) - 1;

	while (i > 0 && strcmp(STATES[i], state) != 0)
		i--;
	return q->states == 0 || (q->states & 1u << i) != 0;
}
