/*
 * Edits of a CREATE TABLE text: each is a list of byte ranges with what stands there instead.
 */
#include "daemon/migrate/ddl.h"

#include <string.h>
#include <strings.h>

#include "daemon/lib/check.h"

/* Bytes [from, to) of the text become `text`. */
struct edit {
	size_t from, to;
	const char *text;
};

/* Applies edits that are in order and do not overlap. */
static char *apply(const struct ddl *d, const struct edit *edits, size_t n)
{
	size_t len = d->t.at[d->t.n].end, room = len + 1, at = 0;
	for (size_t i = 0; i < n; i++)
		room += strlen(edits[i].text);
	char *text = pool_alloc(d->pool, room), *out = text;
	for (size_t i = 0; i < n; i++) {
		PRE(edits[i].from >= at && edits[i].to >= edits[i].from && edits[i].to <= len);
		memcpy(out, d->t.text + at, edits[i].from - at);
		out += edits[i].from - at;
		size_t add = strlen(edits[i].text);
		memcpy(out, edits[i].text, add);
		out += add;
		at = edits[i].to;
	}
	memcpy(out, d->t.text + at, len - at);
	return text;
}

/* Byte where token i ends. */
static size_t end_of(const struct ddl *d, size_t i) { return d->t.at[i].end; }

/* The range that takes tokens [from, to) away together with the gap before them. from is never the first token. */
static struct edit removal(const struct ddl *d, size_t from, size_t to)
{
	return (struct edit){.from = end_of(d, from - 1), .to = end_of(d, to - 1), .text = ""};
}

char *ddl_set_type(const struct ddl *d, const struct ddl_item *column, const char *type)
{
	struct edit e = {.from = end_of(d, column->from), .to = end_of(d, column->type_to - 1)};
	e.text = pool_printf(d->pool, " %s", type);
	return apply(d, &e, 1);
}

char *ddl_add_constraint(const struct ddl *d, const struct ddl_item *column, const char *text)
{
	size_t at = end_of(d, column->type_to - 1);
	struct edit e = {.from = at, .to = at, .text = pool_printf(d->pool, " %s", text)};
	return apply(d, &e, 1);
}

char *ddl_drop_constraints(const struct ddl *d, const struct ddl_item *column, enum ddl_constraint_kind kind)
{
	struct edit *edits = pool_alloc(d->pool, (column->n + 1) * sizeof(*edits));
	size_t n = 0;
	for (size_t i = 0; i < column->n; i++)
		if (column->constraints[i].kind == kind)
			edits[n++] = removal(d, column->constraints[i].from, column->constraints[i].to);
	return apply(d, edits, n);
}

char *ddl_set_constraint(const struct ddl *d, const struct ddl_constraint *c, const char *text)
{
	struct edit e = {.from = d->t.at[c->key].start, .to = end_of(d, c->to - 1), .text = text};
	return apply(d, &e, 1);
}

char *ddl_add_column(const struct ddl *d, const char *definition)
{
	size_t last = d->open;
	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].name)
			last = d->items[i].to - 1;
	size_t at = end_of(d, last);
	struct edit e = {.from = at, .to = at, .text = pool_printf(d->pool, ", %s", definition)};
	return apply(d, &e, 1);
}

/*
 * A part goes with the comma before it; the parts before the first that stays go with the comma behind them. So any set
 * of parts can be taken away at once, as long as one stays.
 */
static struct edit part_removal(const struct ddl *d, size_t i, bool one_stays_before)
{
	if (one_stays_before)
		return (struct edit){
			.from = end_of(d, d->items[i - 1].to - 1), .to = end_of(d, d->items[i].to - 1), .text = ""};
	PRE(i + 1 < d->n);
	return (struct edit){
		.from = d->t.at[d->items[i].from].start, .to = d->t.at[d->items[i + 1].from].start, .text = ""};
}

char *ddl_drop_column(const struct ddl *d, const struct ddl_item *column)
{
	size_t i = (size_t)(column - d->items);
	struct edit e = part_removal(d, i, i > 0);
	return apply(d, &e, 1);
}

/* How a shadow differs from its table. */
struct shadow {
	const char *old, *quoted_name;
	bool no_unique, no_key; /* without UNIQUE, without PRIMARY KEY */
};

static bool goes(const struct shadow *s, const struct ddl_constraint *c)
{
	return c->kind == DDL_REFERENCES || (c->kind == DDL_UNIQUE && s->no_unique) ||
	       (c->kind == DDL_PRIMARY_KEY && s->no_key);
}

static bool all_goes(const struct shadow *s, const struct ddl_item *it)
{
	for (size_t i = 0; i < it->n; i++)
		if (!goes(s, &it->constraints[i]))
			return false;
	return it->name == NULL;
}

/* Names of the table itself before a dot (CHECK(t.a > 0)) follow its new name. */
static size_t requalify(const struct ddl *d, size_t from, size_t to, const char *old, const char *quoted_name,
			struct edit *edits, size_t n)
{
	for (size_t i = from; i < to; i++)
		if (token_name(&d->t, i) && token_punct(&d->t, i + 1, '.') &&
		    strcasecmp(token_unquote(d->pool, &d->t, i), old) == 0)
			edits[n++] = (struct edit){d->t.at[i].start, end_of(d, i), quoted_name};
	return n;
}

/* The edits of one part that stays. */
static size_t shadow_part(const struct ddl *d, const struct ddl_item *it, const struct shadow *s, struct edit *edits,
			  size_t n)
{
	for (size_t k = 0; k < it->n; k++) {
		const struct ddl_constraint *c = &it->constraints[k];
		if (goes(s, c) && c->from == it->from)
			/* The first of several without commas: the gap before it belongs to the comma. */
			edits[n++] = (struct edit){d->t.at[c->from].start, end_of(d, c->to - 1), ""};
		else if (goes(s, c))
			edits[n++] = removal(d, c->from, c->to);
		else if (c->autoincrement)
			edits[n++] = removal(d, c->autoincrement, c->autoincrement + 1);
		else
			n = requalify(d, c->from, c->to, s->old, s->quoted_name, edits, n);
	}
	return n;
}

static char *make_shadow(const struct ddl *d, const struct shadow *s)
{
	struct edit *edits = pool_alloc(d->pool, (d->t.n + 1) * sizeof(*edits));
	size_t n = 0;

	/* "main"."t" becomes the plain new name. */
	edits[n++] = (struct edit){.from = d->t.at[2].start, .to = end_of(d, d->name), .text = s->quoted_name};
	for (size_t i = 0; i < d->n; i++) {
		if (all_goes(s, &d->items[i]))
			edits[n++] = part_removal(d, i, true); /* a column stands before every table constraint */
		else
			n = shadow_part(d, &d->items[i], s, edits, n);
	}
	return apply(d, edits, n);
}

char *ddl_shadow(const struct ddl *d, const char *quoted_name)
{
	return make_shadow(d,
			   &(struct shadow){.old = token_unquote(d->pool, &d->t, d->name), .quoted_name = quoted_name});
}

char *ddl_bare_shadow(const struct ddl *d, const char *quoted_name, bool keep_key)
{
	return make_shadow(d, &(struct shadow){.old = token_unquote(d->pool, &d->t, d->name),
					       .quoted_name = quoted_name,
					       .no_unique = true,
					       .no_key = !keep_key});
}

char *ddl_set_options(const struct ddl *d, bool without_rowid, bool strict)
{
	size_t from = end_of(d, d->close), last = d->t.n;
	/* A ; at the end is no option. */
	while (last > d->close + 1 && token_punct(&d->t, last - 1, ';'))
		last--;
	struct edit e = {.from = from, .to = end_of(d, last - 1)};
	e.text = pool_printf(d->pool, "%s%s%s", strict ? " STRICT" : "", strict && without_rowid ? "," : "",
			     without_rowid ? " WITHOUT ROWID" : "");
	return apply(d, &e, 1);
}

char *ddl_add_part(const struct ddl *d, const char *text)
{
	size_t at = end_of(d, d->items[d->n - 1].to - 1);
	struct edit e = {.from = at, .to = at, .text = pool_printf(d->pool, ", %s", text)};
	return apply(d, &e, 1);
}

char *ddl_drop_part(const struct ddl *d, const struct ddl_item *item, const struct ddl_constraint *c)
{
	size_t i = (size_t)(item - d->items);
	struct edit e = item->name || item->n > 1 ? removal(d, c->from, c->to) : part_removal(d, i, i > 0);
	if (!item->name && item->n > 1 && c->from == item->from)
		e = (struct edit){d->t.at[c->from].start, end_of(d, c->to - 1), ""};
	return apply(d, &e, 1);
}

char *ddl_shadow_index(struct pool *pool, const char *sql, const char *table, const char *quoted_index,
		       const char *quoted_table, struct error *err)
{
	struct ddl d = {.pool = pool};

	if (tokenize(pool, sql, strlen(sql), &d.t, err) != 0)
		return NULL;
	size_t name = token_is(&d.t, 1, "UNIQUE") ? 3 : 2, on = name + 1;
	if (!token_is(&d.t, 0, "CREATE") || !token_is(&d.t, name - 1, "INDEX") || !token_is(&d.t, on, "ON") ||
	    !token_name(&d.t, on + 1)) {
		error_set(err, ERRC_MIGRATION_INVALID, "cannot read \"%.100s\"", sql);
		return NULL;
	}
	struct edit *edits = pool_alloc(pool, (d.t.n + 2) * sizeof(*edits));
	edits[0] = (struct edit){d.t.at[name].start, end_of(&d, name), quoted_index};
	edits[1] = (struct edit){d.t.at[on + 1].start, end_of(&d, on + 1), quoted_table};
	return apply(&d, edits, requalify(&d, on + 2, d.t.n, table, quoted_table, edits, 2));
}
