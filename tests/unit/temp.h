/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* temp - a directory for one test, and its removal. */

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base.h"

struct temp {
	char dir[64];
};

static inline struct temp temp_make(void)
{
	struct temp t = {"/tmp/warren-test-XXXXXX"};

	if (mkdtemp(t.dir) == NULL)
		abort();
	return t;
}

static inline int temp_remove_one(const char *path, const struct stat *st, int kind,
				  struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void temp_remove(struct temp *t)
{
	nftw(t->dir, temp_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
