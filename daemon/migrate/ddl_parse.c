/*
 * CREATE TABLE text -> items and constraints. Follows SQLite's grammar, not the documentation's: constraints of a table
 * may follow each other without a comma, types may be any words, NULL is a constraint.
 */
#include "daemon/migrate/ddl.h"

#include <string.h>
#include <strings.h>

static int bad(const struct ddl *d, size_t i, struct error *err)
{
	return error_set(err, ERRC_MIGRATION_INVALID, "cannot read the table's CREATE statement near \"%.60s\"",
			 i < d->t.n ? token_text(d->pool, &d->t, i, i + 1) : "its end");
}

/* Behind a parenthesis group at i, or i itself. */
static size_t skip_group(const struct ddl *d, size_t i)
{
	if (!token_punct(&d->t, i, '('))
		return i;
	size_t close = token_close(&d->t, i);
	return close < d->t.n ? close + 1 : d->t.n;
}

static size_t skip_conflict(const struct ddl *d, size_t i)
{
	return token_is(&d->t, i, "ON") && token_is(&d->t, i + 1, "CONFLICT") ? i + 3 : i;
}

/* Behind REFERENCES t (..) with its ON, MATCH and DEFERRABLE parts. i is at REFERENCES. */
static size_t skip_references(const struct ddl *d, size_t i)
{
	const struct tokens *t = &d->t;
	i = skip_group(d, i + 2);
	for (;;) {
		if (token_is(t, i, "ON") &&
		    (token_is(t, i + 1, "DELETE") || token_is(t, i + 1, "UPDATE") || token_is(t, i + 1, "INSERT")))
			i += token_is(t, i + 2, "SET") || token_is(t, i + 2, "NO") ? 4 : 3;
		else if (token_is(t, i, "MATCH"))
			i += 2;
		else if (token_is(t, i, "DEFERRABLE"))
			i++;
		else if (token_is(t, i, "NOT") && token_is(t, i + 1, "DEFERRABLE"))
			i += 2;
		else if (token_is(t, i, "INITIALLY"))
			i += 2;
		else
			return i;
	}
}

/* Behind DEFAULT's value; i is at DEFAULT. */
static size_t skip_default(const struct ddl *d, size_t i)
{
	i++;
	if (token_punct(&d->t, i, '('))
		return skip_group(d, i);
	if (token_punct(&d->t, i, '+') || token_punct(&d->t, i, '-'))
		i++;
	return i + 1;
}

/* Behind PRIMARY KEY of a column; i is at PRIMARY. */
static size_t skip_primary(const struct ddl *d, size_t i, struct ddl_constraint *c)
{
	i = skip_group(d, i + 2);
	if (token_is(&d->t, i, "ASC") || token_is(&d->t, i, "DESC"))
		i++;
	i = skip_conflict(d, i);
	if (token_is(&d->t, i, "AUTOINCREMENT"))
		c->autoincrement = i++;
	return i;
}

/* Reads one constraint at i. Returns the token behind it; i itself if there is none. */
static size_t constraint(const struct ddl *d, size_t i, struct ddl_constraint *c)
{
	const struct tokens *t = &d->t;
	*c = (struct ddl_constraint){.from = i, .key = i};
	if (token_is(t, i, "CONSTRAINT") && token_name(t, i + 1)) {
		c->name = token_unquote(d->pool, t, i + 1);
		c->key = i += 2;
	}
	size_t to = c->from;
	if (token_is(t, i, "PRIMARY")) {
		c->kind = DDL_PRIMARY_KEY;
		to = skip_primary(d, i, c);
	} else if (token_is(t, i, "NOT") && token_is(t, i + 1, "NULL")) {
		c->kind = DDL_NOT_NULL;
		to = skip_conflict(d, i + 2);
	} else if (token_is(t, i, "NULL")) {
		c->kind = DDL_NULL;
		to = skip_conflict(d, i + 1);
	} else if (token_is(t, i, "UNIQUE")) {
		c->kind = DDL_UNIQUE;
		to = skip_conflict(d, skip_group(d, i + 1));
	} else if (token_is(t, i, "CHECK")) {
		c->kind = DDL_CHECK;
		to = skip_conflict(d, skip_group(d, i + 1));
	} else if (token_is(t, i, "DEFAULT")) {
		c->kind = DDL_DEFAULT;
		to = skip_default(d, i);
	} else if (token_is(t, i, "COLLATE")) {
		c->kind = DDL_COLLATE;
		to = i + 2;
	} else if (token_is(t, i, "REFERENCES")) {
		c->kind = DDL_REFERENCES;
		to = skip_references(d, i);
	} else if (token_is(t, i, "FOREIGN")) {
		c->kind = DDL_REFERENCES;
		to = skip_references(d, skip_group(d, i + 2));
	} else if (token_is(t, i, "GENERATED") || token_is(t, i, "AS")) {
		c->kind = DDL_GENERATED;
		while (i < t->n && !token_punct(t, i, '('))
			i++;
		to = skip_group(d, i);
		if (token_is(t, to, "STORED") || token_is(t, to, "VIRTUAL"))
			to++;
	}
	return to;
}

static bool constraint_word(const struct tokens *t, size_t i)
{
	static const char *const words[] = {"CONSTRAINT", "PRIMARY", "NOT",        "NULL",      "UNIQUE", "CHECK",
					    "DEFAULT",    "COLLATE", "REFERENCES", "GENERATED", "AS",     "FOREIGN"};
	for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
		if (token_is(t, i, words[k]))
			return true;
	return false;
}

/* A part is the table's if it begins like a constraint and SQLite would not take its first word for a column's name. */
static bool table_part(const struct tokens *t, size_t i)
{
	return token_is(t, i, "CONSTRAINT") || token_is(t, i, "PRIMARY") || token_is(t, i, "UNIQUE") ||
	       token_is(t, i, "CHECK") || token_is(t, i, "FOREIGN");
}

static int item(const struct ddl *d, struct ddl_item *it, struct error *err)
{
	size_t i = it->from;
	if (!table_part(&d->t, i)) {
		if (!token_name(&d->t, i))
			return bad(d, i, err);
		it->name = token_unquote(d->pool, &d->t, i++);
		while (i < it->to && !constraint_word(&d->t, i)) {
			if (token_punct(&d->t, i, '('))
				i = skip_group(d, i);
			else
				i++;
		}
		it->type_to = i;
	}
	while (i < it->to) {
		struct ddl_constraint c;
		size_t to = constraint(d, i, &c);
		if (to <= i || to > it->to)
			return bad(d, i, err);
		c.to = to;
		it->constraints = pool_grow(d->pool, it->constraints, it->n, sizeof(*it->constraints));
		it->constraints[it->n++] = c;
		i = to;
	}
	return 0;
}

static int items(struct ddl *d, struct error *err)
{
	for (size_t i = d->open + 1; i <= d->close;) {
		struct ddl_item it = {.from = i};
		while (i < d->close && !token_punct(&d->t, i, ','))
			i = token_punct(&d->t, i, '(') ? skip_group(d, i) : i + 1;
		it.to = i++;
		if (it.to == it.from)
			return bad(d, it.from, err);
		if (item(d, &it, err) != 0)
			return -1;
		d->items = pool_grow(d->pool, d->items, d->n, sizeof(*d->items));
		d->items[d->n++] = it;
	}
	return 0;
}

int ddl_parse(struct pool *pool, const char *sql, struct ddl *ret, struct error *err)
{
	struct ddl d = {.pool = pool};

	if (tokenize(pool, sql, strlen(sql), &d.t, err) != 0)
		return -1;
	if (!token_is(&d.t, 0, "CREATE") || !token_is(&d.t, 1, "TABLE") || !token_name(&d.t, 2))
		return bad(&d, 0, err);
	d.name = token_punct(&d.t, 3, '.') ? 4 : 2;
	d.open = d.name + 1;
	d.close = token_close(&d.t, d.open);
	if (!token_punct(&d.t, d.open, '(') || d.close >= d.t.n)
		return bad(&d, d.open, err);
	if (items(&d, err) != 0)
		return -1;
	for (size_t i = d.close + 1; i < d.t.n; i++) {
		d.without_rowid = d.without_rowid || token_is(&d.t, i, "WITHOUT");
		d.strict = d.strict || token_is(&d.t, i, "STRICT");
	}
	*ret = d;
	return 0;
}

struct ddl_item *ddl_column(const struct ddl *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].name && strcasecmp(d->items[i].name, name) == 0)
			return &d->items[i];
	return NULL;
}

size_t ddl_columns(const struct ddl *d)
{
	size_t n = 0;
	for (size_t i = 0; i < d->n; i++)
		n += d->items[i].name != NULL;
	return n;
}

const struct ddl_constraint *ddl_find(const struct ddl_item *it, enum ddl_constraint_kind kind)
{
	for (size_t i = 0; i < it->n; i++)
		if (it->constraints[i].kind == kind)
			return &it->constraints[i];
	return NULL;
}

const char **ddl_constraint_columns(const struct ddl *d, const struct ddl_constraint *c, size_t *ret_n)
{
	const char **names = NULL;
	size_t n = 0, i = c->key;

	while (i < c->to && !token_punct(&d->t, i, '('))
		i++;
	size_t close = token_close(&d->t, i);
	for (bool first = true; ++i < close;) {
		if (first && token_name(&d->t, i)) {
			names = pool_grow(d->pool, names, n, sizeof(*names));
			names[n++] = token_unquote(d->pool, &d->t, i);
		}
		first = token_punct(&d->t, i, ',');
	}
	*ret_n = n;
	return names;
}

bool ddl_mentions(const struct ddl *d, size_t from, size_t to, const char *name)
{
	for (size_t i = from; i < to; i++)
		if ((d->t.at[i].kind == TOKEN_WORD || d->t.at[i].kind == TOKEN_QUOTED) &&
		    strcasecmp(token_unquote(d->pool, &d->t, i), name) == 0)
			return true;
	return false;
}
