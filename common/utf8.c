/* SPDX-License-Identifier: Apache-2.0 */
#include "common/utf8.h"

/* The length that a first byte of 0x80 or more announces; 0 if it cannot be a first byte. */
static size_t announced(uint8_t first)
{
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t utf8_decode(const char *s, size_t size, uint32_t *ret_ch)
{
	static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *p = (const uint8_t *)s;

	if (size == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret_ch = p[0];
		return 1;
	}
	size_t length = announced(p[0]);
	if (length == 0 || length > size)
		return 0;
	uint32_t ch = p[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		ch = ch << 6 | (p[i] & 0x3fu);
	}
	if (ch < LEAST[length] || ch > 0x10ffff || (ch >= 0xd800 && ch <= 0xdfff))
		return 0;
	*ret_ch = ch;
	return length;
}

bool utf8_valid(const char *s, size_t size)
{
	uint32_t ch = 0;

	for (size_t at = 0, step = 0; at < size; at += step) {
		step = utf8_decode(s + at, size - at, &ch);
		if (step == 0)
			return false;
	}
	return true;
}
