/* Statements' texts without values, and the bounded table of their figures. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/db.h"
#include "daemon/store/normalise.h"
#include "daemon/store/statements.h"
#include "tests/unit/run_suite.h"

static void same(const char *sql, bool strings, const char *want)
{
	struct buf out = {0};

	sql_normalise(sql, strlen(sql), strings, &out);
	ck_assert_msg(strcmp(buf_cstr(&out), want) == 0, "%s\n-> %s\nnot %s", sql, buf_cstr(&out), want);
	buf_free(&out);
}

START_TEST(test_literals_become_marks)
{
	same("SELECT 1", false, "SELECT ?");
	same("SELECT 'it''s', x'AB', X'', 1.5e-3, .5, 0xfF, 1e9", false, "SELECT ?, ...");
	same("select a from t where b='x' and c=-7", false, "select a from t where b = ? and c = ?");
	same("SELECT a-1,a - -1", false, "SELECT a - ?, a - ?");
	same("SELECT ''", false, "SELECT ?");
	same("SELECT 'no end", false, "SELECT ?");
	same("SELECT \"name\", [a b], `c` FROM \"t\"", false, "SELECT \"name\", [a b], `c` FROM \"t\"");
	same("SELECT \"secret\", [a b] FROM t", true, "SELECT ?, [a b] FROM t");
	same("SELECT NULL, TRUE", false, "SELECT NULL, TRUE");
}
END_TEST

START_TEST(test_parameters_keep_their_names)
{
	same("SELECT ?1, :a, @b, $c, $d::e", false, "SELECT ?1, :a, @b, $c, $d::e");
	same("SELECT * FROM t WHERE a = ?", false, "SELECT * FROM t WHERE a = ?");
	same("SELECT * FROM t WHERE a = 5", false, "SELECT * FROM t WHERE a = ?");
}
END_TEST

START_TEST(test_blanks_and_comments_go)
{
	same("  SELECT\n\t*  FROM t -- 'secret'\n WHERE/*x*/a=1 ; ", false, "SELECT * FROM t WHERE a = ?");
	same("SELECT count( * ),t.*,a||b,a->>'$.x' FROM t", false, "SELECT count(*), t.*, a || b, a ->> ? FROM t");
	same("SELECT a FROM t WHERE b<=1 AND c!=2 OR d<>3", false, "SELECT a FROM t WHERE b <= ? AND c != ? OR d <> ?");
	same("/* only */ -- this", false, "");
	same("SELECT 1 /* no end", false, "SELECT ?");
}
END_TEST

START_TEST(test_lists_are_one_whatever_their_length)
{
	same("SELECT a FROM t WHERE b IN (1)", false, "SELECT a FROM t WHERE b IN(?)");
	same("SELECT a FROM t WHERE b IN (1,2)", false, "SELECT a FROM t WHERE b IN(?, ...)");
	same("SELECT a FROM t WHERE b IN (1,?,3,'x')", false, "SELECT a FROM t WHERE b IN(?, ...)");
	same("INSERT INTO t VALUES(1,'a')", false, "INSERT INTO t VALUES(?, ...)");
	same("INSERT INTO t VALUES(1,'a'),(2,'b')", false, "INSERT INTO t VALUES(?, ...), ...");
	same("INSERT INTO t VALUES (1,'a'),(2,'b'),(?,?),(?,?)", false, "INSERT INTO t VALUES(?, ...), ...");
	same("INSERT INTO t VALUES(1),(2) ON CONFLICT DO NOTHING", false,
	     "INSERT INTO t VALUES(?), ... ON CONFLICT DO NOTHING");
	same("UPDATE t SET a=1,b=2 WHERE c=3", false, "UPDATE t SET a = ?, b = ? WHERE c = ?");
	same("SELECT f(g(1),2)", false, "SELECT f(g(?), ?)");
}
END_TEST

/* Whatever bytes come, none is read behind the end. */
START_TEST(test_any_bytes_come_to_an_end)
{
	unsigned state = 7;

	for (int i = 0; i < 3000; i++) {
		static const char signs[] = "'\"`[]()?,.:;-/*x0e+ \nab$@|<>=\xc3\xa9";
		struct buf out = {0};
		size_t n = (size_t)i % 40;
		char *text = malloc(n ? n : 1);

		for (size_t k = 0; k < n; k++) {
			state = state * 1103515245 + 12345;
			text[k] = signs[(state >> 16) % (sizeof signs - 1)];
		}
		sql_normalise(text, n, i & 1, &out);
		ck_assert(!out.failed);
		buf_free(&out);
		free(text);
	}
}
END_TEST

static struct statements table;

/* A run of a text of its own, or of one that only differs in its values. */
static void seen(bool often, int i, int64_t scan_steps)
{
	char sql[64];
	struct figures f = {.calls = 1, .ns = 1000, .max_ns = 1000, .scan_steps = scan_steps};

	(void)snprintf(sql, sizeof sql, "SELECT %s%d", often ? "'x' AS often, " : "a", i);
	uint64_t raw = (uint64_t)i * 0x9E3779B97F4A7C15u + often;
	struct statement *e = statements_get(&table, raw, sql, strlen(sql), SQL_TYPE_READ, false);
	ck_assert_ptr_nonnull(e);
	ck_assert_ptr_eq(statements_seen(&table, raw), e);
	statements_add(e, &f);
}

START_TEST(test_a_flood_of_texts_takes_nothing_from_those_that_come_again)
{
	const struct statement *top[4];

	statements_init(&table, 16);
	for (int i = 0; i < 5000; i++) {
		seen(false, i, 0);
		seen(true, i, 1);
	}
	ck_assert_uint_eq(table.count, 16);
	ck_assert_uint_eq(table.evicted, 5001 - 16);
	ck_assert_uint_eq(statements_top(&table, 1, 4, top), 4);
	ck_assert_str_eq(top[0]->text, "SELECT ? AS often, ?");
	ck_assert_int_eq(top[0]->f.calls, 5000);
	ck_assert_int_eq(top[0]->f.scan_steps, 5000);
	ck_assert_uint_eq(top[0]->f.ns, 5000 * 1000);
	ck_assert_int_eq(top[1]->f.calls, 1);
	statements_free(&table);
}
END_TEST

START_TEST(test_reset_forgets_and_goes_on)
{
	const struct statement *top[4];

	statements_init(&table, 4);
	seen(false, 1, 0);
	statements_reset(&table);
	ck_assert_uint_eq(table.count, 0);
	ck_assert_uint_eq(statements_top(&table, 0, 4, top), 0);
	seen(false, 1, 0);
	ck_assert_uint_eq(statements_top(&table, 0, 4, top), 1);
	ck_assert_int_eq(top[0]->f.calls, 1);
	statements_free(&table);
}
END_TEST

START_TEST(test_none_are_kept_where_none_may_be)
{
	statements_init(&table, 0);
	ck_assert_ptr_null(statements_get(&table, 1, "SELECT 1", 8, SQL_TYPE_READ, false));
	ck_assert_ptr_null(statements_seen(&table, 1));
	statements_free(&table);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *cases = tcase_create("statements");

	tcase_set_timeout(cases, 20);
	tcase_add_test(cases, test_literals_become_marks);
	tcase_add_test(cases, test_parameters_keep_their_names);
	tcase_add_test(cases, test_blanks_and_comments_go);
	tcase_add_test(cases, test_lists_are_one_whatever_their_length);
	tcase_add_test(cases, test_any_bytes_come_to_an_end);
	tcase_add_test(cases, test_a_flood_of_texts_takes_nothing_from_those_that_come_again);
	tcase_add_test(cases, test_reset_forgets_and_goes_on);
	tcase_add_test(cases, test_none_are_kept_where_none_may_be);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
