/* What a Tab could mean. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/render_text.c"
#include "client/ctl/shell_complete.c"
#include "client/ctl/shell_words.c"
#include "client/ctl/text.c"
#include "tests/unit/run_suite.h"

void *must(void *p)
{
	ck_assert_ptr_nonnull(p);
	return p;
}

/* A few commands stand for all. */
const struct dot_command dot_commands[] = {
	{.name = ".mode"}, {.name = ".tables"}, {.name = ".timer"}, {.name = "\\d"}, {0}};
const char *const dot_ctl_words[] = {".status", ".wait", NULL};

const struct command *dot_ctl_command(const char *word)
{
	static const struct command status = {.name = "status"};

	return strcmp(word, ".status") == 0 ? &status : NULL;
}

const struct dot_command *dot_find(const char *word)
{
	for (const struct dot_command *k = dot_commands; k->name; k++)
		if (strcmp(k->name, word) == 0)
			return k;
	return NULL;
}

const char *render_mode_name(enum render_mode mode)
{
	static const char *const names[] = {[MODE_LIST] = "list", [MODE_MARKDOWN] = "markdown", [MODE_LINE] = "line"};

	return mode <= MODE_LINE && names[mode] ? names[mode] : "box";
}

static char *user_columns[] = {(char[]){"id"}, (char[]){"name"}, (char[]){"the age"}};
static char *bill_columns[] = {(char[]){"id"}, (char[]){"namely"}};
static struct names_table tables[] = {
	{.name = (char[]){"bill"}, .columns = bill_columns, .ncolumns = 2},
	{.name = (char[]){"user"}, .columns = user_columns, .ncolumns = 3},
};
static char *others[] = {(char[]){"user_by_name"}};
static const struct names names = {.tables = tables, .ntables = 2, .others = others, .nothers = 1};

/* The candidates, "|" between them, and how far they agree. */
static void expect(const char *before, const char *line, const char *want, const char *common)
{
	struct completion c;
	struct buf seen = {0};

	complete(&names, before, line, &c);
	for (size_t i = 0; i < c.n; i++)
		buf_printf(&seen, "%s%s", i > 0 ? "|" : "", c.words[i]);
	ck_assert_str_eq(buf_cstr(&seen), want);
	ck_assert_uint_eq(completion_common(&c), strlen(common));
	if (c.n > 0)
		ck_assert_int_eq(strncasecmp(c.words[0], common, strlen(common)), 0);
	completion_free(&c);
	buf_free(&seen);
}

START_TEST(tables_where_one_is_wanted)
{
	expect("", "SELECT * FROM ", "bill|user", "");
	expect("", "SELECT * FROM u", "user", "user");
	expect("", "select * from bill join US", "user", "user");
	expect("", "INSERT INTO b", "bill", "bill");
	expect("", "UPDATE x", "", "");
}
END_TEST

START_TEST(columns_of_the_tables_that_are_named)
{
	expect("", "SELECT * FROM user WHERE nam", "name", "name");
	expect("", "SELECT * FROM user, bill WHERE nam", "name|namely", "name");
	/* In the line before, and in quotes. */
	expect("SELECT * FROM \"bill\"\n", "WHERE name", "namely", "namely");
	expect("", "SELECT * FROM bill AS b WHERE b.", "id|namely", "");
	expect("", "SELECT * FROM bill b JOIN user u ON u.n", "name", "name");
	expect("", "SELECT user.", "\"the age\"|id|name", "");
	expect("", "SELECT x.", "", "");
	/* None is named yet: any may be. */
	expect("", "SELECT namel", "namely", "namely");
}
END_TEST

START_TEST(words_of_sql_as_one_writes_them)
{
	expect("", "SEL", "SELECT", "SELECT");
	expect("", "sel", "select", "select");
	expect("", "SELECT 1 UNIO", "UNION", "UNION");
	expect("", "DROP INDEX user_", "user_by_name", "user_by_name");
	expect("", "", "bill|user", "");
}
END_TEST

START_TEST(commands_and_their_arguments)
{
	expect("", ".t", ".tables|.timer", ".t");
	expect("", ".st", ".status", ".status");
	expect("", ".wa", "", "");
	expect("", "\\", "\\d", "\\d");
	expect("", ".mode mark", "markdown", "markdown");
	expect("", ".timer o", "off|on", "o");
	expect("", "\\d us", "user|user_by_name", "user");
	/* In the middle of a statement a dot begins no command. */
	expect("SELECT\n", ".t", "", "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client/shell_complete");
	TCase *t = tcase_create("candidates");

	tcase_add_test(t, tables_where_one_is_wanted);
	tcase_add_test(t, columns_of_the_tables_that_are_named);
	tcase_add_test(t, words_of_sql_as_one_writes_them);
	tcase_add_test(t, commands_and_their_arguments);
	suite_add_tcase(s, t);
	return run_suite(s);
}
