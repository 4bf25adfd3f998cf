/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * frame - the envelope of every message on the link: type, size, checksum, compression.
 *
 *	offset  size  field, integers big-endian
 *	     0     3  "WRN"
 *	     3     1  version of the frame, 1
 *	     4     1  type, enum frame_type
 *	     5     1  flags, bit 0: the payload is zstd-compressed
 *	     6     2  0
 *	     8     4  size of the body, uncompressed
 *	    12     4  checksum of the payload as sent (low 32 bits of XXH3-64)
 *	    16        payload
 *
 * The size is checked against the caller's limit before anything is unpacked. The only
 * file that knows zstd and xxHash is frame.c.
 */

#include "common/arena.h"
#include "common/base.h"
#include "common/buf.h"

#define FRAME_HEADER 16

enum frame_type { FRAME_HELLO = 1, FRAME_WELCOME, FRAME_BATCH, FRAME_ACK };

struct frame {
	enum frame_type type;
	const uint8_t *body; /* borrowed: in the input, or in the arena where it was compressed */
	size_t size;
};

/* Append a frame around body to out; compressed with zstd level 1 where asked for and smaller. */
void frame_put(struct buf *out, enum frame_type type, const void *body, size_t size,
	       bool compress);

/* Take a whole message apart. ERR_MALFORMED: not a frame, cut, or damaged. ERR_VERSION: a frame
 * of a newer kind. ERR_LIMIT: its body is over limit bytes, or does not fit the arena. */
MUST_CHECK int frame_get(const uint8_t *data, size_t size, size_t limit, struct arena *a,
			 struct frame *ret_f);
