/* What migrate.alter's text is taken for, and what is refused at first sight. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/statement.h"
#include "tests/unit/run_suite.h"

static const struct {
	const char *sql;
	enum statement_kind kind;
	const char *name, *table;
	bool if_exists;
	const char *text;
} good[] = {
	{"ALTER TABLE t ADD c", STATEMENT_ALTER, NULL, NULL, false, "ALTER TABLE t ADD c"},
	{";; alter table t add c;", STATEMENT_ALTER, NULL, NULL, false, ";; alter table t add c;"},
	{" -- why\nCREATE INDEX i ON t(a);", STATEMENT_CREATE_INDEX, "i", "t", false, "CREATE INDEX i ON t(a)"},
	{"CREATE UNIQUE INDEX IF NOT EXISTS main.\"i i\" ON [t t](a, b DESC) WHERE a > 1", STATEMENT_CREATE_INDEX,
	 "i i", "t t", true, NULL},
	{"CREATE TABLE IF NOT EXISTS a(x, y)", STATEMENT_CREATE_TABLE, "a", NULL, true, NULL},
	{"CREATE VIEW v(a) AS SELECT 1", STATEMENT_CREATE_VIEW, "v", NULL, false, NULL},
	{"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END;", STATEMENT_CREATE_TRIGGER, "x", NULL,
	 false, "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END"},
	{"DROP INDEX i", STATEMENT_DROP_INDEX, "i", NULL, false, NULL},
	{"drop table if exists main.t ; ;", STATEMENT_DROP_TABLE, "t", NULL, true, "drop table if exists main.t"},
	{"DROP VIEW v", STATEMENT_DROP_VIEW, "v", NULL, false, NULL},
	{"DROP TRIGGER IF EXISTS x", STATEMENT_DROP_TRIGGER, "x", NULL, true, NULL},
};

START_TEST(test_kinds)
{
	struct pool pool = {0};
	struct error err = {0};
	struct statement st;

	ck_assert_msg(statement_parse(&pool, good[_i].sql, &st, &err) == 0, "%s: %s", good[_i].sql, err.message);
	ck_assert_int_eq(st.kind, good[_i].kind);
	ck_assert_pstr_eq(st.name, good[_i].name);
	ck_assert_pstr_eq(st.table, good[_i].table);
	ck_assert_int_eq(st.if_exists, good[_i].if_exists);
	ck_assert_int_eq(st.unique, strstr(good[_i].sql, "UNIQUE") != NULL);
	if (good[_i].text)
		ck_assert_str_eq(st.sql, good[_i].text);
	pool_free(&pool);
}
END_TEST

START_TEST(test_update_is_taken_apart)
{
	struct pool pool = {0};
	struct error err = {0};
	struct statement st;

	ck_assert_int_eq(statement_parse(&pool,
					 "UPDATE main.t SET a = max(b, 1), \"b c\" = CASE WHEN a = 'x, y' THEN 1 ELSE "
					 "a IS DISTINCT FROM b END"
					 " WHERE a IN (1, 2) AND b IS NOT DISTINCT FROM 3;",
					 &st, &err),
			 0);
	ck_assert_int_eq(st.kind, STATEMENT_DATA);
	ck_assert_str_eq(st.alter.table, "t");
	ck_assert_uint_eq(st.alter.n, 2);
	ck_assert_int_eq(st.alter.actions[0].kind, ACTION_UPDATE);
	ck_assert_str_eq(st.alter.actions[0].name, "a");
	ck_assert_str_eq(st.alter.actions[0].text, "max(b, 1)");
	ck_assert_str_eq(st.alter.actions[1].name, "b c");
	ck_assert_str_eq(st.alter.actions[1].text, "CASE WHEN a = 'x, y' THEN 1 ELSE a IS DISTINCT FROM b END");
	ck_assert_str_eq(st.alter.actions[1].using, "a IN (1, 2) AND b IS NOT DISTINCT FROM 3");
	ck_assert_int_eq(statement_parse(&pool, "DELETE FROM t WHERE a < 3", &st, &err), 0);
	ck_assert_int_eq(st.alter.actions[0].kind, ACTION_DELETE);
	ck_assert_str_eq(st.alter.actions[0].text, "a < 3");
	ck_assert_int_eq(statement_parse(&pool, "DELETE FROM t", &st, &err), 0);
	ck_assert_ptr_null(st.alter.actions[0].text);
	pool_free(&pool);
}
END_TEST

static const char *const bad[][2] = {
	{"", "no ALTER TABLE statement"},
	{"SELECT 1", "a migration is"},
	{"WITH x AS (SELECT 1) DELETE FROM t", "a migration is"},
	{"DROP", "incomplete"},
	{"DROP TABLE", "incomplete"},
	{"DROP TABLE a, b", "near \",\""},
	{"DROP TABLE IF EXIST a", "near \"EXIST\""},
	{"DROP INDEX aux.i", "main"},
	{"DROP TABLE a; DROP TABLE b", "one statement"},
	{"DROP TRIGGER a; DROP TABLE b", "one statement"},
	{"CREATE TEMP TABLE a(x)", "TEMP"},
	{"CREATE VIRTUAL TABLE a USING fts5(x)", "virtual"},
	{"CREATE TABLE a AS SELECT 1", "exec"},
	{"CREATE UNIQUE TABLE a(x)", "near \"TABLE\""},
	{"CREATE INDEX i ON t", "incomplete"},
	{"CREATE INDEX i ON t(a", "near \"(\""},
	{"CREATE INDEX i t(a)", "near \"t\""},
	{"UPDATE t SET", "incomplete"},
	{"UPDATE t SET a", "incomplete"},
	{"UPDATE t SET a = ", "incomplete"},
	{"UPDATE t SET a = 1,", "incomplete"},
	{"UPDATE t SET a = 1 WHERE", "incomplete"},
	{"UPDATE t SET (a, b) = (1, 2)", "say SET a = x"},
	{"UPDATE OR IGNORE t SET a = 1", "UPDATE OR"},
	{"UPDATE t AS x SET a = 1", "no other name"},
	{"UPDATE t INDEXED BY i SET a = 1", "INDEXED BY"},
	{"UPDATE t SET a = 1 FROM u", "UPDATE .. FROM"},
	{"UPDATE t SET a = 1 WHERE b RETURNING a", "RETURNING"},
	{"UPDATE t SET a = 1 ORDER BY a LIMIT 1", "LIMIT"},
	{"DELETE FROM t WHERE a LIMIT 5", "LIMIT"},
	{"DELETE t", "near \"t\""},
};

START_TEST(test_refusals)
{
	struct pool pool = {0};
	struct error err = {0};
	struct statement st;

	ck_assert_msg(statement_parse(&pool, bad[_i][0], &st, &err) != 0, "%s: not refused", bad[_i][0]);
	ck_assert_msg(strstr(err.message, bad[_i][1]) != NULL, "%s: %s", bad[_i][0], err.message);
	ck_assert_int_eq(err.code, errc_code(ERRC_MIGRATION_INVALID));
	error_clear(&err);
	pool_free(&pool);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("statement");
	TCase *t = tcase_create("statement");
	tcase_add_loop_test(t, test_kinds, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_test(t, test_update_is_taken_apart);
	tcase_add_loop_test(t, test_refusals, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	suite_add_tcase(s, t);
	return run_suite(s);
}
