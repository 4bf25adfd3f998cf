/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * rules_file - the rules file in YAML -> a set of rules; and the rules that aggregator.yaml sets.
 *
 * A file with any mistake is refused whole, all mistakes told at once. No state: any thread.
 */

#include "aggregator/config.h"
#include "aggregator/judge/rules.h"

#define RULES_FILE_MAX 5000 /* rules */

/* Read the file at path; nothing beside it is merged in. Caller gives *ret_s back with
 * rules_unref(). ERR_CONFIG, and in errors one "file:line: what" a line, when anything is wrong;
 * also when the file cannot be read. */
MUST_CHECK int rules_file_load(const char *path, const struct rules_base *base, struct buf *errors,
			       struct rules_set **ret_s);

/* The same from text in memory; file is the name that errors show, and origins its last part. */
MUST_CHECK int rules_file_parse(const char *file, const char *text, size_t size,
				const struct rules_base *base, struct buf *errors,
				struct rules_set **ret_s);

/* What holds where no rule says anything. */
struct rules_base rules_file_base(const struct aggregator_config *cfg);
