/* What analyze and shrink do on the writer, a piece at a time, and what is answered of all three. */
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/migrate/upkeep_internal.h"
#include "proto/response.h"

/* Pages of one statement; the turn ends it first. */
#define VACUUM_PAGES 100000

/* --- analyze --- */

/*
 * Each index by itself, and tables that have none. A table WITHOUT ROWID by its name: its primary key has no row in the
 * schema.
 */
static const char names_sql[] =
	"WITH t AS MATERIALIZED (SELECT name,wr FROM pragma_table_list WHERE schema='main' AND type='table'"
	" AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\'"
	" AND name NOT LIKE '\\_litestream\\_%' ESCAPE '\\' AND (?1 IS NULL OR name=?1 COLLATE NOCASE)),"
	" i AS MATERIALIZED (SELECT name,tbl_name FROM main.sqlite_schema WHERE type='index')"
	" SELECT i.name FROM t JOIN i ON i.tbl_name=t.name WHERE NOT t.wr"
	" UNION ALL SELECT name FROM t WHERE wr OR name NOT IN (SELECT tbl_name FROM i)";

static int read_names(struct upkeep_task *t, struct db *db)
{
	sqlite3_stmt *stmt = NULL;
	int row;

	if (db_prepare(db, names_sql, &stmt, &t->err) != 0)
		return -1;
	if (t->table)
		sqlite3_bind_text(stmt, 1, t->table, -1, SQLITE_STATIC);
	while ((row = db_step(db, stmt, &t->err)) == 1) {
		t->names = reallocarray(t->names, t->nnames + 1, sizeof(*t->names));
		CHECK(t->names != NULL);
		t->names[t->nnames++] = xstrdup((const char *)sqlite3_column_text(stmt, 0));
	}
	db_done(db, stmt);
	t->listed = true;
	if (row == 0 && t->nnames == 0 && t->table)
		return error_set(&t->err, ERRC_NOT_FOUND, "no table %.100s", t->table);
	return row;
}

static int analyze_some(struct upkeep_task *t, struct db *db)
{
	do {
		/* One that has gone meanwhile is passed over. */
		int64_t there = 0;
		const char *name = t->names[t->done];
		if (db_int(db, &there, &t->err, "SELECT count(*) FROM main.sqlite_schema WHERE name=%Q", name) != 0)
			return -1;
		if (there &&
		    db_exec(db, &t->err, "PRAGMA analysis_limit=%d; ANALYZE main.\"%w\"; PRAGMA analysis_limit=0",
			    UPKEEP_SAMPLE_ROWS, name) != 0)
			return -1;
		t->done++;
	} while (t->done < t->nnames && !db_turn_over(db, t->hold_ns / 2));
	return 0;
}

/* Connections read the statistics with the schema: it counts as changed. */
static int put_in_force(struct upkeep_task *t, struct db *db)
{
	if (db_schema_edit_begin(db, &t->err) != 0)
		return -1;
	t->told = true;
	return db_schema_edit_end(db, &t->err);
}

int upkeep_analyze_step(struct upkeep_task *t, struct db *db)
{
	if (!t->listed)
		return read_names(t, db);
	if (db_begin(db, &t->err) != 0)
		return -1;
	int rc = t->done < t->nnames ? analyze_some(t, db) : t->nnames ? put_in_force(t, db) : 0;
	if (rc == 0)
		rc = db_commit(db, &t->err);
	else
		db_rollback(db);
	t->over = t->told || t->nnames == 0;
	atomic_store(&t->permille, t->nnames ? (int)(t->done * 1000 / t->nnames) : 1000);
	return rc;
}

/* --- shrink --- */

static int measure(struct upkeep_task *t, struct db *db)
{
	t->measured = true;
	if (db_int(db, &t->mode, &t->err, "PRAGMA main.auto_vacuum") != 0 ||
	    db_int(db, &t->page_bytes, &t->err, "PRAGMA main.page_size") != 0 ||
	    db_int(db, &t->free_before, &t->err, "PRAGMA main.freelist_count") != 0)
		return -1;
	t->free_now = t->free_before;
	t->over = t->mode != 2 || t->free_before == 0;
	return 0;
}

/* Each step of the statement moves or frees one page. */
static int vacuum_some(struct upkeep_task *t, struct db *db)
{
	sqlite3_stmt *stmt = NULL;
	int row = 0, pages = 0;

	if (db_prepare(db, "PRAGMA main.incremental_vacuum(100000)", &stmt, &t->err) != 0)
		return -1;
	while (pages < VACUUM_PAGES && (row = db_step(db, stmt, &t->err)) == 1) {
		pages++;
		if (db_turn_over(db, t->hold_ns / 2))
			break;
	}
	db_done(db, stmt);
	return row < 0 ? -1 : 0;
}

int upkeep_shrink_step(struct upkeep_task *t, struct db *db)
{
	if (!t->measured)
		return measure(t, db);
	if (db_begin(db, &t->err) != 0)
		return -1;
	int64_t before = t->free_now;
	int rc = vacuum_some(t, db);
	if (rc == 0)
		rc = db_int(db, &t->free_now, &t->err, "PRAGMA main.freelist_count");
	if (rc == 0)
		rc = db_commit(db, &t->err);
	else
		db_rollback(db);
	/* Clients may free more than is given back; where nothing can be, that is the end. */
	t->over = t->free_now == 0 || t->free_now == before;
	if (t->free_before > 0 && t->free_now < t->free_before)
		atomic_store(&t->permille, (int)((t->free_before - t->free_now) * 1000 / t->free_before));
	return rc;
}

/* --- answers --- */

static void answer_check(struct upkeep_task *t, struct buf *out)
{
	const struct looked *l = &t->looked;

	jw_bool(out, "ok", l->findings == 0 && l->skipped == 0);
	jw_bool(out, "whole", l->whole);
	jw_int(out, "tables", l->tables);
	jw_json(out, "findings", buf_cstr(&t->looked.told));
	jw_int(out, "count", l->findings);
	jw_json(out, "skipped", buf_cstr(&t->looked.names));
}

static void answer_shrink(const struct upkeep_task *t, struct buf *out)
{
	static const char *const modes[] = {"none", "full", "incremental"};
	int64_t freed = t->free_before > t->free_now ? t->free_before - t->free_now : 0;

	jw_str(out, "auto_vacuum", t->mode >= 0 && t->mode < 3 ? modes[t->mode] : "unknown");
	jw_int(out, "freed_bytes", freed * t->page_bytes);
	jw_int(out, "free_bytes", t->free_now * t->page_bytes);
	jw_str(out, "reason",
	       t->mode == 2 ? NULL
	       : t->mode == 1
		       ? "the file has auto_vacuum = full: SQLite gives free pages back with each commit"
		       : "the file has auto_vacuum = none: free pages stay in it, and are used for new rows. To make "
			 "it smaller it must be written anew: with the daemon stopped, PRAGMA auto_vacuum = "
			 "incremental and VACUUM in sqlite3");
}

void upkeep_answer(struct upkeep_task *t, struct buf *out)
{
	jw_open(out, '{');
	if (t->op == OP_CHECK) {
		answer_check(t, out);
	} else if (t->op == OP_ANALYZE) {
		jw_int(out, "analyzed", (int64_t)t->done);
		jw_int(out, "sample_rows", UPKEEP_SAMPLE_ROWS);
	} else {
		answer_shrink(t, out);
	}
	if (t->op != OP_CHECK)
		jw_real(out, "longest_hold_ms", (double)t->longest_ns / 1e6, 2);
	jw_int(out, "ms", (int64_t)((clock_now_ns() - t->begun_ns) / NS_PER_MS));
	jw_close(out, '}');
}
