/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * alarm - alert put between the writer, which judges, and the HTTP server, which is asked: neither
 * knows it.
 */

#include "aggregator/alert/alert.h"
#include "aggregator/ingest/writer.h"
#include "aggregator/serve/server.h"

/* What the writer calls; a is borrowed, as in what follows. */
struct writer_hook alarm_hook(struct alert *a);

/* What tells the clients of a struct stream, its arg, of an incident that has changed. */
alert_on_incident alarm_changed;

/* As well, of one that changed before the stream, arg, was started. */
alert_on_incident alarm_recall;

/* What the HTTP server calls. */
struct server_alarms alarm_calls(struct alert *a);
