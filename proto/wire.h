/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * wire - what agent and aggregator say to each other, as plain structs.
 *
 * wire_get.c and wire_put.c alone know protobuf. Bytes given to the decoders come from
 * the network: what they return has passed every check, so nobody checks again. Bodies
 * travel in the frame of frame.h, which has checked their size and checksum.
 */

#include "common/arena.h"
#include "common/base.h"
#include "common/buf.h"
#include "common/mac.h"

#define WIRE_VERSION 1
#define WIRE_FEATURE_ZSTD (1u << 0)
#define WIRE_FEATURE_PROBE (1u << 1) /* probes in an ack are read and answered */
#define WIRE_FEATURES (WIRE_FEATURE_ZSTD | WIRE_FEATURE_PROBE)

/* Limits, checked before memory is taken. */
#define WIRE_NAME_MAX 1023           /* bytes of a group, member, client or host name */
#define WIRE_TOPIC_MAX 249           /* Kafka's own limit */
#define WIRE_LABEL_MAX 255           /* bytes of an agent, cluster or environment name */
#define WIRE_TEXT_MAX 4095           /* bytes of words for people, and of a list of servers */
#define WIRE_CLUSTERS_MAX 64         /* clusters of one agent */
#define WIRE_ROWS_MAX 65536          /* log or commit rows in a batch, each */
#define WIRE_NAMES_MAX 65536         /* dictionary entries in a batch */
#define WIRE_PROBES_MAX 1000         /* probes in an ack, and their answers in a batch */
#define WIRE_PARTITION_MAX 1000000   /* highest partition number */
#define WIRE_BODY_MAX (1u << 20)     /* an encoded body; what is larger must be split */
#define WIRE_ARENA_BYTES (24u << 20) /* enough to decode the largest body allowed */

enum wire_code {
	WIRE_OK,
	WIRE_DUPLICATE,  /* applied before: as good as OK */
	WIRE_RETRY,      /* not now: send again after retry_ms */
	WIRE_REJECTED,   /* this batch will never be taken: drop it, count it */
	WIRE_NEED_HELLO, /* the aggregator does not know this session */
	WIRE_REFUSED,    /* this agent may not speak: version, rights, a duplicate */
	WIRE_FENCED,     /* another instance has taken over this agent's name */
	WIRE_CHALLENGE, /* say hello again, with the challenge and the frame's code: welcome only */
};

enum wire_protocol {
	WIRE_PROTOCOL_UNKNOWN,
	WIRE_PROTOCOL_CLASSIC,
	WIRE_PROTOCOL_CONSUMER, /* KIP-848 */
	WIRE_PROTOCOL_SHARE,
	WIRE_PROTOCOL_STREAMS,
	WIRE_PROTOCOL_NONE, /* commits only, never a member: simple consumer */
};

enum wire_group_state {
	WIRE_GROUP_UNKNOWN,
	WIRE_GROUP_EMPTY,
	WIRE_GROUP_STABLE,
	WIRE_GROUP_REBALANCING,
	WIRE_GROUP_DEAD,
};

enum wire_agent_state {
	WIRE_AGENT_STARTING,    /* no contact with the cluster yet */
	WIRE_AGENT_CATCHING_UP, /* first reading of __consumer_offsets; nothing is judged */
	WIRE_AGENT_RUNNING,
	WIRE_AGENT_BLIND, /* the cluster does not answer */
};

enum wire_probe_answer {
	WIRE_PROBE_UNKNOWN, /* could not be read */
	WIRE_PROBE_NOTHING, /* no data record at offset or after it, up to end */
	WIRE_PROBE_RECORD,  /* the first has this timestamp */
};

/* bits of wire_batch.flags */
#define WIRE_PASS_FULL (1u << 0) /* names all there is: what it lacks is gone */
#define WIRE_PASS_LAST (1u << 1) /* the pass is complete with this batch */
#define WIRE_PASS_FIRST (1u << 2)
#define WIRE_PASS_FLAGS (WIRE_PASS_FULL | WIRE_PASS_LAST | WIRE_PASS_FIRST)

#define WIRE_UNKNOWN (-1) /* an offset, time or epoch that is not known */

struct wire_hello {
	const char *agent;
	uint64_t epoch;
	uint64_t instance;
	uint64_t next_seq;
	uint32_t version_min, version_max;
	uint64_t features;
	const char *software;
	const char **clusters;
	size_t cluster_count;
	const uint8_t *challenge; /* that is answered, MAC_SIZE bytes; NULL: none */
	uint64_t config_hash;     /* of the agent's configuration file; 0: not told */
};

struct wire_welcome {
	enum wire_code code; /* OK, RETRY, REFUSED or CHALLENGE */
	const char *reason;
	uint32_t version;
	uint64_t features;
	uint64_t session;
	uint64_t applied_seq;
	uint32_t max_batch_bytes;
	uint32_t credit;
	int64_t server_time_ms;
	const uint8_t *challenge; /* MAC_SIZE bytes, with WIRE_CHALLENGE; else NULL */
};

/* A question: is there a data record in offset .. end - 1? */
struct wire_probe {
	const char *topic;
	int32_t partition;
	int64_t offset; /* committed offset: the first to be read */
	int64_t end;    /* log end offset as the aggregator knows it */
};

struct wire_ack {
	enum wire_code code;
	uint64_t seq;
	uint32_t retry_ms;
	const char *reason; /* "" if there is none */
	uint64_t applied_seq;
	const char *probe_cluster; /* of all probes; "" without */
	const char *probe_environment;
	const struct wire_probe *probes;
	size_t probe_count;
};

struct wire_log_row {
	uint32_t topic; /* index into names */
	int32_t partition;
	int64_t start;  /* log start offset, or WIRE_UNKNOWN */
	int64_t end;    /* log end offset, or WIRE_UNKNOWN */
	int64_t stable; /* last stable offset, or WIRE_UNKNOWN */
	int32_t epoch;  /* leader epoch, or WIRE_UNKNOWN */
};

struct wire_commit_row {
	uint32_t group; /* index into names */
	uint32_t topic;
	int32_t partition;
	int64_t offset;  /* committed offset: the next one to read */
	int64_t time_ms; /* timestamp in the commit, some host's clock; WIRE_UNKNOWN in admin mode
			  */
	int64_t arrival_ms; /* when the agent saw it, agent's wall clock */
};

struct wire_partition {
	uint32_t topic;
	int32_t partition;
};

struct wire_member {
	const char *id;
	const char *client_id;
	const char *host;
	const uint32_t *subscribed; /* topics */
	size_t subscribed_count;
	const struct wire_partition *assigned;
	size_t assigned_count;
};

struct wire_group {
	uint32_t name;
	enum wire_protocol protocol;
	enum wire_group_state state;
	int32_t generation; /* classic generation or KIP-848 group epoch; -1 unknown */
	const struct wire_member *members;
	size_t member_count;
};

struct wire_gone_commit {
	uint32_t group;
	uint32_t topic;
	int32_t partition;
};

struct wire_probe_row {
	uint32_t topic; /* index into names */
	int32_t partition;
	int64_t offset; /* as it was asked */
	int64_t end;    /* how far was read, for WIRE_PROBE_NOTHING; else as it was asked */
	enum wire_probe_answer answer;
	int64_t time_ms; /* timestamp of the record, some host's clock; or WIRE_UNKNOWN */
};

struct wire_report {
	enum wire_agent_state state;
	uint64_t read, to_read;
	uint64_t records, unknown, malformed, skipped, log_failed;
	const char *problem; /* "" if none */
	const char *source;
	const char *servers;
	int64_t lag;
	uint64_t spool_bytes, spool_batches, dropped;
	uint32_t probes; /* that may be asked a pass; 0: none */
};

struct wire_batch {
	const char *agent;
	uint64_t epoch, seq, instance, floor_seq;
	const char *cluster;
	const char *environment;
	uint64_t pass; /* 0: carries only a report */
	int64_t pass_at_ms;
	uint32_t interval_ms;
	uint32_t flags;
	struct wire_report report;
	int64_t sent_ms; /* agent's wall clock when it sent this; 0: not told, nor are the next two
			  */
	int64_t sent_steady_ms; /* the same by the clock of pass_at_ms, which is never set; 0: not
				 * told */
	uint64_t spool_batches, spool_bytes; /* waiting at that time, this one too */

	const char **names; /* NUL-terminated, valid UTF-8 not assured */
	size_t name_count;
	const struct wire_log_row *logs;
	size_t log_count;
	const struct wire_commit_row *commits;
	size_t commit_count;
	const struct wire_group *groups;
	size_t group_count;
	const uint32_t *gone_groups;
	size_t gone_group_count;
	const uint32_t *gone_topics;
	size_t gone_topic_count;
	const struct wire_gone_commit *gone_commits;
	size_t gone_commit_count;
	const struct wire_probe_row *probes;
	size_t probe_count;
};

/* Append the encoded body to out. Strings that are NULL count as "". Fails only as buf does:
 * see out->err. Labels, words and what members say of themselves are cut to their limits, between
 * characters; all else is the caller's to keep in range, names and the number of rows above all:
 * a body must stay below WIRE_BODY_MAX. */
void wire_put_hello(struct buf *out, const struct wire_hello *m);
void wire_put_welcome(struct buf *out, const struct wire_welcome *m);
void wire_put_ack(struct buf *out, const struct wire_ack *m);
void wire_put_batch(struct buf *out, const struct wire_batch *m);

/* Decode a body into memory from a; *ret_m is valid until the arena is reset.
 * ERR_MALFORMED: not such a message, or a field that cannot be (index, length, range).
 * ERR_LIMIT: over one of the limits above, or larger than the arena.
 * *ret_m is untouched on failure. What is certain after success, beside the limits: names hold
 * no NUL; agent and cluster are not empty, nor is a name used as a topic; seq >= 1 and floor_seq <=
 * seq; offsets and times are >= 0 where not WIRE_UNKNOWN; a batch of pass 0 has a report only; a
 * welcome that is WIRE_OK grants a credit >= 1 and max_batch_bytes in 1..WIRE_BODY_MAX, one that is
 * WIRE_CHALLENGE, and no other, has a challenge; probes have
 * 0 <= offset <= end, a topic and a cluster. Rows may
 * come in any order and more than once. */
MUST_CHECK int wire_get_hello(const uint8_t *data, size_t size, struct arena *a,
			      struct wire_hello *ret_m);
MUST_CHECK int wire_get_welcome(const uint8_t *data, size_t size, struct arena *a,
				struct wire_welcome *ret_m);
MUST_CHECK int wire_get_ack(const uint8_t *data, size_t size, struct arena *a,
			    struct wire_ack *ret_m);
MUST_CHECK int wire_get_batch(const uint8_t *data, size_t size, struct arena *a,
			      struct wire_batch *ret_m);
