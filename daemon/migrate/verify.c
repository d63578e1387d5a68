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

/* Rows a snapshot: some 2 ms, so that it never holds the WAL back for long, nor those who wait for the processor. */
#define VERIFY_ROWS 1000
/* At least, though the log waits for it to end. */
#define VERIFY_ROWS_LEAST 250

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

/* Column of the plan that differs, from 1; 0: none. The key stands before them. */
static int differs(const struct migration *m, sqlite3_stmt *a, sqlite3_stmt *b)
{
	int key = (int)m->plan->source_key.n, n = sqlite3_column_count(a);
	CHECK(n == sqlite3_column_count(b));
	for (int i = key; i < n; i++)
		if (!same_value(a, b, i))
			return i - key + 1;
	return 0;
}

static int mismatch(struct migration *m, const struct rowkey *key, const char *what, struct error *err)
{
	struct buf row = {0};

	m->mismatch = true;
	offenders_write_key(m, key, &row);
	error_set(err, ERRC_FAILED_MIGRATION, "verification of %.100s found a difference in row %.200s: %s",
		  m->plan->table, buf_cstr(&row), what);
	if (m->plan->source_key.rowid)
		error_add_int(err, "row", key->rowid);
	buf_free(&row);
	return -1;
}

static int mismatch_column(struct migration *m, const struct rowkey *key, int i, struct error *err)
{
	char what[160];
	sqlite3_snprintf(sizeof(what), what, "column %.120s", m->plan->columns[i - 1].name);
	return mismatch(m, key, what, err);
}

int verify_key(struct migration *m, struct db *db, const struct rowkey *key, struct error *err)
{
	const struct rowkey_shape *shape = &m->plan->source_key;
	sqlite3_stmt *a = NULL, *b = NULL;
	int have = 0, has = 0, rc = -1;

	if (db_prepare(db, m->texts.source_one, &a, err) != 0 || db_prepare(db, m->texts.shadow_one, &b, err) != 0)
		goto done;
	rowkey_bind(key, shape, a, 1);
	rowkey_bind(key, shape, b, 1);
	have = db_step(db, a, err);
	has = db_step(db, b, err);
	if (have < 0 || has < 0)
		goto done;
	rc = 0;
	if (have != has)
		rc = mismatch(m, key, have ? "it is missing in the new table" : "it is in the new table alone", err);
	else if (have && differs(m, a, b))
		rc = mismatch_column(m, key, differs(m, a, b), err);
	else
		m->next.verified_rows += have;
done:
	db_done(db, a);
	db_done(db, b);
	return rc;
}

/* A difference counts unless the key is dirty. */
static int judge(struct migration *m, struct db *db, const struct rowkey *key, int column, const char *what,
		 struct error *err)
{
	int dirty = dirty_has(m, db, key, err);
	if (dirty < 0)
		return -1;
	if (dirty)
		return 0;
	if (column > 0)
		return mismatch_column(m, key, column, err);
	return mismatch(m, key, what ? what : "it is another row", err);
}

struct walk {
	sqlite3_stmt *a, *b, *order; /* source, shadow, how two keys stand to each other */
	int have, has;               /* 1: on a row, 0: at the end */
	struct rowkey x, y, last;    /* their keys; the last of the source that was seen */
	int64_t rows;                /* of the source, seen */
	int64_t same;                /* compared equal */
	int64_t bound;               /* of the rowids compared; INT64_MAX: none */
};

static int step_source(struct migration *m, struct db *db, struct walk *w, struct error *err)
{
	w->have = db_step(db, w->a, err);
	if (w->have == 1)
		rowkey_read(&w->x, &m->plan->source_key, w->a, 0);
	return w->have < 0 ? -1 : 0;
}

static int step_shadow(struct migration *m, struct db *db, struct walk *w, struct error *err)
{
	w->has = db_step(db, w->b, err);
	if (w->has == 1)
		rowkey_read(&w->y, &m->plan->source_key, w->b, 0);
	return w->has < 0 ? -1 : 0;
}

/* Which of the two rows comes first: < 0 the source's, > 0 the shadow's, 0 both. */
static int order_of(struct migration *m, struct db *db, struct walk *w, int *ret, struct error *err)
{
	const struct rowkey_shape *shape = &m->plan->source_key;

	if (!w->have || !w->has) {
		*ret = w->have ? -1 : 1;
		return 0;
	}
	if (shape->rowid) {
		*ret = (w->x.rowid > w->y.rowid) - (w->x.rowid < w->y.rowid);
		return 0;
	}
	if (rowkey_same(&w->x, &w->y, shape)) {
		*ret = 0;
		return 0;
	}
	sqlite3_reset(w->order);
	rowkey_bind(&w->x, shape, w->order, 1);
	rowkey_bind(&w->y, shape, w->order, (int)shape->n + 1);
	int rc = db_step(db, w->order, err);
	if (rc == 1)
		*ret = sqlite3_column_int(w->order, 0);
	return rc == 1 ? 0 : -1;
}

/* One move of the merge. */
static int advance(struct migration *m, struct db *db, struct walk *w, struct error *err)
{
	int order = 0, rc = 0;

	if (order_of(m, db, w, &order, err) != 0)
		return -1;
	if (order == 0) {
		int column = differs(m, w->a, w->b);
		w->same += column == 0;
		rc = column == 0 ? 0 : judge(m, db, &w->x, column, NULL, err);
	} else {
		rc = judge(m, db, order < 0 ? &w->x : &w->y, 0,
			   order < 0 ? "it is missing in the new table" : "it is in the new table alone", err);
	}
	if (rc == 0 && order <= 0) {
		w->rows++;
		rowkey_copy(&w->last, &w->x);
		rc = step_source(m, db, w, err);
	}
	if (rc == 0 && order >= 0)
		rc = step_shadow(m, db, w, err);
	return rc;
}

static int begin_walk(struct migration *m, struct db *db, struct walk *w, struct error *err)
{
	const struct texts *t = &m->texts;
	const struct rowkey_shape *shape = &m->plan->source_key;
	bool first = !m->has_verified;

	if (first && m->watching)
		m->verified_watched = true;
	if (db_prepare(db, first ? t->source_first : t->source_next, &w->a, err) != 0 ||
	    db_prepare(db, first ? t->shadow_first : t->shadow_next, &w->b, err) != 0 ||
	    db_prepare(db, t->compare, &w->order, err) != 0)
		return -1;
	if (!first) {
		rowkey_bind(&m->verified, shape, w->a, 1);
		rowkey_bind(&m->verified, shape, w->b, 1);
	}
	sqlite3_bind_int64(w->a, (int)shape->n + 1, VERIFY_ROWS);
	return step_source(m, db, w, err) != 0 || step_shadow(m, db, w, err) != 0 ? -1 : 0;
}

/* Every row of the shadow has its place in the key map: what the walk has not met by a key is there by mistake. */
static int check_map(struct migration *m, struct db *db, struct error *err)
{
	struct pool pool = {0};
	int64_t shadow = 0, map = 0;
	const char *count = "SELECT count(*) FROM main.%s";
	int rc = 0;

	if (m->plan->key_map) {
		rc = db_int(db, &shadow, err, count, quote_name(&pool, m->plan->shadow));
		if (rc == 0)
			rc = db_int(db, &map, err, count, quote_name(&pool, m->plan->key_map));
		if (rc == 0 && shadow != map) {
			m->mismatch = true;
			rc = error_set(
				err, ERRC_FAILED_MIGRATION,
				"verification of %.100s found %lld rows in the new table where there are %lld keys",
				m->plan->table, (long long)shadow, (long long)map);
		}
	}
	pool_free(&pool);
	return rc;
}

/* The log waits for the snapshot to end. */
static bool cut_short(struct db *db, const struct walk *w)
{
	return w->rows >= VERIFY_ROWS_LEAST && w->rows % 64 == 0 && db_wal_waits(db);
}

/* Compares a range in the snapshot that is open. *ret_end: it was the last. */
static int verify_range(struct migration *m, struct db *db, struct walk *w, bool *ret_end, struct error *err)
{
	if (begin_walk(m, db, w, err) != 0)
		return -1;
	/* Up to the last row of the source's part; where that was the end, the shadow to its end as well. */
	while (w->have && (w->bound == INT64_MAX || w->x.rowid <= w->bound) && !cut_short(db, w))
		if (advance(m, db, w, err) != 0)
			return -1;
	*ret_end = !w->have && w->rows < VERIFY_ROWS && w->bound == INT64_MAX;
	while (*ret_end && w->has)
		if (advance(m, db, w, err) != 0)
			return -1;
	if (w->rows > 0 && rules_verify(m, db, m->has_verified ? &m->verified : NULL, &w->last, err) != 0)
		return -1;
	return *ret_end ? check_map(m, db, err) : 0;
}

static void end_walk(struct db *db, struct walk *w)
{
	db_done(db, w->a);
	db_done(db, w->b);
	db_done(db, w->order);
	rowkey_free(&w->x);
	rowkey_free(&w->y);
}

/* The walk has ended well. */
static void keep_position(struct migration *m, const struct walk *w)
{
	m->step_rows = w->rows;
	m->next.verified_rows += w->same;
	if (w->rows > 0) {
		rowkey_copy(&m->verified, &w->last);
		m->has_verified = true;
	}
}

/* The next range. *ret_end: it was the last. */
static int verify_next(struct migration *m, struct db *db, int64_t bound, bool *ret_end, struct error *err)
{
	struct walk w = {.bound = bound};
	int rc = verify_range(m, db, &w, ret_end, err);

	end_walk(db, &w);
	if (rc == 0)
		keep_position(m, &w);
	rowkey_free(&w.last);
	return rc;
}

int verify_up_to(struct migration *m, struct db *db, int64_t bound, struct error *err)
{
	bool end = false;

	PRE(m->plan->copy_rowid);
	/* The last rowid there can be is left to VERIFYING: it means that there is no bound. */
	return verify_next(m, db, bound < INT64_MAX ? bound : INT64_MAX - 1, &end, err);
}

int verify_all(struct migration *m, struct db *db, struct error *err)
{
	bool end = false;
	int rc = 0;

	migration_forget_keys(m);
	while (rc == 0 && !end)
		rc = verify_next(m, db, INT64_MAX, &end, err);
	migration_forget_keys(m);
	return rc;
}

enum step_outcome verify_step(struct migration *m, struct db *db, struct error *err)
{
	bool end = false;

	m->next = m->p;
	if (db_begin(db, err) != 0)
		return STEP_FAILED;
	int rc = verify_next(m, db, INT64_MAX, &end, err);
	db_rollback(db);
	if (rc != 0)
		return STEP_FAILED;
	if (end) {
		m->next.phase = PHASE_READY;
		/* Else the swap, which is synced, would wait for all that was copied. */
		db_sync_wal(db);
	}
	m->p = m->next;
	return STEP_MORE;
}
