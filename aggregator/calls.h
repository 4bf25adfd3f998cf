/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * calls - what the HTTP server may ask of the rest of the aggregator, passed on to where it is
 * done: serve knows neither ingest nor the writer.
 */

#include "aggregator/ingest/link.h"
#include "aggregator/ingest/writer.h"
#include "aggregator/rulebook.h"
#include "aggregator/serve/server.h"
#include "aggregator/store/store.h"

/* All borrowed; they outlive the HTTP server. */
struct calls {
	struct store *store;
	struct ingest_link *link;
	struct writer *writer;
	struct rulebook *rulebook;
};

/* The calls, with c as their argument; c is read when one is called. */
struct server_calls calls_server(struct calls *c);

/* As rulebook_reload(), for the writer's judging; says in the log how it went. */
int calls_reload_rules(struct calls *c, struct buf *errors, bool *ret_changed);
