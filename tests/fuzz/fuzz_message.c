/* SPDX-License-Identifier: Apache-2.0 */

/* fuzz_message - templates as people write them, said about a message with hostile names, and the
 * bytes of messages as they come out of a store. The first byte of a template is its escape. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/alert/example.h"
#include "aggregator/alert/template_check.h"
#include "common/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS 1700000000000
#define SAID_MAX ((size_t)64 << 10)

static void say(const struct template *t, const struct message *m)
{
	CLEANUP(buf_free) struct buf out = {.limit = SAID_MAX};
	const struct fields_at at = {
		.message = m, .incident = &m->incidents[0], .to = "", .from = "", .sms = ""};

	int err = template_render(t, &at, &out);
	assert(err == ERR_OK || err == ERR_LIMIT);
	assert(out.size <= SAID_MAX);
}

/* As at start: what is wrong is told in one line. */
static void try(const struct template *t)
{
	CLEANUP(buf_free) struct buf errors = {0};
	const struct fields_at like = {.to = "", .from = "", .sms = ""};
	int err = template_check(t, "f", TEMPLATE_FOR_OPEN | TEMPLATE_FOR_END, &like, &errors);

	assert(err == ERR_OK || err == ERR_CONFIG);
	assert((err == ERR_CONFIG) == (errors.size != 0));
	assert(errors.size == 0 || strcspn(buf_str(&errors), "\n") == errors.size - 1);
}

static void read_template(const uint8_t *data, size_t size)
{
	static struct message *example;
	CLEANUP(template_free) struct template *t = NULL;
	CLEANUP(buf_free) struct buf errors = {0};

	if (size == 0)
		return;
	if (example == NULL)
		example = example_message("r", "/", "", MESSAGE_OPEN, NOW_MS);
	assert(example != NULL);
	enum escape how = (enum escape)(data[0] % (ESCAPE_HTML + 1));
	int err = template_parse("f", (const char *)data + 1, size - 1, how, &errors, &t);
	assert((err == ERR_OK) == (t != NULL));
	assert((err == ERR_CONFIG) == (errors.size != 0));
	if (err == ERR_OK) {
		say(t, example);
		try(t);
	}
}

/* What can be read is written as it was. */
static void read_message(const uint8_t *data, size_t size)
{
	CLEANUP(buf_free) struct buf again = {0};
	CLEANUP(message_free) struct message *m = NULL;

	if (message_decode(data, size, &m) != ERR_OK)
		return;
	assert(m->count <= MESSAGE_INCIDENTS_MAX);
	message_encode(m, &again);
	assert(again.size == size && memcmp(again.data, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_template(data, size);
	read_message(data, size);
	return 0;
}
