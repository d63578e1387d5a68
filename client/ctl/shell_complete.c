/*
 * What a Tab could mean: at a line's beginning a dot command, behind one its argument, else tables, columns and words
 * of SQL.
 *
 * Columns come first from the tables that the statement names, wherever in it; behind "t." those of t alone, be it an
 * alias or a table.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/ctl/shell.h"

/* Candidates that are gathered; a person does not read more. */
#define WORDS_MAX 1000

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80; }

/* ---- candidates ---- */

struct search {
	struct completion *out;
	const char *typed; /* what they begin with */
	size_t n;
};

static void add(struct search *s, const char *word, bool small)
{
	char *copy;

	if (strncasecmp(word, s->typed, s->n) != 0)
		return;
	for (size_t i = 0; i < s->out->n; i++)
		if (strcasecmp(s->out->words[i], word) == 0)
			return;
	if (s->out->n == WORDS_MAX) {
		s->out->more = true;
		return;
	}
	copy = must(strdup(word));
	for (char *p = copy; small && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	s->out->words = must(realloc(s->out->words, (s->out->n + 1) * sizeof(*s->out->words)));
	s->out->words[s->out->n++] = copy;
}

static void add_name(struct search *s, const char *name)
{
	struct buf text = {0};

	text_name(&text, name);
	add(s, buf_cstr(&text), false);
	buf_free(&text);
}

static void add_list(struct search *s, const char *const *words, bool small)
{
	for (; *words; words++)
		add(s, *words, small);
}

static void add_columns(struct search *s, const struct names_table *t)
{
	for (size_t i = 0; i < t->ncolumns; i++)
		add_name(s, t->columns[i]);
}

static void add_tables(struct search *s, const struct names *names)
{
	for (size_t i = 0; names && i < names->ntables; i++)
		add_name(s, names->tables[i].name);
}

static void add_others(struct search *s, const struct names *names)
{
	for (size_t i = 0; names && i < names->nothers; i++)
		add_name(s, names->others[i]);
}

/* ---- the statement ---- */

static const struct names_table *table_named(const struct names *names, const char *p, size_t n)
{
	for (size_t i = 0; names && i < names->ntables; i++)
		if (strlen(names->tables[i].name) == n && strncasecmp(names->tables[i].name, p, n) == 0)
			return &names->tables[i];
	return NULL;
}

/* The next name or word at or behind p; NULL at the end. Quotes are left out. */
static const char *next_name(const char *p, size_t *ret_n)
{
	for (; *p; p++) {
		if (strchr("\"`[", *p)) {
			const char *end = strchr(p + 1, *p == '[' ? ']' : *p);

			*ret_n = end ? (size_t)(end - p - 1) : strlen(p + 1);
			return p + 1;
		}
		if (*p == '\'') {
			const char *end = strchr(p + 1, '\'');

			if (!end)
				return NULL;
			p = end;
			continue;
		}
		if (is_word(*p)) {
			for (*ret_n = 0; is_word(p[*ret_n]); ++*ret_n)
				;
			return p;
		}
	}
	return NULL;
}

static const char *behind_name(const char *p, size_t n)
{
	p += n;
	return *p && strchr("\"`]", *p) ? p + 1 : p;
}

/* Columns of all tables that are named; where none is yet, of all there are. */
static void add_columns_of_named(struct search *s, const struct names *names, const char *sql)
{
	size_t n, found = 0;

	for (const char *p = next_name(sql, &n); p; p = next_name(behind_name(p, n), &n)) {
		const struct names_table *t = table_named(names, p, n);

		if (t)
			add_columns(s, t);
		found += t != NULL;
	}
	for (size_t i = 0; found == 0 && s->n > 0 && names && i < names->ntables; i++)
		add_columns(s, &names->tables[i]);
}

/* The table that an alias stands for: the name before it, with or without AS. */
static const struct names_table *table_of(const struct names *names, const char *sql, const char *alias, size_t len)
{
	const struct names_table *found = table_named(names, alias, len), *before = NULL;
	size_t n;

	for (const char *p = next_name(sql, &n); p && !found; p = next_name(behind_name(p, n), &n)) {
		const struct names_table *t = table_named(names, p, n);

		if (before && n == len && strncasecmp(p, alias, n) == 0)
			found = before;
		if (t || n != 2 || strncasecmp(p, "as", 2) != 0)
			before = t;
	}
	return found;
}

/* The word of SQL before the one that is typed, as capital letters. */
static void word_before(const char *sql, size_t end, char *out, size_t size)
{
	size_t n = 0, begin;

	while (end > 0 && isspace((unsigned char)sql[end - 1]))
		end--;
	for (begin = end; begin > 0 && is_word(sql[begin - 1]);)
		begin--;
	for (; begin < end && n + 1 < size; begin++)
		out[n++] = (char)toupper((unsigned char)sql[begin]);
	out[n] = '\0';
}

static bool wants_table(const char *word)
{
	static const char *const words[] = {"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "REFERENCES", NULL};

	for (size_t i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static void complete_sql(struct search *s, const struct names *names, const char *sql, size_t from)
{
	char before[16];
	bool small = s->n > 0 && islower((unsigned char)*s->typed);
	size_t dot = from;

	if (dot > 0 && sql[dot - 1] == '.') {
		const struct names_table *t;
		size_t end = --dot;

		while (dot > 0 && is_word(sql[dot - 1]))
			dot--;
		t = table_of(names, sql, sql + dot, end - dot);
		if (t)
			add_columns(s, t);
		return;
	}
	word_before(sql, from, before, sizeof(before));
	if (wants_table(before)) {
		add_tables(s, names);
		return;
	}
	add_columns_of_named(s, names, sql);
	add_tables(s, names);
	if (s->n > 0)
		add_others(s, names);
	/* With nothing typed the words of SQL would only be in the way. */
	if (s->n > 0)
		add_list(s, sql_words, small);
}

/* ---- dot commands ---- */

static void complete_argument(struct search *s, const struct names *names, const char *command)
{
	static const char *const switches[] = {"on", "off", NULL};
	static const char *const of_tables[] = {".schema", ".tables", ".dump", ".import", "\\d", NULL};
	static const char *const of_switches[] = {".headers", ".timer", ".echo", ".bail", ".changes", NULL};
	const struct dot_command *d = dot_find(command);
	const char *name = d ? d->name : "";

	if (strcmp(name, ".mode") == 0) {
		for (int m = 0; m < MODES; m++)
			add(s, render_mode_name((enum render_mode)m), false);
	} else if (strcmp(name, ".help") == 0) {
		for (const struct dot_command *k = dot_commands; k->name; k++)
			add(s, k->name, false);
	} else if (strcmp(name, ".indexes") == 0) {
		add_tables(s, names);
	}
	for (size_t i = 0; of_tables[i]; i++)
		if (strcmp(name, of_tables[i]) == 0) {
			add_tables(s, names);
			add_others(s, names);
		}
	for (size_t i = 0; of_switches[i]; i++)
		if (strcmp(name, of_switches[i]) == 0)
			add_list(s, switches, false);
}

static void complete_command(struct search *s)
{
	for (const struct dot_command *k = dot_commands; k->name; k++)
		add(s, k->name, false);
	for (size_t i = 0; dot_ctl_words[i]; i++)
		if (dot_ctl_command(dot_ctl_words[i]))
			add(s, dot_ctl_words[i], false);
}

static int by_text(const void *a, const void *b) { return strcasecmp(*(char *const *)a, *(char *const *)b); }

void complete(const struct names *names, const char *before, const char *line, struct completion *ret)
{
	size_t blanks = strspn(line, " \t"), from = strlen(line);
	bool command = !*before && (line[blanks] == '.' || line[blanks] == '\\');
	struct search s = {.out = ret};
	struct buf text = {0};

	*ret = (struct completion){0};
	while (from > blanks && (is_word(line[from - 1]) || (command && line[from - 1] == '.')))
		from--;
	if (command && from == blanks + 1 && line[blanks] == '\\')
		from--;
	s.typed = line + from;
	s.n = strlen(s.typed);
	ret->from = from;
	if (command && from == blanks) {
		complete_command(&s);
	} else if (command) {
		buf_add(&text, line + blanks, strcspn(line + blanks, " \t"));
		complete_argument(&s, names, buf_cstr(&text));
	} else {
		buf_puts(&text, before);
		from += text.len;
		buf_puts(&text, line);
		complete_sql(&s, names, buf_cstr(&text), from);
	}
	buf_free(&text);
	if (ret->n > 1)
		qsort(ret->words, ret->n, sizeof(*ret->words), by_text);
}

void completion_free(struct completion *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->words[i]);
	free(c->words);
	*c = (struct completion){0};
}

static bool same_letter(char a, char b) { return tolower((unsigned char)a) == tolower((unsigned char)b); }

size_t completion_common(const struct completion *c)
{
	size_t n = c->n > 0 ? strlen(c->words[0]) : 0;

	for (size_t i = 1; i < c->n; i++) {
		size_t same = 0;

		while (same < n && same_letter(c->words[i][same], c->words[0][same]))
			same++;
		n = same;
	}
	/* Not in the middle of a character. */
	while (c->n > 0 && n > 0 && ((unsigned char)c->words[0][n] & 0xc0) == 0x80)
		n--;
	return n;
}
