/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics_table.h"

#include <string.h>

#define TOTAL "_total"

/* What samples are of. */
#define CLUSTER "cluster environment"
#define GROUP "cluster consumer_group environment"
#define PARTITION GROUP " partition topic"
#define AGENT "agent cluster environment"
#define BURROW_GROUP "cluster consumer_group"
#define BURROW_PARTITION BURROW_GROUP " partition topic"

/* Burrow has the type gauge for its lag_total; that is the name of a counter, of which promtool
 * complains, and nothing depends on it: so that one has none. */
static const struct metrics_row ROWS[METRICS_FAMILIES] = {
	[METRICS_BURROW_LAG_TOTAL] = {"burrow_kafka_consumer_lag_total", "", "", BURROW_GROUP,
				      "The sum of all partition current lag values for the group",
				      METRICS_OF_GROUPS},
	[METRICS_BURROW_STATUS] =
		{"burrow_kafka_consumer_status", "gauge", "", BURROW_GROUP,
		 "The status of the consumer group. It is calculated from the highest status "
		 "for the individual partitions. Statuses are an index list from NOTFOUND, "
		 "OK, WARN, or ERR",
		 METRICS_OF_GROUPS},
	[METRICS_BURROW_OFFSET] = {"burrow_kafka_consumer_current_offset", "gauge", "",
				   BURROW_PARTITION,
				   "Latest offset that Burrow is storing for this partition",
				   METRICS_OF_PARTITIONS},
	[METRICS_BURROW_PARTITION_LAG] =
		{"burrow_kafka_consumer_partition_lag", "gauge", "", BURROW_PARTITION,
		 "Number of messages the consumer group is behind by for a partition as "
		 "reported by Burrow",
		 METRICS_OF_PARTITIONS},
	[METRICS_BURROW_PARTITION_STATUS] =
		{"burrow_kafka_topic_partition_status", "gauge", "", BURROW_PARTITION,
		 "The status of topic partition. It is calculated from the highest status "
		 "for the individual partitions. Statuses are an index list from OK, WARN, "
		 "STOP, STALL, REWIND",
		 METRICS_OF_PARTITIONS},
	[METRICS_BURROW_TOPIC_OFFSET] =
		{"burrow_kafka_topic_partition_offset", "gauge", "", "cluster partition topic",
		 "Latest offset the topic that Burrow is storing for this partition",
		 METRICS_OF_TOPICS},
	[METRICS_CONSUMER_BAD_PARTITIONS] =
		{"warren_consumer_bad_partitions", "gauge", "partitions", GROUP,
		 "Partitions of the consumer group that are not OK, those ignored not "
		 "counted",
		 METRICS_OF_GROUPS},
	[METRICS_CONSUMER_LAG] = {"warren_consumer_lag_messages", "gauge", "messages", GROUP,
				  "Messages that wait for the consumer group, of all partitions",
				  METRICS_OF_GROUPS},
	[METRICS_CONSUMER_LOST] =
		{"warren_consumer_lost_messages", "gauge", "messages", GROUP,
		 "Messages that were deleted before the consumer group read them, and that "
		 "it has not passed yet",
		 METRICS_OF_GROUPS},
	[METRICS_CONSUMER_MEMBERS] = {"warren_consumer_members", "gauge", "", GROUP,
				      "Members of the consumer group", METRICS_OF_GROUPS},
	[METRICS_CONSUMER_PARTITIONS] =
		{"warren_consumer_partitions", "gauge", "", GROUP,
		 "Partitions that the consumer group has committed for or owns", METRICS_OF_GROUPS},
	[METRICS_CONSUMER_REASON] =
		{"warren_consumer_reason", "gauge", "", GROUP " reason",
		 "1, with the reason of the status, that of the worst partition, as a label",
		 METRICS_OF_GROUPS},
	[METRICS_CONSUMER_MARGIN] =
		{"warren_consumer_retention_margin_seconds", "gauge", "seconds", GROUP,
		 "How long until messages that wait for the consumer group are deleted, "
		 "where that can be told",
		 METRICS_OF_GROUPS},
	[METRICS_CONSUMER_STALE] =
		{"warren_consumer_stale", "gauge", "", GROUP,
		 "Whether the status of the consumer group is an older one that stands "
		 "because the agent cannot see the cluster",
		 METRICS_OF_GROUPS},
	[METRICS_CONSUMER_STATE] =
		{"warren_consumer_state", "gauge", "", GROUP " state",
		 "1, with the state that Kafka has the consumer group in as a label, where "
		 "it is known",
		 METRICS_OF_GROUPS},
	[METRICS_CONSUMER_STATUS] = {"warren_consumer_status", "gauge", "", GROUP,
				     "The status of the consumer group: 1 OK, 2 WARN, 3 ERR",
				     METRICS_OF_GROUPS},
	[METRICS_CONSUMER_SINCE] = {"warren_consumer_status_since_timestamp_seconds", "gauge",
				    "seconds", GROUP,
				    "Since when the consumer group has had its status",
				    METRICS_OF_GROUPS},
	[METRICS_CONSUMER_TIME_LAG] =
		{"warren_consumer_time_lag_seconds", "gauge", "seconds", GROUP,
		 "How long the oldest unread message of the consumer group has been in its "
		 "log, where that is known",
		 METRICS_OF_GROUPS},
	[METRICS_PARTITION_LAG] =
		{"warren_partition_lag_messages", "gauge", "messages", PARTITION,
		 "Messages of the partition that wait for the consumer group, where that is "
		 "known",
		 METRICS_OF_PARTITIONS},
	[METRICS_PARTITION_TIME_LAG] =
		{"warren_partition_time_lag_seconds", "gauge", "seconds", PARTITION,
		 "How long the oldest message of the partition that the consumer group has "
		 "not read has been in the log, where that is known",
		 METRICS_OF_PARTITIONS},
	[METRICS_CLUSTER_GROUPS] = {"warren_cluster_groups", "gauge", "", CLUSTER " status",
				    "Consumer groups of the cluster by status", METRICS_OF_WHOLE},
	[METRICS_CLUSTER_LAG] = {"warren_cluster_lag_messages", "gauge", "messages", CLUSTER,
				 "Messages that wait for all consumer groups of the cluster",
				 METRICS_OF_WHOLE},
	[METRICS_CLUSTER_STALE] =
		{"warren_cluster_stale", "gauge", "", CLUSTER,
		 "Whether the agent cannot see the cluster, so that what is told of it is "
		 "older",
		 METRICS_OF_WHOLE},
	[METRICS_CLUSTER_TOPICS] = {"warren_cluster_topics", "gauge", "", CLUSTER,
				    "Topics of the cluster", METRICS_OF_WHOLE},
	[METRICS_PASS_AGE] = {"warren_pass_age_seconds", "gauge", "seconds", AGENT,
			      "How long ago the last complete pass over the cluster arrived here",
			      METRICS_OF_WHOLE},
	[METRICS_PASS_INTERVAL] = {"warren_pass_interval_seconds", "gauge", "seconds", AGENT,
				   "How often the agent makes a pass over the cluster",
				   METRICS_OF_WHOLE},
	[METRICS_PASS_TIMESTAMP] = {"warren_pass_timestamp_seconds", "gauge", "seconds", AGENT,
				    "When the agent made the last complete pass, by its own clock",
				    METRICS_OF_WHOLE},
	[METRICS_AGENT_LAST_SEEN] =
		{"warren_agent_last_seen_timestamp_seconds", "gauge", "seconds", AGENT,
		 "When this aggregator last heard of the cluster from the agent", METRICS_OF_WHOLE},
	[METRICS_AGENT_MALFORMED] = {"warren_agent_malformed_records_total", "counter", "records",
				     AGENT,
				     "Records of the offsets topic that the agent could not decode",
				     METRICS_OF_WHOLE},
	[METRICS_AGENT_PROBLEM] =
		{"warren_agent_problem", "gauge", "", AGENT,
		 "Whether the agent reports a problem with the cluster; the REST API says "
		 "which",
		 METRICS_OF_WHOLE},
	[METRICS_AGENT_RECORDS] = {"warren_agent_records_total", "counter", "records", AGENT,
				   "Records of the offsets topic that the agent has read",
				   METRICS_OF_WHOLE},
	[METRICS_AGENT_STATE] = {"warren_agent_state", "gauge", "", AGENT " state",
				 "1 for the state that the agent is in, 0 for the others",
				 METRICS_OF_WHOLE},
	[METRICS_AGENT_UNKNOWN] =
		{"warren_agent_unknown_records_total", "counter", "records", AGENT,
		 "Records of the offsets topic of a version that the agent does not know",
		 METRICS_OF_WHOLE},
	[METRICS_AGENT_UNREAD] =
		{"warren_agent_unread_records", "gauge", "records", AGENT,
		 "Records of the offsets topic that the agent has not read yet, where that "
		 "is known",
		 METRICS_OF_WHOLE},
	[METRICS_AGENT_UNREACHED] =
		{"warren_agent_unreached_partitions", "gauge", "partitions", AGENT,
		 "Partitions whose log end the agent could not ask for in the last pass",
		 METRICS_OF_WHOLE},
	[METRICS_AGENT_BATCHES] = {"warren_agent_batches_total", "counter", "batches", "agent",
				   "Batches of the agent that were applied", METRICS_OF_WHOLE},
	[METRICS_AGENT_CONNECTS] = {"warren_agent_connects_total", "counter", "", "agent",
				    "How often the agent has said hello", METRICS_OF_WHOLE},
	[METRICS_AGENT_DROPPED] =
		{"warren_agent_dropped_batches_total", "counter", "batches", "agent",
		 "Batches that the agent dropped because its spool was full or they were too "
		 "old",
		 METRICS_OF_WHOLE},
	[METRICS_AGENT_DUPLICATES] = {"warren_agent_duplicate_batches_total", "counter", "batches",
				      "agent", "Batches of the agent that had been applied before",
				      METRICS_OF_WHOLE},
	[METRICS_AGENT_INFO] =
		{"warren_agent_info", "gauge", "", "agent config_hash version",
		 "1, with the version of the agent and a hash of its configuration as labels",
		 METRICS_OF_WHOLE},
	[METRICS_AGENT_MESSAGE] = {"warren_agent_last_message_timestamp_seconds", "gauge",
				   "seconds", "agent",
				   "When this aggregator last heard of the agent at all",
				   METRICS_OF_WHOLE},
	[METRICS_AGENT_REJECTED] = {"warren_agent_rejected_batches_total", "counter", "batches",
				    "agent", "Batches of the agent that were refused for good",
				    METRICS_OF_WHOLE},
	[METRICS_AGENT_SKEW] =
		{"warren_agent_skew_seconds", "gauge", "seconds", "agent",
		 "How far the clock of the agent is ahead of this aggregator's, where that "
		 "is known",
		 METRICS_OF_WHOLE},
	[METRICS_AGENT_SPOOL_AGE] = {"warren_agent_spool_age_seconds", "gauge", "seconds", "agent",
				     "How old the pass was that the agent sent last",
				     METRICS_OF_WHOLE},
	[METRICS_AGENT_SPOOL_BATCHES] =
		{"warren_agent_spool_batches", "gauge", "batches", "agent",
		 "Batches that wait in the spool of the agent to be acknowledged",
		 METRICS_OF_WHOLE},
	[METRICS_AGENT_SPOOL_BYTES] = {"warren_agent_spool_bytes", "gauge", "bytes", "agent",
				       "Bytes of the batches that wait in the spool of the agent",
				       METRICS_OF_WHOLE},
	[METRICS_ALERT_HELD] = {"warren_alert_messages_held", "gauge", "", "",
				"Messages not delivered yet that are left to another replica",
				METRICS_OF_WHOLE},
	[METRICS_ALERT_MESSAGES] =
		{"warren_alert_messages_total", "counter", "messages", "result",
		 "Attempts to deliver a message, by result: sent, dead (given up), retry",
		 METRICS_OF_WHOLE},
	[METRICS_ALERT_WAITING] = {"warren_alert_messages_waiting", "gauge", "", "",
				   "Messages not delivered yet", METRICS_OF_WHOLE},
	[METRICS_ALERT_OLDEST] = {"warren_alert_oldest_message_seconds", "gauge", "seconds", "",
				  "Age of the oldest message that is not delivered yet",
				  METRICS_OF_WHOLE},
	[METRICS_ALERT_SENDS] = {"warren_alert_sends", "gauge", "", "",
				 "Whether this replica sends", METRICS_OF_WHOLE},
	[METRICS_INCIDENTS] = {"warren_incidents", "gauge", "", "environment state status",
			       "Incidents that are not over", METRICS_OF_WHOLE},
	[METRICS_INGEST_BATCHES] = {"warren_ingest_batches_total", "counter", "batches", "",
				    "Batches applied", METRICS_OF_WHOLE},
	[METRICS_INGEST_BUSY] = {"warren_ingest_busy_total", "counter", "", "",
				 "Requests of agents put off for want of room", METRICS_OF_WHOLE},
	[METRICS_INGEST_CLOSED] = {"warren_ingest_closed_total", "counter", "", "reason",
				   "Connections of agents that were closed", METRICS_OF_WHOLE},
	[METRICS_INGEST_CONNECTIONS] = {"warren_ingest_connections", "gauge", "", "",
					"Connections of agents", METRICS_OF_WHOLE},
	[METRICS_INGEST_DENIED] = {"warren_ingest_denied_total", "counter", "", "reason",
				   "What agents were not allowed", METRICS_OF_WHOLE},
	[METRICS_INGEST_DUPLICATES] = {"warren_ingest_duplicates_total", "counter", "", "",
				       "Batches that had been applied before", METRICS_OF_WHOLE},
	[METRICS_INGEST_LOST] = {"warren_ingest_lost_total", "counter", "", "",
				 "Batches that agents no longer had when it was their turn",
				 METRICS_OF_WHOLE},
	[METRICS_INGEST_REJECTED] = {"warren_ingest_rejected_total", "counter", "", "",
				     "Batches that were refused for good", METRICS_OF_WHOLE},
	[METRICS_INGEST_ROWS] = {"warren_ingest_rows_total", "counter", "rows", "",
				 "Rows of the batches applied", METRICS_OF_WHOLE},
	[METRICS_JUDGE_DURATION] = {"warren_judge_duration_seconds", "histogram", "seconds", "",
				    "How long it took to judge a cluster", METRICS_OF_WHOLE},
	[METRICS_STORE_DEGRADED] = {"warren_store_degraded", "gauge", "", "",
				    "Whether the store takes no writes at present, or not all",
				    METRICS_OF_WHOLE},
	[METRICS_STORE_LIMIT] = {"warren_store_limit_bytes", "gauge", "bytes", "",
				 "What the store may grow to: map_size", METRICS_OF_WHOLE},
	[METRICS_STORE_TRANSACTIONS] = {"warren_store_transactions_total", "counter",
					"transactions", "",
					"Transactions of the store that were committed",
					METRICS_OF_WHOLE},
	[METRICS_STORE_USED] = {"warren_store_used_bytes", "gauge", "bytes", "",
				"What the store holds, free pages not counted", METRICS_OF_WHOLE},
	[METRICS_HTTP_AUTH_FAILURES] =
		{"warren_http_auth_failures_total", "counter", "", "reason",
		 "Requests that were refused for their credentials, or for want of them",
		 METRICS_OF_WHOLE},
	[METRICS_HTTP_DURATION] =
		{"warren_http_request_duration_seconds", "histogram", "seconds", "path",
		 "How long it took to make the answer to a request, by what was asked: api, "
		 "v3, metrics, other",
		 METRICS_OF_WHOLE},
	[METRICS_HTTP_RESPONSES] =
		{"warren_http_responses_total", "counter", "responses", "code",
		 "Requests answered over HTTP, by the first digit of their status",
		 METRICS_OF_WHOLE},
	[METRICS_KEPT_BYTES] =
		{"warren_metrics_kept_bytes", "gauge", "bytes", "",
		 "What the text of these metrics takes that is kept until the next pass",
		 METRICS_OF_WHOLE},
	[METRICS_BUILD_INFO] = {"warren_build_info", "gauge", "", "version",
				"1, with the version of this aggregator as a label",
				METRICS_OF_WHOLE},
	[METRICS_PROCESS_CPU] = {"process_cpu_seconds_total", "counter", "seconds", "",
				 "Time of the processor that this process has used",
				 METRICS_OF_WHOLE},
	[METRICS_PROCESS_MAX_FDS] = {"process_max_fds", "gauge", "", "",
				     "Files that this process may have open", METRICS_OF_WHOLE},
	[METRICS_PROCESS_OPEN_FDS] = {"process_open_fds", "gauge", "", "",
				      "Files that this process has open", METRICS_OF_WHOLE},
	[METRICS_PROCESS_RESIDENT] =
		{"process_resident_memory_bytes", "gauge", "bytes", "",
		 "Memory of this process that is in RAM, pages of the store among it",
		 METRICS_OF_WHOLE},
	[METRICS_PROCESS_START] = {"process_start_time_seconds", "gauge", "seconds", "",
				   "When this process was started", METRICS_OF_WHOLE},
	[METRICS_PROCESS_VIRTUAL] =
		{"process_virtual_memory_bytes", "gauge", "bytes", "",
		 "Address space of this process; the store alone takes map_size of it",
		 METRICS_OF_WHOLE},
};

const struct metrics_row *metrics_table_row(enum metrics_family family)
{
	return &ROWS[family];
}

/* To OpenMetrics the _total of a counter is its sample's, not the family's. */
static int name_size(const struct metrics_row *row, bool openmetrics)
{
	size_t size = strlen(row->name);

	if (openmetrics && strcmp(row->type, "counter") == 0)
		size -= strlen(TOTAL);
	return (int)size;
}

static const char *type_of(const struct metrics_row *row, bool openmetrics)
{
	if (row->type[0] != '\0')
		return row->type;
	return openmetrics ? "unknown" : "untyped";
}

void metrics_table_head(enum metrics_family family, bool openmetrics, struct buf *out)
{
	const struct metrics_row *row = &ROWS[family];
	int size = name_size(row, openmetrics);

	buf_printf(out, "# HELP %.*s %s\n", size, row->name, row->help);
	buf_printf(out, "# TYPE %.*s %s\n", size, row->name, type_of(row, openmetrics));
	if (openmetrics && row->unit[0] != '\0')
		buf_printf(out, "# UNIT %.*s %s\n", size, row->name, row->unit);
}
