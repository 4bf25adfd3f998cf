/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* credentials - those of the configuration, with the secrets that lie in files. */

#include "aggregator/config.h"
#include "aggregator/serve/auth.h"
#include "aggregator/serve/tls.h"

/* Caller frees *ret_a with auth_free(). ERR_CONFIG, and the reasons in errors, when a file cannot
 * be read or may be read by others, when a secret is too short, or when a token comes twice. */
MUST_CHECK int credentials_load(const struct aggregator_http *http, struct buf *errors,
				struct auth **ret_a);

/* The files of http.tls; *ret_t stays NULL without any. Caller frees *ret_t with tls_free().
 * ERR_CONFIG, and the reason in errors. */
MUST_CHECK int credentials_load_tls(const struct aggregator_http *http, struct buf *errors,
				    struct tls **ret_t);
