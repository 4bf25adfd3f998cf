/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/serve_fixture.h"

#include <stdio.h>
#include <zlib.h>

#include "aggregator/serve/exposition.h"
#include "aggregator/serve/metrics_kept.h"
#include "aggregator/serve/metrics_table.h"
#include "common/clock.h"

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "tests/unit/data"
#endif

static struct buf text;

#define OPENMETRICS "application/openmetrics-text"

static int start(void **state)
{
	static struct fixture f;

	fixture_start(&f);
	*state = &f;
	return 0;
}

static int stop(void **state)
{
	fixture_stop(*state);
	return 0;
}

/* What is sent to who accepts this, as it is. */
static struct response ask(struct fixture *f, const char *accept, const char *encoding)
{
	struct request rq = {.method = METHOD_GET,
			     .target = "/metrics",
			     .body = "",
			     .accept = accept,
			     .accept_encoding = encoding};
	struct response rs;

	server_handle(f->server, &rq, &rs);
	assert_int_equal(rs.status, 200);
	assert_non_null(rs.shared);
	return rs;
}

static void scrape_as(struct fixture *f, const char *accept)
{
	struct response rs = ask(f, accept, NULL);

	buf_reset(&text);
	buf_put(&text, rs.shared->data, rs.shared->size);
	(void)buf_str(&text);
	response_free(&rs);
}

static void scrape(struct fixture *f)
{
	struct response rs = ask(f, NULL, NULL);

	assert_string_equal(rs.type, "text/plain; version=0.0.4; charset=utf-8");
	response_free(&rs);
	scrape_as(f, NULL);
}

static bool has_line(const char *line)
{
	size_t size = strlen(line);

	for (const char *at = buf_str(&text); (at = strstr(at, line)) != NULL; at++) {
		if ((at == text.data || at[-1] == '\n') && at[size] == '\n')
			return true;
	}
	return false;
}

/* The captured exposition, a line a time; its newlines are still escaped. */
static char *captured(void)
{
	FILE *file = fopen(TEST_DATA_DIR "/burrow-v3.txt", "r");
	static char line[32768];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL && strncmp(line, "\"# HELP", 7) != 0)
		;
	fclose(file);
	assert_int_equal(strncmp(line, "\"# HELP", 7), 0);
	return line + 1;
}

static void every_captured_sample_is_there(void **state)
{
	char *at = captured();
	unsigned count = 0;

	scrape(*state);
	for (char *end; (end = strstr(at, "\\n")) != NULL; at = end + 2) {
		char line[512];
		char *to = line;

		for (const char *from = at; from < end; from++) {
			if (*from != '\\')
				*to++ = *from;
		}
		*to = '\0';
		/* A gauge by the name of a counter, of which promtool complains. */
		if (strcmp(line, "# TYPE burrow_kafka_consumer_lag_total gauge") == 0)
			continue;
		/* Burrow counts only partitions that have a leader, so its label is wrong. */
		if (strstr(line, "partition=\"1\",topic=\"t\"} 300") != NULL)
			continue;
		if (!has_line(line))
			fail_msg("missing: %s", line);
		count++;
	}
	assert_int_equal(count, 6 * 2 - 1 + 19);
	assert_true(has_line("# TYPE burrow_kafka_consumer_lag_total untyped"));
	assert_true(
		has_line("burrow_kafka_topic_partition_offset{cluster=\"local\",partition=\"2\","
			 "topic=\"t\"} 300"));
	/* Burrow has these only for partitions with a full window. */
	assert_true(has_line("burrow_kafka_topic_partition_status{cluster=\"local\",consumer_group="
			     "\"g\",partition=\"2\",topic=\"t\"} 4"));
	assert_true(has_line("burrow_kafka_consumer_status{cluster=\"local\",consumer_group="
			     "\"memberonly\"} 1"));
}

static void numbers_are_decimal(void **state)
{
	struct buf b = {0};

	(void)state;
	exposition_int(&b, -5);
	exposition_ms(&b, 0);
	exposition_ms(&b, 1);
	exposition_ms(&b, -250);
	exposition_ms(&b, 61500);
	exposition_ms(&b, INT64_MIN);
	exposition_us(&b, 1500000);
	exposition_us(&b, 3);
	assert_string_equal(buf_str(&b), "-5\n0\n0.001\n-0.25\n61.5\n-9223372036854775.808\n"
					 "1.5\n0.000003\n");
	buf_free(&b);
}

static void a_histogram_is_whole(void **state)
{
	struct histogram_counts counts = {{0}, 0};
	struct buf b = {0};

	(void)state;
	histogram_count(&counts, 300);
	histogram_count(&counts, 60000000);
	exposition_histogram(&b, "x", "of", "y", &counts);
	assert_non_null(strstr(buf_str(&b), "x_bucket{of=\"y\",le=\"0.00025\"} 0\n"
					    "x_bucket{of=\"y\",le=\"0.0005\"} 1\n"));
	assert_non_null(strstr(b.data, "x_bucket{of=\"y\",le=\"10.0\"} 1\n"
				       "x_bucket{of=\"y\",le=\"+Inf\"} 2\n"
				       "x_sum{of=\"y\"} 60.0003\n"
				       "x_count{of=\"y\"} 2\n"));
	buf_reset(&b);
	exposition_histogram(&b, "x", NULL, NULL, &counts);
	assert_non_null(strstr(buf_str(&b), "x_bucket{le=\"+Inf\"} 2\nx_sum 60.0003\nx_count 2\n"));
	buf_free(&b);
}

/* The number of a sample without labels. */
static double number_of(const char *name)
{
	const char *at = buf_str(&text);
	size_t size = strlen(name);

	while (strncmp(at, name, size) != 0 || at[size] != ' ')
		at = strchr(at, '\n') + 1;
	return strtod(at + size, NULL);
}

static void this_process_is_told_of(void **state)
{
	scrape(*state);
	assert_true(number_of("process_cpu_seconds_total") > 0);
	assert_true(number_of("process_open_fds") >= 1);
	assert_true(number_of("process_max_fds") >= number_of("process_open_fds"));
	assert_true(number_of("process_resident_memory_bytes") > 65536);
	assert_true(number_of("process_virtual_memory_bytes") >
		    number_of("process_resident_memory_bytes"));
	assert_true(number_of("process_start_time_seconds") > 0);
}

static void requests_are_timed_by_what_is_asked(void **state)
{
	struct fixture *f = *state;
	struct response rs = fixture_ask(f, METHOD_GET, "/v3/kafka", NULL, &text);

	response_free(&rs);
	scrape(f);
	assert_true(has_line("warren_http_request_duration_seconds_count{path=\"v3\"} 1"));
	assert_true(has_line("warren_http_request_duration_seconds_count{path=\"api\"} 0"));
	assert_true(has_line("warren_http_request_duration_seconds_count{path=\"metrics\"} 1"));
	assert_true(has_line("warren_http_responses_total{code=\"2xx\"} 2"));
}

static void warrens_own_are_there(void **state)
{
	scrape(*state);
	assert_true(has_line("warren_consumer_time_lag_seconds{cluster=\"local\",consumer_group="
			     "\"g\",environment=\"PROD\"} 61.5"));
	assert_true(has_line("warren_consumer_lost_messages{cluster=\"local\",consumer_group="
			     "\"g\",environment=\"PROD\"} 12"));
	assert_true(has_line("warren_consumer_retention_margin_seconds{cluster=\"local\","
			     "consumer_group=\"g\",environment=\"PROD\"} 90.5"));
	assert_false(has_line("warren_consumer_retention_margin_seconds{cluster=\"local\","
			      "consumer_group=\"full\",environment=\"PROD\"} 0"));
	assert_true(has_line("warren_consumer_reason{cluster=\"local\",consumer_group=\"g\","
			     "environment=\"PROD\",reason=\"none\"} 1"));
	assert_true(has_line("warren_consumer_state{cluster=\"local\",consumer_group="
			     "\"memberonly\",environment=\"PROD\",state=\"Stable\"} 1"));
	assert_null(strstr(text.data, "state=\"\""));
	assert_true(has_line("warren_consumer_status{cluster=\"local\",consumer_group=\"g\","
			     "environment=\"PROD\"} 3"));
	assert_true(has_line("warren_partition_lag_messages{cluster=\"local\",consumer_group="
			     "\"g\",environment=\"PROD\",partition=\"2\",topic=\"t\"} 50"));
	assert_null(strstr(text.data, "warren_partition_lag_messages{cluster=\"local\","
				      "consumer_group=\"g\",environment=\"PROD\",partition="
				      "\"1\""));
	assert_true(has_line("warren_cluster_groups{cluster=\"local\",environment=\"PROD\","
			     "status=\"ERR\"} 4"));
	assert_true(has_line("warren_consumer_stale{cluster=\"local\",consumer_group=\"g\","
			     "environment=\"PROD\"} 0"));
	assert_true(has_line("warren_agent_last_seen_timestamp_seconds{agent=\"dc1-a\",cluster="
			     "\"local\",environment=\"PROD\"} 1795372995"));
	assert_true(has_line("warren_agent_state{agent=\"dc1-a\",cluster=\"local\",environment="
			     "\"PROD\",state=\"running\"} 1"));
	assert_true(has_line("warren_agent_state{agent=\"dc1-a\",cluster=\"local\",environment="
			     "\"PROD\",state=\"blind\"} 0"));
	assert_true(has_line("warren_agent_problem{agent=\"dc1-a\",cluster=\"local\",environment="
			     "\"PROD\"} 0"));
	assert_true(has_line("warren_build_info{version=\"" WARREN_VERSION "\"} 1"));
}

static void the_age_of_a_pass_is_that_of_the_scrape(void **state)
{
	struct fixture *f = *state;
	struct view *v = fixture_view("aged", 5);
	double age = 0;

	v->received_ms = clock_wall_ms() - 4000;
	board_publish(f->board, v);
	for (int i = 0; i < 2; i++) {
		scrape(f);
		const char *at = strstr(text.data, "warren_pass_age_seconds{agent=\"dc1-a\","
						   "cluster=\"aged\",environment=\"PROD\"} ");
		assert_non_null(at);
		age = strtod(strchr(at, '}') + 2, NULL);
		assert_true(age >= 4 && age < 60);
	}
}

static void a_view_that_is_gone_takes_its_samples_along(void **state)
{
	struct fixture *f = *state;

	scrape(f);
	assert_non_null(strstr(text.data, "\"local\""));
	board_remove(f->board, 1);
	scrape(f);
	assert_null(strstr(text.data, "\"local\""));
	assert_non_null(strstr(text.data, "# TYPE burrow_kafka_consumer_status gauge\n"));
}

static struct view *view_of_pass(uint32_t cluster, uint64_t pass)
{
	struct view *v = fixture_view("c", cluster);

	v->pass = pass;
	return v;
}

/* Keep a sheet of the view. */
static const struct metrics_sheet *keep(struct metrics_kept *kept, const struct view *v)
{
	static const struct server_config config;
	struct metrics_sheet *sheet = NULL;

	assert_int_equal(metrics_sheet_make(v, &config, METRICS_PLAIN, &sheet), ERR_OK);
	metrics_kept_put(kept, v->cluster_id, METRICS_PLAIN, sheet);
	return sheet;
}

static void until_a_sheet_is_there_that_of_the_pass_before_will_do(void **state)
{
	struct metrics_kept kept = {.clusters = NULL};
	struct view *views[] = {view_of_pass(1, 7), view_of_pass(1, 8), view_of_pass(1, 8)};

	(void)state;
	assert_null(metrics_kept_get(&kept, views[0], METRICS_PLAIN));
	const struct metrics_sheet *sheet = keep(&kept, views[0]);
	assert_ptr_equal(metrics_kept_get(&kept, views[0], METRICS_PLAIN), sheet);
	assert_null(metrics_kept_get(&kept, views[0], METRICS_GZIP));
	assert_ptr_equal(metrics_kept_get(&kept, views[1], METRICS_PLAIN), sheet);
	/* Of the same pass another view is there because something is not the case any more. */
	keep(&kept, views[1]);
	assert_null(metrics_kept_get(&kept, views[2], METRICS_PLAIN));
	metrics_kept_free(&kept);
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		view_unref(&views[i]);
}

static void sheets_are_given_up(void **state)
{
	struct metrics_kept kept = {.clusters = NULL};
	struct view *views[] = {view_of_pass(1, 7), view_of_pass(2, 7)};
	struct metrics_kept_state before, after;

	(void)state;
	keep(&kept, views[0]);
	size_t bytes = kept.bytes;
	assert_true(bytes > 0);
	keep(&kept, views[0]);
	assert_int_equal(kept.bytes, bytes);
	keep(&kept, views[1]);
	assert_int_equal(kept.count, 2);
	metrics_kept_prune(&kept, views, 1);
	assert_int_equal(kept.count, 1);
	assert_int_equal(kept.bytes, bytes);

	before = metrics_kept_state(&kept, views[0], METRICS_PLAIN);
	assert_true(before.fresh);
	metrics_kept_forget(&kept, 1);
	after = metrics_kept_state(&kept, views[0], METRICS_PLAIN);
	assert_false(after.fresh);
	assert_int_not_equal(after.edits, before.edits);
	assert_int_equal(kept.bytes, 0);

	keep(&kept, views[0]);
	metrics_kept_drop(&kept, METRICS_PLAIN);
	assert_int_equal(kept.bytes, 0);
	metrics_kept_free(&kept);
	view_unref(&views[0]);
	view_unref(&views[1]);
}

/* Burrow's labels do not have the environment; /v3 shows the one that sorts first. */
static void of_clusters_of_one_name_burrows_families_have_the_first(void **state)
{
	struct fixture *f = *state;
	struct view *v = fixture_local_later();

	v->cluster_id = 9;
	v->environment = "DEV";
	board_publish(f->board, v);
	scrape(f);
	assert_true(has_line("burrow_kafka_consumer_status{cluster=\"local\",consumer_group="
			     "\"a b\"} 3"));
	assert_false(has_line("burrow_kafka_consumer_status{cluster=\"local\",consumer_group="
			      "\"warn\"} 2"));
	assert_true(has_line("warren_consumer_status{cluster=\"local\",consumer_group=\"a b\","
			     "environment=\"DEV\"} 3"));
	assert_true(has_line("warren_consumer_status{cluster=\"local\",consumer_group=\"warn\","
			     "environment=\"PROD\"} 2"));
}

static void openmetrics_is_for_who_prefers_it(void **state)
{
	static const struct {
		const char *accept;
		bool open;
	} ASKED[] = {
		{NULL, false},
		{"*/*", false},
		{OPENMETRICS, true},
		{OPENMETRICS ";version=1.0.0;q=0.5," OPENMETRICS ";version=0.0.1;q=0.75,"
			     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 true},
		{OPENMETRICS ";q=0", false},
		{OPENMETRICS ";q=0.5, text/plain", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(ASKED); i++) {
		struct response rs = ask(*state, ASKED[i].accept, NULL);
		bool open = strncmp(rs.type, OPENMETRICS, strlen(OPENMETRICS)) == 0;

		assert_int_equal(open, ASKED[i].open);
		response_free(&rs);
	}
}

static void openmetrics_says_more_of_families(void **state)
{
	scrape_as(*state, OPENMETRICS);
	assert_true(has_line("# TYPE burrow_kafka_consumer_lag_total unknown"));
	assert_true(has_line("# TYPE process_cpu_seconds counter"));
	assert_true(has_line("# UNIT process_cpu_seconds seconds"));
	assert_non_null(strstr(text.data, "\nprocess_cpu_seconds_total "));
	assert_string_equal(text.data + text.size - 7, "\n# EOF\n");
	scrape(*state);
	assert_null(strstr(text.data, "# UNIT"));
	assert_null(strstr(text.data, "# EOF"));
}

static void unpack(const struct body *b, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)b->data, .avail_in = (uInt)b->size};
	char *at = buf_reserve(out, (size_t)1 << 20);

	z.next_out = (Bytef *)at;
	z.avail_out = 1 << 20;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END); /* sums are right, then */
	assert_int_equal(z.avail_in, 0);
	out->size = z.total_out;
	(void)buf_str(out);
	inflateEnd(&z);
}

static void gzip_says_the_same(void **state)
{
	struct buf whole = {0};
	struct response rs = ask(*state, OPENMETRICS, "deflate, gzip;q=0.5");

	assert_string_equal(rs.headers[1].value, "gzip");
	unpack(rs.shared, &whole);
	response_free(&rs);
	scrape_as(*state, OPENMETRICS);
	/* As far as nothing depends on the time. */
	const char *end = strstr(text.data, "# HELP warren_pass_age");
	assert_memory_equal(whole.data, text.data, (size_t)(end - text.data));
	assert_string_equal(whole.data + whole.size - 6, "# EOF\n");
	buf_free(&whole);
}

/* Publish a pass after whose making a scrape may still show the one before. */
static void publish_pass(struct fixture *f, uint64_t pass, const char *group)
{
	struct view *v = fixture_view("c", 9);
	struct view_group *g = view_alloc(v, sizeof(*g));

	*g = (struct view_group){
		.name = group, .id = 1, .status = STATUS_OK, .state = "", .protocol = ""};
	v->pass = pass;
	v->groups = g;
	v->group_count = 1;
	board_publish(f->board, v);
}

static void each_pass_is_shown_soon(void **state)
{
	static const char *const GROUPS[] = {"even", "odd"};
	struct fixture *f = *state;

	for (uint64_t pass = 0; pass < 6; pass++) {
		const char *group = GROUPS[pass % 2];
		int64_t limit_ms = clock_mono_ms() + 60000;

		publish_pass(f, pass, group);
		do {
			struct response rs = ask(f, OPENMETRICS, "gzip");

			buf_reset(&text);
			unpack(rs.shared, &text);
			response_free(&rs);
			assert_true(clock_mono_ms() < limit_ms);
			assert_string_equal(text.data + text.size - 6, "# EOF\n");
		} while (strstr(text.data, group) == NULL);
		assert_null(strstr(text.data, GROUPS[(pass + 1) % 2]));
	}
}

static void what_is_deleted_is_gone_at_once(void **state)
{
	struct fixture *f = *state;
	struct response rs = {.status = 0};

	scrape(f);
	assert_non_null(strstr(text.data, "\"warn\""));
	rs = fixture_ask(f, METHOD_DELETE, "/v3/kafka/local/consumer/warn", NULL, &text);
	assert_int_equal(rs.status, 200);
	response_free(&rs);
	scrape(f);
	assert_null(strstr(text.data, "\"warn\""));
}

static void a_label_may_hold_anything(void **state)
{
	static const struct {
		const char *name, *label;
	} NAMES[] = {
		{"a\"b\\c\nd", "a\\\"b\\\\c\\nd"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"x\xff\xc3", "x\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"{}=,", "{}=,"},
	};
	struct fixture *f = *state;
	char line[256];

	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
		struct view *v = fixture_view("c", 9);
		struct view_group *g = view_alloc(v, sizeof(*g));

		*g = (struct view_group){.name = NAMES[i].name,
					 .id = 1,
					 .status = STATUS_OK,
					 .state = "",
					 .protocol = ""};
		v->groups = g;
		v->group_count = 1;
		board_publish(f->board, v);
		scrape(f);
		snprintf(line, sizeof(line),
			 "burrow_kafka_consumer_status{cluster=\"c\",consumer_group=\"%s\"} 1",
			 NAMES[i].label);
		assert_true(has_line(line));
	}
}

/* The row of a sample's family; NULL: there is none. */
static const struct metrics_row *row_of(const char *sample)
{
	static const char *const ENDINGS[] = {"_bucket", "_sum", "_count"};
	size_t size = strcspn(sample, "{ ");

	for (enum metrics_family f = 0; f < METRICS_FAMILIES; f++) {
		const struct metrics_row *row = metrics_table_row(f);
		size_t own = strlen(row->name);

		if (size < own || strncmp(row->name, sample, own) != 0)
			continue;
		if (size == own && strcmp(row->type, "histogram") != 0)
			return row;
		for (size_t i = 0; i < ARRAY_LEN(ENDINGS); i++) {
			if (strcmp(row->type, "histogram") == 0 &&
			    strncmp(sample + own, ENDINGS[i], size - own) == 0)
				return row;
		}
	}
	return NULL;
}

/* The names of a sample's labels but le, with blanks between. */
static void labels_of(const char *sample, char *names)
{
	const char *at = sample + strcspn(sample, "{ ");

	*names = '\0';
	if (*at == ' ')
		return;
	while (*at != '}') {
		size_t size = strcspn(++at, "=");

		if (strncmp(at, "le=", 3) != 0)
			sprintf(names + strlen(names), "%s%.*s", *names != '\0' ? " " : "",
				(int)size, at);
		for (at += size + 2; *at != '"'; at++)
			at += *at == '\\';
		at++;
	}
}

static const char *next_line(const char *at)
{
	return strchr(at, '\n') + 1;
}

/* What is served has the names, types and labels of the table, each family in one piece. */
static void what_is_served_is_what_the_table_says(void **state)
{
	const struct metrics_row *row =
		metrics_table_row(METRICS_FAMILIES - 1); /* not the first's */
	bool seen[METRICS_FAMILIES] = {false};
	char name[128], type[32], labels[256];

	scrape(*state);
	for (const char *at = buf_str(&text); *at != '\0'; at = next_line(at)) {
		if (sscanf(at, "# HELP %127s", name) == 1) {
			enum metrics_family f = 0;

			while (strcmp(metrics_table_row(f)->name, name) != 0)
				f++;
			row = metrics_table_row(f);
			assert_false(seen[f]);
			seen[f] = true;
			assert_int_equal(sscanf(next_line(at), "# TYPE %127s %31s", name, type), 2);
			assert_string_equal(name, row->name);
			assert_string_equal(type, row->type[0] != '\0' ? row->type : "untyped");
		} else if (*at != '#') {
			assert_ptr_equal(row_of(at), row);
			labels_of(at, labels);
			assert_string_equal(labels, row->labels);
		}
	}
	/* The others are told where there is a store, an ingest, alerts and agents. */
	for (enum metrics_family f = 0; f < METRICS_AGENT_CLUSTER_END; f++)
		assert_true(seen[f]);
}

/* Each family has a place of its own, and its unit ends its name. */
static void the_table_is_whole(void **state)
{
	(void)state;
	for (enum metrics_family f = 0; f < METRICS_FAMILIES; f++) {
		const struct metrics_row *row = metrics_table_row(f);
		char ending[64];

		assert_non_null(row->name);
		bool counter = strcmp(row->type, "counter") == 0;
		snprintf(ending, sizeof(ending), "%s%s%s", row->unit[0] != '\0' ? "_" : "",
			 row->unit, counter ? "_total" : "");
		assert_true(strlen(row->name) > strlen(ending));
		assert_string_equal(row->name + strlen(row->name) - strlen(ending), ending);
		assert_true(f == METRICS_BURROW_LAG_TOTAL || row->type[0] != '\0');
	}
}

/* "a b" as the table in README.md has it: `a` `b`. */
static void put_labels(struct buf *out, const char *labels)
{
	for (const char *at = labels; *at != '\0'; at++) {
		if (at == labels)
			buf_putc(out, '`');
		buf_puts(out, *at == ' ' ? "` `" : (const char[]){*at, '\0'});
	}
	if (*labels != '\0')
		buf_putc(out, '`');
}

static void the_readme_has_the_table(void **state)
{
	struct buf readme = {0}, table = {0};
	FILE *file = fopen(SOURCE_DIR "/README.md", "r");
	char *at = buf_reserve(&readme, (size_t)1 << 20);

	(void)state;
	assert_non_null(file);
	readme.size = fread(at, 1, (size_t)1 << 20, file);
	fclose(file);
	for (enum metrics_family f = 0; f < METRICS_FAMILIES; f++) {
		const struct metrics_row *row = metrics_table_row(f);

		buf_printf(&table, "| `%s` | %s | %s | ", row->name,
			   row->type[0] != '\0' ? row->type : "untyped", row->unit);
		put_labels(&table, row->labels);
		buf_printf(&table, " | %s |\n", row->help);
	}
	if (strstr(buf_str(&readme), buf_str(&table)) == NULL)
		fail_msg("README.md does not have:\n%s", table.data);
	buf_free(&readme);
	buf_free(&table);
}

static int free_text(void **state)
{
	(void)state;
	buf_free(&text);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_captured_sample_is_there),
		cmocka_unit_test(numbers_are_decimal),
		cmocka_unit_test(a_histogram_is_whole),
		TEST(this_process_is_told_of),
		TEST(requests_are_timed_by_what_is_asked),
		TEST(warrens_own_are_there),
		TEST(the_age_of_a_pass_is_that_of_the_scrape),
		TEST(a_view_that_is_gone_takes_its_samples_along),
		cmocka_unit_test(until_a_sheet_is_there_that_of_the_pass_before_will_do),
		cmocka_unit_test(sheets_are_given_up),
		TEST(each_pass_is_shown_soon),
		TEST(what_is_deleted_is_gone_at_once),
		TEST(of_clusters_of_one_name_burrows_families_have_the_first),
		TEST(openmetrics_is_for_who_prefers_it),
		TEST(openmetrics_says_more_of_families),
		TEST(gzip_says_the_same),
		TEST(a_label_may_hold_anything),
		TEST(what_is_served_is_what_the_table_says),
		cmocka_unit_test(the_table_is_whole),
		cmocka_unit_test(the_readme_has_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, free_text);
}
