/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * gsm - text that fits one SMS: the alphabet of GSM 03.38, at most 160 of its characters. One
 * character outside of it would make an SMS of 70 characters, or several.
 */

#include "common/buf.h"

#define GSM_MAX 160

/* Append the UTF-8 text as far as it fits; what the alphabet does not have becomes its nearest
 * letter, or '?'. Ends with "..." when it was cut. */
void gsm_put(struct buf *out, const char *text, size_t size);

/* Length in GSM characters of a text of that alphabet in UTF-8; some count twice. 0: it holds
 * others, or is empty. */
size_t gsm_length(const char *text, size_t size);
