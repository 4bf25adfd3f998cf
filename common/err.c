/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"

#include <string.h>

const char *err_str(int err)
{
	switch ((enum err)err) {
	case ERR_OK:
		return "success";
	case ERR_NOT_FOUND:
		return "not found";
	case ERR_MALFORMED:
		return "malformed data";
	case ERR_LIMIT:
		return "over limit";
	case ERR_VERSION:
		return "unknown version";
	case ERR_FULL:
		return "store is full";
	case ERR_BROKER:
		return "Kafka request failed";
	case ERR_LINK:
		return "link is down";
	case ERR_CONFIG:
		return "invalid configuration";
	case ERR_TIMEOUT:
		return "no answer in time";
	}

	const char *desc = strerrordesc_np(-err);
	return desc != NULL ? desc : "unknown error";
}
