/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes are a configuration or a list of mistakes; what is printed of one loads again and
 * prints the same. */

#include <assert.h>
#include <string.h>

#include "agent/config.h"
#include "aggregator/config.h"
#include "common/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(struct buf *first, struct buf *second)
{
	assert(first->err == ERR_OK && strcmp(buf_str(first), buf_str(second)) == 0);
}

static void try_agent(const char *text, size_t size)
{
	CLEANUP(agent_config_free) struct agent_config *cfg = NULL;
	CLEANUP(agent_config_free) struct agent_config *again = NULL;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf first = {0};
	CLEANUP(buf_free) struct buf second = {0};

	if (agent_config_parse("fuzz", text, size, &cfg, &errors) != ERR_OK) {
		assert(cfg == NULL && errors.size > 0);
		return;
	}
	assert(errors.size == 0);
	agent_config_print(cfg, &first);
	int err = agent_config_parse("again", first.data, first.size, &again, &errors);
	assert(err == ERR_OK);
	agent_config_print(again, &second);
	expect_same(&first, &second);
}

static void try_aggregator(const char *text, size_t size)
{
	CLEANUP(aggregator_config_free) struct aggregator_config *cfg = NULL;
	CLEANUP(aggregator_config_free) struct aggregator_config *again = NULL;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf first = {0};
	CLEANUP(buf_free) struct buf second = {0};

	if (aggregator_config_parse("fuzz", text, size, &cfg, &errors) != ERR_OK) {
		assert(cfg == NULL && errors.size > 0);
		return;
	}
	assert(errors.size == 0);
	aggregator_config_print(cfg, &first);
	int err = aggregator_config_parse("again", first.data, first.size, &again, &errors);
	assert(err == ERR_OK);
	aggregator_config_print(again, &second);
	expect_same(&first, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_agent((const char *)data, size);
	try_aggregator((const char *)data, size);
	return 0;
}
