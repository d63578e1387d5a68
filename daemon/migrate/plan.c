/*
 * The order of planning: read the table, apply the actions to its text, let SQLite read the result in a scratch
 * database, derive the mapping, write the SQL the engine will run.
 */
#include "daemon/migrate/plan.h"

#include <string.h>
#include <strings.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/ddl.h"
#include "daemon/migrate/plan_internal.h"
#include "proto/buf.h"

static char *join(struct pool *pool, const char *const *parts, size_t n, const char *operator)
{
	if (n == 1)
		return pool_str(pool, parts[0]);
	size_t half = n / 2;
	return pool_printf(pool, "(%s)%s(%s)", join(pool, parts, half, operator), operator,
			   join(pool, parts + half, n - half, operator));
}

char *plan_join(struct pool *pool, const char *const *parts, size_t n, const char *operator)
{
	PRE(n > 0);
	return join(pool, parts, n, operator);
}

static int row_flag(void *arg, sqlite3_stmt *stmt)
{
	*(bool *)arg = sqlite3_column_int(stmt, 0) != 0;
	return 0;
}

/* A table this version cannot rebuild. */
static int refuse_source(struct planning *p)
{
	const struct schema_table *t = p->source;
	rowkey_of_table(p->pool, t, &p->plan->source_key);
	if (p->plan->source_key.n == 0)
		return error_set(
			p->err, ERRC_MIGRATION_INVALID,
			"the rowid of %.200s has no usable name (rowid, _rowid_ and oid are columns), and it has no "
			"PRIMARY KEY whose columns are NOT NULL",
			t->name);
	for (size_t i = 0; i < t->nindexes; i++)
		if (t->indexes[i].origin == 'c' && !t->indexes[i].sql)
			return error_set(p->err, ERRC_MIGRATION_INVALID, "index %.200s has no text",
					 t->indexes[i].name);
	return 0;
}

/* An ADD COLUMN that SQLite does by writing the schema alone. */
bool plan_instant(struct planning *p, const struct action *a)
{
	struct pool scratch = {0};
	struct error why = {0};
	struct ddl d;
	bool instant = false;
	const char *sql = pool_printf(&scratch, "CREATE TABLE x(y, %s %s)", a->quoted_name, a->text);

	if (a->kind == ACTION_ADD_COLUMN && !a->using && ddl_parse(&scratch, sql, &d, &why) == 0 && d.n == 2 &&
	    d.items[1].name) {
		const struct ddl_item *it = &d.items[1];
		const struct ddl_constraint *dflt = ddl_find(it, DDL_DEFAULT);
		bool literal = !dflt ||
			       !(token_punct(&d.t, dflt->key + 1, '(') ||
				 (d.t.at[dflt->key + 1].kind == TOKEN_WORD && !token_is(&d.t, dflt->key + 1, "NULL")));
		bool null = !dflt || token_is(&d.t, dflt->key + 1, "NULL");
		instant = literal && !ddl_find(it, DDL_PRIMARY_KEY) && !ddl_find(it, DDL_UNIQUE) &&
			  !ddl_find(it, DDL_CHECK) && !ddl_find(it, DDL_GENERATED) &&
			  !(ddl_find(it, DDL_NOT_NULL) && null) && !(ddl_find(it, DDL_REFERENCES) && !null) &&
			  !p->source->strict;
	}
	error_clear(&why);
	pool_free(&scratch);
	return instant;
}

/* Renames and plain new columns: SQLite's own ALTER TABLE, one statement an action. */
static int instant(struct planning *p, const struct alter *alter)
{
	struct buf sql = {0};
	const char *table = quote_name(p->pool, p->source->name);

	for (size_t i = 0; i < alter->n; i++) {
		const struct action *a = &alter->actions[i];
		if (a->kind == ACTION_ADD_COLUMN) {
			if (schema_find_column(p->source, a->name) >= 0) {
				buf_free(&sql);
				return error_set(p->err, ERRC_MIGRATION_INVALID,
						 "column %.100s of %.100s exists already", a->name, p->source->name);
			}
			buf_printf(&sql, "ALTER TABLE main.%s ADD COLUMN %s %s;\n", table, a->quoted_name, a->text);
		} else if (a->kind == ACTION_RENAME_COLUMN) {
			buf_printf(&sql, "ALTER TABLE main.%s RENAME COLUMN %s TO %s;\n", table,
				   quote_name(p->pool, a->name), quote_name(p->pool, a->text));
		} else {
			buf_printf(&sql, "ALTER TABLE main.%s RENAME TO %s;\n", table, quote_name(p->pool, a->text));
			table = quote_name(p->pool, a->text);
		}
	}
	p->plan->strategy = STRATEGY_INSTANT;
	p->plan->instant_sql = pool_take(p->pool, &sql);
	return 0;
}

static bool all_instant(struct planning *p, const struct alter *alter, int *ret)
{
	bool others = false;
	*ret = 0;
	for (size_t i = 0; i < alter->n; i++) {
		const struct action *a = &alter->actions[i];
		bool rename = a->kind == ACTION_RENAME_COLUMN || a->kind == ACTION_RENAME_TABLE;
		others = others || (!rename && !plan_instant(p, a));
		if (rename && a->kind == ACTION_RENAME_TABLE &&
		    (strncasecmp(a->text, "_alterd_", 8) == 0 || strncasecmp(a->text, "sqlite_", 7) == 0))
			*ret = error_set(p->err, ERRC_MIGRATION_INVALID, "the name %.100s is reserved", a->text);
		if (a->kind == ACTION_RENAME_COLUMN && schema_find_column(p->source, a->name) < 0 && alter->n == 1)
			*ret = error_set(p->err, ERRC_MIGRATION_INVALID, "no such column: %.100s of %.100s", a->name,
					 p->source->name);
	}
	return !others;
}

/* True if the index holds a column that the target has no more, or its text uses one. */
static bool index_gone(struct planning *p, const struct schema_index *x)
{
	for (size_t c = 0; c < p->source->ncolumns; c++) {
		const char *name = p->source->columns[c].name;
		bool kept = false;
		for (size_t i = 0; i < p->nmap; i++)
			kept = kept || p->map[i].source == (int)c;
		if (kept)
			continue;
		for (size_t k = 0; k < x->nuser; k++)
			if (x->keys[k].column == (int)c)
				return true;
		if (plan_index_uses(p, x->sql, name))
			return true;
	}
	return false;
}

int plan_add_index(struct planning *p, const char *name, bool unique, const char *sql, size_t number, bool fresh)
{
	struct plan *plan = p->plan;
	struct plan_index x = {.name = name, .unique = unique, .sql = sql, .fresh = fresh};

	x.shadow_name = pool_printf(p->pool, "%s_x%zu", plan->shadow, number);
	x.shadow_sql = ddl_shadow_index(p->pool, sql, p->source->name, quote_name(p->pool, x.shadow_name),
					quote_name(p->pool, plan->shadow), p->err);
	if (!x.shadow_sql)
		return -1;
	plan->indexes = pool_grow(p->pool, plan->indexes, plan->nindexes, sizeof(x));
	plan->indexes[plan->nindexes++] = x;
	return 0;
}

int plan_indexes(struct planning *p)
{
	struct plan *plan = p->plan;
	for (size_t i = 0; i < p->source->nindexes; i++) {
		const struct schema_index *x = &p->source->indexes[i];
		if (!x->sql)
			continue;
		if (index_gone(p, x)) {
			if (x->unique && p->source->nchildren)
				return error_set(
					p->err, ERRC_MIGRATION_INVALID,
					"dropping the unique index %.100s of a referenced table is not yet possible",
					x->name);
			plan->dropped = pool_grow(p->pool, plan->dropped, plan->ndropped, sizeof(*plan->dropped));
			plan->dropped[plan->ndropped++] = x->name;
			continue;
		}
		if (plan_add_index(p, x->name, x->unique, p->index_sql[i], i, false) != 0)
			return -1;
	}
	return 0;
}

/* Makes target, its indexes and the shadow in a scratch database and reads the target back. */
static int try_target(struct planning *p, struct schema_table **ret)
{
	struct plan *plan = p->plan;
	sqlite3 *db = NULL;
	int rc = -1;

	if (scratch_open(&db, true, p->err) != 0)
		return -1;
	if (sqlite3_exec(db, p->sql, NULL, NULL, NULL) != SQLITE_OK)
		goto refused;
	for (size_t i = 0; i < plan->nindexes; i++)
		if (sqlite3_exec(db, plan->indexes[i].sql, NULL, NULL, NULL) != SQLITE_OK)
			goto refused;
	if (schema_read(p->pool, db, p->source->name, ret, p->err) != 0)
		goto done;
	if (sqlite3_exec(db, plan->shadow_sql, NULL, NULL, NULL) != SQLITE_OK)
		goto refused;
	for (size_t i = 0; i < plan->nindexes; i++)
		if (sqlite3_exec(db, plan->indexes[i].shadow_sql, NULL, NULL, NULL) != SQLITE_OK)
			goto refused;
	rc = 0;
	goto done;
refused:
	error_set(p->err, ERRC_MIGRATION_INVALID, "SQLite refuses the changed table: %s", sqlite3_errmsg(db));
done:
	sqlite3_close(db);
	return rc;
}

/*
 * What the shadow can be made with so that the indexes of its constraints are built afterwards. Not where a PRIMARY KEY
 * means more than uniqueness: the table itself WITHOUT ROWID, NOT NULL in a STRICT one;
 * nor where rows of the shadow are found by their key.
 */
static const char *bare_shadow(struct planning *p, const struct ddl *d, const struct schema_table *target)
{
	bool key_index = false;

	for (size_t i = 0; i < target->nindexes; i++) {
		p->plan->unique = p->plan->unique || !target->indexes[i].sql;
		key_index = key_index || target->indexes[i].origin == 'p';
	}
	if (!p->plan->unique || !p->plan->copy_rowid || p->plan->key_map || target->without_rowid ||
	    (target->strict && key_index))
		return NULL;
	return pool_str(p->pool, ddl_bare_shadow(d, quote_name(d->pool, p->plan->shadow), !key_index));
}

int plan_rebuild(struct planning *p)
{
	struct plan *plan = p->plan;
	struct schema_table *target = NULL;
	struct pool scratch = {0};
	struct ddl d;

	int rc = ddl_parse(&scratch, p->sql, &d, p->err);
	if (rc == 0)
		plan->shadow_sql = pool_str(p->pool, ddl_shadow(&d, quote_name(&scratch, plan->shadow)));
	if (rc == 0)
		rc = try_target(p, &target);
	if (rc == 0)
		rc = plan_map_columns(p, target);
	if (rc == 0)
		plan->bare_sql = bare_shadow(p, &d, target);
	pool_free(&scratch);
	if (rc != 0)
		return -1;
	if (plan->filter && plan->key_map)
		return error_set(p->err, ERRC_MIGRATION_INVALID,
				 "DELETE of %.200s and another key for its rows: one after the other", p->source->name);
	plan->strategy = STRATEGY_REBUILD;
	plan->target_sql = p->sql;
	plan->unique = plan->unique || plan->key_map;
	if (plan_rules(p, target) != 0)
		return -1;
	plan_in_place(p, target);
	return 0;
}

static int rebuild(struct planning *p)
{
	if (plan_choose_shadow(p) != 0 || plan_indexes(p) != 0 || plan_rebuild(p) != 0)
		return -1;
	return p->plan->nconsent ? try_dependents(p) : 0;
}

int plan_source(struct planning *p, const char *table)
{
	if (schema_read(p->pool, p->db, table, &p->source, p->err) != 0)
		return -1;
	if (strncasecmp(p->source->name, "sqlite_", 7) == 0 || strncasecmp(p->source->name, "_alterd_", 8) == 0 ||
	    strncasecmp(p->source->name, "_litestream_", 12) == 0)
		return error_set(p->err, ERRC_MIGRATION_INVALID,
				 "table %.200s belongs to the system and cannot be changed", p->source->name);
	p->plan->source = p->source;
	p->plan->table = p->source->name;
	return 0;
}

static int look_for_rows(struct planning *p)
{
	const struct plan_options *o = p->options;
	const char *sql = pool_printf(p->pool, "SELECT EXISTS(SELECT 1 FROM main.%s)",
				      quote_name(p->pool, p->plan->table));

	if (!o->rows)
		return schema_each(p->db, p->err, row_flag, &p->rows, sql, NULL);
	p->rows = o->rows(o->rows_arg, p->plan->table) > 0;
	return 0;
}

int plan_rows(struct planning *p)
{
	if (refuse_source(p) != 0)
		return -1;
	return look_for_rows(p);
}

static int make(struct planning *p, const struct alter *alter)
{
	struct plan *plan = p->plan;
	int rc = 0;

	if (plan_source(p, alter->table) != 0)
		return -1;
	if (all_instant(p, alter, &rc))
		return rc != 0 ? rc : instant(p, alter);
	if (rc != 0 || plan_rows(p) != 0)
		return -1;
	plan_map_source(p);
	for (size_t i = 0; i < alter->n; i++)
		if (plan_edit(p, &alter->actions[i]) != 0)
			return -1;
	rc = plan_try_renames(p);
	if (rc == 0 && p->changed)
		rc = rebuild(p);
	else if (rc == 0 && (plan->nrenames || plan->rename_sql))
		plan_only_renames(p);
	return rc;
}

void plan_map_source(struct planning *p)
{
	p->sql = pool_str(p->pool, p->source->sql);
	for (size_t i = 0; i < p->source->ncolumns; i++) {
		p->map = pool_grow(p->pool, p->map, p->nmap, sizeof(*p->map));
		p->map[p->nmap++] = (struct column_map){.name = p->source->columns[i].name, .source = (int)i};
	}
}

int plan_finish(struct planning *p, int rc)
{
	sqlite3_close(p->renamed);
	if (!p->no_memory)
		return rc;
	error_clear(p->err);
	return error_set_sqlite(p->err, SQLITE_NOMEM, "SQLITE_NOMEM", "out of memory");
}

int plan_make(struct pool *pool, sqlite3 *db, const struct alter *alter, const struct plan_options *options,
	      struct plan **ret, struct error *err)
{
	struct plan *plan = pool_alloc(pool, sizeof(*plan));
	struct planning p = {.pool = pool, .db = db, .options = options, .plan = plan, .err = err};

	*ret = plan;
	return plan_finish(&p, make(&p, alter));
}

int plan_consent(struct pool *pool, sqlite3 *db, const struct plan *plan, const char **ret, struct error *err)
{
	*ret = NULL;
	if (plan->strategy == STRATEGY_DROP && !plan->dropped_index) {
		bool rows = false;
		const char *any = pool_printf(pool, "SELECT 1 FROM main.%s LIMIT 1", quote_name(pool, plan->table));
		if (schema_each(db, err, schema_row_exists, &rows, any, NULL) != 0)
			return -1;
		*ret = rows ? plan->table : NULL;
	}
	for (size_t i = 0; i < plan->nconsent && !*ret; i++) {
		bool found = false;
		const char *sql = pool_printf(pool, "SELECT 1 FROM main.%s WHERE %s IS NOT NULL LIMIT 1",
					      quote_name(pool, plan->table), quote_name(pool, plan->consent[i]));
		if (schema_each(db, err, schema_row_exists, &found, sql, NULL) != 0)
			return -1;
		if (found)
			*ret = plan->consent[i];
	}
	return 0;
}
