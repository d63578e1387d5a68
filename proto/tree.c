/*
 * JSON read about ten times faster than a general parser does: one pass, no allocation but for an object with many
 * keys, large strings by the word. It only says yes. What it does not take is left to jansson, whose word counts and
 * whose text the client gets to read.
 */
#include "proto/tree.h"

#include <math.h>
#include <stdlib.h>

#include "proto/keys.h"
#include "proto/scan.h"
#include "proto/utf8.h"

/* Up to as many members a duplicate key is looked for among those before it, beyond by sorting them all. */
#define FEW_MEMBERS 16
/* Most digits of which a 64-bit integer surely holds the value, so that overflow can be told. */
#define INT_DIGITS 19

struct reader {
	const char *p; /* next character */
	const char *end;
	struct node *next; /* next free node */
	struct node *limit;
	struct arena *arena;
};

static bool read_value(struct reader *r, struct node *n);

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

/* Passes over the character if it is the next one. */
static bool take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits; -1 if they are not. */
static int32_t hex4(const uint8_t *p, const uint8_t *end)
{
	int32_t v = 0;
	int i, digit;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		digit = hex_digit(p[i]);
		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xC0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xE0 | c >> 12);
		} else {
			*to++ = (char)(0xF0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3F));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3F));
	}
	*to++ = (char)(0x80 | (c & 0x3F));
	return to;
}

/* The escape at *p (behind its backslash); *p moves behind it, *to behind what it stands for. */
static bool read_escape(const uint8_t **p, const uint8_t *end, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *simple;
	int32_t c, low;

	if (*p == end)
		return false;
	if (**p != 'u') {
		simple = **p == '\0' ? NULL : strchr(from, **p);
		if (simple == NULL)
			return false;
		*(*to)++ = into[simple - from];
		(*p)++;
		return true;
	}
	c = hex4(*p + 1, end);
	if (c < 0 || (c >= 0xDC00 && c <= 0xDFFF))
		return false;
	*p += 5;
	if (c >= 0xD800 && c <= 0xDBFF) {
		if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
			return false;
		low = hex4(*p + 2, end);
		if (low < 0xDC00 || low > 0xDFFF)
			return false;
		*p += 6;
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
	}
	*to = put_utf8(*to, (uint32_t)c);
	return true;
}

/* A string at the reader's place, its text in the arena. What is unescaped is never longer than what was escaped. */
static bool read_string(struct reader *r, char **ret, size_t *ret_len)
{
	const uint8_t *p, *end, *run;
	const char *behind;
	unsigned length;
	char *to;

	if (r->p == r->end || *r->p != '"')
		return false;
	behind = scan_string(r->p, r->end);
	p = (const uint8_t *)r->p + 1;
	end = (const uint8_t *)behind - 1;
	if (end < p || *end != '"')
		return false; /* it ends with the line, not with a quote; "\"" at the very end falls to jansson too */
	to = arena_bytes(r->arena, (size_t)(end - p) + 1);
	if (to == NULL)
		return false;
	*ret = to;
	for (run = p; p < end;) {
		p += utf8_plain_run(p, (size_t)(end - p));
		if (p < end && *p >= 0x80) {
			length = utf8_sequence(p, (size_t)(end - p));
			if (length == 0)
				return false;
			p += length;
			continue;
		}
		memcpy(to, run, (size_t)(p - run));
		to += p - run;
		if (p < end && (*p++ != '\\' || !read_escape(&p, end, &to)))
			return false;
		run = p;
	}
	memcpy(to, run, (size_t)(p - run));
	to += p - run;
	*to = '\0';
	*ret_len = (size_t)(to - *ret);
	r->p = behind;
	return true;
}

static bool is_digit(const char *p, const char *end) { return p < end && *p >= '0' && *p <= '9'; }

static bool read_real(struct reader *r, const char *begin, struct node *n)
{
	size_t len = (size_t)(r->p - begin);
	char *text, *behind;

	/* For strtod(), which needs an end; the arena has a byte for each of the line's, and these are no string's. */
	text = arena_bytes(r->arena, len + 1);
	if (text == NULL)
		return false;
	memcpy(text, begin, len);
	text[len] = '\0';
	n->type = NODE_REAL;
	n->r = strtod(text, &behind);
	/* A host program's locale may want a comma; too large is jansson's to refuse. */
	return behind == text + len && !isinf(n->r);
}

static bool read_number(struct reader *r, struct node *n)
{
	const char *begin = r->p, *digits;
	bool negative = take(r, '-'), real = false, fits;
	uint64_t v = 0;

	digits = r->p;
	for (; is_digit(r->p, r->end); r->p++)
		v = v * 10 + (uint64_t)(*r->p - '0');
	if (r->p == digits || (*digits == '0' && r->p - digits > 1))
		return false;
	fits = r->p - digits <= INT_DIGITS;
	if (take(r, '.')) {
		real = true;
		if (!is_digit(r->p, r->end))
			return false;
		while (is_digit(r->p, r->end))
			r->p++;
	}
	if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		real = true;
		r->p++;
		if (!take(r, '+'))
			(void)take(r, '-');
		if (!is_digit(r->p, r->end))
			return false;
		while (is_digit(r->p, r->end))
			r->p++;
	}
	if (real)
		return read_real(r, begin, n);
	if (!fits || v > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	n->type = NODE_INT;
	n->i = (int64_t)(negative ? -v : v);
	return true;
}

static bool read_word(struct reader *r, const char *word, size_t len)
{
	if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
		return false;
	r->p += len;
	return true;
}

static struct node *new_node(struct reader *r)
{
	if (r->next == r->limit)
		return NULL;
	*r->next = (struct node){.type = NODE_NULL};
	return r->next++;
}

static bool read_array(struct reader *r, struct node *array)
{
	struct node *element;

	array->type = NODE_ARRAY;
	skip_space(r);
	if (take(r, ']'))
		return true;
	for (;;) {
		element = new_node(r);
		if (element == NULL || !read_value(r, element))
			return false;
		array->count++;
		skip_space(r);
		if (take(r, ']'))
			return true;
		if (!take(r, ','))
			return false;
		skip_space(r);
	}
}

static bool is_duplicate(const struct node *object, const struct node *member)
{
	const struct node *other = node_first(object);
	uint32_t i;

	for (i = 0; i < object->count; i++, other = node_next(other)) {
		if (other->key_len == member->key_len && memcmp(other->key, member->key, member->key_len) == 0)
			return true;
	}
	return false;
}

static bool read_member(struct reader *r, struct node *object)
{
	struct node *member = new_node(r);
	char *key = NULL;
	size_t len = 0;

	if (member == NULL || !read_string(r, &key, &len))
		return false;
	if (len > UINT32_MAX || memchr(key, '\0', len) != NULL)
		return false;
	member->key = key;
	member->key_len = (uint32_t)len;
	if (object->count < FEW_MEMBERS && is_duplicate(object, member))
		return false;
	skip_space(r);
	if (!take(r, ':'))
		return false;
	skip_space(r);
	if (!read_value(r, member))
		return false;
	object->count++;
	return true;
}

static bool read_object(struct reader *r, struct node *object)
{
	object->type = NODE_OBJECT;
	skip_space(r);
	if (take(r, '}'))
		return true;
	for (;;) {
		if (!read_member(r, object))
			return false;
		skip_space(r);
		if (take(r, '}'))
			return object->count <= FEW_MEMBERS || keys_distinct(object);
		if (!take(r, ','))
			return false;
		skip_space(r);
	}
}

/* The recursion is as deep as the text is nested, which scan_line() has bounded. */
static bool read_value(struct reader *r, struct node *n)
{
	bool good;

	if (r->p == r->end)
		return false;
	switch (*r->p) {
	case '{':
		r->p++;
		good = read_object(r, n);
		break;
	case '[':
		r->p++;
		good = read_array(r, n);
		break;
	case '"':
		n->type = NODE_STRING;
		good = read_string(r, &n->s.p, &n->s.n);
		break;
	case 't':
		n->type = NODE_BOOL;
		n->b = true;
		good = read_word(r, "true", 4);
		break;
	case 'f':
		n->type = NODE_BOOL;
		good = read_word(r, "false", 5);
		break;
	case 'n':
		good = read_word(r, "null", 4);
		break;
	default:
		good = read_number(r, n);
		break;
	}
	n->nodes = (uint32_t)(r->next - n);
	return good;
}

bool tree_read(const char *line, size_t len, struct node *nodes, size_t cap, struct arena *arena)
{
	struct reader r = {.p = line, .end = line + len, .next = nodes, .limit = nodes + cap, .arena = arena};
	struct node *root = new_node(&r);

	skip_space(&r);
	if (root == NULL || !read_value(&r, root))
		return false;
	skip_space(&r);
	return r.p == r.end;
}
