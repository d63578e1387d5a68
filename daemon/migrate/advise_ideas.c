/*
 * Which columns a statement asks by. SQLite tells it itself: the statement is prepared on virtual tables with the same
 * columns, and the planner asks each by which of the conditions it could find rows, and in what order it wants them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/advise.h"
#include "daemon/migrate/scratch.h"

struct asked {
	sqlite3_vtab base; /* first */
	struct ideas *ideas;
	const struct schema_table *table;
};

/* --- an idea --- */

static bool same_idea(const struct idea *a, const struct idea *b)
{
	if (a->table != b->table || a->n != b->n)
		return false;
	for (size_t k = 0; k < a->n; k++)
		if (a->column[k] != b->column[k] || a->desc[k] != b->desc[k] ||
		    (a->collation[k] != b->collation[k] &&
		     (!a->collation[k] || !b->collation[k] || sqlite3_stricmp(a->collation[k], b->collation[k]) != 0)))
			return false;
	return true;
}

static void add_idea(struct ideas *i, const struct idea *idea)
{
	if (idea->n == 0 || i->n == IDEAS_MAX)
		return;
	for (size_t k = 0; k < i->n; k++)
		if (same_idea(&i->at[k], idea))
			return;
	i->at[i->n++] = *idea;
}

/* False: the column is there already, or it is the rowid, behind which no order is left to make. */
static bool add_column(struct idea *idea, int column, bool desc, const char *collation)
{
	if (column < 0 || column == idea->table->alias || idea->n == IDEA_COLUMNS_MAX)
		return false;
	for (size_t k = 0; k < idea->n; k++)
		if (idea->column[k] == column)
			return false;
	idea->column[idea->n] = column;
	idea->desc[idea->n] = desc;
	idea->collation[idea->n++] = collation;
	return true;
}

/* --- what the planner asks --- */

static bool is_equality(unsigned char op)
{
	return op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_IS ||
	       op == SQLITE_INDEX_CONSTRAINT_ISNULL;
}

static bool is_range(unsigned char op)
{
	return op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE ||
	       op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE ||
	       op == SQLITE_INDEX_CONSTRAINT_LIKE || op == SQLITE_INDEX_CONSTRAINT_GLOB;
}

/* The collation the condition compares by, where it is not the column's. */
static const char *collation_of(const struct asked *t, sqlite3_index_info *info, int k)
{
	const char *wanted = sqlite3_vtab_collation(info, k), *own = NULL;
	int column = info->aConstraint[k].iColumn;

	if (!wanted || column < 0 || (size_t)column >= t->table->ncolumns)
		return NULL;
	if (sqlite3_table_column_metadata(t->ideas->asking, "main", t->table->name, t->table->columns[column].name,
					  NULL, &own, NULL, NULL, NULL) != SQLITE_OK)
		own = "BINARY";
	return sqlite3_stricmp(wanted, own ? own : "BINARY") == 0 ? NULL : pool_str(t->ideas->pool, wanted);
}

/* Equal columns, and behind them one that a range is asked of, or the order that is wanted. */
static void note(const struct asked *t, sqlite3_index_info *info)
{
	struct idea equal = {.table = t->table}, ordered;
	bool by_rowid = false, ranges = false;

	for (int k = 0; k < info->nConstraint; k++) {
		if (!info->aConstraint[k].usable || !is_equality(info->aConstraint[k].op))
			continue;
		int column = info->aConstraint[k].iColumn;
		by_rowid = by_rowid || column < 0 || column == t->table->alias;
		add_column(&equal, column, false, collation_of(t, info, k));
	}
	if (by_rowid)
		return; /* there is no shorter way */
	for (int k = 0; k < info->nConstraint; k++) {
		struct idea range = equal;
		if (info->aConstraint[k].usable && is_range(info->aConstraint[k].op) &&
		    add_column(&range, info->aConstraint[k].iColumn, false, collation_of(t, info, k))) {
			add_idea(t->ideas, &range);
			ranges = true;
		}
	}
	if (!ranges)
		add_idea(t->ideas, &equal);
	ordered = equal;
	for (int k = 0; k < info->nOrderBy; k++) {
		int column = info->aOrderBy[k].iColumn;
		bool there = false;
		for (size_t e = 0; e < equal.n; e++)
			there = there || equal.column[e] == column;
		if (!there && !add_column(&ordered, column, info->aOrderBy[k].desc != 0, NULL))
			break;
	}
	if (ordered.n > equal.n)
		add_idea(t->ideas, &ordered);
}

static int asked_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
	const struct asked *t = (const struct asked *)(void *)vtab;
	int usable = 0;

	note(t, info);
	for (int k = 0; k < info->nConstraint; k++)
		if (info->aConstraint[k].usable && is_equality(info->aConstraint[k].op))
			info->aConstraintUsage[k].argvIndex = ++usable;
	info->estimatedCost = 1000000.0 / (1 + 100 * usable);
	info->estimatedRows = usable ? 10 : 1000000;
	return SQLITE_OK;
}

/* --- the tables --- */

static const struct schema_table *table_of(const struct ideas *i, const char *name)
{
	for (size_t k = 0; k < i->ntables; k++)
		if (sqlite3_stricmp(i->tables[k]->name, name) == 0)
			return i->tables[k];
	return NULL;
}

/* Its columns with type and collation, as SQLite wants to be told them. */
static char *declaration(const struct ideas *i, const struct schema_table *t)
{
	struct buf text = {0};

	for (size_t k = 0; k < t->ncolumns; k++) {
		const char *collation = NULL;
		(void)sqlite3_table_column_metadata(i->real, "main", t->name, t->columns[k].name, NULL, &collation,
						    NULL, NULL, NULL);
		buf_printf(&text, "%s%s %s COLLATE %s", k ? ", " : "CREATE TABLE x(",
			   quote_name(i->pool, t->columns[k].name),
			   *t->columns[k].type ? quote_name(i->pool, t->columns[k].type) : "",
			   quote_name(i->pool, collation ? collation : "BINARY"));
	}
	buf_puts(&text, ")");
	return pool_take(i->pool, &text);
}

static int asked_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **why)
{
	struct ideas *i = aux;
	const struct schema_table *table = argc > 2 ? table_of(i, argv[2]) : NULL;
	struct asked *t = table ? calloc(1, sizeof(*t)) : NULL;

	(void)why;
	if (!t)
		return SQLITE_NOMEM;
	int rc = sqlite3_declare_vtab(db, declaration(i, table));
	if (rc != SQLITE_OK) {
		free(t);
		return rc;
	}
	t->ideas = i;
	t->table = table;
	*ret = &t->base;
	return SQLITE_OK;
}

static int asked_disconnect(sqlite3_vtab *vtab)
{
	free(vtab);
	return SQLITE_OK;
}

/* Nothing is ever run on them; that there is a way to write lets writes be prepared. */
static int asked_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **ret)
{
	(void)vtab;
	(void)ret;
	return SQLITE_READONLY;
}

static int asked_update(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid)
{
	(void)vtab;
	(void)argc;
	(void)argv;
	(void)rowid;
	return SQLITE_READONLY;
}

static const sqlite3_module asked_module = {
	.iVersion = 1,
	.xCreate = asked_connect,
	.xConnect = asked_connect,
	.xBestIndex = asked_best_index,
	.xDisconnect = asked_disconnect,
	.xDestroy = asked_disconnect,
	.xOpen = asked_open,
	.xUpdate = asked_update,
};

static int row_table(void *arg, sqlite3_stmt *stmt)
{
	struct ideas *i = arg;
	struct schema_table *t = NULL;
	struct error none = {0};

	if (schema_read(i->pool, i->real, (const char *)sqlite3_column_text(stmt, 0), &t, &none) == 0) {
		i->tables = pool_grow(i->pool, i->tables, i->ntables, sizeof(*i->tables));
		i->tables[i->ntables++] = t;
	}
	error_clear(&none);
	return 0;
}

/* A view that cannot be made there is one that no statement can be looked at by. */
static int row_view(void *arg, sqlite3_stmt *stmt)
{
	struct ideas *i = arg;

	(void)sqlite3_exec(i->asking, (const char *)sqlite3_column_text(stmt, 0), NULL, NULL, NULL);
	return 0;
}

int ideas_open(struct ideas *i, struct pool *pool, sqlite3 *real, struct error *err)
{
	*i = (struct ideas){.pool = pool, .real = real};
	if (scratch_open(&i->asking, true, err) != 0)
		return -1;
	if (schema_each(real, err, row_table, i,
			"SELECT name FROM pragma_table_list WHERE schema='main' AND type='table'"
			" AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
			NULL) != 0)
		return -1;
	if (sqlite3_create_module_v2(i->asking, "asked", &asked_module, i, NULL) != SQLITE_OK)
		return error_set(err, ERRC_INTERNAL, "no memory for the tables that note how they are asked");
	for (size_t k = 0; k < i->ntables; k++)
		(void)sqlite3_exec(i->asking,
				   pool_printf(pool, "CREATE VIRTUAL TABLE main.%s USING asked",
					       quote_name(pool, i->tables[k]->name)),
				   NULL, NULL, NULL);
	return schema_each(real, err, row_view, i,
			   "SELECT sql FROM main.sqlite_schema WHERE type='view' ORDER BY rowid", NULL);
}

void ideas_close(struct ideas *i)
{
	sqlite3_close(i->asking);
	i->asking = NULL;
}

void ideas_of(struct ideas *i, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	i->n = 0;
	(void)sqlite3_prepare_v2(i->asking, sql, -1, &stmt, NULL);
	sqlite3_finalize(stmt);
}
