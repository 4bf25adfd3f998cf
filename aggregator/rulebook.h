/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * rulebook - the set of rules in force, and its replacement: a file that is read again, and that
 * changes nothing when it is wrong; and maintenance by hand, which is added to what the file says.
 * Any thread may use it.
 */

#include "aggregator/judge/rules.h"

struct rulebook;

/* Read the rules file at path; "" for none: then base holds everywhere. Caller owns *ret_b.
 * ERR_CONFIG, and all mistakes in errors, when the file is wrong. */
MUST_CHECK int rulebook_open(const char *path, const struct rules_base *base, struct buf *errors,
			     struct rulebook **ret_b);
void rulebook_close(struct rulebook **b);

/* Read the file again; one reload at a time. take is called with the new set, which it references
 * if it keeps it, before this returns; not when the file is as it was, and *ret_changed is false.
 * ERR_NOT_FOUND without a file; ERR_CONFIG, and all mistakes in errors, when it is wrong: then all
 * stays as it was. */
MUST_CHECK int rulebook_reload(struct rulebook *b, void (*take)(void *arg, struct rules_set *s),
			       void *arg, struct buf *errors, bool *ret_changed);

/* From now on maintenance by hand is kept in this directory; what is kept there is in force. Before
 * others use b; dir is borrowed. ERR_CONFIG, and in errors what is wrong. */
MUST_CHECK int rulebook_keep(struct rulebook *b, const char *dir, struct buf *errors);

/* Declare maintenance; its id is given here. take as above. ERR_LIMIT: there is too much; a
 * system's error: it cannot be kept, and is not in force. */
MUST_CHECK int rulebook_maintain(struct rulebook *b, struct rules_maintenance *m,
				 void (*take)(void *arg, struct rules_set *s), void *arg);

/* End it. ERR_NOT_FOUND: there is none of this id; otherwise as above. */
MUST_CHECK int rulebook_end_maintenance(struct rulebook *b, uint64_t id,
					void (*take)(void *arg, struct rules_set *s), void *arg);

struct rulebook_state {
	struct rules_set *rules;
	uint32_t version;      /* 1, 2, ... since the program started */
	int64_t since_ms;      /* when these came into force; Unix time */
	int64_t refused_at_ms; /* when the file was last read and found wrong; 0: it is as loaded */
	struct buf refused;    /* and why */
};

/* What is in force. Caller gives it back with rulebook_state_free(). */
void rulebook_state(struct rulebook *b, struct rulebook_state *ret_state);
void rulebook_state_free(struct rulebook_state *state);
