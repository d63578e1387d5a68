/* Another process beside the daemon: what it has written, and how long it lets the log become. */
#include <sys/stat.h>

#include "daemon/store/internal.h"
#include "daemon/store/wal_index.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/store/store_test.h"

#define BUMP "INSERT INTO _litestream_seq VALUES(1,1) ON CONFLICT(id) DO UPDATE SET seq=seq+1"

struct looking {
	struct job job;
	int64_t mark;
	struct wal_index index;
	bool done;
};

static void look_run(struct job *job, struct db *db)
{
	struct looking *l = (struct looking *)(void *)job;
	struct error err = {0};

	ck_assert_int_eq(db_begin(db, &err), 0);
	ck_assert_int_eq(db_data_version(db, &l->mark, &err), 0);
	ck_assert(wal_index_read(db_handle(db), &l->index));
	db_rollback(db);
}

static void look_done(struct mail *mail) { ((struct looking *)(void *)mail)->done = true; }

static struct looking look(struct rig *rig)
{
	struct looking l = {.job = {.mail.deliver = look_done, .run = look_run}};

	store_submit_writer(rig->store, &l.job);
	while (!l.done)
		uv_run(&rig->loop, UV_RUN_ONCE);
	return l;
}

static void other(sqlite3 *db, const char *sql)
{
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
}

static sqlite3 *neighbour(const struct rig *rig)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(rig->path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	other(db, "PRAGMA wal_autocheckpoint=0");
	return db;
}

static void open_external(struct rig *rig, struct client *c)
{
	rig_open(rig);
	rig_stop(rig);
	rig->config.checkpoint_external = true;
	rig_start(rig);
	client_open(rig, c);
	ck_assert_int_eq(run(c, "CREATE TABLE t(a)"), 0);
}

static int64_t log_bytes(const struct rig *rig)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof path, "%s-wal", rig->path);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

START_TEST(test_commits_are_told_apart)
{
	struct rig rig;
	struct client c;

	open_external(&rig, &c);
	sqlite3 *db = neighbour(&rig);
	int64_t mark = look(&rig).mark;
	other(db, "CREATE TABLE _litestream_seq(id INTEGER PRIMARY KEY, seq INTEGER)");
	other(db, "CREATE TABLE _litestream_lock(id INTEGER)");
	ck_assert_int_eq(look(&rig).mark, mark);
	for (int i = 0; i < 20; i++) {
		other(db, BUMP);
		ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(1)"), 0);
		if (i % 3 == 0)
			ck_assert_int_eq(look(&rig).mark, mark);
		if (i % 7 == 6)
			other(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	}
	other(db, "BEGIN; INSERT INTO _litestream_lock VALUES(1); ROLLBACK");
	ck_assert_int_eq(look(&rig).mark, mark);
	other(db, "INSERT INTO t VALUES(2)");
	int64_t moved = look(&rig).mark;
	ck_assert_int_ne(moved, mark);
	other(db, "BEGIN; " BUMP "; INSERT INTO t VALUES(2); COMMIT");
	/* One commit that adds 1 and does more besides looks like one of the neighbour's: nobody else adds. */
	ck_assert_int_eq(look(&rig).mark, moved);
	other(db, "BEGIN; " BUMP "; " BUMP "; COMMIT");
	ck_assert_int_ne(look(&rig).mark, moved);
	moved = look(&rig).mark;
	other(db, "DROP TABLE _litestream_lock");
	ck_assert_int_ne(look(&rig).mark, moved);
	sqlite3_close(db);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_the_log_is_left_at_the_end)
{
	struct rig rig;
	struct client c;

	open_external(&rig, &c);
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(randomblob(100000))"), 0);
	struct wal_index before = look(&rig).index;
	ck_assert_int_gt(before.frames, 40 * 24);
	ck_assert_int_eq(before.copied, 0);
	client_close(&c);
	rig_stop(&rig);
	ck_assert_int_gt(log_bytes(&rig), 4000000);
	rig_start(&rig);
	client_open(&rig, &c);
	ck_assert_str_eq(rows(&c, "SELECT count(*) FROM t"), "[[40]]");
	/* A checkpoint of the neighbour's is seen. */
	sqlite3 *db = neighbour(&rig);
	other(db, "PRAGMA wal_checkpoint(PASSIVE)");
	struct wal_index after = look(&rig).index;
	ck_assert_uint_eq(after.copied, after.frames);
	sqlite3_close(db);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_far_above_its_bounds_the_log_is_copied_back)
{
	struct rig rig;
	struct client c;

	rig_open(&rig);
	rig_stop(&rig);
	rig.config.checkpoint_external = true;
	rig.config.wal_hard_bytes = rig.config.wal_cap_bytes = 2 << 20;
	rig_start(&rig);
	client_open(&rig, &c);
	ck_assert_int_eq(run(&c, "CREATE TABLE t(a)"), 0);
	ck_assert_ptr_null(store_wal_problem(rig.store));
	for (int i = 0; i < 400; i++) {
		ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(randomblob(100000))"), 0);
		ck_assert_int_lt(log_bytes(&rig), 36 << 20);
		/* A fast writer is ahead of the thread that looks each tenth of a second. */
		while (i % 40 == 39 && store_wal_overflows(rig.store)) {
			checkpointer_wake(rig.store);
			uv_run(&rig.loop, UV_RUN_ONCE);
		}
	}
	struct store_stats st;
	store_stats(rig.store, &st);
	ck_assert_uint_gt(st.checkpoints_total, 0);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("outside");
	Suite *suite = suite_create("outside");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_commits_are_told_apart);
	tcase_add_test(t, test_the_log_is_left_at_the_end);
	tcase_add_test(t, test_far_above_its_bounds_the_log_is_copied_back);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
