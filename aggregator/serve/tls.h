/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * tls - what the HTTP server shows to clients, and which of their certificates it takes.
 *
 * libmicrohttpd asks for the certificate in every handshake, and gives no argument to know by who
 * asks: there is one of these at a time in a process.
 */

#include "common/base.h"
#include "common/buf.h"
#include "common/cert.h"

/* TLS 1.2 and 1.3, as GnuTLS writes it. */
#define TLS_PRIORITIES "SECURE256:+SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct tls;

/* Read the files; a ca_file of NULL: no certificates of clients are asked for. Caller frees *ret_t
 * with tls_free(), after the server has stopped. ERR_CONFIG, and a sentence in why. */
MUST_CHECK int tls_new(const struct cert_files *files, struct buf *why, struct tls **ret_t);
void tls_free(struct tls **t);

/* Read the files again: what they hold is used from the next handshake on, connections that there
 * are stay. Fails as tls_new(), and then all is as before. */
MUST_CHECK int tls_reload(struct tls *t, struct buf *why, bool *ret_changed);

/* The function that libmicrohttpd wants to be given; of a type that only GnuTLS's headers know. */
typedef void tls_function(void);
tls_function *tls_retriever(void);

/* The common name of the certificate that the client of a session (a gnutls_session_t) has shown,
 * which has been verified. False: it has none that fits, or has shown none. */
bool tls_client_name(void *session, char *name, size_t size);
