/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A byte for the kind, then: 'a' the value of an Authorization header, which must be read in one
 * way alone and be decided about; 'h' headers, each "name:value" and a line feed.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/serve/auth.h"
#include "aggregator/serve/authorization.h"
#include "aggregator/serve/headers.h"
#include "common/err.h"
#include "common/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void put_digit(char **to, unsigned value)
{
	static const char DIGITS[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	*(*to)++ = DIGITS[value & 63];
}

/* What was read, written again: it must be what came. */
static void check_same(const char *header, const struct authorization *a)
{
	char text[2 * AUTHORIZATION_SECRET_MAX + 16];
	char encoded[4 * AUTHORIZATION_SECRET_MAX];
	char *to = encoded;
	int length = snprintf(text, sizeof(text), "%s:%s", a->user, a->secret);

	for (int i = 0; i < length; i += 3) {
		unsigned bits = (unsigned)(unsigned char)text[i] << 16;

		bits |= i + 1 < length ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
		bits |= i + 2 < length ? (unsigned)(unsigned char)text[i + 2] : 0;
		put_digit(&to, bits >> 18);
		put_digit(&to, bits >> 12);
		if (i + 1 < length)
			put_digit(&to, bits >> 6);
		else
			*to++ = '=';
		if (i + 2 < length)
			put_digit(&to, bits);
		else
			*to++ = '=';
	}
	*to = '\0';
	const char *value = header + strlen("Basic");
	require(strcmp(value + strspn(value, " "), encoded) == 0);
}

static struct auth *make(void)
{
	struct auth_entry e[] = {
		{.access = {.name = "t", .role = ACCESS_READ}, .kind = AUTH_TOKEN},
		{.access = {.name = "p", .role = ACCESS_ADMIN}, .kind = AUTH_PASSWORD, .user = "p"},
	};
	const struct auth_options o = {.entries = e, .count = ARRAY_LEN(e)};
	struct auth *a = NULL;

	mac_digest("t", 1, e[0].digest);
	mac_digest("p", 1, e[1].digest);
	require(auth_new(&o, &a) == ERR_OK);
	return a;
}

static void try_header(const char *header)
{
	static struct auth *auth;
	static int64_t now_ms; /* so that nobody is ever blocked */
	struct authorization a;
	struct auth_ask ask = {.need = ACCESS_NEEDS_READ, .authorization = header};
	struct auth_verdict v;

	if (auth == NULL)
		auth = make();
	bool right = false;
	if (authorization_parse(header, &a) == ERR_OK) {
		require(strlen(a.secret) <= AUTHORIZATION_SECRET_MAX);
		if (a.basic)
			check_same(header, &a);
		right = a.basic ? strcmp(a.user, "p") == 0 && strcmp(a.secret, "p") == 0
				: strcmp(a.secret, "t") == 0;
	}
	authorization_wipe(&a);
	now_ms += THROTTLE_WINDOW_MS;
	auth_decide(auth, &ask, now_ms, &v);
	require(v.status == (right ? 200 : 401));
}

static void try_headers(char *text)
{
	struct headers h = headers_none();

	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		size_t name = strcspn(line, ":");
		const char *value = line[name] == ':' ? line + name + 1 : "";

		headers_add(&h, line, name, value, strlen(value));
	}
	if (headers_wrong(&h) != NULL)
		return;
	require(h.lengths + h.codings <= 1);
	require((h.body_size == HEADERS_BODY_UNKNOWN) == (h.codings == 1));
	require(h.lengths == 1 || h.codings == 1 || h.body_size == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	log_set_level(LOG_LEVEL_ERROR);
	char *text = strndup((const char *)data + 1, size - 1);
	require(text != NULL);
	if (data[0] == 'h')
		try_headers(text);
	else
		try_header(text);
	free(text);
	return 0;
}
