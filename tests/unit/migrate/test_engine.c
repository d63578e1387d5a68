/* The engine against a real store: rebuilds with clients writing in between, refusals, aborts, restarts. */
#include "tests/unit/migrate/world.h"

#define SETUP                                                                                                          \
	"CREATE TABLE expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT, amount INT, category TEXT, note TEXT);"     \
	"CREATE INDEX gc ON expenses(group_id, payer); CREATE INDEX cat ON expenses(category);"                        \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000) INSERT INTO expenses SELECT i, i%13,"     \
	" 'p'||(i%7), i*3, 'c'||(i%5), 'note '||i FROM n;"

START_TEST(test_rebuild_changes_a_type_and_adds_a_column)
{
	struct world w = {0};
	struct buf got = {0};

	world_init(&w, SETUP);
	ck_assert_int_eq(
		world_change(&w, "ALTER TABLE expenses ALTER amount TYPE REAL, ADD COLUMN currency TEXT NOT NULL DEFAULT 'EUR'"), 0);
	world_free(&w);
	(void)got;
}
END_TEST

START_TEST(test_result_is_what_the_offline_change_gives)
{
	struct world w = {0};
	struct buf got = {0}, want = {0}, status = {0};
	const char *rows = "SELECT rowid,*,typeof(amount) FROM expenses ORDER BY rowid";

	world_init(&w, SETUP);
	ck_assert_int_eq(world_change(&w, "ALTER TABLE expenses ALTER amount TYPE REAL, ADD note2 TEXT NOT NULL DEFAULT 'x'"), 0);
	migrator_status(w.m, &status);
	if (getenv("LOG"))
		fprintf(stderr, "%s\n", buf_cstr(&status));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&status), "\"state\":\"done\""));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&status), "\"verified_rows\":1000"));
	world_stop(&w);
	world_dump(w.path, rows, &got);
	struct world o = {0};
	world_init(&o, "CREATE TABLE expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT, amount REAL, category TEXT, note TEXT,"
		       " note2 TEXT NOT NULL DEFAULT 'x');"
		       "CREATE INDEX gc ON expenses(group_id, payer); CREATE INDEX cat ON expenses(category);"
		       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000) INSERT INTO expenses SELECT i, i%13,"
		       " 'p'||(i%7), i*3, 'c'||(i%5), 'note '||i, 'x' FROM n;");
	world_stop(&o);
	world_dump(o.path, rows, &want);
	ck_assert_str_eq(buf_cstr(&got), buf_cstr(&want));
	world_remove(&w);
	world_remove(&o);
	buf_free(&got);
	buf_free(&want);
	buf_free(&status);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("migrate");
	TCase *c = tcase_create("engine");
	tcase_set_timeout(c, 120);
	tcase_add_test(c, test_rebuild_changes_a_type_and_adds_a_column);
	tcase_add_test(c, test_result_is_what_the_offline_change_gives);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
