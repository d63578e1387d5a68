/*
 * VERIFYING: every row of source and shadow is compared, every column by value and type, in short snapshots of a reader
 * lane.
 *
 * Entered and left: the shadow has all rows and indexes. A row that the dirty-key log names in the snapshot is passed
 * over: it is compared when it is copied again (verify_key), on the writer, in the same transaction. So at the swap
 * every row of the shadow was compared after its last change. Begins anew after a restart of the daemon.
 */
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/migration.h"

/* Rows a snapshot: some 10 ms, so that it never holds the WAL back for long. */
#define VERIFY_ROWS 5000

static bool same_value(sqlite3_stmt *a, sqlite3_stmt *b, int i)
{
	int type = sqlite3_column_type(a, i);
	if (type != sqlite3_column_type(b, i))
		return false;
	switch (type) {
	case SQLITE_INTEGER:
		return sqlite3_column_int64(a, i) == sqlite3_column_int64(b, i);
	case SQLITE_FLOAT:
		return sqlite3_column_double(a, i) == sqlite3_column_double(b, i);
	case SQLITE_NULL:
		return true;
	default: {
		const void *p = sqlite3_column_blob(a, i), *q = sqlite3_column_blob(b, i);
		int n = sqlite3_column_bytes(a, i);
		return n == sqlite3_column_bytes(b, i) && (n == 0 || memcmp(p, q, (size_t)n) == 0);
	}
	}
}

/* Index of the first column that differs, -1: none. Column 0 is the rowid. */
static int differs(sqlite3_stmt *a, sqlite3_stmt *b)
{
	int n = sqlite3_column_count(a);
	CHECK(n == sqlite3_column_count(b));
	for (int i = 1; i < n; i++)
		if (!same_value(a, b, i))
			return i;
	return -1;
}

static int mismatch(struct migration *m, int64_t key, const char *what, struct error *err)
{
	m->mismatch = true;
	error_set(err, ERRC_FAILED_MIGRATION, "verification of %.100s found a difference in row %lld: %s", m->r->table,
		  (long long)key, what);
	error_add_int(err, "row", key);
	return -1;
}

static int mismatch_column(struct migration *m, int64_t key, int i, struct error *err)
{
	char what[160];
	sqlite3_snprintf(sizeof(what), what, "column %.120s", m->plan->columns[i - 1].name);
	return mismatch(m, key, what, err);
}

int verify_key(struct migration *m, struct db *db, int64_t key, struct error *err)
{
	sqlite3_stmt *a = NULL, *b = NULL;
	int have = 0, has = 0, rc = -1;

	if (db_prepare(db, m->texts.source_one, &a, err) != 0 || db_prepare(db, m->texts.shadow_one, &b, err) != 0)
		goto done;
	sqlite3_bind_int64(a, 1, key);
	sqlite3_bind_int64(b, 1, key);
	have = db_step(db, a, err);
	has = db_step(db, b, err);
	if (have < 0 || has < 0)
		goto done;
	rc = 0;
	if (have != has)
		rc = mismatch(m, key, have ? "it is missing in the new table" : "it is in the new table alone", err);
	else if (have && differs(a, b) >= 0)
		rc = mismatch_column(m, key, differs(a, b), err);
	else
		m->next.verified_rows += have;
done:
	db_done(db, a);
	db_done(db, b);
	return rc;
}

/* True if the log names the key, in the snapshot that is open. -1 on failure. */
static int is_dirty(struct migration *m, struct db *db, int64_t key, struct error *err)
{
	int64_t dirty = 0;
	if (db_int(db, &dirty, err,
		   "SELECT EXISTS(SELECT 1 FROM main._alterd_dirty WHERE job=%lld AND gone IN (0,1) AND key=%lld)",
		   (long long)m->r->id, (long long)key) != 0)
		return -1;
	return dirty != 0;
}

/* A difference counts unless the key is dirty. */
static int judge(struct migration *m, struct db *db, int64_t key, int column, const char *what, struct error *err)
{
	int dirty = is_dirty(m, db, key, err);
	if (dirty < 0)
		return -1;
	if (dirty)
		return 0;
	if (column > 0)
		return mismatch_column(m, key, column, err);
	return mismatch(m, key, what ? what : "it is another row", err);
}

struct walk {
	sqlite3_stmt *a, *b;
	int have, has; /* 1: on a row, 0: at the end */
	int64_t rows;  /* of the source, seen */
	int64_t same;  /* compared equal */
	int64_t last;  /* greatest rowid of the source seen */
	int64_t bound; /* of the rowids compared */
};

/* One move of the merge. */
static int advance(struct migration *m, struct db *db, struct walk *w, struct error *err)
{
	int64_t x = w->have ? sqlite3_column_int64(w->a, 0) : INT64_MAX,
		y = w->has ? sqlite3_column_int64(w->b, 0) : INT64_MAX;
	bool take_a = w->have && (!w->has || x <= y), take_b = w->has && (!w->have || y <= x);
	int rc = 0;

	if (take_a && take_b) {
		int column = differs(w->a, w->b);
		w->same += column < 0;
		rc = column < 0 ? 0 : judge(m, db, x, column, NULL, err);
	} else {
		rc = judge(m, db, take_a ? x : y, 0,
			   take_a ? "it is missing in the new table" : "it is in the new table alone", err);
	}
	if (take_a && rc == 0) {
		w->rows++;
		w->last = x;
		w->have = db_step(db, w->a, err);
	}
	if (take_b && rc == 0)
		w->has = db_step(db, w->b, err);
	return rc != 0 || w->have < 0 || w->has < 0 ? -1 : 0;
}

/* Compares a range in the snapshot that is open. *ret_end: it was the last. */
static int verify_range(struct migration *m, struct db *db, struct walk *w, bool *ret_end, struct error *err)
{
	bool first = !m->has_verified;
	int64_t from = first ? INT64_MIN : m->verify_cursor;

	if (db_prepare(db, first ? m->texts.source_first : m->texts.source_range, &w->a, err) != 0 ||
	    db_prepare(db, first ? m->texts.shadow_first : m->texts.shadow_range, &w->b, err) != 0)
		return -1;
	sqlite3_bind_int64(w->a, 1, from);
	sqlite3_bind_int64(w->a, 2, VERIFY_ROWS);
	sqlite3_bind_int64(w->b, 1, from);
	w->have = db_step(db, w->a, err);
	w->has = db_step(db, w->b, err);
	if (w->have < 0 || w->has < 0)
		return -1;
	/* Up to the last row of the source's part; where that was the end, the shadow to its end as well. */
	while (w->have && sqlite3_column_int64(w->a, 0) <= w->bound)
		if (advance(m, db, w, err) != 0)
			return -1;
	*ret_end = w->rows < VERIFY_ROWS && w->bound == INT64_MAX;
	while (*ret_end && w->has)
		if (advance(m, db, w, err) != 0)
			return -1;
	return 0;
}

static void keep_position(struct migration *m, const struct walk *w)
{
	m->step_rows = w->rows;
	m->next.verified_rows += w->same;
	if (w->rows > 0) {
		m->verify_cursor = w->last;
		m->has_verified = true;
	}
}

int verify_up_to(struct migration *m, struct db *db, int64_t bound, struct error *err)
{
	/* The last rowid there can be is left to VERIFYING: it means that there is no bound. */
	struct walk w = {.bound = bound < INT64_MAX ? bound : INT64_MAX - 1};
	bool end = false;
	int rc = verify_range(m, db, &w, &end, err);

	db_done(db, w.a);
	db_done(db, w.b);
	if (rc == 0)
		keep_position(m, &w);
	return rc;
}

enum step_outcome verify_step(struct migration *m, struct db *db, struct error *err)
{
	struct walk w = {.bound = INT64_MAX};
	bool end = false;

	m->next = m->p;
	if (db_begin(db, err) != 0)
		return STEP_FAILED;
	int rc = verify_range(m, db, &w, &end, err);
	db_done(db, w.a);
	db_done(db, w.b);
	db_rollback(db);
	if (rc != 0)
		return STEP_FAILED;
	keep_position(m, &w);
	if (end) {
		m->next.phase = PHASE_READY;
		/* Else the swap, which is synced, would wait for all that was copied. */
		db_sync_wal(db);
	}
	m->p = m->next;
	return STEP_MORE;
}
