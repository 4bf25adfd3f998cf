/* SPDX-License-Identifier: Apache-2.0 */

/* fuzz_json - texts that may be JSON: what is said to be, is read by another; of what is not, the
 * place lies within. */

#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "common/json_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;
	const char *why = json_check((const char *)data, size, &at);
	json_error_t error;
	json_t *other =
		json_loadb((const char *)data, size,
			   JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);

	assert(at <= size);
	if (why == NULL && other == NULL)
		assert(json_error_code(&error) == json_error_numeric_overflow);
	/* The other goes deeper, and a NUL may be its end. */
	if (why != NULL && other != NULL && size != 0 && memchr(data, 0, size) == NULL)
		assert(at > JSON_CHECK_DEPTH_MAX);
	json_decref(other);
	return 0;
}
