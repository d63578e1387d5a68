/* Telling statements apart by their first words, and taking UPDATE and DELETE to pieces. */
#include "daemon/migrate/statement.h"

#include <string.h>
#include <strings.h>

#include "daemon/migrate/tokenize.h"

struct reader {
	struct pool *pool;
	struct tokens t;
	size_t i; /* next token */
	struct statement *out;
	struct error *err;
};

static int unexpected(struct reader *r)
{
	size_t line = 1;

	for (size_t k = 0; k < r->t.at[r->i].start; k++)
		line += r->t.text[k] == '\n';
	if (r->i >= r->t.n)
		error_set(r->err, ERRC_MIGRATION_INVALID, "incomplete statement");
	else
		error_set(r->err, ERRC_MIGRATION_INVALID, "near \"%.60s\": syntax error",
			  token_text(r->pool, &r->t, r->i, r->i + 1));
	error_add_int(r->err, "line", (long long)line);
	return -1;
}

static int refused(struct reader *r, const char *why) { return error_set(r->err, ERRC_MIGRATION_INVALID, "%s", why); }

static bool accept(struct reader *r, const char *word)
{
	if (!token_is(&r->t, r->i, word))
		return false;
	r->i++;
	return true;
}

/* [main.]name */
static int name(struct reader *r, const char **ret)
{
	if (!token_name(&r->t, r->i))
		return unexpected(r);
	if (token_punct(&r->t, r->i + 1, '.')) {
		if (strcasecmp(token_unquote(r->pool, &r->t, r->i), "main") != 0)
			return refused(r, "only what is in main can be changed");
		r->i += 2;
		if (!token_name(&r->t, r->i))
			return unexpected(r);
	}
	*ret = token_unquote(r->pool, &r->t, r->i++);
	return 0;
}

/* IF [NOT] EXISTS */
static int if_exists(struct reader *r, bool create)
{
	if (!token_is(&r->t, r->i, "IF") || !token_is(&r->t, r->i + 1, create ? "NOT" : "EXISTS"))
		return 0;
	r->i += create ? 3 : 2;
	if (!token_is(&r->t, r->i - 1, "EXISTS"))
		return unexpected(r);
	r->out->if_exists = true;
	return 0;
}

static int create_index(struct reader *r)
{
	struct statement *st = r->out;

	st->kind = STATEMENT_CREATE_INDEX;
	if (if_exists(r, true) != 0 || name(r, &st->name) != 0)
		return -1;
	if (!accept(r, "ON"))
		return unexpected(r);
	if (name(r, &st->table) != 0)
		return -1;
	return token_punct(&r->t, r->i, '(') && token_close(&r->t, r->i) < r->t.n ? 0 : unexpected(r);
}

/* A query as the source of a table runs as long as it likes. */
static int create_table(struct reader *r)
{
	r->out->kind = STATEMENT_CREATE_TABLE;
	if (if_exists(r, true) != 0 || name(r, &r->out->name) != 0)
		return -1;
	if (token_is(&r->t, r->i, "AS"))
		return refused(r, "CREATE TABLE .. AS SELECT holds the writer for as long as the query takes: create "
				  "the table, and fill it with exec");
	return token_punct(&r->t, r->i, '(') ? 0 : unexpected(r);
}

static int create(struct reader *r)
{
	struct statement *st = r->out;

	if (token_is(&r->t, r->i, "TEMP") || token_is(&r->t, r->i, "TEMPORARY"))
		return refused(r, "TEMP objects live in one connection: a migration cannot make them");
	if (token_is(&r->t, r->i, "VIRTUAL"))
		return refused(r, "virtual tables cannot be made by a migration");
	st->unique = accept(r, "UNIQUE");
	if (accept(r, "INDEX"))
		return create_index(r);
	if (st->unique)
		return unexpected(r);
	if (accept(r, "TABLE"))
		return create_table(r);
	if (accept(r, "VIEW"))
		st->kind = STATEMENT_CREATE_VIEW;
	else if (accept(r, "TRIGGER"))
		st->kind = STATEMENT_CREATE_TRIGGER;
	else
		return unexpected(r);
	return if_exists(r, true) != 0 || name(r, &st->name) != 0 ? -1 : 0;
}

static int drop(struct reader *r)
{
	static const struct {
		const char *word;
		enum statement_kind kind;
	} kinds[] = {{"INDEX", STATEMENT_DROP_INDEX},
		     {"TABLE", STATEMENT_DROP_TABLE},
		     {"VIEW", STATEMENT_DROP_VIEW},
		     {"TRIGGER", STATEMENT_DROP_TRIGGER}};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (!accept(r, kinds[k].word))
			continue;
		r->out->kind = kinds[k].kind;
		if (if_exists(r, false) != 0 || name(r, &r->out->name) != 0)
			return -1;
		return r->i < r->t.n ? unexpected(r) : 0;
	}
	return unexpected(r);
}

/* The first of these words outside of parentheses, or a comma where asked; t.n if there is none. */
static size_t find_end(const struct reader *r, size_t from, bool comma)
{
	static const char *const words[] = {"WHERE", "FROM", "RETURNING", "ORDER", "LIMIT"};
	size_t i = from;

	while (i < r->t.n) {
		if (comma && token_punct(&r->t, i, ','))
			return i;
		for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
			/* IS DISTINCT FROM is an operator. */
			if (token_is(&r->t, i, words[k]) &&
			    !(strcmp(words[k], "FROM") == 0 && i > from && token_is(&r->t, i - 1, "DISTINCT")))
				return i;
		i = token_punct(&r->t, i, '(') ? token_close(&r->t, i) + 1 : i + 1;
	}
	return r->t.n;
}

/* [WHERE expr], and nothing behind it that means something else than each row by itself. */
static int where(struct reader *r, const char **ret)
{
	*ret = NULL;
	if (accept(r, "WHERE")) {
		size_t end = find_end(r, r->i, false);
		if (end == r->i)
			return unexpected(r);
		*ret = token_text(r->pool, &r->t, r->i, end);
		r->i = end;
	}
	if (token_is(&r->t, r->i, "FROM"))
		return refused(r,
			       "UPDATE .. FROM looks at other tables: only each row by itself can be changed online");
	if (token_is(&r->t, r->i, "RETURNING"))
		return refused(r, "RETURNING has no place in a migration: it answers nobody");
	if (token_is(&r->t, r->i, "ORDER") || token_is(&r->t, r->i, "LIMIT"))
		return refused(r, "ORDER BY and LIMIT depend on the other rows: only each row by itself can be changed "
				  "online");
	return r->i < r->t.n ? unexpected(r) : 0;
}

/* The table of an UPDATE or DELETE, without anything that gives it another name. */
static int target(struct reader *r)
{
	r->out->kind = STATEMENT_DATA;
	if (name(r, &r->out->alter.table) != 0)
		return -1;
	if (token_is(&r->t, r->i, "AS"))
		return refused(r, "the table of a migration's UPDATE or DELETE takes no other name");
	if (token_is(&r->t, r->i, "INDEXED") || token_is(&r->t, r->i, "NOT"))
		return refused(r, "every row is looked at: INDEXED BY and NOT INDEXED mean nothing here");
	return 0;
}

static int add(struct reader *r, enum action_kind kind, const char *column, const char *text)
{
	struct alter *a = &r->out->alter;

	if (a->n == ALTER_ACTIONS_MAX)
		return error_set(r->err, ERRC_MIGRATION_INVALID, "more than %d columns", ALTER_ACTIONS_MAX);
	a->actions = pool_grow(r->pool, a->actions, a->n, sizeof(*a->actions));
	a->actions[a->n++] = (struct action){.kind = kind, .name = column, .text = text};
	return 0;
}

/* One `column = expression` of SET. */
static int assignment(struct reader *r)
{
	const char *column;

	if (token_punct(&r->t, r->i, '('))
		return refused(r, "SET (a, b) = (x, y) is not taken here: say SET a = x, b = y");
	if (!token_name(&r->t, r->i))
		return unexpected(r);
	column = token_unquote(r->pool, &r->t, r->i++);
	if (!token_punct(&r->t, r->i, '='))
		return unexpected(r);
	size_t from = ++r->i;
	r->i = find_end(r, from, true);
	if (r->i == from)
		return unexpected(r);
	return add(r, ACTION_UPDATE, column, token_text(r->pool, &r->t, from, r->i));
}

static int update(struct reader *r)
{
	const char *condition;

	if (token_is(&r->t, r->i, "OR"))
		return refused(r, "UPDATE OR .. is not taken here: rows that do not fit fail the change");
	if (target(r) != 0)
		return -1;
	if (!accept(r, "SET"))
		return unexpected(r);
	do {
		if (assignment(r) != 0)
			return -1;
	} while (token_punct(&r->t, r->i, ',') && ++r->i);
	if (where(r, &condition) != 0)
		return -1;
	for (size_t k = 0; k < r->out->alter.n; k++)
		r->out->alter.actions[k].using = condition;
	return 0;
}

static int delete (struct reader *r)
{
	const char *condition;

	if (!accept(r, "FROM"))
		return unexpected(r);
	if (target(r) != 0 || where(r, &condition) != 0)
		return -1;
	return add(r, ACTION_DELETE, NULL, condition);
}

static int one(struct reader *r)
{
	if (accept(r, "CREATE"))
		return create(r);
	if (accept(r, "DROP"))
		return drop(r);
	if (accept(r, "UPDATE"))
		return update(r);
	if (accept(r, "DELETE"))
		return delete (r);
	return error_set(
		r->err, ERRC_MIGRATION_INVALID,
		"near \"%.60s\": a migration is ALTER TABLE, CREATE or DROP of an index, table, view or trigger, "
		"or UPDATE or DELETE of a whole table",
		token_text(r->pool, &r->t, r->i, r->i + 1));
}

/* Leaves the semicolons at the end out; one in the middle is another statement, but in a trigger. */
static int alone(struct reader *r)
{
	while (r->t.n > 0 && token_punct(&r->t, r->t.n - 1, ';'))
		r->t.n--;
	r->t.at[r->t.n].kind = TOKEN_END;
	bool trigger = false;
	for (size_t i = 0; i < r->t.n && i < 4; i++)
		trigger = trigger || token_is(&r->t, i, "TRIGGER");
	for (size_t i = 0; i < r->t.n && !(trigger && token_is(&r->t, 0, "CREATE")); i++)
		if (token_punct(&r->t, i, ';'))
			return refused(r, "one statement at a time, unless all are ALTER TABLE of one table");
	r->out->sql = token_text(r->pool, &r->t, 0, r->t.n);
	return 0;
}

int statement_parse(struct pool *pool, const char *sql, struct statement *ret, struct error *err)
{
	struct statement st = {0};
	struct reader r = {.pool = pool, .out = &st, .err = err};
	size_t first = 0;

	if (tokenize(pool, sql, strlen(sql), &r.t, err) != 0)
		return -1;
	while (token_punct(&r.t, first, ';'))
		first++;
	if (first >= r.t.n || token_is(&r.t, first, "ALTER")) {
		st.sql = sql;
		if (alter_parse(pool, sql, strlen(sql), &st.alter, err) != 0)
			return -1;
		*ret = st;
		return 0;
	}
	r.t.at += first;
	r.t.n -= first;
	if (alone(&r) != 0 || one(&r) != 0)
		return -1;
	*ret = st;
	return 0;
}
