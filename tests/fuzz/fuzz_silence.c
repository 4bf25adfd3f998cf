/* SPDX-License-Identifier: Apache-2.0 */

/* fuzz_silence - a silence as it comes over HTTP, and the bytes of silences and incidents as they
 * come out of a store. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/incident_json.h"
#include "aggregator/silence_in.h"
#include "common/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_json(const char *data, size_t size)
{
	const struct access who = {.name = "fuzz", .role = ACCESS_ADMIN};
	CLEANUP(buf_free) struct buf why = {0};
	CLEANUP(buf_free) struct buf out = {0};
	struct json j = {.out = &out};
	struct silence s;
	struct silence back;

	int err = silence_in(&who, data, size, &why, &s);
	assert((err == ERR_OK) == (why.size == 0));
	if (err != ERR_OK)
		return;
	s.version = SILENCE_VERSION;
	assert(silence_unpack((const uint8_t *)&s, sizeof(s), &back));
	incident_json_silence(&j, &s);
	assert(out.size > 0);
}

static void read_incident(const uint8_t *data, size_t size)
{
	CLEANUP(buf_free) struct buf out = {0};
	struct json j = {.out = &out};
	uint8_t again[INCIDENT_BYTES_MAX];
	struct incident i;
	struct incident_step s;

	if (incident_unpack(data, size, &i)) {
		assert(incident_pack(&i, again) == size && memcmp(again, data, size) == 0);
		json_begin_object(&j);
		incident_json_members(&j, &i, NULL, 0);
		json_end_object(&j);
	}
	if (incident_step_unpack(data, size, &s))
		incident_json_step(&j, &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct silence s;

	read_json((const char *)data, size);
	read_incident(data, size);
	(void)silence_unpack(data, size, &s);
	return 0;
}
