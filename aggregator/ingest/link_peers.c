/* SPDX-License-Identifier: Apache-2.0 */

/* link_peers - the connections of the link: who comes, who goes, who is silent. */

#include "aggregator/ingest/link_priv.h"

#include <arpa/inet.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/again.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define SILENT_MS 10000 /* a connection that is not secure by then is closed */
#define DEAD_LOOKS 2

size_t ingest_link_find(const struct ingest_link *l, uint32_t id)
{
	size_t i = 0;

	while (i < l->limits.connections && l->ids[i] != id)
		i++;
	return i;
}

static void describe(nng_pipe p, char text[static INGEST_LINK_REMOTE_MAX])
{
	nng_sockaddr a;

	snprintf(text, INGEST_LINK_REMOTE_MAX, "unknown");
	if (nng_pipe_get_addr(p, NNG_OPT_REMADDR, &a) != 0)
		return;
	if (a.s_family == NNG_AF_INET)
		silent_describe(AF_INET, &a.s_in.sa_addr, a.s_in.sa_port, text);
	else if (a.s_family == NNG_AF_INET6)
		silent_describe(AF_INET6, a.s_in6.sa_addr, a.s_in6.sa_port, text);
}

#ifdef NNG_OPT_TLS_PEER_CN
/* mbedTLS gives the subject from the CN to its end: "agent-1, O=Example" or "agent-1 + OU=x". In
 * values it puts a backslash before each of these, so that no value ends early. */
static void end_name(char *name)
{
	char *ends[] = {strstr(name, ", "), strstr(name, " + ")};

	if (strcmp(nng_tls_engine_name(), "mbed") != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (ends[i] != NULL)
			*ends[i] = '\0';
	}
}

static void name_peer(nng_pipe p, char name[static INGEST_LINK_PEER_MAX])
{
	char *cn = NULL;

	if (nng_pipe_get_string(p, NNG_OPT_TLS_PEER_CN, &cn) != 0)
		return; /* not TLS */
	/* One that is cut is nobody's name: agents' are shorter. */
	snprintf(name, INGEST_LINK_PEER_MAX, "%s", cn == NULL ? INGEST_LINK_NO_NAME : cn);
	if (cn != NULL) {
		end_name(name);
		nng_strfree(cn);
	}
}

bool ingest_link_knows_peers(void)
{
	return true;
}
#else
static void name_peer(nng_pipe p, char name[static INGEST_LINK_PEER_MAX])
{
	(void)p;
	name[0] = '\0';
}

bool ingest_link_knows_peers(void)
{
	return false;
}
#endif

/* The one that has been there for the longest without a word, or limits.connections. Called with
 * the lock held. */
static size_t find_mute(const struct ingest_link *l)
{
	size_t mute = l->limits.connections;

	for (size_t i = 0; i < l->limits.connections; i++) {
		const struct connection *c = &l->connections[i];

		if (!c->spoke &&
		    (mute == l->limits.connections || c->heard_ms < l->connections[mute].heard_ms))
			mute = i;
	}
	return mute;
}

/* Take a new connection in; false: there are too many. An agent speaks at once, so that one that
 * says nothing gives way: nobody keeps agents out by holding connections. */
static bool admit(struct ingest_link *l, nng_pipe p)
{
	struct connection c = {.heard_ms = clock_mono_ms()};
	nng_pipe mute = {0};

	describe(p, c.remote);
	name_peer(p, c.peer);
	pthread_mutex_lock(&l->lock);
	size_t i = ingest_link_find(l, 0);
	bool full = i == l->limits.connections;
	if (full)
		i = find_mute(l);
	bool ok = i < l->limits.connections;
	if (ok) {
		mute.id = l->ids[i];
		l->ids[i] = (uint32_t)nng_pipe_id(p);
		l->connections[i] = c;
	}
	l->stats.refused += full;
	l->stats.connections += !full;
	pthread_mutex_unlock(&l->lock);
	if (mute.id != 0)
		nng_pipe_close(mute);
	return ok;
}

static void forget(struct ingest_link *l, nng_pipe p)
{
	pthread_mutex_lock(&l->lock);
	size_t i = ingest_link_find(l, (uint32_t)nng_pipe_id(p));
	if (i < l->limits.connections) {
		l->ids[i] = 0;
		l->stats.connections--;
	}
	pthread_mutex_unlock(&l->lock);
}

void ingest_link_on_pipe(nng_pipe p, nng_pipe_ev event, void *arg)
{
	if (event == NNG_PIPE_EV_REM_POST)
		forget(arg, p);
	else if (!admit(arg, p))
		nng_pipe_close(p);
}

void ingest_link_note_closed(struct ingest_link *l, size_t i, int64_t now)
{
	l->connections[i].closed_ms = now;
	l->stats.idle++;
}

/* The next connection that has been silent for too long, or 0. */
static uint32_t next_silent(struct ingest_link *l, int64_t now)
{
	uint32_t id = 0;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; id == 0 && i < l->limits.connections; i++) {
		struct connection *c = &l->connections[i];

		if (l->ids[i] == 0)
			continue;
		if (c->closed_ms == 0 && now - c->heard_ms >= l->limits.idle_ms) {
			ingest_link_note_closed(l, i, now);
			id = l->ids[i];
		}
	}
	pthread_mutex_unlock(&l->lock);
	return id;
}

/* Note what was found of the connection of entry i. Whether it is to be closed. */
static bool note_dead(struct ingest_link *l, size_t i, uint32_t id, bool dead, int64_t now)
{
	bool close = false;

	pthread_mutex_lock(&l->lock);
	if (l->ids[i] == id) {
		struct connection *c = &l->connections[i];

		c->dead_looks = dead ? c->dead_looks + 1 : 0;
		close = c->dead_looks >= DEAD_LOOKS && c->closed_ms == 0;
		if (close)
			c->closed_ms = now;
	}
	pthread_mutex_unlock(&l->lock);
	return close;
}

/* nng does not always notice the end of a TLS connection that comes between two parts of a message.
 * It has then shut the socket down, which has no peer any more. */
static void sweep_dead(struct ingest_link *l, int64_t now)
{
	for (size_t i = 0; i < l->limits.connections; i++) {
		pthread_mutex_lock(&l->lock);
		nng_pipe p = {.id = l->ids[i]};
		pthread_mutex_unlock(&l->lock);
		nng_sockaddr a;

		if (p.id != 0 &&
		    note_dead(l, i, p.id, nng_pipe_get_addr(p, NNG_OPT_REMADDR, &a) != 0, now))
			nng_pipe_close(p);
	}
}

/* nng does not work any more, see nng_watch.h. */
static void end_stuck(void)
{
	log_error("nng is stuck: the process begins anew", "");
	log_error("it cannot", "err=%s", log_quote(err_str(again())));
	abort();
}

/* Whether nng has told of the connection from there. Called without the lock. */
static bool is_known(void *arg, const char *remote)
{
	struct ingest_link *l = arg;
	bool known = false;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; !known && i < l->limits.connections; i++)
		known = l->ids[i] != 0 && strcmp(l->connections[i].remote, remote) == 0;
	pthread_mutex_unlock(&l->lock);
	return known;
}

static void sweep_silent(struct ingest_link *l, int64_t now)
{
	if (l->silent.port_count == 0)
		return;
	size_t ended = silent_sweep(&l->silent, now, MIN(l->limits.idle_ms, (int64_t)SILENT_MS),
				    is_known, l);
	pthread_mutex_lock(&l->lock);
	l->stats.silent += ended;
	pthread_mutex_unlock(&l->lock);
}

void ingest_link_sweep(struct ingest_link *l, int64_t now)
{
	uint32_t id;

	if (now - l->swept_ms < LINK_SWEEP_MS)
		return;
	l->swept_ms = now;
	if (nng_watch_stuck(l->watch, now))
		end_stuck();
	sweep_silent(l, now);
	sweep_dead(l, now);
	while ((id = next_silent(l, now)) != 0)
		nng_pipe_close((nng_pipe){.id = id});
}
