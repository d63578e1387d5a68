/* JSON read in place: values with their escapes, and texts that are none. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "client/lib/jread.h"
#include "tests/unit/run_suite.h"

/* Reads one value that fills the text. False if it does not. */
static bool read_value(const char *json, struct alterd_value *v, char **ret_text)
{
	char *text = strdup(json), *end = jr_value(text, v);

	*ret_text = text;
	return end && end == text + strlen(json);
}

static void check_int(const char *json, int64_t want)
{
	struct alterd_value v;
	char *text;

	ck_assert_msg(read_value(json, &v, &text), "%s", json);
	ck_assert_int_eq(v.type, ALTERD_INT);
	ck_assert_int_eq(v.i, want);
	free(text);
}

static void check_real(const char *json, double want)
{
	struct alterd_value v;
	char *text;

	ck_assert_msg(read_value(json, &v, &text), "%s", json);
	ck_assert_int_eq(v.type, ALTERD_REAL);
	ck_assert(v.r == want);
	free(text);
}

static void check_bytes(const char *json, enum alterd_type type, const char *want, size_t n)
{
	struct alterd_value v;
	char *text;

	ck_assert_msg(read_value(json, &v, &text), "%s", json);
	ck_assert_int_eq(v.type, type);
	ck_assert_uint_eq(v.s.n, n);
	ck_assert_mem_eq(v.s.p, want, n);
	ck_assert_int_eq(v.s.p[n], '\0');
	free(text);
}

START_TEST(integers_are_exact)
{
	check_int("0", 0);
	check_int("-7", -7);
	check_int("9007199254740993", 9007199254740993);
	check_int("{\"int\":\"9223372036854775807\"}", INT64_MAX);
	check_int("{\"int\":\"-9223372036854775808\"}", INT64_MIN);
	check_int("{ \"int\" : \"12\" }", 12);
	check_int("true", 1);
	check_int("false", 0);
}
END_TEST

START_TEST(reals_are_read_with_a_point_whatever_the_locale)
{
	check_real("1.0", 1.0);
	check_real("-0.0", 0.0);
	check_real("1e300", 1e300);
	check_real("1E-5", 1e-5);
	check_real("0.1", 0.1);
	check_real("{\"real\":\"inf\"}", (double)INFINITY);
	check_real("{\"real\":\"-inf\"}", -(double)INFINITY);
	check_real("{\"real\":1}", 1.0);
}
END_TEST

START_TEST(text_is_decoded_in_place)
{
	check_bytes("\"\"", ALTERD_TEXT, "", 0);
	check_bytes("\"Ada\"", ALTERD_TEXT, "Ada", 3);
	check_bytes("\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"", ALTERD_TEXT, "a\n\t\"\\/\b\f\r", 9);
	check_bytes("\"a\\u0000b\"", ALTERD_TEXT, "a\0b", 3);
	check_bytes("\"\\u00e9\\u20AC\"", ALTERD_TEXT, "\xc3\xa9\xe2\x82\xac", 5);
	check_bytes("\"\\ud83d\\ude00\"", ALTERD_TEXT, "\xf0\x9f\x98\x80", 4);
	check_bytes("{\"text\":\"/0E=\"}", ALTERD_TEXT, "\xff\x41", 2);
}
END_TEST

START_TEST(blobs_are_decoded_in_place)
{
	check_bytes("{\"blob\":\"\"}", ALTERD_BLOB, "", 0);
	check_bytes("{\"blob\":\"AP8=\"}", ALTERD_BLOB, "\x00\xff", 2);
	check_bytes("{\"blob\":\"AAECAwQFBgc=\"}", ALTERD_BLOB, "\0\1\2\3\4\5\6\7", 8);
}
END_TEST

START_TEST(what_is_no_value_is_refused)
{
	static const char *const bad[] = {
		"",
		"-",
		"+1",
		"01x",
		"1.2.3",
		"9223372036854775808",
		"nul",
		"nullx",
		"\"open",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\ud83d\"",
		"\"\\ude00\"",
		"{\"int\":\"12x\"}",
		"{\"int\":5}",
		"{\"real\":\"nan\"}",
		"{\"blob\":\"A\"}",
		"{\"blob\":\"AP8=\"",
		"{\"other\":\"1\"}",
		"{}",
		"[1]",
		"\"a\tb\"",
		"NaN",
		"Infinity",
		"{\"int\":\"\"}",
		"{\"blob\":\"AP8=\",\"x\":1}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct alterd_value v;
		char *text;

		ck_assert_msg(!read_value(bad[i], &v, &text), "%s", bad[i]);
		free(text);
	}
}
END_TEST

START_TEST(a_value_of_any_kind_is_passed_over)
{
	static const char *const good[] = {"1", "\"a\\\"]}\"", "[]", "[1,[2,{\"a\":\"]\"}]]", "{\"a\":{\"b\":[null]}}"};
	static const char *const bad[] = {"", "]", ",", "[1", "{\"a\":", "\"", "\"\\", "[\"a", "@"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char *text = strdup(good[i]);

		ck_assert_ptr_eq(jr_skip(text), text + strlen(text));
		free(text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *text = strdup(bad[i]);

		ck_assert_msg(!jr_skip(text), "%s", bad[i]);
		free(text);
	}
}
END_TEST

/* Every text cut off anywhere is refused, and never read beyond its end (the sanitizers watch). */
START_TEST(a_text_cut_anywhere_is_no_value)
{
	static const char whole[] = "{\"blob\":\"AAECAwQFBgc=\"}";
	static const char string[] = "\"a\\ud83d\\ude00\\n\"";

	for (size_t i = 0; i < sizeof(whole) - 1; i++) {
		char *text = strndup(whole, i);
		struct alterd_value v;

		ck_assert(!jr_value(text, &v));
		free(text);
	}
	for (size_t i = 0; i < sizeof(string) - 1; i++) {
		char *text = strndup(string, i);
		struct alterd_value v;

		ck_assert(!jr_value(text, &v));
		free(text);
	}
}
END_TEST

START_TEST(members_are_found_by_name)
{
	char text[] = "{ \"a\":1, \"bb\" : {\"a\":2}, \"c\":[3] }";
	int64_t v;

	ck_assert(jr_int(jr_member(text, "a"), &v));
	ck_assert_int_eq(v, 1);
	ck_assert_int_eq(*jr_member(text, "bb"), '{');
	ck_assert_int_eq(*jr_member(text, "c"), '[');
	ck_assert_ptr_null(jr_member(text, "b"));
	ck_assert_ptr_null(jr_member(jr_member(text, "c"), "a"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("jread");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, integers_are_exact);
	tcase_add_test(t, reals_are_read_with_a_point_whatever_the_locale);
	tcase_add_test(t, text_is_decoded_in_place);
	tcase_add_test(t, blobs_are_decoded_in_place);
	tcase_add_test(t, what_is_no_value_is_refused);
	tcase_add_test(t, a_value_of_any_kind_is_passed_over);
	tcase_add_test(t, a_text_cut_anywhere_is_no_value);
	tcase_add_test(t, members_are_found_by_name);
	suite_add_tcase(s, t);
	return run_suite(s);
}
