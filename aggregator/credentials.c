/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/authorization.h"
#include "aggregator/serve/password.h"
#include "common/err.h"
#include "common/secret.h"
#include "common/tree.h"

#define TOKEN_MIN 16 /* bytes; a token must not be one that can be guessed */

/* The digest of a file's first line, of at least least bytes. */
static int digest_of_file(const char *path, const char *key, size_t least, struct buf *errors,
			  uint8_t ret_digest[static MAC_SIZE])
{
	char line[AUTHORIZATION_SECRET_MAX + 2];
	const char *why = secret_read(path, line, sizeof(line));
	size_t size = why == NULL ? strlen(line) : 0;

	if (why == NULL && size < least)
		why = "its first line is too short to be a token; make one with: openssl rand -hex "
		      "32";
	if (why == NULL)
		mac_digest(line, size, ret_digest);
	else
		tree_error(errors, path, 0, "%s: %s", key, why);
	explicit_bzero(line, sizeof(line));
	return why == NULL ? ERR_OK : ERR_CONFIG;
}

/* The kind and the secret. */
static int read_secret(const struct aggregator_credential *c, struct buf *errors,
		       struct auth_entry *e)
{
	if (c->token_sha256[0] != '\0') {
		e->kind = AUTH_TOKEN;
		return authorization_parse_digest(c->token_sha256, e->digest);
	}
	if (c->token_file[0] != '\0') {
		e->kind = AUTH_TOKEN;
		return digest_of_file(c->token_file, "token_file", TOKEN_MIN, errors, e->digest);
	}
	e->user = c->user;
	if (c->password_file[0] != '\0') {
		e->kind = AUTH_PASSWORD;
		return digest_of_file(c->password_file, "password_file", 1, errors, e->digest);
	}
	if (c->client_cn[0] != '\0') {
		e->kind = AUTH_CERTIFICATE;
		e->user = c->client_cn;
		return ERR_OK;
	}
	e->kind = AUTH_HASH;
	e->hash = c->password_hash;
	if (password_hash_ok(c->password_hash))
		return ERR_OK;
	tree_error(errors, "http.auth", 0,
		   "%s: password_hash: is no hash by a strong method; make one with: mkpasswd -m "
		   "yescrypt",
		   c->name);
	return ERR_CONFIG;
}

static struct access access_of(const struct aggregator_credential *c)
{
	struct access a = {
		.name = c->name, .clusters = c->clusters.items, .cluster_count = c->clusters.count};

	for (size_t i = 0; i < c->roles.count; i++) {
		enum access_role role = ACCESS_NONE;

		if (access_role_parse(c->roles.items[i], &role))
			a.role = MAX(a.role, role);
	}
	return a;
}

/* Two tokens that are the same would make one of the credentials unused. */
static int check_tokens(const struct auth_entry *entries, size_t count, struct buf *errors)
{
	int err = ERR_OK;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (entries[i].kind != AUTH_TOKEN || entries[k].kind != AUTH_TOKEN ||
			    !mac_same(entries[i].digest, entries[k].digest))
				continue;
			tree_error(errors, "http.auth", 0, "%s: has the token of %s",
				   entries[i].access.name, entries[k].access.name);
			err = ERR_CONFIG;
		}
	}
	return err;
}

int credentials_load(const struct aggregator_http *http, struct buf *errors, struct auth **ret_a)
{
	const struct aggregator_credential *list = http->auth.items;
	struct auth_entry *entries = calloc(MAX(http->auth.count, (size_t)1), sizeof(*entries));
	char host[256] = "";
	uint16_t port = 0;
	int err = ERR_OK;

	if (entries == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < http->auth.count; i++) {
		entries[i].access = access_of(&list[i]);
		if (read_secret(&list[i], errors, &entries[i]) != ERR_OK)
			err = ERR_CONFIG;
	}
	if (err == ERR_OK)
		err = check_tokens(entries, http->auth.count, errors);
	bool local = options_split_address(http->listen, host, &port) && options_loopback(host);
	const struct auth_options o = {
		.entries = entries,
		.count = http->auth.count,
		.anonymous = http->anonymous,
		.burrow_open = local && http->auth.count == 0,
	};
	if (err == ERR_OK)
		err = auth_new(&o, ret_a);
	explicit_bzero(entries, http->auth.count * sizeof(*entries));
	free(entries);
	return err;
}

int credentials_load_tls(const struct aggregator_http *http, struct buf *errors, struct tls **ret_t)
{
	CLEANUP(buf_free) struct buf why = {0};
	const struct aggregator_http_tls *tls = &http->tls;
	const struct cert_files files = {
		.ca_file = tls->client_ca_file[0] != '\0' ? tls->client_ca_file : NULL,
		.cert_file = tls->cert_file,
		.key_file = tls->key_file,
	};

	if (tls->cert_file[0] == '\0')
		return ERR_OK;
	int err = tls_new(&files, &why, ret_t);
	if (err != ERR_OK)
		tree_error(errors, "http.tls", 0, "%s", buf_str(&why));
	return err;
}
