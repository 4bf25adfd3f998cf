/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/maintenance.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/serve/json_in.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/tree.h"

#define FOR_MAX_S (366 * 86400LL)
#define FILE_MAX_BYTES ((size_t)4 << 20) /* more than so many of the largest are */

/* --- the texts, which come from requests and from the file --- */

static const struct {
	const char *name;
	size_t offset, size;
	bool glob;
} TEXTS[] = {
	{"environment", offsetof(struct rules_maintenance, environment), RULES_NAME_BYTES, true},
	{"cluster", offsetof(struct rules_maintenance, cluster), RULES_NAME_BYTES, true},
	{"group", offsetof(struct rules_maintenance, group), RULES_GROUP_BYTES, true},
	{"topic", offsetof(struct rules_maintenance, topic), RULES_NAME_BYTES, true},
	{"note", offsetof(struct rules_maintenance, note), RULES_NAME_BYTES, false},
};

static char *text_of(struct rules_maintenance *m, size_t i)
{
	return (char *)m + TEXTS[i].offset;
}

/* ERR_NOT_FOUND: the value is none of these texts. */
static int take_text(struct rules_maintenance *m, const struct json_in_value *v)
{
	for (size_t i = 0; v->parent == NULL && i < ARRAY_LEN(TEXTS); i++) {
		if (strcmp(v->name, TEXTS[i].name) != 0)
			continue;
		if (v->text == NULL || strlen(v->text) >= TEXTS[i].size ||
		    (TEXTS[i].glob && *v->text == '\0'))
			return ERR_MALFORMED;
		memcpy(text_of(m, i), v->text, strlen(v->text) + 1);
		return ERR_OK;
	}
	return ERR_NOT_FOUND;
}

static struct rules_maintenance of_all(void)
{
	return (struct rules_maintenance){
		.environment = "*", .cluster = "*", .group = "*", .topic = "*"};
}

/* --- a request --- */

struct reading {
	struct rules_maintenance *m;
	struct buf *why;
};

static int refuse(struct reading *r, const char *name, const char *expected)
{
	if (r->why->size == 0)
		buf_printf(r->why, "%s must be %s", name, expected);
	return ERR_MALFORMED;
}

static int take_until(struct reading *r, const struct json_in_value *v)
{
	struct rules_maintenance *m = r->m;
	bool is_for = strcmp(v->name, "for_s") == 0;
	int64_t most = is_for ? FOR_MAX_S : m->created_ms + FOR_MAX_S * 1000;

	if (v->whole == NULL || *v->whole <= (is_for ? 0 : m->created_ms) || *v->whole > most)
		return refuse(r, v->name,
			      is_for ? "seconds, 1 to those of a year"
				     : "Unix time in ms, in the future, and within a year");
	m->until_ms = is_for ? m->created_ms + *v->whole * 1000 : *v->whole;
	return ERR_OK;
}

static int on_asked(void *arg, const struct json_in_value *v)
{
	struct reading *r = arg;
	int err = take_text(r->m, v);

	if (err == ERR_MALFORMED)
		return refuse(r, v->name, "a text, and neither empty nor so long");
	if (err == ERR_OK)
		return ERR_OK;
	if (v->parent == NULL &&
	    (strcmp(v->name, "until_ms") == 0 || strcmp(v->name, "for_s") == 0))
		return take_until(r, v);
	return refuse(r, v->parent != NULL ? v->parent : v->name, "left out: there is no such");
}

int maintenance_in(const struct access *who, const char *data, size_t size, struct buf *why,
		   struct rules_maintenance *ret_m)
{
	struct reading r = {.m = ret_m, .why = why};

	*ret_m = of_all();
	ret_m->created_ms = clock_wall_ms();
	snprintf(ret_m->by, sizeof(ret_m->by), "%s",
		 who->name[0] != '\0' ? who->name : "anonymous");
	int err = json_in_each(data, size, on_asked, &r);
	if (err == ERR_OK && ret_m->until_ms == 0)
		err = refuse(&r, "until_ms or for_s", "given");
	if (err == ERR_OK && !access_names(who, ret_m->environment, ret_m->cluster))
		err = refuse(&r, "environment and cluster",
			     "given without wildcards, of a cluster that you see");
	if (err != ERR_OK && why->size == 0)
		buf_puts(why, "the body must be an object that says what is in maintenance, and "
			      "until when");
	return err == ERR_OK ? ERR_OK : ERR_MALFORMED;
}

/* --- as it is shown and kept --- */

void maintenance_put(struct json *j, const struct rules_maintenance *m)
{
	char id[17];

	snprintf(id, sizeof(id), "%016" PRIx64, m->id);
	json_begin_object(j);
	json_key(j, "id");
	json_str(j, id);
	for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
		json_key(j, TEXTS[i].name);
		json_str(j, (const char *)m + TEXTS[i].offset);
	}
	json_key(j, "by");
	json_str(j, m->by);
	json_key(j, "until_ms");
	json_int(j, m->until_ms);
	json_key(j, "created_ms");
	json_int(j, m->created_ms);
	json_end_object(j);
}

static int on_kept(void *arg, const struct json_in_value *v)
{
	struct rules_maintenance *m = arg;
	int err = take_text(m, v);
	char *end = NULL;

	if (err != ERR_NOT_FOUND)
		return err;
	if (strcmp(v->name, "id") == 0 && v->text != NULL) {
		m->id = strtoull(v->text, &end, 16);
		return *end == '\0' ? ERR_OK : ERR_MALFORMED;
	}
	if (strcmp(v->name, "by") == 0 && v->text != NULL && strlen(v->text) < sizeof(m->by))
		memcpy(m->by, v->text, strlen(v->text) + 1);
	else if (strcmp(v->name, "until_ms") == 0 && v->whole != NULL)
		m->until_ms = *v->whole;
	else if (strcmp(v->name, "created_ms") == 0 && v->whole != NULL)
		m->created_ms = *v->whole;
	else
		return ERR_MALFORMED;
	return ERR_OK;
}

/* --- the file --- */

struct path {
	char text[PATH_MAX];
};

static int path_of(const char *dir, const char *name, struct path *ret_path)
{
	int size = snprintf(ret_path->text, sizeof(ret_path->text), "%s/%s", dir, name);

	return size < 0 || (size_t)size >= sizeof(ret_path->text) ? -ENAMETOOLONG : ERR_OK;
}

/* Each line is one. ERR_MALFORMED, and the number of the line that is none. */
static int parse(const char *text, size_t size, struct rules_maintenance *list, size_t *ret_count,
		 int *ret_line)
{
	const char *end = text + size;

	for (*ret_line = 1; text < end; ++*ret_line) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct rules_maintenance m = of_all();

		if (stop == NULL || *ret_count == MAINTENANCE_MAX ||
		    json_in_each(text, (size_t)(stop - text), on_kept, &m) != ERR_OK || m.id == 0 ||
		    m.until_ms == 0)
			return ERR_MALFORMED;
		list[(*ret_count)++] = m;
		text = stop + 1;
	}
	return ERR_OK;
}

int maintenance_load(const char *dir, struct buf *errors, struct rules_maintenance **ret_list,
		     size_t *ret_count)
{
	CLEANUP(buf_free) struct buf text = {0};
	struct rules_maintenance *list = mem_zeroed(MAINTENANCE_MAX, sizeof(*list));
	struct path path;
	size_t count = 0;
	int line = 0;
	int err = path_of(dir, MAINTENANCE_FILE, &path);

	if (err == ERR_OK)
		err = file_read(path.text, FILE_MAX_BYTES, &text);
	if (err == -ENOENT)
		err = ERR_OK;
	if (err != ERR_OK)
		tree_error(errors, dir, 0, MAINTENANCE_FILE " cannot be read: %s", err_str(err));
	if (err == ERR_OK)
		err = parse(text.data, text.size, list, &count, &line);
	if (line > 0 && err != ERR_OK)
		tree_error(errors, path.text, line, "is no maintenance; remove it, or the file");
	if (err != ERR_OK) {
		free(list);
		return ERR_CONFIG;
	}
	*ret_list = list;
	*ret_count = count;
	return ERR_OK;
}

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int write_file(const char *path, const struct buf *text)
{
	CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < text->size;) {
		ssize_t n = write(fd, text->data + done, text->size - done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return fsync(fd) == 0 ? ERR_OK : -errno;
}

int maintenance_store(const char *dir, const struct rules_maintenance *list, size_t count)
{
	CLEANUP(buf_free) struct buf text = {0};
	struct path path;
	struct path part;
	int err = path_of(dir, MAINTENANCE_FILE, &path);

	if (err == ERR_OK)
		err = path_of(dir, MAINTENANCE_FILE ".part", &part);
	for (size_t i = 0; i < count; i++) {
		struct json j = {.out = &text};

		maintenance_put(&j, &list[i]);
		buf_putc(&text, '\n');
	}
	if (err == ERR_OK)
		err = text.err;
	if (err == ERR_OK)
		err = write_file(part.text, &text);
	if (err == ERR_OK && rename(part.text, path.text) != 0)
		err = -errno;
	return err == ERR_OK ? file_sync_folder(dir) : err;
}
