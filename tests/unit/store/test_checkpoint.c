/* The write-ahead log is copied back and begun anew, whoever writes and whoever reads meanwhile. */
#include "daemon/store/internal.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/store/store_test.h"

/* 25 pages. */
#define FAT_ROW "INSERT INTO t VALUES(randomblob(100000))"
/* Times that the log must begin anew before a test is content. */
#define RESTARTS 2
/* The cap of the rig's log is 4096 pages; however fast a client writes, it is not let run away from there. */
#define FRAMES_MAX (12 * 4096)

struct watch {
	struct rig *rig;
	int64_t frames; /* seen last */
	int restarts;
};

static bool go_on(struct watch *w)
{
	int64_t now = atomic_load(&w->rig->store->checkpointer.wal_frames);

	if (now < w->frames)
		w->restarts++;
	w->frames = now;
	ck_assert_int_lt(now, FRAMES_MAX);
	return w->restarts < RESTARTS;
}

static void open_with_table(struct rig *rig, struct client *c)
{
	rig_open(rig);
	client_open(rig, c);
	ck_assert_int_eq(run(c, "CREATE TABLE t(a)"), 0);
}

static void close_and_check(struct rig *rig, struct client *c)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	char command[128];

	client_close(c);
	rig_stop(rig);
	ck_assert_int_eq(sqlite3_open(rig->path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	snprintf(command, sizeof command, "rm -rf %s", rig->folder);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(test_statements_alone)
{
	struct rig rig;
	struct client c;
	struct watch w = {.rig = &rig};

	open_with_table(&rig, &c);
	while (go_on(&w))
		ck_assert_int_eq(run(&c, FAT_ROW), 0);
	close_and_check(&rig, &c);
}
END_TEST

/* Between the transactions of a session nothing else comes to the writer. */
START_TEST(test_transactions_alone)
{
	struct rig rig;
	struct client c;
	struct watch w = {.rig = &rig};

	open_with_table(&rig, &c);
	while (go_on(&w)) {
		ck_assert_int_eq(run(&c, "BEGIN"), 0);
		ck_assert_int_eq(run(&c, FAT_ROW), 0);
		ck_assert_int_eq(run(&c, "COMMIT"), 0);
	}
	close_and_check(&rig, &c);
}
END_TEST

struct background {
	struct job job;
	bool done;
};

static void run_background(struct job *job, struct db *db)
{
	struct error err = {0};

	(void)job;
	ck_assert_int_eq(db_begin(db, &err), 0);
	ck_assert_int_eq(db_exec(db, &err, "%s", FAT_ROW), 0);
	ck_assert_int_eq(db_commit(db, &err), 0);
}

static void background_done(struct mail *mail) { ((struct background *)(void *)mail)->done = true; }

START_TEST(test_background_work_alone)
{
	struct rig rig;
	struct client c;
	struct watch w = {.rig = &rig};
	struct background b = {.job = {.mail.deliver = background_done, .run = run_background}};

	open_with_table(&rig, &c);
	while (go_on(&w)) {
		b.done = false;
		store_submit_writer(rig.store, &b.job);
		while (!b.done)
			uv_run(&rig.loop, UV_RUN_ONCE);
	}
	close_and_check(&rig, &c);
}
END_TEST

/* Always some read is on its way; each alone is over soon. */
START_TEST(test_beside_reads_without_end)
{
	struct rig rig;
	struct client c, readers[3];
	struct watch w = {.rig = &rig};

	open_with_table(&rig, &c);
	ck_assert_int_eq(run(&c, "CREATE TABLE n AS WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM x "
				 "LIMIT 5000) SELECT i FROM x"),
			 0);
	for (int i = 0; i < 3; i++)
		client_open(&rig, &readers[i]);
	while (go_on(&w)) {
		for (int i = 0; i < 3; i++) {
			if (readers[i].busy)
				continue;
			ck_assert(!error_is_set(&readers[i].job.err));
			set_sql(&readers[i], "SELECT sum(i) FROM n");
			client_send(&readers[i], SQL_STATEMENT);
		}
		ck_assert_int_eq(run(&c, FAT_ROW), 0);
	}
	for (int i = 0; i < 3; i++) {
		client_wait(&readers[i]);
		client_close(&readers[i]);
	}
	close_and_check(&rig, &c);
}
END_TEST

/* What waits for a shorter log waits for the writer's turn, so nobody else wakes that one. */
START_TEST(test_with_nothing_more_to_write)
{
	struct rig rig;
	struct client c;
	struct checkpointer *k;

	open_with_table(&rig, &c);
	k = &rig.store->checkpointer;
	do
		ck_assert_int_eq(run(&c, FAT_ROW), 0);
	while (atomic_load(&k->wal_frames) * rig.store->page_size < store_get_config(rig.store)->checkpoint_bytes);
	while (atomic_load(&k->wal_frames) != 0)
		sched_yield();
	close_and_check(&rig, &c);
}
END_TEST

/* A reader that stays keeps the log, and is not asked at every commit whether it has gone. */
START_TEST(test_beside_a_reader_that_stays)
{
	struct rig rig;
	struct client c, reader;
	struct watch w = {.rig = &rig};
	struct store_stats before, after;

	open_with_table(&rig, &c);
	client_open(&rig, &reader);
	ck_assert_int_eq(run(&c, FAT_ROW), 0);
	reader.params = (struct params){.present = P(MODE), .mode = "read"};
	ck_assert_int_eq(ask(&reader, SQL_BEGIN), 0);
	do
		ck_assert_int_eq(run(&c, FAT_ROW), 0);
	while (store_stats(rig.store, &before), before.checkpoint_blocked_total == 0);
	uint64_t from = clock_now_ns();
	while (atomic_load(&rig.store->checkpointer.wal_frames) < 2048)
		ck_assert_int_eq(run(&c, FAT_ROW), 0);
	store_stats(rig.store, &after);
	uint64_t pauses = (clock_now_ns() - from) / (100 * NS_PER_MS) + 2;
	ck_assert_uint_le(after.checkpoints_total - before.checkpoints_total, 3 * pauses);
	ck_assert_int_eq(run(&reader, "COMMIT"), 0);
	go_on(&w);
	while (go_on(&w))
		ck_assert_int_eq(run(&c, FAT_ROW), 0);
	client_close(&reader);
	close_and_check(&rig, &c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("checkpoint");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_statements_alone);
	tcase_add_test(tc, test_transactions_alone);
	tcase_add_test(tc, test_background_work_alone);
	tcase_add_test(tc, test_with_nothing_more_to_write);
	tcase_add_test(tc, test_beside_reads_without_end);
	tcase_add_test(tc, test_beside_a_reader_that_stays);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
