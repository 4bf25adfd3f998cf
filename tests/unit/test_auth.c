/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregator/serve/auth.h"
#include "aggregator/serve/authorization.h"
#include "aggregator/serve/headers.h"
#include "aggregator/serve/password.h"
#include "common/err.h"
#include "common/log.h"

#define HASH "$y$j9T$abcdefgh$ygUVuoQ9v51xSDprq3ifMzxsPLXU74Cxy1YdVKWMuUB" /* of "pass" */

/* --- the header --- */

static const struct {
	const char *header;
	const char *user;   /* NULL: Bearer */
	const char *secret; /* NULL: malformed */
} HEADERS[] = {
	{"Bearer abc", NULL, "abc"},
	{"bearer   abc", NULL, "abc"},
	{"BEARER a.b-c_d~e+f/g==", NULL, "a.b-c_d~e+f/g=="},
	{"Basic dXNlcjpwYXNz", "user", "pass"},
	{"basic dTo=", "u", ""},
	{"Basic dTpwOnE=", "u", "p:q"},
	{"Basic w7w6w7w=", "\xc3\xbc", "\xc3\xbc"},
	{"", NULL, NULL},
	{"Bearer", NULL, NULL},
	{"Bearer ", NULL, NULL},
	{"Bearer\tabc", NULL, NULL},
	{"Bearerabc", NULL, NULL},
	{"Bearer a b", NULL, NULL},
	{"Bearer a\x01", NULL, NULL},
	{"Bearer a\x7f", NULL, NULL},
	{"Digest abc", NULL, NULL},
	{"Basic", NULL, NULL},
	{"Basic ", NULL, NULL},
	{"Basic !!!!", NULL, NULL},
	{"Basic dXNlcjpwYXNz=", NULL, NULL}, /* too much padding */
	{"Basic dXNlcjpwYXM", NULL, NULL},   /* none, and too few digits */
	{"Basic dTp=", NULL, NULL},          /* bits behind the end */
	{"Basic dTo=dTo=", NULL, NULL},      /* padding in the middle */
	{"Basic dT=o", NULL, NULL},
	{"Basic ====", NULL, NULL},
	{"Basic dXNlcg==", NULL, NULL},     /* no colon */
	{"Basic OnBhc3M=", NULL, NULL},     /* no user */
	{"Basic dQA6cGFzcw==", NULL, NULL}, /* a NUL */
	{"Basic dTpwCg==", NULL, NULL},     /* a line feed */
	{"Basic dXNlcjpwYXNz ", NULL, NULL},
};

static void headers_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(HEADERS); i++) {
		struct authorization a;
		int err = authorization_parse(HEADERS[i].header, &a);

		if (err != (HEADERS[i].secret != NULL ? ERR_OK : ERR_MALFORMED))
			fail_msg("%s: %d", HEADERS[i].header, err);
		if (err != ERR_OK)
			continue;
		assert_string_equal(a.secret, HEADERS[i].secret);
		assert_int_equal(a.basic, HEADERS[i].user != NULL);
		if (a.basic)
			assert_string_equal(a.user, HEADERS[i].user);
		authorization_wipe(&a);
	}
}

static void what_is_too_long_is_refused(void **state)
{
	char header[2000] = "Bearer ";
	struct authorization a;

	(void)state;
	memset(header + 7, 'x', AUTHORIZATION_SECRET_MAX);
	assert_int_equal(authorization_parse(header, &a), ERR_OK);
	header[7 + AUTHORIZATION_SECRET_MAX] = 'x';
	assert_int_equal(authorization_parse(header, &a), ERR_MALFORMED);
	strcpy(header, "Basic ");
	memset(header + 6, 'Q', 1364);
	assert_int_equal(authorization_parse(header, &a), ERR_MALFORMED); /* no colon */
	memset(header + 6, 'Q', 1400);
	assert_int_equal(authorization_parse(header, &a), ERR_MALFORMED);
}

static void digests_are_64_hex_digits(void **state)
{
	static const char HEX[] =
		"BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	uint8_t read[MAC_SIZE];
	uint8_t made[MAC_SIZE];
	char text[70];

	(void)state;
	mac_digest("abc", 3, made);
	assert_int_equal(authorization_parse_digest(HEX, read), ERR_OK);
	assert_memory_equal(read, made, MAC_SIZE);
	for (size_t i = 0; i < 64; i++) {
		strcpy(text, HEX);
		text[i] = 'g';
		assert_int_equal(authorization_parse_digest(text, read), ERR_MALFORMED);
		text[i] = '\0';
		assert_int_equal(authorization_parse_digest(text, read), ERR_MALFORMED);
	}
	snprintf(text, sizeof(text), "%s0", HEX);
	assert_int_equal(authorization_parse_digest(text, read), ERR_MALFORMED);
}

/* --- other headers --- */

static const struct {
	const char *names[3], *values[3];
	bool ok;
	uint64_t size;
} REQUESTS[] = {
	{{"Host", "Accept"}, {"x", "*/*"}, true, 0},
	{{"Content-Length"}, {"0"}, true, 0},
	{{"content-LENGTH"}, {"65537"}, true, 65537},
	{{"Content-Length"}, {"999999999999999999"}, true, 999999999999999999},
	{{"Transfer-Encoding"}, {"Chunked"}, true, HEADERS_BODY_UNKNOWN},
	{{"Content-Length"}, {""}, false, 0},
	{{"Content-Length"}, {"+1"}, false, 0},
	{{"Content-Length"}, {"-1"}, false, 0},
	{{"Content-Length"}, {"0x1"}, false, 0},
	{{"Content-Length"}, {"1 "}, false, 0},
	{{"Content-Length"}, {"1, 1"}, false, 0},
	{{"Content-Length"}, {"1000000000000000000"}, false, 0},
	{{"Content-Length", "Content-Length"}, {"1", "1"}, false, 0},
	{{"Content-Length", "Transfer-Encoding"}, {"1", "chunked"}, false, 0},
	{{"Transfer-Encoding", "Content-Length"}, {"chunked", "1"}, false, 0},
	{{"Transfer-Encoding", "Transfer-Encoding"}, {"chunked", "chunked"}, false, 0},
	{{"Transfer-Encoding"}, {"gzip, chunked"}, false, 0},
	{{"Transfer-Encoding"}, {"identity"}, false, 0},
	{{"Transfer-Encoding"}, {"xchunked"}, false, 0},
	{{"Content-Length "}, {"1"}, false, 0},
	{{"Content Length"}, {"1"}, false, 0},
	{{""}, {"1"}, false, 0},
	{{"X\x80"}, {"1"}, false, 0},
	{{"X"}, {"a\rb"}, false, 0},
	{{"X"}, {"a\tb"}, true, 0},
	{{"Authorization", "Authorization"}, {"a", "a"}, false, 0},
	{{"Host", "Host"}, {"a", "a"}, false, 0},
};

static void whatever_has_two_meanings_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(REQUESTS); i++) {
		struct headers h = headers_none();

		for (size_t k = 0; k < 3 && REQUESTS[i].names[k] != NULL; k++)
			headers_add(&h, REQUESTS[i].names[k], strlen(REQUESTS[i].names[k]),
				    REQUESTS[i].values[k], strlen(REQUESTS[i].values[k]));
		if ((headers_wrong(&h) == NULL) != REQUESTS[i].ok)
			fail_msg("%zu: %s", i, REQUESTS[i].names[0]);
		if (REQUESTS[i].ok)
			assert_true(h.body_size == REQUESTS[i].size);
	}
}

/* --- passwords --- */

static void weak_hashes_are_refused(void **state)
{
	static const char *const WEAK[] = {
		"",
		"x",
		"*0",
		"!",
		"abccBcrPOxnLU",                      /* DES */
		"$1$saltsalt$2vnaRpHa6Jxjz5n83ok8Z0", /* MD5 */
		"$y$j9T$abcdefgh",                    /* no hash */
		"$y$j9T$abcdefgh$",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(WEAK); i++) {
		if (password_hash_ok(WEAK[i]))
			fail_msg("%s", WEAK[i]);
	}
	assert_true(password_hash_ok(HASH));
	assert_true(password_matches(HASH, "pass"));
	assert_false(password_matches(HASH, "Pass"));
	assert_false(password_matches(HASH, ""));
	assert_false(password_matches("*0", "pass"));
}

/* --- addresses --- */

static const uint8_t V4[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 7};
static const uint8_t V6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

static void an_address_is_blocked_for_the_rest_of_its_minute(void **state)
{
	struct throttle *t = throttle_new();
	uint8_t other[16];

	(void)state;
	assert_int_equal(throttle_failed(t, V4, 1000), THROTTLE_FIRST);
	for (int i = 2; i < THROTTLE_FAILURES; i++)
		assert_int_equal(throttle_failed(t, V4, 1000 + i), THROTTLE_SAME);
	assert_int_equal(throttle_blocked_ms(t, V4, 2000), 0);
	assert_int_equal(throttle_failed(t, V4, 2000), THROTTLE_BLOCKED);
	assert_int_equal(throttle_failed(t, V4, 2000), THROTTLE_SAME);
	assert_int_equal(throttle_blocked_ms(t, V4, 2000), 59000);
	memcpy(other, V4, 16);
	other[15]++;
	assert_int_equal(throttle_blocked_ms(t, other, 2000), 0);
	assert_int_equal(throttle_blocked_ms(t, V4, 60999), 1);
	assert_int_equal(throttle_blocked_ms(t, V4, 61000), 0);
	assert_int_equal(throttle_failed(t, V4, 61000), THROTTLE_FIRST);
	throttle_free(&t);
}

static void ipv6_counts_by_the_subscriber(void **state)
{
	struct throttle *t = throttle_new();
	uint8_t near[16], far[16];

	(void)state;
	memcpy(near, V6, 16);
	memcpy(far, V6, 16);
	near[12] = 9;
	far[7] = 9;
	for (int i = 0; i < THROTTLE_FAILURES; i++)
		throttle_failed(t, V6, 0);
	assert_int_not_equal(throttle_blocked_ms(t, near, 0), 0);
	assert_int_equal(throttle_blocked_ms(t, far, 0), 0);
	throttle_free(&t);
}

static void any_number_of_addresses_fit(void **state)
{
	struct throttle *t = throttle_new();
	uint8_t from[16];

	(void)state;
	memcpy(from, V4, 16);
	for (int i = 0; i < 100000; i++) {
		from[12] = (uint8_t)(i >> 16);
		from[13] = (uint8_t)(i >> 8);
		from[14] = (uint8_t)i;
		assert_int_equal(throttle_failed(t, from, i), THROTTLE_FIRST);
	}
	throttle_free(&t);
}

/* --- decisions --- */

static char *prod[] = {(char[]){"PROD/*"}};
static char *everything[] = {(char[]){"QA/x"}, (char[]){"*/*"}};

static struct auth *make(enum access_role anonymous)
{
	struct auth_entry e[] = {
		{.access = {.name = "m", .role = ACCESS_METRICS}, .kind = AUTH_TOKEN},
		{.access = {.name = "r", .role = ACCESS_READ, .clusters = prod, .cluster_count = 1},
		 .kind = AUTH_TOKEN},
		{.access = {.name = "a", .role = ACCESS_ADMIN}, .kind = AUTH_TOKEN},
		{.access =
			 {.name = "p", .role = ACCESS_ADMIN, .clusters = prod, .cluster_count = 1},
		 .kind = AUTH_PASSWORD,
		 .user = "p"},
		{.access = {.name = "h",
			    .role = ACCESS_READ,
			    .clusters = everything,
			    .cluster_count = 2},
		 .kind = AUTH_HASH,
		 .user = "h",
		 .hash = HASH},
		{.access = {.name = "c", .role = ACCESS_READ},
		 .kind = AUTH_CERTIFICATE,
		 .user = "client"},
	};
	const struct auth_options o = {.entries = e, .count = ARRAY_LEN(e), .anonymous = anonymous};
	struct auth *a = NULL;

	for (size_t i = 0; i < 3; i++)
		mac_digest(e[i].access.name, 1, e[i].digest);
	mac_digest("pw", 2, e[3].digest);
	assert_int_equal(auth_new(&o, &a), ERR_OK);
	return a;
}

static struct auth_verdict decide(struct auth *a, enum access_need need, const char *header,
				  const char *certificate, int64_t now_ms)
{
	struct auth_ask ask = {.need = need, .authorization = header, .certificate = certificate};
	struct auth_verdict v;

	memcpy(ask.from, V4, sizeof(ask.from));
	auth_decide(a, &ask, now_ms, &v);
	assert_int_equal(v.status == 200, v.why[0] == '\0');
	return v;
}

#define P "Basic cDpwdw=="           /* p:pw */
#define H "Basic aDpwYXNz"           /* h:pass */
#define H_WRONG "Basic aDpwYXNzeA==" /* h:passx */
#define NOBODY "Basic bjpwYXNz"      /* n:pass */

static const struct {
	const char *header, *certificate;
	const char *who;
	int open, metrics, read, admin, admin_of_all;
} MATRIX[] = {
	/* With anonymous: metrics. */
	{NULL, NULL, "", 200, 200, 401, 401, 401},
	{"Bearer m", NULL, "m", 200, 200, 403, 403, 403},
	{"Bearer r", NULL, "r", 200, 200, 200, 403, 403},
	{"Bearer a", NULL, "a", 200, 200, 200, 200, 200},
	{P, NULL, "p", 200, 200, 200, 200, 403},
	{H, NULL, "h", 200, 200, 200, 403, 403},
	{NULL, "client", "c", 200, 200, 200, 403, 403},
	{NULL, "stranger", "", 200, 200, 401, 401, 401},
	{"Bearer a", "client", "a", 200, 200, 200, 200, 200},
	{"Bearer x", "client", NULL, 200, 401, 401, 401, 401},
};

static void each_role_may_what_it_may(void **state)
{
	static const enum access_need NEEDS[] = {ACCESS_NEEDS_NOTHING, ACCESS_NEEDS_METRICS,
						 ACCESS_NEEDS_READ, ACCESS_NEEDS_ADMIN,
						 ACCESS_NEEDS_ADMIN_OF_ALL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(MATRIX); i++) {
		struct auth *a = make(ACCESS_METRICS);
		const int *want = &MATRIX[i].open;

		for (size_t k = 0; k < ARRAY_LEN(NEEDS); k++) {
			struct auth_verdict v =
				decide(a, NEEDS[k], MATRIX[i].header, MATRIX[i].certificate, 0);

			if (v.status != want[k])
				fail_msg("%zu %zu: %d %s", i, k, v.status, v.why);
			if (k == 0)
				continue;
			if (v.status == 401)
				assert_null(v.who);
			else
				assert_string_equal(v.who->name, MATRIX[i].who);
		}
		auth_free(&a);
	}
}

static void burrows_requests_are_open_only_without_credentials(void **state)
{
	const struct auth_options o = {.anonymous = ACCESS_READ, .burrow_open = true};
	struct auth *a = NULL;

	(void)state;
	assert_int_equal(auth_new(&o, &a), ERR_OK);
	assert_int_equal(decide(a, ACCESS_NEEDS_BURROW_ADMIN, NULL, NULL, 0).status, 200);
	assert_int_equal(decide(a, ACCESS_NEEDS_BURROW_ADMIN_OF_ALL, "Basic x", NULL, 0).status,
			 200);
	assert_int_equal(decide(a, ACCESS_NEEDS_ADMIN, NULL, NULL, 0).status, 403);
	assert_int_equal(decide(a, ACCESS_NEEDS_ADMIN_OF_ALL, "Bearer x", NULL, 0).status, 403);
	auth_free(&a);
	a = make(ACCESS_READ);
	assert_int_equal(decide(a, ACCESS_NEEDS_BURROW_ADMIN, NULL, NULL, 0).status, 401);
	assert_int_equal(decide(a, ACCESS_NEEDS_BURROW_ADMIN_OF_ALL, P, NULL, 0).status, 403);
	assert_int_equal(decide(a, ACCESS_NEEDS_BURROW_ADMIN, P, NULL, 0).status, 200);
	auth_free(&a);
}

static void wrong_credentials_are_slowed_and_counted(void **state)
{
	struct auth *a = make(ACCESS_NONE);

	(void)state;
	for (int i = 0; i < THROTTLE_FAILURES; i++)
		assert_int_equal(decide(a, ACCESS_NEEDS_READ, "Bearer x", NULL, 0).status, 401);
	struct auth_verdict v = decide(a, ACCESS_NEEDS_READ, "Bearer x", NULL, 1500);
	assert_int_equal(v.status, 429);
	assert_int_equal(v.retry_after_s, 59);
	/* A right password waits as well, or it could be found; a token cannot be. */
	assert_int_equal(decide(a, ACCESS_NEEDS_READ, P, NULL, 1500).status, 429);
	assert_int_equal(decide(a, ACCESS_NEEDS_READ, "Bearer r", NULL, 1500).status, 200);
	assert_int_equal(decide(a, ACCESS_NEEDS_NOTHING, "Bearer x", NULL, 1500).status, 200);
	assert_int_equal(decide(a, ACCESS_NEEDS_READ, NULL, NULL, 1500).status, 401);
	assert_int_equal(decide(a, ACCESS_NEEDS_READ, P, NULL, 60000).status, 200);
	assert_int_equal(decide(a, ACCESS_NEEDS_ADMIN, "Bearer r", NULL, 60000).status, 403);
	assert_int_equal(auth_failures(a, AUTH_WRONG), THROTTLE_FAILURES);
	assert_int_equal(auth_failures(a, AUTH_THROTTLED), 2);
	assert_int_equal(auth_failures(a, AUTH_MISSING), 1);
	assert_int_equal(auth_failures(a, AUTH_FORBIDDEN), 1);
	auth_free(&a);
}

static void passwords_are_hashed_one_now_and_then(void **state)
{
	struct auth *a = make(ACCESS_NONE);

	(void)state;
	assert_int_equal(decide(a, ACCESS_NEEDS_READ, H_WRONG, NULL, 1000).status, 401);
	struct auth_verdict v = decide(a, ACCESS_NEEDS_READ, H, NULL, 1100);
	assert_int_equal(v.status, 503);
	assert_int_equal(v.retry_after_s, 1);
	assert_int_equal(decide(a, ACCESS_NEEDS_READ, NOBODY, NULL, 1100).status, 503);
	assert_int_equal(decide(a, ACCESS_NEEDS_READ, H, NULL, 1300).status, 200);
	/* The right one is remembered. */
	assert_int_equal(decide(a, ACCESS_NEEDS_READ, H_WRONG, NULL, 1400).status, 401);
	assert_int_equal(decide(a, ACCESS_NEEDS_READ, H, NULL, 1401).status, 200);
	assert_int_equal(decide(a, ACCESS_NEEDS_READ, NOBODY, NULL, 2000).status, 401);
	auth_free(&a);
}

static void scopes_are_those_of_the_patterns(void **state)
{
	struct auth *a = make(ACCESS_NONE);

	(void)state;
	const struct access *r = decide(a, ACCESS_NEEDS_READ, "Bearer r", NULL, 0).who;
	const struct access *p = decide(a, ACCESS_NEEDS_READ, P, NULL, 0).who;
	const struct access *h = decide(a, ACCESS_NEEDS_READ, H, NULL, 0).who;

	assert_int_equal(r->scope, 1);
	assert_int_equal(p->scope, 1);
	assert_int_equal(h->scope, 0);
	assert_true(access_sees(r, "PROD", "eu"));
	assert_true(access_sees(r, "PROD", "a/b"));
	assert_false(access_sees(r, "prod", "eu"));
	assert_false(access_sees(r, "", "PROD/eu"));
	assert_false(access_sees(r, "XPROD", "eu"));
	assert_true(access_sees(h, "", ""));
	auth_free(&a);
}

static int quiet(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_read_strictly),
		cmocka_unit_test(what_is_too_long_is_refused),
		cmocka_unit_test(digests_are_64_hex_digits),
		cmocka_unit_test(whatever_has_two_meanings_is_refused),
		cmocka_unit_test(weak_hashes_are_refused),
		cmocka_unit_test(an_address_is_blocked_for_the_rest_of_its_minute),
		cmocka_unit_test(ipv6_counts_by_the_subscriber),
		cmocka_unit_test(any_number_of_addresses_fit),
		cmocka_unit_test(each_role_may_what_it_may),
		cmocka_unit_test(burrows_requests_are_open_only_without_credentials),
		cmocka_unit_test(wrong_credentials_are_slowed_and_counted),
		cmocka_unit_test(passwords_are_hashed_one_now_and_then),
		cmocka_unit_test(scopes_are_those_of_the_patterns),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
