/*
 * The writer's side of the index build: appending sorted keys in slices, and removing sidecars in slices.
 *
 * An imposter table exists only in the connection's memory, laid over the sidecar's b-tree. It vanishes whenever the
 * schema is read again, and must never outlive its root page: each slice compares that with sqlite_schema.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/migrate/index_feed.h"
#include "daemon/migrate/index_state.h"
#include "daemon/migrate/shrink.h"

/* How often a slice looks whether its turn is over. */
#define LOOK_EVERY_ROWS 16
#define LOOK_EVERY_BYTES 32768
/* Rows deleted by one statement. */
#define DELETE_ROWS 100

/* One slice: the position in the batches, which counts only once the transaction is committed. */
struct slice {
	struct feed feed;
	struct index_build *build;
	struct db *db;
	uint64_t budget_ns;
	size_t published;   /* batches there were when the slice began */
	size_t batch;       /* number of the batch it is in, from the oldest */
	size_t at;          /* bytes of that batch given out */
	size_t rows, bytes; /* since it last looked at the clock */
	bool over;
};

static const struct batch *slice_batch(const struct slice *s, size_t number)
{
	return &s->build->batches[(s->build->first + number) % INDEX_BATCHES];
}

/* The next batch, if it is of the same index. */
static bool slice_advance(struct slice *s)
{
	size_t index = slice_batch(s, 0)->index;

	while (s->at == slice_batch(s, s->batch)->used) {
		if (s->batch + 1 == s->published || slice_batch(s, s->batch + 1)->index != index)
			return false;
		s->batch++;
		s->at = 0;
	}
	return true;
}

static int slice_next(struct feed *feed, struct key_ref *ret)
{
	struct slice *s = CONTAINER_OF(feed, struct slice, feed);

	if (s->rows == LOOK_EVERY_ROWS || s->bytes > LOOK_EVERY_BYTES) {
		s->rows = s->bytes = 0;
		s->over = db_turn_over(s->db, s->budget_ns);
	}
	if (s->over || !slice_advance(s))
		return 0;
	const struct batch *batch = slice_batch(s, s->batch);
	CHECK(key_read(batch->data + s->at, batch->data + batch->used, ret));
	s->at += ret->total;
	s->rows++;
	s->bytes += ret->total;
	return 1;
}

static bool table_known(sqlite3 *handle, const char *table)
{
	return sqlite3_table_column_metadata(handle, "main", table, NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

/* Makes the connection forget all imposters, by reading its schema again. */
static void forget_imposters(sqlite3 *handle) { sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, handle, "main", 0, 1); }

/* Lays the imposter over the sidecar's b-tree, unless it lies there. In a transaction. */
int index_imposter(struct index_build *b, struct db *db, size_t index, struct error *err)
{
	const struct index_target *t = &b->spec.targets[index];
	struct index_part *part = &b->parts[index];
	sqlite3 *handle = db_handle(db);
	int64_t root = 0;

	if (db_int(db, &root, err, "SELECT rootpage FROM main.sqlite_schema WHERE type = 'table' AND name = %Q",
		   t->sidecar) != 0)
		return error_is_set(err) ? -1 : error_set(err, ERRC_INTERNAL, "the table %s is missing", t->sidecar);
	if (table_known(handle, t->imposter)) {
		if (part->imposter_root == root)
			return 0;
		db_forget_statements(db);
		forget_imposters(handle);
	}
	/* The schema must be read before this mode is on; it is switched off at once: any CREATE would be an imposter.
	 */
	if (!table_known(handle, t->sidecar))
		return db_error(db, "looking for an index's sidecar", err);
	sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, handle, "main", 1, (int)root);
	int rc = sqlite3_exec(handle, t->imposter_sql, NULL, NULL, NULL);
	sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, handle, "main", 0, 0);
	if (rc != SQLITE_OK)
		return db_error(db, "laying an imposter over an index", err);
	part->imposter_root = root;
	return 0;
}

static int insert_keys(struct index_build *b, struct slice *s, struct error *err)
{
	size_t index = slice_batch(s, 0)->index;
	bool imposter = b->parts[index].has_null;
	sqlite3_stmt *stmt;

	if (imposter && index_imposter(b, s->db, index, err) != 0)
		return -1;
	if (db_prepare(s->db, b->spec.targets[index].insert_sql[imposter], &stmt, err) != 0)
		return -1;
	int result = feed_bind(stmt, 1, &s->feed) == SQLITE_OK ? db_step(s->db, stmt, err)
							       : db_error(s->db, "binding the feed", err);
	db_done(s->db, stmt);
	return result;
}

/*
 * Another process may have changed the schema: SQLite notices in the step, reads it again, and the imposter is gone.
 * Then, and only once, it is laid again; nothing was given out yet.
 */
static int insert_slice(struct index_build *b, struct slice *s, struct error *err)
{
	const struct index_target *t = &b->spec.targets[slice_batch(s, 0)->index];
	bool imposter = b->parts[slice_batch(s, 0)->index].has_null;

	if (insert_keys(b, s, err) == 0)
		return 0;
	if (!imposter || s->feed.rows > 0 || table_known(db_handle(s->db), t->imposter))
		return -1;
	error_clear(err);
	return insert_keys(b, s, err);
}

/* The slice is committed: batches that are in the sidecar are the reader's again. */
static void slice_done(struct index_build *b, const struct slice *s)
{
	bool whole = s->at == slice_batch(s, s->batch)->used;
	size_t gone = s->batch + whole;

	b->batch_at = whole ? 0 : s->at;
	pthread_mutex_lock(&b->lock);
	b->first = (b->first + gone) % INDEX_BATCHES;
	b->published -= gone;
	b->progress.keys_done += s->feed.rows;
	pthread_mutex_unlock(&b->lock);
}

static size_t published(struct index_build *b)
{
	pthread_mutex_lock(&b->lock);
	size_t n = b->failed ? 0 : b->published;
	pthread_mutex_unlock(&b->lock);
	return n;
}

static int run_slice(struct index_build *b, struct slice *s, struct error *err)
{
	const struct index_target *t = &b->spec.targets[slice_batch(s, 0)->index];

	s->feed.columns = t->columns;
	s->feed.count = t->count;
	if (db_begin(s->db, err) != 0)
		return -1;
	if (insert_slice(b, s, err) != 0) {
		db_rollback(s->db);
		return -1;
	}
	uint64_t start_ns = clock_now_ns();
	if (db_commit(s->db, err) != 0)
		return -1;
	uint64_t took_ns = clock_now_ns() - start_ns;
	b->commit_ns = (3 * b->commit_ns + took_ns) / 4;
	slice_done(b, s);
	return 0;
}

int index_build_fill(struct index_build *b, struct db *db, uint64_t budget_ns, struct error *err)
{
	PRE(!db_in_transaction(db));
	uint64_t commit_ns = b->commit_ns < budget_ns / 2 ? b->commit_ns : budget_ns / 2;
	struct slice s = {.build = b,
			  .db = db,
			  .budget_ns = budget_ns - commit_ns,
			  .published = published(b),
			  .at = b->batch_at,
			  .feed = {.next = slice_next, .values = b->fill_values}};

	if (s.published == 0)
		return 0;
	if (!b->registered && feed_register(db_handle(db), err) != 0)
		return -1;
	b->registered = true;
	int result = run_slice(b, &s, err);
	buf_free(&s.feed.scratch);
	return result;
}

/* Finds a sidecar of the table: "" if there is none. */
static int find_sidecar(struct db *db, const char *table, struct buf *ret, struct error *err)
{
	static const char sql[] = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND"
				  " substr(name, 1, length(?1)) = ?1 AND substr(name, -length(?2) - 1) = '_' || ?2";
	sqlite3_stmt *stmt;
	int row;

	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	sqlite3_bind_text(stmt, 1, INDEX_SIDECAR_PREFIX, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, table, -1, SQLITE_STATIC);
	while ((row = db_step(db, stmt, err)) > 0) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		const char *number = name + strlen(INDEX_SIDECAR_PREFIX);
		size_t digits = strspn(number, "0123456789");
		/* The number must be all there is in between, or it is a sidecar of another table. */
		if (digits == 0 || number[digits] != '_' || strcmp(number + digits + 1, table) != 0)
			continue;
		buf_puts(ret, name);
		break;
	}
	db_done(db, stmt);
	return row < 0 ? -1 : 0;
}

int index_build_begun(struct db *db, const char *table, bool *ret, struct error *err)
{
	struct buf name = {0};
	int result = find_sidecar(db, table, &name, err);

	if (result == 0)
		*ret = name.len > 0;
	buf_free(&name);
	return result;
}

/* One slice: rows as long as the turn lasts, then the empty table itself. */
static int shrink_sidecar(struct db *db, const char *sidecar, uint64_t budget_ns, struct error *err)
{
	struct pool pool = {0};
	struct shrink shrink;
	int64_t deleted = 0;
	int rc = shrink_open(&pool, db, sidecar, &shrink, err);

	do {
		if (rc == 0)
			rc = shrink_rows(db, &shrink, DELETE_ROWS, &deleted, err);
	} while (rc == 0 && deleted > 0 && !db_turn_over(db, budget_ns));
	if (rc == 0 && deleted == 0) {
		db_forget_statements(db);
		rc = db_exec(db, err, "DROP TABLE main.\"%w\"", sidecar);
	}
	pool_free(&pool);
	return rc;
}

int index_build_abandon(struct db *db, const char *table, uint64_t budget_ns, bool *ret_more, struct error *err)
{
	PRE(!db_in_transaction(db));
	struct buf name = {0};
	int result = find_sidecar(db, table, &name, err);

	if (result == 0 && name.len > 0) {
		/* An imposter must not lie over pages that belong to others from here on. */
		db_forget_statements(db);
		forget_imposters(db_handle(db));
		result = db_begin(db, err);
		if (result == 0) {
			result = shrink_sidecar(db, buf_cstr(&name), budget_ns, err);
			if (result == 0)
				result = db_commit(db, err);
			else
				db_rollback(db);
		}
	}
	if (result == 0)
		*ret_more = name.len > 0;
	buf_free(&name);
	return result;
}
