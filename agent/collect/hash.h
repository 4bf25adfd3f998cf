/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* hash - for the collector's tables in memory; never stored. */

#include <stdint.h>
#include <string.h>

/* Spread the bits of a word over all of it. */
static inline uint64_t hash_mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15u;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9u;
	return h ^ (h >> 32);
}

static inline uint64_t hash_bytes(uint64_t seed, const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t h = seed ^ size;

	for (; size >= 8; p += 8, size -= 8) {
		uint64_t w = 0;
		memcpy(&w, p, 8);
		h = hash_mix(h ^ w);
	}
	uint64_t rest = 0;
	memcpy(&rest, p, size);
	return hash_mix(h ^ rest);
}
