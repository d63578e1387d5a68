/* When SQLite's memory is used up, who took it is refused, and who needs little is not. */
#include <check.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "daemon/store/heap.h"
#include "tests/unit/run_suite.h"

#define LIMIT (64 << 20)
#define PIECE (1 << 20)

static void *pieces[2 * LIMIT / PIECE];

/* Takes piece after piece until one is refused; how many there were. */
static int take_all(void)
{
	int n = 0;

	while ((pieces[n] = sqlite3_malloc(PIECE)) != NULL)
		ck_assert_int_lt(++n, (int)(sizeof pieces / sizeof *pieces));
	return n;
}

static void give_back(int n)
{
	while (n > 0)
		sqlite3_free(pieces[--n]);
}

static void start(void)
{
	heap_install();
	heap_set_limit(LIMIT);
	heap_begin();
}

/* A thread that has begun afresh beside one that has everything. */
static void *take_little(void *arg)
{
	bool *all_there = arg;
	sqlite3 *db = NULL;
	void *p = sqlite3_malloc(PIECE / 2);

	heap_begin();
	*all_there = p && sqlite3_open(":memory:", &db) == SQLITE_OK &&
		     sqlite3_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT a FROM t", NULL, NULL,
				  NULL) == SQLITE_OK;
	sqlite3_close(db);
	sqlite3_free(p);
	return NULL;
}

START_TEST(the_greedy_leave_a_reserve)
{
	pthread_t thread;
	bool all_there = false;

	start();
	int n = take_all();
	ck_assert_int_ge(n, LIMIT / PIECE / 8 * 6);
	ck_assert_int_le(sqlite3_memory_used(), LIMIT / 8 * 7);
	ck_assert_ptr_null(sqlite3_realloc(pieces[0], 2 * PIECE));
	ck_assert_int_eq(pthread_create(&thread, NULL, take_little, &all_there), 0);
	pthread_join(thread, NULL);
	ck_assert(all_there);
	give_back(n);
	ck_assert_int_ge(take_all(), n);
	give_back(n);
}
END_TEST

START_TEST(the_reserve_is_no_way_around)
{
	int n = 0;

	start();
	/* Small pieces of work one after the other, which give nothing back. */
	while ((pieces[n] = sqlite3_malloc(PIECE)) != NULL) {
		ck_assert_int_lt(++n, (int)(sizeof pieces / sizeof *pieces));
		heap_begin();
	}
	ck_assert_int_le(sqlite3_memory_used(), LIMIT);
	ck_assert_int_gt(sqlite3_memory_used(), LIMIT / 8 * 7);
	/* To give back is to have taken less. */
	sqlite3_free(pieces[--n]);
	ck_assert_ptr_nonnull(pieces[n] = sqlite3_malloc(PIECE));
	give_back(n + 1);
}
END_TEST

START_TEST(what_must_not_fail)
{
	start();
	int n = take_all();
	heap_unbounded(true);
	void *p = sqlite3_malloc(LIMIT / 2);
	heap_unbounded(false);
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_nonnull(p = sqlite3_realloc(p, LIMIT / 4));
	ck_assert_ptr_null(sqlite3_malloc(PIECE));
	sqlite3_free(p);
	give_back(n);
	heap_set_limit(0);
	ck_assert_ptr_nonnull(p = sqlite3_malloc(2 * LIMIT));
	sqlite3_free(p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("heap");

	tcase_add_test(tc, the_greedy_leave_a_reserve);
	tcase_add_test(tc, the_reserve_is_no_way_around);
	tcase_add_test(tc, what_must_not_fail);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
