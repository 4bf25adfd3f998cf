/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cert - what one side of a TLS connection shows and trusts: its certificate, its key, its CAs.
 *
 * Read and checked as a whole before anything is started with it, so that what is wrong is said
 * with the name of the file and not found out by a handshake that fails. Immutable and counted, so
 * that threads may share it.
 */

#include "common/base.h"
#include "common/buf.h"

struct cert_files {
	const char *ca_file;   /* PEM, the CAs whose certificates the peer may have; NULL: none */
	const char *cert_file; /* PEM, our certificate, and those between it and its CA */
	const char *key_file;  /* PEM, its key, not encrypted; others may not read it */
};

struct cert {
	char *ca; /* the texts of the files, each ends with NUL */
	char *chain;
	char *key;
	int64_t ends_ms; /* when the first of our certificates is no longer valid, Unix time */
	unsigned int references;
};

/* Read the three files. Caller owns *ret_cert: cert_unref(). ERR_CONFIG, and a sentence that names
 * the file appended to why, when one cannot be read, is not what it should be, when the key is not
 * that of the certificate, or when now_ms (Unix time) is outside the time it is valid. */
MUST_CHECK int cert_load(const struct cert_files *files, int64_t now_ms, struct buf *why,
			 struct cert **ret_cert);

/* Whether both hold the same texts. */
bool cert_same(const struct cert *a, const struct cert *b);

struct cert *cert_ref(struct cert *c);

/* Accepts a pointer to NULL; *c is NULL after. */
void cert_unref(struct cert **c);
