/*
 * The look before the parse. Values are counted where they begin: at a quote, an opening bracket, or the first
 * character of a number or word; each ':' takes back one, because the string before it was a key. The count is compared
 * all the way and not at the end, so that colons behind a fault cannot hide the values before it.
 */
#include "proto/scan.h"

#include <stdint.h>
#include <string.h>

#include "proto/request.h"

enum kind { SCALAR, SPACE, QUOTE, OPEN, CLOSE, COLON, COMMA };

/* Everything that is not named here is a scalar's character, or a fault the parser will find. */
static const uint8_t kinds[256] = {
	[' '] = SPACE, ['\t'] = SPACE, ['\r'] = SPACE, ['\n'] = SPACE, ['"'] = QUOTE, [':'] = COLON,
	['{'] = OPEN,  ['['] = OPEN,   ['}'] = CLOSE,  [']'] = CLOSE,  [','] = COMMA,
};

const char *scan_string(const char *p, const char *end)
{
	const char *begin = p + 1, *quote, *back;

	for (p = begin;; p = quote + 1) {
		quote = memchr(p, '"', (size_t)(end - p));
		if (quote == NULL)
			return end;
		/* A quote ends the string unless an odd number of backslashes stands before it. */
		for (back = quote; back > p && back[-1] == '\\'; back--)
			;
		if ((quote - back) % 2 == 0)
			return quote + 1;
	}
}

static int too_deep(struct error *err)
{
	return error_set(err, ERRC_PARSE_ERROR, "not JSON this server reads: nested deeper than %d", REQUEST_DEPTH_MAX);
}

static int too_many(struct error *err)
{
	return error_set(err, ERRC_INVALID_REQUEST, "the request has more than %d JSON values", REQUEST_VALUES_MAX);
}

int scan_line(const char *line, size_t len, size_t *ret_values, struct error *err)
{
	const char *p = line, *end = line + len;
	long values = 0, most = 0;
	int depth = 0;
	bool in_scalar = false;
	enum kind kind;

	while (p < end) {
		kind = (enum kind)kinds[(uint8_t)*p];
		if (kind == SCALAR) {
			values += !in_scalar;
			in_scalar = true;
			p++;
		} else {
			in_scalar = false;
			values += (kind == QUOTE || kind == OPEN) - (kind == COLON);
			depth += (kind == OPEN) - (kind == CLOSE);
			p = kind == QUOTE ? scan_string(p, end) : p + 1;
		}
		if (depth > REQUEST_DEPTH_MAX)
			return too_deep(err);
		if (values > most)
			most = values;
		if (most > REQUEST_VALUES_MAX)
			return too_many(err);
	}
	*ret_values = (size_t)most;
	return 0;
}
