/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/alert/gsm.h"

#include <string.h>
#include <wchar.h>

#include "common/utf8.h"

/* Beyond ASCII; GSM has the Greek letters that look like none of the Latin ones. */
static const wchar_t BASIC[] = L"£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";

/* What of ASCII it does not have is only this one; these have to be escaped, and count twice. */
#define TWICE "^{}\\[~]|"
#define EURO 0x20ac

static const struct {
	const wchar_t *from;
	const char *to;
} NEAREST[] = {
	{L"ÀÁÂÃĀĂĄ", "A"},      {L"áâãāăą", "a"}, {L"ĆČ", "C"},    {L"çćč", "c"}, {L"Ď", "D"},
	{L"ďđ", "d"},           {L"ÈÊËĒĘĚ", "E"}, {L"êëēęě", "e"}, {L"Ğ", "G"},   {L"ğ", "g"},
	{L"ÌÍÎÏİ", "I"},        {L"íîïı", "i"},   {L"Ł", "L"},     {L"ł", "l"},   {L"ŃŇ", "N"},
	{L"ńň", "n"},           {L"ÒÓÔÕŐ", "O"},  {L"óôõő", "o"},  {L"Ř", "R"},   {L"ř", "r"},
	{L"ŚŠŞ", "S"},          {L"śšş", "s"},    {L"Ť", "T"},     {L"ť", "t"},   {L"ÙÚÛŰŮ", "U"},
	{L"úûűů", "u"},         {L"Ý", "Y"},      {L"ýÿ", "y"},    {L"ŹŻŽ", "Z"}, {L"źżž", "z"},
	{L"‘’‚`´", "'"},        {L"“”„«»", "\""}, {L"–—‐‑−", "-"}, {L"…", "..."}, {L"→", "->"},
	{L"\u00a0\t\n\r", " "},
};

/* Its length in GSM characters; 0: not of the alphabet. */
static size_t width(uint32_t ch)
{
	if (ch == EURO || (ch < 0x80 && ch != 0 && strchr(TWICE, (int)ch) != NULL))
		return 2;
	if (ch >= ' ' && ch < 0x7f)
		return ch != '`';
	return ch == '\n' || (ch >= 0x80 && wcschr(BASIC, (wchar_t)ch) != NULL);
}

static const char *nearest(uint32_t ch)
{
	for (size_t i = 0; ch != 0 && i < ARRAY_LEN(NEAREST); i++) {
		if (wcschr(NEAREST[i].from, (wchar_t)ch) != NULL)
			return NEAREST[i].to;
	}
	return "?";
}

/* The next character in the alphabet: *ret_text of *ret_size bytes. Returns how many bytes of s it
 * stands for. */
static size_t next(const char *s, size_t size, const char **ret_text, size_t *ret_size)
{
	uint32_t ch = 0;
	size_t step = utf8_decode(s, size, &ch);

	if (step != 0 && width(ch) != 0) {
		*ret_text = s;
		*ret_size = step;
		return step;
	}
	*ret_text = step == 0 ? "?" : nearest(ch);
	*ret_size = strlen(*ret_text);
	return step == 0 ? 1 : step;
}

size_t gsm_length(const char *text, size_t size)
{
	uint32_t ch = 0;
	size_t length = 0;

	for (size_t at = 0, step = 0; at < size; at += step) {
		step = utf8_decode(text + at, size - at, &ch);
		if (step == 0 || width(ch) == 0)
			return 0;
		length += width(ch);
	}
	return length;
}

void gsm_put(struct buf *out, const char *text, size_t size)
{
	const size_t start = out->size;
	size_t length = 0;
	size_t short_of_dots = start; /* where it is cut if it does not fit */
	const char *s = NULL;
	size_t n = 0;

	for (size_t at = 0; at < size;) {
		at += next(text + at, size - at, &s, &n);
		length += gsm_length(s, n);
		if (length > GSM_MAX) {
			out->size = short_of_dots;
			buf_puts(out, "...");
			return;
		}
		buf_put(out, s, n);
		if (length <= GSM_MAX - 3)
			short_of_dots = out->size;
	}
}
