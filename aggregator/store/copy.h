/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * copy - a store's backup, and its way back. A copy is a directory with one file, data.mdb, as a
 * store's own: it can be opened as one.
 */

#include "common/base.h"

/* Copy the store of dir, which an aggregator may be using, into a directory that is made if it is
 * not there. What the copy holds is one moment's; free pages are left out. While it is made the
 * store cannot use pages again that it frees: it grows by what is written meanwhile. -EEXIST: there
 * is a data.mdb already. The copy is on disk when this returns ERR_OK. */
MUST_CHECK int copy_out(const char *dir, const char *to, char why[static 512]);

/* Make a copy the store of dir. -EBUSY: an aggregator is running there. -EEXIST: there is a store
 * already. */
MUST_CHECK int copy_in(const char *from, const char *dir, char why[static 512]);
