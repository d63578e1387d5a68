/* A thread's pulse: what moves it, and for how long a sync counts as moving. */
#include <check.h>
#include <pthread.h>

#include "daemon/lib/clock.h"
#include "daemon/store/pulse.h"
#include "tests/unit/run_suite.h"

#define S UINT64_C(1000000000)

static void *beat_without_one(void *arg)
{
	(void)arg;
	pulse_beat();
	pulse_sync_begins();
	pulse_sync_ends();
	return pulse_mine;
}

START_TEST(test_only_the_thread_itself_moves_it)
{
	struct pulse p = {0};
	pthread_t other;
	void *theirs = &p;

	pulse_mine = &p;
	pulse_beat();
	uint64_t first = pulse_read(&p, S);
	ck_assert_uint_eq(pulse_read(&p, 9 * S), first);
	ck_assert_int_eq(pthread_create(&other, NULL, beat_without_one, NULL), 0);
	ck_assert_int_eq(pthread_join(other, &theirs), 0);
	ck_assert_ptr_null(theirs);
	ck_assert_uint_eq(pulse_read(&p, 9 * S), first);
	pulse_beat();
	ck_assert_uint_ne(pulse_read(&p, 9 * S), first);
	pulse_mine = NULL;
}
END_TEST

START_TEST(test_a_sync_counts_for_its_time)
{
	struct pulse p = {0};

	pulse_mine = &p;
	pulse_sync_begins();
	uint64_t begun = atomic_load(&p.sync_since_ns);
	ck_assert_uint_gt(begun, 0);
	ck_assert_uint_ne(pulse_read(&p, begun + S), pulse_read(&p, begun + 2 * S));
	uint64_t late = begun + PULSE_SYNC_NS;
	ck_assert_uint_eq(pulse_read(&p, late), pulse_read(&p, late + S));
	uint64_t stuck = pulse_read(&p, late);
	pulse_sync_ends();
	ck_assert_uint_ne(pulse_read(&p, late), stuck);
	pulse_mine = NULL;
}
END_TEST

START_TEST(test_a_sync_is_timed)
{
	struct histogram syncs = {0};
	struct pulse p = {.syncs = &syncs};

	pulse_mine = &p;
	uint64_t before = clock_now_ns();
	pulse_sync_begins();
	pulse_sync_ends();
	pulse_sync_begins();
	ck_assert_uint_eq(histogram_count(&syncs), 1);
	pulse_sync_ends();
	ck_assert_uint_eq(histogram_count(&syncs), 2);
	ck_assert_uint_le(histogram_max(&syncs), clock_now_ns() - before);
	pulse_mine = NULL;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("pulse");

	tcase_set_timeout(tc, 10);
	tcase_add_test(tc, test_only_the_thread_itself_moves_it);
	tcase_add_test(tc, test_a_sync_counts_for_its_time);
	tcase_add_test(tc, test_a_sync_is_timed);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
