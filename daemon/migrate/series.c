/* Several statements about one table; see series.h. */
#include "daemon/migrate/series.h"

#include <strings.h>

struct reading {
	struct pool *pool;
	struct series *out;
	size_t nnew; /* tables the script creates */
	const char **fresh;
	bool others;  /* something else than ALTER */
	bool trigger; /* one was created: what is changed behind it would fire it */
};

static bool renames(const struct alter *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->actions[i].kind == ACTION_RENAME_TABLE || a->actions[i].kind == ACTION_RENAME_COLUMN)
			return true;
	return false;
}

static bool is_new(const struct reading *r, const char *table)
{
	for (size_t i = 0; i < r->nnew; i++)
		if (strcasecmp(r->fresh[i], table) == 0)
			return true;
	return false;
}

static bool add_object(struct reading *r, const struct statement *st)
{
	r->out->objects = pool_grow(r->pool, r->out->objects, r->out->nobjects, sizeof(*r->out->objects));
	r->out->objects[r->out->nobjects++] = *st;
	r->others = true;
	return true;
}

/* One of the table's; `table` NULL where the statement does not say whose it is. */
static bool add_change(struct reading *r, const struct statement *st, const char *table)
{
	struct series *out = r->out;

	if (table && out->table && strcasecmp(table, out->table) != 0)
		return false;
	out->table = out->table ? out->table : table;
	out->at = pool_grow(r->pool, out->at, out->n, sizeof(*out->at));
	out->at[out->n++] = *st;
	r->others = r->others || st->kind != STATEMENT_ALTER;
	return true;
}

static bool add(struct reading *r, const struct statement *st)
{
	switch (st->kind) {
	case STATEMENT_ALTER:
		return !renames(&st->alter) && add_change(r, st, st->alter.table);
	case STATEMENT_DATA:
		return st->alter.actions[0].kind == ACTION_UPDATE && !r->trigger && add_change(r, st, st->alter.table);
	case STATEMENT_CREATE_INDEX:
		return is_new(r, st->table) ? add_object(r, st) : add_change(r, st, st->table);
	case STATEMENT_DROP_INDEX:
		return add_change(r, st, NULL);
	case STATEMENT_CREATE_TABLE:
		r->fresh = pool_grow(r->pool, r->fresh, r->nnew, sizeof(*r->fresh));
		r->fresh[r->nnew++] = st->name;
		return !st->if_exists && add_object(r, st);
	case STATEMENT_CREATE_TRIGGER:
		r->trigger = true;
		return add_object(r, st);
	case STATEMENT_CREATE_VIEW:
	case STATEMENT_DROP_VIEW:
	case STATEMENT_DROP_TRIGGER:
		return add_object(r, st);
	default:
		return false;
	}
}

bool series_read(struct pool *pool, const struct script *script, const struct script_kind *kinds, struct series *ret)
{
	struct reading r = {.pool = pool, .out = ret};

	*ret = (struct series){0};
	for (size_t i = 0; i < script->n; i++) {
		struct error none = {0};
		struct statement st;
		if (kinds[i].what == SCRIPT_PASSED_OVER)
			continue;
		bool read = ret->n + ret->nobjects < SERIES_MAX &&
			    statement_parse(pool, script->at[i].sql, &st, &none) == 0;
		error_clear(&none);
		if (!read || !add(&r, &st))
			return false;
	}
	return ret->n + ret->nobjects > 1 && ret->table && r.others;
}
