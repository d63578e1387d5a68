/* A small scanner of SQLite's tokens, which writes them down again in one fixed form. */
#include "daemon/store/normalise.h"

#include <string.h>

/* What stands before the token at hand, for the blank between them. */
enum last { LAST_NONE, LAST_WORD, LAST_OPERATOR, LAST_COMMA, LAST_OPEN, LAST_CLOSE, LAST_DOT };

struct scan {
	const char *at, *end;
	struct buf *out;
	size_t start; /* where the text begins in `out` */
	enum last last;
	bool strings;
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
	       (unsigned char)c >= 0x80;
}

static bool is_operator(char c) { return memchr("=<>!|&~+-*/%", c, 12) != NULL; }

static bool ends_with(const struct scan *s, const char *tail, size_t n)
{
	return s->out->len - s->start >= n && memcmp(s->out->data + s->out->len - n, tail, n) == 0;
}

static void blank_before_word(struct scan *s)
{
	if (s->last == LAST_WORD || s->last == LAST_CLOSE || s->last == LAST_OPERATOR)
		buf_putc(s->out, ' ');
}

static void word(struct scan *s, const char *p, size_t n)
{
	blank_before_word(s);
	buf_add(s->out, p, n);
	s->last = LAST_WORD;
}

/* A literal, or a parameter without a name. The second in a row becomes dots, and those that follow vanish in them. */
static void value(struct scan *s)
{
	if (ends_with(s, "?, ..., ", 8)) {
		buf_truncate(s->out, s->out->len - 2);
	} else if (ends_with(s, "?, ", 3)) {
		buf_puts(s->out, "...");
	} else {
		blank_before_word(s);
		buf_putc(s->out, '?');
	}
	s->last = LAST_WORD;
}

/* Past the closing mark, which counts only where it is not doubled. */
static const char *quoted_end(const char *p, const char *end, char mark)
{
	for (p++; p < end; p++) {
		if (*p != mark)
			continue;
		if (mark == ']' || p + 1 == end || p[1] != mark)
			return p + 1;
		p++;
	}
	return end;
}

/* Past blanks and comments. */
static void skip_blanks(struct scan *s)
{
	while (s->at < s->end) {
		size_t left = (size_t)(s->end - s->at);
		if (memchr(" \t\r\n\f", *s->at, 5)) {
			s->at++;
		} else if (left > 1 && s->at[0] == '-' && s->at[1] == '-') {
			const char *line = memchr(s->at, '\n', left);
			s->at = line ? line : s->end;
		} else if (left > 1 && s->at[0] == '/' && s->at[1] == '*') {
			const char *stop = left > 2 ? memmem(s->at + 2, left - 2, "*/", 2) : NULL;
			s->at = stop ? stop + 2 : s->end;
		} else {
			return;
		}
	}
}

static void number(struct scan *s)
{
	bool hex = s->at[0] == '0' && s->at + 1 < s->end && (s->at[1] | 32) == 'x';

	for (; s->at < s->end; s->at++) {
		bool sign = !hex && (*s->at == '+' || *s->at == '-') && (s->at[-1] | 32) == 'e';
		if (!is_word(*s->at) && *s->at != '.' && !sign)
			break;
	}
	value(s);
}

/* The group that has just been closed is like the one before it: (?, ...), (?, ...). */
static void fold_group(struct scan *s)
{
	const char *text = s->out->data + s->start, *end = s->out->data + s->out->len, *open = end - 1;

	while (open > text && *--open != '(')
		if (*open == ')')
			return;
	size_t n = (size_t)(end - open), before = (size_t)(open - text);
	if (*open != '(' || before < 2 || memcmp(open - 2, ", ", 2) != 0)
		return;
	if (before >= n + 2 && memcmp(open - 2 - n, open, n) == 0) {
		buf_truncate(s->out, s->out->len - n);
		buf_puts(s->out, "...");
		s->last = LAST_WORD;
	} else if (before >= n + 7 && memcmp(open - 7, ", ..., ", 7) == 0 && memcmp(open - 7 - n, open, n) == 0) {
		buf_truncate(s->out, s->out->len - n - 2);
		s->last = LAST_WORD;
	}
}

static void operator(struct scan *s)
{
	static const char *const longer[] = {"->>", "||", "<=", ">=", "<>", "!=", "==", "<<", ">>", "->"};
	size_t n = 1, left = (size_t)(s->end - s->at);

	/* A sign belongs to the number behind it where no sum is possible. */
	if ((*s->at == '-' || *s->at == '+') && left > 1 && (is_digit(s->at[1]) || s->at[1] == '.') &&
	    (s->last == LAST_OPERATOR || s->last == LAST_COMMA || s->last == LAST_OPEN)) {
		s->at++;
		return;
	}
	for (size_t i = 0; i < sizeof longer / sizeof *longer; i++) {
		size_t k = strlen(longer[i]);
		if (left >= k && memcmp(s->at, longer[i], k) == 0) {
			n = k;
			break;
		}
	}
	word(s, s->at, n);
	s->last = LAST_OPERATOR;
	s->at += n;
}

static void punctuation(struct scan *s)
{
	switch (*s->at++) {
	case ',':
		buf_puts(s->out, ", ");
		s->last = LAST_COMMA;
		return;
	case '(':
		if (s->last == LAST_OPERATOR)
			buf_putc(s->out, ' ');
		buf_putc(s->out, '(');
		s->last = LAST_OPEN;
		return;
	case ')':
		buf_putc(s->out, ')');
		s->last = LAST_CLOSE;
		fold_group(s);
		return;
	case '.':
		buf_putc(s->out, '.');
		s->last = LAST_DOT;
		return;
	case ';':
		skip_blanks(s);
		if (s->at < s->end) /* inside of a trigger */
			buf_putc(s->out, ';'), s->last = LAST_WORD;
		return;
	default:
		word(s, s->at - 1, 1);
	}
}

/* A parameter: ? alone is a value; ?1, :a, @a, $a keep their names. */
static void parameter(struct scan *s)
{
	const char *p = s->at++;

	while (s->at < s->end && (is_word(*s->at) || (*p == '$' && *s->at == ':')))
		s->at++;
	if (*p == '?' && s->at == p + 1)
		value(s);
	else
		word(s, p, (size_t)(s->at - p));
}

static void token(struct scan *s)
{
	const char *p = s->at;
	char c = *p, next = p + 1 < s->end ? p[1] : '\0';

	if (c == '\'' || (c == '"' && s->strings) || ((c | 32) == 'x' && next == '\'')) {
		s->at = quoted_end(c == '\'' || c == '"' ? p : p + 1, s->end, c == '"' ? '"' : '\'');
		value(s);
	} else if (c == '"' || c == '`' || c == '[') {
		s->at = quoted_end(p, s->end, c == '[' ? ']' : c);
		word(s, p, (size_t)(s->at - p));
	} else if (is_digit(c) || (c == '.' && is_digit(next) && s->last != LAST_WORD)) {
		number(s);
	} else if (c == '?' || c == ':' || c == '@' || c == '$') {
		parameter(s);
	} else if (is_word(c)) {
		while (s->at < s->end && is_word(*s->at))
			s->at++;
		word(s, p, (size_t)(s->at - p));
	} else if (is_operator(c)) {
		operator(s);
	} else {
		punctuation(s);
	}
}

void sql_normalise(const char *sql, size_t n, bool strings, struct buf *out)
{
	struct scan s = {.at = sql, .out = out, .start = out->len, .strings = strings};

	s.end = sql + (n < NORMALISE_BYTES_MAX ? n : NORMALISE_BYTES_MAX);
	for (skip_blanks(&s); s.at < s.end && !out->failed; skip_blanks(&s))
		token(&s);
}
