/* Errors: the first one counts, texts are cut between characters, data is JSON. */
#include "proto/value.h"
#include "tests/unit/proto/proto_test.h"

START_TEST(test_table_gives_code_name_and_retryable)
{
	struct error err = {0};

	ck_assert_int_eq(error_set(&err, ERRC_BUSY, "no turn within %d ms", 5), -1);
	ck_assert_int_eq(err.code, -32010);
	ck_assert_str_eq(err.name, "BUSY");
	ck_assert(err.retryable);
	ck_assert_str_eq(err.message, "no turn within 5 ms");
	ck_assert_int_eq(errc_code(ERRC_TX_EXPIRED), -32011);
	ck_assert_str_eq(errc_name(ERRC_IN_TRANSACTION), "IN_TRANSACTION");
	error_clear(&err);
	ck_assert(!error_is_set(&err));
}
END_TEST

START_TEST(test_first_failure_counts)
{
	struct error err;

	error_init(&err);
	error_set(&err, ERRC_DENIED, "first");
	ck_assert_int_eq(error_set(&err, ERRC_BUSY, "second"), -1);
	ck_assert_int_eq(error_set_sqlite(&err, 5, "SQLITE_BUSY", "third"), -1);
	ck_assert_str_eq(err.message, "first");
	ck_assert_str_eq(err.name, "DENIED");
	error_clear(&err);
}
END_TEST

START_TEST(test_sqlite_codes_are_kept)
{
	struct error err = {0};

	error_set_sqlite(&err, 2067, "SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: %s", "t.a");
	ck_assert_int_eq(err.code, 2067);
	ck_assert(!err.retryable);
	ck_assert_str_eq(err.message, "UNIQUE constraint failed: t.a");
	error_clear(&err);
}
END_TEST

START_TEST(test_data_members_are_escaped_and_move_along)
{
	struct error err = {0}, to = {0};

	error_set(&err, ERRC_BUSY, "x");
	error_add_int(&err, "waited_ms", 2000);
	error_add_str(&err, "holder", "s\"17");
	error_add_json(&err, "rows", "[1]");
	error_move(&to, &err);
	ck_assert(!error_is_set(&err));
	ck_assert_uint_eq(err.data.len, 0);
	ck_assert_str_eq(buf_cstr(&to.data), "\"waited_ms\":2000,\"holder\":\"s\\\"17\",\"rows\":[1]");
	error_clear(&to);
	error_clear(&to);
}
END_TEST

/* Whatever the length, what remains is whole characters and fills the space but for a few bytes. */
START_TEST(test_long_text_is_cut_between_characters)
{
	static const char *const units[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
	struct error err = {0};
	struct buf text = {0};
	size_t lead, i;

	for (lead = 0; lead < 4; lead++) {
		buf_reset(&text, 1 << 20);
		for (i = 0; i < lead; i++)
			buf_putc(&text, 'a');
		while (text.len < 600)
			buf_puts(&text, units[_i]);
		error_set(&err, ERRC_INTERNAL, "%s", buf_cstr(&text));
		ck_assert(utf8_valid(err.message, strlen(err.message)));
		ck_assert_uint_gt(strlen(err.message), sizeof err.message - 5);
		error_clear(&err);
	}
	buf_free(&text);
}
END_TEST

START_TEST(test_text_that_just_fits_is_whole)
{
	struct error err = {0};
	char text[sizeof err.message];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	error_set(&err, ERRC_INTERNAL, "%s", text);
	ck_assert_str_eq(err.message, text);
	error_clear(&err);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("error");

	tcase_add_test(tc, test_table_gives_code_name_and_retryable);
	tcase_add_test(tc, test_first_failure_counts);
	tcase_add_test(tc, test_sqlite_codes_are_kept);
	tcase_add_test(tc, test_data_members_are_escaped_and_move_along);
	tcase_add_loop_test(tc, test_long_text_is_cut_between_characters, 0, 4);
	tcase_add_test(tc, test_text_that_just_fits_is_whole);
	return run_case(tc);
}
