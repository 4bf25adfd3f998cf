/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* again - the process begins anew, with the same number and command line. */

#include "common/base.h"

/* Does not return but on failure, with -errno. Nothing is stopped in order: what must last is on
 * disk, as for any other end. Signals that are blocked in the calling thread stay so, and one that
 * comes meanwhile is taken after. */
int again(void);
