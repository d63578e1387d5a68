/*
 * Do two texts of CREATE mean the same?
 *
 * A rename puts quotes around a name, an edit leaves blanks behind: so the tokens are compared. Two tables whose
 * columns and constraints are the same in another order are told from others, since a column that was dropped comes
 * back as the last.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/scratch.h"

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80; }

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* Behind blanks and comments. */
static const char *skip(const char *p)
{
	for (;;) {
		const char *end = NULL;
		if (*p && strchr(" \t\r\n\f\v", *p)) {
			p++;
			continue;
		}
		if (p[0] == '-' && p[1] == '-')
			end = strchrnul(p, '\n');
		else if (p[0] == '/' && p[1] == '*' && (end = strstr(p + 2, "*/")))
			end += 2;
		if (!end)
			return p;
		p = end;
	}
}

/* A quoted token at p; returns what is behind it. A name that needs no quotes loses them. */
static const char *quoted(const char *p, struct buf *out)
{
	char close = *p == '[' ? ']' : *p;
	const char *q = p + 1;
	size_t at = out->len;
	bool plain = *p != '\'';

	buf_putc(out, *p == '\'' ? '\'' : '"');
	for (; *q; q++) {
		if (*q == close && close != ']' && q[1] == close)
			buf_putc(out, *q++);
		else if (*q == close)
			break;
		plain = plain && is_word(*q);
		buf_putc(out, *p == '\'' ? *q : lower(*q));
	}
	if (plain && q > p + 1) {
		/* Without its first byte. */
		memmove(out->data + at, out->data + at + 1, out->len - at - 1);
		buf_truncate(out, out->len - 1);
	} else {
		buf_putc(out, *p == '\'' ? '\'' : '"');
	}
	return *q ? q + 1 : q;
}

/* The tokens, a blank behind each. */
static void canonical(const char *sql, struct buf *out)
{
	for (const char *p = skip(sql); *p; p = skip(p)) {
		if (strchr("'\"`[", *p)) {
			p = quoted(p, out);
		} else if (is_word(*p)) {
			while (is_word(*p))
				buf_putc(out, lower(*p++));
		} else {
			buf_putc(out, *p++);
		}
		buf_putc(out, ' ');
	}
	if (out->failed)
		must(NULL);
	(void)buf_cstr(out);
}

struct parts {
	char *at[2048];
	size_t n;
};

/* Cuts a canonical text at the commas and around the brackets of its first level. False: too many parts. */
static bool cut(char *p, struct parts *parts)
{
	int depth = 0;
	char quote = 0;

	parts->at[parts->n++] = p;
	for (; *p; p++) {
		if (quote) {
			quote = *p == quote ? 0 : quote;
			continue;
		}
		if (*p == '\'' || *p == '"')
			quote = *p;
		depth += (*p == '(') - (*p == ')');
		if ((*p == '(' && depth == 1) || (*p == ')' && depth == 0) || (*p == ',' && depth == 1)) {
			if (parts->n == sizeof(parts->at) / sizeof(parts->at[0]))
				return false;
			*p = '\0';
			parts->at[parts->n++] = p + 1;
		}
	}
	return true;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool same_parts(struct buf *a, struct buf *b)
{
	struct parts *x = must(calloc(1, sizeof(*x))), *y = must(calloc(1, sizeof(*y)));
	bool same = cut(a->data, x) && cut(b->data, y) && x->n == y->n;

	qsort(x->at, x->n, sizeof(*x->at), by_text);
	qsort(y->at, y->n, sizeof(*y->at), by_text);
	for (size_t i = 0; same && i < x->n; i++)
		same = strcmp(x->at[i], y->at[i]) == 0;
	free(x);
	free(y);
	return same;
}

enum likeness sql_compare(const char *a, const char *b)
{
	struct buf x = {0}, y = {0};
	enum likeness like = DIFFERENT;

	if (strcmp(a, b) == 0)
		return SAME;
	canonical(a, &x);
	canonical(b, &y);
	if (strcmp(buf_cstr(&x), buf_cstr(&y)) == 0)
		like = SAME;
	else if (strncmp(x.data, "create table ", 13) == 0 && y.len == x.len && same_parts(&x, &y))
		like = OTHER_ORDER;
	buf_free(&x);
	buf_free(&y);
	return like;
}
