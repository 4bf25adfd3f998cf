/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/zone_rule.h"
#include "common/bytes.h"
#include "common/err.h"
#include "common/file.h"

#define ZONES "/usr/share/zoneinfo/"
#define FILE_MAX ((size_t)64 << 10)
#define HEAD 44 /* bytes of a header, see tzfile(5) */

struct change {
	int64_t at_s;
	int32_t offset_s; /* from then on */
};

struct zone {
	int32_t first_s; /* the offset before the first change */
	bool has_rule;   /* for what comes after the last change */
	struct zone_rule rule;
	size_t count;
	struct change changes[];
};

/* What a header counts. */
struct counts {
	uint32_t isut, isstd, leap, time, type, chars;
};

static bool get_head(const uint8_t *at, size_t size, struct counts *ret_c)
{
	if (size < HEAD || memcmp(at, "TZif", 4) != 0)
		return false;
	*ret_c = (struct counts){get_be32(at + 20), get_be32(at + 24), get_be32(at + 28),
				 get_be32(at + 32), get_be32(at + 36), get_be32(at + 40)};
	return ret_c->time < FILE_MAX && ret_c->type - 1 < 256 && ret_c->chars < FILE_MAX &&
	       ret_c->leap < FILE_MAX && ret_c->isut < FILE_MAX && ret_c->isstd < FILE_MAX;
}

/* Bytes after the header, with times of time_size bytes. */
static size_t body_size(const struct counts *c, size_t time_size)
{
	return c->time * (time_size + 1) + c->type * (size_t)6 + c->chars +
	       c->leap * (time_size + 4) + c->isstd + c->isut;
}

/* The changes of the part that is at data; times of 64 bits. NULL: there is no memory. */
static struct zone *take_changes(const uint8_t *data, const struct counts *c)
{
	const uint8_t *times = data + HEAD;
	const uint8_t *indices = times + (size_t)c->time * 8;
	const uint8_t *types = indices + c->time;
	struct zone *z = calloc(1, sizeof(*z) + c->time * sizeof(z->changes[0]));

	if (z == NULL)
		return NULL;
	z->first_s = (int32_t)get_be32(types);
	for (; z->count < c->time && indices[z->count] < c->type; z->count++)
		z->changes[z->count] =
			(struct change){(int64_t)get_be64(times + z->count * 8),
					(int32_t)get_be32(types + (size_t)indices[z->count] * 6)};
	return z;
}

/* The rule between two line ends; there may be none. */
static bool take_rule(const uint8_t *data, size_t size, struct zone *z)
{
	const uint8_t *end = size < 2 || data[0] != '\n' ? NULL : memchr(data + 1, '\n', size - 1);

	if (end == NULL)
		return false;
	size_t length = (size_t)(end - data) - 1;
	z->has_rule = length != 0;
	return length == 0 || zone_rule_parse((const char *)data + 1, length, &z->rule);
}

int zone_parse(const void *bytes, size_t size, struct zone **ret_z)
{
	const uint8_t *data = bytes;
	struct counts c;

	/* What follows the part with times of 32 bits is all there is to read. */
	if (!get_head(data, size, &c) || data[4] < '2')
		return ERR_MALFORMED;
	size_t skip = HEAD + body_size(&c, 4);
	if (skip > size || !get_head(data + skip, size - skip, &c))
		return ERR_MALFORMED;
	data += skip;
	size -= skip;
	size_t whole = HEAD + body_size(&c, 8);
	if (whole > size)
		return ERR_MALFORMED;
	struct zone *z = take_changes(data, &c);
	if (z == NULL)
		return -ENOMEM;
	if (!take_rule(data + whole, size - whole, z)) {
		free(z);
		return ERR_MALFORMED;
	}
	*ret_z = z;
	return ERR_OK;
}

/* A name of letters, digits and a few signs, that cannot lead out of the folder. */
static bool name_ok(const char *name)
{
	static const char OK[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";

	return name[0] != '\0' && name[0] != '/' && strspn(name, OK) == strlen(name);
}

int zone_new(const char *name, struct zone **ret_z)
{
	CLEANUP(buf_free) struct buf data = {0};
	char path[256];

	if (!name_ok(name) || snprintf(path, sizeof(path), ZONES "%s", name) >= (int)sizeof(path))
		return ERR_NOT_FOUND;
	int err = file_read(path, FILE_MAX, &data);
	if (err == -ENOENT && strcmp(name, "UTC") == 0) { /* where the database is not installed */
		*ret_z = calloc(1, sizeof(**ret_z));
		return *ret_z == NULL ? -ENOMEM : ERR_OK;
	}
	if (err != ERR_OK)
		return err == -ENOMEM ? err : ERR_NOT_FOUND;
	return zone_parse(data.data, data.size, ret_z);
}

void zone_free(struct zone **z)
{
	free(*z);
	*z = NULL;
}

int zone_offset_s(const struct zone *z, int64_t unix_s)
{
	size_t low = 0;
	size_t high = z->count; /* changes[low - 1] is not after, changes[high] is */

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (z->changes[middle].at_s <= unix_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == z->count && z->has_rule)
		return zone_rule_offset_s(&z->rule, unix_s);
	return low == 0 ? z->first_s : z->changes[low - 1].offset_s;
}

void zone_local(const struct zone *z, int64_t unix_ms, int *ret_weekday, int *ret_minute)
{
	int64_t minutes = (unix_ms / 1000 + zone_offset_s(z, unix_ms / 1000)) / 60;

	*ret_weekday = (int)((minutes / 1440 + 3) % 7); /* 1970 began on a Thursday */
	*ret_minute = (int)(minutes % 1440);
}
