/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * record_member - the values of group and member records.
 *
 * Used by record.c only, which has read key and value version. Every function reads one value
 * at r, in the encoding of the version, into ret_r and the arena. They return 0, ERR_LIMIT when
 * the arena is full, or ERR_MALFORMED.
 */

#include "agent/collect/reader.h"

/* Key 2: type, generation and all members of a classic group; value versions 0 to 4. */
MUST_CHECK int record_member_group(struct reader *r, struct arena *a, struct record *ret_r);

/* Keys 5, 10, 19: who a member of this protocol is, and what it subscribes to. */
MUST_CHECK int record_member_identity(struct reader *r, struct arena *a,
				      enum record_protocol protocol, struct record_member *ret_m);

/* Keys 8, 14: what a member owns; and its epoch. */
MUST_CHECK int record_member_assignment(struct reader *r, struct arena *a,
					enum record_protocol protocol, int32_t *ret_epoch,
					struct record_member *ret_m);

/* Key 4: the topics that a group subscribes to, each with its id. */
MUST_CHECK int record_member_topic_ids(struct reader *r, struct arena *a, struct record *ret_r);
