/* Counting what transactions change: when it begins and ends, savepoints within each other, bounds, the schema. */
#include "daemon/store/changes.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/store/store_test.h"

/* What was told, a transaction a line: "t+1~0-0 u+2~1-0". */
struct heard {
	char text[1 << 16];
	size_t commits, more, tables;
	int64_t inserted;
	int begun, touched;
};

static void on_committed(void *arg, const struct changes *c)
{
	struct heard *h = arg;

	h->commits++;
	h->more += c->more;
	h->tables += c->n;
	ck_assert(c->n > 0 || c->more);
	for (size_t i = 0; i < c->n; i++) {
		size_t at = strlen(h->text);

		h->inserted += c->at[i].inserted;
		(void)snprintf(h->text + at, sizeof h->text - at, "%s%s+%lld~%lld-%lld", i ? " " : "", c->at[i].table,
			       (long long)c->at[i].inserted, (long long)c->at[i].updated, (long long)c->at[i].deleted);
	}
	strncat(h->text, "\n", sizeof h->text - strlen(h->text) - 1);
}

static void on_counting(void *arg) { ((struct heard *)arg)->begun++; }
static void on_touched(void *arg) { ((struct heard *)arg)->touched++; }

static struct heard heard;

static void count(struct rig *rig)
{
	int before = heard.begun;

	store_on_changes(rig->store, on_committed, on_counting, &heard);
	store_count_changes(rig->store, true);
	while (heard.begun == before)
		uv_run(&rig->loop, UV_RUN_ONCE);
	ck_assert(store_counts_changes(rig->store));
}

/* What has been told since the last call; a transaction is told before its own answer is. */
static const char *told(void)
{
	static char text[sizeof heard.text];

	memcpy(text, heard.text, sizeof text);
	heard.text[0] = '\0';
	return text;
}

static void set_up(struct rig *rig, struct client *c)
{
	memset(&heard, 0, sizeof heard);
	rig_open(rig);
	client_open(rig, c);
	ck_assert_int_eq(run(c, "CREATE TABLE t(x UNIQUE)"), 0);
	ck_assert_int_eq(run(c, "CREATE TABLE u(x)"), 0);
}

START_TEST(test_nothing_is_told_unless_it_is_counted)
{
	struct rig rig;
	struct client c;

	set_up(&rig, &c);
	ck_assert(!store_counts_changes(rig.store));
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(1)"), 0);
	count(&rig);
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(2),(3)"), 0);
	ck_assert_str_eq(told(), "t+2~0-0\n");
	store_count_changes(rig.store, false);
	ck_assert(!store_counts_changes(rig.store));
	/* The lane may look at that only now: but then it does, before it begins. */
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(4)"), 0);
	ck_assert_str_eq(told(), "");
	count(&rig);
	ck_assert_int_eq(run(&c, "UPDATE t SET x = x + 10"), 0);
	ck_assert_str_eq(told(), "t+0~4-0\n");
	/* On and off before the lane has come round: told once, or not at all, and it ends as it was asked last. */
	for (int i = 0; i < 100; i++)
		store_count_changes(rig.store, i % 2 != 0);
	ck_assert_int_eq(run(&c, "DELETE FROM t"), 0);
	ck_assert_str_eq(told(), "t+0~0-4\n");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_counting_begins_between_two_transactions)
{
	struct rig rig;
	struct client c;

	set_up(&rig, &c);
	store_on_changes(rig.store, on_committed, on_counting, &heard);
	ck_assert_int_eq(run(&c, "BEGIN"), 0);
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(1)"), 0);
	store_count_changes(rig.store, true);
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(2)"), 0);
	ck_assert_int_eq(heard.begun, 0);
	ck_assert(!store_counts_changes(rig.store));
	ck_assert_int_eq(run(&c, "COMMIT"), 0);
	while (!heard.begun)
		uv_run(&rig.loop, UV_RUN_ONCE);
	ck_assert_str_eq(told(), "");
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(3)"), 0);
	ck_assert_str_eq(told(), "t+1~0-0\n");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_savepoints_within_each_other)
{
	static const char *const script[] = {
		"BEGIN",
		"INSERT INTO t VALUES(1)",
		"SAVEPOINT a",
		"INSERT INTO t VALUES(2)",
		"SAVEPOINT b",
		"INSERT INTO u VALUES(2)",
		"SAVEPOINT c",
		"INSERT INTO u VALUES(3)",
		"ROLLBACK TO c",
		"RELEASE b",
		"SAVEPOINT d",
		"DELETE FROM u",
		"UPDATE t SET x = x + 10",
		"ROLLBACK TO d",
		"INSERT INTO t VALUES(5)",
		"RELEASE a",
		"COMMIT",
	};
	struct rig rig;
	struct client c;

	set_up(&rig, &c);
	count(&rig);
	for (size_t i = 0; i < sizeof script / sizeof *script; i++)
		ck_assert_int_eq(run(&c, script[i]), 0);
	ck_assert_str_eq(told(), "t+3~0-0 u+1~0-0\n");
	ck_assert_int_eq(run(&c, "SAVEPOINT a"), 0);
	ck_assert_int_eq(run(&c, "INSERT INTO u VALUES(9)"), 0);
	ck_assert_int_eq(run(&c, "ROLLBACK TO a"), 0);
	ck_assert_int_eq(run(&c, "RELEASE a"), 0);
	ck_assert_str_eq(told(), "");
	ck_assert_str_eq(rows(&c, "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)"), "[[3,1]]");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_very_many_savepoints_and_tables_are_bounded)
{
	struct rig rig;
	struct client c;
	char sql[64];

	set_up(&rig, &c);
	for (int i = 0; i < CHANGES_TABLES_MAX + 10; i++) {
		(void)snprintf(sql, sizeof sql, "CREATE TABLE many%d(x)", i);
		ck_assert_int_eq(run(&c, sql), 0);
	}
	count(&rig);
	ck_assert_int_eq(run(&c, "BEGIN"), 0);
	for (int i = 0; i < CHANGES_TABLES_MAX + 10; i++) {
		(void)snprintf(sql, sizeof sql, "INSERT INTO many%d VALUES(1)", i);
		ck_assert_int_eq(run(&c, sql), 0);
	}
	ck_assert_int_eq(run(&c, "COMMIT"), 0);
	ck_assert_uint_eq(heard.commits, 1);
	ck_assert_uint_eq(heard.tables, CHANGES_TABLES_MAX);
	ck_assert_uint_eq(heard.more, 1);
	(void)told();
	/* Deeper than what is told apart: nothing is missed. */
	ck_assert_int_eq(run(&c, "BEGIN"), 0);
	for (int i = 0; i < 300; i++) {
		ck_assert_int_eq(run(&c, "SAVEPOINT deep"), 0);
		ck_assert_int_eq(run(&c, "INSERT INTO u VALUES(1)"), 0);
	}
	ck_assert_int_eq(run(&c, "ROLLBACK TO deep"), 0);
	ck_assert_int_eq(run(&c, "COMMIT"), 0);
	ck_assert_str_eq(told(), "u+299~0-0\n");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_a_group_is_told_job_by_job)
{
	struct rig rig;
	struct client c, all[12];
	char sql[12][64];

	set_up(&rig, &c);
	count(&rig);
	for (int i = 0; i < 12; i++) {
		client_open(&rig, &all[i]);
		/* Every fourth takes the whole transaction along; it alone is left out. Whoever comes first. */
		(void)snprintf(sql[i], sizeof sql[i], "INSERT OR ROLLBACK INTO t VALUES(%d),(%d)", i,
			       i % 4 == 3 ? i : 100 + i);
		set_sql(&all[i], sql[i]);
		all[i].job.exec = true;
	}
	for (int i = 0; i < 12; i++)
		client_send(&all[i], SQL_STATEMENT);
	for (int i = 0; i < 12; i++) {
		client_wait(&all[i]);
		ck_assert_int_eq(error_is_set(&all[i].job.err), i % 4 == 3);
		client_close(&all[i]);
	}
	ck_assert_uint_eq(heard.commits, 9);
	ck_assert_int_eq(heard.inserted, 18);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

struct own {
	struct job job;
	bool done;
};

static void own_run(struct job *job, struct db *db)
{
	struct error err = {0};

	(void)job;
	ck_assert_int_eq(db_begin(db, &err), 0);
	ck_assert_int_eq(db_exec(db, &err, "INSERT INTO t SELECT x + 1000 FROM t; DELETE FROM u"), 0);
	ck_assert_int_eq(db_commit(db, &err), 0);
}

static void own_done(struct mail *mail)
{
	CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct own, job)->done = true;
}

START_TEST(test_the_daemons_own_work_is_not_counted)
{
	struct own own = {.job = {.mail = {.deliver = own_done}, .run = own_run, .class = JOB_BACKGROUND}};
	struct rig rig;
	struct client c;

	set_up(&rig, &c);
	count(&rig);
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(1)"), 0);
	(void)told();
	store_submit_writer(rig.store, &own.job);
	while (!own.done)
		uv_run(&rig.loop, UV_RUN_ONCE);
	ck_assert_str_eq(told(), "");
	ck_assert_str_eq(rows(&c, "SELECT count(*) FROM t"), "[[2]]");
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(2)"), 0);
	ck_assert_str_eq(told(), "t+1~0-0\n");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_a_client_cannot_reach_the_counts)
{
	static const char *const tries[] = {"INSERT INTO _alterd_tally VALUES(1)", "SELECT * FROM _alterd_tally",
					    "CREATE VIRTUAL TABLE mine USING _alterd_tally",
					    "UPDATE temp._alterd_mark SET x = 5"};
	struct rig rig;
	struct client c;

	set_up(&rig, &c);
	count(&rig);
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
		ck_assert_msg(run(&c, tries[i]) != 0, "%s", tries[i]);
	ck_assert_str_eq(told(), "");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_the_schema_is_told_after_its_commit)
{
	struct rig rig;
	struct client c;

	set_up(&rig, &c);
	store_on_schema(rig.store, on_touched, &heard);
	ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(1)"), 0);
	ck_assert_int_eq(heard.touched, 0);
	ck_assert_int_eq(run(&c, "CREATE INDEX u_x ON u(x)"), 0);
	ck_assert_int_eq(heard.touched, 1);
	ck_assert_int_eq(run(&c, "BEGIN"), 0);
	ck_assert_int_eq(run(&c, "DROP TABLE u"), 0);
	ck_assert_int_eq(heard.touched, 1);
	ck_assert_int_eq(run(&c, "COMMIT"), 0);
	ck_assert_int_eq(heard.touched, 2);
	store_on_schema(rig.store, NULL, NULL);
	ck_assert_int_eq(run(&c, "CREATE TABLE u(x)"), 0);
	ck_assert_int_eq(heard.touched, 2);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store");
	TCase *tc = tcase_create("changes");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_nothing_is_told_unless_it_is_counted);
	tcase_add_test(tc, test_counting_begins_between_two_transactions);
	tcase_add_test(tc, test_savepoints_within_each_other);
	tcase_add_test(tc, test_very_many_savepoints_and_tables_are_bounded);
	tcase_add_test(tc, test_a_group_is_told_job_by_job);
	tcase_add_test(tc, test_the_daemons_own_work_is_not_counted);
	tcase_add_test(tc, test_a_client_cannot_reach_the_counts);
	tcase_add_test(tc, test_the_schema_is_told_after_its_commit);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
