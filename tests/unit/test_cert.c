/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/cert.h"
#include "common/err.h"
#include "temp.h"
#include "tls_fixture.h"

struct fixture {
	struct temp temp;
	struct tls_ca ca;
	struct cert *cert;
	char ca_file[96], cert_file[96], key_file[96];
};

static void write_text(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void write_all(struct fixture *f, const struct cert *c)
{
	write_text(f->ca_file, c->ca, 0644);
	write_text(f->cert_file, c->chain, 0644);
	write_text(f->key_file, c->key, 0600);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->temp = temp_make();
	f->ca = tls_ca_new("ca");
	f->cert = tls_issue_now(&f->ca, "agent");
	snprintf(f->ca_file, sizeof(f->ca_file), "%s/ca.pem", f->temp.dir);
	snprintf(f->cert_file, sizeof(f->cert_file), "%s/cert.pem", f->temp.dir);
	snprintf(f->key_file, sizeof(f->key_file), "%s/key.pem", f->temp.dir);
	write_all(f, f->cert);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cert_unref(&f->cert);
	tls_ca_free(&f->ca);
	temp_remove(&f->temp);
	free(f);
	return 0;
}

static int64_t now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

static int load(const struct fixture *f, struct buf *why, struct cert **ret_c)
{
	const struct cert_files files = {f->ca_file, f->cert_file, f->key_file};

	return cert_load(&files, now_ms(), why, ret_c);
}

/* It is refused, in a sentence that begins with the file and says what. */
static void assert_refused(const struct fixture *f, const char *file, const char *what)
{
	CLEANUP(buf_free) struct buf why = {0};
	struct cert *c = NULL;

	assert_int_equal(load(f, &why, &c), ERR_CONFIG);
	assert_null(c);
	print_message("%s\n", buf_str(&why));
	assert_memory_equal(buf_str(&why), file, strlen(file));
	assert_non_null(strstr(buf_str(&why), what));
}

static void what_is_right_is_taken(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_free) struct buf why = {0};
	struct cert *c = NULL;

	assert_int_equal(load(f, &why, &c), ERR_OK);
	assert_true(cert_same(c, f->cert));
	assert_true(c->ends_ms == f->cert->ends_ms);
	struct cert *again = cert_ref(c);
	cert_unref(&c);
	assert_null(c);
	assert_string_equal(again->key, f->cert->key);
	cert_unref(&again);
}

static void what_was_changed_is_not_the_same(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_free) struct buf why = {0};
	struct cert *other = tls_issue_now(&f->ca, "agent"), *c = NULL;

	write_all(f, other);
	assert_int_equal(load(f, &why, &c), ERR_OK);
	assert_false(cert_same(c, f->cert));
	cert_unref(&c);
	cert_unref(&other);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct fixture *f = *state;

	remove(f->ca_file);
	assert_refused(f, f->ca_file, "No such file");
	write_text(f->ca_file, f->cert->ca, 0644);
	remove(f->cert_file);
	assert_refused(f, f->cert_file, "No such file");
	write_text(f->cert_file, f->cert->chain, 0644);
	remove(f->key_file);
	assert_refused(f, f->key_file, "No such file");
	mkdir(f->key_file, 0700);
	assert_refused(f, f->key_file, "not a regular file");
}

static void what_is_no_certificate_is_named(void **state)
{
	struct fixture *f = *state;

	write_text(f->ca_file, "", 0644);
	assert_refused(f, f->ca_file, "empty");
	write_text(f->ca_file, "hello", 0644);
	assert_refused(f, f->ca_file, "no certificate");
	write_text(f->ca_file, f->cert->ca, 0644);
	write_text(f->cert_file, f->cert->key, 0644);
	assert_refused(f, f->cert_file, "no certificate");
	write_text(f->cert_file, f->cert->chain, 0644);
	write_text(f->key_file, f->cert->chain, 0600);
	assert_refused(f, f->key_file, "no key");
}

static void a_key_of_another_certificate_is_found(void **state)
{
	struct fixture *f = *state;
	struct cert *other = tls_issue_now(&f->ca, "agent");

	write_text(f->key_file, other->key, 0600);
	assert_refused(f, f->key_file, "is not the key of the certificate in");
	cert_unref(&other);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_free) struct buf why = {0};
	struct cert *c = NULL;

	chmod(f->key_file, 0644);
	assert_refused(f, f->key_file, "others may read");
	chmod(f->key_file, 0640);
	assert_int_equal(load(f, &why, &c), ERR_OK);
	cert_unref(&c);
}

static void an_encrypted_key_is_refused(void **state)
{
	struct fixture *f = *state;
	gnutls_x509_privkey_t key = tls_key();
	gnutls_datum_t pem;

	tls_must(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, "secret",
						   GNUTLS_PKCS_PBES2_AES_128, &pem));
	char *text = tls_text(pem);
	write_text(f->key_file, text, 0600);
	assert_refused(f, f->key_file, "encrypted");
	free(text);
	gnutls_x509_privkey_deinit(key);
}

static void a_certificate_out_of_its_time_is_refused(void **state)
{
	struct fixture *f = *state;
	time_t now = time(NULL);
	struct cert *old = tls_issue(&f->ca, &f->ca, "agent", now - 2 * TLS_DAY, now - TLS_DAY);
	struct cert *early = tls_issue(&f->ca, &f->ca, "agent", now + TLS_DAY, now + 2 * TLS_DAY);

	write_all(f, old);
	assert_refused(f, f->cert_file, "has expired on 20");
	write_all(f, early);
	assert_refused(f, f->cert_file, "is not valid before 20");
	cert_unref(&old);
	cert_unref(&early);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_right_is_taken),
		TEST(what_was_changed_is_not_the_same),
		TEST(a_file_that_is_not_there_is_named),
		TEST(what_is_no_certificate_is_named),
		TEST(a_key_of_another_certificate_is_found),
		TEST(a_key_that_others_may_read_is_refused),
		TEST(an_encrypted_key_is_refused),
		TEST(a_certificate_out_of_its_time_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
