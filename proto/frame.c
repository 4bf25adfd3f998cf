/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/frame.h"

#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "common/bytes.h"
#include "common/err.h"

#define MAGIC "WRN"
#define VERSION 1
#define FLAG_ZSTD 1
#define FLAG_CODE 2
#define FLAGS (FLAG_ZSTD | FLAG_CODE)
#define LABEL "WRN code"
#define LEVEL 1

static uint32_t checksum(const void *data, size_t size)
{
	return (uint32_t)XXH3_64bits(data, size);
}

/* Compress body to at, which has room for size bytes. 0: it does not become smaller. */
static size_t pack(uint8_t *at, const void *body, size_t size)
{
	if (size == 0)
		return 0;
	size_t n = ZSTD_compress(at, size - 1, body, size, LEVEL);
	return ZSTD_isError(n) ? 0 : n;
}

void frame_put(struct buf *out, enum frame_type type, const void *body, size_t size, bool compress)
{
	if (size > UINT32_MAX) {
		out->err = out->err != ERR_OK ? out->err : ERR_LIMIT;
		return;
	}
	uint8_t *at = (uint8_t *)buf_reserve(out, FRAME_HEADER + size);
	if (at == NULL)
		return;

	size_t sent = compress ? pack(at + FRAME_HEADER, body, size) : 0;
	bool packed = sent != 0;
	if (!packed) {
		sent = size;
		if (size != 0)
			memcpy(at + FRAME_HEADER, body, size);
	}
	memcpy(at, MAGIC, 3);
	at[3] = VERSION;
	at[4] = (uint8_t)type;
	at[5] = packed ? FLAG_ZSTD : 0;
	put_be16(at + 6, 0);
	put_be32(at + 8, (uint32_t)size);
	put_be32(at + 12, checksum(at + FRAME_HEADER, sent));
	out->size += FRAME_HEADER + sent;
}

/* The body of a compressed payload, in memory from a. */
static int unpack(const uint8_t *payload, size_t payload_size, size_t size, struct arena *a,
		  const uint8_t **ret_body)
{
	uint8_t *body = arena_alloc(a, size);

	if (body == NULL)
		return ERR_LIMIT;
	/* A payload that holds more than it says fails here: it never gets more room. */
	if (ZSTD_decompress(body, size, payload, payload_size) != size)
		return ERR_MALFORMED;
	*ret_body = body;
	return ERR_OK;
}

int frame_get(const uint8_t *data, size_t size, size_t limit, struct arena *a, struct frame *ret_f)
{
	if (size < FRAME_HEADER || memcmp(data, MAGIC, 3) != 0)
		return ERR_MALFORMED;
	if (data[3] != VERSION || data[4] < FRAME_HELLO || data[4] > FRAME_ACK ||
	    (data[5] & ~FLAGS) != 0)
		return ERR_VERSION;

	struct frame f = {.type = data[4], .body = data + FRAME_HEADER, .size = get_be32(data + 8)};
	if (data[5] & FLAG_CODE) {
		if (size < FRAME_HEADER + FRAME_CODE)
			return ERR_MALFORMED;
		size -= FRAME_CODE;
		f.code = data + size;
		mac_digest(data, size, f.digest);
	}
	size_t sent = size - FRAME_HEADER;
	if (f.size > limit)
		return ERR_LIMIT;
	if (get_be16(data + 6) != 0 || get_be32(data + 12) != checksum(f.body, sent))
		return ERR_MALFORMED;

	if (data[5] & FLAG_ZSTD) {
		int err = unpack(f.body, sent, f.size, a, &f.body);
		if (err != ERR_OK)
			return err;
	} else if (sent != f.size) {
		return ERR_MALFORMED;
	}
	*ret_f = f;
	return ERR_OK;
}

/* The code of a frame of this type and digest. */
static void make_code(enum frame_type type, const uint8_t digest[static MAC_SIZE],
		      const struct mac_key *key, const struct frame_context *c,
		      uint8_t ret_code[static FRAME_CODE])
{
	uint8_t text[8 + 4 + 4 * 8 + MAC_SIZE] = LABEL;

	text[8] = (uint8_t)type;
	put_be64(text + 12, c->session);
	put_be64(text + 20, c->instance);
	put_be64(text + 28, c->epoch);
	put_be64(text + 36, c->seq);
	memcpy(text + 44, digest, MAC_SIZE);
	mac_code(key, text, sizeof(text), ret_code);
}

void frame_seal(struct buf *out, const struct mac_key *key, const struct frame_context *context)
{
	uint8_t *code = (uint8_t *)buf_reserve(out, FRAME_CODE);
	uint8_t *header = (uint8_t *)out->data;
	uint8_t digest[MAC_SIZE];

	if (code == NULL)
		return;
	header[5] |= FLAG_CODE;
	mac_digest(header, out->size, digest);
	make_code(header[4], digest, key, context, code);
	out->size += FRAME_CODE;
}

bool frame_proves(const struct frame *f, const struct mac_key *key,
		  const struct frame_context *context)
{
	uint8_t code[FRAME_CODE];

	if (f->code == NULL)
		return false;
	make_code(f->type, f->digest, key, context, code);
	return mac_same(code, f->code);
}
