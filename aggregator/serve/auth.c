/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/auth.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/authorization.h"
#include "aggregator/serve/password.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define SLOW_EVERY_MS 250  /* after a wrong password, before the next is tried */
#define LOG_EVERY_MS 60000 /* in which so many lines are written */
#define LOG_LINES 20

struct credential {
	struct access access; /* its strings are those below */
	enum auth_kind kind;
	char *name, *user, *hash; /* owned */
	char **clusters;          /* owned */
	uint8_t digest[MAC_SIZE];
	bool remembered;                     /* under mtx: the next is set */
	uint8_t remembered_digest[MAC_SIZE]; /* under mtx; private_digest() of the right password */
};

struct auth {
	struct credential *list;
	size_t count;
	struct access anonymous;
	bool burrow_open;
	struct mac_key salt;
	struct throttle *throttle;
	atomic_uint_fast64_t failures[AUTH_FAILURES];

	pthread_mutex_t mtx;
	int64_t log_since_ms; /* under mtx */
	unsigned log_lines;   /* under mtx; since then */
	uint64_t log_missing; /* under mtx; lines not written */

	pthread_mutex_t slow_mtx; /* held while a password is hashed */
	int64_t slow_next_ms;     /* under slow_mtx */
};

/* --- the list --- */

static char *copy(const char *s)
{
	return mem_copy(s != NULL ? s : "");
}

static char **copy_list(char *const *list, size_t count)
{
	char **p = mem_zeroed(count, sizeof(*p));

	for (size_t i = 0; i < count; i++)
		p[i] = copy(list[i]);
	return p;
}

static bool same_list(const struct access *a, const struct access *b)
{
	if (a->cluster_count != b->cluster_count)
		return false;
	for (size_t i = 0; i < a->cluster_count; i++) {
		if (strcmp(a->clusters[i], b->clusters[i]) != 0)
			return false;
	}
	return true;
}

static bool sees_all(const struct access *a)
{
	bool all = a->cluster_count == 0;

	for (size_t i = 0; i < a->cluster_count; i++)
		all = all || strcmp(a->clusters[i], "*") == 0 || strcmp(a->clusters[i], "*/*") == 0;
	return all;
}

/* The scope of the credential that comes next. */
static uint32_t scope_of(const struct auth *a, const struct access *next)
{
	uint32_t most = 0;

	if (sees_all(next))
		return 0;
	for (size_t i = 0; i < a->count; i++) {
		if (a->list[i].access.scope != 0 && same_list(&a->list[i].access, next))
			return a->list[i].access.scope;
		most = MAX(most, a->list[i].access.scope);
	}
	return most + 1;
}

static void add(struct auth *a, const struct auth_entry *e)
{
	struct credential *c = &a->list[a->count];

	c->access = e->access;
	c->access.scope = scope_of(a, &e->access);
	c->access.name = c->name = copy(e->access.name);
	c->access.clusters = c->clusters = copy_list(e->access.clusters, e->access.cluster_count);
	c->kind = e->kind;
	c->user = copy(e->user);
	c->hash = copy(e->hash);
	memcpy(c->digest, e->digest, MAC_SIZE);
	a->count++;
}

int auth_new(const struct auth_options *o, struct auth **ret_a)
{
	struct auth *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return -ENOMEM;
	pthread_mutex_init(&a->mtx, NULL);
	pthread_mutex_init(&a->slow_mtx, NULL);
	a->anonymous = (struct access){.name = "", .role = o->anonymous};
	a->burrow_open = o->burrow_open;
	a->list = calloc(MAX(o->count, (size_t)1), sizeof(*a->list));
	a->throttle = throttle_new();
	if (a->list == NULL || a->throttle == NULL) {
		auth_free(&a);
		return -ENOMEM;
	}
	mac_random(&a->salt);
	for (size_t i = 0; i < o->count; i++)
		add(a, &o->entries[i]);
	*ret_a = a;
	return ERR_OK;
}

static void release(struct credential *c)
{
	for (size_t i = 0; i < c->access.cluster_count; i++)
		free(c->clusters[i]);
	free(c->clusters);
	free(c->name);
	free(c->user);
	explicit_bzero(c->hash, strlen(c->hash));
	free(c->hash);
	explicit_bzero(c->digest, MAC_SIZE);
}

void auth_free(struct auth **a)
{
	struct auth *gone = *a;

	*a = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++)
		release(&gone->list[i]);
	free(gone->list);
	throttle_free(&gone->throttle);
	pthread_mutex_destroy(&gone->mtx);
	pthread_mutex_destroy(&gone->slow_mtx);
	free(gone);
}

bool auth_has(const struct auth *a, enum auth_kind kind)
{
	for (size_t i = 0; i < a->count; i++) {
		if (a->list[i].kind == kind)
			return true;
	}
	return false;
}

/* --- counting and telling --- */

static const char *const FAILURES[] = {
	[AUTH_MISSING] = "missing",
	[AUTH_WRONG] = "wrong",
	[AUTH_FORBIDDEN] = "forbidden",
	[AUTH_THROTTLED] = "throttled",
};

const char *auth_failure_str(enum auth_failure f)
{
	return FAILURES[f];
}

uint64_t auth_failures(const struct auth *a, enum auth_failure f)
{
	return atomic_load(&a->failures[f]);
}

const char *auth_address_str(const uint8_t from[static THROTTLE_ADDRESS], char text[static 46])
{
	static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};
	bool v4 = memcmp(from, MAPPED, sizeof(MAPPED)) == 0;

	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? from + 12 : from, text, 46) == NULL)
		text[0] = '\0';
	return text;
}

/* Many addresses could make the log a flood. False: not this line; else how many there would have
 * been since the last. */
static bool may_log(struct auth *a, int64_t now_ms, uint64_t *ret_missing)
{
	pthread_mutex_lock(&a->mtx);
	if (a->log_lines == 0 || now_ms - a->log_since_ms >= LOG_EVERY_MS) {
		a->log_since_ms = now_ms;
		a->log_lines = 0;
	}
	bool may = a->log_lines < LOG_LINES;
	*ret_missing = a->log_missing;
	a->log_missing = may ? 0 : a->log_missing + 1;
	a->log_lines += may;
	pthread_mutex_unlock(&a->mtx);
	return may;
}

static void failed(struct auth *a, const struct auth_ask *ask, int64_t now_ms)
{
	enum throttle_change change = throttle_failed(a->throttle, ask->from, now_ms);
	uint64_t missing = 0;
	char from[46];

	atomic_fetch_add(&a->failures[AUTH_WRONG], 1);
	if (change == THROTTLE_SAME || !may_log(a, now_ms, &missing))
		return;
	auth_address_str(ask->from, from);
	if (change == THROTTLE_FIRST)
		log_warn("wrong credentials over HTTP", "from=%s lines_left_out=%llu", from,
			 (unsigned long long)missing);
	else
		log_warn("address blocked after wrong credentials over HTTP",
			 "from=%s failures=%d lines_left_out=%llu", from, THROTTLE_FAILURES,
			 (unsigned long long)missing);
}

/* --- who it is --- */

static const struct credential *find_digest(const struct auth *a, const char *token)
{
	const struct credential *found = NULL;
	uint8_t digest[MAC_SIZE];

	mac_digest(token, strlen(token), digest);
	for (size_t i = 0; i < a->count; i++) {
		if (a->list[i].kind == AUTH_TOKEN && mac_same(a->list[i].digest, digest))
			found = &a->list[i];
	}
	return found;
}

static struct credential *find_user(struct auth *a, const char *user)
{
	for (size_t i = 0; i < a->count; i++) {
		struct credential *c = &a->list[i];

		if ((c->kind == AUTH_PASSWORD || c->kind == AUTH_HASH) &&
		    strcmp(c->user, user) == 0)
			return c;
	}
	return NULL;
}

static const struct credential *find_certificate(const struct auth *a, const char *name)
{
	for (size_t i = 0; name != NULL && i < a->count; i++) {
		if (a->list[i].kind == AUTH_CERTIFICATE && strcmp(a->list[i].user, name) == 0)
			return &a->list[i];
	}
	return NULL;
}

/* A digest of a password that is of no use outside of this process. */
static void private_digest(const struct auth *a, const char *password,
			   uint8_t ret_digest[static MAC_SIZE])
{
	mac_code(&a->salt, password, strlen(password), ret_digest);
}

static bool is_remembered(struct auth *a, const struct credential *c,
			  const uint8_t digest[static MAC_SIZE])
{
	pthread_mutex_lock(&a->mtx);
	bool same = c->remembered && mac_same(c->remembered_digest, digest);
	pthread_mutex_unlock(&a->mtx);
	return same;
}

static void remember(struct auth *a, struct credential *c, const uint8_t digest[static MAC_SIZE])
{
	pthread_mutex_lock(&a->mtx);
	memcpy(c->remembered_digest, digest, MAC_SIZE);
	c->remembered = true;
	pthread_mutex_unlock(&a->mtx);
}

enum outcome { RIGHT, WRONG, BUSY };

/* Hash a password, unless another is being hashed or a wrong one has been just now: whoever tries
 * passwords may not take the threads that serve the others. */
static enum outcome hash_password(struct auth *a, const char *hash, const char *password,
				  int64_t now_ms)
{
	enum outcome outcome = BUSY;

	if (pthread_mutex_trylock(&a->slow_mtx) != 0)
		return BUSY;
	if (now_ms >= a->slow_next_ms) {
		outcome = password_matches(hash, password) ? RIGHT : WRONG;
		if (outcome == WRONG)
			a->slow_next_ms = now_ms + SLOW_EVERY_MS;
	}
	pthread_mutex_unlock(&a->slow_mtx);
	return outcome;
}

static enum outcome check_hash(struct auth *a, struct credential *c, const char *password,
			       int64_t now_ms)
{
	uint8_t digest[MAC_SIZE];

	private_digest(a, password, digest);
	if (is_remembered(a, c, digest))
		return RIGHT;
	enum outcome outcome = hash_password(a, c->hash, password, now_ms);
	if (outcome == RIGHT)
		remember(a, c, digest);
	return outcome;
}

/* Who is not known takes as long as who is. */
static enum outcome check_nobody(struct auth *a, const char *password, int64_t now_ms)
{
	for (size_t i = 0; i < a->count; i++) {
		if (a->list[i].kind != AUTH_HASH)
			continue;
		enum outcome outcome = hash_password(a, a->list[i].hash, password, now_ms);
		return outcome == RIGHT ? WRONG : outcome;
	}
	return WRONG;
}

static enum outcome check_basic(struct auth *a, const struct authorization *given, int64_t now_ms,
				const struct credential **ret_c)
{
	struct credential *c = find_user(a, given->user);
	uint8_t digest[MAC_SIZE];

	*ret_c = c;
	if (c == NULL)
		return check_nobody(a, given->secret, now_ms);
	if (c->kind == AUTH_HASH)
		return check_hash(a, c, given->secret, now_ms);
	mac_digest(given->secret, strlen(given->secret), digest);
	return mac_same(c->digest, digest) ? RIGHT : WRONG;
}

/* --- the decision --- */

static PRINTF_LIKE(3, 4) void refuse(struct auth_verdict *v, int status, const char *fmt, ...)
{
	va_list args;

	v->status = status;
	va_start(args, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, args);
	va_end(args);
}

static void refuse_until(struct auth_verdict *v, int status, int64_t left_ms, const char *why)
{
	refuse(v, status, "%s", why);
	v->retry_after_s = (unsigned)((left_ms + 999) / 1000);
}

/* Whom the header names. False: refused. */
static bool identify(struct auth *a, const struct auth_ask *ask, int64_t now_ms,
		     struct auth_verdict *v)
{
	CLEANUP(authorization_wipe) struct authorization given;
	const struct credential *c = NULL;
	int err = authorization_parse(ask->authorization, &given);
	enum outcome outcome = WRONG;

	v->who = NULL;
	if (err == ERR_OK && !given.basic && (c = find_digest(a, given.secret)) != NULL) {
		v->who = &c->access;
		return true;
	}
	int64_t left_ms = throttle_blocked_ms(a->throttle, ask->from, now_ms);
	if (left_ms > 0) {
		atomic_fetch_add(&a->failures[AUTH_THROTTLED], 1);
		refuse_until(v, 429, left_ms,
			     "this address has shown wrong credentials too often, wait");
		return false;
	}
	if (err == ERR_OK && given.basic)
		outcome = check_basic(a, &given, now_ms, &c);
	if (outcome == RIGHT) {
		v->who = &c->access;
		return true;
	}
	if (outcome == BUSY) {
		atomic_fetch_add(&a->failures[AUTH_THROTTLED], 1);
		refuse_until(v, 503, 1000, "other passwords are being checked, try again");
		return false;
	}
	failed(a, ask, now_ms);
	refuse(v, 401, "the credentials are wrong");
	return false;
}

/* Whether there are credentials that could do it. */
static bool anybody_may(const struct auth *a, enum access_need need)
{
	for (size_t i = 0; i < a->count; i++) {
		if (access_may(&a->list[i].access, need))
			return true;
	}
	return false;
}

static void judge_anonymous(struct auth *a, const struct auth_ask *ask, struct auth_verdict *v)
{
	const char *role = access_role_str(access_role_for(ask->need));

	if (a->burrow_open && access_is_burrows(ask->need))
		return;
	atomic_fetch_add(&a->failures[AUTH_MISSING], 1);
	v->who = NULL;
	if (anybody_may(a, ask->need))
		refuse(v, 401,
		       "this needs credentials with the role %s: the header \"Authorization: "
		       "Bearer TOKEN\", or a user and his password",
		       role);
	else
		refuse(v, 403,
		       "nobody may do this: under http.auth in aggregator.yaml give credentials "
		       "the role %s, and restart",
		       role);
}

static void judge(struct auth *a, const struct auth_ask *ask, struct auth_verdict *v)
{
	if (access_may(v->who, ask->need))
		return;
	if (v->who == &a->anonymous) {
		judge_anonymous(a, ask, v);
		return;
	}
	atomic_fetch_add(&a->failures[AUTH_FORBIDDEN], 1);
	if (v->who->role < access_role_for(ask->need))
		refuse(v, 403, "this needs the role %s, and these credentials have %s",
		       access_role_str(access_role_for(ask->need)), access_role_str(v->who->role));
	else
		refuse(v, 403,
		       "this concerns all clusters, and these credentials are for some of them");
}

void auth_decide(struct auth *a, const struct auth_ask *ask, int64_t now_ms,
		 struct auth_verdict *ret_verdict)
{
	struct auth_verdict *v = ret_verdict;
	const struct credential *c = find_certificate(a, ask->certificate);
	bool secrets =
		auth_has(a, AUTH_TOKEN) || auth_has(a, AUTH_PASSWORD) || auth_has(a, AUTH_HASH);

	v->status = 200;
	v->why[0] = '\0';
	v->retry_after_s = 0;
	v->who = c != NULL ? &c->access : &a->anonymous;
	if (ask->need == ACCESS_NEEDS_NOTHING)
		return;
	/* Clients of an aggregator that knows no secrets may send what a proxy wants of them. */
	if (ask->authorization != NULL && secrets && !identify(a, ask, now_ms, v))
		return;
	judge(a, ask, v);
}
