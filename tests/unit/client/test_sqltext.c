/* Texts of CREATE that mean the same, and those that do not. */
#include <check.h>

#include "client/ctl/sqltext.c"
#include "tests/unit/run_suite.h"

void *must(void *p)
{
	ck_assert_ptr_nonnull(p);
	return p;
}

START_TEST(what_does_not_count)
{
	static const char *const same[][2] = {
		{"CREATE TABLE t(a, b)", "create  table t ( a,b )"},
		{"CREATE TABLE \"user\"(a)", "CREATE TABLE user(a)"},
		{"CREATE TABLE [user](`a`)", "CREATE TABLE USER(\"A\")"},
		{"CREATE TABLE t(a) -- why", "CREATE TABLE t(/* x */a)"},
		{"CREATE TABLE t(\"a b\", x)", "CREATE TABLE t([a b], x)"},
		{"CREATE TABLE t(\"a\"\"b\")", "CREATE TABLE t(`a\"\"b`)"},
		{"CREATE TABLE t(a DEFAULT 'it''s')", "CREATE TABLE t(a DEFAULT  'it''s')"},
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		ck_assert_msg(sql_compare(same[i][0], same[i][1]) == SAME, "%s", same[i][0]);
}
END_TEST

START_TEST(what_counts)
{
	static const char *const other[][2] = {
		{"CREATE TABLE t(a)", "CREATE TABLE t(b)"},
		{"CREATE TABLE t(a DEFAULT 'x')", "CREATE TABLE t(a DEFAULT 'X')"},
		{"CREATE TABLE t(a DEFAULT 'x')", "CREATE TABLE t(a DEFAULT x)"},
		{"CREATE TABLE t(a DEFAULT ' x')", "CREATE TABLE t(a DEFAULT 'x')"},
		{"CREATE TABLE t(a DEFAULT '--')", "CREATE TABLE t(a DEFAULT '')"},
		{"CREATE TABLE t(a, b)", "CREATE TABLE t(a, b) STRICT"},
		{"CREATE TABLE t(a, b)", "CREATE TABLE t(ab)"},
		{"CREATE TABLE t(\"a b\")", "CREATE TABLE t(a b)"},
		{"CREATE INDEX i ON t(a, b)", "CREATE INDEX i ON t(b, a)"},
		{"CREATE TABLE t(a CHECK(x IN (1,2)))", "CREATE TABLE t(a CHECK(x IN (2,1)))"},
		{"CREATE TABLE t(a DEFAULT ',b', c)", "CREATE TABLE t(a DEFAULT ',c', b)"},
		{"", "CREATE TABLE t(a)"},
	};

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		ck_assert_msg(sql_compare(other[i][0], other[i][1]) == DIFFERENT, "%s", other[i][0]);
}
END_TEST

START_TEST(columns_in_another_order_are_told)
{
	ck_assert_int_eq(sql_compare("CREATE TABLE t(a, b, c)", "CREATE TABLE t(a, c, \"b\")"), OTHER_ORDER);
	ck_assert_int_eq(
		sql_compare("CREATE TABLE t(a DEFAULT ',(', b) STRICT", "CREATE TABLE t(b, a DEFAULT ',(') STRICT"),
		OTHER_ORDER);
	ck_assert_int_eq(sql_compare("CREATE TABLE t(a, a2, b)", "CREATE TABLE t(b, a, a2)"), OTHER_ORDER);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("sqltext");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, what_does_not_count);
	tcase_add_test(t, what_counts);
	tcase_add_test(t, columns_in_another_order_are_told);
	suite_add_tcase(s, t);
	return run_suite(s);
}
