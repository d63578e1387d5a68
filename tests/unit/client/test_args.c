/* The command line: options anywhere, arguments as values. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/args.c"
#include "tests/unit/run_suite.h"

/* What args.c uses of its neighbours, without their output. */
void say(const char *format, ...) { (void)format; }
const char *nearest(const char *word, const char *const *words)
{
	(void)word, (void)words;
	return NULL;
}

static struct ctl c;
static char *arguments[16];
static int kept;

static int take(const char *line)
{
	static char text[256];
	int n = 0;

	memset(&c, 0, sizeof(c));
	c.timeout_ms = -1;
	snprintf(text, sizeof(text), "%s", line);
	for (char *p = text, *word; (word = strsep(&p, " ")) != NULL;)
		arguments[n++] = word;
	return args_take(&c, n, arguments, &kept);
}

START_TEST(options_stand_anywhere)
{
	ck_assert_int_eq(take("--json query --socket /s SELECT --timeout=1.5 7 -q"), 0);
	ck_assert_int_eq(kept, 3);
	ck_assert_str_eq(arguments[0], "query");
	ck_assert_str_eq(arguments[1], "SELECT");
	ck_assert_str_eq(arguments[2], "7");
	ck_assert_uint_eq(c.flags, FLAG_JSON | FLAG_QUIET);
	ck_assert_str_eq(c.socket, "/s");
	ck_assert_int_eq(c.timeout_ms, 1500);
}
END_TEST

START_TEST(negative_numbers_and_a_dash_are_arguments)
{
	ck_assert_int_eq(take("query - -5 -.5 -1e3 --text"), 0);
	ck_assert_int_eq(kept, 5);
	ck_assert_int_eq(take("query -- --json -f"), 0);
	ck_assert_int_eq(kept, 3);
	ck_assert_str_eq(arguments[1], "--json");
	ck_assert_uint_eq(c.flags, 0);
}
END_TEST

START_TEST(slips_are_usage_errors)
{
	ck_assert_int_eq(take("query --jsn"), EXIT_USAGE);
	ck_assert_int_eq(take("query -z"), EXIT_USAGE);
	ck_assert_int_eq(take("query --json=1"), EXIT_USAGE);
	ck_assert_int_eq(take("query --socket"), EXIT_USAGE);
	ck_assert_int_eq(take("query --timeout x"), EXIT_USAGE);
	ck_assert_int_eq(take("query --timeout 0"), EXIT_USAGE);
	ck_assert_int_eq(take("query --timeout 86401"), EXIT_USAGE);
	ck_assert_int_eq(take("query --timeout 86400"), 0);
}
END_TEST

START_TEST(a_command_takes_only_its_own_options)
{
	static const struct command alter = {.name = "alter", .flags = FLAG_DETACH | FLAG_FORCE};
	static const struct command query = {.name = "query", .flags = FLAG_TEXT};

	ck_assert_int_eq(take("alter -f --json --detach"), 0);
	ck_assert_int_eq(args_check(&c, &alter), 0);
	ck_assert_int_eq(args_check(&c, &query), EXIT_USAGE);
	ck_assert_int_eq(take("query --null -"), 0);
	ck_assert_str_eq(c.null_word, "-");
	ck_assert_int_eq(args_check(&c, &query), 0);
	ck_assert_int_eq(args_check(&c, &alter), EXIT_USAGE);
}
END_TEST

static void check_type(const char *arg, enum alterd_type want)
{
	ck_assert_msg(args_value(arg, false, NULL).type == want, "%s", arg);
}

START_TEST(arguments_become_values_as_one_writes_numbers)
{
	ck_assert_int_eq(args_value("9223372036854775807", false, NULL).i, INT64_MAX);
	ck_assert_int_eq(args_value("-9223372036854775808", false, NULL).i, INT64_MIN);
	ck_assert_double_eq(args_value("-0.25", false, NULL).r, -0.25);
	ck_assert_double_eq(args_value("1e6", false, NULL).r, 1e6);
	check_type("0", ALTERD_INT);
	check_type("-12", ALTERD_INT);
	check_type("1.50", ALTERD_REAL);
	check_type("-0.0", ALTERD_REAL);
	check_type("2E-3", ALTERD_REAL);
	static const char *const texts[] = {"",
					    "-",
					    "007",
					    "-007",
					    "+1",
					    "1.",
					    ".5",
					    "1e",
					    "0x1F",
					    "1 ",
					    " 1",
					    "-0",
					    "9223372036854775808",
					    "1e999",
					    "inf",
					    "nan",
					    "NULL",
					    "1_000",
					    "00.5",
					    "1.5.2"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_type(texts[i], ALTERD_TEXT);
}
END_TEST

START_TEST(text_and_null_can_be_forced)
{
	ck_assert_int_eq(args_value("7", true, NULL).type, ALTERD_TEXT);
	ck_assert_int_eq(args_value("-", false, "-").type, ALTERD_NULL);
	ck_assert_int_eq(args_value("-", true, "-").type, ALTERD_NULL);
	ck_assert_int_eq(args_value("", false, "").type, ALTERD_NULL);
	ck_assert_int_eq(args_value("7", false, "8").type, ALTERD_INT);
}
END_TEST

START_TEST(settings_are_key_and_whole_number)
{
	struct buf b = {0};

	jw_open(&b, '{');
	ck_assert_int_eq(args_setting("batch-rows=200", &b), 0);
	ck_assert_int_eq(args_setting("duty_percent=25", &b), 0);
	jw_close(&b, '}');
	ck_assert_str_eq(buf_cstr(&b), "{\"batch_rows\":200,\"duty_percent\":25}");
	ck_assert_int_eq(args_setting("batch-rows", &b), -1);
	ck_assert_int_eq(args_setting("=5", &b), -1);
	ck_assert_int_eq(args_setting("a=", &b), -1);
	ck_assert_int_eq(args_setting("a=1x", &b), -1);
	ck_assert_int_eq(args_setting("a=99999999999999999999", &b), -1);
	buf_free(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("args");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, options_stand_anywhere);
	tcase_add_test(t, negative_numbers_and_a_dash_are_arguments);
	tcase_add_test(t, slips_are_usage_errors);
	tcase_add_test(t, a_command_takes_only_its_own_options);
	tcase_add_test(t, arguments_become_values_as_one_writes_numbers);
	tcase_add_test(t, text_and_null_can_be_forced);
	tcase_add_test(t, settings_are_key_and_whole_number);
	suite_add_tcase(s, t);
	return run_suite(s);
}
