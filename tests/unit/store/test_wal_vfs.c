/*
 * The writer's file system: what is committed is in the files, whole, at once; what fails leaves nothing.
 *
 * Under it stands one that counts the writes to the log and lets some fail. Random transactions, with a cache so small
 * that pages go to the log before the commit, run on a connection of this file system and, where they were committed,
 * on a plain database; after each, a copy of the files as they lie there, as kill -9 would leave them, must hold the
 * same.
 */
#include "daemon/store/wal_vfs.h"

#include <check.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "tests/unit/run_suite.h"
#include "tests/unit/scratch_folder.h"

#define ROWS 40

/* --- the file system below --- */

static sqlite3_vfs *below, counting;
static sqlite3_io_methods log_methods;
static const sqlite3_io_methods *real_methods;
static int writes, largest;     /* to the log */
static int fail_every, fail_rc; /* about one in so many writes; 0: none */
static uint64_t coin = 88172645463325252U;

static unsigned toss(unsigned n)
{
	coin ^= coin << 13;
	coin ^= coin >> 7;
	coin ^= coin << 17;
	return (unsigned)(coin >> 33) % n;
}

static int on_log_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	writes++;
	largest = n > largest ? n : largest;
	if (fail_every && toss((unsigned)fail_every) == 0) {
		/* A full disk takes some of it. */
		if (toss(2))
			real_methods->xWrite(f, data, n / 2, at);
		return fail_rc;
	}
	return real_methods->xWrite(f, data, n, at);
}

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	(void)vfs;
	int rc = below->xOpen(below, name, f, flags, ret_flags);
	if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_WAL))
		return rc;
	real_methods = f->pMethods;
	log_methods = *real_methods;
	log_methods.xWrite = on_log_write;
	f->pMethods = &log_methods;
	return rc;
}

static void install(void)
{
	if (below)
		return; /* where the tests do not fork, the one before has */
	below = sqlite3_vfs_find(NULL);
	counting = *below;
	counting.zName = "counting";
	counting.pNext = NULL;
	counting.xOpen = on_open;
	ck_assert_int_eq(sqlite3_vfs_register(&counting, 1), SQLITE_OK);
	ck_assert_str_eq(wal_vfs_name(), "alterd-wal");
}

/* --- databases --- */

static void must(sqlite3 *db, const char *sql)
{
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
}

static sqlite3 *open_db(const char *folder, const char *name, const char *vfs, const char *pragmas)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), SQLITE_OK);
	must(db, pragmas);
	return db;
}

#define MAKE_TABLE "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a, b); CREATE INDEX IF NOT EXISTS i ON t(a);"
#define TEST_PRAGMAS "PRAGMA page_size=1024; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=6;"

/* All rows as one text; the caller frees it. */
static char *content(sqlite3 *db)
{
	sqlite3_stmt *stmt;

	ck_assert_int_eq(
		sqlite3_prepare_v2(db, "SELECT group_concat(id||' '||a||' '||b) FROM (SELECT * FROM t ORDER BY id)", -1,
				   &stmt, NULL),
		SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	const char *text = (const char *)sqlite3_column_text(stmt, 0);
	char *copy = strdup(text ? text : "");
	sqlite3_finalize(stmt);
	return copy;
}

static void check_integrity(sqlite3 *db)
{
	sqlite3_stmt *stmt;

	ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
}

static void check_same(sqlite3 *db, sqlite3 *plain)
{
	char *is = content(db), *should = content(plain);

	ck_assert(strcmp(is, should) == 0);
	free(is);
	free(should);
}

static void copy_file(const char *folder, const char *from, const char *to)
{
	char source[128], copy[128];
	uv_fs_t req;

	snprintf(source, sizeof source, "%s/%s", folder, from);
	snprintf(copy, sizeof copy, "%s/%s", folder, to);
	ck_assert_int_eq(uv_fs_copyfile(NULL, &req, source, copy, 0, NULL), 0);
	uv_fs_req_cleanup(&req);
}

/* What the files hold now, without the connection that wrote them, is what `plain` holds. */
static void check_files(const char *folder, sqlite3 *plain)
{
	copy_file(folder, "w.db", "copy.db");
	copy_file(folder, "w.db-wal", "copy.db-wal");
	sqlite3 *copy = open_db(folder, "copy.db", "unix", "PRAGMA cache_size=100");
	check_same(copy, plain);
	check_integrity(copy);
	sqlite3_close(copy);
}

/* --- random transactions --- */

static void make_statement(char *sql, size_t size)
{
	unsigned id = toss(ROWS), n = toss(1500), from = toss(ROWS);

	switch (toss(6)) {
	case 0:
		snprintf(sql, size, "DELETE FROM t WHERE id=%u", id);
		break;
	case 1:
		snprintf(sql, size, "UPDATE t SET a=%u WHERE id BETWEEN %u AND %u", n, from, from + toss(20));
		break;
	case 2:
		snprintf(sql, size, "UPDATE t SET b=printf('%%.*c', %u, 'u') WHERE id=%u", n, id);
		break;
	default:
		snprintf(sql, size, "INSERT OR REPLACE INTO t VALUES(%u, %u, printf('%%.*c', %u, '%c'))", id,
			 toss(1000), n, 'A' + (int)toss(26));
	}
}

struct transaction {
	char sql[24][160];
	int n;
};

static void make_transaction(struct transaction *t)
{
	int open = 0;

	t->n = 1 + (int)toss(20);
	for (int i = 0; i < t->n; i++)
		switch (toss(12)) {
		case 0:
			snprintf(t->sql[i], sizeof t->sql[i], "SAVEPOINT s");
			open++;
			break;
		case 1:
			snprintf(t->sql[i], sizeof t->sql[i], "%s",
				 open ? "ROLLBACK TO s" : "SELECT sum(a) FROM t WHERE b IS NOT NULL");
			break;
		default:
			make_statement(t->sql[i], sizeof t->sql[i]);
		}
	/* None changes nothing. */
	snprintf(t->sql[t->n++], sizeof t->sql[0], "INSERT OR REPLACE INTO t VALUES(%d, %u, 'last')", ROWS,
		 toss(1000000));
}

/* 0, or SQLite's error; then it is rolled back. */
static int run_transaction(sqlite3 *db, const struct transaction *t, const char *last)
{
	int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	for (int i = 0; i < t->n && rc == SQLITE_OK; i++)
		rc = sqlite3_exec(db, t->sql[i], NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, last, NULL, NULL, NULL);
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* Checkpoints now and then, by whoever; the log begins anew after some of them. */
static void checkpoint(sqlite3 *by)
{
	static const char *const how[] = {"PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(RESTART)",
					  "PRAGMA wal_checkpoint(TRUNCATE)"};

	sqlite3_exec(by, how[toss(3)], NULL, NULL, NULL);
}

static void random_work(const char *synchronous, int rounds, int fails, int rc_of_fails)
{
	char folder[64], command[96];
	struct transaction t;
	int failed = 0;

	install();
	scratch_folder(folder, sizeof folder);
	sqlite3 *db = open_db(folder, "w.db", wal_vfs_name(), TEST_PRAGMAS MAKE_TABLE);
	/* Its own pages stay in memory: it has nobody to make up for SQLite's checksums. */
	sqlite3 *other = open_db(folder, "w.db", "unix", TEST_PRAGMAS "PRAGMA synchronous=OFF; PRAGMA cache_size=1000");
	sqlite3 *plain = open_db(folder, "plain.db", "unix",
				 "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;" MAKE_TABLE);
	must(db, synchronous);
	fail_rc = rc_of_fails;
	for (int i = 0; i < rounds; i++) {
		const char *last = toss(5) ? "COMMIT" : "ROLLBACK";
		make_transaction(&t);
		fail_every = fails;
		int rc = run_transaction(db, &t, last);
		fail_every = 0;
		bool written = rc == SQLITE_OK && strcmp(last, "COMMIT") == 0;
		failed += rc != SQLITE_OK;
		ck_assert_msg(rc == SQLITE_OK || fails, "%s", sqlite3_errmsg(db));
		if (written)
			ck_assert_int_eq(run_transaction(plain, &t, "COMMIT"), SQLITE_OK);
		check_same(other, plain);
		check_same(db, plain);
		if (toss(3) == 0) {
			/* Another process writes right behind it. */
			make_transaction(&t);
			ck_assert_int_eq(run_transaction(other, &t, "COMMIT"), SQLITE_OK);
			ck_assert_int_eq(run_transaction(plain, &t, "COMMIT"), SQLITE_OK);
			written = true;
		}
		/* After a commit that failed half way the next start may find it done; that is so with SQLite alone,
		 * too. */
		if (written && toss(2))
			check_files(folder, plain);
		if (toss(6) == 0)
			checkpoint(toss(2) ? db : other);
	}
	ck_assert_msg(!fails || failed > rounds / 20, "%d failed", failed);
	check_integrity(db);
	sqlite3_close(db);
	sqlite3_close(other);
	sqlite3_close(plain);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(test_what_is_committed_is_in_the_files)
{
	random_work(_i ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", 250, 0, 0);
}
END_TEST

START_TEST(test_what_cannot_be_written_leaves_nothing)
{
	random_work(_i % 2 ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", 250, 8,
		    _i / 2 ? SQLITE_IOERR_WRITE : SQLITE_FULL);
}
END_TEST

START_TEST(test_a_commit_is_few_writes)
{
	char folder[64], command[96];

	install();
	scratch_folder(folder, sizeof folder);
	sqlite3 *db = open_db(folder, "w.db", wal_vfs_name(),
			      "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" MAKE_TABLE);
	for (int i = 0; i < 3; i++) {
		writes = largest = 0;
		/* 24 frames of 4120 bytes; the first of a log begun anew goes by itself. */
		must(db, "INSERT INTO t VALUES(NULL, 1, zeroblob(80000))");
		ck_assert_int_le(writes, 4);
		ck_assert_int_ge(largest, 10 * 4120);
		writes = largest = 0;
		must(db, "INSERT INTO t VALUES(NULL, 1, zeroblob(8000000))");
		ck_assert_int_le(writes, 2000 / 29 * 2 + 8);
		ck_assert_int_le(largest, 120 * 1024);
	}
	check_integrity(db);
	sqlite3_close(db);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("wal_vfs");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_what_is_committed_is_in_the_files, 0, 2);
	tcase_add_loop_test(tc, test_what_cannot_be_written_leaves_nothing, 0, 4);
	tcase_add_test(tc, test_a_commit_is_few_writes);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
