/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* accept - what a client would like to have: the headers Accept and Accept-Encoding, as RFC 9110
 * has them in 12.5. Pure. */

#include "common/base.h"

#define ACCEPT_NOT_NAMED (-1)

/* The weight that a header, or none (NULL), gives to a media range or a coding, in thousandths: 0
 * means that it is not wanted. The greatest, if it is named more than once; parameters other than q
 * do not count. ACCEPT_NOT_NAMED: it is not in it by this name. */
int accept_weight(const char *header, const char *name);
