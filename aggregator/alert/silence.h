/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * silence - incidents that nobody is to be told of: for a time, or in a part of the week that comes
 * again. The writer thread's; a copy of what the store holds.
 */

#include "aggregator/alert/incident.h"
#include "aggregator/judge/rules.h"
#include "aggregator/store/alert_store.h"

#define SILENCE_LABELS_MAX 8
#define SILENCES_MAX 1000      /* in the store */
#define SILENCES_FIXED_MAX 100 /* of the configuration */

/* Part of a week that comes again: some days, from a minute of the day to another; where to is not
 * after from, to that of the next day. Equal: the whole day. */
struct silence_window {
	uint8_t days; /* bit 0: Monday */
	uint16_t from_min, to_min;
};

struct silence_label {
	char name[64];
	char value[128]; /* a glob */
};

/* Plain bytes, kept in the store as they are. */
struct silence {
	uint32_t version; /* SILENCE_VERSION */
	uint32_t label_count;
	uint64_t id;
	int64_t from_ms, until_ms; /* Unix time; until_ms INT64_MAX: for ever, with a window only */
	int64_t created_ms;
	struct silence_window window;           /* days 0: all the time */
	uint8_t status;                         /* enum status; 0: any */
	uint8_t reason;                         /* enum reason; 0: any */
	char environment[INCIDENT_CLUSTER_MAX]; /* globs, as the next three */
	char cluster[INCIDENT_CLUSTER_MAX];
	char topic[INCIDENT_TOPIC_MAX];
	char group[INCIDENT_GROUP_MAX]; /* of a cluster that is blind only "*" is one */
	struct silence_label labels[SILENCE_LABELS_MAX]; /* all of them must match */
	char timezone[64];                               /* of the window */
	char by[INCIDENT_BY_MAX];
	char note[INCIDENT_TEXT_MAX];
};

#define SILENCE_VERSION 1

/* False: the bytes are not those of a silence. */
bool silence_unpack(const uint8_t *data, size_t size, struct silence *ret_s);

struct silences;

struct silences *silences_new(void); /* never NULL */
void silences_free(struct silences **s);

/* Have one that no store holds, for as long as this lives: before silences_load(). ERR_LIMIT: there
 * are SILENCES_FIXED_MAX; ERR_NOT_FOUND: there is no such time zone. */
MUST_CHECK int silences_fix(struct silences *s, const struct silence *silence);

/* Read what the store holds, in place of what it held. */
void silences_load(struct silences *s, struct store_txn *t);

/* Add one; its id and version are given here. ERR_LIMIT: there are SILENCES_MAX; ERR_NOT_FOUND:
 * there is no such time zone. */
MUST_CHECK int silences_add(struct silences *s, struct store_txn *t, struct silence *silence);

/* ERR_NOT_FOUND: there is none. */
MUST_CHECK int silences_del(struct silences *s, struct store_txn *t, uint64_t id);

/* When silences_tick() has something to do next; INT64_MAX: never. */
int64_t silences_next_ms(const struct silences *s);

/* Let those begin and end that do, forget those that ended long ago. True: others are in force than
 * before, or after a change. */
bool silences_tick(struct silences *s, struct store_txn *t, int64_t now_ms);

/* Whether one that is in force is for the incident. rules: where its labels come from; may be NULL.
 */
bool silences_match(const struct silences *s, const struct rules_set *rules,
		    const struct incident *i);
