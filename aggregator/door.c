/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/door.h"

#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define DAY_MS ((int64_t)86400000)
#define CERT_WARN_MS (14 * DAY_MS)
#define FILE_BYTES_MAX ((off_t)16 << 20) /* larger ones are not looked into */

struct door {
	const struct aggregator_config *cfg;
	struct cert *certs[INGEST_LINK_LISTENERS_MAX];
	struct ingest_listen listen[INGEST_LINK_LISTENERS_MAX];
	struct guard_agent *agents; /* owned, cfg->agents.count */
};

static struct guard_scope scope_of(const struct conf_list *l)
{
	return (struct guard_scope){l->items, l->count};
}

static int load_certs(struct door *d, struct buf *errors)
{
	int err = ERR_OK;

	for (size_t i = 0; i < d->cfg->listen.count; i++) {
		const struct aggregator_listen *l = aggregator_config_listen(d->cfg, i);
		const struct cert_files files = {l->tls.ca_file, l->tls.cert_file, l->tls.key_file};

		if (options_is_tls(l->url) &&
		    cert_load(&files, clock_wall_ms(), errors, &d->certs[i]) != ERR_OK) {
			buf_putc(errors, '\n');
			err = ERR_CONFIG;
		}
		d->listen[i] = (struct ingest_listen){l->url, d->certs[i]};
	}
	return err;
}

static int load_keys(struct door *d, struct buf *errors)
{
	int err = ERR_OK;

	d->agents = mem_zeroed(d->cfg->agents.count, sizeof(*d->agents));
	for (size_t i = 0; i < d->cfg->agents.count; i++) {
		const struct aggregator_agent *a = aggregator_config_agent(d->cfg, i);

		d->agents[i].name = a->name;
		d->agents[i].scope = scope_of(&a->clusters);
		const char *why = mac_key_read(a->key_file, &d->agents[i].key);
		if (why == NULL)
			continue;
		buf_printf(errors, "%s: key_file of agent %s: %s\n", a->key_file, a->name, why);
		err = ERR_CONFIG;
	}
	return err;
}

int door_load(const struct aggregator_config *cfg, struct buf *errors, struct door **ret_d)
{
	CLEANUP(door_free) struct door *d = mem_zeroed(1, sizeof(*d));

	d->cfg = cfg;
	int err = load_certs(d, errors);
	int key_err = load_keys(d, errors);
	err = err != ERR_OK ? err : key_err;
	if (err == ERR_OK) {
		*ret_d = d;
		d = NULL;
	}
	return err;
}

void door_free(struct door **d)
{
	if (*d == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN((*d)->certs); i++)
		cert_unref(&(*d)->certs[i]);
	if ((*d)->agents != NULL)
		explicit_bzero((*d)->agents, (*d)->cfg->agents.count * sizeof(*(*d)->agents));
	free((*d)->agents);
	free(*d);
	*d = NULL;
}

const struct ingest_listen *door_listen(const struct door *d)
{
	return d->listen;
}

struct guard *door_guard(const struct door *d)
{
	struct guard_options o = {
		.agents = d->agents,
		.agent_count = d->cfg->agents.count,
		.new_names = d->cfg->limits.new_names,
	};

	for (size_t i = 0; i < d->cfg->listen.count; i++)
		o.scopes[i] = scope_of(&aggregator_config_listen(d->cfg, i)->clusters);
	return guard_new(&o);
}

void door_tell(const struct door *d)
{
	int64_t now_ms = clock_wall_ms();
	bool keys = d->cfg->agents.count > 0;
	bool scoped = false;

	for (size_t i = 0; i < d->cfg->listen.count; i++) {
		const struct aggregator_listen *l = aggregator_config_listen(d->cfg, i);
		bool names = d->certs[i] != NULL && ingest_link_knows_peers();

		scoped = scoped || l->clusters.count > 0;
		log_info("listening for agents", "url=%s peer_identity=%s", l->url,
			 log_quote(names && keys ? "certificate and key"
				   : names       ? "certificate"
				   : keys        ? "key only"
						 : "none"));
		if (d->certs[i] != NULL && d->certs[i]->ends_ms - now_ms < CERT_WARN_MS)
			log_warn("certificate expires soon", "file=%s days=%" PRId64,
				 log_quote(l->tls.cert_file),
				 (d->certs[i]->ends_ms - now_ms) / DAY_MS);
	}
	if (scoped && !keys && !ingest_link_knows_peers())
		log_warn("an agent of one listener may take the name of another's", "do=%s",
			 log_quote("give each agent a key under agents"));
}

/* --- what has changed --- */

/* Append the digest of what a file holds; nothing of one that cannot be read. */
static void put_file(struct buf *out, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t digest[MAC_SIZE] = {0};
	struct stat st;

	buf_put(out, path, strlen(path) + 1);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= FILE_BYTES_MAX) {
		char *text = malloc((size_t)st.st_size);
		if (text == NULL)
			abort();
		ssize_t n = read(fd, text, (size_t)st.st_size);
		mac_digest(text, n < 0 ? 0 : (size_t)n, digest);
		explicit_bzero(text, (size_t)st.st_size);
		free(text);
	}
	if (fd >= 0)
		close(fd);
	buf_put(out, digest, sizeof(digest));
}

static void put_http(struct buf *out, const struct aggregator_http *http)
{
	const struct aggregator_credential *auth = http->auth.items;

	for (size_t i = 0; i < http->auth.count; i++) {
		put_file(out, auth[i].token_file);
		put_file(out, auth[i].password_file);
	}
}

static void put_extras(struct buf *out, const char *path)
{
	CLEANUP(buf_free) struct buf pattern = {0};
	const char *slash = strrchr(path, '/');
	glob_t found;

	if (slash != NULL)
		buf_put(&pattern, path, (size_t)(slash - path) + 1);
	buf_puts(&pattern, "conf.d/*.yaml");
	if (glob(buf_str(&pattern), 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		put_file(out, found.gl_pathv[i]);
	globfree(&found);
}

void door_digest(const char *path, const struct aggregator_config *cfg,
		 uint8_t ret_digest[static MAC_SIZE])
{
	CLEANUP(buf_free) struct buf all = {0};

	put_file(&all, path);
	put_extras(&all, path);
	for (size_t i = 0; i < cfg->listen.count; i++) {
		const struct options_tls *tls = &aggregator_config_listen(cfg, i)->tls;

		put_file(&all, tls->ca_file);
		put_file(&all, tls->cert_file);
		put_file(&all, tls->key_file);
	}
	for (size_t i = 0; i < cfg->agents.count; i++)
		put_file(&all, aggregator_config_agent(cfg, i)->key_file);
	put_http(&all, &cfg->http);
	mac_digest(all.data, all.size, ret_digest);
}
