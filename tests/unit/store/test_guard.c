/* What a client's SQL may not do, what is bounded, and that the daemon's own stand-ins answer as SQLite's do. */
#include "tests/unit/run_suite.h"
#include "tests/unit/store/store_test.h"

START_TEST(test_escapes_are_denied)
{
	static const char *const sql[] = {
		"ATTACH ':memory:' AS x",
		"DETACH main",
		"VACUUM",
		"VACUUM INTO '/tmp/x'",
		"SELECT load_extension('x')",
		"PRAGMA writable_schema=ON",
		"PRAGMA foreign_keys=OFF",
		"EXPLAIN PRAGMA foreign_keys=OFF",
		"PRAGMA journal_mode=DELETE",
		"PRAGMA user_version=5",
		"PRAGMA wal_checkpoint",
		"PRAGMA integrity_check",
		"PRAGMA hard_heap_limit=1",
		"SELECT * FROM pragma_integrity_check",
		"CREATE TEMP TABLE x(a)",
		"CREATE TEMP VIEW v AS SELECT 1",
		"CREATE TABLE _alterd_x(a)",
		"CREATE VIEW _ALTERD_v AS SELECT 1",
		"SELECT fts3_tokenizer('simple')",
		"CREATE VIRTUAL TABLE d USING dbstat(main)",
		"CREATE INDEX _alterd_i ON t(v)",
		"ALTER TABLE _alterd_own ADD COLUMN x",
		"SELECT * FROM _alterd_own",
		"DELETE FROM _alterd_own",
		"UPDATE temp._alterd_one SET x=2",
	};
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	run(&c, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
	for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
		run(&c, sql[i]);
		bool missing = strstr(sql[i], "_alterd_o") !=
			       NULL; /* not on every connection: "no such table" will do */
		ck_assert_msg(c.job.err.code == -32002 || (missing && c.job.err.code == 1), "%s: %d %s", sql[i],
			      c.job.err.code, c.job.err.message);
	}
	ck_assert_int_eq(run(&c, "UPDATE sqlite_schema SET sql='x'"), 1);
	ck_assert_str_eq(rows(&c, "PRAGMA foreign_keys"), "[[1]]");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_bombs_are_bounded)
{
	static const char *const sql[] = {
		"SELECT printf('%.*c',1000000000,'x')",
		"SELECT format('%1000000000d',1)",
		"SELECT printf('%*d',-2147483648,1)",
		"SELECT zeroblob(1000000000)",
		"SELECT hex(zeroblob(100000000))",
		"SELECT trim(hex(zeroblob(2000000)), hex(zeroblob(1000))||'1')",
		"SELECT replace(hex(zeroblob(1000000)), '0', hex(zeroblob(1000)))",
	};
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
		uint64_t began = clock_now_ns();
		ck_assert_msg(run(&c, sql[i]) != 0, "%s", sql[i]);
		ck_assert_msg(clock_now_ns() - began < 5 * NS_PER_S, "%s took too long", sql[i]);
	}
	uint64_t began = clock_now_ns();
	ck_assert_str_eq(rows(&c, "SELECT instr(hex(zeroblob(1000000)), hex(zeroblob(900000))||'1')"), "[[0]]");
	ck_assert(clock_now_ns() - began < 5 * NS_PER_S);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

/* Each pair must be the same. */
START_TEST(test_stand_ins_answer_like_sqlite)
{
	static const char *const pairs[][2] = {
		{"instr('abcabc','ca')", "[[3]]"},
		{"instr('aéb','b')", "[[3]]"},
		{"instr(x'c3a962',x'62')", "[[3]]"},
		{"instr('abc','')", "[[1]]"},
		{"instr('','a')", "[[0]]"},
		{"instr(NULL,'a')", "[[null]]"},
		{"instr(12345,34)", "[[3]]"},
		{"replace('aXbXc','X','--')", "[[\"a--b--c\"]]"},
		{"replace('aaa','a','')", "[[\"\"]]"},
		{"replace('abc','','x')", "[[\"abc\"]]"},
		{"replace('abc',NULL,'x')", "[[null]]"},
		{"replace(1212,1,3)", "[[\"3232\"]]"},
		{"trim('xxaxx','x')", "[[\"a\"]]"},
		{"ltrim('éa','é')", "[[\"a\"]]"},
		{"printf('%05d|%-4s|%.2f','7','ab',1.5)", "[[\"00007|ab  |1.50\"]]"},
		{"format('%s%%',5)", "[[\"5%\"]]"},
		{"printf('%.*f',2,3.14159)", "[[\"3.14\"]]"},
		{"printf()", "[[null]]"},
	};
	struct rig rig;
	struct client c;
	char sql[200];

	rig_open(&rig);
	client_open(&rig, &c);
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		snprintf(sql, sizeof sql, "SELECT %s", pairs[i][0]);
		ck_assert_str_eq(rows(&c, sql), pairs[i][1]);
	}
	/* ALTER TABLE uses printf inside. */
	ck_assert_int_eq(run(&c, "CREATE TABLE t(a)"), 0);
	ck_assert_int_eq(run(&c, "ALTER TABLE t ADD COLUMN b DEFAULT 'x'"), 0);
	ck_assert_int_eq(run(&c, "CREATE INDEX i ON t(instr(a,'x'))"), 0);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_roles_and_readonly)
{
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	run(&c, "CREATE TABLE t(a)");
	c.session.role = ROLE_RW;
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(1)"), 0);
	ck_assert_int_eq(run(&c, "CREATE TABLE u(a)"), -32002);
	ck_assert_int_eq(run(&c, "DROP TABLE t"), -32002);
	c.session.role = ROLE_RO;
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(1)"), -32002);
	c.session.role = ROLE_ADMIN;
	c.session.readonly = true;
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(1)"), -32003);
	ck_assert_str_eq(rows(&c, "SELECT count(*) FROM t"), "[[1]]");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_a_protected_table_refuses_ddl)
{
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	run(&c, "CREATE TABLE Te(a)");
	ck_assert_int_eq(run(&c, "CREATE INDEX i ON te(a)"), 0);
	store_protect(rig.store, "te", "m1");
	ck_assert_int_eq(run(&c, "ALTER TABLE te ADD COLUMN b"), -32020);
	ck_assert_int_eq(run(&c, "DROP INDEX i"), -32020);
	ck_assert_int_eq(run(&c, "CREATE TRIGGER x AFTER INSERT ON te BEGIN SELECT 1; END"), -32020);
	ck_assert_int_eq(run(&c, "DROP TABLE te"), -32020);
	ck_assert_int_eq(run(&c, "CREATE TABLE other(a)"), 0);
	ck_assert_int_eq(run(&c, "INSERT INTO te VALUES(1)"), 0);
	store_protect(rig.store, NULL, NULL);
	ck_assert_int_eq(run(&c, "DROP TABLE te"), 0);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_what_a_statement_is_does_not_depend_on_the_schema)
{
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(run(&c, "DROP TABLE IF EXISTS t"), 0);
		ck_assert_int_eq(run(&c, "CREATE TABLE IF NOT EXISTS t(a)"), 0);
		ck_assert_int_eq(run(&c, "CREATE TABLE IF NOT EXISTS t(a)"), 0);
		ck_assert_int_eq(run(&c, "DROP VIEW IF EXISTS v"), 0);
		ck_assert_int_eq(run(&c, "CREATE VIEW v AS SELECT a FROM t"), 0);
		ck_assert_int_eq(run(&c, "CREATE TRIGGER tr INSTEAD OF INSERT ON v BEGIN SELECT 1; END"), 0);
		ck_assert_int_eq(run(&c, "INSERT INTO v VALUES(1)"), 0);
		ck_assert_int_eq(run(&c, "DROP TRIGGER tr"), 0);
		ck_assert_int_eq(
			run(&c, "CREATE TRIGGER tr INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES(NEW.a); END"), 0);
		ck_assert_int_eq(run(&c, "INSERT INTO v VALUES(1)"), 0);
		ck_assert_str_eq(rows(&c, "SELECT count(*) FROM t"), "[[1]]");
		ck_assert_int_eq(run(&c, "DROP TABLE IF EXISTS t"), 0);
		ck_assert_int_eq(run(&c, "DROP TABLE IF EXISTS t"), 0);
	}
	c.session.role = ROLE_RW;
	ck_assert_int_eq(run(&c, "DROP TABLE IF EXISTS nosuch"), -32002);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("guard");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_escapes_are_denied);
	tcase_add_test(tc, test_bombs_are_bounded);
	tcase_add_test(tc, test_stand_ins_answer_like_sqlite);
	tcase_add_test(tc, test_roles_and_readonly);
	tcase_add_test(tc, test_a_protected_table_refuses_ddl);
	tcase_add_test(tc, test_what_a_statement_is_does_not_depend_on_the_schema);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
