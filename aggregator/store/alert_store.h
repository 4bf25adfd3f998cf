/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * alert_store - what alarms remember: incidents and what became of each, silences, messages that
 * wait. Part of the store and used like store.h, inside its transactions. All values are bytes of
 * alert's own making; what a function returns of them is borrowed until the next write or the end
 * of the transaction.
 */

#include "aggregator/store/store.h"

/* --- tables whose key is one number --- */

enum alert_table {
	ALERT_SILENCE,
	ALERT_OUTBOX,
	ALERT_NOTIFY,
};

bool alert_store_get(struct store_txn *t, enum alert_table table, uint64_t key,
		     const uint8_t **ret_data, size_t *ret_size);
void alert_store_put(struct store_txn *t, enum alert_table table, uint64_t key, const void *data,
		     size_t size);
void alert_store_del(struct store_txn *t, enum alert_table table, uint64_t key);

/* The first entry whose key is at_least or greater; false if there is none. A walk asks again with
 * the key it was given plus one, and may write between. */
bool alert_store_next(struct store_txn *t, enum alert_table table, uint64_t at_least,
		      uint64_t *ret_key, const uint8_t **ret_data, size_t *ret_size);

/* --- incidents, by time and by id --- */

struct alert_place {
	int64_t opened_ms;
	uint64_t id;
};

bool alert_store_get_incident(struct store_txn *t, uint64_t id, const uint8_t **ret_data,
			      size_t *ret_size);
void alert_store_put_incident(struct store_txn *t, struct alert_place p, const void *data,
			      size_t size);

/* With its timeline. */
void alert_store_del_incident(struct store_txn *t, struct alert_place p);

/* The newest that is older than before, and the oldest that is not older than at_least; false if
 * there is none. */
bool alert_store_before(struct store_txn *t, struct alert_place before,
			struct alert_place *ret_place, const uint8_t **ret_data, size_t *ret_size);
bool alert_store_after(struct store_txn *t, struct alert_place at_least,
		       struct alert_place *ret_place, const uint8_t **ret_data, size_t *ret_size);

/* How many incidents there are. */
size_t alert_store_count(struct store_txn *t);

/* --- which incident a group is in, or was in lately; group 0: the cluster --- */

void alert_store_put_trouble(struct store_txn *t, uint32_t cluster, uint32_t group, uint64_t id);
void alert_store_del_trouble(struct store_txn *t, uint32_t cluster, uint32_t group);

/* The first of all that comes after this cluster and group. */
bool alert_store_next_trouble(struct store_txn *t, uint32_t *cluster, uint32_t *group,
			      uint64_t *ret_id);

/* --- what happened to an incident, by its version --- */

void alert_store_put_step(struct store_txn *t, uint64_t id, uint32_t version, const void *data,
			  size_t size);
void alert_store_del_step(struct store_txn *t, uint64_t id, uint32_t version);

/* The first step of this version or a later one. */
bool alert_store_next_step(struct store_txn *t, uint64_t id, uint32_t at_least,
			   uint32_t *ret_version, const uint8_t **ret_data, size_t *ret_size);
