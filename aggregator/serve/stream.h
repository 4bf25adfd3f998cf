/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * stream - what happens, as it happens, for clients that stay connected: server-sent events, the
 * text/event-stream of the HTML standard.
 *
 * A thread of its own looks at the board several times a second and writes what has changed into a
 * ring of events, the same for all; a reader is a place in that ring. So a slow reader costs
 * nothing: one that was overtaken is told to load anew, by an event "reset".
 *
 * Events: "pass" (a cluster was judged; only the latest of each cluster is kept for who is behind),
 * "status" (of a group), "incident", "reset".
 *
 * An event's id has three parts: when this stream was made, the number of the event, and the time
 * up to which all that happened has been told by then. Who comes back to the same stream goes on at
 * the number. For who comes from another, of this program before it was restarted or of a replica,
 * the time tells where to go on: nothing is left out, and some may come twice.
 */

#include "aggregator/judge/view.h"
#include "aggregator/serve/access.h"
#include "common/base.h"

#define STREAM_READERS 200

/* Of one address: others behind it, a proxy or so, need connections as well. */
#define STREAM_READERS_OF_ONE 40

struct stream;
struct stream_reader;

/* board is borrowed. Caller owns *ret_s. */
MUST_CHECK int stream_new(struct board *board, struct stream **ret_s);

/* --- before it is started: what was before this program was, in this order --- */

/* What was last told of a cluster: see changes_know(). */
void stream_know(struct stream *s, const struct view *v);

/* Since when it wants to be told of what happened; Unix time. */
int64_t stream_since_ms(const struct stream *s);

struct stream_event {
	int64_t at_ms; /* when it happened */
	const char *event, *environment, *cluster;
	const char *group; /* "": it is of the cluster */
	const char *data;  /* an object of JSON, in one line */
};

/* Something that happened since then; in any order. */
void stream_recall(struct stream *s, const struct stream_event *e);

/* --- */

/* Begin to look at the board, and to take readers. complete: all that happened since
 * stream_since_ms() has been recalled. */
MUST_CHECK int stream_start(struct stream *s, bool complete);

/* Readers see the end of the stream, and are woken. */
void stream_close(struct stream *s);

/* Once no reader is left; started or not. */
void stream_stop(struct stream **s);

/* Tell of something that is not on the board. Any thread. */
void stream_tell(struct stream *s, const struct stream_event *e);

/* What one reader wants. Patterns are globs, NULL for all. */
struct stream_wish {
	const struct access *who; /* borrowed for the reader's life */
	uint8_t from[16];         /* address of the client, as struct request has it */
	const char *env, *cluster, *group;
	const char *last_id; /* of the last event that he has; NULL: he begins */
};

/* ERR_LIMIT when there are too many. Caller frees *ret_r. */
MUST_CHECK int stream_open(struct stream *s, const struct stream_wish *wish,
			   struct stream_reader **ret_r);
void stream_reader_free(struct stream_reader **r);

/* Up to max bytes into out. Returns how many: 0 when there is nothing to say now, negative when the
 * stream has ended. */
ptrdiff_t stream_read(struct stream_reader *r, char *out, size_t max);

/* After stream_read() had nothing: wake is called once, by any thread, when it is worth to read
 * again; it may be at once, before this returns. */
void stream_await(struct stream_reader *r, void (*wake)(void *arg), void *arg);
