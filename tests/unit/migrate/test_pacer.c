/* The pacer's arithmetic, with times made up. */
#include <check.h>

#include "daemon/lib/clock.h"
#include "daemon/migrate/pacer.h"
#include "tests/unit/run_suite.h"

START_TEST(test_chunk_grows_to_a_quarter_of_the_hold_time)
{
	struct pacer p;
	pacer_init(&p, 4 * NS_PER_MS, 100000, 50);
	for (int i = 0; i < 30; i++)
		pacer_learn(&p, p.chunk_rows, (uint64_t)p.chunk_rows * 1000, 0);
	ck_assert_int_eq(p.chunk_rows, 1000);
	/* Rows that cost ten times as much. */
	for (int i = 0; i < 60; i++)
		pacer_learn(&p, p.chunk_rows, (uint64_t)p.chunk_rows * 10000, 0);
	ck_assert_int_ge(p.chunk_rows, 99);
	ck_assert_int_le(p.chunk_rows, 101);
	pacer_limits(&p, 4 * NS_PER_MS, 5, 50);
	ck_assert_int_eq(p.chunk_rows, 5);
}
END_TEST

START_TEST(test_duty_is_kept_only_beside_clients)
{
	struct pacer p;
	pacer_init(&p, 3 * NS_PER_MS, 5000, 25);
	ck_assert_uint_eq(pacer_pause(&p, 2 * NS_PER_MS, false), 0);
	ck_assert_uint_eq(pacer_pause(&p, 2 * NS_PER_MS, true), 6 * NS_PER_MS);
	pacer_limits(&p, 3 * NS_PER_MS, 5000, 100);
	ck_assert_uint_eq(pacer_pause(&p, 2 * NS_PER_MS, true), 0);
}
END_TEST

START_TEST(test_beside_clients_a_step_is_short_but_worth_its_commit)
{
	struct pacer p;
	pacer_init(&p, 3 * NS_PER_MS, 5000, 50);
	ck_assert_uint_eq(pacer_hold(&p), 3 * NS_PER_MS);
	p.clients = true;
	ck_assert_uint_eq(pacer_hold(&p), NS_PER_MS);
	/* Of 3 ms, one was for the rows. */
	pacer_learn(&p, 100, NS_PER_MS, 3 * NS_PER_MS);
	ck_assert_uint_eq(pacer_hold(&p), 2 * NS_PER_MS);
	/* Never longer than what is configured, however slow the disk. */
	for (int i = 0; i < 60; i++)
		pacer_learn(&p, 100, NS_PER_MS, 30 * NS_PER_MS);
	ck_assert_uint_eq(pacer_hold(&p), 3 * NS_PER_MS);
	/* Where clients write faster than it can follow, it is not gentle. */
	pacer_press(&p, NS_PER_S);
	p.commit_ns = 0;
	ck_assert_uint_eq(pacer_hold(&p), 3 * NS_PER_MS);
}
END_TEST

START_TEST(test_falling_behind_takes_a_larger_share_bit_by_bit)
{
	struct pacer p;
	pacer_init(&p, 3 * NS_PER_MS, 5000, 50);
	pacer_press(&p, NS_PER_S / 2);
	ck_assert_uint_eq(pacer_pause(&p, 1000, true), 1000);
	ck_assert_uint_eq(pacer_hold(&p), 3 * NS_PER_MS);
	pacer_press(&p, NS_PER_S);
	ck_assert_uint_eq(pacer_pause(&p, 1000, true), 0);
	ck_assert_uint_eq(pacer_hold(&p), 3 * NS_PER_MS);
	pacer_press(&p, 3 * NS_PER_S);
	ck_assert_uint_eq(pacer_hold(&p), 6 * NS_PER_MS);
	ck_assert_int_eq(pacer_share(&p), 55);
	pacer_press(&p, 20 * NS_PER_S);
	ck_assert_uint_eq(pacer_hold(&p), 30 * NS_PER_MS);
	ck_assert_int_eq(pacer_share(&p), 90);
	pacer_press(&p, 3600 * NS_PER_S);
	ck_assert_uint_eq(pacer_hold(&p), PACER_PRESS_MAX * 3 * NS_PER_MS);
	ck_assert_int_eq(pacer_share(&p), 90);
	pacer_press(&p, 0);
	ck_assert_uint_eq(pacer_pause(&p, 1000, true), 1000);
}
END_TEST

START_TEST(test_rate_looks_back_ten_seconds)
{
	struct pacer p;
	uint64_t now = 100 * NS_PER_S;
	pacer_init(&p, 3 * NS_PER_MS, 5000, 50);
	ck_assert_int_eq(pacer_eta(&p, now, 100), -1);
	for (int i = 0; i <= 2000; i++, now += 10 * NS_PER_MS)
		pacer_sample(&p, now, i * 100);
	ck_assert_double_eq_tol(pacer_rate(&p, now), 10000, 200);
	ck_assert_int_eq(pacer_eta(&p, now, 100000), 11);
	/* It stands still: the rate falls. */
	for (int i = 0; i < 1000; i++, now += 10 * NS_PER_MS)
		pacer_sample(&p, now, 200000);
	ck_assert_double_le(pacer_rate(&p, now), 1000);
	pacer_sample(&p, now, 5);
	ck_assert_double_eq(pacer_rate(&p, now), 0);
}
END_TEST

START_TEST(test_backoff_is_bounded)
{
	ck_assert_uint_eq(pacer_backoff(0), NS_PER_S / 4);
	ck_assert_uint_eq(pacer_backoff(2), NS_PER_S);
	ck_assert_uint_eq(pacer_backoff(4000000000U), 30 * NS_PER_S);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("migrate");
	TCase *c = tcase_create("pacer");
	tcase_set_timeout(c, 10);
	tcase_add_test(c, test_chunk_grows_to_a_quarter_of_the_hold_time);
	tcase_add_test(c, test_duty_is_kept_only_beside_clients);
	tcase_add_test(c, test_beside_clients_a_step_is_short_but_worth_its_commit);
	tcase_add_test(c, test_falling_behind_takes_a_larger_share_bit_by_bit);
	tcase_add_test(c, test_rate_looks_back_ten_seconds);
	tcase_add_test(c, test_backoff_is_bounded);
	suite_add_tcase(s, c);
	return run_suite(s);
}
