/*
 * BACKFILLING: the rows of the source go into the shadow, in the order of their rowids, a batch a transaction.
 *
 * Entered: the shadow is empty. In between: the shadow holds the source's rows up to the cursor as they were when
 * copied, except those the dirty-key log names; a change at or below the cursor is in the log. Left: the cursor is at
 * the greatest rowid there can be, so every change is captured; and the same holds for all rows.
 *
 * A row that does not fit turns the batch into counting: from there on row by row, so that all offenders are known,
 * then the migration fails.
 */
#include <limits.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/fault.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/migration.h"

/* With a filter: looks how far `limit` rows go, and takes those of them that stay. */
static int copy_piece(struct migration *m, struct db *db, int64_t limit, int64_t *ret_rows, struct error *err)
{
	bool first = !m->next.has_cursor;
	int64_t from = first ? INT64_MIN : m->next.cursor, to = from;
	uint64_t start = clock_now_ns();
	sqlite3_stmt *stmt = NULL;

	if (db_prepare(db, first ? m->texts.piece_first : m->texts.piece_next, &stmt, err) != 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, from);
	sqlite3_bind_int64(stmt, 2, limit);
	int rc = db_step(db, stmt, err);
	*ret_rows = rc == 1 ? sqlite3_column_int64(stmt, 1) : 0;
	to = rc == 1 ? sqlite3_column_int64(stmt, 0) : from;
	db_done(db, stmt);
	if (rc < 0 || *ret_rows == 0)
		return rc < 0 ? -1 : 0;
	if (db_prepare(db, first ? m->texts.copy_first : m->texts.copy_next, &stmt, err) != 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, from);
	sqlite3_bind_int64(stmt, 2, to);
	rc = db_step(db, stmt, err);
	m->step_ns += clock_now_ns() - start;
	db_done(db, stmt);
	if (rc < 0)
		return -1;
	m->next.cursor = to;
	m->next.has_cursor = 1;
	m->next.rows_done += *ret_rows;
	return 0;
}

/* Copies up to `limit` rows behind the cursor and moves it. */
static int copy_chunk(struct migration *m, struct db *db, int64_t limit, int64_t *ret_rows, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	bool first = !m->next.has_cursor;

	if (db_prepare(db, first ? m->texts.copy_first : m->texts.copy_next, &stmt, err) != 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, first ? INT64_MIN : m->next.cursor);
	sqlite3_bind_int64(stmt, 2, limit);
	uint64_t start = clock_now_ns();
	int rc = db_step(db, stmt, err);
	m->step_ns += clock_now_ns() - start;
	db_done(db, stmt);
	if (rc < 0)
		return -1;
	int64_t rows = sqlite3_changes64(db_handle(db));
	if (rows > 0) {
		/* The rows went in in the order of their rowids: the last one is the greatest. */
		m->next.cursor = sqlite3_last_insert_rowid(db_handle(db));
		m->next.has_cursor = 1;
		m->next.rows_done += rows;
	}
	*ret_rows = rows;
	return 0;
}

static void copied_all(struct migration *m)
{
	m->next.has_cursor = 1;
	m->next.cursor = INT64_MAX;
	m->next.phase = PHASE_INDEX;
}

static int copy_batch(struct migration *m, struct db *db, struct error *err)
{
	int64_t done = 0;

	do {
		int64_t limit = m->allow.batch_rows - done, rows = 0;
		if (limit > m->allow.chunk_rows)
			limit = m->allow.chunk_rows;
		if ((m->plan->filter ? copy_piece : copy_chunk)(m, db, limit, &rows, err) != 0)
			return -1;
		done += rows;
		if (rows < limit) {
			copied_all(m);
			break;
		}
	} while (done < m->allow.batch_rows && !db_turn_over(db, m->allow.hold_ns));
	m->step_rows += done;
	return 0;
}

/* Rowids behind the cursor, a few. */
static int rowids(struct migration *m, struct db *db, int64_t *ids, int max, int *ret_n, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	bool first = !m->next.has_cursor;
	int n = 0, rc = db_prepare(db, first ? m->texts.first_rowids : m->texts.next_rowids, &stmt, err);

	if (rc == 0) {
		sqlite3_bind_int64(stmt, 1, first ? INT64_MIN : m->next.cursor);
		sqlite3_bind_int(stmt, 2, max);
	}
	while (rc == 0 && (rc = db_step(db, stmt, err)) == 1) {
		ids[n++] = sqlite3_column_int64(stmt, 0);
		rc = 0;
	}
	db_done(db, stmt);
	*ret_n = n;
	return rc;
}

static int collect_row(struct migration *m, struct db *db, int64_t rowid, struct error *err)
{
	struct error why = {0};
	sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(db, m->texts.copy_one, &stmt, err);

	if (rc != 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, rowid);
	rc = db_step(db, stmt, &why);
	db_done(db, stmt);
	if (rc < 0 && offending(&why))
		rc = offenders_add(m, db, rowid, &why, err);
	else if (rc < 0)
		error_move(err, &why);
	error_clear(&why);
	m->next.cursor = rowid;
	m->next.has_cursor = 1;
	return rc < 0 ? -1 : 0;
}

/* Counting: the shadow takes what fits, so that duplicates among the rest are seen. */
static enum step_outcome collect_step(struct migration *m, struct db *db, struct error *err)
{
	int64_t ids[64];
	int n = 0;

	m->next.collecting = 1;
	do {
		if (rowids(m, db, ids, 64, &n, err) != 0)
			return step_failed(m, db);
		for (int i = 0; i < n; i++)
			if (collect_row(m, db, ids[i], err) != 0)
				return step_failed(m, db);
		m->step_rows += n;
	} while (n == 64 && !db_turn_over(db, m->allow.hold_ns));
	if (step_commit(m, db, err) != 0)
		return step_failed(m, db);
	capture_border(m->capture, true, m->p.cursor);
	if (n == 64)
		return STEP_MORE;
	if (m->offenders.count == 0) {
		/* What was refused as a batch fits row by row: the row in question was changed meanwhile. */
		bool moved;
		m->next = m->p;
		if (step_begin(m, db, &moved, err) != 0)
			return step_failed(m, db);
		return step_restart(m, db, "a row that did not fit is gone", err);
	}
	offenders_error(m, err);
	return STEP_FAILED;
}

enum step_outcome backfill_step(struct migration *m, struct db *db, struct error *err)
{
	struct error why = {0};
	bool moved = false, left = false;

	m->next = m->p;
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	if (moved)
		return step_restart(m, db, "another process wrote the database", err);
	if (index_early(m))
		return index_begin_early(m, db, err);
	if (m->p.collecting)
		return collect_step(m, db, err);
	/* Rows to come may carry a value that a dirty row has given up: its old row must be gone from the shadow first.
	 */
	if (m->plan->unique && dirty_purge(m, db, INT64_MAX, &left, err) != 0)
		return step_failed(m, db);
	if (!left && copy_batch(m, db, &why) != 0) {
		if (!offending(&why)) {
			error_move(err, &why);
			return step_failed(m, db);
		}
		error_clear(&why);
		db_rollback(db);
		m->next = m->p;
		if (step_begin(m, db, &moved, err) != 0)
			return step_failed(m, db);
		if (m->plan->unique && (dirty_purge(m, db, INT64_MAX, &left, err) != 0 || left))
			return left && step_commit(m, db, err) == 0 ? STEP_MORE : step_failed(m, db);
		return collect_step(m, db, err);
	}
	if (FAULT("backfill-commit")) {
		error_set_sqlite(err, SQLITE_IOERR, "SQLITE_IOERR", "fault point backfill-commit");
		return step_failed(m, db);
	}
	if (step_commit(m, db, err) != 0)
		return step_failed(m, db);
	/* Only now: had the commit failed, keys above the old cursor would not need to be captured. */
	capture_border(m->capture, m->p.has_cursor != 0, m->p.cursor);
	return STEP_MORE;
}
