/* SPDX-License-Identifier: Apache-2.0 */

/* Windows whose bytes are anything are walked, added to and asked; nothing may be read outside. */

#include <string.h>

#include "aggregator/judge/window.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct window w = {0};
	int64_t numbers[3] = {0};
	int64_t ret = 0;

	if (size < sizeof(numbers))
		return 0;
	memcpy(numbers, data, sizeof(numbers));
	memcpy(&w, data + sizeof(numbers), MIN(size - sizeof(numbers), sizeof(w)));
	window_value_at(&w, numbers[0], &ret);
	window_passed(&w, numbers[1], 25000, 10000, &ret);
	for (int i = 0; i < 40; i++)
		window_add(&w, (int64_t)((uint64_t)numbers[0] + (uint64_t)i * 30000),
			   (int64_t)((uint64_t)numbers[1] + (uint64_t)i * (uint64_t)numbers[2]),
			   25000);
	window_value_at(&w, numbers[0], &ret);
	window_passed(&w, numbers[1], 25000, 10000, &ret);
	return 0;
}
