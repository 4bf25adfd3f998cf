/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* api_incidents - what is wrong and was, who sees to it, and what nobody is to be told of. */

#include "aggregator/serve/server.h"

/* ?state=, ?env=, ?cluster=, ?group=, ?status=, ?since=, ?limit=, ?cursor=; the newest first. */
void api_incidents(struct server *s, const struct request *rq, struct response *rs);

/* With its timeline. */
void api_incident(struct server *s, const struct request *rq, struct response *rs);

/* The body may give a note. */
void api_incident_acknowledge(struct server *s, const struct request *rq, struct response *rs);
void api_incident_resolve(struct server *s, const struct request *rq, struct response *rs);

void api_silences(struct server *s, const struct request *rq, struct response *rs);
void api_silence_add(struct server *s, const struct request *rq, struct response *rs);
void api_silence_delete(struct server *s, const struct request *rq, struct response *rs);
