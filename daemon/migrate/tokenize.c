/*
 * The tokenizer: one pass, one function a token form.
 */
#include "daemon/migrate/tokenize.h"

#include <string.h>
#include <strings.h>

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
	       (unsigned char)c >= 0x80;
}

static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

/* End of blanks and comments from `i` on. An open comment runs to the end, as in SQLite. */
static size_t skip_gap(const char *s, size_t i, size_t n)
{
	while (i < n) {
		if (blank(s[i])) {
			i++;
		} else if (s[i] == '-' && i + 1 < n && s[i + 1] == '-') {
			while (i < n && s[i] != '\n')
				i++;
		} else if (s[i] == '/' && i + 1 < n && s[i + 1] == '*') {
			i += 2;
			while (i + 1 < n && !(s[i] == '*' && s[i + 1] == '/'))
				i++;
			i = i + 1 < n ? i + 2 : n;
		} else {
			break;
		}
	}
	return i;
}

/* End of what is quoted by s[i]; a doubled quote stands for itself. 0 if it is not closed. */
static size_t quoted_end(const char *s, size_t i, size_t n)
{
	char close = s[i] == '[' ? ']' : s[i];
	for (i++; i < n; i++) {
		if (s[i] != close)
			continue;
		if (close != ']' && i + 1 < n && s[i + 1] == close)
			i++;
		else
			return i + 1;
	}
	return 0;
}

static size_t number_end(const char *s, size_t i, size_t n)
{
	if (s[i] == '0' && i + 1 < n && (s[i + 1] == 'x' || s[i + 1] == 'X')) {
		for (i += 2; i < n && word_char(s[i]);)
			i++;
		return i;
	}
	while (i < n && digit(s[i]))
		i++;
	if (i < n && s[i] == '.') {
		i++;
		while (i < n && digit(s[i]))
			i++;
	}
	if (i < n && (s[i] == 'e' || s[i] == 'E')) {
		size_t j = i + 1;
		if (j < n && (s[j] == '+' || s[j] == '-'))
			j++;
		if (j < n && digit(s[j])) {
			while (j < n && digit(s[j]))
				j++;
			i = j;
		}
	}
	while (i < n && word_char(s[i]))
		i++;
	return i;
}

static size_t punct_end(const char *s, size_t i, size_t n)
{
	static const char *const two[] = {"<=", ">=", "<>", "!=", "==", "<<", ">>", "||"};
	if (n - i >= 3 && memcmp(s + i, "->>", 3) == 0)
		return i + 3;
	if (n - i >= 2 && memcmp(s + i, "->", 2) == 0)
		return i + 2;
	for (size_t k = 0; k < sizeof(two) / sizeof(two[0]); k++)
		if (n - i >= 2 && memcmp(s + i, two[k], 2) == 0)
			return i + 2;
	return i + 1;
}

static struct token next_token(const char *s, size_t i, size_t n)
{
	struct token t = {.kind = TOKEN_PUNCT, .start = i, .end = i + 1};
	char c = s[i];

	if (c == '\'' || c == '"' || c == '`' || c == '[') {
		size_t end = quoted_end(s, i, n);
		t.kind = !end ? TOKEN_BAD : c == '\'' ? TOKEN_STRING : TOKEN_QUOTED;
		t.end = end ? end : n;
	} else if ((c == 'x' || c == 'X') && i + 1 < n && s[i + 1] == '\'') {
		size_t end = quoted_end(s, i + 1, n);
		t.kind = end ? TOKEN_BLOB : TOKEN_BAD;
		t.end = end ? end : n;
	} else if (digit(c) || (c == '.' && i + 1 < n && digit(s[i + 1]))) {
		t.kind = TOKEN_NUMBER;
		t.end = number_end(s, i, n);
	} else if (c == '?' || c == ':' || c == '@' || c == '$') {
		t.kind = TOKEN_VARIABLE;
		while (t.end < n && word_char(s[t.end]))
			t.end++;
	} else if (word_char(c)) {
		t.kind = TOKEN_WORD;
		while (t.end < n && word_char(s[t.end]))
			t.end++;
	} else if (strchr("()+-*/%&|~<>=!,;.", c) && c != '\0') {
		t.end = punct_end(s, i, n);
	} else {
		t.kind = TOKEN_BAD;
	}
	return t;
}

int tokenize(struct pool *pool, const char *text, size_t len, struct tokens *ret, struct error *err)
{
	struct tokens t = {.text = text};

	for (size_t i = skip_gap(text, 0, len); i < len; i = skip_gap(text, i, len)) {
		if (t.n == TOKENS_MAX)
			return error_set(err, ERRC_MIGRATION_INVALID, "statement of more than %d tokens", TOKENS_MAX);
		t.at = pool_grow(pool, t.at, t.n, sizeof(*t.at));
		t.at[t.n] = next_token(text, i, len);
		if (t.at[t.n].kind == TOKEN_BAD)
			return error_set(err, ERRC_MIGRATION_INVALID, "unrecognized token near \"%.40s\"", text + i);
		i = t.at[t.n].end;
		t.n++;
	}
	t.at = pool_grow(pool, t.at, t.n, sizeof(*t.at));
	t.at[t.n] = (struct token){.kind = TOKEN_END, .start = len, .end = len};
	*ret = t;
	return 0;
}

bool token_is(const struct tokens *t, size_t i, const char *word)
{
	if (i >= t->n || t->at[i].kind != TOKEN_WORD)
		return false;
	size_t n = t->at[i].end - t->at[i].start;
	return strlen(word) == n && strncasecmp(t->text + t->at[i].start, word, n) == 0;
}

bool token_punct(const struct tokens *t, size_t i, char c)
{
	return i < t->n && t->at[i].kind == TOKEN_PUNCT && t->at[i].end - t->at[i].start == 1 &&
	       t->text[t->at[i].start] == c;
}

bool token_name(const struct tokens *t, size_t i)
{
	if (i >= t->n)
		return false;
	enum token_kind kind = t->at[i].kind;
	return kind == TOKEN_WORD || kind == TOKEN_QUOTED || kind == TOKEN_STRING;
}

char *token_unquote(struct pool *pool, const struct tokens *t, size_t i)
{
	const char *s = t->text + t->at[i].start;
	size_t n = t->at[i].end - t->at[i].start;
	char *name = pool_dup(pool, s, n), *out = name;

	if (t->at[i].kind == TOKEN_WORD || n < 2)
		return name;
	char close = s[0] == '[' ? ']' : s[0];
	for (size_t k = 1; k + 1 < n; k++) {
		*out++ = s[k];
		if (s[k] == close)
			k++;
	}
	*out = '\0';
	return name;
}

char *token_text(struct pool *pool, const struct tokens *t, size_t from, size_t to)
{
	if (from >= to || from >= t->n)
		return pool_dup(pool, "", 0);
	return pool_dup(pool, t->text + t->at[from].start, t->at[to - 1].end - t->at[from].start);
}

size_t token_close(const struct tokens *t, size_t i)
{
	size_t depth = 0;
	for (; i < t->n; i++) {
		if (token_punct(t, i, '('))
			depth++;
		else if (token_punct(t, i, ')') && --depth == 0)
			return i;
	}
	return t->n;
}
