/* Looking at what is dropped; see consent.h. */
#include "daemon/migrate/consent.h"

#include <string.h>

#include "daemon/migrate/schema.h"
#include "daemon/migrate/script.h"
#include "daemon/migrate/version.h"

/* One row of the table for which the condition holds. */
static int any(struct db *db, struct pool *pool, const char *table, const char *condition, bool *ret, struct error *err)
{
	int64_t found = 0;
	int rc = db_int(db, &found, err, "SELECT EXISTS(SELECT 1 FROM main.%s WHERE %s)", quote_name(pool, table),
			condition);

	*ret = found != 0;
	return rc;
}

static int is_there(struct db *db, const char *table, const char *column, bool *ret, struct error *err)
{
	int64_t n = 0;
	int rc =
		column ? db_int(db, &n, err,
				"SELECT count(*) FROM pragma_table_xinfo(%Q,'main') WHERE name=%Q COLLATE NOCASE",
				table, column)
		       : db_int(db, &n, err,
				"SELECT count(*) FROM main.sqlite_schema WHERE type='table' AND name=%Q COLLATE NOCASE",
				table);

	*ret = n > 0;
	return rc;
}

int consent_left_out(struct pool *pool, sqlite3 *db, const struct script *script, const struct script_kind *kinds,
		     size_t i, struct schema_table **ret, bool **ret_out, struct error *err)
{
	struct schema_table *t = NULL;

	if (schema_read(pool, db, kinds[i].name, &t, err) != 0)
		return -1;
	const char **columns = pool_alloc(pool, (t->ncolumns + 1) * sizeof(*columns));
	bool *out = pool_alloc(pool, t->ncolumns + 1);
	for (size_t c = 0; c < t->ncolumns; c++)
		columns[c] = t->columns[c].name;
	if (script_left_out(pool, script, kinds, i, columns, t->ncolumns, out, err) != 0)
		return -1;
	/* What is generated comes about anew. */
	for (size_t c = 0; c < t->ncolumns; c++)
		out[c] = out[c] && !t->columns[c].hidden;
	*ret = t;
	*ret_out = out;
	return 0;
}

/* A table that a rebuild drops: columns with values that are nowhere else. */
static int left_out(struct db *db, struct pool *pool, const struct script *script, const struct script_kind *kinds,
		    size_t i, struct error *err)
{
	struct schema_table *t = NULL;
	bool *out = NULL, holds = false;

	if (consent_left_out(pool, db_handle(db), script, kinds, i, &t, &out, err) != 0)
		return -1;
	for (size_t c = 0; c < t->ncolumns; c++) {
		const char *column = t->columns[c].name;
		if (!out[c])
			continue;
		if (any(db, pool, t->name, pool_printf(pool, "%s IS NOT NULL", quote_name(pool, column)), &holds,
			err) != 0)
			return -1;
		if (holds)
			return error_set(err, ERRC_NEEDS_FORCE,
					 "column %.100s of %.100s is left out where the table is made anew, and holds "
					 "values: say allow_data_loss",
					 column, t->name);
	}
	return 0;
}

int consent_needed(struct db *db, struct pool *pool, const struct script *script, const struct script_kind *kinds,
		   size_t i, struct error *err)
{
	const struct script_kind *kind = &kinds[i];
	bool column = kind->what == SCRIPT_DROP_COLUMN, there = false, holds = false;

	if ((kind->what != SCRIPT_DROP_TABLE && !column) || (column && kind->rebuilds) || kind->own)
		return 0;
	if (is_there(db, kind->name, column ? kind->other : NULL, &there, err) != 0)
		return -1;
	if (kind->rebuilds)
		return there ? left_out(db, pool, script, kinds, i, err) : 0;
	const char *condition = column ? pool_printf(pool, "%s IS NOT NULL", quote_name(pool, kind->other)) : "1";
	if (there && any(db, pool, kind->name, condition, &holds, err) != 0)
		return -1;
	if (holds && column)
		return error_set(err, ERRC_NEEDS_FORCE,
				 "column %.100s of %.100s is dropped and holds values: say allow_data_loss",
				 kind->other, kind->name);
	return holds ? error_set(err, ERRC_NEEDS_FORCE, "table %.100s is dropped and has rows: say allow_data_loss",
				 kind->name)
		     : 0;
}

int consent_ahead(struct db *db, struct pool *pool, const struct run_step *step, struct error *err)
{
	struct script script;
	struct script_kind *kinds = NULL;

	if (script_split(pool, step->sql, strlen(step->sql), step->line, &script, err) != 0 ||
	    script_kinds(pool, &script, step_vacuums(step), &kinds, err) != 0)
		return -1;
	for (size_t i = 0; i < script.n; i++) {
		int rc = kinds[i].what == SCRIPT_REFUSED ? error_set(err, ERRC_MIGRATION_INVALID, "%s", kinds[i].why)
			 : step->allow_data_loss         ? 0
							 : consent_needed(db, pool, &script, kinds, i, err);
		if (rc == 0)
			continue;
		version_place(err, step, script.at[i].line);
		error_add_str(err, "file", step->file);
		error_add_int(err, "line", script.at[i].line);
		return -1;
	}
	return 0;
}
