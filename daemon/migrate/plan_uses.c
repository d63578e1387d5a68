/*
 * What uses a column: SQLite is asked, by giving the column another name in a scratch database and looking at what it
 * had to write anew. A column may be called "desc", and DESC in an index is no use of it. Where SQLite does not say,
 * each mention counts: too many uses are better than one too few.
 */
#include <string.h>

#include "daemon/migrate/plan_internal.h"

#define OTHER_NAME "_alterd_other"

static int text_of(void *arg, sqlite3_stmt *stmt)
{
	void **to = arg;

	*(const char **)to[1] = pool_str(to[0], (const char *)sqlite3_column_text(stmt, 0));
	return 0;
}

/* A table, an index of it (or NULL) and the text of one of them before and after; false if it cannot be told so. */
static bool texts_renamed(struct planning *p, struct pool *pool, const char *table_sql, const char *index_sql,
			  const char *column, const char **ret_before, const char **ret_after)
{
	const char *table = NULL;
	const char *which = index_sql ? "SELECT sql FROM sqlite_schema WHERE type='index' AND sql IS NOT NULL"
				      : "SELECT sql FROM sqlite_schema WHERE type='table'";
	void *name[2] = {pool, (void *)&table}, *before[2] = {pool, (void *)ret_before},
	     *after[2] = {pool, (void *)ret_after};
	struct error none = {0};
	sqlite3 *db = NULL;

	*ret_before = *ret_after = NULL;
	bool ok = scratch_open(&db, true, &none) == 0 && sqlite3_exec(db, table_sql, NULL, NULL, NULL) == SQLITE_OK &&
		  (!index_sql || sqlite3_exec(db, index_sql, NULL, NULL, NULL) == SQLITE_OK) &&
		  schema_each(db, &none, text_of, name, "SELECT name FROM sqlite_schema WHERE type='table'", NULL) ==
			  0 &&
		  table && schema_each(db, &none, text_of, before, which, NULL) == 0 &&
		  sqlite3_exec(db,
			       pool_printf(pool, "ALTER TABLE %s RENAME COLUMN %s TO " OTHER_NAME,
					   quote_name(pool, table), quote_name(pool, column)),
			       NULL, NULL, NULL) == SQLITE_OK &&
		  schema_each(db, &none, text_of, after, which, NULL) == 0;
	if (!ok)
		(void)trial_ok(p, error_is_set(&none) ? (int)none.code : sqlite3_errcode(db));
	sqlite3_close(db);
	error_clear(&none);
	return ok && *ret_before && *ret_after;
}

bool plan_index_uses(struct planning *p, const char *index_sql, const char *column)
{
	/* CREATE INDEX name ON: what stands there is no column. */
	enum { BEHIND_ON = 4 };
	struct pool scratch = {0};
	struct error none = {0};
	struct ddl x = {.pool = &scratch};
	const char *before, *after;
	bool uses = tokenize(&scratch, index_sql, strlen(index_sql), &x.t, &none) == 0 &&
		    ddl_mentions(&x, BEHIND_ON, x.t.n, column);

	error_clear(&none);
	if (uses && texts_renamed(p, &scratch, p->source->sql, index_sql, column, &before, &after))
		uses = strcmp(before, after) != 0;
	pool_free(&scratch);
	return uses;
}

bool plan_part_uses(struct planning *p, const struct ddl *d, size_t from, size_t to, const char *column)
{
	struct pool scratch = {0};
	struct error none = {0};
	const char *before, *after;
	struct tokens t;
	bool uses = ddl_mentions(d, from, to, column);

	/* A rename takes one name for another: token by token, the text stays what it was. */
	if (uses && texts_renamed(p, &scratch, d->t.text, NULL, column, &before, &after) &&
	    tokenize(&scratch, after, strlen(after), &t, &none) == 0 && t.n == d->t.n)
		uses = ddl_mentions(&(struct ddl){.pool = &scratch, .t = t}, from, to, OTHER_NAME);
	error_clear(&none);
	pool_free(&scratch);
	return uses;
}
