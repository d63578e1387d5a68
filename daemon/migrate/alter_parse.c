/*
 * A hand-written parser over tokens: one function an action form. Expressions and definitions are kept as text; SQLite
 * judges them when the plan is tried in a scratch database.
 */
#include "daemon/migrate/alter_parse.h"

#include <string.h>
#include <strings.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/tokenize.h"

struct parser {
	struct pool *pool;
	struct tokens t;
	size_t i; /* next token */
	struct error *err;
	struct alter *out;
	const char *renamed; /* what RENAME TO has made of the table's name; NULL: nothing */
};

static int unexpected(struct parser *p)
{
	size_t line = 1;
	for (size_t k = 0; k < p->t.at[p->i].start; k++)
		line += p->t.text[k] == '\n';
	int rc;
	if (p->i >= p->t.n)
		rc = error_set(p->err, ERRC_MIGRATION_INVALID, "incomplete ALTER TABLE statement");
	else
		rc = error_set(p->err, ERRC_MIGRATION_INVALID, "near \"%.60s\": syntax error in ALTER TABLE",
			       token_text(p->pool, &p->t, p->i, p->i + 1));
	error_add_int(p->err, "line", (long long)line);
	return rc;
}

static bool accept(struct parser *p, const char *word)
{
	if (!token_is(&p->t, p->i, word))
		return false;
	p->i++;
	return true;
}

/* Takes the words in order, or none of them. */
static bool accept2(struct parser *p, const char *a, const char *b)
{
	if (!token_is(&p->t, p->i, a) || !token_is(&p->t, p->i + 1, b))
		return false;
	p->i += 2;
	return true;
}

static int name(struct parser *p, const char **ret)
{
	if (!token_name(&p->t, p->i))
		return unexpected(p);
	*ret = token_unquote(p->pool, &p->t, p->i++);
	return 0;
}

/* Index of the token that ends an action's free text: ',' or ';' at depth 0, or USING where asked, or the end. */
static size_t free_end(const struct parser *p, bool using)
{
	size_t i = p->i;
	while (i < p->t.n && !token_punct(&p->t, i, ',') && !token_punct(&p->t, i, ';') &&
	       !token_punct(&p->t, i, ')') && !(using && i > p->i && token_is(&p->t, i, "USING")))
		i = token_punct(&p->t, i, '(') ? token_close(&p->t, i) + 1 : i + 1;
	return i < p->t.n ? i : p->t.n;
}

/* Takes free text, at least one token of it. */
static int free_text(struct parser *p, bool using, const char **ret)
{
	size_t end = free_end(p, using);
	if (end == p->i)
		return unexpected(p);
	*ret = token_text(p->pool, &p->t, p->i, end);
	p->i = end;
	return 0;
}

static int using_clause(struct parser *p, struct action *a)
{
	return accept(p, "USING") ? free_text(p, false, &a->using) : 0;
}

/* ALTER [COLUMN] c ... */
static int alter_column(struct parser *p, struct action *a)
{
	if (token_is(&p->t, p->i, "COLUMN") && token_name(&p->t, p->i + 1))
		p->i++;
	if (name(p, &a->name) != 0)
		return -1;
	if (accept(p, "TYPE") || (accept2(p, "SET", "DATA") && accept(p, "TYPE"))) {
		a->kind = ACTION_TYPE;
		return free_text(p, true, &a->text) != 0 || using_clause(p, a) != 0 ? -1 : 0;
	}
	if (accept(p, "SET")) {
		if (accept2(p, "NOT", "NULL")) {
			a->kind = ACTION_SET_NOT_NULL;
			return 0;
		}
		if (accept(p, "DEFAULT")) {
			a->kind = ACTION_SET_DEFAULT;
			return free_text(p, false, &a->text);
		}
		if (accept(p, "COLLATE")) {
			a->kind = ACTION_SET_COLLATE;
			return free_text(p, false, &a->text);
		}
	} else if (accept(p, "DROP")) {
		if (accept2(p, "NOT", "NULL")) {
			a->kind = ACTION_DROP_NOT_NULL;
			return 0;
		}
		if (accept(p, "DEFAULT")) {
			a->kind = ACTION_DROP_DEFAULT;
			return 0;
		}
	}
	return unexpected(p);
}

static bool constraint_ahead(const struct parser *p)
{
	const struct tokens *t = &p->t;
	size_t i = p->i;
	return token_is(t, i, "CONSTRAINT") || (token_is(t, i, "CHECK") && token_punct(t, i + 1, '(')) ||
	       (token_is(t, i, "UNIQUE") && token_punct(t, i + 1, '(')) ||
	       (token_is(t, i, "FOREIGN") && token_is(t, i + 1, "KEY")) ||
	       (token_is(t, i, "PRIMARY") && token_is(t, i + 1, "KEY"));
}

static int add(struct parser *p, struct action *a)
{
	if (constraint_ahead(p)) {
		a->kind = ACTION_ADD_CONSTRAINT;
		return free_text(p, false, &a->text);
	}
	a->kind = ACTION_ADD_COLUMN;
	if (token_is(&p->t, p->i, "COLUMN") && token_name(&p->t, p->i + 1))
		p->i++;
	a->quoted_name = token_name(&p->t, p->i) ? token_text(p->pool, &p->t, p->i, p->i + 1) : NULL;
	if (name(p, &a->name) != 0)
		return -1;
	if (token_is(&p->t, p->i, "USING") || free_end(p, true) == p->i)
		a->text = "";
	else if (free_text(p, true, &a->text) != 0)
		return -1;
	return using_clause(p, a);
}

static int drop(struct parser *p, struct action *a)
{
	if (accept(p, "CONSTRAINT")) {
		a->kind = ACTION_DROP_CONSTRAINT;
		return name(p, &a->name);
	}
	if (accept2(p, "PRIMARY", "KEY")) {
		a->kind = ACTION_DROP_PRIMARY_KEY;
		return 0;
	}
	if (accept(p, "STRICT")) {
		a->kind = ACTION_DROP_STRICT;
		return 0;
	}
	if (accept2(p, "WITHOUT", "ROWID")) {
		a->kind = ACTION_DROP_WITHOUT_ROWID;
		return 0;
	}
	a->kind = ACTION_DROP_COLUMN;
	if (token_is(&p->t, p->i, "COLUMN") && token_name(&p->t, p->i + 1))
		p->i++;
	return name(p, &a->name);
}

static int rename_action(struct parser *p, struct action *a)
{
	if (token_is(&p->t, p->i, "TO") && !token_is(&p->t, p->i + 1, "TO")) {
		p->i++;
		a->kind = ACTION_RENAME_TABLE;
		if (name(p, &a->text) != 0)
			return -1;
		p->renamed = a->text;
		return 0;
	}
	a->kind = ACTION_RENAME_COLUMN;
	if (token_is(&p->t, p->i, "COLUMN") && !token_is(&p->t, p->i + 1, "TO"))
		p->i++;
	if (name(p, &a->name) != 0)
		return -1;
	return accept(p, "TO") ? name(p, &a->text) : unexpected(p);
}

static int action(struct parser *p, struct action *a)
{
	if (accept(p, "ADD"))
		return add(p, a);
	if (accept(p, "DROP"))
		return drop(p, a);
	if (accept(p, "RENAME"))
		return rename_action(p, a);
	if (accept(p, "ALTER"))
		return alter_column(p, a);
	if (accept2(p, "SET", "STRICT"))
		a->kind = ACTION_SET_STRICT;
	else if (token_is(&p->t, p->i, "SET") && token_is(&p->t, p->i + 1, "WITHOUT") &&
		 token_is(&p->t, p->i + 2, "ROWID")) {
		p->i += 3;
		a->kind = ACTION_SET_WITHOUT_ROWID;
	} else {
		return unexpected(p);
	}
	return 0;
}

/* ALTER TABLE [main .] t, up to its first action. */
static int head(struct parser *p)
{
	const char *table = NULL;

	if (!accept2(p, "ALTER", "TABLE")) {
		if (p->i < p->t.n && p->t.at[p->i].kind == TOKEN_WORD && !token_is(&p->t, p->i, "ALTER"))
			return error_set(p->err, ERRC_MIGRATION_INVALID,
					 "only ALTER TABLE can be run as an online change by this version, not %.40s",
					 token_text(p->pool, &p->t, p->i, p->i + 1));
		return unexpected(p);
	}
	if (token_punct(&p->t, p->i + 1, '.')) {
		if (!token_is(&p->t, p->i, "main") && strcasecmp(token_unquote(p->pool, &p->t, p->i), "main") != 0)
			return error_set(p->err, ERRC_MIGRATION_INVALID, "only tables of main can be changed");
		p->i += 2;
	}
	if (name(p, &table) != 0)
		return -1;
	CHECK(table);
	if (p->renamed && strcasecmp(p->renamed, table) == 0)
		table = p->out->table; /* by the name it has by now */
	if (p->out->table && strcasecmp(p->out->table, table) != 0)
		return error_set(p->err, ERRC_MIGRATION_INVALID,
				 "one migrate.alter changes one table in this version: %.80s and %.80s are two",
				 p->out->table, table);
	p->out->table = table;
	return 0;
}

static int statement(struct parser *p)
{
	if (head(p) != 0)
		return -1;
	for (;;) {
		struct alter *out = p->out;
		struct action a = {.kind = ACTION_TYPE};
		if (action(p, &a) != 0)
			return -1;
		if (out->n == ALTER_ACTIONS_MAX)
			return error_set(p->err, ERRC_MIGRATION_INVALID, "more than %d actions", ALTER_ACTIONS_MAX);
		out->actions = pool_grow(p->pool, out->actions, out->n, sizeof(*out->actions));
		out->actions[out->n++] = a;
		if (!token_punct(&p->t, p->i, ','))
			break;
		p->i++;
	}
	if (p->i < p->t.n && !token_punct(&p->t, p->i, ';'))
		return unexpected(p);
	return 0;
}

int alter_parse(struct pool *pool, const char *sql, size_t len, struct alter *ret, struct error *err)
{
	struct alter out = {0};
	struct parser p = {.pool = pool, .err = err, .out = &out};

	if (tokenize(pool, sql, len, &p.t, err) != 0)
		return -1;
	for (;;) {
		while (token_punct(&p.t, p.i, ';'))
			p.i++;
		if (p.i >= p.t.n)
			break;
		if (statement(&p) != 0)
			return -1;
	}
	if (out.n == 0)
		return error_set(err, ERRC_MIGRATION_INVALID, "no ALTER TABLE statement");
	*ret = out;
	return 0;
}
