/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/collect/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define BAR_WIDTH 40
#define BAR_EVERY_MS 200
#define LINE_EVERY_MS 10000

static void draw(const char *cluster, uint64_t done, uint64_t total)
{
	char bar[BAR_WIDTH + 1];
	unsigned int percent = total == 0 ? 0 : (unsigned int)(done * 100 / total);

	for (unsigned int i = 0; i < BAR_WIDTH; i++)
		bar[i] = i * 100 < percent * BAR_WIDTH ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r%s: reading __consumer_offsets [%s] %3u%%", cluster, bar, percent);
}

void progress_tell(struct progress *p, const char *cluster, uint64_t done, uint64_t total)
{
	int64_t now = clock_mono_ms();
	bool terminal = isatty(STDERR_FILENO) == 1;

	if (now - p->told_mono < (terminal ? BAR_EVERY_MS : LINE_EVERY_MS))
		return;
	p->told_mono = now;
	if (terminal) {
		draw(cluster, done, total);
		p->shown = true;
		return;
	}
	log_info("reading __consumer_offsets", "cluster=%s read=%" PRIu64 " to_read=%" PRIu64,
		 log_quote(cluster), done, total);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputc('\n', stderr);
	p->shown = false;
}
