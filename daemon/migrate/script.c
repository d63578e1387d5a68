/* Statements out of a script: first what cannot be tokens is found, with its line; then the tokens are cut apart. */
#include "daemon/migrate/script.h"

#include <stdint.h>
#include <string.h>

#include "daemon/migrate/tokenize.h"

struct splitter {
	struct pool *pool;
	struct tokens t;
	size_t seen;  /* bytes whose line breaks are in `line` */
	int64_t line; /* line of byte `seen` */
	struct script out;
};

static int64_t lines_in(const char *text, size_t n)
{
	int64_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

static int fault(struct error *err, int64_t line, const char *what)
{
	error_set(err, ERRC_MIGRATION_INVALID, "line %lld: %s", (long long)line, what);
	error_add_int(err, "line", line);
	return -1;
}

/* End of what is quoted by s[i]. A doubled quote ends one quoted piece and begins the next, which is as good. */
static size_t quoted_end(const char *s, size_t i, size_t n)
{
	const char *close = memchr(s + i + 1, s[i] == '[' ? ']' : s[i], n - i - 1);

	return close ? (size_t)(close - s) + 1 : 0;
}

static size_t comment_end(const char *s, size_t i, size_t n)
{
	const char *end = s[i] == '-' ? memchr(s + i, '\n', n - i) : memmem(s + i + 2, n - i - 2, "*/", 2);

	if (s[i] == '-')
		return end ? (size_t)(end - s) : n;
	return end ? (size_t)(end - s) + 2 : 0;
}

/* What may stand in SQL outside of quotes and comments. */
static bool known(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') ||
	       (c != '\0' && strchr(" \t\n\r\f_$?:@()+-*/%&|~<>=!,;.", c) != NULL);
}

/* Where SQL ends to be SQL, and why; n if nowhere. SQLite takes an open comment to the end: here it is a slip. */
static size_t broken_at(const char *s, size_t n, const char **why)
{
	size_t i = 0;

	while (i < n) {
		size_t end = i + 1;
		bool comment = i + 1 < n && ((s[i] == '-' && s[i + 1] == '-') || (s[i] == '/' && s[i + 1] == '*'));
		if (comment) {
			end = comment_end(s, i, n);
			*why = "a comment that does not end";
		} else if (s[i] == '\'' || s[i] == '"' || s[i] == '`' || s[i] == '[') {
			end = quoted_end(s, i, n);
			*why = s[i] == '\'' ? "a string that does not end" : "a quoted name that does not end";
		} else if (!known(s[i])) {
			end = 0;
			*why = "a character that SQL does not have";
		}
		if (!end)
			return i;
		i = end;
	}
	return n;
}

static bool begins_trigger(const struct tokens *t, size_t i)
{
	if (!token_is(t, i++, "CREATE"))
		return false;
	if (token_is(t, i, "TEMP") || token_is(t, i, "TEMPORARY"))
		i++;
	return token_is(t, i, "TRIGGER");
}

/*
 * The semicolon behind the statement at i, t->n if it has none, SIZE_MAX for a trigger that does not end. A trigger's
 * END stands behind the semicolon of its last step; that of a CASE never does, nor does a column of that name.
 */
static size_t statement_end(const struct tokens *t, size_t i)
{
	bool trigger = begins_trigger(t, i);

	for (; i < t->n; i++) {
		if (!token_punct(t, i, ';'))
			continue;
		if (!trigger)
			return i;
		if (token_is(t, i + 1, "END") && (i + 2 == t->n || token_punct(t, i + 2, ';')))
			return i + 2;
	}
	return trigger ? SIZE_MAX : t->n;
}

static int statement(struct splitter *s, size_t from, size_t to, struct error *err)
{
	size_t start = s->t.at[from].start;

	s->line += lines_in(s->t.text + s->seen, start - s->seen);
	s->seen = start;
	if (to == SIZE_MAX)
		return fault(err, s->line, "a trigger that does not end with \"; END\"");
	if (s->out.n == SCRIPT_STATEMENTS_MAX)
		return fault(err, s->line, "more statements than a script may have");
	s->out.at = pool_grow(s->pool, s->out.at, s->out.n, sizeof(*s->out.at));
	s->out.at[s->out.n++] = (struct script_statement){.sql = token_text(s->pool, &s->t, from, to), .line = s->line};
	return 0;
}

int script_split(struct pool *pool, const char *text, size_t len, int64_t first_line, struct script *ret,
		 struct error *err)
{
	struct splitter s = {.pool = pool, .line = first_line};
	const char *why = "a NUL byte";
	const char *nul = len > 0 ? memchr(text, '\0', len) : NULL;
	size_t broken = nul ? (size_t)(nul - text) : broken_at(text, len, &why);

	if (broken < len)
		return fault(err, first_line + lines_in(text, broken), why);
	if (tokenize(pool, text, len, &s.t, err) != 0) {
		error_add_int(err, "line", first_line);
		return -1;
	}
	for (size_t i = 0; i < s.t.n;) {
		if (token_punct(&s.t, i, ';')) {
			i++;
			continue;
		}
		size_t end = statement_end(&s.t, i);
		if (statement(&s, i, end, err) != 0)
			return -1;
		i = end;
	}
	*ret = s.out;
	return 0;
}
