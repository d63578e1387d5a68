/*
 * Each slice has to find its rows at once, or the writer is held for as long as the b-tree is large. DELETE .. LIMIT
 * does not do it: it is a search for keys IN a list, for which SQLite may scan the table (COLLATE) or all rows with the
 * first part of a key (REAL, or as it likes). So a slice is what goes up to its last key: where the parts of the key go
 * in both directions, all that has a smaller first part, then what has the same one and a smaller second, and so on.
 */
#include "daemon/migrate/shrink.h"

#include "daemon/migrate/rowkey.h"

static void make_ranges(struct pool *pool, const char *name, const struct rowkey_shape *key, struct shrink *s)
{
	for (size_t from = 0, to; from < key->n; from = to) {
		to = rowkey_run(key, from);
		enum rowkey_side side = to == key->n ? ROWKEY_UNTIL : ROWKEY_BEFORE;
		s->range_sql = pool_grow(pool, s->range_sql, s->nranges, sizeof(*s->range_sql));
		s->range_sql[s->nranges++] = pool_printf(pool, "DELETE FROM main.%s WHERE %s", name,
							 rowkey_bound(pool, key, "", 1, from, side));
	}
}

int shrink_open(struct pool *pool, struct db *db, const char *table, struct shrink *ret, struct error *err)
{
	const char *name = quote_name(pool, table), *where = "";
	struct schema_table *t = NULL;
	struct rowkey_shape key;

	if (schema_read(pool, db_handle(db), table, &t, err) != 0)
		return -1;
	if (!t->without_rowid)
		return error_set(err, ERRC_INTERNAL, "%.200s is no b-tree of keys", table);
	rowkey_of_table(pool, t, &key);
	for (size_t i = 0; i < t->ncolumns; i++)
		where = pool_printf(pool, "%s%s%s IS ?%zu", where, i ? " AND " : "",
				    quote_name(pool, t->columns[i].name), i + 1);
	*ret = (struct shrink){
		.last_sql = pool_printf(pool, "SELECT %s FROM main.%s ORDER BY %s LIMIT 1 OFFSET ?1-1",
					rowkey_list(pool, &key, ""), name, rowkey_order(pool, &key, "", false)),
		.nkey = key.n,
		.ncolumns = t->ncolumns,
		.first_sql = pool_printf(pool, "SELECT * FROM main.%s LIMIT 1", name),
		.one_sql = pool_printf(pool, "DELETE FROM main.%s WHERE %s", name, where),
	};
	make_ranges(pool, name, &key, ret);
	return 0;
}

static int delete_range(struct db *db, const char *sql, sqlite3_stmt *last, size_t n, int64_t *deleted,
			struct error *err)
{
	sqlite3_stmt *stmt = NULL;

	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	/* Not all of them are in each statement. */
	for (size_t i = 0; i < n; i++)
		(void)sqlite3_bind_value(stmt, (int)i + 1, sqlite3_column_value(last, (int)i));
	int rc = db_step(db, stmt, err);
	*deleted += rc < 0 ? 0 : sqlite3_changes64(db_handle(db));
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

/* What goes up to the key of the last of them; none if there are fewer. */
static int delete_many(struct db *db, const struct shrink *s, int64_t rows, int64_t *deleted, struct error *err)
{
	sqlite3_stmt *last = NULL;

	if (db_prepare(db, s->last_sql, &last, err) != 0)
		return -1;
	sqlite3_bind_int64(last, 1, rows);
	int rc = db_step(db, last, err);
	for (size_t i = 0; rc > 0 && i < s->nranges; i++)
		rc = delete_range(db, s->range_sql[i], last, s->nkey, deleted, err) == 0 ? 1 : -1;
	db_done(db, last);
	return rc < 0 ? -1 : 0;
}

/* 1: deleted, 0: there is no row, -1: failed. */
static int delete_one(struct db *db, const struct shrink *s, sqlite3_stmt *first, sqlite3_stmt *one, struct error *err)
{
	int rc = db_step(db, first, err);

	for (size_t i = 0; rc > 0 && i < s->ncolumns; i++)
		sqlite3_bind_value(one, (int)i + 1, sqlite3_column_value(first, (int)i));
	sqlite3_reset(first);
	if (rc <= 0)
		return rc;
	rc = db_step(db, one, err);
	sqlite3_reset(one);
	return rc < 0 ? -1 : 1;
}

/* By IS: a key with a NULL in it is equal to none and below none; and there are fewer than a slice has. */
static int delete_singly(struct db *db, const struct shrink *s, int64_t rows, int64_t *deleted, struct error *err)
{
	sqlite3_stmt *first = NULL, *one = NULL;
	int rc = 1;

	if (db_prepare(db, s->first_sql, &first, err) != 0 || db_prepare(db, s->one_sql, &one, err) != 0)
		rc = -1;
	for (int64_t i = 0; rc > 0 && i < rows; i++) {
		rc = delete_one(db, s, first, one, err);
		*deleted += rc > 0;
	}
	db_done(db, one);
	db_done(db, first);
	return rc < 0 ? -1 : 0;
}

int shrink_rows(struct db *db, const struct shrink *s, int64_t rows, int64_t *ret_deleted, struct error *err)
{
	*ret_deleted = 0;
	if (delete_many(db, s, rows, ret_deleted, err) != 0)
		return -1;
	return *ret_deleted < rows ? delete_singly(db, s, rows - *ret_deleted, ret_deleted, err) : 0;
}
