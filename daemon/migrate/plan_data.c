/*
 * UPDATE and DELETE of a whole table as a rebuild: the new values are the mapping, the rows that go are left out of it.
 * Nobody sees half of it, and it can be given up until the swap.
 *
 * It holds for every row there is at the swap, those that clients write meanwhile included: as if the statement had run
 * in that moment. What a statement does beyond the row itself (triggers, foreign key actions) does not happen in a
 * rebuild: where it would, the plan refuses.
 */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/plan_internal.h"
#include "daemon/migrate/tokenize.h"

/* CREATE TRIGGER .. {DELETE | INSERT | UPDATE [OF a, b]} ON: does it fire for this event (on this column)? */
static int fires(struct planning *p, const struct schema_trigger *trigger, const char *event, const char *column,
		 bool *ret)
{
	struct tokens t;
	size_t i = 0;

	*ret = false;
	if (tokenize(p->pool, trigger->sql, strlen(trigger->sql), &t, p->err) != 0)
		return -1;
	while (i < t.n && !token_is(&t, i, "ON"))
		i++;
	size_t on = i;
	for (i = 2; i < on && !token_is(&t, i, event); i++)
		;
	if (i >= on)
		return 0;
	if (!column || !token_is(&t, i + 1, "OF")) {
		*ret = true;
		return 0;
	}
	for (i += 2; i < on; i++)
		*ret = *ret || (token_name(&t, i) && strcasecmp(token_unquote(p->pool, &t, i), column) == 0);
	return 0;
}

int plan_refuse_triggers(struct planning *p, const char *event, const char *column)
{
	for (size_t i = 0; i < p->source->ntriggers; i++) {
		bool would = false;
		if (fires(p, &p->source->triggers[i], event, column, &would) != 0)
			return -1;
		if (would)
			return error_set(
				p->err, ERRC_MIGRATION_INVALID,
				"trigger %.100s would have to fire for each row: it cannot be done by a rebuild",
				p->source->triggers[i].name);
	}
	return 0;
}

static struct column_map *find_map(struct planning *p, const char *name)
{
	for (size_t i = 0; i < p->nmap; i++)
		if (strcasecmp(p->map[i].name, name) == 0)
			return &p->map[i];
	return NULL;
}

static int refuse_column(struct planning *p, const char *name, const char *why)
{
	return error_set(p->err, ERRC_MIGRATION_INVALID, "column %.100s of %.100s %s", name, p->source->name, why);
}

/* True if a foreign key hangs on the column: as the one that refers, or as what is referred to. */
static bool in_foreign_key(const struct schema_table *t, const struct schema_column *c)
{
	for (size_t i = 0; i < t->nparents; i++)
		if (strcasecmp(t->parents[i].from, c->name) == 0)
			return true;
	for (size_t i = 0; i < t->nchildren; i++)
		if (t->children[i].to ? strcasecmp(t->children[i].to, c->name) == 0 : c->pk != 0)
			return true;
	return false;
}

/* date('now') and its like, without an argument too. What SQLite refuses in an index when it gets there. */
static bool tells_time(const struct tokens *t, size_t i)
{
	static const char *const names[] = {"date",      "time",     "datetime", "julianday",
					    "unixepoch", "strftime", "timediff"};
	bool timely = false;

	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
		timely = timely || token_is(t, i, names[k]);
	if (!timely || !token_punct(t, i + 1, '('))
		return false;
	size_t close = token_close(t, i + 1), commas = 0;
	for (size_t k = i + 2; k < close && k < t->n; k++) {
		commas += token_punct(t, k, ',');
		if (t->at[k].kind == TOKEN_STRING && t->at[k].end - t->at[k].start == 5 &&
		    strncasecmp(t->text + t->at[k].start, "'now'", 5) == 0)
			return true;
	}
	return close == i + 2 || (token_is(t, i, "strftime") && commas == 0);
}

int plan_pure(struct planning *p, const char *expr)
{
	struct tokens t;

	/* IS NULL: SQLite would take a string that stands alone in an index for a name. */
	if (try_expression(p, pool_printf(p->pool, "(\n%s\n) IS NULL", expr), p->err) != 0 ||
	    tokenize(p->pool, expr, strlen(expr), &t, p->err) != 0)
		return -1;
	for (size_t i = 0; i < t.n; i++)
		if (tells_time(&t, i))
			return error_set(p->err, ERRC_MIGRATION_INVALID,
					 "%.200s: non-deterministic: rows are looked at more than once", expr);
	return 0;
}

int plan_update(struct planning *p, const struct action *a)
{
	struct column_map *m = find_map(p, a->name);

	if (!m)
		return error_set(p->err, ERRC_MIGRATION_INVALID, "no such column: %.100s of %.100s", a->name,
				 p->source->name);
	const struct schema_column *c = &p->source->columns[m->source];
	if (c->hidden)
		return refuse_column(p, a->name, "is generated: it follows the columns it is made of");
	if (m->source == p->source->alias || (c->pk && p->source->without_rowid))
		return refuse_column(p, a->name, "is the key by which rows are told apart: a rebuild cannot change it");
	if (m->using)
		return refuse_column(p, a->name, "is set twice");
	if (in_foreign_key(p->source, c))
		return refuse_column(p, a->name, "is part of a foreign key, which a rebuild would not look at");
	if (plan_refuse_triggers(p, "UPDATE", c->name) != 0 || plan_pure(p, a->text) != 0 ||
	    (a->using && plan_pure(p, a->using) != 0))
		return -1;
	m->using = pool_printf(p->pool, "CASE WHEN (\n%s\n) THEN (\n%s\n) ELSE %s END", a->using ? a->using : "1",
			       a->text, quote_name(p->pool, c->name));
	m->plain = true;
	p->changed = true;
	return 0;
}

int plan_delete(struct planning *p, const struct action *a)
{
	if (plan_refuse_triggers(p, "DELETE", NULL) != 0)
		return -1;
	if (p->source->nchildren)
		return error_set(p->err, ERRC_MIGRATION_INVALID,
				 "a foreign key of table %.100s refers to %.100s: rows cannot be deleted by a rebuild",
				 p->source->children[0].child, p->source->name);
	if (a->text && plan_pure(p, a->text) != 0)
		return -1;
	p->plan->filter = a->text ? pool_printf(p->pool, "(\n%s\n) IS NOT TRUE", a->text) : "0";
	p->changed = true;
	return 0;
}
