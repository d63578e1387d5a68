/* Numbers, times, sizes and foreign text, for people to read. */
#include <inttypes.h>
#include <string.h>
#include <wchar.h>

#include "client/ctl/ctl.h"

void text_count(struct buf *out, int64_t n)
{
	static const struct {
		double unit;
		char letter;
	} units[] = {{1e12, 'T'}, {1e9, 'G'}, {1e6, 'M'}, {1e3, 'k'}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double v = (double)n / units[i].unit;

		/* 999,950 is 1.0M, not 1000k; below a million whole thousands are exact enough. */
		if (units[i].unit == 1e3 ? n >= 1000 : n >= (int64_t)(units[i].unit * 0.9995)) {
			buf_printf(out, units[i].unit == 1e3 && v >= 10 ? "%.0f%c" : "%.1f%c", v, units[i].letter);
			return;
		}
	}
	buf_printf(out, "%" PRId64, n);
}

void text_number(struct buf *out, int64_t n)
{
	struct buf digits = {0};
	const char *p;

	buf_printf(&digits, "%" PRId64, n);
	p = buf_cstr(&digits);
	if (*p == '-')
		buf_putc(out, *p++);
	for (size_t left = digits.len - (size_t)(p - digits.data); left > 0; left--, p++) {
		buf_putc(out, *p);
		if (left > 1 && left % 3 == 1)
			buf_putc(out, ',');
	}
	buf_free(&digits);
}

void text_bytes(struct buf *out, int64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		buf_printf(out, "%" PRId64 " B", bytes);
		return;
	}
	for (; v >= 1023.95 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		v /= 1024;
	buf_printf(out, "%.1f %s", v, units[i]);
}

void text_seconds(struct buf *out, double s)
{
	int64_t t = (int64_t)(s + 0.5);

	if (t < 60)
		buf_printf(out, "%" PRId64 "s", t);
	else if (t < 3600)
		buf_printf(out, "%" PRId64 "m %02" PRId64 "s", t / 60, t % 60);
	else if (t < 86400)
		buf_printf(out, "%" PRId64 "h %02" PRId64 "m", t / 3600, t / 60 % 60);
	else
		buf_printf(out, "%" PRId64 "d %" PRId64 "h", t / 86400, t / 3600 % 24);
}

void text_time(struct buf *out, const char *time)
{
	if (strlen(time) >= 16 && time[10] == 'T' && time[13] == ':') {
		text_safe(out, time, 10);
		buf_putc(out, ' ');
		text_safe(out, time + 11, 5);
	} else {
		text_safe(out, time, strlen(time));
	}
}

void text_took(struct buf *out, double ms)
{
	if (ms >= 60000)
		text_seconds(out, ms / 1000);
	else if (ms >= 1000)
		buf_printf(out, "%.1fs", ms / 1000);
	else if (ms >= 0)
		buf_printf(out, "%.0fms", ms);
}

void text_pad(struct buf *out, size_t from, int width)
{
	for (int n = width - text_width(out->data + from, out->len - from); n > 0; n--)
		buf_putc(out, ' ');
}

/* Reads one character; returns its bytes, 0 if they are no UTF-8. */
static size_t decode(const char *p, size_t n, uint32_t *ret)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t len = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;
	uint32_t v = len == 1 ? u[0] : u[0] & (0x7fu >> len);

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (u[i] & 0x3f);
	}
	if ((len == 3 && (v < 0x800 || (v >= 0xd800 && v < 0xe000))) || (len == 4 && (v < 0x10000 || v > 0x10ffff)))
		return 0;
	*ret = v;
	return len;
}

/* Characters that could drive a terminal, or turn text around so that it reads as something else. */
static bool is_dangerous(uint32_t v)
{
	return v < 0x20 || (v >= 0x7f && v < 0xa0) || v == 0x200e || v == 0x200f || v == 0x2028 || v == 0x2029 ||
	       (v >= 0x202a && v <= 0x202e) || (v >= 0x2066 && v <= 0x2069) || v == 0x061c || v == 0xfeff;
}

static void spell_out(struct buf *out, uint32_t v)
{
	if (v == '\n')
		buf_puts(out, "\\n");
	else if (v == '\t')
		buf_puts(out, "\\t");
	else if (v == '\r')
		buf_puts(out, "\\r");
	else if (v < 0x80)
		buf_printf(out, "\\x%02" PRIx32, v);
	else
		buf_printf(out, "\\u%04" PRIx32, v);
}

void text_safe(struct buf *out, const char *p, size_t n)
{
	size_t plain = 0;

	for (size_t i = 0; i < n;) {
		uint32_t v = 0;
		size_t len = decode(p + i, n - i, &v);

		if (len > 0 && !is_dangerous(v)) {
			i += len;
			continue;
		}
		buf_add(out, p + plain, i - plain);
		if (len == 0)
			buf_printf(out, "\\x%02x", (unsigned char)p[i]);
		else
			spell_out(out, v);
		i += len ? len : 1;
		plain = i;
	}
	buf_add(out, p + plain, n - plain);
}

void text_flat(struct buf *out, const char *p)
{
	bool first = true;

	while (*p) {
		size_t blanks = strspn(p, " \t\r\n"), n = strcspn(p + blanks, " \t\r\n");

		if (blanks > 0 && n > 0 && !first)
			buf_putc(out, ' ');
		text_safe(out, p + blanks, n);
		first = first && n == 0;
		p += blanks + n;
	}
}

void text_cut(struct buf *b, size_t at, int width)
{
	if (b->failed || b->len == at || width <= 0 || text_width(b->data + at, b->len - at) <= width)
		return;
	buf_truncate(b, at + text_fit(b->data + at, b->len - at, width - 1));
	buf_puts(b, "\xe2\x80\xa6");
}

static int columns_of(uint32_t v)
{
	int w = v < 0x80 ? 1 : wcwidth((wchar_t)v);

	return w < 0 ? 1 : w;
}

size_t text_fit(const char *p, size_t n, int width)
{
	size_t i = 0;

	while (i < n) {
		uint32_t v = '?';
		size_t len = decode(p + i, n - i, &v);

		width -= columns_of(v);
		if (width < 0)
			break;
		i += len ? len : 1;
	}
	return i;
}

int text_width(const char *p, size_t n)
{
	int width = 0;

	for (size_t i = 0; i < n;) {
		uint32_t v = '?';
		size_t len = decode(p + i, n - i, &v);

		width += columns_of(v);
		i += len ? len : 1;
	}
	return width;
}
