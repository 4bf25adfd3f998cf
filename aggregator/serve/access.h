/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * access - what one who asks may do, and what he may see. Pure.
 *
 * Who asks has a role, each of which holds the ones before it, and sees some clusters: those of
 * which ENVIRONMENT/CLUSTER matches one of his patterns. What he does not see is not there for him.
 */

#include "common/base.h"

enum access_role { ACCESS_NONE, ACCESS_METRICS, ACCESS_READ, ACCESS_ADMIN };

struct access {
	const char *name; /* of the credential, for people; "" for who showed none */
	enum access_role role;
	char *const *clusters; /* patterns */
	size_t cluster_count;  /* 0: all clusters */
	uint32_t scope;        /* the same for the same patterns; 0: all clusters */
};

/* What a request needs. The first is what a table's row needs that forgets to say it. */
enum access_need {
	ACCESS_NEEDS_ADMIN_OF_ALL, /* it changes something for all clusters */
	ACCESS_NEEDS_ADMIN,        /* it changes something of the clusters that he sees */
	/* The same of Burrow's API, which its clients may do where no credentials are configured
	 * and only this machine can ask. */
	ACCESS_NEEDS_BURROW_ADMIN_OF_ALL,
	ACCESS_NEEDS_BURROW_ADMIN,
	ACCESS_NEEDS_READ,
	ACCESS_NEEDS_METRICS,
	ACCESS_NEEDS_NOTHING,
};

/* The least role that may do it. */
enum access_role access_role_for(enum access_need need);

/* Whether it changes something: then it goes into the log, with who did it. */
bool access_changes(enum access_need need);

/* Whether it is of Burrow's API, and changes something. */
bool access_is_burrows(enum access_need need);

/* Whether he has the role, and sees all clusters where it concerns all. */
bool access_may(const struct access *a, enum access_need need);

bool access_sees(const struct access *a, const char *environment, const char *cluster);

/* Whether he may do something to all that these patterns match: who sees some of the clusters alone
 * has to name one of them, without wildcards. */
bool access_names(const struct access *a, const char *environment, const char *cluster);

/* "none", "metrics", "read" or "admin". */
const char *access_role_str(enum access_role role);

/* The role of that name; false if there is none. "none" is no name here. */
bool access_role_parse(const char *name, enum access_role *ret_role);
