/*
 * The index build's frame: open, what there is to do, adopt. See index_build.h; the lanes' sides are in index_scan.c
 * and index_fill.c.
 */
#include "daemon/migrate/index_build.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/index_state.h"

/* Shares of the memory budget: keys being collected, read buffers of a merge, batches on their way to the writer. */
#define ARENA_SHARE(bytes) ((bytes) / 8 * 5)
#define MERGE_SHARE(bytes) ((bytes) / 4)
#define BATCH_BYTES_MOST ((size_t)512 << 10)

/* NULL in the first column through an imposter over an index, seen by way of the index afterwards. */
static bool imposter_works(sqlite3 *scratch)
{
	sqlite3_stmt *stmt = NULL;
	int root = 0;
	bool works = false;

	if (sqlite3_exec(scratch, "CREATE TABLE t(a); CREATE INDEX i ON t(a)", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(scratch, "SELECT rootpage FROM sqlite_schema WHERE name = 'i'", -1, &stmt, NULL) !=
		    SQLITE_OK)
		return false;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		root = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, scratch, "main", 1, root);
	int rc = sqlite3_exec(scratch, "CREATE TABLE x(k, r, PRIMARY KEY(k, r)) WITHOUT ROWID", NULL, NULL, NULL);
	sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, scratch, "main", 0, 0);
	if (rc != SQLITE_OK || sqlite3_exec(scratch, "INSERT INTO x VALUES(NULL, 7)", NULL, NULL, NULL) != SQLITE_OK)
		return false;
	sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, scratch, "main", 0, 1);
	if (sqlite3_prepare_v2(scratch, "SELECT count(*) FROM t INDEXED BY i WHERE a IS NULL", -1, &stmt, NULL) ==
	    SQLITE_OK)
		works = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int(stmt, 0) == 1;
	sqlite3_finalize(stmt);
	return works;
}

static bool database_is_utf8(struct db *db)
{
	struct error err = {0};
	int64_t utf8 = 0;

	if (db_int(db, &utf8, &err, "SELECT encoding = 'UTF-8' FROM pragma_encoding") != 0)
		utf8 = 0;
	error_clear(&err);
	return utf8 != 0;
}

bool index_build_available(struct db *db)
{
	sqlite3 *scratch = NULL;
	bool works = database_is_utf8(db) && sqlite3_open(":memory:", &scratch) == SQLITE_OK && imposter_works(scratch);

	sqlite3_close(scratch);
	return works;
}

/* One text by a query with one parameter; *ret NULL without a row. Of the pool. */
static int read_text(struct db *db, struct pool *pool, const char *sql, const char *argument, const char **ret,
		     struct error *err)
{
	sqlite3_stmt *stmt;

	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	sqlite3_bind_text(stmt, 1, argument, -1, SQLITE_STATIC);
	int row = db_step(db, stmt, err);
	*ret = row > 0 ? pool_str(pool, (const char *)sqlite3_column_text(stmt, 0)) : NULL;
	db_done(db, stmt);
	return row < 0 ? -1 : 0;
}

/* Names of the indexes the table has. */
static int read_have(struct db *db, struct pool *pool, const char *table, const char ***ret, size_t *ret_count,
		     struct error *err)
{
	sqlite3_stmt *stmt;
	int row;

	*ret = NULL;
	*ret_count = 0;
	if (db_prepare(db, "SELECT name FROM main.sqlite_schema WHERE type = 'index' AND tbl_name = ?1", &stmt, err) !=
	    0)
		return -1;
	sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	while ((row = db_step(db, stmt, err)) > 0) {
		*ret = pool_grow(pool, *ret, *ret_count, sizeof(**ret));
		(*ret)[(*ret_count)++] = pool_str(pool, (const char *)sqlite3_column_text(stmt, 0));
	}
	db_done(db, stmt);
	return row;
}

static int read_spec(struct index_build *b, struct db *db, const struct index_build_config *config, struct error *err)
{
	static const char sql[] = "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1";
	const char **have, *table_sql;
	size_t have_count;

	if (!database_is_utf8(db))
		return error_set(err, ERRC_INTERNAL, "the database is not UTF-8");
	if (read_text(db, &b->pool, sql, config->table, &table_sql, err) != 0 ||
	    read_have(db, &b->pool, config->table, &have, &have_count, err) != 0)
		return -1;
	if (!table_sql)
		return error_set(err, ERRC_INTERNAL, "there is no table %s", config->table);
	if (config->table_sql)
		table_sql = config->table_sql;
	struct index_source source = {.table = config->table,
				      .table_sql = table_sql,
				      .sql = config->sql,
				      .count = config->count,
				      .have = have,
				      .have_count = have_count};
	return index_spec_read(&b->pool, &source, &b->spec, err);
}

/* Makes the sidecar, or takes up the one there is. */
static int open_part(struct index_build *b, struct db *db, size_t i, struct error *err)
{
	static const char sql[] = "SELECT sql FROM main.sqlite_schema WHERE name = ?1";
	const struct index_target *t = &b->spec.targets[i];
	struct index_part *part = &b->parts[i];
	const char *there;

	int64_t taken = 0;
	if (db_int(db, &taken, err, "SELECT count(*) FROM main.sqlite_schema WHERE name = %Q COLLATE NOCASE",
		   t->name) != 0)
		return -1;
	if (taken > 0)
		return error_set(err, ERRC_INTERNAL, "the name %s is taken", t->name);
	if (read_text(db, &b->pool, sql, t->sidecar, &there, err) != 0)
		return -1;
	if (there && strcmp(there, t->sidecar_sql) != 0)
		return error_set(err, ERRC_INTERNAL, "%s was made for another index: abandon it first", t->sidecar);
	if (!there && db_exec(db, err, "%s", t->sidecar_sql) != 0)
		return -1;
	part->sorter = sorter_new(b->temp_dir, b->arena_bytes / b->spec.count);
	part->resumed = there != NULL;
	if (part->resumed)
		b->phase = READ_RESUME;
	return 0;
}

static void share_memory(struct index_build *b, int64_t memory_bytes)
{
	if (memory_bytes == 0)
		memory_bytes = INDEX_MEMORY_DEFAULT;
	if (memory_bytes < INDEX_MEMORY_LEAST)
		memory_bytes = INDEX_MEMORY_LEAST;
	size_t bytes = (size_t)memory_bytes;
	b->arena_bytes = ARENA_SHARE(bytes);
	b->merge_bytes = MERGE_SHARE(bytes);
	b->batch_bytes = bytes / 8 / INDEX_BATCHES;
	if (b->batch_bytes > BATCH_BYTES_MOST)
		b->batch_bytes = BATCH_BYTES_MOST;
}

int index_build_open(struct db *db, const struct index_build_config *config, struct index_build **ret,
		     struct error *err)
{
	PRE(db_in_transaction(db));
	struct index_build *b = xcalloc(1, sizeof(*b));
	const char *dir = config->temp_dir ? config->temp_dir : getenv("TMPDIR");
	size_t widest = 1;

	pthread_mutex_init(&b->lock, NULL);
	b->temp_dir = xstrdup(dir ? dir : "/tmp");
	b->phase = READ_SCAN;
	b->growing = config->growing;
	b->live = config->live;
	share_memory(b, config->memory_bytes);
	if (read_spec(b, db, config, err) != 0)
		goto err_after_init;
	b->parts = xcalloc(b->spec.count + 1, sizeof(*b->parts));
	b->cursor = xcalloc(b->spec.cursor_count, sizeof(sqlite3_value *));
	for (size_t i = 0; i < b->spec.count; i++) {
		if (open_part(b, db, i, err) != 0)
			goto err_after_init;
		if (b->spec.targets[i].count > widest)
			widest = b->spec.targets[i].count;
	}
	b->values = xcalloc(widest, sizeof(*b->values));
	b->fill_values = xcalloc(widest, sizeof(*b->fill_values));
	if (b->spec.count == 0)
		b->phase = READ_END;
	*ret = b;
	return 0;
err_after_init:
	index_build_free(b);
	return -1;
}

void index_build_grown(struct index_build *b)
{
	pthread_mutex_lock(&b->lock);
	b->growing = false;
	pthread_mutex_unlock(&b->lock);
}

bool index_build_failed(struct index_build *b)
{
	pthread_mutex_lock(&b->lock);
	bool failed = b->failed;
	pthread_mutex_unlock(&b->lock);
	return failed;
}

unsigned index_build_needs(struct index_build *b)
{
	unsigned needs = 0;

	pthread_mutex_lock(&b->lock);
	if (!b->failed && b->phase != READ_END && b->published < INDEX_BATCHES)
		needs |= INDEX_NEEDS_READER;
	if (!b->failed && b->published > 0)
		needs |= INDEX_NEEDS_WRITER;
	pthread_mutex_unlock(&b->lock);
	return needs;
}

static int adopt_part(struct index_build *b, struct db *db, const struct index_target *t, struct error *err)
{
	static const char sql[] = "UPDATE main.sqlite_schema SET type = 'index', name = ?1, tbl_name = ?2, sql = ?3"
				  " WHERE type = 'table' AND name = ?4";
	sqlite3_stmt *stmt;

	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	sqlite3_bind_text(stmt, 1, t->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, b->spec.table, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, t->sql, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 4, t->sidecar, -1, SQLITE_STATIC);
	int result = db_step(db, stmt, err);
	db_done(db, stmt);
	if (result == 0 && sqlite3_changes(db_handle(db)) != 1)
		return error_set(err, ERRC_INTERNAL, "the table %s is missing", t->sidecar);
	return result;
}

/* ANALYZE may have run meanwhile and counted the sidecars and imposters. */
static int forget_statistics(struct db *db, const struct index_spec *spec, struct error *err)
{
	int64_t there = 0;

	if (db_int(db, &there, err, "SELECT count(*) FROM main.sqlite_schema WHERE name = 'sqlite_stat1'") != 0)
		return -1;
	for (size_t i = 0; there > 0 && i < spec->count; i++)
		if (db_exec(db, err, "DELETE FROM main.sqlite_stat1 WHERE tbl IN (%Q, %Q)", spec->targets[i].sidecar,
			    spec->targets[i].imposter) != 0)
			return -1;
	return 0;
}

/* Reads the schema as it is now and looks whether the index is the one that was built. */
static int check_adopted(struct db *db, const struct index_spec *spec, const struct index_target *t, struct error *err)
{
	int64_t columns = 0;

	if (db_int(db, &columns, err,
		   "SELECT count(*) FROM pragma_index_list(%Q, 'main') AS l, pragma_index_xinfo(l.name, 'main')"
		   " WHERE l.name = %Q AND l.\"unique\" = %d",
		   spec->table, t->name, t->unique) != 0)
		return -1;
	if ((size_t)columns != t->count)
		return error_set(err, ERRC_INTERNAL, "index %s has %lld columns where %zu were built", t->name,
				 (long long)columns, t->count);
	return 0;
}

/* Every index the table's text asks for has a b-tree: SQLite finds out only when it opens the index. */
static int check_whole(struct db *db, const struct index_spec *spec, struct error *err)
{
	int64_t missing = 0;

	if (db_int(db, &missing, err,
		   "SELECT count(*) FROM pragma_index_list(%Q, 'main') AS l WHERE NOT (%d AND l.origin = 'pk') AND NOT"
		   " EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'index' AND name = l.name)",
		   spec->table, spec->without_rowid) != 0)
		return -1;
	if (missing > 0)
		return error_set(err, ERRC_INTERNAL, "%lld indexes of %s were not built", (long long)missing,
				 spec->table);
	return 0;
}

static int edit_schema(struct index_build *b, struct db *db, struct error *err)
{
	const struct index_spec *spec = &b->spec;

	for (size_t i = 0; i < spec->count; i++)
		if (adopt_part(b, db, &spec->targets[i], err) != 0)
			return -1;
	if (b->live)
		return 0;
	return db_exec(db, err, "UPDATE main.sqlite_schema SET sql = %Q WHERE type = 'table' AND name = %Q",
		       spec->table_sql, spec->table);
}

int index_build_adopt(struct index_build *b, struct db *db, struct error *err)
{
	PRE(db_in_transaction(db) && index_build_needs(b) == 0 && !b->failed);
	const struct index_spec *spec = &b->spec;
	struct error closing = {0};

	if (forget_statistics(db, spec, err) != 0 || db_schema_edit_begin(db, err) != 0)
		return -1;
	int result = edit_schema(b, db, err);
	/* The schema must be closed whatever happened. */
	if (db_schema_edit_end(db, result == 0 ? err : &closing) != 0)
		result = -1;
	error_clear(&closing);
	for (size_t i = 0; result == 0 && i < spec->count; i++)
		result = check_adopted(db, spec, &spec->targets[i], err);
	return result == 0 ? check_whole(db, spec, err) : result;
}

void index_build_free(struct index_build *b)
{
	if (!b)
		return;
	for (size_t i = 0; b->parts && i < b->spec.count; i++) {
		sorter_free(b->parts[i].sorter);
		buf_free(&b->parts[i].last);
	}
	for (size_t i = 0; b->cursor && i < b->spec.cursor_count; i++)
		sqlite3_value_free(b->cursor[i]);
	for (size_t i = 0; i < INDEX_BATCHES; i++)
		free(b->batches[i].data);
	buf_free(&b->norm);
	buf_free(&b->tail);
	buf_free(&b->unique);
	buf_free(&b->scratch);
	buf_free(&b->offenders);
	free(b->parts);
	free(b->cursor);
	free(b->values);
	free(b->fill_values);
	free(b->temp_dir);
	pool_free(&b->pool);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

void index_build_progress(struct index_build *b, struct index_build_progress *ret)
{
	pthread_mutex_lock(&b->lock);
	*ret = b->progress;
	pthread_mutex_unlock(&b->lock);
}

void index_build_offenders(struct index_build *b, struct buf *out, uint64_t *ret_count)
{
	pthread_mutex_lock(&b->lock);
	buf_add(out, b->offenders.data, b->offenders.len);
	*ret_count = b->offender_count;
	pthread_mutex_unlock(&b->lock);
}
