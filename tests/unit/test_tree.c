/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/tree.h"

/* A tree in one line: {key: text, list: [a, b]}, null scalars as ~. */
static void flatten(const struct tree_node *node, struct buf *out)
{
	static const char *const BRACKETS[] = {"", "[]", "{}"};
	const char *brackets = BRACKETS[node->kind];

	if (node->kind == TREE_SCALAR) {
		buf_puts(out, node->null ? "~" : node->text);
		return;
	}
	buf_putc(out, brackets[0]);
	for (const struct tree_node *child = node->first; child != NULL; child = child->next) {
		buf_puts(out, child == node->first ? "" : ", ");
		if (child->key != NULL)
			buf_printf(out, "%s: ", child->key);
		flatten(child, out);
	}
	buf_putc(out, brackets[1]);
}

static struct tree *parse(const char *text)
{
	CLEANUP(buf_free) struct buf errors = {0};
	struct tree *tree = NULL;

	if (tree_parse("f", text, strlen(text), &errors, &tree) != ERR_OK)
		fail_msg("%s: %s", text, buf_str(&errors));
	assert_int_equal(errors.size, 0);
	return tree;
}

static const struct {
	const char *yaml;
	const char *flat;
} GOOD[] = {
	{"", "{}"},
	{"# nothing\n", "{}"},
	{"---\n", "{}"},
	{"~", "{}"},
	{"a: 1", "{a: 1}"},
	{"\xef\xbb\xbf"
	 "a: 1",
	 "{a: 1}"},
	{"a: 1\r\nb: 2\r\n", "{a: 1, b: 2}"},
	{"a:\n- x\n- y\nb: [z, 'w w']\n", "{a: [x, y], b: [z, w w]}"},
	{"a: {b: {c: d}}", "{a: {b: {c: d}}}"},
	{"a:\nb: ~\nc: null\nd: ''\ne: 'null'\n", "{a: ~, b: ~, c: ~, d: , e: null}"},
	{"a: |\n  x\n  y\n", "{a: x\ny\n}"},
	{"'a b': \"\\u00e9\"", "{a b: \xc3\xa9}"},
	{"a: ${WARREN_TEST}", "{a: value}"},
	{"a: '<${WARREN_TEST}${WARREN_TEST}>'", "{a: <valuevalue>}"},
	{"a: ${WARREN_EMPTY}", "{a: }"},
	{"a: $${WARREN_TEST}", "{a: ${WARREN_TEST}}"},
	{"a: $$${WARREN_TEST}", "{a: $${WARREN_TEST}}"},
	{"a: $WARREN_TEST $ {x} $", "{a: $WARREN_TEST $ {x} $}"},
	{"a: '${WARREN_YAML}'", "{a: x: [1, ${WARREN_TEST}]}"}, /* text, not structure */
	{"${WARREN_TEST}: 1", "{${WARREN_TEST}: 1}"},           /* keys stay */
};

static void documents_become_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
		CLEANUP(buf_free) struct buf flat = {0};
		CLEANUP(tree_free) struct tree *tree = parse(GOOD[i].yaml);

		flatten(tree_root(tree), &flat);
		assert_string_equal(buf_str(&flat), GOOD[i].flat);
	}
}

static const struct {
	const char *yaml;
	const char *errors;
} BAD[] = {
	{"- a", "f:1: expects a map of options at the top\n"},
	{"word", "f:1: expects a map of options at the top\n"},
	{"a: 1\nb: 2\na: 3", "f:3: a: given twice, first in line 1\n"},
	{"a: 1\nx:\n  b: 1\n  b: 2\na: 3",
	 "f:4: b: given twice, first in line 3\nf:5: a: given twice, first in line 1\n"},
	{"a: &x 1\nb: [&y 2]", "f:1: &x: anchors are not allowed; write the value out\n"
			       "f:2: &y: anchors are not allowed; write the value out\n"},
	{"a: 1\nb: *x\n", "f:2: *x: aliases are not allowed; write the value out\n"},
	{"a: !!str 1\nb: !x [1]\nc: ! {}\n",
	 "f:1: tag:yaml.org,2002:str: tags are not allowed; leave it out\n"
	 "f:2: !x: tags are not allowed; leave it out\n"
	 "f:3: !: tags are not allowed; leave it out\n"},
	{"a: 1\n---\nb: 2\n", "f:2: a second document; a file may have one\n"},
	{"? [a]\n: 1\n", "f:1: a map or list where a key is expected; a key is one word\n"},
	{"a: \"x\\0y\"\n", "f:1: a NUL byte; text may not hold one\n"},
	{"\n\na: 1\n  b: 2\n", "f:4: mapping values are not allowed in this context\n"},
	{"a: [1, 2\nb: 3\n", "f:2: did not find expected ',' or ']' while parsing a flow "
			     "sequence\n"},
	{"a: \"x\n", "f:2: found unexpected end of stream while scanning a quoted scalar\n"},
	{"a:\n\tb: 1\n", "f:2: found character that cannot start any token while scanning for the "
			 "next token\n"},
	{"a: 1\nb: \xff\n", "f:2: invalid leading UTF-8 octet\n"},
	{"a: 1\nb: x\x01\n", "f:2: control characters are not allowed\n"},
	{"a: ${WARREN_UNSET}\nb: ${WARREN_UNSET_TOO}",
	 "f:1: ${WARREN_UNSET}: not set in the environment\n"
	 "f:2: ${WARREN_UNSET_TOO}: not set in the environment\n"},
	{"a: x\nb: ${}", "f:2: ${ without a name and }; write ${NAME}, or $${ for a plain ${\n"},
	{"a: '${1X}'", "f:1: ${ without a name and }; write ${NAME}, or $${ for a plain ${\n"},
	{"a: '${A'", "f:1: ${ without a name and }; write ${NAME}, or $${ for a plain ${\n"},
	{"a: '${A-B}'", "f:1: ${ without a name and }; write ${NAME}, or $${ for a plain ${\n"},
	{"a: ${WARREN_LATIN1}", "f:1: ${WARREN_LATIN1}: not UTF-8\n"},
	{"\"a\\nb\": 1\n\"a\\nb\": 2\n", "f:2: \"a\\nb\": given twice, first in line 1\n"},
};

static void what_is_wrong_is_told_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		CLEANUP(buf_free) struct buf errors = {0};
		struct tree *tree = NULL;

		assert_int_equal(tree_parse("f", BAD[i].yaml, strlen(BAD[i].yaml), &errors, &tree),
				 ERR_CONFIG);
		assert_null(tree);
		assert_string_equal(buf_str(&errors), BAD[i].errors);
	}
}

static void expect_error(const struct buf *text, const char *want)
{
	CLEANUP(buf_free) struct buf errors = {0};
	struct tree *tree = NULL;

	assert_int_equal(tree_parse("f", text->data, text->size, &errors, &tree), ERR_CONFIG);
	assert_string_equal(buf_str(&errors), want);
}

static void depth_is_limited(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf text = {0};
	CLEANUP(tree_free) struct tree *tree = NULL;

	buf_puts(&text, "a: ");
	for (int i = 1; i < TREE_DEPTH_MAX; i++)
		buf_putc(&text, '[');
	for (int i = 1; i < TREE_DEPTH_MAX; i++)
		buf_putc(&text, ']');
	tree = parse(buf_str(&text));
	buf_reset(&text);
	buf_puts(&text, "a: ");
	for (int i = 0; i < TREE_DEPTH_MAX; i++)
		buf_putc(&text, '[');
	expect_error(&text, "f:1: nested too deep; 64 levels are allowed\n");
}

static void sizes_are_limited(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf text = {0};

	buf_puts(&text, "a: [");
	for (int i = 0; i < TREE_NODES_MAX; i++)
		buf_puts(&text, "1,");
	buf_puts(&text, "]");
	expect_error(&text, "f:1: too many values; a file may have 100000\n");
	buf_reset(&text);
	for (int i = 0; i <= TREE_KEYS_MAX; i++)
		buf_printf(&text, "k%d: 1\n", i);
	expect_error(&text, "f:1001: too many keys; a map may have 1000\n");
	buf_reset(&text);
	for (int i = 0; i <= TREE_KEY_MAX; i++)
		buf_putc(&text, 'k');
	buf_puts(&text, ": 1\n");
	expect_error(&text, "f:1: a key of 129 bytes; 128 are allowed\n");
	buf_reset(&text);
	memset(buf_reserve(&text, TREE_FILE_MAX + 1), '\n', TREE_FILE_MAX + 1);
	text.size = TREE_FILE_MAX + 1;
	expect_error(&text, "f: too large; 4194304 bytes are allowed\n");
}

static void the_environment_cannot_blow_a_file_up(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf text = {0};
	char *big = calloc(1, 100001);

	memset(big, 'x', 100000);
	setenv("WARREN_BIG", big, 1);
	free(big);
	buf_puts(&text, "a: ");
	for (int i = 0; i < 42; i++)
		buf_puts(&text, "${WARREN_BIG}");
	expect_error(&text, "f:1: more than 4194304 bytes come from the environment\n");
	unsetenv("WARREN_BIG");
}

static void the_list_of_errors_ends_somewhere(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};

	for (int i = 0; i < 100000; i++)
		tree_error(&errors, "f", i, "something is wrong");
	assert_true(errors.size < 70000);
}

static void nodes_know_their_line_and_key(void **state)
{
	(void)state;
	CLEANUP(tree_free) struct tree *tree = parse("a: 1\nb:\n  - x\n  - c: d\n");
	const struct tree_node *b = tree_get(tree_root(tree), "b");

	assert_non_null(b);
	assert_string_equal(b->key, "b");
	assert_string_equal(b->file, "f");
	assert_int_equal(b->count, 2);
	assert_int_equal(b->first->line, 3);
	assert_int_equal(tree_get(b->last, "c")->line, 4);
	assert_null(tree_get(tree_root(tree), "c"));
	assert_null(tree_get(b, "x"));
	assert_null(tree_get(NULL, "x"));
}

static const struct {
	const char *base;
	const char *overlay;
	const char *flat;
} MERGES[] = {
	{"a: 1", "b: 2", "{a: 1, b: 2}"},
	{"a: 1\nb: 2", "a: 3", "{a: 3, b: 2}"},
	{"m: {a: 1, b: 2}", "m: {b: 3, c: 4}", "{m: {a: 1, b: 3, c: 4}}"},
	{"l: [a, b]", "l: [c]", "{l: [c]}"},
	{"l: [{a: 1}]", "l: [{a: 2}, {b: 3}]", "{l: [{a: 1}, {a: 2}, {b: 3}]}"},
	{"l: []", "l: [{a: 2}]", "{l: [{a: 2}]}"},
	{"l: [{a: 2}]", "l: []", "{l: []}"},
	{"l: x", "l: [{a: 2}]", "{l: [{a: 2}]}"},
	{"a: 1\nm: {b: 2}\nz: 3", "m: x", "{a: 1, m: x, z: 3}"},
	{"m: x", "m: {b: 2}", "{m: {b: 2}}"},
	{"m:", "m: {b: 2}", "{m: {b: 2}}"},
	{"m: {b: 2}", "m:", "{m: {b: 2}}"},
	{"", "a: 1", "{a: 1}"},
	{"a: 1", "", "{a: 1}"},
};

static void merging_follows_its_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(MERGES); i++) {
		CLEANUP(tree_free) struct tree *base = parse(MERGES[i].base);
		CLEANUP(tree_free) struct tree *overlay = parse(MERGES[i].overlay);
		CLEANUP(buf_free) struct buf flat = {0};

		tree_merge(base, &overlay);
		assert_null(overlay);
		flatten(tree_root(base), &flat);
		assert_string_equal(buf_str(&flat), MERGES[i].flat);
	}
}

/* --- files --- */

static char directory[64];

static int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/test_tree.XXXXXX");
	return mkdtemp(directory) == NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_directory(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void files_of_conf_d_are_merged_by_name(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf flat = {0};
	CLEANUP(tree_free) struct tree *tree = NULL;

	write_file("a.yaml", "a: 0\nl: [{x: 0}]\n");
	mkdir(path_of("conf.d"), 0700);
	write_file("conf.d/20.yaml", "a: 20\nl: [{x: 20}]\n");
	write_file("conf.d/10.yaml", "a: 10\nb: 10\nl: [{x: 10}]\n");
	write_file("conf.d/.30.yaml", "a: hidden\n");
	write_file("conf.d/30.yml", "a: other\n");
	write_file("conf.d/40.yaml.bak", "a: other\n");
	assert_int_equal(tree_load(path_of("a.yaml"), &errors, &tree), ERR_OK);
	flatten(tree_root(tree), &flat);
	assert_string_equal(buf_str(&flat), "{a: 20, l: [{x: 0}, {x: 10}, {x: 20}], b: 10}");
	assert_string_equal(tree_get(tree_root(tree), "b")->file, path_of("conf.d/10.yaml"));
}

static void errors_of_all_files_come_together(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf want = {0};
	struct tree *tree = NULL;

	write_file("a.yaml", "a: [\n");
	write_file("conf.d/20.yaml", "b: &x 1\n");
	write_file("conf.d/10.yaml", "- c\n");
	assert_int_equal(tree_load(path_of("a.yaml"), &errors, &tree), ERR_CONFIG);
	assert_null(tree);
	buf_printf(&want,
		   "%s/a.yaml:2: did not find expected node content while parsing a flow "
		   "node\n",
		   directory);
	buf_printf(&want, "%s/conf.d/10.yaml:1: expects a map of options at the top\n", directory);
	buf_printf(&want, "%s/conf.d/20.yaml:1: &x: anchors are not allowed; write the value out\n",
		   directory);
	assert_string_equal(buf_str(&errors), buf_str(&want));
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf errors = {0};
	CLEANUP(buf_free) struct buf want = {0};
	struct tree *tree = NULL;

	assert_int_equal(tree_load("/nowhere/none.yaml", &errors, &tree), ERR_CONFIG);
	assert_string_equal(buf_str(&errors),
			    "/nowhere/none.yaml: cannot be read: No such file or directory\n");
	buf_reset(&errors);
	assert_int_equal(tree_load(directory, &errors, &tree), ERR_CONFIG);
	buf_printf(&want, "%s: cannot be read: Is a directory\n", directory);
	assert_string_equal(buf_str(&errors), buf_str(&want));
}

static int set_environment(void **state)
{
	(void)state;
	setenv("WARREN_TEST", "value", 1);
	setenv("WARREN_EMPTY", "", 1);
	setenv("WARREN_YAML", "x: [1, ${WARREN_TEST}]", 1);
	setenv("WARREN_LATIN1", "caf\xe9", 1);
	unsetenv("WARREN_UNSET");
	unsetenv("WARREN_UNSET_TOO");
	return make_directory(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_become_trees),
		cmocka_unit_test(what_is_wrong_is_told_with_its_line),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(sizes_are_limited),
		cmocka_unit_test(the_environment_cannot_blow_a_file_up),
		cmocka_unit_test(the_list_of_errors_ends_somewhere),
		cmocka_unit_test(nodes_know_their_line_and_key),
		cmocka_unit_test(merging_follows_its_rules),
		cmocka_unit_test(files_of_conf_d_are_merged_by_name),
		cmocka_unit_test(errors_of_all_files_come_together),
		cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, set_environment, remove_directory);
}
