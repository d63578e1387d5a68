/*
 * RETIRING: what the swap left under the shadow's names is emptied in slices, then dropped.
 *
 * Entered: the table has its new form. The shadow's name holds the old rows, names behind it (.._x0, .._o1) the old
 * index b-trees, as tables of their own: no index, no constraint, no foreign key touches them. Left: nothing of the job
 * is in the file but its row in the catalog.
 *
 * The same slices give a shadow up: abort.c.
 */
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/migration.h"
#include "daemon/migrate/shrink.h"

/* Rows a DELETE statement. */
#define SLICE_ROWS 500

/* SQLite's own SECURE_DELETE, as it was found; Debian's default writes every freed page into the WAL. */
static int secure_delete(struct db *db, int64_t mode, struct error *err)
{
	static const char *const words[] = {"OFF", "ON", "FAST"};
	return db_exec(db, err, "PRAGMA main.secure_delete=%s", words[mode >= 0 && mode <= 2 ? mode : 1]);
}

const char *disowned_sql(struct pool *pool, const struct schema_index *x, const char *as)
{
	/* Of an index all columns are its key, of a table WITHOUT ROWID those of its PRIMARY KEY. */
	size_t n = x->name ? x->nkeys : x->nuser;
	struct buf columns = {0}, keys = {0};

	for (size_t k = 0; k < x->nkeys; k++) {
		buf_printf(&columns, "k%zu COLLATE %s,", k, quote_name(pool, x->keys[k].collation));
		if (k < n)
			buf_printf(&keys, "%sk%zu%s", k ? "," : "", k, x->keys[k].desc ? " DESC" : "");
	}
	const char *sql = pool_printf(pool, "CREATE TABLE %s(%sPRIMARY KEY(%s)) WITHOUT ROWID", quote_name(pool, as),
				      buf_cstr(&columns), buf_cstr(&keys));
	buf_free(&columns);
	buf_free(&keys);
	return sql;
}

int disown_index(struct db *db, struct pool *pool, const struct schema_index *x, const char *row, const char *as,
		 struct error *err)
{
	return db_exec(
		db, err,
		"UPDATE main.sqlite_schema SET type='table',name=%Q,tbl_name=%Q,sql=%Q WHERE type='index' AND name=%Q",
		as, as, disowned_sql(pool, x, as), row);
}

int disown_table(struct db *db, struct pool *pool, const struct schema_table *t, const char *row, struct error *err)
{
	if (!t->without_rowid)
		return db_exec(db, err,
			       "UPDATE main.sqlite_schema SET sql='CREATE TABLE %q(x)' WHERE type='table' AND name=%Q",
			       quote_name(pool, row), row);
	/* Its b-tree is one of keys, like those of its indexes: under a name like theirs it goes their way. */
	const char *as = pool_printf(pool, "%s_o_rows", row);
	return db_exec(db, err,
		       "UPDATE main.sqlite_schema SET name=%Q,tbl_name=%Q,sql=%Q WHERE type='table' AND name=%Q", as,
		       as, disowned_sql(pool, &t->primary, as), row);
}

int disown(struct db *db, struct pool *pool, const char *table, struct error *err)
{
	struct schema_table *t = NULL;

	if (schema_read(pool, db_handle(db), table, &t, err) != 0)
		return -1;
	for (size_t i = 0; i < t->nindexes; i++) {
		const char *as = t->indexes[i].sql ? t->indexes[i].name : pool_printf(pool, "%s_o%zu", table, i);
		if (disown_index(db, pool, &t->indexes[i], t->indexes[i].name, as, err) != 0)
			return -1;
	}
	return disown_table(db, pool, t, table, err);
}

int retire_next(struct db *db, struct pool *pool, const char *shadow, const char **ret, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(db,
			    "SELECT name FROM main.sqlite_schema WHERE type='table' AND (name=?1 OR"
			    " substr(name,1,length(?1)+2) IN (?1||'_x',?1||'_o')) ORDER BY name=?1,rowid LIMIT 1",
			    &stmt, err);
	*ret = NULL;
	if (rc == 0) {
		/* NULL, where there is no shadow, is no table's name. */
		sqlite3_bind_text(stmt, 1, shadow, -1, SQLITE_STATIC);
		rc = db_step(db, stmt, err);
		if (rc == 1)
			*ret = pool_str(pool, (const char *)sqlite3_column_text(stmt, 0));
	}
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

/* Rows from the front of a table by its rowids. */
static int delete_rows(struct db *db, const char *sql, int64_t *ret_rows, struct error *err)
{
	sqlite3_stmt *stmt = NULL;

	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	sqlite3_bind_int(stmt, 1, SLICE_ROWS);
	int rc = db_step(db, stmt, err);
	*ret_rows = rc < 0 ? 0 : sqlite3_changes64(db_handle(db));
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

/* Empties the table until the turn is over. *ret_empty: nothing is left in it. */
static int empty(struct migration *m, struct db *db, struct pool *pool, const char *table, bool *ret_empty,
		 struct error *err)
{
	bool keyed = strcmp(table, m->r->shadow) != 0;
	const char *name = quote_name(pool, table);
	const char *sql = pool_printf(pool,
				      "DELETE FROM main.%s WHERE rowid<=(SELECT max(rowid) FROM (SELECT rowid FROM"
				      " main.%s ORDER BY rowid LIMIT ?1))",
				      name, name);
	struct shrink shrink = {0};
	int64_t rows = 0;

	if (keyed && shrink_open(pool, db, table, &shrink, err) != 0)
		return -1;
	do {
		if ((keyed ? shrink_rows(db, &shrink, SLICE_ROWS, &rows, err) : delete_rows(db, sql, &rows, err)) != 0)
			return -1;
		m->step_rows += rows;
	} while (rows > 0 && !db_turn_over(db, m->allow.hold_ns));
	*ret_empty = rows == 0;
	return 0;
}

static int slice(struct migration *m, struct db *db, bool *ret_done, struct error *err)
{
	struct pool pool = {0};
	const char *table = NULL;
	bool gone = false;
	int64_t keys = 0;
	int rc = retire_next(db, &pool, m->r->shadow, &table, err);

	*ret_done = false;
	if (rc == 0 && table) {
		rc = empty(m, db, &pool, table, &gone, err);
		if (rc == 0 && gone) {
			db_forget_statements(db);
			rc = db_exec(db, err, "DROP TABLE main.%s", quote_name(&pool, table));
		}
	} else if (rc == 0) {
		rc = db_exec(db, err, "DELETE FROM main._alterd_dirty WHERE job=%lld LIMIT 2000", (long long)m->r->id);
		keys = sqlite3_changes64(db_handle(db));
		*ret_done = keys == 0;
	}
	pool_free(&pool);
	return rc;
}

int retire_slice(struct migration *m, struct db *db, bool *ret_done, struct error *err)
{
	int64_t mode = 1;
	struct error why = {0};

	*ret_done = true;
	if (db_int(db, &mode, err, "PRAGMA main.secure_delete") != 0 || secure_delete(db, 2, err) != 0)
		return -1;
	int rc = slice(m, db, ret_done, err);
	if (secure_delete(db, mode, &why) != 0 && rc == 0) {
		error_move(err, &why);
		rc = -1;
	}
	error_clear(&why);
	return rc;
}

enum step_outcome retire_step(struct migration *m, struct db *db, struct error *err)
{
	bool moved = false, done = false;

	m->next = m->p;
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	if (!m->statistics_done) {
		if (statistics_slice(m, db, &done, err) != 0 || step_commit(m, db, err) != 0)
			return step_failed(m, db);
		m->statistics_done = done;
		return STEP_MORE;
	}
	if (retire_slice(m, db, &done, err) != 0)
		return step_failed(m, db);
	if (done)
		m->next.phase = PHASE_END;
	if (step_commit(m, db, err) != 0)
		return step_failed(m, db);
	return STEP_MORE;
}
