/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/mac.h"
#include "temp.h"

static void to_hex(const uint8_t *bytes, char ret_text[static 2 * MAC_SIZE + 1])
{
	for (size_t i = 0; i < MAC_SIZE; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

static void assert_hex(const uint8_t *bytes, const char *want)
{
	char text[2 * MAC_SIZE + 1];

	to_hex(bytes, text);
	assert_string_equal(text, want);
}

/* RFC 4231 pads shorter keys with zeros, as a key of 32 bytes may end. */
static void codes_are_those_of_the_standard(void **state)
{
	(void)state;
	struct mac_key key = {{0}};
	uint8_t code[MAC_SIZE];

	memset(key.bytes, 0x0b, 20); /* test case 1 */
	mac_code(&key, "Hi There", 8, code);
	assert_hex(code, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	key = (struct mac_key){{0}};
	memcpy(key.bytes, "Jefe", 4); /* test case 2 */
	mac_code(&key, "what do ya want for nothing?", 28, code);
	assert_hex(code, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	mac_digest("abc", 3, code);
	assert_hex(code, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	mac_digest("", 0, code);
	assert_hex(code, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void one_bit_makes_a_difference(void **state)
{
	(void)state;
	struct mac_key a, b;
	uint8_t code[MAC_SIZE], other[MAC_SIZE];

	mac_random(&a);
	mac_random(&b);
	assert_false(mac_same(a.bytes, b.bytes));
	mac_code(&a, "text", 4, code);
	for (int bit = 0; bit < 8 * MAC_SIZE; bit++) {
		b = a;
		b.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(mac_same(a.bytes, b.bytes));
		mac_code(&b, "text", 4, other);
		assert_false(mac_same(code, other));
	}
	mac_code(&a, "tExt", 4, other);
	assert_false(mac_same(code, other));
	mac_code(&a, "text", 4, other);
	assert_true(mac_same(code, other));
}

static const char *read_text(const char *dir, const char *text, mode_t mode, struct mac_key *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/key", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
	return mac_key_read(path, ret);
}

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eFF"

static void a_key_is_read_as_it_is_made(void **state)
{
	(void)state;
	static const char *const good[] = {HEX, HEX "\n", HEX " \r\nsecond line\n",
					   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=\n"};
	struct temp t = temp_make();
	struct mac_key key;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		key = (struct mac_key){{0}};
		assert_null(read_text(t.dir, good[i], 0600, &key));
		for (uint8_t k = 0; k < MAC_SIZE; k++)
			assert_int_equal(key.bytes[k], k == 31 ? 0xff : k);
	}
	temp_remove(&t);
}

static void what_is_no_key_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"\n",
		"secret",
		HEX "00",
		"zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd",
		"!AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8="};
	struct temp t = temp_make();
	struct mac_key key;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(read_text(t.dir, bad[i], 0600, &key));
	assert_non_null(strstr(read_text(t.dir, HEX, 0604, &key), "others may read"));
	assert_null(read_text(t.dir, HEX, 0640, &key));
	assert_non_null(mac_key_read("/nowhere/key", &key));
	temp_remove(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_those_of_the_standard),
		cmocka_unit_test(one_bit_makes_a_difference),
		cmocka_unit_test(a_key_is_read_as_it_is_made),
		cmocka_unit_test(what_is_no_key_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
