/* Several statements about one table; see series.h. */
#include "daemon/migrate/series.h"

#include <strings.h>

static bool renames(const struct alter *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->actions[i].kind == ACTION_RENAME_TABLE || a->actions[i].kind == ACTION_RENAME_COLUMN)
			return true;
	return false;
}

/* The table that the statement is about; NULL where it does not say. *ret_fits: it can be part of a series. */
static const char *table_of(const struct statement *st, bool *ret_fits)
{
	*ret_fits = true;
	switch (st->kind) {
	case STATEMENT_ALTER:
		*ret_fits = !renames(&st->alter);
		return st->alter.table;
	case STATEMENT_DATA:
		*ret_fits = st->alter.actions[0].kind == ACTION_UPDATE;
		return st->alter.table;
	case STATEMENT_CREATE_INDEX:
		return st->table;
	case STATEMENT_DROP_INDEX:
		return NULL;
	default:
		*ret_fits = false;
		return NULL;
	}
}

static bool add(struct pool *pool, const char *sql, struct series *ret)
{
	struct error none = {0};
	struct statement st;
	bool fits = false;

	if (ret->n == SERIES_MAX || statement_parse(pool, sql, &st, &none) != 0) {
		error_clear(&none);
		return false;
	}
	const char *table = table_of(&st, &fits);
	if (!fits || (table && ret->table && strcasecmp(table, ret->table) != 0))
		return false;
	ret->table = ret->table ? ret->table : table;
	ret->at = pool_grow(pool, ret->at, ret->n, sizeof(*ret->at));
	ret->at[ret->n++] = st;
	return true;
}

bool series_read(struct pool *pool, const struct script *script, const struct script_kind *kinds, struct series *ret)
{
	bool others = false;

	*ret = (struct series){0};
	for (size_t i = 0; i < script->n; i++) {
		if (kinds[i].what == SCRIPT_PASSED_OVER)
			continue;
		if (!add(pool, script->at[i].sql, ret))
			return false;
		others = others || ret->at[ret->n - 1].kind != STATEMENT_ALTER;
	}
	return ret->n > 1 && ret->table && others;
}
