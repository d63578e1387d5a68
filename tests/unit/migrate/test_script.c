/*
 * Scripts: each folder of tests/golden/script is a text and its statements with their lines, or the error. What the
 * statements are made of must stand in the text, and each alone must be one statement again.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/script.h"
#include "tests/unit/run_suite.h"

#define FOLDERS_MAX 200

static char folders[FOLDERS_MAX][256];
static int nfolders;

static char *slurp(const char *folder, const char *name, size_t *ret_n)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s: no such file", path);
	char *text = calloc(1, 65536);
	ck_assert_ptr_nonnull(text);
	*ret_n = fread(text, 1, 65535, f);
	fclose(f);
	return text;
}

/* `@3 text` for each statement, with `|` for the lines that go on; or the error. */
static void describe(struct pool *pool, const char *text, size_t n, struct buf *out)
{
	struct error err = {0};
	struct script script;

	if (script_split(pool, text, n, 1, &script, &err) != 0) {
		buf_printf(out, "error %s\n%s\n", err.message, buf_cstr(&err.data));
		error_clear(&err);
		return;
	}
	for (size_t i = 0; i < script.n; i++) {
		buf_printf(out, "@%lld ", (long long)script.at[i].line);
		for (const char *c = script.at[i].sql; *c; c++)
			if (*c == '\n')
				buf_puts(out, "\n  | ");
			else if (*c != '\r')
				buf_putc(out, *c);
		buf_putc(out, '\n');
	}
}

START_TEST(test_script_is_split_as_expected)
{
	const char *folder = folders[_i];
	size_t n, expect_n;
	char *text = slurp(folder, "in.sql", &n), *expect = slurp(folder, "expect.txt", &expect_n);
	struct pool pool = {0};
	struct buf got = {0};

	describe(&pool, text, n, &got);
	ck_assert_msg(strcmp(buf_cstr(&got), expect) == 0, "%s:\n%s\n-- wanted:\n%s", folder, buf_cstr(&got), expect);
	buf_free(&got);
	pool_free(&pool);
	free(text);
	free(expect);
}
END_TEST

START_TEST(test_script_statement_is_one_again)
{
	size_t n;
	char *text = slurp(folders[_i], "in.sql", &n);
	struct pool pool = {0};
	struct error err = {0};
	struct script script = {0}, one;

	if (script_split(&pool, text, n, 1, &script, &err) != 0)
		error_clear(&err);
	for (size_t i = 0; i < script.n; i++) {
		const char *sql = script.at[i].sql;
		ck_assert_ptr_nonnull(memmem(text, n, sql, strlen(sql)));
		ck_assert_int_eq(script_split(&pool, sql, strlen(sql), 1, &one, &err), 0);
		ck_assert_uint_eq(one.n, 1);
		ck_assert_str_eq(one.at[0].sql, sql);
	}
	pool_free(&pool);
	free(text);
}
END_TEST

START_TEST(test_script_lines_go_on_from_the_first)
{
	static const char text[] = "\nSELECT 1;\n\nSELECT 2";
	struct pool pool = {0};
	struct error err = {0};
	struct script script;

	ck_assert_int_eq(script_split(&pool, text, strlen(text), 40, &script, &err), 0);
	ck_assert_uint_eq(script.n, 2);
	ck_assert_int_eq(script.at[0].line, 41);
	ck_assert_int_eq(script.at[1].line, 43);
	ck_assert_int_eq(script_split(&pool, "\n\n'", 3, 40, &script, &err), -1);
	ck_assert_str_eq(buf_cstr(&err.data), "\"line\":42");
	error_clear(&err);
	pool_free(&pool);
}
END_TEST

/* Beyond `len` nothing is read, and a NUL is no end. */
START_TEST(test_script_has_the_length_it_is_given)
{
	struct pool pool = {0};
	struct error err = {0};
	struct script script;
	char *exact = malloc(8);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, "SELECT 1", 8);
	ck_assert_int_eq(script_split(&pool, exact, 8, 1, &script, &err), 0);
	ck_assert_str_eq(script.at[0].sql, "SELECT 1");
	free(exact);
	ck_assert_int_eq(script_split(&pool, "SELECT 1;'", 9, 1, &script, &err), 0);
	ck_assert_uint_eq(script.n, 1);
	ck_assert_int_eq(script_split(&pool, "SELECT\n\0 1", 10, 1, &script, &err), -1);
	ck_assert_str_eq(err.message, "line 2: a NUL byte");
	error_clear(&err);
	ck_assert_int_eq(script_split(&pool, "SELECT 'a\0b'", 12, 1, &script, &err), -1);
	ck_assert_str_eq(err.message, "line 1: a NUL byte");
	error_clear(&err);
	ck_assert_int_eq(script_split(&pool, NULL, 0, 1, &script, &err), 0);
	ck_assert_uint_eq(script.n, 0);
	pool_free(&pool);
}
END_TEST

START_TEST(test_script_has_a_most)
{
	struct pool pool = {0};
	struct error err = {0};
	struct script script;
	struct buf text = {0};

	for (int i = 0; i < SCRIPT_STATEMENTS_MAX; i++)
		buf_puts(&text, "x;\n");
	ck_assert_int_eq(script_split(&pool, text.data, text.len, 1, &script, &err), 0);
	ck_assert_uint_eq(script.n, SCRIPT_STATEMENTS_MAX);
	ck_assert_int_eq(script.at[script.n - 1].line, SCRIPT_STATEMENTS_MAX);
	buf_puts(&text, "x");
	ck_assert_int_eq(script_split(&pool, text.data, text.len, 1, &script, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "more statements"));
	ck_assert_int_eq(err.code, errc_code(ERRC_MIGRATION_INVALID));
	error_clear(&err);
	buf_free(&text);
	pool_free(&pool);
}
END_TEST

static void find_folders(void)
{
	const char *path = ALTERD_SOURCE_DIR "/tests/golden/script";
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d)) && nfolders < FOLDERS_MAX;)
		if (e->d_name[0] != '.')
			snprintf(folders[nfolders++], sizeof(folders[0]), "%.150s/%.100s", path, e->d_name);
	if (d)
		closedir(d);
}

int main(void)
{
	find_folders();
	if (nfolders == 0) {
		fprintf(stderr, "no folders in tests/golden/script\n");
		return 1;
	}
	Suite *s = suite_create("migrate");
	TCase *c = tcase_create("script");
	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, test_script_is_split_as_expected, 0, nfolders);
	tcase_add_loop_test(c, test_script_statement_is_one_again, 0, nfolders);
	tcase_add_test(c, test_script_lines_go_on_from_the_first);
	tcase_add_test(c, test_script_has_the_length_it_is_given);
	tcase_add_test(c, test_script_has_a_most);
	suite_add_tcase(s, c);
	return run_suite(s);
}
