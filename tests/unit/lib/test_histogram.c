/* Durations: the error of a quantile, the exact greatest, the two ends, and recording from several threads. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/histogram.h"
#include "tests/unit/run_suite.h"

static struct histogram h;

static void set_up(void) { memset(&h, 0, sizeof(h)); }

/* The same numbers in each run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int by_value(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static void within_tenth(uint64_t got, uint64_t exact)
{
	ck_assert_msg((double)got >= 0.9 * (double)exact && (double)got <= 1.1 * (double)exact, "%llu ns for %llu ns",
		      (unsigned long long)got, (unsigned long long)exact);
}

START_TEST(test_nothing_recorded_is_zero)
{
	ck_assert_uint_eq(histogram_quantile(&h, 0.5), 0);
	ck_assert_uint_eq(histogram_max(&h), 0);
	ck_assert_uint_eq(histogram_count(&h), 0);
}
END_TEST

START_TEST(test_one_value_is_within_a_tenth_over_the_whole_range)
{
	for (uint64_t ns = 8 * NS_PER_US; ns < 600 * NS_PER_S; ns += ns / 37) {
		set_up();
		histogram_add(&h, ns);
		/* A greater one, so that the known greatest does not help. */
		histogram_add(&h, 3600 * NS_PER_S);
		within_tenth(histogram_quantile(&h, 0.5), ns);
	}
}
END_TEST

START_TEST(test_below_eight_microseconds_within_half_a_microsecond)
{
	for (uint64_t ns = 0; ns < 8 * NS_PER_US; ns += 100) {
		set_up();
		histogram_add(&h, ns);
		histogram_add(&h, NS_PER_S);
		uint64_t got = histogram_quantile(&h, 0.5);
		ck_assert_uint_le(got > ns ? got - ns : ns - got, NS_PER_US / 2);
	}
}
END_TEST

START_TEST(test_quantiles_of_many_values)
{
	enum { COUNT = 20000 };
	static const double quantiles[] = {0.01, 0.25, 0.5, 0.9, 0.99, 0.999};
	uint64_t *values = calloc(COUNT, sizeof(*values)), state = 88172645463325252u;

	ck_assert_ptr_nonnull(values);
	for (size_t i = 0; i < COUNT; i++) {
		/* 10 us to 10 s, as many in each octave. */
		values[i] = (10 * NS_PER_US << next_random(&state) % 20) + next_random(&state) % (10 * NS_PER_US);
		histogram_add(&h, values[i]);
	}
	qsort(values, COUNT, sizeof(*values), by_value);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		within_tenth(histogram_quantile(&h, quantiles[i]), values[(size_t)(quantiles[i] * COUNT) - 1]);
	ck_assert_uint_eq(histogram_quantile(&h, 1), values[COUNT - 1]);
	ck_assert_uint_eq(histogram_max(&h), values[COUNT - 1]);
	ck_assert_uint_eq(histogram_count(&h), COUNT);
	free(values);
}
END_TEST

START_TEST(test_no_quantile_is_above_the_greatest)
{
	histogram_add(&h, 1000 * NS_PER_US);
	histogram_add(&h, 1001 * NS_PER_US);
	for (double q = 0; q <= 1; q += 0.01)
		ck_assert_uint_le(histogram_quantile(&h, q), histogram_max(&h));
}
END_TEST

START_TEST(test_what_is_longer_than_all_buckets_is_counted_and_known)
{
	histogram_add(&h, UINT64_MAX);
	histogram_add(&h, UINT64_MAX);
	ck_assert_uint_eq(histogram_count(&h), 2);
	ck_assert_uint_eq(histogram_quantile(&h, 0.5), UINT64_MAX);
	ck_assert_uint_eq(histogram_max(&h), UINT64_MAX);
}
END_TEST

START_TEST(test_a_quantile_out_of_range_is_the_nearest)
{
	histogram_add(&h, 100 * NS_PER_US);
	histogram_add(&h, 200 * NS_PER_US);
	ck_assert_uint_eq(histogram_quantile(&h, -1), histogram_quantile(&h, 0));
	ck_assert_uint_eq(histogram_quantile(&h, 2), 200 * NS_PER_US);
}
END_TEST

START_TEST(test_reset_forgets)
{
	histogram_add(&h, NS_PER_S);
	histogram_reset(&h);
	ck_assert_uint_eq(histogram_count(&h), 0);
	ck_assert_uint_eq(histogram_max(&h), 0);
	ck_assert_uint_eq(histogram_quantile(&h, 0.5), 0);
}
END_TEST

/* Against the values themselves: each bound counts what is at most as long, to the nanosecond. */
START_TEST(test_a_snapshot_counts_up_to_each_bound)
{
	struct histogram_snapshot s;
	uint64_t state = 88172645463325252u, bounds[HISTOGRAM_BOUNDS], want[HISTOGRAM_BOUNDS] = {0}, sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++)
		bounds[i] = (UINT64_C(1) << (HISTOGRAM_FIRST_BOUND + i)) * NS_PER_US;
	for (int i = 0; i < 3000; i++, n++) {
		uint64_t ns = i < 3 * HISTOGRAM_BOUNDS ? bounds[i / 3] + (uint64_t)(i % 3) - 1
						       : next_random(&state) % (NS_PER_US << next_random(&state) % 26);
		histogram_add(&h, ns);
		sum += ns;
		for (size_t b = 0; b < HISTOGRAM_BOUNDS; b++)
			want[b] += ns <= bounds[b];
	}
	histogram_snapshot(&h, &s);
	for (size_t b = 0; b < HISTOGRAM_BOUNDS; b++)
		ck_assert_uint_eq(s.below[b], want[b]);
	ck_assert_uint_eq(s.count, n);
	ck_assert_uint_eq(s.sum_ns, sum);
}
END_TEST

static void *record(void *arg)
{
	uint64_t base = (uint64_t)(uintptr_t)arg;

	for (uint64_t i = 0; i < 10000; i++)
		histogram_add(&h, (base * 10000 + i) * NS_PER_US);
	return NULL;
}

START_TEST(test_threads_record_while_another_reads)
{
	pthread_t threads[4];

	for (uintptr_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, record, (void *)i), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_le(histogram_quantile(&h, 0.5), UINT64_C(44000) * NS_PER_US);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(histogram_count(&h), 40000);
	ck_assert_uint_eq(histogram_max(&h), 39999 * NS_PER_US);
	within_tenth(histogram_quantile(&h, 0.5), 20000 * NS_PER_US);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib");
	TCase *cases = tcase_create("histogram");

	tcase_set_timeout(cases, 30);
	tcase_add_checked_fixture(cases, set_up, NULL);
	tcase_add_test(cases, test_nothing_recorded_is_zero);
	tcase_add_test(cases, test_one_value_is_within_a_tenth_over_the_whole_range);
	tcase_add_test(cases, test_below_eight_microseconds_within_half_a_microsecond);
	tcase_add_test(cases, test_quantiles_of_many_values);
	tcase_add_test(cases, test_no_quantile_is_above_the_greatest);
	tcase_add_test(cases, test_what_is_longer_than_all_buckets_is_counted_and_known);
	tcase_add_test(cases, test_a_quantile_out_of_range_is_the_nearest);
	tcase_add_test(cases, test_reset_forgets);
	tcase_add_test(cases, test_a_snapshot_counts_up_to_each_bound);
	tcase_add_test(cases, test_threads_record_while_another_reads);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
