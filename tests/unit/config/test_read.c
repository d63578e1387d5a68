/* Reading: the grammar, the errors with their place, drop-ins in order, --set. Files live in a folder of each test's
 * own. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/scratch_folder.h"

static struct config config;
static struct error err;
static char folder[64];

static void set_up(void)
{
	config_init(&config);
	error_init(&err);
	scratch_folder(folder, sizeof folder);
}

static void in_folder(const char *name, char *out, size_t size)
{
	ck_assert_int_lt(snprintf(out, size, "%s/%s", folder, name), (int)size);
}

static void empty(const char *path)
{
	char name[512];
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
		ck_assert_int_lt(snprintf(name, sizeof(name), "%s/%s", path, entry->d_name), (int)sizeof(name));
		unlink(name);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

static void tear_down(void)
{
	char drop_ins[128];

	config_free(&config);
	error_clear(&err);
	in_folder("a.conf.d", drop_ins, sizeof(drop_ins));
	empty(drop_ins);
	empty(folder);
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	in_folder(name, path, sizeof(path));
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static int read_text(const char *text) { return config_read_text(&config, "t.conf", text, strlen(text), &err); }

static int read_file(const char *name)
{
	char path[256];
	in_folder(name, path, sizeof(path));
	return config_read_file(&config, path, &err);
}

START_TEST(test_sections_keys_and_comments)
{
	ck_assert_int_eq(read_text("# comment\n; another\n\n[store]\ncache=1MiB\n\treaders = 4\r\n[ limits ]\nwait=1s"),
			 0);
	ck_assert_int_eq(config.store_cache, 1 << 20);
	ck_assert_int_eq(config.store_readers, 4);
	ck_assert_int_eq(config.limits_wait, 1000);
}
END_TEST

START_TEST(test_nothing_is_the_defaults)
{
	struct config defaults;
	struct buf names = {0};

	config_init(&defaults);
	ck_assert_int_eq(config_read_text(&config, "t.conf", NULL, 0, &err), 0);
	ck_assert_int_eq(read_text("\n\n"), 0);
	config_diff(&defaults, &config, false, &names);
	ck_assert_str_eq(buf_cstr(&names), "");
	buf_free(&names);
	config_free(&defaults);
}
END_TEST

START_TEST(test_the_last_assignment_wins)
{
	ck_assert_int_eq(read_text("[store]\nreaders=3\nreaders=5\n[log]\nlevel=debug\n[store]\nreaders=6\n"), 0);
	ck_assert_int_eq(config.store_readers, 6);
}
END_TEST

static const struct {
	const char *text, *error;
} bad[] = {
	{"[store]\ncash = 1MiB\n", "t.conf:2: unknown key store.cash (did you mean store.cache?)"},
	{"[server]\ncache = 1MiB\n", "t.conf:2: unknown key server.cache (did you mean store.cache?)"},
	{"[store]\nzebra = 1\n", "t.conf:2: unknown key store.zebra"},
	{"[shop]\n", "t.conf:1: unknown section [shop]"},
	{"[]\n", "t.conf:1: unknown section []"},
	{"[store\n", "t.conf:1: a section is written [name], on a line of its own"},
	{"[store] cache = 1\n", "t.conf:1: a section is written [name], on a line of its own"},
	{"cache = 1MiB\n", "t.conf:1: a key stands before the first [section]"},
	{"[store]\n\n\ncache\n", "t.conf:4: a line is a [section], key = value, or a comment after # or ;"},
	{"[store]\n = 1\n", "t.conf:2: there is no key before the ="},
	{"[store]\nreaders = many", "t.conf:2: store.readers: \"many\" is not a whole number"},
	{"[store]\nreaders = 65", "t.conf:2: store.readers: 65 is out of range, it must be from 1 to 64"},
	{"[store]\nreaders = 3 # three", "t.conf:2: store.readers: \"3 # three\" is not a whole number"},
	{"[store]\n\x01\x02 = 3", "t.conf:2: unknown key store.??"},
};

START_TEST(test_an_error_names_file_line_and_reason)
{
	ck_assert_int_eq(read_text(bad[_i].text), -1);
	ck_assert_str_eq(err.message, bad[_i].error);
}
END_TEST

START_TEST(test_a_name_of_any_length_is_answered)
{
	struct buf text = {0};

	buf_puts(&text, "[store]\n");
	for (int i = 0; i < 100000; i++)
		buf_putc(&text, 'k');
	buf_puts(&text, "=1\n");
	ck_assert_int_eq(config_read_text(&config, "t.conf", text.data, text.len, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "t.conf:2: unknown key store.kkk"));
	buf_free(&text);
}
END_TEST

START_TEST(test_drop_ins_come_in_order_and_others_are_passed_over)
{
	char path[256];

	in_folder("a.conf.d", path, sizeof(path));
	ck_assert_int_eq(mkdir(path, 0700), 0);
	write_file("a.conf", "[store]\nreaders = 2\nqueue = 7\n");
	write_file("a.conf.d/20-b.conf", "[store]\nreaders = 20\n");
	write_file("a.conf.d/10-a.conf", "[store]\nreaders = 10\ngroup = 10\n");
	write_file("a.conf.d/99.conf~", "nonsense");
	write_file("a.conf.d/.hidden.conf", "nonsense");
	write_file("a.conf.d/.conf", "nonsense");
	ck_assert_int_eq(read_file("a.conf"), 0);
	ck_assert_int_eq(config.store_readers, 20);
	ck_assert_int_eq(config.store_group, 10);
	ck_assert_int_eq(config.store_queue, 7);
}
END_TEST

START_TEST(test_an_error_in_a_drop_in_names_it)
{
	char path[256];

	in_folder("a.conf.d", path, sizeof(path));
	ck_assert_int_eq(mkdir(path, 0700), 0);
	write_file("a.conf", "");
	write_file("a.conf.d/10.conf", "\n[log]\nlevle = info\n");
	ck_assert_int_eq(read_file("a.conf"), -1);
	ck_assert_ptr_nonnull(
		strstr(err.message, "a.conf.d/10.conf:3: unknown key log.levle (did you mean log.level?)"));
}
END_TEST

START_TEST(test_a_missing_file_and_a_folder_are_errors)
{
	ck_assert_int_eq(read_file("none.conf"), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "none.conf: cannot open: No such file"));
	error_clear(&err);
	ck_assert_int_eq(config_read_file(&config, folder, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "is not a file"));
	error_clear(&err);
	/* A device that never ends must not be read to its end. */
	ck_assert_int_eq(config_read_file(&config, "/dev/zero", &err), -1);
}
END_TEST

START_TEST(test_a_file_above_the_limit_is_refused)
{
	char path[256];
	struct buf text = {0};

	while (text.len < 1024 * 1024)
		buf_puts(&text, "# 345678901234\n\n");
	buf_truncate(&text, 1024 * 1024);
	write_file("a.conf", buf_cstr(&text));
	ck_assert_int_eq(read_file("a.conf"), 0);
	buf_putc(&text, '\n');
	write_file("a.conf", buf_cstr(&text));
	ck_assert_int_eq(read_file("a.conf"), -1);
	in_folder("a.conf", path, sizeof(path));
	ck_assert_ptr_nonnull(strstr(err.message, "is larger than 1048576 bytes"));
	buf_free(&text);
}
END_TEST

START_TEST(test_set_takes_one_assignment)
{
	ck_assert_int_eq(config_set(&config, "store.cache=1MiB", &err), 0);
	ck_assert_int_eq(config.store_cache, 1 << 20);
	ck_assert_int_eq(config_set(&config, "store.database = /a=b.db", &err), 0);
	ck_assert_str_eq(config.store_database, "/a=b.db");
}
END_TEST

START_TEST(test_set_refuses_what_is_none)
{
	static const char *const cases[][2] = {
		{"store", "--set: an assignment is written section.key=value"},
		{"store=1", "--set: an assignment is written section.key=value"},
		{"=a.b", "--set: an assignment is written section.key=value"},
		{"store.cash=1", "--set: unknown key store.cash (did you mean store.cache?)"},
		{"store.readers=0", "--set: store.readers: 0 is out of range, it must be from 1 to 64"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(config_set(&config, cases[i][0], &err), -1);
		ck_assert_str_eq(err.message, cases[i][1]);
		error_clear(&err);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *reading = tcase_create("read");

	tcase_set_timeout(reading, 10);
	tcase_add_checked_fixture(reading, set_up, tear_down);
	tcase_add_test(reading, test_sections_keys_and_comments);
	tcase_add_test(reading, test_nothing_is_the_defaults);
	tcase_add_test(reading, test_the_last_assignment_wins);
	tcase_add_loop_test(reading, test_an_error_names_file_line_and_reason, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(reading, test_a_name_of_any_length_is_answered);
	tcase_add_test(reading, test_drop_ins_come_in_order_and_others_are_passed_over);
	tcase_add_test(reading, test_an_error_in_a_drop_in_names_it);
	tcase_add_test(reading, test_a_missing_file_and_a_folder_are_errors);
	tcase_add_test(reading, test_a_file_above_the_limit_is_refused);
	tcase_add_test(reading, test_set_takes_one_assignment);
	tcase_add_test(reading, test_set_refuses_what_is_none);
	suite_add_tcase(suite, reading);
	return run_suite(suite);
}
