/*
 * Values as text, as sqlite3's shell of SQLite 3.40 writes them.
 *
 * TEXT ends at its first NUL there, as it does here; only JSON shows a BLOB whole.
 */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/shell.h"
#include "proto/value.h"

#define TWO_TO_63 9223372036854775808.0

/* ---- REAL ---- */

/*
 * SQLite's own arithmetic, in long double, step by step: C's printf() rounds exact ties to even and knows digits beyond
 * those that a long double holds, and would differ in the last one now and then.
 */
static int scale_down(long double *v)
{
	long double scale = 1.0L;
	int exponent = 0;

	if (*v <= 0)
		return 0;
	for (; *v >= 1e100 * scale && exponent <= 350; exponent += 100)
		scale *= 1e100;
	for (; *v >= 1e10 * scale && exponent <= 350; exponent += 10)
		scale *= 1e10;
	for (; *v >= 10.0 * scale && exponent <= 350; exponent++)
		scale *= 10.0;
	*v /= scale;
	for (; *v < 1e-8; exponent -= 8)
		*v *= 1e8;
	for (; *v < 1.0; exponent--)
		*v *= 10.0;
	return exponent;
}

static char take_digit(long double *v)
{
	int d = (int)*v;

	*v = (*v - d) * 10.0;
	return (char)('0' + d);
}

/* `n` digits, without the zeros at the end but at least one. */
static void add_fraction(struct buf *out, long double *v, int zeros, int n)
{
	size_t least = out->len + 1;

	for (; zeros > 0; zeros--)
		buf_putc(out, '0');
	for (; n > 0; n--)
		buf_putc(out, take_digit(v));
	if (out->len < least)
		buf_putc(out, '0');
	while (!out->failed && out->len > least && out->data[out->len - 1] == '0')
		buf_truncate(out, out->len - 1);
}

void text_real(struct buf *out, double v, int digits)
{
	/* Half of the last digit; two factors, as SQLite has it. */
	double half = (digits == 15 ? 5.0e-05 : 5.0e-10) * 1.0e-10;
	long double x = v < 0 ? -(long double)v : (long double)v;
	int exponent, behind = digits - 1;

	if (v < 0)
		buf_putc(out, '-');
	if (!isfinite(v)) {
		buf_puts(out, isnan(v) ? "NaN" : "Inf");
		return;
	}
	exponent = scale_down(&x);
	x += half;
	if (x >= 10.0) {
		x *= 0.1;
		exponent++;
	}
	if (exponent < -4 || exponent > behind) {
		buf_putc(out, take_digit(&x));
		buf_putc(out, '.');
		add_fraction(out, &x, 0, behind);
		buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
		return;
	}
	if (exponent < 0)
		buf_putc(out, '0');
	for (int i = 0; i <= exponent; i++)
		buf_putc(out, take_digit(&x));
	buf_putc(out, '.');
	if (exponent < 0)
		add_fraction(out, &x, -exponent - 1, digits);
	else
		add_fraction(out, &x, 0, behind - exponent);
}

/* ---- text ---- */

const char *text_of(const struct alterd_value *v, struct buf *scratch, size_t *ret_n)
{
	buf_reset(scratch, 4096);
	switch (v->type) {
	case ALTERD_NULL:
		*ret_n = 0;
		return NULL;
	case ALTERD_INT:
		buf_printf(scratch, "%" PRId64, v->i);
		break;
	case ALTERD_REAL:
		text_real(scratch, v->r, 15);
		break;
	case ALTERD_TEXT:
	case ALTERD_BLOB:
		*ret_n = v->s.n ? strnlen(v->s.p, v->s.n) : 0;
		return v->s.n ? v->s.p : "";
	}
	*ret_n = scratch->len;
	return buf_cstr(scratch);
}

void text_plain(struct buf *out, const char *p, size_t n, bool tty)
{
	size_t begun = 0;

	if (!tty) {
		buf_add(out, p, n);
		return;
	}
	for (size_t i = 0; i <= n; i++) {
		if (i < n && p[i] != '\n' && p[i] != '\t')
			continue;
		text_safe(out, p + begun, i - begun);
		if (i < n)
			buf_putc(out, p[i]);
		begun = i + 1;
	}
}

void text_quoted(struct buf *out, const char *p, size_t n, bool tty)
{
	const char *end = p + n;

	buf_putc(out, '\'');
	while (p < end) {
		const char *q = memchr(p, '\'', (size_t)(end - p));
		size_t part = q ? (size_t)(q - p) : (size_t)(end - p);

		text_plain(out, p, part, tty);
		if (q)
			buf_puts(out, "''");
		p += part + (q != NULL);
	}
	buf_putc(out, '\'');
}

/* What stands for a line end: `first`, `second` or `first` with a number, whichever does not occur in the text. */
static void stand_in(const char *p, size_t n, const char *first, const char *second, char *out, size_t size)
{
	snprintf(out, size, "%s", first);
	if (!memmem(p, n, out, strlen(out)))
		return;
	snprintf(out, size, "%s", second);
	for (unsigned i = 0; memmem(p, n, out, strlen(out)); i++)
		snprintf(out, size, "(%s%u)", first, i);
}

void text_quoted_lines(struct buf *out, const char *p, size_t n, bool tty)
{
	bool lf = memchr(p, '\n', n) != NULL, cr = memchr(p, '\r', n) != NULL;
	char for_lf[24] = "", for_cr[24] = "";
	struct buf text = {0};

	if (!lf && !cr) {
		text_quoted(out, p, n, tty);
		return;
	}
	if (lf)
		stand_in(p, n, "\\n", "\\012", for_lf, sizeof(for_lf));
	if (cr)
		stand_in(p, n, "\\r", "\\015", for_cr, sizeof(for_cr));
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			buf_puts(&text, for_lf);
		else if (p[i] == '\r')
			buf_puts(&text, for_cr);
		else
			buf_putc(&text, p[i]);
	}
	buf_puts(out, lf && cr ? "replace(replace(" : "replace(");
	text_quoted(out, text.data ? text.data : "", text.len, tty);
	if (cr)
		buf_printf(out, ",'%s',char(13))", for_cr);
	if (lf)
		buf_printf(out, ",'%s',char(10))", for_lf);
	buf_free(&text);
}

void text_hex(struct buf *out, const char *p, size_t n, bool capital)
{
	static const char small[] = "0123456789abcdef", large[] = "0123456789ABCDEF";
	const char *digits = capital ? large : small;
	char *at = n > 0 ? buf_reserve(out, n * 2) : NULL;

	for (size_t i = 0; at && i < n; i++) {
		*at++ = digits[(unsigned char)p[i] >> 4];
		*at++ = digits[(unsigned char)p[i] & 15];
	}
	if (at)
		out->len += n * 2;
}

void text_name(struct buf *out, const char *name)
{
	if (!sql_needs_quotes(name)) {
		buf_puts(out, name);
		return;
	}
	buf_putc(out, '"');
	for (; *name; name++) {
		if (*name == '"')
			buf_putc(out, '"');
		buf_putc(out, *name);
	}
	buf_putc(out, '"');
}

void text_literal(struct buf *out, const struct alterd_value *v, bool insert, bool tty)
{
	struct buf scratch = {0};
	size_t n;
	const char *p = text_of(v, &scratch, &n);

	if (v->type == ALTERD_NULL) {
		buf_puts(out, "NULL");
	} else if (v->type == ALTERD_REAL) {
		if (insert && isinf(v->r))
			buf_puts(out, v->r > 0 ? "1e999" : "-1e999");
		else if (insert && fabs(v->r) < TWO_TO_63 && trunc(v->r) == v->r)
			buf_printf(out, "%" PRId64 ".0", (int64_t)v->r);
		else
			text_real(out, v->r, 20);
	} else if (v->type == ALTERD_BLOB) {
		buf_puts(out, "X'");
		text_hex(out, v->s.p, v->s.n, false);
		buf_putc(out, '\'');
	} else if (v->type == ALTERD_TEXT && insert) {
		text_quoted_lines(out, p, n, tty);
	} else if (v->type == ALTERD_TEXT) {
		text_quoted(out, p, n, tty);
	} else {
		buf_add(out, p, n);
	}
	buf_free(&scratch);
}

/* ---- JSON ---- */

void text_json_string(struct buf *out, const char *p, size_t n)
{
	static const char named[] = "\b\f\n\r\t\\\"", letters[] = "bfnrt\\\"";

	buf_putc(out, '"');
	for (size_t i = 0; i < n; i++) {
		const char *at = p[i] ? strchr(named, p[i]) : NULL;

		if (at)
			buf_printf(out, "\\%c", letters[at - named]);
		else if ((unsigned char)p[i] < 0x20)
			buf_printf(out, "\\u%04x", (unsigned)(unsigned char)p[i]);
		else
			buf_putc(out, p[i]);
	}
	buf_putc(out, '"');
}

void text_json(struct buf *out, const struct alterd_value *v)
{
	struct buf scratch = {0};
	size_t n;
	const char *p = text_of(v, &scratch, &n);

	if (v->type == ALTERD_NULL)
		buf_puts(out, "null");
	else if (v->type == ALTERD_REAL && isinf(v->r))
		buf_puts(out, v->r > 0 ? "1e999" : "-1e999");
	else if (v->type == ALTERD_REAL)
		text_real(out, v->r, 20);
	else if (v->type == ALTERD_INT)
		buf_add(out, p, n);
	else
		text_json_string(out, p, v->type == ALTERD_BLOB ? v->s.n : n);
	buf_free(&scratch);
}
