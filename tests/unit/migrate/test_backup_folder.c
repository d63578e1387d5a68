/* The folder of backups: names, what is listed, read and deleted, and what is left over. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/migrate/backup_folder.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/scratch_folder.h"

static char folder[64];
static struct error err;
static struct buf out;

static void set_up(void)
{
	scratch_folder(folder, sizeof folder);
	err = (struct error){0};
	out = (struct buf){0};
}

static void tear_down(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
	error_clear(&err);
	buf_free(&out);
}

/* A file of n bytes, so many seconds old. */
static void put(const char *name, const char *text, int age_s)
{
	struct buf path = {0};

	backup_path(folder, name, &path);
	int fd = open(buf_cstr(&path), O_WRONLY | O_CREAT | O_EXCL, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	struct timespec times[2] = {{.tv_sec = 1000000 - age_s}, {.tv_sec = 1000000 - age_s}};
	ck_assert_int_eq(futimens(fd, times), 0);
	close(fd);
	buf_free(&path);
}

START_TEST(test_names_that_are_none_are_refused)
{
	static const char *const bad[] = {
		"", ".", "..", ".x", "a/b", "/", "x-wal", "x-shm", "x-journal", "x.alterd-lock", "a\tb", "a\x7f"};
	static const char *const good[] = {"x", "pre-15.db", "a b", "\xc3\xa4.db", "-x", "x..db", "wal"};
	char longest[BACKUP_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(backup_name_check(bad[i], &err) == -1, "%s", bad[i]);
		ck_assert_int_eq(err.code, errc_code(ERRC_INVALID_PARAMS));
		error_clear(&err);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(backup_name_check(good[i], &err) == 0, "%s", good[i]);
	memset(longest, 'x', sizeof(longest));
	longest[BACKUP_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(backup_name_check(longest, &err), -1);
	error_clear(&err);
	longest[BACKUP_NAME_MAX] = '\0';
	ck_assert_int_eq(backup_name_check(longest, &err), 0);
}
END_TEST

START_TEST(test_made_names_are_names_and_automatic_ones_are_known)
{
	static const char *const others[] = {"before-15.db",
					     "before-15-20260301T100000Z",
					     "before--20260301T100000Z.db",
					     "before-15-20260301T100000Z-.db",
					     "before-15-20260301T100000Z-12345.db",
					     "before-15-2026030T100000Z.db",
					     "before-15-20260301T100000Z.",
					     "xbefore-15-20260301T100000Z.db",
					     "before-15-20260301T100000ZZ.db"};
	char name[BACKUP_NAME_MAX + 1];

	backup_name_make("app.db", 15, INT64_C(1772359200123), 0, name);
	ck_assert_str_eq(name, "before-15-20260301T100000Z.app.db");
	ck_assert_str_eq(backup_name_owner(name), "app.db");
	backup_name_make("data", 20260301095900, INT64_C(1772359200123), 3, name);
	ck_assert_str_eq(name, "before-20260301095900-20260301T100000Z-4.data");
	ck_assert_str_eq(backup_name_owner(name), "data");
	backup_name_make(NULL, 0, INT64_C(1772359200123), 1, name);
	ck_assert_str_eq(name, "backup-20260301T100000Z-2.db");
	ck_assert_ptr_null(backup_name_owner(name));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(!backup_name_owner(others[i]), "%s", others[i]);
}
END_TEST

START_TEST(test_a_list_has_files_with_a_name_the_oldest_first)
{
	put("b.db", "12345", 10);
	put("a.db", "1", 5);
	put(".hidden", "1", 5);
	put("x-wal", "1", 5);
	ck_assert_int_eq(mkdirat(open(folder, O_RDONLY), "folder.db", 0700), 0);
	ck_assert_int_eq(backup_list(folder, &out, &err), 0);
	const char *text = buf_cstr(&out), *b = strstr(text, "{\"name\":\"b.db\",\"bytes\":5,");
	ck_assert_msg(b && strstr(b, "{\"name\":\"a.db\",\"bytes\":1,"), "%s", text);
	ck_assert_ptr_null(strstr(text, "hidden"));
	ck_assert_ptr_null(strstr(text, "wal"));
	ck_assert_ptr_null(strstr(text, "folder.db"));
	buf_reset(&out, 0);
	ck_assert_int_eq(backup_list("/nowhere/at/all", &out, &err), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\"backups\":[]"));
}
END_TEST

START_TEST(test_reading_stays_within_the_file_and_the_folder)
{
	put("a.db", "hello", 0);
	ck_assert_int_eq(backup_read(folder, "a.db", 1, 3, &out, &err), 0);
	ck_assert_str_eq(buf_cstr(&out), "{\"offset\":1,\"total\":5,\"data\":\"ZWxs\"}");
	buf_reset(&out, 4096);
	ck_assert_int_eq(backup_read(folder, "a.db", 3, 1000000, &out, &err), 0);
	ck_assert_str_eq(buf_cstr(&out), "{\"offset\":3,\"total\":5,\"data\":\"bG8=\"}");
	buf_reset(&out, 4096);
	ck_assert_int_eq(backup_read(folder, "a.db", INT64_MAX, INT64_MAX, &out, &err), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\"data\":\"\""));
	ck_assert_int_eq(backup_read(folder, "b.db", 0, 1, &out, &err), -1);
	ck_assert_int_eq(err.code, errc_code(ERRC_NOT_FOUND));
	error_clear(&err);
	ck_assert_int_eq(backup_read(folder, "../a.db", 0, 1, &out, &err), -1);
	ck_assert_int_eq(err.code, errc_code(ERRC_INVALID_PARAMS));
	error_clear(&err);
	ck_assert_int_eq(backup_delete(folder, "a.db", &err), 0);
	ck_assert(!backup_exists(folder, "a.db"));
	ck_assert_int_eq(backup_delete(folder, "a.db", &err), -1);
	ck_assert_int_eq(err.code, errc_code(ERRC_NOT_FOUND));
}
END_TEST

START_TEST(test_an_owner_is_the_end_of_a_file_name_that_fits_into_any_name)
{
	char owner[BACKUP_OWNER_MAX + 1], name[BACKUP_NAME_MAX + 1], path[256];

	backup_owner("/srv/a b/app.db", owner);
	ck_assert_str_eq(owner, "app.db");
	backup_owner("app", owner);
	ck_assert_str_eq(owner, "app");
	backup_owner("./\xc3\xa9\n x.db", owner);
	ck_assert_str_eq(owner, "____x.db");
	snprintf(path, sizeof path, "/%0200d.db", 7);
	backup_owner(path, owner);
	ck_assert_uint_eq(strlen(owner), BACKUP_OWNER_MAX);
	ck_assert_str_eq(owner + BACKUP_OWNER_MAX - 5, "07.db");
	backup_name_make(owner, INT64_MAX, INT64_C(1772359200123), 9998, name);
	ck_assert_int_eq(backup_name_check(name, &err), 0);
	ck_assert_str_eq(backup_name_owner(name), owner);
}
END_TEST

START_TEST(test_pruning_takes_the_oldest_automatic_ones_of_its_database_alone)
{
	char name[BACKUP_NAME_MAX + 1];

	put("mine.db", "", 100);
	for (int i = 0; i < 5; i++) {
		backup_name_make("app.db", i, 0, 0, name);
		put(name, "", i == 2 ? 90 : i);
		backup_name_make("other.db", i, 0, 0, name);
		put(name, "", 95);
	}
	backup_prune(folder, "app.db", 2);
	ck_assert(backup_exists(folder, "mine.db"));
	for (int i = 0; i < 5; i++) {
		backup_name_make("app.db", i, 0, 0, name);
		ck_assert_int_eq(backup_exists(folder, name), i < 2);
		backup_name_make("other.db", i, 0, 0, name);
		ck_assert(backup_exists(folder, name));
	}
	backup_prune(folder, "app.db", 2);
	backup_name_make("app.db", 1, 0, 0, name);
	ck_assert(backup_exists(folder, name));
}
END_TEST

START_TEST(test_a_part_is_swept_once_nobody_has_it_and_published_over_nothing)
{
	int fd = -1, other = -1;

	ck_assert_int_eq(backup_part_make(folder, "a.db", &fd, &err), 0);
	ck_assert_int_eq(backup_part_make(folder, "a.db", &other, &err), -1);
	ck_assert_int_eq(err.code, errc_code(ERRC_BUSY));
	error_clear(&err);
	backup_sweep(folder);
	ck_assert(backup_exists(folder, ".a.db.part"));
	put("a.db", "x", 0);
	ck_assert_int_eq(backup_part_publish(folder, "a.db", &err), -1);
	ck_assert_int_eq(err.code, errc_code(ERRC_INVALID_PARAMS));
	error_clear(&err);
	ck_assert_int_eq(backup_delete(folder, "a.db", &err), 0);
	ck_assert_int_eq(backup_part_publish(folder, "a.db", &err), 0);
	ck_assert(backup_exists(folder, "a.db") && !backup_exists(folder, ".a.db.part"));
	close(fd);
	ck_assert_int_eq(backup_part_make(folder, "b.db", &fd, &err), 0);
	close(fd);
	backup_sweep(folder);
	ck_assert(!backup_exists(folder, ".b.db.part"));
	ck_assert(backup_exists(folder, "a.db"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("backup_folder");
	TCase *t = tcase_create("folder");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, test_names_that_are_none_are_refused);
	tcase_add_test(t, test_made_names_are_names_and_automatic_ones_are_known);
	tcase_add_test(t, test_a_list_has_files_with_a_name_the_oldest_first);
	tcase_add_test(t, test_reading_stays_within_the_file_and_the_folder);
	tcase_add_test(t, test_an_owner_is_the_end_of_a_file_name_that_fits_into_any_name);
	tcase_add_test(t, test_pruning_takes_the_oldest_automatic_ones_of_its_database_alone);
	tcase_add_test(t, test_a_part_is_swept_once_nobody_has_it_and_published_over_nothing);
	suite_add_tcase(s, t);
	return run_suite(s);
}
