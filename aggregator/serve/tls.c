/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"

#define CHAIN_MAX 16

/* What one reading of the files gave. A handshake may use it long after another has taken its
 * place, so it stays until the end: it is small, and certificates change seldom. */
struct generation {
	struct generation *next; /* the one before */
	struct cert *cert;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned int chain_count;
	gnutls_privkey_t key;
	gnutls_x509_trust_list_t trust; /* NULL: no certificates of clients */
};

struct tls {
	char *ca_file, *cert_file, *key_file; /* ca_file may be NULL */
	pthread_mutex_t mtx;                  /* one reload at a time */
	struct generation *newest;            /* under mtx; owned, with those before it */
};

static struct generation *_Atomic current;

/* --- generations --- */

static void free_generation(struct generation *g)
{
	for (unsigned int i = 0; i < g->chain_count; i++)
		gnutls_pcert_deinit(&g->chain[i]);
	if (g->key != NULL)
		gnutls_privkey_deinit(g->key);
	if (g->trust != NULL)
		gnutls_x509_trust_list_deinit(g->trust, 1);
	cert_unref(&g->cert);
	free(g);
}

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned int)strlen(text)};
}

/* Take over what cert_load() has found to be right. Returns a code of GnuTLS. */
static int import(struct generation *g, bool clients)
{
	const gnutls_datum_t chain = datum(g->cert->chain);
	const gnutls_datum_t key = datum(g->cert->key);
	unsigned int count = CHAIN_MAX;

	int rc =
		gnutls_pcert_list_import_x509_raw(g->chain, &count, &chain, GNUTLS_X509_FMT_PEM, 0);
	g->chain_count = rc >= 0 ? count : 0;
	if (rc >= 0)
		rc = gnutls_privkey_init(&g->key);
	if (rc >= 0)
		rc = gnutls_privkey_import_x509_raw(g->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc < 0 || !clients)
		return rc;
	const gnutls_datum_t ca = datum(g->cert->ca);
	rc = gnutls_x509_trust_list_init(&g->trust, 0);
	return rc < 0 ? rc
		      : gnutls_x509_trust_list_add_trust_mem(g->trust, &ca, NULL,
							     GNUTLS_X509_FMT_PEM, 0, 0);
}

static int load(const struct tls *t, struct buf *why, struct generation **ret_g)
{
	const struct cert_files files = {t->ca_file, t->cert_file, t->key_file};
	struct generation *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return -ENOMEM;
	int err = cert_load(&files, clock_wall_ms(), why, &g->cert);
	int rc = err == ERR_OK ? import(g, t->ca_file != NULL) : 0;
	if (rc < 0) {
		buf_printf(why, "%s: %s", t->cert_file, gnutls_strerror(rc));
		err = ERR_CONFIG;
	}
	if (err == ERR_OK)
		*ret_g = g;
	else
		free_generation(g);
	return err;
}

/* --- in handshakes --- */

/* Certificates as they came, read. Returns how many; 0 if one cannot be read. */
static unsigned int read_peers(const gnutls_datum_t *raw, unsigned int count,
			       gnutls_x509_crt_t crts[static CHAIN_MAX])
{
	for (unsigned int i = 0; i < count; i++) {
		if (gnutls_x509_crt_init(&crts[i]) < 0)
			return 0;
		if (gnutls_x509_crt_import(crts[i], &raw[i], GNUTLS_X509_FMT_DER) < 0)
			return 0;
	}
	return count;
}

static int verify(gnutls_session_t session)
{
	const struct generation *g = atomic_load(&current);
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
	gnutls_x509_crt_t crts[CHAIN_MAX] = {NULL};
	unsigned int status = GNUTLS_CERT_INVALID;
	unsigned int raw_count = 0;

	const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &raw_count);
	if (raw == NULL || raw_count > CHAIN_MAX || g == NULL || g->trust == NULL)
		return GNUTLS_E_CERTIFICATE_ERROR;
	unsigned int count = read_peers(raw, raw_count, crts);
	int rc = count == 0 ? GNUTLS_E_CERTIFICATE_ERROR
			    : gnutls_x509_trust_list_verify_crt2(g->trust, crts, count, &purpose, 1,
								 0, &status, NULL);
	for (unsigned int i = 0; i < CHAIN_MAX; i++) {
		if (crts[i] != NULL)
			gnutls_x509_crt_deinit(crts[i]);
	}
	return rc >= 0 && status == 0 ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are the library's. */
static int retrieve(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
		    const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
		    gnutls_pcert_st **ret_chain, unsigned int *ret_count, gnutls_privkey_t *ret_key)
{
	struct generation *g = atomic_load(&current);

	(void)names;
	(void)name_count;
	(void)algorithms;
	(void)algorithm_count;
	if (g == NULL)
		return -1;
	*ret_chain = g->chain;
	*ret_count = g->chain_count;
	*ret_key = g->key;
	if (g->trust == NULL)
		return 0;
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_function(session, verify);
	return 0;
}

tls_function *tls_retriever(void)
{
	return (tls_function *)retrieve;
}

bool tls_client_name(void *session, char *name, size_t size)
{
	unsigned int count = 0;
	const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &count);
	gnutls_x509_crt_t crt = NULL;
	size_t length = size;

	if (raw == NULL || count == 0 || gnutls_x509_crt_init(&crt) < 0)
		return false;
	bool ok = gnutls_x509_crt_import(crt, &raw[0], GNUTLS_X509_FMT_DER) >= 0 &&
		  gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name,
						&length) >= 0;
	gnutls_x509_crt_deinit(crt);
	/* A name with a NUL in it is not the one in front of the NUL. */
	return ok && length > 0 && length < size && strlen(name) == length;
}

/* --- the interface --- */

static char *copy(const char *s)
{
	return s == NULL ? NULL : mem_copy(s);
}

int tls_new(const struct cert_files *files, struct buf *why, struct tls **ret_t)
{
	CLEANUP(tls_free) struct tls *t = calloc(1, sizeof(*t));
	bool changed = false;

	if (t == NULL)
		return -ENOMEM;
	pthread_mutex_init(&t->mtx, NULL);
	t->ca_file = copy(files->ca_file);
	t->cert_file = copy(files->cert_file);
	t->key_file = copy(files->key_file);
	int err = tls_reload(t, why, &changed);
	if (err == ERR_OK) {
		*ret_t = t;
		t = NULL;
	}
	return err;
}

void tls_free(struct tls **t)
{
	struct tls *gone = *t;

	*t = NULL;
	if (gone == NULL)
		return;
	struct generation *g = gone->newest;
	if (g != NULL)
		atomic_store(&current, NULL);
	while (g != NULL) {
		struct generation *next = g->next;

		free_generation(g);
		g = next;
	}
	pthread_mutex_destroy(&gone->mtx);
	free(gone->ca_file);
	free(gone->cert_file);
	free(gone->key_file);
	free(gone);
}

int tls_reload(struct tls *t, struct buf *why, bool *ret_changed)
{
	struct generation *g = NULL;

	pthread_mutex_lock(&t->mtx);
	struct generation *old = t->newest;
	int err = load(t, why, &g);
	*ret_changed = err == ERR_OK && (old == NULL || !cert_same(old->cert, g->cert));
	if (*ret_changed) {
		g->next = old;
		t->newest = g;
		atomic_store(&current, g);
	} else if (err == ERR_OK) {
		free_generation(g);
	}
	pthread_mutex_unlock(&t->mtx);
	return err;
}
