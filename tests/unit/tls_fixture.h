/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* tls_fixture - certificate authorities of a test's own, and what they sign, made in memory. */

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base.h"
#include "common/cert.h"

#define TLS_DAY ((time_t)86400)

struct tls_ca {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	char *pem;
};

static inline void tls_must(int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "gnutls: %s\n", gnutls_strerror(rc));
	abort();
}

static inline gnutls_x509_privkey_t tls_key(void)
{
	gnutls_x509_privkey_t key;

	tls_must(gnutls_x509_privkey_init(&key));
	tls_must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	return key;
}

static inline gnutls_x509_crt_t tls_crt(const char *cn, gnutls_x509_privkey_t key, time_t begins,
					time_t ends)
{
	gnutls_x509_crt_t crt;
	unsigned char serial[8];

	tls_must(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)));
	serial[0] &= 0x7f;
	tls_must(gnutls_x509_crt_init(&crt));
	tls_must(gnutls_x509_crt_set_version(crt, 3));
	tls_must(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)));
	tls_must(gnutls_x509_crt_set_activation_time(crt, begins));
	tls_must(gnutls_x509_crt_set_expiration_time(crt, ends));
	tls_must(gnutls_x509_crt_set_key(crt, key));
	tls_must(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, cn,
					       (unsigned)strlen(cn)));
	return crt;
}

/* Caller frees it with free(). */
static inline char *tls_text(gnutls_datum_t d)
{
	char *text = strndup((const char *)d.data, d.size);

	if (text == NULL)
		abort();
	gnutls_free(d.data);
	return text;
}

static inline char *tls_crt_pem(gnutls_x509_crt_t crt)
{
	gnutls_datum_t out;

	tls_must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out));
	return tls_text(out);
}

static inline struct tls_ca tls_ca_new(const char *cn)
{
	time_t now = time(NULL);
	struct tls_ca ca = {.key = tls_key()};

	ca.crt = tls_crt(cn, ca.key, now - TLS_DAY, now + 30 * TLS_DAY);
	tls_must(gnutls_x509_crt_set_basic_constraints(ca.crt, 1, -1));
	tls_must(gnutls_x509_crt_set_key_usage(ca.crt, GNUTLS_KEY_KEY_CERT_SIGN));
	tls_must(gnutls_x509_crt_sign2(ca.crt, ca.crt, ca.key, GNUTLS_DIG_SHA256, 0));
	ca.pem = tls_crt_pem(ca.crt);
	return ca;
}

static inline void tls_ca_free(struct tls_ca *ca)
{
	gnutls_x509_crt_deinit(ca->crt);
	gnutls_x509_privkey_deinit(ca->key);
	free(ca->pem);
}

/* A certificate for both sides of TLS, with cn as its only name too, that trusts the CA trusted.
 * Not checked: it may have expired. Caller owns it: cert_unref(). */
static inline struct cert *tls_issue(const struct tls_ca *ca, const struct tls_ca *trusted,
				     const char *cn, time_t begins, time_t ends)
{
	struct cert *c = calloc(1, sizeof(*c));
	gnutls_x509_privkey_t key = tls_key();
	gnutls_x509_crt_t crt = tls_crt(cn, key, begins, ends);
	gnutls_datum_t key_pem;

	tls_must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, cn,
						      (unsigned)strlen(cn), GNUTLS_FSAN_SET));
	tls_must(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	tls_must(gnutls_x509_crt_sign2(crt, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0));
	tls_must(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
						   GNUTLS_PKCS_PLAIN, &key_pem));
	*c = (struct cert){
		.ca = strdup(trusted->pem),
		.chain = tls_crt_pem(crt),
		.key = tls_text(key_pem),
		.ends_ms = (int64_t)ends * 1000,
		.references = 1,
	};
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return c;
}

/* One that is valid now, and trusts its own CA. */
static inline struct cert *tls_issue_now(const struct tls_ca *ca, const char *cn)
{
	return tls_issue(ca, ca, cn, time(NULL) - TLS_DAY, time(NULL) + 20 * TLS_DAY);
}
