/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/access.h"

#include <stdio.h>
#include <string.h>

#include "common/glob.h"

#define NAME_MAX_BYTES 1024 /* of environment and cluster; names that agents send are shorter */

static const char *const ROLES[] = {"none", "metrics", "read", "admin"};

static const struct {
	enum access_role role;
	bool all_clusters;
	bool burrow;
} NEEDS[] = {
	[ACCESS_NEEDS_ADMIN_OF_ALL] = {ACCESS_ADMIN, true, false},
	[ACCESS_NEEDS_ADMIN] = {ACCESS_ADMIN, false, false},
	[ACCESS_NEEDS_BURROW_ADMIN_OF_ALL] = {ACCESS_ADMIN, true, true},
	[ACCESS_NEEDS_BURROW_ADMIN] = {ACCESS_ADMIN, false, true},
	[ACCESS_NEEDS_READ] = {ACCESS_READ, false, false},
	[ACCESS_NEEDS_METRICS] = {ACCESS_METRICS, false, false},
	[ACCESS_NEEDS_NOTHING] = {ACCESS_NONE, false, false},
};

enum access_role access_role_for(enum access_need need)
{
	return NEEDS[need].role;
}

bool access_changes(enum access_need need)
{
	return NEEDS[need].role == ACCESS_ADMIN;
}

bool access_is_burrows(enum access_need need)
{
	return NEEDS[need].burrow;
}

bool access_may(const struct access *a, enum access_need need)
{
	return a->role >= NEEDS[need].role && (!NEEDS[need].all_clusters || a->scope == 0);
}

bool access_sees(const struct access *a, const char *environment, const char *cluster)
{
	char name[NAME_MAX_BYTES];

	if (a->scope == 0)
		return true;
	int size = snprintf(name, sizeof(name), "%s/%s", environment, cluster);
	if (size < 0 || (size_t)size >= sizeof(name))
		return false;
	return glob_allowed(a->clusters, a->cluster_count, NULL, 0, name);
}

bool access_names(const struct access *a, const char *environment, const char *cluster)
{
	static const char WILD[] = "*?[\\";

	if (a->scope == 0)
		return true;
	return strpbrk(environment, WILD) == NULL && strpbrk(cluster, WILD) == NULL &&
	       access_sees(a, environment, cluster);
}

const char *access_role_str(enum access_role role)
{
	return ROLES[role];
}

bool access_role_parse(const char *name, enum access_role *ret_role)
{
	for (enum access_role role = ACCESS_METRICS; role <= ACCESS_ADMIN; role++) {
		if (strcmp(name, ROLES[role]) != 0)
			continue;
		*ret_role = role;
		return true;
	}
	return false;
}
