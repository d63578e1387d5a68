/* Base64 as RFC 4648 has it, padded. Strict on reading: BLOBs must come back as they were sent, or not at all. */
#include <stdint.h>

#include "proto/value.h"

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct buf *out, const void *data, size_t n)
{
	const uint8_t *p = data;
	char *to;
	size_t i;
	uint32_t w;

	if (n > SIZE_MAX / 4) {
		out->failed = true;
		return;
	}
	to = buf_reserve(out, (n + 2) / 3 * 4);
	if (to == NULL)
		return;
	for (i = 0; i + 3 <= n; i += 3) {
		w = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
		*to++ = alphabet[w >> 18];
		*to++ = alphabet[w >> 12 & 63];
		*to++ = alphabet[w >> 6 & 63];
		*to++ = alphabet[w & 63];
	}
	if (i < n) {
		w = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0);
		*to++ = alphabet[w >> 18];
		*to++ = alphabet[w >> 12 & 63];
		*to++ = i + 1 < n ? alphabet[w >> 6 & 63] : '=';
		*to++ = '=';
	}
	out->len += (n + 2) / 3 * 4;
}

#define BAD 0xFF

/* Six bits of each character; BAD for all others. The rows are spelled out so that the table is constant data. */
static const uint8_t sixbits[256] = {
#define B4 BAD, BAD, BAD, BAD
#define B16 B4, B4, B4, B4
	B16, B16, B4, B4, BAD, BAD, BAD, 62, BAD, BAD, BAD, 63,                     /* to '/' */
	52,  53,  54, 55, 56,  57,  58,  59, 60,  61,  BAD, BAD, B4,                /* '0' on */
	BAD, 0,   1,  2,  3,   4,   5,   6,  7,   8,   9,   10,  11,  12,  13,  14, /* '@' on */
	15,  16,  17, 18, 19,  20,  21,  22, 23,  24,  25,  BAD, B4,                /* 'P' on */
	BAD, 26,  27, 28, 29,  30,  31,  32, 33,  34,  35,  36,  37,  38,  39,  40,  41,  42,  43,
	44,  45,  46, 47, 48,  49,  50,  51, BAD, B4,  B16, B16, B16, B16, B16, B16, B16, B16,
#undef B16
#undef B4
};

/* One group of four; `keep` (1 to 3) bytes of it are wanted, the bits behind them must be zero. */
static bool decode_group(const uint8_t *p, unsigned keep, uint8_t *to)
{
	uint8_t a = sixbits[p[0]], b = sixbits[p[1]];
	uint8_t c = keep > 1 ? sixbits[p[2]] : 0, d = keep > 2 ? sixbits[p[3]] : 0;
	uint32_t w;

	if ((a | b | c | d) & 0x80)
		return false;
	w = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | d;
	to[0] = (uint8_t)(w >> 16);
	if (keep > 1)
		to[1] = (uint8_t)(w >> 8);
	if (keep > 2)
		to[2] = (uint8_t)w;
	return (w & ((UINT32_C(1) << (24 - 8 * keep)) - 1)) == 0;
}

long base64_decode(const char *text, size_t n, void *out)
{
	const uint8_t *p = (const uint8_t *)text;
	uint8_t *to = out;
	unsigned keep;

	if (n % 4 != 0)
		return -1;
	for (; n > 4; n -= 4, p += 4, to += 3) {
		if (!decode_group(p, 3, to))
			return -1;
	}
	if (n == 4) {
		keep = p[3] != '=' ? 3 : p[2] != '=' ? 2 : 1;
		if (!decode_group(p, keep, to))
			return -1;
		to += keep;
	}
	return (long)(to - (uint8_t *)out);
}
