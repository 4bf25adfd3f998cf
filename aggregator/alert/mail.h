/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * mail - the bytes of one mail: headers, a text, an HTML part, a picture. Nothing that is put into
 * it can end a header or begin another part.
 */

#include "common/buf.h"
#include "common/conf.h"

struct mail {
	const char *from;           /* "ops@example.org" or "Warren <ops@example.org>" */
	const struct conf_list *to; /* likewise */
	const char *subject;
	const struct buf *text, *html;
	const struct buf *png; /* shown by <img src="cid:lag">; NULL or empty: none */
	uint64_t key, thread;  /* of the message: mails of one thread are shown together */
	int64_t at_ms;
};

/* Append it, lines ended by CR LF. */
void mail_put(struct buf *out, const struct mail *m);

/* Append the address alone, without a name and brackets. */
void mail_address(struct buf *out, const char *address);
