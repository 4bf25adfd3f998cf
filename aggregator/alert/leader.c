/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/leader.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define ASKS_IN_TAKEOVER 5 /* so many times is a peer asked before it counts as silent */
#define WAIT_MS 1000

struct peer {
	CURL *easy;
	struct buf url;
};

struct leader {
	const struct alert_config *config;
	struct outbox *outbox;
	atomic_bool sends;
	bool has_thread;
	pthread_t thread;
	pthread_mutex_t lock; /* of stop */
	pthread_cond_t stopped;
	bool stop;
	CURLM *multi;
	struct peer peers[LEADER_PEERS_MAX];
	struct leader_sight sight;
};

/* --- the decision --- */

static bool answers(const struct leader_sight *s, size_t peer, int64_t after_ms, int64_t now_ms)
{
	return s->seen_ms[peer] != 0 && now_ms - s->seen_ms[peer] < after_ms;
}

bool leader_decide(const struct leader_sight *s, int64_t takeover_after_ms, bool fail_open,
		   int64_t now_ms)
{
	size_t alive = 1;

	for (size_t i = 0; i < s->self; i++) {
		int64_t heard_ms = MAX(s->seen_ms[i], s->start_ms);

		if (now_ms - heard_ms < takeover_after_ms)
			return false;
	}
	for (size_t i = 0; i < s->peers; i++)
		alive += i != s->self && answers(s, i, takeover_after_ms, now_ms);
	return fail_open || 2 * alive > s->peers;
}

int64_t leader_sent_until(const struct leader_sight *s, int64_t takeover_after_ms)
{
	int64_t seen_ms = 0;

	for (size_t i = 0; i < s->self; i++)
		seen_ms = MAX(seen_ms, s->seen_ms[i]);
	return seen_ms == 0 ? INT64_MIN : seen_ms - takeover_after_ms;
}

/* --- asking --- */

static size_t drop_body(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	(void)arg;
	return size * count;
}

static int64_t ask_every_ms(const struct leader *l)
{
	return l->config->takeover_after_ms / ASKS_IN_TAKEOVER;
}

static void set_tls(CURL *easy, const struct alert_tls *tls)
{
	if (tls->ca_file[0] != '\0')
		curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca_file);
	if (tls->cert_file[0] != '\0') {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
	}
	if (!tls->verify) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static int make_peer(const struct leader *l, struct peer *p, const char *url)
{
	buf_printf(&p->url, "%s%sreadyz", url, url[strlen(url) - 1] == '/' ? "" : "/");
	p->easy = curl_easy_init();
	if (p->easy == NULL || p->url.err != ERR_OK)
		return -ENOMEM;
	curl_easy_setopt(p->easy, CURLOPT_URL, buf_str(&p->url));
	curl_easy_setopt(p->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(p->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(p->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(p->easy, CURLOPT_TIMEOUT_MS, (long)ask_every_ms(l));
	curl_easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, drop_body);
	set_tls(p->easy, &l->config->peer_tls);
	return ERR_OK;
}

static void note_answer(struct leader *l, CURL *easy, CURLcode result)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	for (size_t i = 0; i < l->sight.peers; i++) {
		if (l->peers[i].easy == easy && result == CURLE_OK && status == 200)
			l->sight.seen_ms[i] = clock_wall_ms();
	}
}

/* Ask all at the same time; none may take longer than the time between two rounds. */
static void ask_all(struct leader *l)
{
	int running = 0, left = 0;

	for (size_t i = 0; i < l->sight.peers; i++) {
		if (i != l->sight.self)
			curl_multi_add_handle(l->multi, l->peers[i].easy);
	}
	do {
		if (curl_multi_perform(l->multi, &running) != CURLM_OK)
			break;
		if (running > 0)
			curl_multi_poll(l->multi, NULL, 0, WAIT_MS, NULL);
	} while (running > 0);
	for (CURLMsg *m = curl_multi_info_read(l->multi, &left); m != NULL;
	     m = curl_multi_info_read(l->multi, &left))
		note_answer(l, m->easy_handle, m->data.result);
	for (size_t i = 0; i < l->sight.peers; i++) {
		if (i != l->sight.self)
			curl_multi_remove_handle(l->multi, l->peers[i].easy);
	}
}

/* --- the thread --- */

static void follow(struct leader *l)
{
	const struct alert_config *c = l->config;
	bool sends = leader_decide(&l->sight, c->takeover_after_ms, c->fail_open, clock_wall_ms());

	if (!sends)
		outbox_leave(l->outbox, leader_sent_until(&l->sight, c->takeover_after_ms));
	if (sends == atomic_load(&l->sends))
		return;
	atomic_store(&l->sends, sends);
	outbox_hold(l->outbox, !sends);
	if (sends)
		log_warn("alerts go out from here", "self=%s", log_quote(c->self));
	else
		log_info("alerts go out from another replica", "self=%s", log_quote(c->self));
}

/* False: it is to stop. */
static bool wait_round(struct leader *l)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t ms = until.tv_sec * 1000 + until.tv_nsec / 1000000 + ask_every_ms(l);

	until = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	pthread_mutex_lock(&l->lock);
	while (!l->stop &&
	       pthread_cond_clockwait(&l->stopped, &l->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	bool goes_on = !l->stop;
	pthread_mutex_unlock(&l->lock);
	return goes_on;
}

static void *run(void *arg)
{
	struct leader *l = arg;

	do {
		ask_all(l);
		follow(l);
	} while (wait_round(l));
	return NULL;
}

/* --- life --- */

static int make_peers(struct leader *l)
{
	const struct conf_list *peers = &l->config->peers;
	int err = ERR_OK;

	l->multi = curl_multi_init();
	if (l->multi == NULL)
		return -ENOMEM;
	l->sight.peers = MIN(peers->count, (size_t)LEADER_PEERS_MAX);
	l->sight.start_ms = clock_wall_ms();
	for (size_t i = 0; i < l->sight.peers && err == ERR_OK; i++) {
		if (strcmp(peers->items[i], l->config->self) == 0)
			l->sight.self = i;
		err = make_peer(l, &l->peers[i], peers->items[i]);
	}
	return err;
}

static int start(struct leader *l)
{
	int err = make_peers(l);

	if (err != ERR_OK)
		return err;
	atomic_store(&l->sends, false);
	outbox_hold(l->outbox, true);
	err = pthread_create(&l->thread, NULL, run, l);
	l->has_thread = err == 0;
	return -err;
}

int leader_new(const struct alert_config *config, struct outbox *outbox, struct leader **ret_l)
{
	struct leader *l = calloc(1, sizeof(*l));
	int err = ERR_OK;

	if (l == NULL)
		return -ENOMEM;
	l->config = config;
	l->outbox = outbox;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->stopped, NULL);
	atomic_init(&l->sends, true);
	if (config->send == ALERT_SEND_FIRST_ALIVE)
		err = start(l);
	if (err == ERR_OK)
		*ret_l = l;
	else
		leader_free(&l);
	return err;
}

void leader_free(struct leader **l)
{
	struct leader *x = *l;

	if (x == NULL)
		return;
	pthread_mutex_lock(&x->lock);
	x->stop = true;
	pthread_cond_signal(&x->stopped);
	pthread_mutex_unlock(&x->lock);
	if (x->has_thread)
		pthread_join(x->thread, NULL);
	for (size_t i = 0; i < LEADER_PEERS_MAX; i++) {
		curl_easy_cleanup(x->peers[i].easy);
		buf_free(&x->peers[i].url);
	}
	curl_multi_cleanup(x->multi);
	pthread_cond_destroy(&x->stopped);
	pthread_mutex_destroy(&x->lock);
	free(x);
	*l = NULL;
}

bool leader_sends(const struct leader *l)
{
	return atomic_load(&l->sends);
}
