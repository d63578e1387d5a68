/*
 * A checkpoint is synced bit by bit while clients are at work, and not where there are none, or where the log has run
 * away from it.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/internal.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/scratch_folder.h"

/* Pages of 4 KiB that the log holds: 8 MiB, 32 times what is synced at once. */
#define PAGES "2048"

static const sqlite3_io_methods *real;
static int syncs;

static int count_sync(sqlite3_file *file, int flags)
{
	syncs++;
	return real->xSync(file, flags);
}

static sqlite3 *open_file(const char *folder)
{
	char path[64];
	sqlite3 *db = NULL;

	snprintf(path, sizeof path, "%s/a.db", folder);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
				      "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
				      "SELECT 1 FROM sqlite_schema",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	return db;
}

static int syncs_of_a_checkpoint(uint64_t answered_ns, int64_t wal_frames)
{
	static struct settings settings = {.config.wal_cap_bytes = 16 << 20};
	char folder[64], command[96];
	struct store *s = calloc(1, sizeof *s);
	struct steady steady;

	ck_assert_ptr_nonnull(s);
	scratch_folder(folder, sizeof folder);
	atomic_store(&s->settings, &settings);
	atomic_store(&s->answered_ns, answered_ns);
	s->page_size = 4096;
	atomic_store(&s->checkpointer.wal_frames, wal_frames);
	sqlite3 *writer = open_file(folder), *db = open_file(folder);
	ck_assert_int_eq(steady_attach(&steady, s, db), SQLITE_OK);
	/* The handle's file system below: the same, counted. */
	sqlite3_io_methods counted = *(real = steady.plain);
	counted.xSync = count_sync;
	steady.plain = &counted;
	ck_assert_int_eq(sqlite3_exec(writer,
				      "CREATE TABLE t(a); INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1"
				      " FROM n WHERE i<" PAGES ") SELECT zeroblob(4000) FROM n",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	syncs = 0;
	int all = 0, copied = 0;
	ck_assert_int_eq(sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, &all, &copied), SQLITE_OK);
	ck_assert_int_gt(copied, 2000);
	ck_assert_int_eq(all, copied);
	sqlite3_close(db);
	sqlite3_close(writer);
	free(s);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
	return syncs;
}

START_TEST(test_beside_clients_it_is_synced_bit_by_bit)
{
	/* As if one were answered all the time. */
	int n = syncs_of_a_checkpoint(clock_now_ns() + 3600 * NS_PER_S, 2048);
	ck_assert_int_ge(n, 30);
	ck_assert_int_le(n, 40);
}
END_TEST

START_TEST(test_without_clients_it_is_not)
{
	uint64_t long_ago = clock_now_ns() - NS_PER_S;
	ck_assert_int_le(syncs_of_a_checkpoint(long_ago, 2048), 4);
}
END_TEST

START_TEST(test_a_log_that_has_run_away_is_copied_at_full_speed)
{
	ck_assert_int_le(syncs_of_a_checkpoint(clock_now_ns() + 3600 * NS_PER_S, 3 * 4096), 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("steady");

	tcase_add_test(tc, test_beside_clients_it_is_synced_bit_by_bit);
	tcase_add_test(tc, test_without_clients_it_is_not);
	tcase_add_test(tc, test_a_log_that_has_run_away_is_copied_at_full_speed);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
