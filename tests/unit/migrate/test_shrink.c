/* Emptying a b-tree of keys: slices from the front, all of the same small cost, whatever its values and their order. */
#include <check.h>

#include "daemon/migrate/migration.h"
#include "daemon/migrate/shrink.h"
#include "daemon/store/engine.h"
#include "tests/unit/migrate/index_fixture.h"
#include "tests/unit/run_suite.h"

/* Rows, half of them with one first value; rows of a slice; and what a slice may cost: in steps of SQLite's machine,
 * of which a scan of the table takes some 5 a row. */
#define ROWS 6000
#define SLICE 50
#define STEPS_MAX 6000

static struct fixture fixture;

static const struct {
	const char *columns, *index, *values; /* of the table; of its index, NULL: it is WITHOUT ROWID; of row i */
} cases[] = {
	{"a,b", "a,b", "i/3000, 'x'||i"},
	{"a COLLATE NOCASE,b", "a", "char(65+i/3000+32*(i%2)), i"},
	{"a,b", "a DESC,b DESC", "i/3000, i%50"},
	{"a,b", "a,b COLLATE RTRIM DESC", "i/3000, 'x'"},
	{"a REAL,b", "a DESC,b", "i/3000, i%2+0.5"},
	/* NULLs before, behind and among others; nothing but NULLs. */
	{"a,b COLLATE NOCASE", "a,b", "CASE WHEN i>3000 THEN i%7 END, CASE WHEN i%3 THEN 'a' END"},
	{"a,b", "a DESC,b", "CASE WHEN i>3000 THEN 5 END, CASE WHEN i%3 THEN 'a' END"},
	{"a,b", "a,b DESC", "NULL, NULL"},
	{"a INT,b TEXT,c REAL,d,PRIMARY KEY(b COLLATE NOCASE,a)", NULL, "i, char(65+i/3000+32*(i%2)), i, NULL"},
	{"a INT,b REAL,c,PRIMARY KEY(b DESC,a)", NULL, "i, i/3000, zeroblob(10)"},
};

/* Of all statements that are at hand, since the last call. */
static int steps(sqlite3 *handle)
{
	int n = 0;

	for (sqlite3_stmt *s = sqlite3_next_stmt(handle, NULL); s; s = sqlite3_next_stmt(handle, s))
		n += sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
	return n;
}

/* What had it as its b-tree no longer has; returns the name of the table that has it now. */
static const char *disown_one(struct db *db, struct pool *pool, bool index, struct error *err)
{
	struct schema_table *t = NULL;

	ck_assert_int_eq(schema_read(pool, db_handle(db), "t", &t, err), 0);
	db_forget_statements(db);
	ck_assert_int_eq(db_schema_edit_begin(db, err), 0);
	if (index)
		ck_assert_int_eq(disown_index(db, pool, &t->indexes[0], "x", "t_o0", err), 0);
	else
		ck_assert_int_eq(disown_table(db, pool, t, "t", err), 0);
	ck_assert_msg(db_schema_edit_end(db, err) == 0, "%s", err->message);
	return index ? "t_o0" : "t_o_rows";
}

static int do_shrink(struct db *db, void *arg, struct error *err)
{
	bool index = arg != NULL;
	struct pool pool = {0};
	struct shrink s;
	int64_t deleted = SLICE, all = 0;

	ck_assert_int_eq(db_begin(db, err), 0);
	ck_assert_msg(shrink_open(&pool, db, disown_one(db, &pool, index, err), &s, err) == 0, "%s", err->message);
	for (; deleted > 0; all += deleted) {
		(void)steps(db_handle(db));
		ck_assert_msg(shrink_rows(db, &s, SLICE, &deleted, err) == 0, "%s", err->message);
		int took = steps(db_handle(db));
		ck_assert_msg(took < STEPS_MAX, "%d steps for %d rows", took, (int)deleted);
		ck_assert(deleted == SLICE || deleted == 0);
	}
	ck_assert_int_eq(all, ROWS);
	pool_free(&pool);
	return db_commit(db, err);
}

START_TEST(test_each_slice_is_as_cheap)
{
	const char *index = cases[_i].index;
	char text[1000];

	fixture_open(&fixture);
	snprintf(text, sizeof(text), "CREATE TABLE t(%s)%s; %s%s%s", cases[_i].columns, index ? "" : "WITHOUT ROWID",
		 index ? "CREATE INDEX x ON t(" : "", index ? index : "", index ? ")" : "");
	sql(&fixture, text);
	snprintf(text, sizeof(text),
		 "WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) INSERT INTO t SELECT %s FROM n", ROWS,
		 cases[_i].values);
	sql(&fixture, text);
	call(&fixture, true, do_shrink, (void *)(uintptr_t)index, NULL, NULL);
	fixture_close(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shrink");
	TCase *tc = tcase_create("shrink");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_each_slice_is_as_cheap, 0, sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
