/* The shell's texts: where statements end and how REALs look, against SQLite itself; the history's lines. */
#include <check.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/render_text.c"
#include "client/ctl/shell_history.c"
#include "client/ctl/shell_split.c"
#include "client/ctl/text.c"
#include "tests/unit/run_suite.h"

void *must(void *p)
{
	ck_assert_ptr_nonnull(p);
	return p;
}

bool sql_needs_quotes(const char *name) { return strchr(name, ' ') != NULL; }

static uint64_t drawn = 1;

/* The same each time. */
static uint64_t draw(void)
{
	drawn = drawn * 6364136223846793005u + 1442695040888963407u;
	return drawn >> 16 ^ drawn << 33;
}

/* Whether the text has the end of a statement, and nothing but blanks and comments behind the last one. */
static bool is_complete(const char *sql)
{
	struct split s = {0};
	bool ended = false;

	for (const char *p = sql; *p; p++)
		ended |= split_take(&s, *p);
	return ended && split_is_blank(&s);
}

START_TEST(statements_end_where_sqlite_says)
{
	static const char *const pieces[] = {
		";",   " ",    "\n",      "create ", "CREATE",  "temp ", "temporary ", "trigger ", "TRIGGER",
		"end", "END ", "a",       "begin",   "'",       "\"",    "`",          "[",        "]",
		"--",  "/*",   "*/",      "-",       "/",       "*",     "é",          "explain ", "query ",
		"_x",  "1",    "('a;b')", "-- c\n",  "/* ; */", ";END",  "; end;",     "tempo",    "createx",
	};

	for (int i = 0; i < 200000; i++) {
		char sql[256] = "";
		size_t n = 1 + draw() % 10;

		for (size_t k = 0; k < n; k++) {
			const char *piece = pieces[draw() % (sizeof(pieces) / sizeof(pieces[0]))];

			strncat(sql, piece, sizeof(sql) - strlen(sql) - 1);
		}
		ck_assert_msg(is_complete(sql) == (sqlite3_complete(sql) == 1), "%s: sqlite3_complete %d", sql,
			      sqlite3_complete(sql));
	}
}
END_TEST

START_TEST(each_statement_of_a_text_is_found)
{
	static const char sql[] =
		"SELECT 1;SELECT ';' -- ;\n;/* ; */;CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;"
		" SELECT CASE WHEN 1 THEN 2 END; END;SELECT 2;";
	struct split s = {0};
	int ends = 0, blanks = 0;

	for (const char *p = sql; *p; p++) {
		if (!split_take(&s, *p))
			continue;
		ends++;
		blanks += s.blank;
	}
	ck_assert_int_eq(ends, 5);
	ck_assert_int_eq(blanks, 1);
}
END_TEST

START_TEST(first_words)
{
	char word[12];

	split_first_word(" -- x\n/* y */ begin;", word, sizeof(word));
	ck_assert_str_eq(word, "BEGIN");
	split_first_word("abcdefghijklmnop", word, sizeof(word));
	ck_assert_str_eq(word, "");
	split_first_word("/* open", word, sizeof(word));
	ck_assert_str_eq(word, "");
}
END_TEST

static void check_real(double v)
{
	static const struct {
		int digits;
		const char *format;
	} forms[] = {{15, "%!.15g"}, {20, "%!.20g"}};

	for (size_t i = 0; i < 2; i++) {
		struct buf out = {0};
		char *want = sqlite3_mprintf(forms[i].format, v);

		text_real(&out, v, forms[i].digits);
		ck_assert_str_eq(buf_cstr(&out), want);
		sqlite3_free(want);
		buf_free(&out);
	}
}

START_TEST(reals_are_written_as_sqlite_writes_them)
{
	static const double some[] = {
		0.0,  -0.0, 1,    -1,    0.1,   0.5,    9.9999999999999995, 1e15, 1e16, 1e-4,   1e-5,
		1e22, 1e23, 1e99, 1e100, 1e308, 5e-324, 100000000000000.5,  2.5,  1e-7, 1.0 / 3};

	/* Later versions of SQLite compute the digits in another way; what they write is as good. */
	if (sqlite3_libversion_number() >= 3042000)
		return;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		check_real(some[i]);
	for (int i = 0; i < 100000; i++) {
		uint64_t bits = draw();
		double v;

		memcpy(&v, &bits, sizeof(v));
		if (isfinite(v))
			check_real(v);
		check_real((double)(int64_t)draw() / 1e6);
	}
}
END_TEST

START_TEST(history_lines_come_back)
{
	static const char *const entries[] = {"", "SELECT 1;", "a\nb\n", "\\", "\\n", "a\\\nb\\\\n", "é\t漢"};

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		struct buf line = {0}, entry = {0};

		history_encode(&line, entries[i], strlen(entries[i]));
		ck_assert_ptr_null(strchr(buf_cstr(&line), '\n'));
		history_decode(&entry, buf_cstr(&line), line.len);
		ck_assert_str_eq(buf_cstr(&entry), entries[i]);
		buf_free(&line);
		buf_free(&entry);
	}
}
END_TEST

START_TEST(line_ends_in_literals_have_a_stand_in_that_does_not_occur)
{
	static const char *const cases[][2] = {
		{"it's", "'it''s'"},
		{"a\nb", "replace('a\\nb','\\n',char(10))"},
		{"a\nb\\n", "replace('a\\012b\\n','\\012',char(10))"},
		{"\n\\n\\012", "replace('(\\n0)\\n\\012','(\\n0)',char(10))"},
		{"\r\n", "replace(replace('\\r\\n','\\r',char(13)),'\\n',char(10))"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = {0};

		text_quoted_lines(&out, cases[i][0], strlen(cases[i][0]), false);
		ck_assert_str_eq(buf_cstr(&out), cases[i][1]);
		buf_free(&out);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client/shell_text");
	TCase *t = tcase_create("texts");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, statements_end_where_sqlite_says);
	tcase_add_test(t, each_statement_of_a_text_is_found);
	tcase_add_test(t, first_words);
	tcase_add_test(t, reals_are_written_as_sqlite_writes_them);
	tcase_add_test(t, history_lines_come_back);
	tcase_add_test(t, line_ends_in_literals_have_a_stand_in_that_does_not_occur);
	suite_add_tcase(s, t);
	return run_suite(s);
}
