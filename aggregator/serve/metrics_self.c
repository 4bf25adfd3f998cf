/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics_self.h"

#include "aggregator/serve/exposition.h"
#include "aggregator/serve/traffic.h"

/* --- what comes from agents --- */

struct count {
	const char *reason;
	uint64_t value;
};

static void put_reasons(struct metrics_text *t, enum metrics_family family,
			const struct count *reasons, size_t count)
{
	struct buf *b = metrics_text_family(t, family);

	for (size_t i = 0; i < count; i++)
		exposition_labelled(b, metrics_table_row(family)->name, "reason", reasons[i].reason,
				    reasons[i].value);
}

static void put_closed(struct metrics_text *t, const struct server_ingest *in)
{
	const struct count closed[] = {
		{"too_many", in->connections_refused},
		{"idle", in->connections_idle},
		{"silent", in->connections_silent},
	};

	put_reasons(t, METRICS_INGEST_CLOSED, closed, ARRAY_LEN(closed));
}

static void put_denied(struct metrics_text *t, const struct server_ingest *in)
{
	const struct count denied[] = {
		{"hello", in->hellos_refused},        {"stale_hello", in->hellos_stale},
		{"forged_batch", in->batches_forged}, {"foreign_cluster", in->batches_foreign},
		{"new_names", in->batches_delayed},
	};

	put_reasons(t, METRICS_INGEST_DENIED, denied, ARRAY_LEN(denied));
}

static void put_ingest(struct metrics_text *t, const struct server_ingest *in)
{
	metrics_text_number(t, METRICS_INGEST_BATCHES, in->batches);
	metrics_text_number(t, METRICS_INGEST_BUSY, in->busy);
	put_closed(t, in);
	metrics_text_number(t, METRICS_INGEST_CONNECTIONS, in->connections);
	put_denied(t, in);
	metrics_text_number(t, METRICS_INGEST_DUPLICATES, in->duplicates);
	metrics_text_number(t, METRICS_INGEST_LOST, in->lost);
	metrics_text_number(t, METRICS_INGEST_REJECTED, in->rejected);
	metrics_text_number(t, METRICS_INGEST_ROWS, in->rows);
	exposition_histogram(metrics_text_family(t, METRICS_JUDGE_DURATION),
			     metrics_table_row(METRICS_JUDGE_DURATION)->name, NULL, NULL,
			     &in->judging);
}

static void put_store(struct metrics_text *t, const struct server_store *s)
{
	metrics_text_number(t, METRICS_STORE_DEGRADED, s->degraded);
	metrics_text_number(t, METRICS_STORE_LIMIT, s->limit);
	metrics_text_number(t, METRICS_STORE_USED, s->used);
}

/* --- HTTP --- */

static void put_failures(struct metrics_text *t, const struct auth *a)
{
	struct buf *b = metrics_text_family(t, METRICS_HTTP_AUTH_FAILURES);

	for (int i = 0; i < AUTH_FAILURES; i++) {
		enum auth_failure f = (enum auth_failure)i;

		exposition_labelled(b, metrics_table_row(METRICS_HTTP_AUTH_FAILURES)->name,
				    "reason", auth_failure_str(f), auth_failures(a, f));
	}
}

static void put_durations(struct metrics_text *t, const struct traffic *traffic)
{
	struct buf *b = metrics_text_family(t, METRICS_HTTP_DURATION);

	for (enum traffic_kind k = 0; k < TRAFFIC_KINDS; k++) {
		struct histogram_counts counts;

		histogram_read(&traffic->durations[k], &counts);
		exposition_histogram(b, metrics_table_row(METRICS_HTTP_DURATION)->name, "path",
				     traffic_kind_str(k), &counts);
	}
}

static void put_answers(struct metrics_text *t, const struct traffic *traffic)
{
	struct buf *b = metrics_text_family(t, METRICS_HTTP_RESPONSES);

	for (unsigned digit = 2; digit < TRAFFIC_DIGITS; digit++) {
		const char code[] = {(char)('0' + digit), 'x', 'x', '\0'};

		exposition_labelled(b, metrics_table_row(METRICS_HTTP_RESPONSES)->name, "code",
				    code, traffic_answers(traffic, digit));
	}
}

void metrics_self(struct metrics_text *t, struct server *s)
{
	const struct server_calls *calls = server_calls(s);
	struct server_ingest in = {0};
	struct server_store store = {0};

	if (calls->ingest != NULL) {
		calls->ingest(calls->arg, &in);
		put_ingest(t, &in);
		metrics_text_number(t, METRICS_STORE_TRANSACTIONS, in.transactions);
	}
	if (calls->store != NULL) {
		calls->store(calls->arg, &store);
		put_store(t, &store);
	}
	put_failures(t, server_config(s)->auth);
	put_durations(t, server_traffic(s));
	put_answers(t, server_traffic(s));
	exposition_labelled(metrics_text_family(t, METRICS_BUILD_INFO),
			    metrics_table_row(METRICS_BUILD_INFO)->name, "version", WARREN_VERSION,
			    1);
}
