/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/metrics_process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "aggregator/serve/exposition.h"

/* Fields of /proc/self/stat, counted from 1 as in proc(5). */
#define FIELD_STATE 3
#define FIELD_START 22 /* in clock ticks since the boot */
#define FIELD_VSIZE 23
#define FIELD_RSS 24 /* in pages */

struct usage {
	int64_t start_ms; /* Unix time; 0: not known, and so the next two */
	uint64_t virtual_bytes, resident_bytes;
	int64_t cpu_us;
	uint64_t fds, max_fds;
};

/* The first line of a file that has a number after this word; 0: there is none. Lines may be longer
 * than what is read at once: interrupts fill one of many KiB. */
static uint64_t number_after(const char *path, const char *word)
{
	FILE *f = fopen(path, "re");
	char line[256];
	unsigned long long value = 0;

	while (f != NULL && value == 0 && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, word, strlen(word)) == 0)
			(void)sscanf(line + strlen(word), " %llu", &value);
	}
	if (f != NULL)
		fclose(f);
	return value;
}

static void read_line(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "re");

	if (f == NULL || fgets(line, size, f) == NULL)
		*line = '\0';
	if (f != NULL)
		fclose(f);
}

/* A field from the one after the program's name on, which may hold blanks and parentheses. */
static uint64_t stat_field(const char *stat, int field)
{
	const char *at = strrchr(stat, ')');
	unsigned long long value = 0;

	for (int i = FIELD_STATE - 1; at != NULL && i < field; i++)
		at = strchr(at + 1, ' ');
	return at != NULL && sscanf(at, " %llu", &value) == 1 ? value : 0;
}

static void read_stat(struct usage *u)
{
	char stat[1024];
	uint64_t boot = number_after("/proc/stat", "btime"); /* in seconds */

	read_line("/proc/self/stat", stat, sizeof(stat));
	uint64_t start = stat_field(stat, FIELD_START);
	if (boot > 0 && start > 0)
		u->start_ms =
			(int64_t)(boot * 1000 + start * 1000 / (uint64_t)sysconf(_SC_CLK_TCK));
	u->virtual_bytes = stat_field(stat, FIELD_VSIZE);
	u->resident_bytes = stat_field(stat, FIELD_RSS) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int64_t to_us(const struct timeval *t)
{
	return (int64_t)t->tv_sec * 1000000 + t->tv_usec;
}

static uint64_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (dir == NULL)
		return 0;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count - 1; /* the directory's own */
}

static void read_usage(struct usage *u)
{
	struct rusage r = {0};
	struct rlimit files = {0};

	*u = (struct usage){0};
	read_stat(u);
	getrusage(RUSAGE_SELF, &r);
	getrlimit(RLIMIT_NOFILE, &files);
	u->cpu_us = to_us(&r.ru_utime) + to_us(&r.ru_stime);
	u->max_fds = files.rlim_cur;
	u->fds = count_fds();
}

static struct buf *begin(struct metrics_text *t, enum metrics_family family)
{
	struct buf *b = metrics_text_family(t, family);

	buf_puts(b, metrics_table_row(family)->name);
	buf_putc(b, ' ');
	return b;
}

void metrics_process(struct metrics_text *t)
{
	struct usage u;

	read_usage(&u);
	exposition_us(begin(t, METRICS_PROCESS_CPU), u.cpu_us);
	exposition_int(begin(t, METRICS_PROCESS_MAX_FDS), (int64_t)u.max_fds);
	exposition_int(begin(t, METRICS_PROCESS_OPEN_FDS), (int64_t)u.fds);
	exposition_int(begin(t, METRICS_PROCESS_RESIDENT), (int64_t)u.resident_bytes);
	exposition_ms(begin(t, METRICS_PROCESS_START), u.start_ms);
	exposition_int(begin(t, METRICS_PROCESS_VIRTUAL), (int64_t)u.virtual_bytes);
}
