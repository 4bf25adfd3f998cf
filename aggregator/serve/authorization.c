/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/serve/authorization.h"

#include <string.h>
#include <strings.h>

#include "common/err.h"

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decode a text whose padding is whole and whose last bits are 0, so that there is one way alone
 * to write anything. Returns the size, which fits. */
static int decode(const char *s, char text[static AUTHORIZATION_SECRET_MAX + 1], size_t *ret_size)
{
	size_t digits = strcspn(s, "=");
	size_t padding = strlen(s + digits);
	uint32_t bits = 0;
	size_t size = 0;

	if ((digits + padding) % 4 != 0 || padding > 2 || strspn(s + digits, "=") != padding ||
	    digits / 4 * 3 + 2 > AUTHORIZATION_SECRET_MAX)
		return ERR_MALFORMED;
	for (size_t i = 0; i < digits; i++) {
		int digit = base64_digit(s[i]);

		if (digit < 0)
			return ERR_MALFORMED;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4 != 0)
			text[size++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
	}
	if (padding > 0 && (bits & (padding == 1 ? 0x3u : 0xfu)) != 0)
		return ERR_MALFORMED;
	text[size] = '\0';
	*ret_size = size;
	return ERR_OK;
}

/* Whether there is no control character, and so no NUL, among the size bytes. */
static bool printable(const char *s, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
	}
	return true;
}

static int parse_basic(const char *value, struct authorization *a)
{
	size_t size = 0;

	if (decode(value, a->text, &size) != ERR_OK || !printable(a->text, size))
		return ERR_MALFORMED;
	char *colon = memchr(a->text, ':', size);
	if (colon == NULL || colon == a->text)
		return ERR_MALFORMED;
	*colon = '\0';
	a->basic = true;
	a->user = a->text;
	a->secret = colon + 1;
	return ERR_OK;
}

static int parse_bearer(const char *value, struct authorization *a)
{
	size_t size = strlen(value);

	if (size == 0 || size > AUTHORIZATION_SECRET_MAX || !printable(value, size) ||
	    strchr(value, ' ') != NULL)
		return ERR_MALFORMED;
	memcpy(a->text, value, size + 1);
	a->secret = a->text;
	return ERR_OK;
}

/* Where the credentials start behind the name of a scheme; NULL: it is another one. */
static const char *behind(const char *header, const char *scheme)
{
	size_t size = strlen(scheme);

	if (strncasecmp(header, scheme, size) != 0 || header[size] != ' ')
		return NULL;
	return header + size + strspn(header + size, " ");
}

int authorization_parse(const char *header, struct authorization *ret_a)
{
	const char *value = behind(header, "Bearer");

	*ret_a = (struct authorization){.basic = false};
	if (value != NULL)
		return parse_bearer(value, ret_a);
	value = behind(header, "Basic");
	return value != NULL ? parse_basic(value, ret_a) : ERR_MALFORMED;
}

void authorization_wipe(struct authorization *a)
{
	explicit_bzero(a, sizeof(*a));
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int authorization_parse_digest(const char *hex, uint8_t ret_digest[static MAC_SIZE])
{
	if (strlen(hex) != (size_t)2 * MAC_SIZE)
		return ERR_MALFORMED;
	for (size_t i = 0; i < MAC_SIZE; i++) {
		int high = hex_digit(hex[2 * i]);
		int low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return ERR_MALFORMED;
		ret_digest[i] = (uint8_t)(high << 4 | low);
	}
	return ERR_OK;
}
