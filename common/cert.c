/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cert.h"

#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"

#define FILE_BYTES_MAX ((off_t)1 << 20)
#define CHAIN_MAX 16
#define KEY_ID_MAX 64

/* Certificates of one file. */
struct list {
	gnutls_x509_crt_t *items;
	unsigned int count;
};

/* --- files --- */

/* Why the open file may not be used; NULL if it may. */
static const char *why_not(int fd, bool secret, off_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_str(-errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if (st.st_size == 0 || st.st_size > FILE_BYTES_MAX)
		return "empty, or larger than 1 MiB";
	if (secret && (st.st_mode & S_IRWXO) != 0)
		return "others may read or write it; expects a mode such as 0640";
	*ret_size = st.st_size;
	return NULL;
}

/* The text of an open file, which the caller owns; NULL, and *ret_why. */
static char *read_fd(int fd, bool secret, const char **ret_why)
{
	off_t size = 0;

	*ret_why = why_not(fd, secret, &size);
	if (*ret_why != NULL)
		return NULL;
	char *text = calloc(1, (size_t)size + 1);
	if (text == NULL)
		abort();
	ssize_t n = read(fd, text, (size_t)size);
	if (n == size)
		return text;
	*ret_why = n < 0 ? err_str(-errno) : "changes while it is read";
	free(text);
	return NULL;
}

static int read_file(const char *path, bool secret, struct buf *why, char **ret_text)
{
	/* Without O_NONBLOCK opening a FIFO would wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *reason = fd < 0 ? err_str(-errno) : NULL;

	if (fd >= 0) {
		*ret_text = read_fd(fd, secret, &reason);
		close(fd);
	}
	if (reason == NULL)
		return ERR_OK;
	buf_printf(why, "%s: %s", path, reason);
	return ERR_CONFIG;
}

/* --- certificates --- */

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned int)strlen(text)};
}

static void free_list(struct list *l)
{
	for (unsigned int i = 0; i < l->count; i++)
		gnutls_x509_crt_deinit(l->items[i]);
	gnutls_free(l->items);
}

static int parse(const char *path, const char *text, struct buf *why, struct list *ret_l)
{
	const gnutls_datum_t in = datum(text);
	int rc = gnutls_x509_crt_list_import2(&ret_l->items, &ret_l->count, &in,
					      GNUTLS_X509_FMT_PEM, 0);

	if (rc >= 0 && ret_l->count > 0)
		return ERR_OK;
	buf_printf(why, "%s: no certificate in PEM: %s", path, gnutls_strerror(rc));
	return ERR_CONFIG;
}

static void put_time(struct buf *out, time_t t)
{
	struct tm tm;
	char text[32] = "";

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_puts(out, text);
}

/* All of our chain must be valid now; *ret_ends_ms is when the first no longer is. */
static int check_times(const char *path, const struct list *l, int64_t now_ms, struct buf *why,
		       int64_t *ret_ends_ms)
{
	*ret_ends_ms = INT64_MAX;
	for (unsigned int i = 0; i < l->count; i++) {
		time_t begins = gnutls_x509_crt_get_activation_time(l->items[i]);
		time_t ends = gnutls_x509_crt_get_expiration_time(l->items[i]);

		*ret_ends_ms = MIN(*ret_ends_ms, (int64_t)ends * 1000);
		if (now_ms >= (int64_t)begins * 1000 && now_ms < (int64_t)ends * 1000)
			continue;
		bool expired = now_ms >= (int64_t)ends * 1000;
		buf_printf(why, "%s: certificate %s ", path,
			   expired ? "has expired on" : "is not valid before");
		put_time(why, expired ? ends : begins);
		return ERR_CONFIG;
	}
	return ERR_OK;
}

/* Of the CAs one is enough: the others may be there for a change. */
static int check_cas(const char *path, const struct list *l, int64_t now_ms, struct buf *why)
{
	for (unsigned int i = 0; i < l->count; i++) {
		time_t ends = gnutls_x509_crt_get_expiration_time(l->items[i]);

		if (now_ms < (int64_t)ends * 1000)
			return ERR_OK;
	}
	buf_printf(why, "%s: all CA certificates have expired", path);
	return ERR_CONFIG;
}

static bool same_key(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
	unsigned char a[KEY_ID_MAX], b[KEY_ID_MAX];
	size_t a_size = sizeof(a), b_size = sizeof(b);

	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, a, &a_size) == 0 &&
	       gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, b, &b_size) == 0 &&
	       a_size == b_size && memcmp(a, b, a_size) == 0;
}

static int check_key(const struct cert_files *files, const char *text, gnutls_x509_crt_t crt,
		     struct buf *why)
{
	const gnutls_datum_t in = datum(text);
	gnutls_x509_privkey_t key = NULL;

	if (gnutls_x509_privkey_init(&key) != 0)
		abort();
	int rc = gnutls_x509_privkey_import2(key, &in, GNUTLS_X509_FMT_PEM, NULL, 0);
	bool same = rc == 0 && same_key(crt, key);
	gnutls_x509_privkey_deinit(key);
	if (rc == GNUTLS_E_DECRYPTION_FAILED)
		buf_printf(why, "%s: the key is encrypted; expects one that is not",
			   files->key_file);
	else if (rc != 0)
		buf_printf(why, "%s: no key in PEM: %s", files->key_file, gnutls_strerror(rc));
	else if (!same)
		buf_printf(why, "%s: is not the key of the certificate in %s", files->key_file,
			   files->cert_file);
	return same ? ERR_OK : ERR_CONFIG;
}

static int check(const struct cert_files *files, int64_t now_ms, struct buf *why, struct cert *c)
{
	CLEANUP(free_list) struct list cas = {0};
	CLEANUP(free_list) struct list chain = {0};

	int err = files->ca_file != NULL ? parse(files->ca_file, c->ca, why, &cas) : ERR_OK;
	if (err == ERR_OK && files->ca_file != NULL)
		err = check_cas(files->ca_file, &cas, now_ms, why);
	if (err == ERR_OK)
		err = parse(files->cert_file, c->chain, why, &chain);
	if (err == ERR_OK && chain.count > CHAIN_MAX) {
		buf_printf(why, "%s: more than %d certificates", files->cert_file, CHAIN_MAX);
		return ERR_CONFIG;
	}
	if (err == ERR_OK)
		err = check_times(files->cert_file, &chain, now_ms, why, &c->ends_ms);
	if (err == ERR_OK)
		err = check_key(files, c->key, chain.items[0], why);
	return err;
}

/* --- the interface --- */

int cert_load(const struct cert_files *files, int64_t now_ms, struct buf *why,
	      struct cert **ret_cert)
{
	CLEANUP(cert_unref) struct cert *c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	c->references = 1;
	int err = files->ca_file != NULL ? read_file(files->ca_file, false, why, &c->ca) : ERR_OK;
	if (err == ERR_OK)
		err = read_file(files->cert_file, false, why, &c->chain);
	if (err == ERR_OK)
		err = read_file(files->key_file, true, why, &c->key);
	if (err == ERR_OK)
		err = check(files, now_ms, why, c);
	if (err == ERR_OK) {
		*ret_cert = c;
		c = NULL;
	}
	return err;
}

bool cert_same(const struct cert *a, const struct cert *b)
{
	bool same_ca = a->ca == NULL || b->ca == NULL ? a->ca == b->ca : strcmp(a->ca, b->ca) == 0;

	return same_ca && strcmp(a->chain, b->chain) == 0 && strcmp(a->key, b->key) == 0;
}

struct cert *cert_ref(struct cert *c)
{
	__atomic_add_fetch(&c->references, 1, __ATOMIC_RELAXED);
	return c;
}

void cert_unref(struct cert **c)
{
	struct cert *done = *c;

	*c = NULL;
	if (done == NULL || __atomic_sub_fetch(&done->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (done->key != NULL)
		explicit_bzero(done->key, strlen(done->key));
	free(done->ca);
	free(done->chain);
	free(done->key);
	free(done);
}
