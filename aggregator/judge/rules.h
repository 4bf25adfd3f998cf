/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * rules - many rules, each for some places, -> the struct rules in force for one place, and where
 * each of its values comes from.
 *
 * A rule names places by five patterns and gives any of the keys. Of the rules that match a place
 * the most specific gives a key its value, key by key (and label by label). Two rules are compared
 * by group, then topic, partition, cluster, environment, and the first of these that differs
 * decides: a name without wildcards is more specific than a pattern, a pattern with more fixed
 * characters than one with fewer, and "*" is the least. Of equal ones the later in the file wins.
 *
 * A set is immutable: any thread may read it. No clock, no file.
 */

#include "aggregator/judge/judge.h"

#define RULES_NAME_BYTES 256 /* with their NUL */
#define RULES_GROUP_BYTES 1025

enum rules_field {
	RULES_GROUP,
	RULES_TOPIC,
	RULES_PARTITION,
	RULES_CLUSTER,
	RULES_ENVIRONMENT,
	RULES_FIELDS, /* how many */
};

enum rules_key {
	RULES_ALLOWED_LAG,
	RULES_MAX_TIME_LAG,
	RULES_WINDOW,
	RULES_STOP_AFTER_MIN,
	RULES_STOP_AFTER_MAX,
	RULES_WARN_AFTER,
	RULES_RAISE_AFTER,
	RULES_CLEAR_AFTER,
	RULES_EXPIRE_GROUP,
	RULES_IGNORE,
	RULES_MAINTENANCE,
	RULES_KEYS, /* how many */
};

/* As written in the file: "group", "allowed_lag". Static. */
const char *rules_field_str(enum rules_field f);
const char *rules_key_str(enum rules_key k);

struct rules_label {
	const char *name;
	const char *value;
	int line;
};

/* One rule as it is written. */
struct rules_entry {
	const char *patterns[RULES_FIELDS]; /* globs; "*" where the file says nothing */
	struct rules values;                /* of the keys given; the others mean nothing */
	uint32_t given;                     /* bit 1 << key */
	int lines[RULES_KEYS];              /* of the keys given */
	int line;                           /* where it starts */
	const struct rules_label *labels;
	size_t label_count;
};

/* What holds where no rule says anything. */
struct rules_base {
	struct rules values;
	uint32_t given; /* bit 1 << key: set in aggregator.yaml, not a default */
};

/* Maintenance that somebody has declared by hand. Where it matches and ends later than what the
 * rules say, it holds, however specific they are. A plain value. */
struct rules_maintenance {
	uint64_t id; /* never 0 */
	int64_t until_ms, created_ms;
	char environment[RULES_NAME_BYTES]; /* globs, as the next three */
	char cluster[RULES_NAME_BYTES];
	char topic[RULES_NAME_BYTES];
	char group[RULES_GROUP_BYTES];
	char by[64]; /* "": not known */
	char note[RULES_NAME_BYTES];
};

struct rules_set;

/* A set of its own copy of all of this, entries in the order of the file; file is the name that
 * origins show, hash tells one content from another. One reference, the caller's. */
struct rules_set *rules_new(const char *file, uint64_t hash, const struct rules_base *base,
			    const struct rules_entry *entries, size_t count);

/* The same rules with other maintenance. */
struct rules_set *rules_maintain(const struct rules_set *s, const struct rules_maintenance *list,
				 size_t count);
struct rules_set *rules_ref(struct rules_set *s);
void rules_unref(struct rules_set **s);

/* All in the order of the file; borrowed as long as the reference. */
const struct rules_entry *rules_entries(const struct rules_set *s, size_t *ret_count);
const struct rules_maintenance *rules_maintenance(const struct rules_set *s, size_t *ret_count);
const struct rules_base *rules_base(const struct rules_set *s);
const char *rules_file(const struct rules_set *s); /* "": there is none */
uint64_t rules_hash(const struct rules_set *s);

/* The greatest window of any rule. */
int64_t rules_max_window_ms(const struct rules_set *s);

struct rules_place {
	const char *environment, *cluster, *group;
	const char *topic; /* NULL: the group as a whole: rules for some topics do not match */
	int32_t partition; /* negative: the topic as a whole, likewise */
};

/* What is in force at a place. */
struct rules_found {
	struct rules rules;
	const struct rules_entry *from[RULES_KEYS]; /* the set's; NULL: its base */
	const struct rules_maintenance *by_hand;    /* the set's; NULL: none that holds */
	bool by_partition; /* a rule for some partitions matches the rest of the place */
};

void rules_resolve(const struct rules_set *s, const struct rules_place *p,
		   struct rules_found *ret_f);

/* The labels of a place, by name. Caller frees the array; the texts are the set's. */
size_t rules_labels(const struct rules_set *s, const struct rules_place *p,
		    struct rules_label **ret_labels);

/* Append "rules.yaml line 12", "aggregator.yaml", "default" or, of maintenance, "ops over HTTP". */
void rules_put_origin(const struct rules_set *s, const struct rules_found *f, enum rules_key k,
		      struct buf *out);
