/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* incidents_priv - what the files of incidents share. */

#include <uthash.h>

#include "aggregator/alert/incidents.h"

/* A group in trouble, or one that was lately. Group 0 is the cluster. */
struct slot {
	uint32_t group;
	uint64_t id;             /* of its incident */
	uint8_t status, reason;  /* what the last pass showed */
	uint8_t state, severity; /* of the incident: enum incident_state, enum status */
	int64_t opened_ms;       /* of its incident */
	int64_t next_ms;         /* see incident_next_ms() */
	uint64_t round;          /* of the last pass that showed it */
	UT_hash_handle hh;
};

struct place {
	uint32_t cluster;
	char *environment; /* owned */
	struct slot *slots;
};

struct incidents {
	const struct silences *silences; /* borrowed */
	incidents_on_change *on_change;
	void *arg;
	struct rules_set *rules; /* referenced; NULL: not told yet */
	struct place *places;
	size_t place_count, place_cap;
	size_t slot_count;
	bool full; /* said */
	uint64_t round;
	struct alert_place trim_at;
	int64_t trim_ms; /* when the next walk begins */
};
