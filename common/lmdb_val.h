/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* lmdb_val - LMDB's values and errors, for the two that store: the agent's state and the
 * aggregator's store. */

#include <errno.h>
#include <lmdb.h>
#include <string.h>

#include "common/err.h"

/* A value of LMDB that borrows data. Its type is not const; it does not write there. */
static inline MDB_val lmdb_val(const void *data, size_t size)
{
	void *p = NULL;

	memcpy(&p, &data, sizeof(p));
	return (MDB_val){size, p};
}

/* One of common/err.h, or negative errno. A full disk is EIO: LMDB sees a short write. */
static inline int lmdb_err(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case MDB_MAP_FULL:
		return ERR_FULL;
	case MDB_INVALID:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
		return ERR_MALFORMED;
	case MDB_VERSION_MISMATCH:
		return ERR_VERSION;
	default:
		return rc > 0 ? -rc : -EIO;
	}
}
