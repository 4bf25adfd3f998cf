/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * frame - the envelope of every message on the link: type, size, checksum, compression.
 *
 *	offset  size  field, integers big-endian
 *	     0     3  "WRN"
 *	     3     1  version of the frame, 1
 *	     4     1  type, enum frame_type
 *	     5     1  flags, bit 0: the payload is zstd-compressed, bit 1: a code follows it
 *	     6     2  0
 *	     8     4  size of the body, uncompressed
 *	    12     4  checksum of the payload as sent (low 32 bits of XXH3-64)
 *	    16        payload
 *	              code, 32 bytes, if there is one: HMAC-SHA256 with the agent's key of
 *	              "WRN code", type (1), three zeros, session (8), instance (8), epoch (8),
 *	              seq (8), SHA-256 of header and payload (32)
 *
 * The code shows who made the frame, and for which session: what is recorded proves nothing later.
 * The size is checked against the caller's limit before anything is unpacked. The only
 * file that knows zstd and xxHash is frame.c.
 */

#include "common/arena.h"
#include "common/base.h"
#include "common/buf.h"
#include "common/mac.h"

#define FRAME_HEADER 16
#define FRAME_CODE MAC_SIZE

enum frame_type { FRAME_HELLO = 1, FRAME_WELCOME, FRAME_BATCH, FRAME_ACK };

struct frame {
	enum frame_type type;
	const uint8_t *body; /* borrowed: in the input, or in the arena where it was compressed */
	size_t size;
	const uint8_t *code;      /* borrowed from the input; NULL: it has none */
	uint8_t digest[MAC_SIZE]; /* of header and payload, where there is a code */
};

/* What a code is bound to, beside the frame; all 0 in a hello, whose challenge does the same. */
struct frame_context {
	uint64_t session;
	uint64_t instance;
	uint64_t epoch;
	uint64_t seq;
};

/* Append a frame around body to out; compressed with zstd level 1 where asked for and smaller. */
void frame_put(struct buf *out, enum frame_type type, const void *body, size_t size, bool compress);

/* Take a whole message apart. ERR_MALFORMED: not a frame, cut, or damaged. ERR_VERSION: a frame
 * of a newer kind. ERR_LIMIT: its body is over limit bytes, or does not fit the arena. */
MUST_CHECK int frame_get(const uint8_t *data, size_t size, size_t limit, struct arena *a,
			 struct frame *ret_f);

/* Add a code to the frame that out holds, its only content. */
void frame_seal(struct buf *out, const struct mac_key *key, const struct frame_context *context);

/* Whether the frame has the code that one who knows key makes for it in this context. */
bool frame_proves(const struct frame *f, const struct mac_key *key,
		  const struct frame_context *context);
