/* Values: what reads, what does not, the range's two ends, and the way back to text. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/setting.h"
#include "tests/unit/run_suite.h"

static struct config config;
static char why[256];

static void set_up(void) { config_init(&config); }
static void tear_down(void) { config_free(&config); }

static const struct setting *find(const char *section, const char *key)
{
	const struct setting *s = setting_find(section, strlen(section), key, strlen(key));
	ck_assert_ptr_nonnull(s);
	return s;
}

static int assign(const char *section, const char *key, const char *value)
{
	return setting_assign(&config, find(section, key), value, strlen(value), why, sizeof(why));
}

START_TEST(test_sizes_read_with_and_without_unit)
{
	ck_assert_int_eq(assign("store", "cache", "65536"), 0);
	ck_assert_int_eq(config.store_cache, 65536);
	ck_assert_int_eq(assign("store", "cache", "64KiB"), 0);
	ck_assert_int_eq(config.store_cache, 65536);
	ck_assert_int_eq(assign("store", "cache", " 3 MiB\r"), 0);
	ck_assert_int_eq(config.store_cache, 3 << 20);
	ck_assert_int_eq(assign("store", "cache", "2GiB"), 0);
	ck_assert_int_eq(config.store_cache, INT64_C(2) << 30);
}
END_TEST

START_TEST(test_times_need_their_unit)
{
	ck_assert_int_eq(assign("limits", "wait", "0ms"), 0);
	ck_assert_int_eq(config.limits_wait, 0);
	ck_assert_int_eq(assign("limits", "wait", "7 s"), 0);
	ck_assert_int_eq(config.limits_wait, 7000);
	ck_assert_int_eq(assign("limits", "wait", "5min"), 0);
	ck_assert_int_eq(config.limits_wait, 300000);
	ck_assert_int_eq(assign("limits", "wait", "5"), -1);
	ck_assert_ptr_nonnull(strstr(why, "unit"));
	ck_assert_int_eq(config.limits_wait, 300000);
}
END_TEST

START_TEST(test_percent_with_and_without_sign)
{
	ck_assert_int_eq(assign("migrate", "duty", "25"), 0);
	ck_assert_int_eq(config.migrate_duty, 25);
	ck_assert_int_eq(assign("migrate", "duty", "100%"), 0);
	ck_assert_int_eq(config.migrate_duty, 100);
	ck_assert_int_eq(assign("migrate", "duty", "101%"), -1);
	ck_assert_int_eq(assign("migrate", "duty", "0"), -1);
}
END_TEST

START_TEST(test_mode_is_octal)
{
	ck_assert_int_eq(assign("server", "socket_mode", "0666"), 0);
	ck_assert_int_eq(config.server_socket_mode, 0666);
	ck_assert_int_eq(assign("server", "socket_mode", "777"), 0);
	ck_assert_int_eq(config.server_socket_mode, 0777);
	ck_assert_int_eq(assign("server", "socket_mode", "0680"), -1);
	ck_assert_int_eq(assign("server", "socket_mode", "1000"), -1);
	ck_assert_ptr_nonnull(strstr(why, "0777"));
}
END_TEST

static const char *const bad_numbers[] = {
	"",     "-1",   "+1",  "1.5",   "1e3",    "0x10",     "ten",   "1 2",   "1KB",
	"1kib", "1TiB", "KiB", "1KiBs", "1 Ki B", "\xc2\xb2", "1,000", "1_000", "99999999999999999999999999x",
};

START_TEST(test_what_is_no_number_is_refused)
{
	ck_assert_int_eq(assign("store", "cache", bad_numbers[_i]), -1);
	ck_assert_int_eq(config.store_cache, 16 << 20);
	ck_assert_uint_gt(strlen(why), 0);
}
END_TEST

START_TEST(test_overflow_is_out_of_range_and_not_wrapped)
{
	static const char *const values[] = {
		"9223372036854775807",
		"9223372036854775808",
		"18446744073709551616",
		"18446744073709617152",
		"8589934592GiB",
		"17179869184GiB",
		"99999999999999999999999999999999999GiB",
	};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		ck_assert_int_eq(assign("store", "cache", values[i]), -1);
		ck_assert_ptr_nonnull(strstr(why, "out of range"));
	}
	ck_assert_int_eq(config.store_cache, 16 << 20);
}
END_TEST

static void write_number(char *out, size_t size, enum setting_type type, int64_t value)
{
	int n = type == SETTING_MODE ? snprintf(out, size, "%llo", (unsigned long long)value)
				     : snprintf(out, size, "%lld%s", (long long)value, type == SETTING_MS ? "ms" : "");
	ck_assert_int_lt(n, (int)size);
}

START_TEST(test_range_holds_at_both_ends_of_every_number)
{
	const struct setting *s = &settings[_i];
	char text[32];

	if (s->type == SETTING_STRING || s->type == SETTING_BOOL)
		return;
	for (int end = 0; end < 2; end++) {
		int64_t edge = end ? s->greatest : s->least, beyond = end ? edge + 1 : edge - 1;
		write_number(text, sizeof(text), s->type, edge);
		ck_assert_int_eq(setting_assign(&config, s, text, strlen(text), why, sizeof(why)), 0);
		ck_assert_int_eq(*setting_number(&config, s), edge);
		if (beyond < 0)
			continue;
		write_number(text, sizeof(text), s->type, beyond);
		ck_assert_int_eq(setting_assign(&config, s, text, strlen(text), why, sizeof(why)), -1);
		ck_assert_int_eq(*setting_number(&config, s), edge);
	}
}
END_TEST

START_TEST(test_text_is_trimmed_and_bounded)
{
	char longest[SETTING_VALUE_MAX + 2];

	ck_assert_int_eq(assign("store", "database", " \t/a b/c.db \r"), 0);
	ck_assert_str_eq(config.store_database, "/a b/c.db");
	memset(longest, 'x', sizeof(longest));
	const struct setting *s = find("store", "database");
	ck_assert_int_eq(setting_assign(&config, s, longest, SETTING_VALUE_MAX, why, sizeof(why)), 0);
	ck_assert_uint_eq(strlen(config.store_database), SETTING_VALUE_MAX);
	ck_assert_int_eq(setting_assign(&config, s, longest, SETTING_VALUE_MAX + 1, why, sizeof(why)), -1);
	ck_assert_int_eq(assign("store", "database", "a\nb"), -1);
	ck_assert_int_eq(setting_assign(&config, s, "a\0b", 3, why, sizeof(why)), -1);
	ck_assert_uint_eq(strlen(config.store_database), SETTING_VALUE_MAX);
}
END_TEST

static void formats_as(const char *section, const char *key, const char *value, const char *text)
{
	struct buf out = {0};
	ck_assert_int_eq(assign(section, key, value), 0);
	setting_format(&config, find(section, key), &out);
	ck_assert_str_eq(buf_cstr(&out), text);
	buf_free(&out);
}

START_TEST(test_format_takes_the_greatest_unit_that_divides)
{
	formats_as("store", "cache", "1073741824", "1GiB");
	formats_as("store", "cache", "1048577", "1048577");
	formats_as("store", "cache", "1536KiB", "1536KiB");
	formats_as("store", "disk_reserve", "0", "0");
	formats_as("limits", "wait", "90s", "90s");
	formats_as("limits", "wait", "120s", "2min");
	formats_as("limits", "wait", "0s", "0ms");
	formats_as("limits", "wait", "1500ms", "1500ms");
	formats_as("migrate", "duty", "50%", "50");
	formats_as("server", "socket_mode", "660", "0660");
	formats_as("store", "readers", "007", "7");
}
END_TEST

START_TEST(test_a_misspelt_key_finds_its_neighbour)
{
	static const struct {
		const char *section, *key, *near;
	} cases[] = {
		{"store", "cash", "cache"},      {"store", "reader", "readers"}, {"server", "cache", "cache"},
		{"limits", "txtime", "tx_time"}, {"store", "zzz", NULL},         {"store", "", NULL},
		{"nowhere", "level", "level"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct setting *s = setting_suggest(cases[i].section, strlen(cases[i].section), cases[i].key,
							  strlen(cases[i].key));
		if (!cases[i].near) {
			ck_assert_ptr_null(s);
			continue;
		}
		ck_assert_ptr_nonnull(s);
		ck_assert_str_eq(s->key, cases[i].near);
	}
	char longest[SETTING_NAME_MAX + 1];
	memset(longest, 'q', sizeof(longest));
	ck_assert_ptr_null(setting_suggest("store", 5, longest, sizeof(longest)));
	ck_assert_ptr_null(setting_suggest("store", 5, longest, sizeof(longest) - 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *values = tcase_create("value");

	tcase_set_timeout(values, 10);
	tcase_add_checked_fixture(values, set_up, tear_down);
	tcase_add_test(values, test_sizes_read_with_and_without_unit);
	tcase_add_test(values, test_times_need_their_unit);
	tcase_add_test(values, test_percent_with_and_without_sign);
	tcase_add_test(values, test_mode_is_octal);
	tcase_add_loop_test(values, test_what_is_no_number_is_refused, 0,
			    (int)(sizeof(bad_numbers) / sizeof(bad_numbers[0])));
	tcase_add_test(values, test_overflow_is_out_of_range_and_not_wrapped);
	tcase_add_loop_test(values, test_range_holds_at_both_ends_of_every_number, 0, (int)settings_count);
	tcase_add_test(values, test_text_is_trimmed_and_bounded);
	tcase_add_test(values, test_format_takes_the_greatest_unit_that_divides);
	tcase_add_test(values, test_a_misspelt_key_finds_its_neighbour);
	suite_add_tcase(suite, values);
	return run_suite(suite);
}
