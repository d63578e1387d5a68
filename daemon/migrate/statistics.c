/*
 * After the swap: what sqlite_stat1 says of the table is made anew, where it said anything.
 *
 * The rows of sqlite_stat1 go by names, so those of the old table stand for the new one from the swap on; here they are
 * brought up to date, and those of new indexes come in. Each index is looked at by a sample, a few hundred
 * microseconds, so a table with many of them takes several steps. Nothing of this is kept: after a restart it is done
 * again.
 */
#include "daemon/migrate/migration.h"

/* Entries of an index that ANALYZE looks at. */
#define SAMPLE_ROWS 1000

/* True if there are statistics of the table, and the table. */
static int any(struct migration *m, struct db *db, bool *ret, struct error *err)
{
	int64_t tables = 0, rows = 0;

	if (db_int(db, &tables, err,
		   "SELECT count(*) FROM main.sqlite_schema WHERE type='table' AND name IN ('sqlite_stat1',%Q)",
		   m->r->table) != 0)
		return -1;
	if (tables == 2 &&
	    db_int(db, &rows, err, "SELECT EXISTS(SELECT 1 FROM main.sqlite_stat1 WHERE tbl=%Q)", m->r->table) != 0)
		return -1;
	*ret = rows != 0;
	return 0;
}

/* The name of the table's `n`-th index, "" behind the last; the table itself if it has none. */
static int nth(struct migration *m, struct db *db, int64_t n, struct buf *ret, struct error *err)
{
	static const char sql[] = "SELECT name FROM main.sqlite_schema WHERE type='index' AND tbl_name=?1"
				  " UNION ALL SELECT ?1 WHERE NOT EXISTS(SELECT 1 FROM main.sqlite_schema"
				  " WHERE type='index' AND tbl_name=?1) LIMIT 1 OFFSET ?2";
	sqlite3_stmt *stmt = NULL;

	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	sqlite3_bind_text(stmt, 1, m->r->table, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, n);
	int row = db_step(db, stmt, err);
	if (row > 0)
		buf_puts(ret, (const char *)sqlite3_column_text(stmt, 0));
	db_done(db, stmt);
	return row < 0 ? -1 : 0;
}

int statistics_slice(struct migration *m, struct db *db, bool *ret_done, struct error *err)
{
	struct buf name = {0};
	bool there = false;
	int rc = any(m, db, &there, err);

	*ret_done = !there;
	while (rc == 0 && !*ret_done) {
		buf_truncate(&name, 0);
		rc = nth(m, db, m->analyzed, &name, err);
		if (rc != 0 || name.len == 0) {
			*ret_done = true;
			break;
		}
		rc = db_exec(db, err, "PRAGMA analysis_limit=%d; ANALYZE main.\"%w\"; PRAGMA analysis_limit=0",
			     SAMPLE_ROWS, buf_cstr(&name));
		m->analyzed++;
		if (db_turn_over(db, m->allow.hold_ns / 2))
			break;
	}
	buf_free(&name);
	return rc;
}
