/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of the link over TLS: who gets through, who does not, and peers that say nothing. */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/ship/link.h"
#include "aggregator/ingest/link.h"
#include "common/clock.h"
#include "common/err.h"
#include "tls_fixture.h"

/* nng 1.5 loses a dialer now and then that is closed in the moment it connects. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libnng";
}

#define PATIENCE_MS 20000
#define REFUSED_MS 700 /* who is not let in by then will not be */
#define SERVER "aggregator"
#define AGENT "agent-1"

struct fixture {
	struct tls_ca ca, foreign;
	struct cert *server, *agent;
	int port;
	struct ingest_link *in;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint served;
	char peer[INGEST_LINK_PEER_MAX];
	char remote[INGEST_LINK_REMOTE_MAX];
};

/* --- sockets --- */

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int raw_listen(int *ret_port)
{
	struct sockaddr_in at = loopback(0);
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static int raw_connect(int port)
{
	struct sockaddr_in at = loopback(port);
	struct timeval patience = {.tv_sec = 5};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* The peer has closed, or does within five seconds; what it sends until then is dropped. */
static bool raw_is_closed(int fd)
{
	char bytes[4096];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

/* --- an aggregator that echoes --- */

static void *serve(void *arg)
{
	struct fixture *f = arg;

	while (!f->stop) {
		struct ingest_message *next, *m = ingest_link_take(f->in, 200);

		for (; m != NULL; m = next) {
			next = m->next;
			snprintf(f->peer, sizeof(f->peer), "%s", m->peer);
			snprintf(f->remote, sizeof(f->remote), "%s", m->remote);
			f->served++;
			ingest_link_reply(m, m->data, m->size);
		}
	}
	return NULL;
}

static void start_server(struct fixture *f, const struct cert *cert, int64_t idle_ms)
{
	CLEANUP(buf_free) struct buf why = {0};
	char url[64];
	const struct ingest_listen listen = {url, cert};
	const struct ingest_link_limits limits = {.bytes = 16u << 20,
						  .messages = 1000,
						  .connections = 1000,
						  .idle_ms = idle_ms,
						  .busy = "",
						  .busy_size = 0};

	if (f->port == 0)
		close(raw_listen(&f->port));
	snprintf(url, sizeof(url), "%s://127.0.0.1:%d", cert == NULL ? "tcp" : "tls+tcp", f->port);
	if (ingest_link_open(&listen, 1, &limits, &why, &f->in) != ERR_OK)
		fail_msg("%s", buf_str(&why));
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	f->ca = tls_ca_new("ca");
	f->foreign = tls_ca_new("foreign");
	f->server = tls_issue_now(&f->ca, SERVER);
	f->agent = tls_issue_now(&f->ca, AGENT);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->in != NULL) {
		f->stop = true;
		ingest_link_wake(f->in);
		pthread_join(f->thread, NULL);
		ingest_link_close(f->in);
	}
	cert_unref(&f->server);
	cert_unref(&f->agent);
	tls_ca_free(&f->ca);
	tls_ca_free(&f->foreign);
	free(f);
	return 0;
}

/* --- an agent --- */

static struct link *connect_as(int port, const struct cert *cert, const char *server_name,
			       struct link_times times)
{
	const struct link_tls tls = {cert, server_name};
	struct link *l = NULL;
	char url[64];

	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", port);
	assert_int_equal(link_open(url, times, &tls, &l), ERR_OK);
	return l;
}

static bool replies(struct link *l, int within_ms)
{
	int64_t end = clock_mono_ms() + within_ms;
	struct link_event e = {0};

	assert_int_equal(link_send(l, 0, "question", 8), ERR_OK);
	while (e.kind != LINK_REPLY && clock_mono_ms() < end)
		link_wait(l, (int)MAX(end - clock_mono_ms(), 0), &e);
	return e.kind == LINK_REPLY;
}

/* --- the tests --- */

static void both_sides_show_themselves_and_talk(void **state)
{
	struct fixture *f = *state;

	start_server(f, f->server, 60000);
	struct link *l = connect_as(f->port, f->agent, SERVER, LINK_TIMES);

	assert_true(replies(l, PATIENCE_MS));
	assert_memory_equal(f->remote, "127.0.0.1:", 10);
	assert_string_equal(f->peer, ingest_link_knows_peers() ? AGENT : "");
	link_close(l);
}

/* Whoever shows this gets no answer. */
static void assert_refused(struct fixture *f, const struct cert *agent, const char *server_name)
{
	struct link *l = connect_as(f->port, agent, server_name, LINK_TIMES);

	assert_false(replies(l, REFUSED_MS));
	assert_int_equal(f->served, 0);
	link_close(l);
}

static void an_agent_that_may_not_is_refused(void **state)
{
	struct fixture *f = *state;
	time_t now = time(NULL);
	struct cert *foreign = tls_issue(&f->foreign, &f->ca, AGENT, now - TLS_DAY, now + TLS_DAY);
	struct cert *old = tls_issue(&f->ca, &f->ca, AGENT, now - 2 * TLS_DAY, now - TLS_DAY);
	struct cert *early = tls_issue(&f->ca, &f->ca, AGENT, now + TLS_DAY, now + 2 * TLS_DAY);

	start_server(f, f->server, 60000);
	assert_refused(f, foreign, SERVER);
	assert_refused(f, old, SERVER);
	assert_refused(f, early, SERVER);
	struct link *l = connect_as(f->port, f->agent, SERVER, LINK_TIMES);
	assert_true(replies(l, PATIENCE_MS));
	link_close(l);
	cert_unref(&foreign);
	cert_unref(&old);
	cert_unref(&early);
}

static void an_aggregator_that_is_not_ours_is_refused(void **state)
{
	struct fixture *f = *state;
	time_t now = time(NULL);
	struct cert *suspicious =
		tls_issue(&f->ca, &f->foreign, AGENT, now - TLS_DAY, now + TLS_DAY);

	start_server(f, f->server, 60000);
	assert_refused(f, f->agent, "other");
	assert_refused(f, f->agent, "aggregator.example");
	assert_refused(f, suspicious, SERVER); /* trusts another CA */
	cert_unref(&suspicious);
}

static void an_aggregator_whose_certificate_has_expired_is_refused(void **state)
{
	struct fixture *f = *state;
	time_t now = time(NULL);
	struct cert *old = tls_issue(&f->ca, &f->ca, SERVER, now - 2 * TLS_DAY, now - TLS_DAY);

	start_server(f, old, 60000);
	assert_refused(f, f->agent, SERVER);
	cert_unref(&old);
}

/* As far as a TLS client gets that has no certificate of its own, or one. True: it may write. */
static bool handshake(int port, struct cert *own)
{
	gnutls_certificate_credentials_t cred;
	gnutls_session_t session;
	int fd = raw_connect(port);
	char reply[8];

	tls_must(gnutls_certificate_allocate_credentials(&cred));
	if (own != NULL) {
		gnutls_datum_t chain = {(unsigned char *)own->chain, (unsigned)strlen(own->chain)};
		gnutls_datum_t key = {(unsigned char *)own->key, (unsigned)strlen(own->key)};
		tls_must(gnutls_certificate_set_x509_key_mem(cred, &chain, &key,
							     GNUTLS_X509_FMT_PEM));
	}
	tls_must(gnutls_init(&session, GNUTLS_CLIENT));
	tls_must(gnutls_set_default_priority(session));
	tls_must(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred));
	gnutls_transport_set_int(session, fd);
	/* nng's greeting comes from those who are let in only. */
	bool in = gnutls_handshake(session) == 0 &&
		  gnutls_record_send(session, "\0SP\0\0\x30\0\0", 8) == 8 &&
		  gnutls_record_recv(session, reply, sizeof(reply)) == sizeof(reply);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(cred);
	close(fd);
	return in;
}

static void an_agent_without_a_certificate_is_refused(void **state)
{
	struct fixture *f = *state;

	start_server(f, f->server, 60000);
	assert_false(handshake(f->port, NULL));
	assert_true(handshake(f->port, f->agent));
}

static void plain_talk_on_a_secure_port_and_the_reverse_do_no_harm(void **state)
{
	struct fixture *f = *state;
	struct link *plain = NULL;
	char url[64];

	start_server(f, f->server, 60000);
	snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", f->port);
	assert_int_equal(link_open(url, LINK_TIMES, NULL, &plain), ERR_OK);
	assert_false(replies(plain, REFUSED_MS));
	link_close(plain);
	int fd = raw_connect(f->port);
	assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
	assert_true(raw_is_closed(fd));
	close(fd);
	struct link *l = connect_as(f->port, f->agent, SERVER, LINK_TIMES);
	assert_true(replies(l, PATIENCE_MS));
	link_close(l);
}

static void a_secure_agent_on_a_plain_port_gets_nowhere(void **state)
{
	struct fixture *f = *state;

	start_server(f, NULL, 60000);
	assert_refused(f, f->agent, SERVER);
	assert_false(handshake(f->port, NULL));
}

static void who_connects_and_says_nothing_is_hung_up_on(void **state)
{
	struct fixture *f = *state;
	struct ingest_link_stats stats;
	int silent[100];

	start_server(f, f->server, 1000);
	struct link *l = connect_as(f->port, f->agent, SERVER, LINK_TIMES);
	assert_true(replies(l, PATIENCE_MS));
	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		silent[i] = raw_connect(f->port);
	for (size_t i = 0; i < ARRAY_LEN(silent); i++) {
		assert_true(raw_is_closed(silent[i]));
		close(silent[i]);
		if (i % 20 == 0) /* is not taken for one of them */
			assert_true(replies(l, 500));
	}
	ingest_link_stats(f->in, &stats);
	assert_int_equal(stats.silent, ARRAY_LEN(silent));
	link_close(l);
}

/* A dead port forwarder, say: it takes connections and passes nothing on. */
static void an_agent_gets_away_from_a_peer_that_says_nothing(void **state)
{
	struct fixture *f = *state;
	const struct link_times times = {.redial_ms = 500, .reply_ms = 30000};
	int listening = raw_listen(&f->port);
	struct link *l = connect_as(f->port, f->agent, SERVER, times);
	struct link_event e;

	int silent = accept(listening, NULL, NULL);
	link_wait(l, 200, &e);
	assert_int_equal(e.kind, LINK_NOTHING);
	close(listening);
	start_server(f, f->server, 60000); /* the one before keeps its connection, half open */
	assert_true(replies(l, 5000));
	assert_true(raw_is_closed(silent));
	close(silent);
	link_close(l);
}

#define REQUESTS 2000
#define RENEW_EVERY 100

/* All slots busy all the time, and every so often another certificate. */
static void a_change_of_certificates_loses_nothing(void **state)
{
	struct fixture *f = *state;
	uint32_t next = 0, in_slot[LINK_SLOTS], got = 0;
	unsigned int done = 0, renewed = 0;
	struct link_event e;

	start_server(f, f->server, 60000);
	struct link *l = connect_as(f->port, f->agent, SERVER, LINK_TIMES);
	for (unsigned int i = 0; i < LINK_SLOTS; i++) {
		in_slot[i] = next++;
		assert_int_equal(link_send(l, i, &in_slot[i], sizeof(uint32_t)), ERR_OK);
	}
	while (done < REQUESTS) {
		link_wait(l, PATIENCE_MS, &e);
		assert_int_not_equal(e.kind, LINK_NOTHING);
		assert_int_not_equal(e.kind, LINK_LOST);
		if (e.kind != LINK_REPLY)
			continue;
		assert_int_equal(e.size, sizeof(got));
		memcpy(&got, e.data, sizeof(got));
		assert_int_equal(got, in_slot[e.slot]);
		done++;
		if (next < REQUESTS) {
			in_slot[e.slot] = next++;
			assert_int_equal(link_send(l, e.slot, &in_slot[e.slot], sizeof(uint32_t)),
					 ERR_OK);
		}
		if (done % RENEW_EVERY == 0 && done < REQUESTS) {
			struct cert *c = tls_issue_now(&f->ca, AGENT);
			const struct link_tls tls = {c, SERVER};

			assert_int_equal(link_renew(l, &tls), ERR_OK);
			cert_unref(&c);
			renewed++;
		}
	}
	assert_int_equal(renewed, REQUESTS / RENEW_EVERY - 1);
	link_close(l);
}

static void a_certificate_nng_does_not_take_changes_nothing(void **state)
{
	struct fixture *f = *state;
	char none[] = "nothing";
	struct cert bad = {.ca = f->ca.pem, .chain = none, .key = none, .references = 1};
	const struct link_tls tls = {&bad, SERVER};
	struct link *l = NULL;

	start_server(f, f->server, 60000);
	assert_int_equal(link_open("tls+tcp://127.0.0.1:1", LINK_TIMES, &tls, &l), ERR_CONFIG);
	assert_null(l);
	l = connect_as(f->port, f->agent, SERVER, LINK_TIMES);
	assert_true(replies(l, PATIENCE_MS));
	assert_int_equal(link_renew(l, &tls), ERR_CONFIG);
	assert_true(replies(l, 1000));
	link_close(l);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(both_sides_show_themselves_and_talk),
		TEST(an_agent_that_may_not_is_refused),
		TEST(an_aggregator_that_is_not_ours_is_refused),
		TEST(an_aggregator_whose_certificate_has_expired_is_refused),
		TEST(an_agent_without_a_certificate_is_refused),
		TEST(plain_talk_on_a_secure_port_and_the_reverse_do_no_harm),
		TEST(a_secure_agent_on_a_plain_port_gets_nowhere),
		TEST(who_connects_and_says_nothing_is_hung_up_on),
		TEST(an_agent_gets_away_from_a_peer_that_says_nothing),
		TEST(a_change_of_certificates_loses_nothing),
		TEST(a_certificate_nng_does_not_take_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
