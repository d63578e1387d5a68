/*
 * JSON text, read in place. Strings are decoded onto themselves: an escape is never shorter than what it stands for, so
 * the decoded text always fits where the written one stood, and its closing quote leaves room for a NUL.
 */
#include "client/lib/jread.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/value.h"

/* Numbers are read in the C locale, whatever the program's own is: the point is a point. */
static locale_t c_locale;

static void make_c_locale(void) { c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

char *jr_space(char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
	       c == '.';
}

static char *skip_string(char *p)
{
	for (p++; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p == '\\' && *++p == '\0')
			return NULL;
	}
	return p + 1;
}

char *jr_skip(char *p)
{
	size_t depth = 0;

	for (;;) {
		p = jr_space(p);
		if (*p == '"') {
			p = skip_string(p);
			if (!p)
				return NULL;
		} else if (*p == '[' || *p == '{') {
			depth++;
			p++;
			continue;
		} else if (*p == ']' || *p == '}') {
			if (depth == 0)
				return NULL;
			depth--;
			p++;
		} else if ((*p == ',' || *p == ':') && depth > 0) {
			p++;
			continue;
		} else if (is_word(*p)) {
			while (is_word(*p))
				p++;
		} else {
			return NULL;
		}
		if (depth == 0)
			return p;
	}
}

char *jr_next(char *p, char close, int *ret_end)
{
	p = jr_space(p);
	if (*p == close) {
		*ret_end = 1;
		return p + 1;
	}
	*ret_end = 0;
	if (*p == ',')
		p = jr_space(p + 1);
	return *p ? p : NULL;
}

char *jr_key(char *p, const char **ret_key, size_t *ret_n)
{
	char *end;

	if (*p != '"')
		return NULL;
	end = skip_string(p);
	if (!end)
		return NULL;
	*ret_key = p + 1;
	*ret_n = (size_t)(end - p) - 2;
	p = jr_space(end);
	return *p == ':' ? jr_space(p + 1) : NULL;
}

char *jr_member(char *object, const char *key)
{
	size_t n = strlen(key);
	char *p = jr_space(object);

	if (*p != '{')
		return NULL;
	p++;
	for (;;) {
		const char *name;
		size_t len;
		int end;

		p = jr_next(p, '}', &end);
		if (!p || end)
			return NULL;
		p = jr_key(p, &name, &len);
		if (!p)
			return NULL;
		if (len == n && memcmp(name, key, n) == 0)
			return p;
		p = jr_skip(p);
		if (!p)
			return NULL;
	}
}

static int hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			v = v * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			v = v * 16 + (c - 'A') + 10;
		else
			return -1;
	}
	return v;
}

static char *put_utf8(char *out, int code)
{
	if (code < 0x80) {
		*out++ = (char)code;
	} else if (code < 0x800) {
		*out++ = (char)(0xc0 | (code >> 6));
		*out++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*out++ = (char)(0xe0 | (code >> 12));
		*out++ = (char)(0x80 | ((code >> 6) & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	} else {
		*out++ = (char)(0xf0 | (code >> 18));
		*out++ = (char)(0x80 | ((code >> 12) & 0x3f));
		*out++ = (char)(0x80 | ((code >> 6) & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	}
	return out;
}

/* `p` is at the 'u' of an escape. Moves *out on; returns the place behind the escape. */
static char *unescape_unicode(char *p, char **out)
{
	int code = hex4(p + 1);

	if (code < 0)
		return NULL;
	p += 5;
	if (code >= 0xd800 && code < 0xdc00) {
		int low = p[0] == '\\' && p[1] == 'u' ? hex4(p + 2) : -1;

		if (low < 0xdc00 || low > 0xdfff)
			return NULL;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		p += 6;
	} else if (code >= 0xdc00 && code < 0xe000) {
		return NULL;
	}
	*out = put_utf8(*out, code);
	return p;
}

/* `p` is behind a backslash. */
static char *unescape(char *p, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *which;

	if (*p == 'u')
		return unescape_unicode(p, out);
	which = *p ? strchr(from, *p) : NULL;
	if (!which)
		return NULL;
	*(*out)++ = to[which - from];
	return p + 1;
}

char *jr_string(char *p, char **ret, size_t *ret_n)
{
	char *out;

	if (*p != '"')
		return NULL;
	*ret = ++p;
	while (*p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
		p++;
	for (out = p; *p != '"';) {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p != '\\') {
			*out++ = *p++;
			continue;
		}
		p = unescape(p + 1, &out);
		if (!p)
			return NULL;
	}
	*ret_n = (size_t)(out - *ret);
	*out = '\0';
	return p + 1;
}

char *jr_int(char *p, int64_t *ret)
{
	bool negative = *p == '-';
	uint64_t v = 0, most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
	char *digits;

	p += negative;
	for (digits = p; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (v > (most - digit) / 10)
			return NULL;
		v = v * 10 + digit;
	}
	if (p == digits || is_word(*p))
		return NULL;
	/* Negated as unsigned: the negative of the smallest integer has no positive one. */
	*ret = negative ? (int64_t)(0 - v) : (int64_t)v;
	return p;
}

static char *jr_number(char *p, struct alterd_value *ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	char *end = p + (*p == '-');

	while (*end >= '0' && *end <= '9')
		end++;
	if (!is_word(*end)) {
		ret->type = ALTERD_INT;
		return jr_int(p, &ret->i);
	}
	if (p[*p == '-'] < '0' || p[*p == '-'] > '9')
		return NULL;
	pthread_once(&once, make_c_locale);
	ret->type = ALTERD_REAL;
	ret->r = strtod_l(p, &end, c_locale);
	return is_word(*end) ? NULL : end;
}

/* Base64 decodes onto itself: four characters become at most three bytes. */
static int decode_bytes(char *text, size_t n, enum alterd_type type, struct alterd_value *ret)
{
	long len = base64_decode(text, n, text);

	if (len < 0)
		return -1;
	text[len] = '\0';
	ret->type = type;
	ret->s.p = text;
	ret->s.n = (size_t)len;
	return 0;
}

static int decode_real(const char *text, struct alterd_value *ret)
{
	if (strcmp(text, "inf") != 0 && strcmp(text, "-inf") != 0)
		return -1;
	ret->type = ALTERD_REAL;
	ret->r = *text == '-' ? -(double)INFINITY : (double)INFINITY;
	return 0;
}

static int decode_int(char *text, size_t n, struct alterd_value *ret)
{
	char *end = jr_int(text, &ret->i);

	ret->type = ALTERD_INT;
	return end == text + n ? 0 : -1;
}

static bool key_is(const char *key, size_t n, const char *name)
{
	return n == strlen(name) && memcmp(key, name, n) == 0;
}

/* {"int":"..."}, {"blob":"..."}, {"text":"..."}, {"real":"inf"} or {"real":1} */
static char *jr_escape(char *p, struct alterd_value *ret)
{
	const char *key;
	char *text;
	size_t key_n, n;
	int failed, end;

	p = jr_key(jr_space(p + 1), &key, &key_n);
	if (!p)
		return NULL;
	if (*p != '"') {
		if (!key_is(key, key_n, "real"))
			return NULL;
		p = jr_number(p, ret);
		if (p && ret->type == ALTERD_INT)
			*ret = alterd_real((double)ret->i);
		failed = 0;
	} else {
		p = jr_string(p, &text, &n);
		if (!p)
			return NULL;
		if (key_is(key, key_n, "int"))
			failed = decode_int(text, n, ret);
		else if (key_is(key, key_n, "blob"))
			failed = decode_bytes(text, n, ALTERD_BLOB, ret);
		else if (key_is(key, key_n, "text"))
			failed = decode_bytes(text, n, ALTERD_TEXT, ret);
		else
			failed = key_is(key, key_n, "real") ? decode_real(text, ret) : -1;
	}
	if (!p || failed)
		return NULL;
	p = jr_next(p, '}', &end);
	return p && end ? p : NULL;
}

static char *jr_word(char *p, const char *word)
{
	size_t n = strlen(word);

	return strncmp(p, word, n) == 0 && !is_word(p[n]) ? p + n : NULL;
}

char *jr_value(char *p, struct alterd_value *ret)
{
	char *text;

	switch (*p) {
	case '"':
		ret->type = ALTERD_TEXT;
		p = jr_string(p, &text, &ret->s.n);
		if (p)
			ret->s.p = text;
		return p;
	case '{':
		return jr_escape(p, ret);
	case 'n':
		*ret = alterd_null();
		return jr_word(p, "null");
	case 't':
		*ret = alterd_int(1);
		return jr_word(p, "true");
	case 'f':
		*ret = alterd_int(0);
		return jr_word(p, "false");
	default:
		return jr_number(p, ret);
	}
}
