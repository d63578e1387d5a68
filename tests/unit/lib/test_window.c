/* The last seconds of a histogram. */
#include "daemon/lib/window.h"

#include <check.h>

#include "daemon/lib/clock.h"
#include "tests/unit/run_suite.h"

static struct histogram h;
static struct window w;

static void set_up(void)
{
	histogram_reset(&h);
	w = (struct window){0};
}

/* Within the width of a bucket. */
static void near(uint64_t got, uint64_t want_us)
{
	uint64_t want = want_us * NS_PER_US;

	ck_assert_uint_ge(got, want - want / 8);
	ck_assert_uint_le(got, want + want / 8);
}

static void second(const uint64_t *us, size_t n)
{
	for (size_t i = 0; i < n; i++)
		histogram_add(&h, us[i] * NS_PER_US);
	window_tick(&w, &h);
}

START_TEST(test_an_empty_window_is_zero)
{
	ck_assert_uint_eq(window_span(&w).count, 0);
	ck_assert_uint_eq(window_second(&w, 0).max_ns, 0);
	second(NULL, 0);
	ck_assert_uint_eq(window_second(&w, 0).count, 0);
	ck_assert_uint_eq(window_second(&w, 0).p99_ns, 0);
	ck_assert_uint_eq(window_second(&w, 0).max_ns, 0);
	ck_assert_uint_eq(window_second(&w, WINDOW_SECONDS + 7).count, 0);
}
END_TEST

START_TEST(test_a_second_has_only_its_own_values)
{
	second((uint64_t[]){100, 100, 100, 5000}, 4);
	second((uint64_t[]){20, 40}, 2);
	ck_assert_uint_eq(window_second(&w, 1).count, 4);
	near(window_second(&w, 1).p50_ns, 100);
	/* The greatest since the start is known exactly. */
	ck_assert_uint_eq(window_second(&w, 1).max_ns, 5000 * NS_PER_US);
	ck_assert_uint_eq(window_second(&w, 0).count, 2);
	near(window_second(&w, 0).max_ns, 40);
	second(NULL, 0);
	ck_assert_uint_eq(window_second(&w, 0).max_ns, 0);
}
END_TEST

START_TEST(test_the_span_forgets_what_is_older)
{
	second((uint64_t[]){900000}, 1);
	for (int i = 0; i < WINDOW_SPAN - 1; i++)
		second((uint64_t[]){100, 200}, 2);
	ck_assert_uint_eq(window_span(&w).count, 1 + 2 * (WINDOW_SPAN - 1));
	ck_assert_uint_eq(window_span(&w).max_ns, 900000 * NS_PER_US);
	second((uint64_t[]){100, 200}, 2);
	ck_assert_uint_eq(window_span(&w).count, 2 * WINDOW_SPAN);
	near(window_span(&w).max_ns, 200);
	near(window_span(&w).p50_ns, 100);
	/* The histogram itself does not. */
	ck_assert_uint_eq(histogram_max(&h), 900000 * NS_PER_US);
}
END_TEST

START_TEST(test_a_minute_is_kept_second_by_second)
{
	for (uint64_t i = 0; i < 2 * WINDOW_SECONDS + 5; i++)
		second((uint64_t[]){1000 + 100 * i}, 1);
	for (uint64_t ago = 0; ago < WINDOW_SECONDS; ago++)
		near(window_second(&w, ago).p50_ns, 1000 + 100 * (2 * WINDOW_SECONDS + 4 - ago));
	ck_assert_uint_eq(window_second(&w, WINDOW_SECONDS).count, 0);
}
END_TEST

START_TEST(test_quantiles_of_the_span_are_of_all_values_together)
{
	for (int i = 0; i < WINDOW_SPAN; i++)
		second((uint64_t[]){50, 50, 50, 50, 50, 50, 50, 50, 50, 50}, 10);
	second((uint64_t[]){7000, 7000, 7000}, 3);
	near(window_span(&w).p50_ns, 50);
	near(window_span(&w).p99_ns, 7000);
	near(window_span(&w).max_ns, 7000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib");
	TCase *cases = tcase_create("window");

	tcase_set_timeout(cases, 30);
	tcase_add_checked_fixture(cases, set_up, NULL);
	tcase_add_test(cases, test_an_empty_window_is_zero);
	tcase_add_test(cases, test_a_second_has_only_its_own_values);
	tcase_add_test(cases, test_the_span_forgets_what_is_older);
	tcase_add_test(cases, test_a_minute_is_kept_second_by_second);
	tcase_add_test(cases, test_quantiles_of_the_span_are_of_all_values_together);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
