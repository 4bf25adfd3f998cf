/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * verify - reads every record of every table and says what cannot be: sizes, versions, ranges, and
 * numbers that nothing stands for. Reads in one transaction, so that what it compares is of one
 * moment; the store cannot use pages again meanwhile.
 */

#include "aggregator/store/alert_store.h"
#include "aggregator/store/store.h"

struct verify_options {
	/* Whether bytes of ingest's making are whole. */
	bool (*members_ok)(const uint8_t *data, size_t size);
	bool (*origin_ok)(const uint8_t *data, size_t size);

	void (*on_fault)(void *arg, const char *text);
	void (*on_table)(void *arg, const char *name, uint64_t records, uint64_t bytes);
	void (*on_session)(void *arg, const char *agent, const struct store_session *s);
	void *arg;

	/* Whether bytes of alert's making are whole. NULL: they are not looked at. */
	bool (*incident_ok)(const uint8_t *data, size_t size);
	bool (*step_ok)(const uint8_t *data, size_t size);
	bool (*alert_ok)(enum alert_table table, const uint8_t *data, size_t size);
};

/* The number of faults; the first VERIFY_TOLD of a table are told. *ret_err: the store could not
 * be read to its end. */
#define VERIFY_TOLD 20
uint64_t verify(struct store *st, const struct verify_options *o, int *ret_err);
