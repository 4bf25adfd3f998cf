/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/conf.h"
#include "common/err.h"

/* A schema with one option of every kind. */

enum colour { RED, GREEN, BLUE };

struct inner {
	char *label;
	int64_t low;
	int64_t high;
};

struct outer {
	char *name;
	char *token;
	int64_t number;
	bool flag;
	int64_t timeout_ms;
	int64_t memory;
	enum colour colour;
	struct conf_list list;
	struct conf_map map;
	struct inner inner;
	struct conf_array items;
};

static void check_bounds(struct conf_load *c, const struct tree_node *map, void *object)
{
	const struct inner *inner = object;

	if (inner->low > inner->high)
		conf_error(c, tree_get(map, "high"), "high: is less than low");
}

static void check_label(struct conf_load *c, const struct tree_node *node, void *field)
{
	if (strcmp(*(char **)field, "bad") == 0)
		conf_error(c, node, "label: is bad");
}

static void check_map(struct conf_load *c, const struct tree_node *node, void *field)
{
	struct conf_map *map = field;

	(void)c;
	(void)node;
	for (size_t i = 0; i < map->count; i++)
		map->pairs[i].secret = strcmp(map->pairs[i].key, "password") == 0;
}

static const struct conf_item INNER_ITEMS[] = {
	{.key = "label",
	 .type = CONF_STRING,
	 .offset = offsetof(struct inner, label),
	 .check = check_label},
	{.key = "low",
	 .type = CONF_INT,
	 .offset = offsetof(struct inner, low),
	 .fallback = "-5",
	 .min = -10,
	 .max = 10,
	 .help = "the least"},
	{.key = "high",
	 .type = CONF_INT,
	 .offset = offsetof(struct inner, high),
	 .fallback = "5",
	 .min = -10,
	 .max = 10},
};

static const struct conf_schema INNER = {
	.size = sizeof(struct inner),
	.items = INNER_ITEMS,
	.item_count = ARRAY_LEN(INNER_ITEMS),
	.check = check_bounds,
};

static const char *const COLOURS[] = {"red", "green", "blue", NULL};

static const struct conf_item OUTER_ITEMS[] = {
	{.key = "name",
	 .type = CONF_STRING,
	 .offset = offsetof(struct outer, name),
	 .required = true,
	 .min = 1,
	 .max = 8},
	{.key = "token",
	 .type = CONF_STRING,
	 .offset = offsetof(struct outer, token),
	 .max = 8,
	 .secret = true},
	{.key = "number",
	 .type = CONF_INT,
	 .offset = offsetof(struct outer, number),
	 .fallback = "7",
	 .min = 1,
	 .max = INT64_MAX},
	{.key = "flag",
	 .type = CONF_BOOL,
	 .offset = offsetof(struct outer, flag),
	 .fallback = "false"},
	{.key = "timeout",
	 .type = CONF_DURATION,
	 .offset = offsetof(struct outer, timeout_ms),
	 .fallback = "90s",
	 .min = 0,
	 .max = 86400000},
	{.key = "memory",
	 .type = CONF_SIZE,
	 .offset = offsetof(struct outer, memory),
	 .fallback = "64KiB",
	 .min = 1024,
	 .max = (int64_t)1 << 41},
	{.key = "colour",
	 .type = CONF_WORD,
	 .offset = offsetof(struct outer, colour),
	 .fallback = "green",
	 .words = COLOURS},
	{.key = "list",
	 .type = CONF_LIST,
	 .offset = offsetof(struct outer, list),
	 .fallback = "x",
	 .min = 1,
	 .max = 3},
	{.key = "map",
	 .type = CONF_MAP,
	 .offset = offsetof(struct outer, map),
	 .max = 3,
	 .check = check_map},
	{.key = "inner",
	 .type = CONF_STRUCT,
	 .offset = offsetof(struct outer, inner),
	 .schema = &INNER,
	 .help = "nested"},
	{.key = "items",
	 .type = CONF_ARRAY,
	 .offset = offsetof(struct outer, items),
	 .max = 2,
	 .schema = &INNER},
};

static const struct conf_schema OUTER = {
	.size = sizeof(struct outer),
	.items = OUTER_ITEMS,
	.item_count = ARRAY_LEN(OUTER_ITEMS),
};

/* Load the text; NULL with the errors if it is wrong. */
static struct outer *load(const char *yaml, struct buf *errors)
{
	CLEANUP(tree_free) struct tree *tree = NULL;
	void *object = NULL;

	assert_int_equal(tree_parse("f", yaml, strlen(yaml), errors, &tree), ERR_OK);
	int err = conf_load(&OUTER, tree_root(tree), errors, &object);
	assert_int_equal(err, errors->size == 0 ? ERR_OK : ERR_CONFIG);
	assert_true((object == NULL) == (err != ERR_OK));
	return object;
}

static struct outer *load_good(const char *yaml)
{
	CLEANUP(buf_free) struct buf errors = {0};
	struct outer *o = load(yaml, &errors);

	if (o == NULL)
		fail_msg("%s: %s", yaml, buf_str(&errors));
	return o;
}

static void drop(struct outer *o)
{
	void *object = o;

	conf_free(&OUTER, &object);
	assert_null(object);
}

static void options_left_out_have_their_defaults(void **state)
{
	(void)state;
	struct outer *o = load_good("name: n\ninner:\nflag: ~\n");

	assert_string_equal(o->name, "n");
	assert_string_equal(o->token, "");
	assert_int_equal(o->number, 7);
	assert_false(o->flag);
	assert_int_equal(o->timeout_ms, 90000);
	assert_int_equal(o->memory, 65536);
	assert_int_equal(o->colour, GREEN);
	assert_int_equal(o->list.count, 1);
	assert_string_equal(o->list.items[0], "x");
	assert_int_equal(o->map.count, 0);
	assert_string_equal(o->inner.label, "");
	assert_int_equal(o->inner.low, -5);
	assert_int_equal(o->items.count, 0);
	drop(o);
}

static void every_kind_of_option_is_read(void **state)
{
	(void)state;
	struct outer *o = load_good("name: 'a b'\ntoken: t\nnumber: 9223372036854775807\n"
				    "flag: true\ntimeout: 1500ms\nmemory: 2TiB\ncolour: blue\n"
				    "list: [a, '', c]\nmap: {k: v, password: p}\n"
				    "inner: {label: l, low: 1, high: 2}\n"
				    "items:\n- {label: i0}\n- {label: i1, low: -10}\n");

	assert_string_equal(o->name, "a b");
	assert_string_equal(o->token, "t");
	assert_true(o->number == INT64_MAX);
	assert_true(o->flag);
	assert_int_equal(o->timeout_ms, 1500);
	assert_true(o->memory == (int64_t)1 << 41);
	assert_int_equal(o->colour, BLUE);
	assert_int_equal(o->list.count, 3);
	assert_string_equal(o->list.items[1], "");
	assert_string_equal(o->list.items[2], "c");
	assert_int_equal(o->map.count, 2);
	assert_string_equal(o->map.pairs[0].key, "k");
	assert_string_equal(o->map.pairs[0].value, "v");
	assert_false(o->map.pairs[0].secret);
	assert_true(o->map.pairs[1].secret);
	assert_int_equal(o->inner.high, 2);
	const struct inner *items = o->items.items;
	assert_int_equal(o->items.count, 2);
	assert_string_equal(items[1].label, "i1");
	assert_int_equal(items[1].low, -10);
	assert_int_equal(items[1].high, 5);
	drop(o);
}

#define DURATION_HELP "a duration such as 30s (units ms, s, m, h, d)"
#define SIZE_HELP "a size such as 64MiB (units KiB, MiB, GiB, TiB)"

static const struct {
	const char *yaml; /* after "name: n" in line 1 */
	const char *errors;
} BAD[] = {
	{"numbr: 1", "f:2: numbr: unknown; did you mean number?\n"},
	{"NAME: 1", "f:2: NAME: unknown; allowed are name, token, number, flag, timeout, memory, "
		    "colour, list, map, inner, items\n"},
	{"color: red", "f:2: color: unknown; did you mean colour?\n"},
	{"x y: 1", "f:2: \"x y\": unknown; allowed are name, token, number, flag, timeout, memory, "
		   "colour, list, map, inner, items\n"},
	{"number: 0", "f:2: number: 0 is out of range; allowed are 1 to 9223372036854775807\n"},
	{"number: 9223372036854775808",
	 "f:2: number: 9223372036854775808 is out of range; allowed are 1 to "
	 "9223372036854775807\n"},
	{"number: x", "f:2: number: x is wrong; expects a whole number\n"},
	{"number: 1.5", "f:2: number: 1.5 is wrong; expects a whole number\n"},
	{"number: 0x10", "f:2: number: 0x10 is wrong; expects a whole number\n"},
	{"number: ' 1'", "f:2: number: \" 1\" is wrong; expects a whole number\n"},
	{"number: +1", "f:2: number: +1 is wrong; expects a whole number\n"},
	{"number: '-'", "f:2: number: - is wrong; expects a whole number\n"},
	{"number: ''", "f:2: number: \"\" is wrong; expects a whole number\n"},
	{"number: 1s", "f:2: number: 1s is wrong; expects a whole number\n"},
	{"number: [1]", "f:2: number: is a list; expects a whole number\n"},
	{"flag: yes", "f:2: flag: yes is wrong; expects true or false\n"},
	{"flag: True", "f:2: flag: True is wrong; expects true or false\n"},
	{"flag: {a: b}", "f:2: flag: is a map; expects true or false\n"},
	{"timeout: 10", "f:2: timeout: 10 is wrong; expects " DURATION_HELP "\n"},
	{"timeout: 10 s", "f:2: timeout: \"10 s\" is wrong; expects " DURATION_HELP "\n"},
	{"timeout: 1h30m", "f:2: timeout: 1h30m is wrong; expects " DURATION_HELP "\n"},
	{"timeout: 25h", "f:2: timeout: 25h is out of range; allowed are 0s to 1d\n"},
	{"timeout: -1s", "f:2: timeout: -1s is out of range; allowed are 0s to 1d\n"},
	{"timeout: 9223372036854775807d",
	 "f:2: timeout: 9223372036854775807d is out of range; allowed are 0s to 1d\n"},
	{"memory: 1GB", "f:2: memory: 1GB is wrong; expects " SIZE_HELP "\n"},
	{"memory: 1023", "f:2: memory: 1023 is out of range; allowed are 1KiB to 2TiB\n"},
	{"memory: 3TiB", "f:2: memory: 3TiB is out of range; allowed are 1KiB to 2TiB\n"},
	{"colour: pink", "f:2: colour: pink is wrong; expects one of red, green, blue\n"},
	{"list: a", "f:2: list: is a single value; expects a list of strings\n"},
	{"list: []", "f:2: list: has 0 items; allowed are 1 to 3\n"},
	{"list: [a, b, c, d]", "f:2: list: has 4 items; allowed are 1 to 3\n"},
	{"list:\n- a\n- [b]\n- ~\n", "f:4: list: item is no string; expects a string\n"
				     "f:5: list: item is no string; expects a string\n"},
	{"map: [a]", "f:2: map: is a list; expects a map of strings\n"},
	{"map:\n  a: {b: c}\n  d:\n", "f:3: map: value of a is no string; expects a string\n"
				      "f:4: map: value of d is no string; expects a string\n"},
	{"map: {a: 1, b: 2, c: 3, d: 4}", "f:2: map: has 4 items; allowed are 0 to 3\n"},
	{"inner: x", "f:2: inner: is a single value; expects a map of options\n"},
	{"inner:\n  hihg: 1\n  low: 11\n", "f:3: hihg: unknown; did you mean high?\n"
					   "f:4: low: 11 is out of range; allowed are -10 to 10\n"},
	{"inner:\n  low: 3\n  high: 2\n", "f:4: high: is less than low\n"},
	{"inner:\n  low: 6\n", "f:3: high: is less than low\n"}, /* not there: at the map */
	{"inner: {label: bad}", "f:2: label: is bad\n"},
	{"inner: {label: [bad]}", "f:2: label: is a list; expects a string\n"},
	{"items: {}", "f:2: items: is a map; expects a list of maps\n"},
	{"items: [{}, {}, {}]", "f:2: items: has 3 items; allowed are 0 to 2\n"},
	{"items:\n- x\n- low: 11\n", "f:3: items: item is no map; expects a map\n"
				     "f:4: low: 11 is out of range; allowed are -10 to 10\n"},
	{"token: longer than that", "f:2: token: has 16 bytes; allowed are 0 to 8\n"},
	{"number: 0\ntimeout: x\nbogus: 1\n",
	 "f:4: bogus: unknown; allowed are name, token, number, flag, timeout, memory, colour, "
	 "list, map, inner, items\n"
	 "f:2: number: 0 is out of range; allowed are 1 to 9223372036854775807\n"
	 "f:3: timeout: x is wrong; expects " DURATION_HELP "\n"},
};

static void all_mistakes_are_told_with_their_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		CLEANUP(buf_free) struct buf yaml = {0};
		CLEANUP(buf_free) struct buf errors = {0};

		buf_printf(&yaml, "name: n\n%s", BAD[i].yaml);
		assert_null(load(buf_str(&yaml), &errors));
		assert_string_equal(buf_str(&errors), BAD[i].errors);
	}
}

static void what_is_required_must_be_there(void **state)
{
	(void)state;
	static const char *const TEXTS[] = {"", "name:", "name: ~", "name: null"};

	for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
		CLEANUP(buf_free) struct buf errors = {0};

		assert_null(load(TEXTS[i], &errors));
		assert_string_equal(buf_str(&errors), "f:1: name: missing; it is required\n");
	}
	CLEANUP(buf_free) struct buf errors = {0};
	assert_null(load("name: ''", &errors));
	assert_string_equal(buf_str(&errors), "f:1: name: has 0 bytes; allowed are 1 to 8\n");
}

static void a_very_long_unknown_key_is_told(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf yaml = {0};
	CLEANUP(buf_free) struct buf errors = {0};

	buf_puts(&yaml, "name: n\n'");
	for (int i = 0; i < 25; i++)
		buf_puts(&yaml, "name");
	buf_puts(&yaml, "': 1\n");
	assert_null(load(buf_str(&yaml), &errors));
	assert_non_null(strstr(buf_str(&errors), ": unknown; allowed are name, token"));
}

static void printing_shows_all_but_the_secrets(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf out = {0};
	struct outer *o = load_good("name: '$${x}'\ntoken: hush\nmemory: 1025\nlist: [a, '* b']\n"
				    "map: {password: hush, user: 'joe: x', '': 'null'}\n"
				    "items: [{label: \"\\n\\\"\\\\\\x7f\\u00e9\"}, {low: 0}]\n");

	conf_print(&OUTER, o, &out);
	assert_string_equal(buf_str(&out), "name: \"$${x}\"\n"
					   "token: \"***\"\n"
					   "number: 7\n"
					   "flag: false\n"
					   "timeout: 90s\n"
					   "memory: 1025\n"
					   "colour: green\n"
					   "list: [a, \"* b\"]\n"
					   "map:\n"
					   "  password: \"***\"\n"
					   "  user: \"joe: x\"\n"
					   "  \"\": \"null\"\n"
					   "inner:  # nested\n"
					   "  label: \"\"\n"
					   "  low: -5  # the least\n"
					   "  high: 5\n"
					   "items:\n"
					   "  - label: \"\\u000a\\\"\\\\\\u007f\xc3\xa9\"\n"
					   "    low: -5  # the least\n"
					   "    high: 5\n"
					   "  - label: \"\"\n"
					   "    low: 0\n"
					   "    high: 5\n");
	drop(o);
}

static void what_is_printed_reads_back_as_the_same(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf first = {0};
	CLEANUP(buf_free) struct buf second = {0};
	struct outer *o = load_good(
		"name: '~'\nlist: ['$${', '$$$${a', 'a#b - :']\nmap: {\"\\u2028\\ufeff\": "
		"\"\\u0085\\ufffd \\U0001f430\", '- a': '? b', '!${x}': \"\\u0001\"}\n"
		"items: [{label: ' # x '}, {label: '[{,}]'}]\ntimeout: 86399999ms\n"
		"memory: 3GiB\n");

	conf_print(&OUTER, o, &first);
	struct outer *again = load_good(buf_str(&first));
	conf_print(&OUTER, again, &second);
	assert_string_equal(buf_str(&first), buf_str(&second));
	assert_string_equal(again->name, o->name);
	for (size_t i = 0; i < o->list.count; i++)
		assert_string_equal(again->list.items[i], o->list.items[i]);
	for (size_t i = 0; i < o->map.count; i++) {
		assert_string_equal(again->map.pairs[i].key, o->map.pairs[i].key);
		assert_string_equal(again->map.pairs[i].value, o->map.pairs[i].value);
	}
	assert_int_equal(again->timeout_ms, 86399999);
	drop(o);
	drop(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_left_out_have_their_defaults),
		cmocka_unit_test(every_kind_of_option_is_read),
		cmocka_unit_test(all_mistakes_are_told_with_their_lines),
		cmocka_unit_test(what_is_required_must_be_there),
		cmocka_unit_test(a_very_long_unknown_key_is_told),
		cmocka_unit_test(printing_shows_all_but_the_secrets),
		cmocka_unit_test(what_is_printed_reads_back_as_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
