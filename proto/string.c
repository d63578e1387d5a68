/*
 * Text as a JSON string: one pass that validates UTF-8 and escapes. Plain ASCII, which is nearly everything, goes eight
 * bytes at a time; only what has to be escaped breaks a run.
 */
#include <string.h>

#include "proto/utf8.h"
#include "proto/value.h"

static void write_escape(struct buf *out, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	char unicode[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	char pair[2] = {'\\', (char)c};

	switch (c) {
	case '\b':
		pair[1] = 'b';
		break;
	case '\f':
		pair[1] = 'f';
		break;
	case '\n':
		pair[1] = 'n';
		break;
	case '\r':
		pair[1] = 'r';
		break;
	case '\t':
		pair[1] = 't';
		break;
	case '"':
	case '\\':
		break;
	default:
		buf_add(out, unicode, sizeof unicode);
		return;
	}
	buf_add(out, pair, sizeof pair);
}

/*
 * Writes the string. At a byte that is not UTF-8: with `replace` writes U+FFFD and goes on, else returns false and
 * leaves what it has written.
 */
static bool write_string(struct buf *out, const uint8_t *p, size_t n, bool replace)
{
	size_t run = 0, i = 0;
	unsigned length;

	(void)buf_reserve(out, n + 2);
	buf_putc(out, '"');
	while (i < n) {
		i += utf8_plain_run(p + i, n - i);
		if (i == n)
			break;
		if (p[i] >= 0x80) {
			length = utf8_sequence(p + i, n - i);
			if (length > 0) {
				i += length;
				continue;
			}
			if (!replace)
				return false;
		}
		buf_add(out, p + run, i - run);
		if (p[i] >= 0x80)
			buf_add(out, "\xEF\xBF\xBD", 3);
		else
			write_escape(out, p[i]);
		run = ++i;
	}
	buf_add(out, p + run, n - run);
	buf_putc(out, '"');
	return true;
}

void json_write_string(struct buf *out, const char *p, size_t n)
{
	(void)write_string(out, (const uint8_t *)p, n, true);
}

void value_write_text(struct buf *out, const char *p, size_t n)
{
	size_t start = out->len;

	if (write_string(out, (const uint8_t *)p, n, false))
		return;
	buf_truncate(out, start);
	buf_add(out, "{\"text\":\"", 9);
	base64_write(out, p, n);
	buf_add(out, "\"}", 2);
}

bool utf8_valid(const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t i = 0;
	uint64_t w;
	unsigned length;

	while (i < n) {
		if (n - i >= sizeof w) {
			memcpy(&w, p + i, sizeof w);
			if ((w & UTF8_HIGHS) == 0) {
				i += sizeof w;
				continue;
			}
		}
		if (p[i] < 0x80) {
			i++;
			continue;
		}
		length = utf8_sequence(p + i, n - i);
		if (length == 0)
			return false;
		i += length;
	}
	return true;
}
