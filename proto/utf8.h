/* What reading and writing of JSON strings share: UTF-8 one sequence at a time, and runs of plain ASCII. */
#ifndef ALTERD_PROTO_UTF8_H
#define ALTERD_PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UTF8_ONES UINT64_C(0x0101010101010101)
#define UTF8_HIGHS UINT64_C(0x8080808080808080)

/*
 * Length (2 to 4) of the well-formed sequence at p, which starts with a byte >= 0x80 and has n >= 1 bytes; 0 if it is
 * not one. The narrower ranges for the second byte keep out overlong forms, surrogates and what is above U+10FFFF.
 */
static inline unsigned utf8_sequence(const uint8_t *p, size_t n)
{
	uint8_t low = 0x80, high = 0xBF;
	unsigned length, i;

	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	length = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (n < length)
		return 0;
	if (p[0] == 0xE0)
		low = 0xA0;
	else if (p[0] == 0xED)
		high = 0x9F;
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F;
	if (p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < length; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	return length;
}

/* Nonzero if one of eight bytes cannot stand in a JSON string as it is: below 0x20, above 0x7f, quote, backslash. */
static inline uint64_t utf8_special(const uint8_t *p)
{
	uint64_t w, quote, backslash;

	memcpy(&w, p, sizeof w);
	quote = w ^ (UTF8_ONES * '"');
	backslash = w ^ (UTF8_ONES * '\\');
	/* Each term is the classic "has a byte less than" test; high bytes are caught by w itself. */
	return (w | (w - UTF8_ONES * 0x20) | (quote - UTF8_ONES) | (backslash - UTF8_ONES)) & UTF8_HIGHS;
}

/* How many of the n bytes at p are plain ASCII before the first that is not, eight at a time. */
static inline size_t utf8_plain_run(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (n - i >= 8 && utf8_special(p + i) == 0)
		i += 8;
	while (i < n && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\')
		i++;
	return i;
}

#endif
