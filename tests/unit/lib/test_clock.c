/* Time: it goes forward, the fake takes its place, and its text. */
#include <check.h>
#include <string.h>

#include "daemon/lib/clock.h"
#include "tests/unit/run_suite.h"

static uint64_t fake_ns;
static int64_t fake_ms;

static uint64_t now_ns(void) { return fake_ns; }
static int64_t wall_ms(void) { return fake_ms; }

static void tear_down(void) { clock_fake(NULL, NULL); }

START_TEST(test_monotonic_time_does_not_go_back)
{
	uint64_t before = clock_now_ns();

	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_now_ns();
		ck_assert_uint_ge(now, before);
		before = now;
	}
	/* Not seconds, not microseconds: a machine has been up for more than a millisecond. */
	ck_assert_uint_gt(before, NS_PER_MS);
}
END_TEST

START_TEST(test_wall_time_is_in_milliseconds)
{
	/* Between 2020 and 2100. */
	ck_assert_int_gt(clock_wall_ms(), INT64_C(1577836800000));
	ck_assert_int_lt(clock_wall_ms(), INT64_C(4102444800000));
}
END_TEST

START_TEST(test_the_fake_replaces_both_and_goes_again)
{
	clock_fake(now_ns, wall_ms);
	fake_ns = 42;
	fake_ms = 43;
	ck_assert_uint_eq(clock_now_ns(), 42);
	ck_assert_int_eq(clock_wall_ms(), 43);
	clock_fake(NULL, NULL);
	ck_assert_uint_gt(clock_now_ns(), 42);
}
END_TEST

static const struct {
	int64_t wall_ms;
	const char *seconds, *milliseconds;
} texts[] = {
	{0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
	{INT64_C(1772359200123), "2026-03-01T10:00:00Z", "2026-03-01T10:00:00.123Z"},
	{INT64_C(951782400001), "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.001Z"},
	{-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z"},
	{-1000, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000Z"},
	{INT64_C(253402300799999), "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z"},
	{INT64_C(253402300800000), "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
	{INT64_MAX, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
	{INT64_MIN, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
};

START_TEST(test_text_of_a_time)
{
	char out[32];

	clock_format(texts[_i].wall_ms, 0, out);
	ck_assert_str_eq(out, texts[_i].seconds);
	clock_format(texts[_i].wall_ms, 3, out);
	ck_assert_str_eq(out, texts[_i].milliseconds);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib");
	TCase *cases = tcase_create("clock");

	tcase_set_timeout(cases, 10);
	tcase_add_checked_fixture(cases, NULL, tear_down);
	tcase_add_test(cases, test_monotonic_time_does_not_go_back);
	tcase_add_test(cases, test_wall_time_is_in_milliseconds);
	tcase_add_test(cases, test_the_fake_replaces_both_and_goes_again);
	tcase_add_loop_test(cases, test_text_of_a_time, 0, (int)(sizeof(texts) / sizeof(texts[0])));
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
