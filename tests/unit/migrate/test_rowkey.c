/* Walking a table by its key: every row once and in order, and each part of it found at once, however many rows share
 * the key's first column. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/rowkey.h"
#include "daemon/migrate/schema.h"
#include "tests/unit/run_suite.h"

/* Rows in the table, of which groups of GROUP share a first column; and rows of a slice. */
#define ROWS 4000
#define GROUP 2000
#define SLICE 7
/* Steps of SQLite's machine for a slice: some dozens a row, far fewer than a group has. */
#define STEPS_MAX 1000

static const char *const cases[] = {
	"t(id INTEGER PRIMARY KEY, a, b TEXT, c)",
	"t(a INT, b TEXT, c, PRIMARY KEY(a, b)) WITHOUT ROWID",
	"t(a INT, b TEXT, c, PRIMARY KEY(a DESC, b DESC, c DESC)) WITHOUT ROWID",
	"t(a INT, b TEXT COLLATE NOCASE, c, PRIMARY KEY(a, b, c)) WITHOUT ROWID",
	"t(a INT, b TEXT COLLATE nocase, c, PRIMARY KEY(a, b COLLATE NOCASE, c)) WITHOUT ROWID",
	"t(\"a\"\"b\" INT AS (1), a INT, b TEXT, c, PRIMARY KEY(a, b, c)) WITHOUT ROWID",
	"t(rowid INT NOT NULL, _rowid_ TEXT NOT NULL, oid, PRIMARY KEY(rowid, _rowid_))",
	/* Of two runs, and of three. */
	"t(a INT, b TEXT, c, PRIMARY KEY(a, b, c DESC)) WITHOUT ROWID",
	"t(a INT, b TEXT, c, PRIMARY KEY(a, b COLLATE RTRIM, c DESC)) WITHOUT ROWID",
	"t(a INT, b TEXT, c, PRIMARY KEY(a COLLATE NOCASE, b)) WITHOUT ROWID",
	"t(a INT, b TEXT, c, PRIMARY KEY(a DESC, b)) WITHOUT ROWID",
};

struct world {
	sqlite3 *db;
	struct pool pool;
	struct rowkey_shape key;
	const char *from;          /* " FROM main.t .." */
	struct rowkey_rows behind; /* the key in ?1 and on */
};

static void must(sqlite3 *db, int code) { ck_assert_msg(code == SQLITE_OK, "%s", sqlite3_errmsg(db)); }

static sqlite3_stmt *prepare(struct world *w, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	ck_assert_msg(sqlite3_prepare_v2(w->db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql,
		      sqlite3_errmsg(w->db));
	return stmt;
}

static void open_world(struct world *w, const char *table)
{
	struct schema_table *t = NULL;
	struct error err = {0};
	char *columns = strstr(table, "rowid INT") ? "rowid,_rowid_,oid" : "a,b,c";

	*w = (struct world){0};
	must(w->db, sqlite3_open(":memory:", &w->db));
	must(w->db, sqlite3_exec(w->db, pool_printf(&w->pool, "CREATE TABLE %s", table), NULL, NULL, NULL));
	must(w->db,
	     sqlite3_exec(w->db,
			  pool_printf(&w->pool,
				      "WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) INSERT INTO "
				      "t(%s) SELECT i/%d, char(65+i%%26+32*(i%%3))||i, x'00' FROM n",
				      ROWS, columns, GROUP),
			  NULL, NULL, NULL));
	ck_assert_int_eq(schema_read(&w->pool, w->db, "t", &t, &err), 0);
	rowkey_of_table(&w->pool, t, &w->key);
	ck_assert_uint_gt(w->key.n, 0);
	w->from = pool_printf(&w->pool, " FROM main.t %s", w->key.access);
	rowkey_behind(&w->pool, &w->key, "t", NULL, 1, &w->behind);
}

static void close_world(struct world *w)
{
	pool_free(&w->pool);
	sqlite3_close(w->db);
}

static int64_t count(struct world *w, const char *from, const struct rowkey *key)
{
	sqlite3_stmt *stmt = prepare(w, pool_printf(&w->pool, "SELECT count(*)%s", from));

	rowkey_bind(key, &w->key, stmt, 1);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* Slice after slice; *steps is the most that one took. */
static int64_t walk(struct world *w, int *steps)
{
	const char *list = rowkey_list(&w->pool, &w->key, ""), *order = rowkey_order(&w->pool, &w->key, "", false);
	sqlite3_stmt *all = prepare(w, pool_printf(&w->pool, "SELECT %s%s ORDER BY %s", list, w->from, order));
	const struct rowkey_rows *behind = &w->behind;
	sqlite3_stmt *next = prepare(w, pool_printf(&w->pool, "SELECT %s FROM %s WHERE %s%s LIMIT %d", list,
						    behind->from, behind->where, behind->order, SLICE));
	struct rowkey want = {0}, got = {0};
	int64_t n = 1;
	bool more = true;

	ck_assert_int_eq(sqlite3_step(all), SQLITE_ROW);
	rowkey_read(&got, &w->key, all, 0);
	while (more) {
		more = false;
		sqlite3_reset(next);
		rowkey_bind(&got, &w->key, next, 1);
		while (sqlite3_step(next) == SQLITE_ROW) {
			ck_assert_int_eq(sqlite3_step(all), SQLITE_ROW);
			rowkey_read(&want, &w->key, all, 0);
			rowkey_read(&got, &w->key, next, 0);
			ck_assert(rowkey_same(&want, &got, &w->key));
			n++;
			more = true;
		}
		int took = sqlite3_stmt_status(next, SQLITE_STMTSTATUS_VM_STEP, 1);
		*steps = took > *steps ? took : *steps;
	}
	ck_assert_int_eq(sqlite3_step(all), SQLITE_DONE);
	sqlite3_finalize(all);
	sqlite3_finalize(next);
	rowkey_free(&want);
	rowkey_free(&got);
	return n;
}

START_TEST(test_walk)
{
	struct world w;
	int steps = 0;

	open_world(&w, cases[_i]);
	ck_assert_int_eq(walk(&w, &steps), ROWS);
	ck_assert_msg(steps < STEPS_MAX, "%s: %d steps for a slice", cases[_i], steps);
	close_world(&w);
}
END_TEST

/* Each row is behind a key or not; and what is between two keys is looked up from both ends, by the first run of it. */
START_TEST(test_until)
{
	struct world w;
	struct rowkey key = {0}, from = {0};

	open_world(&w, cases[_i]);
	bool at_once = w.key.n == 1 || rowkey_run(&w.key, 0) > 1;
	const char *list = rowkey_list(&w.pool, &w.key, ""), *order = rowkey_order(&w.pool, &w.key, "", false);
	const char *until = pool_printf(&w.pool, "%s WHERE %s", w.from, rowkey_until(&w.pool, &w.key, 1));
	const char *after = pool_printf(&w.pool, " FROM %s WHERE %s", w.behind.from, w.behind.where);
	sqlite3_stmt *all = prepare(&w, pool_printf(&w.pool, "SELECT %s%s ORDER BY %s", list, w.from, order));
	sqlite3_stmt *between = prepare(&w, pool_printf(&w.pool, "SELECT count(*)%s AND %s", after,
							rowkey_until(&w.pool, &w.key, w.key.n + 1)));
	for (int64_t n = 1; sqlite3_step(all) == SQLITE_ROW; n++) {
		if (n % 100 != 3 && n % 100 != 13)
			continue;
		rowkey_copy(&from, &key);
		rowkey_read(&key, &w.key, all, 0);
		ck_assert_int_eq(count(&w, until, &key), n);
		ck_assert_int_eq(count(&w, after, &key), ROWS - n);
		if (n % 100 == 3)
			continue;
		rowkey_bind(&from, &w.key, between, 1);
		rowkey_bind(&key, &w.key, between, (int)w.key.n + 1);
		ck_assert_int_eq(sqlite3_step(between), SQLITE_ROW);
		ck_assert_int_eq(sqlite3_column_int64(between, 0), 10);
		sqlite3_reset(between);
		int steps = sqlite3_stmt_status(between, SQLITE_STMTSTATUS_VM_STEP, 1);
		ck_assert_msg(!at_once || steps < STEPS_MAX, "%s: %d steps", cases[_i], steps);
	}
	sqlite3_finalize(all);
	sqlite3_finalize(between);
	rowkey_free(&key);
	rowkey_free(&from);
	close_world(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rowkey");
	TCase *tc = tcase_create("rowkey");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_walk, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(tc, test_until, 0, sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
