/* Where a statement ends; see struct split. A byte at a time, so that a statement of many lines is looked at once. */
#include <ctype.h>
#include <string.h>

#include "client/ctl/shell.h"

enum token { TOKEN_SEMI, TOKEN_OTHER, TOKEN_EXPLAIN, TOKEN_CREATE, TOKEN_TEMP, TOKEN_TRIGGER, TOKEN_END };

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80; }

static char upper(char c) { return (char)toupper((unsigned char)c); }

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

static enum split_at next(enum split_at at, enum token t)
{
	switch (at) {
	case SPLIT_START:
		return t == TOKEN_SEMI      ? SPLIT_START
		       : t == TOKEN_EXPLAIN ? SPLIT_EXPLAIN
		       : t == TOKEN_CREATE  ? SPLIT_CREATE
					    : SPLIT_NORMAL;
	case SPLIT_EXPLAIN:
		/* EXPLAIN QUERY PLAN CREATE TRIGGER. */
		return t == TOKEN_SEMI     ? SPLIT_START
		       : t == TOKEN_CREATE ? SPLIT_CREATE
		       : t == TOKEN_OTHER  ? SPLIT_EXPLAIN
					   : SPLIT_NORMAL;
	case SPLIT_CREATE:
		return t == TOKEN_SEMI      ? SPLIT_START
		       : t == TOKEN_TRIGGER ? SPLIT_TRIGGER
		       : t == TOKEN_TEMP    ? SPLIT_CREATE
					    : SPLIT_NORMAL;
	case SPLIT_TRIGGER:
		return t == TOKEN_SEMI ? SPLIT_SEMI : SPLIT_TRIGGER;
	case SPLIT_SEMI:
		return t == TOKEN_SEMI ? SPLIT_SEMI : t == TOKEN_END ? SPLIT_END : SPLIT_TRIGGER;
	case SPLIT_END:
		return t == TOKEN_SEMI ? SPLIT_START : SPLIT_TRIGGER;
	case SPLIT_NORMAL:
		break;
	}
	return t == TOKEN_SEMI ? SPLIT_START : SPLIT_NORMAL;
}

static void end_word(struct split *s)
{
	static const struct {
		const char *word;
		enum token token;
	} words[] = {
		{"CREATE", TOKEN_CREATE},  {"EXPLAIN", TOKEN_EXPLAIN}, {"TEMP", TOKEN_TEMP},
		{"TEMPORARY", TOKEN_TEMP}, {"TRIGGER", TOKEN_TRIGGER}, {"END", TOKEN_END},
	};
	enum token t = TOKEN_OTHER;

	if (s->nword == 0)
		return;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == s->nword && memcmp(words[i].word, s->word, s->nword) == 0)
			t = words[i].token;
	s->nword = 0;
	s->solid = true;
	s->at = next(s->at, t);
}

static void other(struct split *s)
{
	s->solid = true;
	s->at = next(s->at, TOKEN_OTHER);
}

/* Inside of a string, a quoted name or a comment. */
static void take_inside(struct split *s, char c)
{
	if (s->comment && s->close == '*') {
		if (s->before == '*' && c == '/')
			s->close = '\0';
		s->before = c == '*' ? '*' : '\0';
	} else if (c == s->close) {
		s->close = '\0';
	}
	if (!s->close) {
		s->before = '\0';
		/* A quote that is doubled opens the next string, which is all the same here. */
		if (!s->comment)
			other(s);
		s->comment = false;
	}
}

/* The second half of "--" or of a comment's beginning? */
static bool opens_comment(struct split *s, char c)
{
	char before = s->before;

	s->before = '\0';
	if (before == '-' && c == '-')
		s->close = '\n';
	else if (before == '/' && c == '*')
		s->close = '*';
	else
		return false;
	s->comment = true;
	return true;
}

bool split_take(struct split *s, char c)
{
	if (s->close) {
		take_inside(s, c);
		return false;
	}
	if (s->before) {
		if (opens_comment(s, c))
			return false;
		other(s);
	}
	if (is_word(c)) {
		/* A longer word is none of those that count. */
		if (s->nword < sizeof(s->word))
			s->word[s->nword++] = upper(c);
		return false;
	}
	end_word(s);
	if (c == ';') {
		s->at = next(s->at, TOKEN_SEMI);
		if (s->at != SPLIT_START)
			return false;
		s->blank = !s->solid;
		s->solid = false;
		return true;
	}
	if (c == '-' || c == '/')
		s->before = c;
	else if (c == '\'' || c == '"' || c == '`')
		s->close = c;
	else if (c == '[')
		s->close = ']';
	else if (!is_blank(c))
		other(s);
	return false;
}

bool split_is_blank(const struct split *s)
{
	return !s->solid && s->nword == 0 && !s->before && (!s->close || (s->comment && s->close == '\n'));
}

const char *split_skip(const char *p)
{
	for (;;) {
		const char *end = NULL;

		if (*p && is_blank(*p)) {
			p++;
			continue;
		}
		if (p[0] == '-' && p[1] == '-')
			end = strchrnul(p, '\n');
		else if (p[0] == '/' && p[1] == '*')
			end = (end = strstr(p + 2, "*/")) ? end + 2 : strchr(p, '\0');
		if (!end)
			return p;
		p = end;
	}
}

void split_first_word(const char *sql, char *out, size_t size)
{
	const char *p = split_skip(sql);
	size_t n = 0;

	while (is_word(p[n]) && n + 1 < size) {
		out[n] = upper(p[n]);
		n++;
	}
	out[is_word(p[n]) ? 0 : n] = '\0';
}
