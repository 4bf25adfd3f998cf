/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * incident - one trouble of one group, or one cluster that is blind, from its first bad pass to its
 * end: a record, and the pure steps that change it. No clock, no store.
 */

#include "aggregator/judge/status.h"
#include "common/base.h"
#include "common/buf.h"

#define INCIDENT_GROUP_MAX 1025 /* with its NUL, as all of these */
#define INCIDENT_CLUSTER_MAX 256
#define INCIDENT_TOPIC_MAX 250
#define INCIDENT_TEXT_MAX 256
#define INCIDENT_BY_MAX 64

enum incident_kind {
	INCIDENT_GROUP = 1, /* a group is WARN or worse */
	INCIDENT_BLIND = 2, /* nothing is heard of a cluster: the agent, or the cluster, is away */
};

enum incident_state {
	INCIDENT_OPEN = 1,
	INCIDENT_ACKNOWLEDGED = 2, /* somebody sees to it: no repeats, no escalation */
	INCIDENT_RESOLVED = 3,
};

/* Why it ended. */
enum incident_end {
	INCIDENT_RECOVERED = 1,
	INCIDENT_DELETED = 2,     /* the group is gone */
	INCIDENT_EXPIRED = 3,     /* the group was not heard of for long */
	INCIDENT_MAINTENANCE = 4, /* maintenance began */
	INCIDENT_BY_HAND = 5,
};

/* What a step did. Each but NONE makes a new version. */
enum incident_change {
	INCIDENT_NONE,
	INCIDENT_OPENED,
	INCIDENT_WORSE,
	INCIDENT_BETTER, /* ERR to WARN */
	INCIDENT_OTHER_REASON,
	INCIDENT_FLAPS, /* it goes up and down: one change says so, then there is rest */
	INCIDENT_WAS_ACKNOWLEDGED,
	INCIDENT_WAS_RESOLVED,
	INCIDENT_WAS_SILENCED,
	INCIDENT_SILENCE_ENDED, /* before the trouble did */
};

/*
 * When a group that goes up and down counts as one that flaps. Four ups in an hour are more than
 * somebody can see to one by one. It is calm when it has stood still for half an hour: longer than
 * the quarter of an hour between two ups of the slowest that flaps.
 */
#define INCIDENT_FLAPS_MIN 4
#define INCIDENT_FLAPS_MS 3600000
#define INCIDENT_CALM_MS 1800000

/* Another reason is told of when it has lasted for so long: what a group suffers from passes
 * through several on its way. */
#define INCIDENT_REASON_MS 300000

/* Plain bytes, kept in the store as they are. Times are Unix time, ms. */
struct incident {
	uint64_t
		id; /* of cluster name, group name, kind and opened_ms: the same on every replica */
	uint32_t version;                 /* 1 when opened */
	uint32_t cluster_id, group_id;    /* the store's; group_id 0: INCIDENT_BLIND */
	uint8_t kind, state, end, change; /* change: the last that was made */
	uint8_t status, worst, reason;    /* enum status, enum reason */
	uint8_t flapping, silenced;       /* 0 or 1 */
	uint8_t held;                     /* 1: resolved by hand, and the trouble lasts as it was */
	uint8_t next_reason;              /* what it is now, if not reason */
	int64_t opened_ms;                /* the first bad pass */
	int64_t changed_ms;               /* the last version */
	int64_t acknowledged_ms, resolved_ms; /* 0: not */
	int64_t status_since_ms;
	int64_t next_reason_ms; /* since when */
	int64_t flaps_ms[8];    /* when it last went up, a ring */
	uint32_t flap_count;    /* ups ever; the next goes to this modulo 8 */
	int32_t partition;      /* the worst one */
	uint32_t bad_partitions;
	uint32_t partitions;
	int64_t lag, time_lag_ms, margin_ms, lost; /* VIEW_UNKNOWN where not known */
	char environment[INCIDENT_CLUSTER_MAX];
	char cluster[INCIDENT_CLUSTER_MAX];
	char topic[INCIDENT_TOPIC_MAX];
	char by[INCIDENT_BY_MAX];         /* who acknowledged or resolved it; "": nobody */
	char note[INCIDENT_TEXT_MAX];     /* what he said */
	char sentence[INCIDENT_TEXT_MAX]; /* why, for a person */
	char group[INCIDENT_GROUP_MAX];   /* last: what is not used of it is not stored */
};

/* Static words: "group", "open", "recovered"; "" for 0. */
const char *incident_kind_str(unsigned kind);
const char *incident_state_str(unsigned state);
const char *incident_end_str(unsigned end);

/* "opened", "worse", "silence_ended". */
const char *incident_change_str(unsigned change);

/* What one pass shows of a group, or of a cluster. All texts are borrowed. */
struct incident_sight {
	const char *environment, *cluster, *group; /* group "": the cluster itself */
	uint32_t cluster_id, group_id;
	enum status status; /* STATUS_OK: there is no trouble */
	enum reason reason;
	int64_t since_ms;  /* the first pass of this status */
	int64_t at_ms;     /* this pass */
	const char *topic; /* of the worst partition; "": none */
	int32_t partition;
	uint32_t bad_partitions, partitions;
	int64_t lag, time_lag_ms, margin_ms, lost;
	const char *sentence;
};

/* Whether the trouble seen is a new incident, given the last one of the same group (NULL: none).
 */
bool incident_is_new(const struct incident *last, enum status seen);

/* Begin one. last: the incident of the same group before, of which it takes how often it went up;
 * NULL: none is remembered. */
void incident_open(const struct incident_sight *s, const struct incident *last,
		   struct incident *ret_i);

/* The group was seen again. Nothing of an incident that is over changes but what incident_is_new()
 * goes by. */
enum incident_change incident_see(struct incident *i, const struct incident_sight *s);

/* When incident_see() may change something although the group shows the same status and reason;
 * INT64_MAX: never. */
int64_t incident_next_ms(const struct incident *i);

/* Whether it is of no more use for what comes after it. */
bool incident_is_past(const struct incident *i, int64_t at_ms);

/* Somebody sees to it. INCIDENT_NONE: somebody does already, or it is over. */
enum incident_change incident_acknowledge(struct incident *i, const char *by, const char *note,
					  int64_t at_ms);

/* It is over. By hand it stays so until the group was well, or gets worse. */
enum incident_change incident_end(struct incident *i, enum incident_end why, const char *by,
				  const char *note, int64_t at_ms);

/* A silence began, or the last one ended. */
enum incident_change incident_silence(struct incident *i, bool silenced, int64_t at_ms);

/* --- its bytes --- */

#define INCIDENT_BYTES_MAX (sizeof(struct incident) + 1)

/* Returns the size. */
size_t incident_pack(const struct incident *i, uint8_t out[static INCIDENT_BYTES_MAX]);

/* False: it is not the bytes of an incident. */
bool incident_unpack(const uint8_t *data, size_t size, struct incident *ret_i);

/* One step of its life, for its timeline. */
struct incident_step {
	int64_t at_ms;
	uint8_t change, state, status, reason;
	char by[INCIDENT_BY_MAX];
	char text[INCIDENT_TEXT_MAX]; /* what he said, or why it is as it is */
};

void incident_step_of(const struct incident *i, struct incident_step *ret_s);
size_t incident_step_pack(const struct incident_step *s, uint8_t out[static sizeof(*s)]);
bool incident_step_unpack(const uint8_t *data, size_t size, struct incident_step *ret_s);
