/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * kafka_priv - what the files kafka*.c share: the handles of one cluster and the memory of its
 * latest troubles. Nobody else includes this header, and no other file includes librdkafka's.
 */

#include "agent/collect/kafka.h"

#include <librdkafka/rdkafka.h>

#define KAFKA_TROUBLES 8

struct kafka_trouble {
	char broker[128]; /* host:port; "" where the trouble is not that of one broker */
	char text[256];   /* "": unused */
	int64_t at_ms;    /* clock_mono_ms() */
};

struct kafka_position {
	int64_t next; /* offset; -1 unknown */
	bool running;
	bool caught_up;
};

/* The stream of __consumer_offsets: the library's simple consumer, which belongs to no group and
 * so looks up no coordinator, needs no right on a group and commits nothing. */
struct kafka_reader {
	rd_kafka_t *rk; /* NULL until kafka_read_from() */
	rd_kafka_topic_t *topic;
	rd_kafka_queue_t *queue;
	struct kafka_position *positions;
	int32_t count;
	int err;              /* why nothing can be read; kept until something is */
	bool heard;           /* anything at all since a partition was started */
	int64_t looked_up_ms; /* the topic in the metadata, for want of anything else */
};

/* The Admin API has a handle of its own, because it is thrown away now and then: see
 * kafka_admin.c. */
struct kafka_admin {
	rd_kafka_t *rk; /* NULL until first used */
	rd_kafka_queue_t *queue;
	uint64_t latest_id;      /* of a request */
	size_t abandoned;        /* requests given up that the library still keeps */
	int64_t abandoned_at_ms; /* the first of them */
	bool stale;              /* it asks the wrong coordinators */
};

struct kafka {
	rd_kafka_conf_t *conf; /* what all handles are made from */
	rd_kafka_t *plain;     /* metadata and log offsets, read_uncommitted */
	int broker_count;      /* of the cluster; 0 unknown */
	struct kafka_reader reader;
	struct kafka_admin admin;
	struct kafka_trouble troubles[KAFKA_TROUBLES];
	char problem[512];
};

/* A consumer's configuration: our defaults, these properties, and what the code relies on.
 * ERR_CONFIG as for kafka_open(). Caller owns *ret_conf, and gives it to rd_kafka_new() or destroys
 * it. */
MUST_CHECK int kafka_conf_new(const struct kafka_property *props, size_t count,
			      char why[static 512], rd_kafka_conf_t **ret_conf);

/* A new handle from k->conf; isolation is a value of isolation.level. On ERR_CONFIG why holds the
 * library's words. Free *ret_rk with kafka_handle_destroy(). */
MUST_CHECK int kafka_handle_new(struct kafka *k, const char *isolation, char why[static 512],
				rd_kafka_t **ret_rk);

/* Waits at most five seconds: a handle that does not end by then is left to end by itself. */
void kafka_handle_destroy(rd_kafka_t **rk);

/* Let the library call back what it has to say: troubles of brokers. Does not block. */
void kafka_serve(struct kafka *k);

/* Remember a trouble for kafka_problem(). broker may be "". */
void kafka_note(struct kafka *k, const char *broker, const char *text);

/* Take over how many brokers the cluster has. */
void kafka_count_brokers(struct kafka *k, int count);

/* true if this broker (host:port) is known to be in trouble. */
bool kafka_in_trouble(const struct kafka *k, const char *broker);

/* Forget the troubles older than at_ms: since then everything has answered. */
void kafka_forget(struct kafka *k, int64_t at_ms);

/* The library's code in our terms: ERR_OK, ERR_TIMEOUT, ERR_NOT_FOUND, -EACCES or ERR_BROKER. */
int kafka_translate(rd_kafka_resp_err_t err);

/* Ask for one topic, or for all if topic is NULL, which also renews the handle's own idea of the
 * brokers and of who leads what. Tries a second broker when the first keeps silent. Free *ret_md
 * with rd_kafka_metadata_destroy(). */
MUST_CHECK int kafka_metadata(rd_kafka_t *rk, rd_kafka_topic_t *topic, int timeout_ms,
			      const struct rd_kafka_metadata **ret_md);

void kafka_reader_close(struct kafka_reader *r);

/* --- requests of the Admin API, many side by side --- */

/* Requests that the library must not time out by itself; see kafka_admin.c. */
#define KAFKA_ADMIN_NEVER_MS (3600 * 1000)

struct kafka_flight {
	struct kafka *k;
	int64_t deadline_ms; /* of all, by clock_mono_ms() */
	int64_t request_ms;  /* for one request */
	/* Start request number i. Its options are those of kafka_admin_options() for this id. */
	void (*send)(struct kafka_flight *f, size_t i, uint64_t id);
	/* Its answer, borrowed; NULL if there is none. Called once for each i. */
	void (*land)(struct kafka_flight *f, size_t i, rd_kafka_event_t *e);
	void *arg;
};

/* Make k->admin usable. ERR_BROKER if the library refuses. */
MUST_CHECK int kafka_admin_open(struct kafka *k);
void kafka_admin_close(struct kafka_admin *a);

/* A flight until deadline_ms, with a part of that time for each request. */
struct kafka_flight kafka_admin_flight(struct kafka *k, int64_t deadline_ms);

/* Fly all requests 0 .. count-1, at most 32 at a time. Returns when each has landed. */
void kafka_admin_fly(struct kafka_flight *f, size_t count);

/* Caller frees them with rd_kafka_AdminOptions_destroy(). */
rd_kafka_AdminOptions_t *kafka_admin_options(struct kafka_admin *a, rd_kafka_admin_op_t op,
					     int timeout_ms, uint64_t id);

/* kafka_translate() for the error in an answer, which may tell that the handle is of no use. */
int kafka_admin_error(struct kafka_admin *a, rd_kafka_resp_err_t code);
