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

/* Rows counted between two looks at the clock. */
#define COLLECT_KEYS 64

/*
 * Where the copy is: the last row that was copied, if any. A rowid is known; any other key is the shadow's greatest,
 * but for the rows behind it that a filter has left out.
 */
static int copied_to(struct migration *m, struct db *db, struct rowkey *key, bool *ret_any, struct error *err)
{
	sqlite3_stmt *stmt = NULL;

	*ret_any = m->next.has_cursor != 0;
	key->rowid = m->next.cursor;
	if (m->plan->source_key.rowid)
		return 0;
	if (m->has_seen) {
		rowkey_copy(key, &m->seen);
		*ret_any = true;
		return 0;
	}
	int rc = db_prepare(db, m->texts.last_key, &stmt, err);
	if (rc == 0)
		rc = db_step(db, stmt, err);
	if (rc == 1)
		rowkey_read(key, &m->plan->source_key, stmt, 0);
	*ret_any = rc == 1;
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

/* Runs first or next over what is behind the key, up to `end`: a number of rows, or a rowid. */
static int run_range(struct migration *m, struct db *db, const char *sql, const struct rowkey *key, int64_t end,
		     struct error *err)
{
	const struct rowkey_shape *shape = &m->plan->source_key;
	sqlite3_stmt *stmt = NULL;

	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	if (key)
		rowkey_bind(key, shape, stmt, 1);
	sqlite3_bind_int64(stmt, (int)shape->n + 1, end);
	uint64_t start = clock_now_ns();
	int rc = db_step(db, stmt, err);
	m->step_ns += clock_now_ns() - start;
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

/* The cursor is at the last of the rows that went in. */
static int move_cursor(struct migration *m, struct db *db, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	m->next.has_cursor = 1;
	if (m->plan->copy_rowid && !m->plan->key_map) {
		/* They went in in the order of their rowids. */
		m->next.cursor = sqlite3_last_insert_rowid(db_handle(db));
		return 0;
	}
	if (!m->plan->source_key.rowid)
		return 0;
	rc = db_prepare(db, m->texts.last_key, &stmt, err);
	if (rc == 0)
		rc = db_step(db, stmt, err);
	if (rc == 1)
		m->next.cursor = sqlite3_column_int64(stmt, 0);
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

/* Copies up to `limit` rows behind the cursor and moves it. */
static int copy_chunk(struct migration *m, struct db *db, int64_t limit, int64_t *ret_rows, struct error *err)
{
	const struct texts *t = &m->texts;
	struct rowkey from = {0};
	bool any = false;
	int64_t rows = 0;

	int rc = copied_to(m, db, &from, &any, err);
	if (rc == 0)
		rc = run_range(m, db, any ? t->copy_next : t->copy_first, any ? &from : NULL, limit, err);
	if (rc == 0)
		rows = sqlite3_changes64(db_handle(db));
	if (rc == 0 && m->plan->key_map)
		rc = run_range(m, db, any ? t->map_next : t->map_first, any ? &from : NULL, limit, err);
	rowkey_free(&from);
	if (rc != 0 || (rows > 0 && move_cursor(m, db, err) != 0))
		return -1;
	m->next.rows_done += rows;
	*ret_rows = rows;
	return 0;
}

/* With a filter: how many rows, up to `limit`, there are behind `from` (NULL: from the first on), and the last one's
 * key. */
static int look_along(struct migration *m, struct db *db, const struct rowkey *from, int64_t limit, struct rowkey *to,
		      int64_t *ret_rows, struct error *err)
{
	const struct rowkey_shape *shape = &m->plan->source_key;
	uint64_t start = clock_now_ns();
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	*ret_rows = 0;
	if (db_prepare(db, from ? m->texts.seen_next : m->texts.seen_first, &stmt, err) != 0)
		return -1;
	if (from)
		rowkey_bind(from, shape, stmt, 1);
	sqlite3_bind_int64(stmt, (int)shape->n + 1, limit);
	while ((rc = db_step(db, stmt, err)) == 1) {
		rowkey_read(to, shape, stmt, 0);
		++*ret_rows;
	}
	m->step_ns += clock_now_ns() - start;
	db_done(db, stmt);
	return rc;
}

/* With a filter: takes those of up to `limit` rows that stay. */
static int copy_piece(struct migration *m, struct db *db, int64_t limit, int64_t *ret_rows, struct error *err)
{
	const struct texts *t = &m->texts;
	struct rowkey from = {0}, to = {0};
	bool any = false, rowid = m->plan->source_key.rowid;

	*ret_rows = 0;
	int rc = copied_to(m, db, &from, &any, err);
	if (rc == 0)
		rc = look_along(m, db, any ? &from : NULL, limit, &to, ret_rows, err);
	if (rc == 0 && *ret_rows > 0)
		rc = run_range(m, db, any ? t->copy_next : t->copy_first, any ? &from : NULL,
			       rowid ? to.rowid : *ret_rows, err);
	if (rc == 0 && *ret_rows > 0) {
		m->next.has_cursor = 1;
		m->next.rows_done += *ret_rows;
		m->next.cursor = to.rowid;
		rowkey_copy(&m->seen, &to);
		m->has_seen = !rowid;
	}
	rowkey_free(&from);
	rowkey_free(&to);
	return rc;
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

/* Keys behind the last row looked at, a few. */
static int next_keys(struct migration *m, struct db *db, struct rowkey *keys, int max, int *ret_n, struct error *err)
{
	const struct rowkey_shape *shape = &m->plan->source_key;
	sqlite3_stmt *stmt = NULL;
	int n = 0, rc = 0;

	if (!m->has_collected && copied_to(m, db, &m->collected, &m->has_collected, err) != 0)
		return -1;
	rc = db_prepare(db, m->has_collected ? m->texts.keys_next : m->texts.keys_first, &stmt, err);
	if (rc == 0) {
		if (m->has_collected)
			rowkey_bind(&m->collected, shape, stmt, 1);
		sqlite3_bind_int(stmt, (int)shape->n + 1, max);
	}
	while (rc == 0 && (rc = db_step(db, stmt, err)) == 1) {
		rowkey_read(&keys[n++], shape, stmt, 0);
		rc = 0;
	}
	db_done(db, stmt);
	*ret_n = n;
	return rc;
}

static int collect_row(struct migration *m, struct db *db, const struct rowkey *key, struct error *err)
{
	struct error why = {0};
	int rc = copy_key(m, db, key, &why);

	if (rc < 0 && offending(&why))
		rc = offenders_add(m, db, key, &why, err);
	else if (rc < 0)
		error_move(err, &why);
	error_clear(&why);
	rowkey_copy(&m->collected, key);
	m->has_collected = true;
	if (m->plan->source_key.rowid) {
		m->next.cursor = key->rowid;
		m->next.has_cursor = 1;
	}
	return rc < 0 ? -1 : 0;
}

static int collect(struct migration *m, struct db *db, bool *ret_more, struct error *err)
{
	struct rowkey keys[COLLECT_KEYS] = {0};
	int n = 0, rc = 0;

	do {
		rc = next_keys(m, db, keys, COLLECT_KEYS, &n, err);
		for (int i = 0; rc == 0 && i < n; i++)
			rc = collect_row(m, db, &keys[i], err);
		m->step_rows += n;
	} while (rc == 0 && n == COLLECT_KEYS && !db_turn_over(db, m->allow.hold_ns));
	for (size_t i = 0; i < COLLECT_KEYS; i++)
		rowkey_free(&keys[i]);
	*ret_more = n == COLLECT_KEYS;
	return rc;
}

/* Counting: the shadow takes what fits, so that duplicates among the rest are seen. */
static enum step_outcome collect_step(struct migration *m, struct db *db, struct error *err)
{
	bool more = false;

	m->next.collecting = 1;
	if (collect(m, db, &more, err) != 0 || step_commit(m, db, err) != 0)
		return step_failed(m, db);
	capture_border(m->capture, true, m->p.cursor);
	if (more)
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
		return step_restart(m, db, step_moved_why(m), err);
	if (index_early(m))
		return index_begin_early(m, db, err);
	if (m->p.collecting)
		return collect_step(m, db, err);
	/* Rows to come may carry a value that a dirty row has given up: its old row must be gone from the shadow first.
	 */
	if (m->plan->unique && dirty_purge(m, db, &left, err) != 0)
		return step_failed(m, db);
	if (!left && copy_batch(m, db, &why) != 0) {
		if (!offending(&why)) {
			error_move(err, &why);
			return step_failed(m, db);
		}
		error_clear(&why);
		db_rollback(db);
		m->has_seen = false;
		m->next = m->p;
		if (step_begin(m, db, &moved, err) != 0)
			return step_failed(m, db);
		if (m->plan->unique && (dirty_purge(m, db, &left, err) != 0 || left))
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
