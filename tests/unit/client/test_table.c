/* Rows in aligned columns. */
#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/patience.c"
#include "client/ctl/say.c"
#include "client/ctl/table.c"
#include "client/ctl/text.c"
#include "tests/unit/run_suite.h"

static struct buf rendered;

static struct table *begin(const struct ctl *c, const char *const *names)
{
	struct table *t = table_new(c);

	buf_init(&rendered);
	table_into(t, &rendered);
	for (; *names; names++)
		table_column(t, *names);
	return t;
}

static void expect(struct table *t, const char *want)
{
	table_end(t);
	table_free(t);
	ck_assert_str_eq(buf_cstr(&rendered), want);
	buf_free(&rendered);
}

START_TEST(columns_are_aligned_numbers_to_the_right)
{
	static const char *const names[] = {"id", "name", "amount", NULL};
	static const struct ctl c = {0};
	struct alterd_value rows[][3] = {
		{alterd_int(1), alterd_text("Ada"), alterd_real(12.5)},
		{alterd_int(100), alterd_text("Bo"), alterd_null()},
	};
	struct table *t = begin(&c, names);

	table_row(t, rows[0]);
	table_row(t, rows[1]);
	expect(t, " id  name  amount\n"
		  "---  ----  ------\n"
		  "  1  Ada     12.5\n"
		  "100  Bo    NULL\n");
}
END_TEST

START_TEST(null_is_told_from_the_text_that_says_so)
{
	static const char *const names[] = {"a", "b", "c", NULL};
	static const struct ctl c = {0};
	struct alterd_value row[] = {alterd_null(), alterd_text("NULL"), alterd_text("")};
	struct table *t = begin(&c, names);

	table_row(t, row);
	expect(t, "a     b       c\n"
		  "----  ------  -\n"
		  "NULL  'NULL'  \n");
}
END_TEST

START_TEST(wide_characters_count_two_columns)
{
	static const char *const names[] = {"x", "y", NULL};
	static const struct ctl c = {0};
	struct alterd_value rows[][2] = {
		{alterd_text("\xe6\xbc\xa2\xe5\xad\x97"), alterd_int(1)},
		{alterd_text("e\xcc\x81"), alterd_int(2)},
	};
	struct table *t;

	setlocale(LC_CTYPE, "C.UTF-8");
	t = begin(&c, names);
	table_row(t, rows[0]);
	table_row(t, rows[1]);
	expect(t, "x     y\n"
		  "----  -\n"
		  "\xe6\xbc\xa2\xe5\xad\x97  1\n"
		  "e\xcc\x81     2\n");
}
END_TEST

START_TEST(blobs_are_hexadecimal_and_cut_on_a_terminal_only)
{
	static const char *const names[] = {"b", NULL};
	static const struct ctl file = {0}, terminal = {.width = 80};
	char bytes[30] = {0};
	struct alterd_value small = alterd_blob("\x00\xff", 2), large = alterd_blob(bytes, sizeof(bytes));
	struct table *t = begin(&file, names);

	table_row(t, &small);
	table_row(t, &large);
	expect(t, "b\n"
		  "---------------------------------------------------------------\n"
		  "x'00FF'\n"
		  "x'000000000000000000000000000000000000000000000000000000000000'\n");
	t = begin(&terminal, names);
	table_row(t, &large);
	expect(t, "b\n"
		  "-----------------------------------------------------------------\n"
		  "x'000000000000000000000000000000000000000000000000...' (30 bytes)\n");
}
END_TEST

START_TEST(long_cells_are_cut_to_the_terminal)
{
	static const char *const names[] = {"id", "text", NULL};
	static const struct ctl c = {.width = 20};
	struct alterd_value row[] = {alterd_int(1), alterd_text("0123456789012345678901234567890")};
	struct table *t = begin(&c, names);

	table_row(t, row);
	expect(t, "id  text\n"
		  "--  ----------------\n"
		  " 1  012345678901234\xe2\x80\xa6\n");
}
END_TEST

START_TEST(control_characters_are_spelled_out)
{
	static const char *const names[] = {"\033[2J", NULL};
	static const struct ctl c = {0};
	struct alterd_value row[] = {alterd_text("a\nb\033[0m")};
	struct table *t = begin(&c, names);

	table_row(t, row);
	expect(t, "\\x1b[2J\n"
		  "-----------\n"
		  "a\\nb\\x1b[0m\n");
}
END_TEST

START_TEST(rows_beyond_those_kept_flow_through)
{
	static const char *const names[] = {"n", NULL};
	static const struct ctl c = {0};
	struct table *t = begin(&c, names);
	const char *p;
	int lines = 0;

	for (int i = 0; i < 2500; i++) {
		struct alterd_value v = alterd_int(i);

		table_row(t, &v);
	}
	table_end(t);
	table_free(t);
	for (p = buf_cstr(&rendered); (p = strchr(p, '\n')); p++)
		lines++;
	ck_assert_int_eq(lines, 2502);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&rendered), "\n2499\n"));
	buf_free(&rendered);
}
END_TEST

START_TEST(errors_map_to_exit_codes)
{
	ck_assert_int_eq(exit_code_of(ALTERD_E_UNREACHABLE, "", true, ""), EXIT_UNREACHABLE);
	ck_assert_int_eq(exit_code_of(ALTERD_E_CLOSED, "", true, ""), EXIT_UNREACHABLE);
	ck_assert_int_eq(exit_code_of(ALTERD_E_REFUSED, "", false, ""), EXIT_DENIED);
	ck_assert_int_eq(exit_code_of(-32002, "DENIED", false, ""), EXIT_DENIED);
	ck_assert_int_eq(exit_code_of(ALTERD_E_TIMEOUT, "TIMEOUT", true, ""), EXIT_RETRY);
	ck_assert_int_eq(exit_code_of(-32010, "BUSY", true, ""), EXIT_RETRY);
	ck_assert_int_eq(exit_code_of(9, "SQLITE_INTERRUPT", false, "{\"reason\":\"timeout\"}"), EXIT_RETRY);
	ck_assert_int_eq(exit_code_of(9, "SQLITE_INTERRUPT", false, "{\"reason\":\"cancel\"}"), EXIT_FAILED);
	ck_assert_int_eq(exit_code_of(2067, "SQLITE_CONSTRAINT_UNIQUE", false, "{}"), EXIT_FAILED);
}
END_TEST

START_TEST(a_slip_is_met_with_the_nearest_word)
{
	static const char *const words[] = {"status", "stats", "sessions", "query", "alter", "abort", NULL};

	ck_assert_str_eq(nearest("statsu", words), "status");
	ck_assert_str_eq(nearest("quary", words), "query");
	ck_assert_str_eq(nearest("sess", words), "sessions");
	ck_assert_str_eq(nearest("alert", words), "alter");
	ck_assert_ptr_null(nearest("frobnicate", words));
	ck_assert_ptr_null(nearest("x", words));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("table");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, columns_are_aligned_numbers_to_the_right);
	tcase_add_test(t, null_is_told_from_the_text_that_says_so);
	tcase_add_test(t, wide_characters_count_two_columns);
	tcase_add_test(t, blobs_are_hexadecimal_and_cut_on_a_terminal_only);
	tcase_add_test(t, long_cells_are_cut_to_the_terminal);
	tcase_add_test(t, control_characters_are_spelled_out);
	tcase_add_test(t, rows_beyond_those_kept_flow_through);
	tcase_add_test(t, errors_map_to_exit_codes);
	tcase_add_test(t, a_slip_is_met_with_the_nearest_word);
	suite_add_tcase(s, t);
	return run_suite(s);
}
