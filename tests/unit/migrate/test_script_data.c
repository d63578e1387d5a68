/* What is told of a statement's rows from its words. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/script_data.h"
#include "tests/unit/run_suite.h"

static const struct {
	const char *sql;
	enum data_what what;
	const char *table; /* NULL: none */
	int64_t values;
	bool all, generates;
	const char *reads; /* one of the names; NULL: not asked */
} cases[] = {
	{"INSERT INTO t VALUES(1)", DATA_INSERT, "t", 1, false, false, NULL},
	{"INSERT OR IGNORE INTO main.\"a b\"(x, y) VALUES (1, (2)), (3, ';'),\n(4, 5)", DATA_INSERT, "a b", 3, false,
	 false, NULL},
	{"REPLACE INTO t SELECT * FROM u JOIN w", DATA_INSERT, "t", 0, false, true, "u"},
	{"WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) INSERT INTO t AS q(a) SELECT i FROM n", DATA_INSERT, "t",
	 0, false, true, "n"},
	{"WITH x AS (INSERT) SELECT 1", DATA_NONE, NULL, 0, false, false, NULL},
	{"UPDATE OR IGNORE [t] SET a = (SELECT max(b) FROM u)", DATA_UPDATE, "t", 0, false, false, "u"},
	{"UPDATE t SET a = 1", DATA_UPDATE, "t", 0, false, false, NULL},
	{"DELETE FROM t", DATA_DELETE, "t", 0, true, false, NULL},
	{"DELETE FROM main.t", DATA_DELETE, "t", 0, true, false, NULL},
	{"DELETE FROM t WHERE a = 1", DATA_DELETE, "t", 0, false, false, NULL},
	{"CREATE TABLE IF NOT EXISTS main.t AS SELECT * FROM u", DATA_INSERT, "t", 0, false, true, "u"},
	{"CREATE TABLE t(a, b)", DATA_NONE, NULL, 0, false, false, NULL},
	{"CREATE VIEW v AS SELECT * FROM u", DATA_NONE, NULL, 0, false, false, NULL},
	{"SELECT 1", DATA_NONE, NULL, 0, false, false, NULL},
	{"INSERT INTO", DATA_NONE, NULL, 0, false, true, NULL},
	{"UPDATE", DATA_NONE, NULL, 0, false, false, NULL},
	{"DELETE", DATA_NONE, NULL, 0, false, false, NULL},
	{"", DATA_NONE, NULL, 0, false, false, NULL},
	{"INSERT INTO 'unclosed", DATA_NONE, NULL, 0, false, false, NULL},
};

START_TEST(test_rows_by_the_words_of_a_statement)
{
	struct pool pool = {0};
	struct script_data d;
	bool reads = !cases[_i].reads;

	script_data(&pool, cases[_i].sql, &d);
	ck_assert_int_eq(d.what, cases[_i].what);
	if (d.what != DATA_NONE) {
		ck_assert_str_eq(d.table, cases[_i].table);
		ck_assert_int_eq(d.values, cases[_i].values);
		ck_assert_int_eq(d.all, cases[_i].all);
		ck_assert_int_eq(d.generates, cases[_i].generates);
	}
	for (size_t i = 0; i < d.nnames && !reads; i++)
		reads = strcmp(d.names[i], cases[_i].reads) == 0;
	ck_assert(reads);
	pool_free(&pool);
}
END_TEST

START_TEST(test_a_copying_create_can_be_made_without_rows)
{
	struct pool pool = {0};
	struct script_data d;

	script_data(&pool, "CREATE TABLE t AS SELECT 1 AS a -- one", &d);
	ck_assert_str_eq(d.empty_sql, "CREATE TABLE t AS SELECT * FROM (SELECT 1 AS a\n) LIMIT 0");
	pool_free(&pool);
}
END_TEST

START_TEST(test_what_is_added_and_what_is_named)
{
	struct pool pool = {0};

	ck_assert_str_eq(script_added_column(&pool, "ALTER TABLE main.t ADD COLUMN a TEXT NOT NULL"),
			 "a TEXT NOT NULL");
	ck_assert_str_eq(script_added_column(&pool, "alter table \"t\" add a"), "a");
	ck_assert_ptr_null(script_added_column(&pool, "ALTER TABLE t RENAME a TO b"));
	ck_assert_ptr_null(script_added_column(&pool, "SELECT 1"));
	ck_assert(script_names(&pool, "SELECT * FROM \"T\"", "t"));
	ck_assert(!script_names(&pool, "SELECT 't', t1 FROM u -- t", "t"));
	pool_free(&pool);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("migrate");
	TCase *c = tcase_create("script_data");
	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, test_rows_by_the_words_of_a_statement, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(c, test_a_copying_create_can_be_made_without_rows);
	tcase_add_test(c, test_what_is_added_and_what_is_named);
	suite_add_tcase(s, c);
	return run_suite(s);
}
