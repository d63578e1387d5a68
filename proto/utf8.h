/* The one UTF-8 decoder step that validation and the string writers share. Inside proto only. */
#ifndef ALTERD_PROTO_UTF8_H
#define ALTERD_PROTO_UTF8_H

#include <stddef.h>
#include <stdint.h>

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

#endif
