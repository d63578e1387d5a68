/*
 * RENAME together with a change that copies the table.
 *
 * The copy knows nothing of it: it reads the source by its names and writes a shadow that has the new ones. In the
 * swap's transaction SQLite's own RENAME COLUMN runs on the live table before the exchange, and RENAME TO behind it, so
 * views, triggers, indexes and foreign keys of others follow as they always do. Whether SQLite can do it is tried here,
 * in a scratch database with the whole schema.
 */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/ddl.h"
#include "daemon/migrate/plan_internal.h"

static const char *rename_sql(struct planning *p, const char *table, const char *from, const char *to)
{
	return pool_printf(p->pool, "ALTER TABLE main.%s RENAME COLUMN %s TO %s", quote_name(p->pool, table),
			   quote_name(p->pool, from), quote_name(p->pool, to));
}

static int row_text(void *arg, sqlite3_stmt *stmt)
{
	struct planning *p = ((void **)arg)[0];
	((const char **)arg)[1] = pool_str(p->pool, (const char *)sqlite3_column_text(stmt, 0));
	return 0;
}

/* The stored text of a table or index. */
static int read_text(struct planning *p, sqlite3 *db, const char *name, const char **ret)
{
	void *arg[2] = {p, NULL};
	const char *texts[] = {name, NULL};
	int rc = schema_each(db, p->err, row_text, arg, "SELECT sql FROM main.sqlite_schema WHERE name=?1", texts);

	if (rc == 0 && !arg[1])
		rc = error_set(p->err, ERRC_MIGRATION_INVALID, "SQLite cannot make %.100s of its stored text", name);
	if (rc == 0)
		*ret = arg[1];
	return rc;
}

static int refused(struct planning *p, sqlite3 *db)
{
	(void)trial_ok(p, sqlite3_errcode(db));
	return error_set(p->err, ERRC_MIGRATION_INVALID, "SQLite refuses to rename: %s", sqlite3_errmsg(db));
}

/* The table's text so far with the column under its new name. */
static int rename_in_text(struct planning *p, const char *from, const char *to)
{
	sqlite3 *db = NULL;
	const char *sql = NULL;
	int rc = 0;

	if (scratch_open(&db, true, p->err) != 0)
		return -1;
	if (sqlite3_exec(db, p->sql, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, rename_sql(p, p->source->name, from, to), NULL, NULL, NULL) != SQLITE_OK)
		rc = refused(p, db);
	else
		rc = read_text(p, db, p->source->name, &sql);
	if (rc == 0)
		p->sql = pool_str(p->pool, sql);
	sqlite3_close(db);
	return rc;
}

int plan_rename(struct planning *p, const struct action *a)
{
	struct plan *plan = p->plan;
	struct column_map *m = NULL;

	if (a->kind == ACTION_RENAME_TABLE) {
		plan->rename_to = strcmp(a->text, p->source->name) == 0 ? NULL : a->text;
		return 0;
	}
	for (size_t i = 0; i < p->nmap; i++)
		if (strcasecmp(p->map[i].name, a->name) == 0)
			m = &p->map[i];
	if (!m)
		return error_set(p->err, ERRC_MIGRATION_INVALID, "no such column: %.100s of %.100s", a->name,
				 p->source->name);
	if (rename_in_text(p, m->name, a->text) != 0)
		return -1;
	/* A column that is new has its name in the shadow alone. */
	if (m->source >= 0) {
		plan->renames = pool_grow(p->pool, plan->renames, plan->nrenames, sizeof(*plan->renames));
		plan->renames[plan->nrenames++] = rename_sql(p, p->source->name, m->name, a->text);
	}
	m->name = a->text;
	return 0;
}

static int run_renames(struct planning *p, sqlite3 *db)
{
	struct plan *plan = p->plan;
	const char *table = quote_name(p->pool, p->source->name);

	for (size_t i = 0; i < plan->nrenames; i++)
		if (sqlite3_exec(db, plan->renames[i], NULL, NULL, NULL) != SQLITE_OK)
			return refused(p, db);
	for (size_t i = 0; i < p->source->nindexes; i++)
		if (p->source->indexes[i].sql && read_text(p, db, p->source->indexes[i].name, &p->index_sql[i]) != 0)
			return -1;
	if (!plan->rename_to)
		return 0;
	plan->rename_sql = pool_printf(p->pool, "ALTER TABLE main.%s RENAME TO %s", table,
				       quote_name(p->pool, plan->rename_to));
	int rc = sqlite3_exec(db, "SAVEPOINT one", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, plan->rename_sql, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		(void)refused(p, db);
	(void)sqlite3_exec(db, "ROLLBACK TO one; RELEASE one", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : -1;
}

int plan_try_renames(struct planning *p)
{
	struct plan *plan = p->plan;

	p->index_sql = pool_alloc(p->pool, (p->source->nindexes + 1) * sizeof(*p->index_sql));
	for (size_t i = 0; i < p->source->nindexes; i++)
		p->index_sql[i] = p->source->indexes[i].sql;
	if (plan->nrenames == 0 && !plan->rename_to)
		return 0;
	size_t missing = 0;
	/* All that can be made of the schema, in a database of its own. */
	if (scratch_open(&p->renamed, true, p->err) != 0 || scratch_mirror(p->db, p->renamed, &missing, p->err) != 0)
		return -1;
	return run_renames(p, p->renamed);
}

void plan_only_renames(struct planning *p)
{
	struct plan *plan = p->plan;
	const char *sql = "";

	for (size_t i = 0; i < plan->nrenames; i++)
		sql = pool_printf(p->pool, "%s%s;\n", sql, plan->renames[i]);
	if (plan->rename_sql)
		sql = pool_printf(p->pool, "%s%s;\n", sql, plan->rename_sql);
	plan->strategy = STRATEGY_INSTANT;
	plan->instant_sql = sql;
}

/* The column's name in the source for a name it has by now; NULL if that is no other. */
static const char *old_name(const struct planning *p, const char *name)
{
	for (size_t i = 0; i < p->nmap; i++)
		if (p->map[i].source >= 0 && strcasecmp(p->map[i].name, name) == 0 &&
		    strcasecmp(p->source->columns[p->map[i].source].name, name) != 0)
			return p->source->columns[p->map[i].source].name;
	return NULL;
}

const char *plan_old_names(struct planning *p, const char *expr)
{
	struct tokens t;
	struct error none = {0};
	const char *out = "";
	size_t at = 0;

	if (tokenize(p->pool, expr, strlen(expr), &t, &none) != 0) {
		error_clear(&none);
		return expr;
	}
	for (size_t i = 0; i < t.n; i++) {
		bool word = t.at[i].kind == TOKEN_WORD || t.at[i].kind == TOKEN_QUOTED;
		const char *name = word && !token_punct(&t, i + 1, '(') ? old_name(p, token_unquote(p->pool, &t, i))
									: NULL;
		if (!name)
			continue;
		out = pool_printf(p->pool, "%s%.*s%s", out, (int)(t.at[i].start - at), expr + at,
				  quote_name(p->pool, name));
		at = t.at[i].end;
	}
	return pool_printf(p->pool, "%s%s", out, expr + at);
}
