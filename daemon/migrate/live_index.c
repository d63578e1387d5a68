/* Applying the log to the sidecar, and what becomes of rows that may repeat a UNIQUE key. */
#include "daemon/migrate/live_index.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/index_state.h"

/* Changes taken at once; a row among them that was changed often is written once. */
#define BATCH 64
/* Beginnings, before what is lost fails the migration. */
#define ATTEMPTS_MAX 3

bool live_is(const struct migration *m) { return m->r->strategy && strcmp(m->r->strategy, "index") == 0; }

/* "k0<between>?1 AND k1<between>?2 ..": the first n columns. */
static void conditions(struct buf *b, size_t n, const char *between)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%sk%zu%s?%zu", i ? " AND " : "", i, between, i + 1);
}

static const char *insert_text(struct pool *pool, const char *table, size_t n)
{
	struct buf b = {0};

	buf_printf(&b, "INSERT OR REPLACE INTO main.%s VALUES(", quote_name(pool, table));
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s?%zu", i ? "," : "", i + 1);
	buf_putc(&b, ')');
	return pool_take(pool, &b);
}

static void make_texts(struct live_index *live, struct pool *pool)
{
	const struct index_target *t = live->target;
	const char *sidecar = quote_name(pool, t->sidecar);
	struct buf b = {0};

	buf_printf(&b, "DELETE FROM main.%s WHERE ", sidecar);
	conditions(&b, t->count, " IS ");
	live->delete_sql = pool_take(pool, &b);
	live->insert_sql[0] = insert_text(pool, t->sidecar, t->count);
	live->insert_sql[1] = insert_text(pool, t->imposter, t->count);
	buf_printf(&b, "SELECT k%zu FROM main.%s WHERE ", t->count - 1, sidecar);
	conditions(&b, t->key_count, "=");
	buf_printf(&b, " AND k%zu<>?%zu LIMIT 1", t->count - 1, t->key_count + 1);
	live->twin_sql = pool_take(pool, &b);
}

int live_new(struct migration *m, struct db *db, struct error *err)
{
	struct live_index *live = xcalloc(1, sizeof(*live));

	(void)db;
	m->live = live;
	live->spec = &m->index->spec;
	live->target = &live->spec->targets[0];
	live->log = index_log_new(m->index->temp_dir);
	live->values = xcalloc(live->target->count, sizeof(*live->values));
	make_texts(live, &m->pool);
	return index_watch_new(live->spec, m->plan->source, live->log, &live->watch, err);
}

void live_free(struct live_index *live)
{
	if (!live)
		return;
	index_watch_free(live->watch);
	index_log_free(live->log);
	index_log_cursor_free(&live->applied);
	live_compare_free(live->compare);
	free(live->values);
	buf_free(&live->scratch);
	buf_free(&live->norm);
	buf_free(&live->tail);
	free(live);
}

void live_stop(struct migration *m, struct db *db)
{
	if (m->live)
		index_watch_stop(m->live->watch, db);
	live_free(m->live);
	m->live = NULL;
}

static int bind_one(sqlite3_stmt *stmt, int i, const struct key_value *v)
{
	switch (v->type) {
	case SQLITE_INTEGER:
		return sqlite3_bind_int64(stmt, i, v->integer);
	case SQLITE_FLOAT:
		return sqlite3_bind_double(stmt, i, v->real);
	case SQLITE_TEXT:
		return sqlite3_bind_text64(stmt, i, v->data ? v->data : "", v->n, SQLITE_TRANSIENT, SQLITE_UTF8);
	case SQLITE_BLOB:
		return v->n ? sqlite3_bind_blob64(stmt, i, v->data, v->n, SQLITE_TRANSIENT)
			    : sqlite3_bind_zeroblob(stmt, i, 0);
	default:
		return sqlite3_bind_null(stmt, i);
	}
}

static int delete_entry(struct live_index *live, struct db *db, const struct key_ref *key, struct error *err)
{
	const struct index_target *t = live->target;
	sqlite3_stmt *stmt = NULL;
	int rc = SQLITE_OK;

	if (key_parse(key, t->columns, t->count, &live->scratch, live->values) != 0)
		return error_set(err, ERRC_INTERNAL, "an entry of index %s in the log cannot be read", t->name);
	if (db_prepare(db, live->delete_sql, &stmt, err) != 0)
		return -1;
	for (size_t i = 0; rc == SQLITE_OK && i < t->count; i++)
		rc = bind_one(stmt, (int)i + 1, &live->values[i]);
	rc = rc == SQLITE_OK ? db_step(db, stmt, err) : db_error(db, "binding an entry", err);
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

/* Another row with the key of this one: 1 and its rowid, 0 if there is none. A key with a NULL has no twin. */
static int find_twin(struct live_index *live, struct db *db, sqlite3_stmt *row, int64_t rowid, int64_t *ret,
		     struct error *err)
{
	const struct index_target *t = live->target;
	sqlite3_stmt *stmt = NULL;

	for (size_t i = 0; i < t->key_count; i++)
		if (sqlite3_column_type(row, (int)t->values[i]) == SQLITE_NULL)
			return 0;
	if (db_prepare(db, live->twin_sql, &stmt, err) != 0)
		return -1;
	for (size_t i = 0; i < t->key_count; i++)
		sqlite3_bind_value(stmt, (int)i + 1, sqlite3_column_value(row, (int)t->values[i]));
	sqlite3_bind_int64(stmt, (int)t->key_count + 1, rowid);
	int got = db_step(db, stmt, err);
	if (got == 1)
		*ret = sqlite3_column_int64(stmt, 0);
	db_done(db, stmt);
	return got;
}

/* The row as it is now; 1 if it is in the index, 0 if not. *ret to be given back in any case. */
static int present(struct live_index *live, struct db *db, int64_t rowid, sqlite3_stmt **ret, struct error *err)
{
	const struct index_target *t = live->target;

	*ret = NULL;
	if (db_prepare(db, live->spec->one_sql, ret, err) != 0)
		return -1;
	sqlite3_bind_int64(*ret, 1, rowid);
	int got = db_step(db, *ret, err);
	if (got == 1 && t->condition > 0 && !sqlite3_column_int(*ret, (int)t->condition))
		got = 0;
	return got;
}

static int insert_entry(struct migration *m, struct db *db, sqlite3_stmt *row, struct error *err)
{
	const struct index_target *t = m->live->target;
	sqlite3_stmt *stmt = NULL;
	bool null = false;

	for (size_t i = 0; i < t->count; i++)
		null = null || sqlite3_column_type(row, (int)t->values[i]) == SQLITE_NULL;
	if ((null && index_imposter(m->index, db, 0, err) != 0) ||
	    db_prepare(db, m->live->insert_sql[null], &stmt, err) != 0)
		return -1;
	for (size_t i = 0; i < t->count; i++)
		sqlite3_bind_value(stmt, (int)i + 1, sqlite3_column_value(row, (int)t->values[i]));
	int rc = db_step(db, stmt, err);
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

/* Writes the present entry of a row whose old ones are deleted. */
static int rewrite(struct migration *m, struct db *db, int64_t rowid, struct error *err)
{
	struct live_index *live = m->live;
	sqlite3_stmt *row = NULL;
	int64_t twin = 0;
	int rc = present(live, db, rowid, &row, err);

	if (rc == 1) {
		rc = insert_entry(m, db, row, err);
		if (rc == 0 && live->target->unique)
			rc = find_twin(live, db, row, rowid, &twin, err);
		if (rc == 1)
			live_suspect(live, rowid);
	}
	db_done(db, row);
	return rc < 0 ? -1 : 0;
}

/* Up to BATCH changes. *ret_n: how many there were. */
static int apply_batch(struct migration *m, struct db *db, size_t *ret_n, struct error *err)
{
	struct live_index *live = m->live;
	struct index_log_record record;
	int64_t rowids[BATCH];
	size_t n = 0, changes = 0;

	while (changes < BATCH) {
		int got = index_log_read(live->log, &live->applied, &record);
		if (got < 0)
			return error_set(err, ERRC_INTERNAL, "%s", index_log_lost(live->log));
		if (got == 0)
			break;
		if (record.entry && delete_entry(live, db, &record.key, err) != 0)
			return -1;
		bool known = false;
		for (size_t i = 0; i < n && !known; i++)
			known = rowids[i] == record.rowid;
		if (!known)
			rowids[n++] = record.rowid;
		changes++;
	}
	for (size_t i = 0; i < n; i++)
		if (rewrite(m, db, rowids[i], err) != 0)
			return -1;
	*ret_n = changes;
	return 0;
}

int live_apply(struct migration *m, struct db *db, bool *ret_left, struct error *err)
{
	uint64_t at = m->live->applied.at;
	size_t n = 0;

	do {
		if (apply_batch(m, db, &n, err) != 0) {
			m->live->applied.at = at;
			return -1;
		}
		m->next.changes_applied += (int64_t)n;
		m->step_rows += (int64_t)n;
	} while (n == BATCH && !db_turn_over(db, m->allow.hold_ns));
	*ret_left = n == BATCH;
	return 0;
}

void live_suspect(struct live_index *live, int64_t rowid)
{
	for (size_t i = 0; i < live->nsuspects; i++)
		if (live->suspects[i] == rowid)
			return;
	if (live->nsuspects < LIVE_SUSPECTS_MAX)
		live->suspects[live->nsuspects++] = rowid;
	else
		live->more_suspects = true;
}

static void name_row(struct migration *m, sqlite3_stmt *row)
{
	struct index_build *b = m->index;
	struct live_index *live = m->live;
	bool null = false;
	size_t unique_n = 0;

	index_entry(live->target, row, live->target->values, &live->norm, &live->tail, &null, &unique_n);
	struct key_ref key = {.norm = (const uint8_t *)live->norm.data,
			      .norm_n = live->norm.len,
			      .tail = (const uint8_t *)live->tail.data,
			      .tail_n = live->tail.len,
			      .unique_n = unique_n};
	pthread_mutex_lock(&b->lock);
	if (b->offender_count++ < INDEX_OFFENDERS_MAX)
		index_offender(b, live->target, &key);
	pthread_mutex_unlock(&b->lock);
}

/* 1: it repeats a key of another row; *ret is the later one of the two. */
static int repeats(struct migration *m, struct db *db, int64_t rowid, int64_t *ret, struct error *err)
{
	sqlite3_stmt *row = NULL;
	int64_t twin = 0;
	int rc = present(m->live, db, rowid, &row, err);

	if (rc == 1)
		rc = find_twin(m->live, db, row, rowid, &twin, err);
	if (rc == 1)
		*ret = twin > rowid ? twin : rowid;
	db_done(db, row);
	return rc;
}

/* Names each of the rows once. */
static int name_rows(struct migration *m, struct db *db, int64_t *rowids, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		sqlite3_stmt *row = NULL;
		bool known = false;
		for (size_t k = 0; k < i && !known; k++)
			known = rowids[k] == rowids[i];
		int rc = known ? 0 : present(m->live, db, rowids[i], &row, err);
		if (rc == 1)
			name_row(m, row);
		db_done(db, row);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int live_settle(struct migration *m, struct db *db, struct error *err)
{
	struct live_index *live = m->live;
	int64_t later[LIVE_SUSPECTS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < live->nsuspects; i++) {
		int rc = repeats(m, db, live->suspects[i], &later[n], err);
		if (rc < 0)
			return -1;
		n += rc == 1;
	}
	if (n > 0) {
		if (name_rows(m, db, later, n, err) != 0)
			return -1;
		if (live->more_suspects && live->repeated > m->index->offender_count)
			m->index->offender_count = live->repeated;
		index_take_offenders(m, err);
		return -1;
	}
	/* None of those that were kept; the others are found again by comparing. */
	if (live->more_suspects)
		live->compared = false;
	live->nsuspects = 0;
	live->more_suspects = false;
	return 0;
}

enum step_outcome live_lost(struct migration *m, struct db *db, struct error *err)
{
	const char *why = index_log_lost(m->live->log);

	if (m->next.restarts + 1 < ATTEMPTS_MAX)
		return step_restart(m, db, why, err);
	error_set(err, ERRC_FAILED_MIGRATION, "index %.100s could not be built beside the clients: %s",
		  m->live->target->name, why);
	return step_failed(m, db);
}
