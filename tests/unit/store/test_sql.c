/* Statements, transactions and cursors of sessions, against a real store. */
#include "tests/unit/run_suite.h"
#include "tests/unit/store/store_test.h"

START_TEST(test_write_then_read_sees_it)
{
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	ck_assert_int_eq(run(&c, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"), 0);
	ck_assert_int_eq(run(&c, "INSERT INTO t(v) VALUES('a'),('b')"), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.out), "\"changes\":2,\"last_insert_rowid\":2"));
	ck_assert_str_eq(rows(&c, "SELECT * FROM t ORDER BY id"), "[[1,\"a\"],[2,\"b\"]]");
	ck_assert_str_eq(rows(&c, "SELECT changes(), last_insert_rowid(), total_changes()"), "[[2,2,2]]");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_changes_inside_a_trigger_mean_the_triggers_own)
{
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	run(&c, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
	run(&c, "CREATE TABLE s(k PRIMARY KEY, n)");
	run(&c, "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE s SET n=n+1 WHERE k=NEW.v;"
		" INSERT INTO s SELECT NEW.v, 1 WHERE changes()=0; END");
	ck_assert_int_eq(run(&c, "INSERT INTO t(v) VALUES('a')"), 0);
	ck_assert_int_eq(run(&c, "INSERT INTO t(v) VALUES('a'),('b'),('a')"), 0);
	ck_assert_str_eq(rows(&c, "SELECT * FROM s ORDER BY k"), "[[\"a\",3],[\"b\",1]]");
	ck_assert_int_eq(run(&c, "UPDATE t SET v=v WHERE id=99"), 0);
	ck_assert_int_eq(run(&c, "INSERT INTO t(v) VALUES('c')"), 0);
	ck_assert_str_eq(rows(&c, "SELECT n FROM s WHERE k='c'"), "[[1]]");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_a_transaction_is_its_sessions_alone)
{
	struct rig rig;
	struct client a, b;

	rig_open(&rig);
	client_open(&rig, &a);
	client_open(&rig, &b);
	run(&a, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
	a.params = (struct params){0};
	ck_assert_int_eq(ask(&a, SQL_BEGIN), 0);
	ck_assert_int_eq(run(&a, "INSERT INTO t VALUES(1)"), 0);
	ck_assert_str_eq(rows(&a, "SELECT count(*) FROM t"), "[[1]]");
	ck_assert_str_eq(rows(&b, "SELECT count(*) FROM t"), "[[0]]");
	set_sql(&b, "INSERT INTO t VALUES(2)");
	b.params.timeout_ms = 50;
	b.params.present |= P(TIMEOUT_MS);
	ck_assert_int_eq(ask(&b, SQL_STATEMENT), -1);
	ck_assert_str_eq(b.job.err.name, "BUSY");
	ck_assert_int_eq(run(&a, "COMMIT"), 0);
	ck_assert_int_eq(a.session.tx, TX_NONE);
	ck_assert_str_eq(rows(&b, "SELECT count(*) FROM t"), "[[1]]");
	client_close(&a);
	client_close(&b);
	rig_close(&rig);
}
END_TEST

static void on_expired(void *arg, uint64_t serial, const char *text)
{
	struct client *c = arg;

	/* With a job in flight the session is the lane's, and the lane tells it, as sql.h has it. */
	if (c->busy)
		return;
	sql_session_expire(&c->session, serial, text);
}

START_TEST(test_an_expired_transaction_answers_until_rollback)
{
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	sql_on_expired(rig.store, on_expired, &c);
	run(&c, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
	c.params = (struct params){.present = P(MAX_MS), .max_ms = 30};
	ck_assert_int_eq(ask(&c, SQL_BEGIN), 0);
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(1)"), 0);
	while (c.session.tx != TX_FAILED) {
		int code = run(&c, "SELECT 1");
		ck_assert(code == 0 || code == -32011);
	}
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(2)"), -32011);
	ck_assert_int_eq(run(&c, "COMMIT"), -32011);
	c.params = (struct params){0};
	ck_assert_int_eq(ask(&c, SQL_COMMIT), -1);
	ck_assert_int_eq(run(&c, "ROLLBACK"), 0);
	ck_assert_str_eq(rows(&c, "SELECT count(*) FROM t"), "[[0]]");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_a_poisonous_write_takes_nobody_along)
{
	static const char *const bad[] = {"INSERT OR ROLLBACK INTO t VALUES(1,'taken')", "INSERT INTO kid VALUES(99)",
					  "INSERT INTO t VALUES(1,'taken')"};
	struct rig rig;
	struct client c[12], o;

	rig_open(&rig);
	client_open(&rig, &o);
	run(&o, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
	run(&o, "CREATE TABLE kid(t INT REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)");
	run(&o, "INSERT INTO t VALUES(1,'one')");
	char sql[12][64];
	for (int i = 0; i < 12; i++) {
		client_open(&rig, &c[i]);
		snprintf(sql[i], sizeof sql[i], "INSERT INTO t VALUES(%d,'good')", 100 + i);
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 12; i++) {
			set_sql(&c[i], i % 4 == 1 ? bad[(i / 4 + round) % 3] : sql[i]);
			client_send(&c[i], SQL_STATEMENT);
		}
		for (int i = 0; i < 12; i++)
			client_wait(&c[i]);
		for (int i = 0; i < 12; i++)
			ck_assert_msg(error_is_set(&c[i].job.err) == (i % 4 == 1), "%d: %s", i, c[i].job.err.message);
		ck_assert_str_eq(rows(&o, "SELECT count(*) FROM t WHERE v='good'"), "[[9]]");
		run(&o, "DELETE FROM t WHERE v='good'");
	}
	for (int i = 0; i < 12; i++)
		client_close(&c[i]);
	client_close(&o);
	rig_close(&rig);
}
END_TEST

START_TEST(test_long_reads_do_not_park_the_lanes)
{
	struct rig rig;
	struct client busy[10], c;

	rig_open(&rig);
	for (int i = 0; i < 10; i++) {
		client_open(&rig, &busy[i]);
		set_sql(&busy[i],
			"WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM x) SELECT count(*) FROM x");
		client_send(&busy[i], SQL_STATEMENT);
	}
	client_open(&rig, &c);
	for (int i = 0; i < 5; i++)
		ck_assert_str_eq(rows(&c, "SELECT 42"), "[[42]]");
	for (int i = 0; i < 10; i++) {
		if (busy[i].busy)
			store_stop(rig.store, &busy[i].job.job, STOP_CANCEL);
		client_wait(&busy[i]);
		ck_assert_int_eq(busy[i].job.err.code, 9);
		client_close(&busy[i]);
	}
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_a_cursor_keeps_its_snapshot)
{
	struct rig rig;
	struct client c, o;

	rig_open(&rig);
	client_open(&rig, &c);
	client_open(&rig, &o);
	run(&o, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
	run(&o, "INSERT INTO t WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM x LIMIT 50) SELECT n FROM x");
	set_sql(&c, "SELECT id FROM t");
	c.params.page_rows = 20;
	c.params.present |= P(PAGE_ROWS);
	ck_assert_int_eq(ask(&c, SQL_STATEMENT), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.out), "\"done\":false,\"cursor\":\"c1\""));
	run(&o, "DELETE FROM t");
	c.params = (struct params){.present = P(CURSOR), .cursor = "c1"};
	ck_assert_int_eq(ask(&c, SQL_FETCH), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.out), "[[21],[22]"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.out), "\"done\":true"));
	ck_assert_int_eq(ask(&c, SQL_FETCH), -1);
	ck_assert_str_eq(c.job.err.name, "CURSOR_EXPIRED");
	client_close(&c);
	client_close(&o);
	rig_close(&rig);
}
END_TEST

START_TEST(test_returning_rows_beyond_a_page_come_by_cursor)
{
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	run(&c, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
	set_sql(&c,
		"INSERT INTO t WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM x LIMIT 5) SELECT n FROM x"
		" RETURNING id");
	c.params.page_rows = 2;
	c.params.present |= P(PAGE_ROWS);
	ck_assert_int_eq(ask(&c, SQL_STATEMENT), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.out), "\"rows\":[[1],[2]]"));
	c.params = (struct params){.present = P(CURSOR), .cursor = "c1"};
	ck_assert_int_eq(ask(&c, SQL_FETCH), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.out), "\"rows\":[[3],[4],[5]],\"done\":true"));
	ck_assert_str_eq(rows(&c, "SELECT count(*) FROM t"), "[[5]]");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_a_batch_is_all_or_nothing)
{
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	run(&c, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
	static const char *const sql[] = {"INSERT INTO t VALUES(1)", "INSERT INTO t VALUES(2)",
					  "INSERT INTO t VALUES(1)"};
	for (int i = 0; i < 3; i++)
		c.steps[i] = (struct step){.sql = sql[i], .sql_len = strlen(sql[i]), .expect_changes = -1};
	c.params = (struct params){.present = P(STATEMENTS), .steps = c.steps, .nsteps = 3};
	ck_assert_int_eq(ask(&c, SQL_BATCH), -1);
	ck_assert_int_eq(c.job.err.code, 1555);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.job.err.data), "\"statement\":2"));
	c.params.nsteps = 2;
	ck_assert_int_eq(ask(&c, SQL_BATCH), 0);
	ck_assert_str_eq(rows(&c, "SELECT count(*) FROM t"), "[[2]]");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("sql");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_write_then_read_sees_it);
	tcase_add_test(tc, test_changes_inside_a_trigger_mean_the_triggers_own);
	tcase_add_test(tc, test_a_transaction_is_its_sessions_alone);
	tcase_add_test(tc, test_an_expired_transaction_answers_until_rollback);
	tcase_add_test(tc, test_a_poisonous_write_takes_nobody_along);
	tcase_add_test(tc, test_long_reads_do_not_park_the_lanes);
	tcase_add_test(tc, test_a_cursor_keeps_its_snapshot);
	tcase_add_test(tc, test_returning_rows_beyond_a_page_come_by_cursor);
	tcase_add_test(tc, test_a_batch_is_all_or_nothing);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
