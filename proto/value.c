/* SQLite's numbers, NULL and BLOBs as JSON text, without printf where it can be had. Text is in string.c. */
#include "proto/value.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/digits.h"

/* Integers a double holds exactly, and with it every JSON reader: +-(2^53-1). */
#define SAFE_INT INT64_C(9007199254740991)
/* Sign and 19 digits. */
#define INT_CHARS 20

static const char digit_pairs[201] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
				     "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
				     "8081828384858687888990919293949596979899";

/* Writes the digits of v so that they end before `end`; returns where they begin. */
static char *format_digits(char *end, uint64_t v)
{
	while (v >= 100) {
		end -= 2;
		memcpy(end, digit_pairs + v % 100 * 2, 2);
		v /= 100;
	}
	if (v >= 10) {
		end -= 2;
		memcpy(end, digit_pairs + v * 2, 2);
	} else {
		*--end = (char)('0' + v);
	}
	return end;
}

static void write_plain_int(struct buf *out, int64_t v)
{
	char text[INT_CHARS];
	char *begin = format_digits(text + INT_CHARS, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);

	if (v < 0)
		*--begin = '-';
	buf_add(out, begin, (size_t)(text + INT_CHARS - begin));
}

void value_write_null(struct buf *out) { buf_add(out, "null", 4); }

void value_write_int(struct buf *out, int64_t v, enum int64_mode mode)
{
	if (mode == INT64_NUMBER || (mode == INT64_AUTO && v >= -SAFE_INT && v <= SAFE_INT)) {
		write_plain_int(out, v);
		return;
	}
	buf_add(out, "{\"int\":\"", 8);
	write_plain_int(out, v);
	buf_add(out, "\"}", 2);
}

double digits_power(int decimals)
{
	static const double powers[DIGITS_FRACTION_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

	return powers[decimals];
}

void digits_write_fixed(struct buf *out, bool negative, uint64_t m, int decimals)
{
	char text[INT_CHARS + DIGITS_FRACTION_MAX + 2];
	char *end = text + sizeof text, *begin = end;
	uint64_t unit = (uint64_t)digits_power(decimals);

	if (decimals > 0) {
		/* A leading 1 holds the zeros behind the point; its place is the point's. */
		begin = format_digits(end, m % unit + unit);
		*begin = '.';
	}
	begin = format_digits(begin, m / unit);
	if (negative)
		*--begin = '-';
	buf_add(out, begin, (size_t)(end - begin));
}

/*
 * Numbers with few digits behind the point, which is what people store: v = m / 10^k with m below 10^15. Division of
 * two exact doubles is rounded correctly, so m / 10^k == v proves that the text reads back as v; and of the texts of at
 * most 15 digits only one reads back as a given double, so the smallest k is the shortest text.
 */
static bool write_short_real(struct buf *out, double v)
{
	double magnitude = fabs(v), scaled = 0;
	int k;

	for (k = 0; k <= DIGITS_FRACTION_MAX; k++) {
		scaled = magnitude * digits_power(k);
		if (!(scaled < 1e15))
			return false;
		scaled = (double)(uint64_t)(scaled + 0.5); /* to the nearest, without libm */
		if (scaled / digits_power(k) == magnitude)
			break;
	}
	/* Below a thousandth %g would choose an exponent, which is shorter. */
	if (k > DIGITS_FRACTION_MAX || (magnitude != 0 && magnitude < 1e-3))
		return false;
	digits_write_fixed(out, signbit(v) != 0, (uint64_t)scaled, k);
	if (k == 0)
		buf_add(out, ".0", 2);
	return true;
}

void value_write_real(struct buf *out, double v)
{
	char text[40];
	bool marked = false;
	size_t n, i;
	int precision;

	if (isnan(v)) {
		value_write_null(out);
		return;
	}
	if (isinf(v)) {
		buf_puts(out, v > 0 ? "{\"real\":\"inf\"}" : "{\"real\":\"-inf\"}");
		return;
	}
	if (write_short_real(out, v))
		return;
	/* Any text of 15 digits is some double's own, except below DBL_MIN, where fewer digits do. */
	for (precision = fabs(v) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
		(void)snprintf(text, sizeof text, "%.*g", precision, v);
		if (strtod(text, NULL) == v)
			break;
	}
	n = strlen(text);
	for (i = 0; i < n; i++) {
		if (text[i] == 'e') {
			marked = true;
		} else if ((text[i] < '0' || text[i] > '9') && text[i] != '-' && text[i] != '+') {
			text[i] = '.'; /* a host program's locale may have put a comma */
			marked = true;
		}
	}
	buf_add(out, text, n);
	if (!marked)
		buf_add(out, ".0", 2);
}

void value_write_blob(struct buf *out, const void *p, size_t n)
{
	buf_add(out, "{\"blob\":\"", 9);
	base64_write(out, p, n);
	buf_add(out, "\"}", 2);
}

void value_write(struct buf *out, const struct value *v, enum int64_mode mode)
{
	switch (v->type) {
	case VALUE_NULL:
		value_write_null(out);
		break;
	case VALUE_INT:
		value_write_int(out, v->i, mode);
		break;
	case VALUE_REAL:
		value_write_real(out, v->r);
		break;
	case VALUE_TEXT:
		value_write_text(out, v->s.p, v->s.n);
		break;
	case VALUE_BLOB:
		value_write_blob(out, v->s.p, v->s.n);
		break;
	}
}
