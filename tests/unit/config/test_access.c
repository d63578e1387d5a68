/* [access]: how rules are read, in what order they stand, whom they fit, and what of them is told. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "tests/unit/run_suite.h"

#define SELF 4242

static struct config config, other;
static struct error err;
static struct buf text;

static void set_up(void)
{
	config_init(&config);
	config_init(&other);
	error_init(&err);
	buf_init(&text);
}

static void tear_down(void)
{
	config_free(&config);
	config_free(&other);
	error_clear(&err);
	buf_free(&text);
}

static int read_text(const char *name, const char *lines)
{
	return config_read_text(&config, name, lines, strlen(lines), &err);
}

static void have(const char *lines) { ck_assert_msg(read_text("t.conf", lines) == 0, "%s", err.message); }

static enum role role_of(uid_t uid, gid_t gid) { return access_role(&config.access, uid, gid, NULL, 0, SELF); }

START_TEST(test_without_rules_everybody_reads_and_writes)
{
	ck_assert_int_eq(role_of(0, 0), ROLE_ADMIN);
	ck_assert_int_eq(role_of(SELF, 7), ROLE_ADMIN);
	ck_assert_int_eq(role_of(1000, 1000), ROLE_RW);
	have("[access]\n# nothing\n");
	ck_assert_int_eq(role_of(1000, 1000), ROLE_RW);
}
END_TEST

START_TEST(test_whom_no_rule_fits_is_none_but_root_and_the_daemon_are_admin)
{
	have("[access]\n1000 = ro\n");
	ck_assert_int_eq(role_of(1000, 1), ROLE_RO);
	ck_assert_int_eq(role_of(1001, 1), ROLE_NONE);
	ck_assert_int_eq(role_of(0, 0), ROLE_ADMIN);
	ck_assert_int_eq(role_of(SELF, 1), ROLE_ADMIN);
}
END_TEST

START_TEST(test_a_rule_holds_for_root_as_well)
{
	have("[access]\n* = none\n");
	ck_assert_int_eq(role_of(0, 0), ROLE_NONE);
	ck_assert_int_eq(role_of(SELF, 1), ROLE_NONE);
}
END_TEST

START_TEST(test_the_first_rule_that_fits_decides)
{
	have("[access]\n1000 = migrate\n@50 = ro\n1001=admin\n* = rw\n");
	ck_assert_int_eq(role_of(1000, 50), ROLE_MIGRATE);
	ck_assert_int_eq(role_of(1001, 50), ROLE_RO);
	ck_assert_int_eq(role_of(1001, 51), ROLE_ADMIN);
	ck_assert_int_eq(role_of(1002, 51), ROLE_RW);
}
END_TEST

START_TEST(test_supplementary_groups_count)
{
	const gid_t groups[] = {7, 50, 9};

	have("[access]\n@50 = ro\n* = none\n");
	ck_assert(access_asks_for_groups(&config.access));
	ck_assert_int_eq(access_role(&config.access, 1, 1, groups, 3, SELF), ROLE_RO);
	ck_assert_int_eq(access_role(&config.access, 1, 1, groups, 1, SELF), ROLE_NONE);
	/* A number without @ is a user's, never a group's. */
	ck_assert_int_eq(access_role(&config.access, 50, 1, NULL, 0, SELF), ROLE_NONE);
}
END_TEST

START_TEST(test_groups_are_asked_for_only_where_a_rule_names_one)
{
	have("[access]\n1000 = ro\n* = rw\n");
	ck_assert(!access_asks_for_groups(&config.access));
}
END_TEST

START_TEST(test_names_are_looked_up)
{
	have("[access]\nroot = ro\n@root = rw\nno-such-user-here = admin\n@no-such-group-here = admin\n");
	access_resolve(&config.access);
	ck_assert_int_eq(role_of(0, 5), ROLE_RO);
	ck_assert_int_eq(role_of(1000, 0), ROLE_RW);
	ck_assert_int_eq(role_of(1000, 1000), ROLE_NONE);
	ck_assert(config.access.rules[0].known && config.access.rules[1].known);
	ck_assert(!config.access.rules[2].known && !config.access.rules[3].known);
}
END_TEST

/* What is said on stderr meanwhile. */
static const char *said(void)
{
	int there = dup(STDERR_FILENO);
	char path[] = "/tmp/alterd-access-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	(void)unlink(path);
	ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
	access_resolve(&config.access);
	ck_assert_int_ge(dup2(there, STDERR_FILENO), 0);
	(void)close(there);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	for (ssize_t n = 1; n > 0;) {
		char *to = buf_reserve(&text, 4096);
		n = read(fd, to, 4096);
		text.len += n > 0 ? (size_t)n : 0;
	}
	(void)close(fd);
	return buf_cstr(&text);
}

START_TEST(test_an_unknown_name_is_a_warning_with_its_place)
{
	have("[access]\n\nno-such-user-here = admin\n");
	ck_assert_int_eq(config_set(&config, "access.@no-such-group-here=rw", &err), 0);
	ck_assert_ptr_nonnull(
		strstr(said(), "t.conf:3: access.no-such-user-here: there is no such user; the rule fits nobody"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&text), "--set: access.@no-such-group-here: there is no such group"));
	ck_assert_ptr_null(strstr(buf_cstr(&text), "leaves nobody"));
}
END_TEST

START_TEST(test_a_rule_behind_the_star_of_its_file_is_told)
{
	have("[access]\n* = rw\n1000 = ro\n");
	ck_assert_ptr_nonnull(strstr(said(), "t.conf:3: access.1000: * stands before it"));
}
END_TEST

START_TEST(test_a_star_in_a_later_file_is_meant)
{
	have("[access]\n1000 = ro\n");
	ck_assert_int_eq(read_text("drop-in.conf", "[access]\n0 = admin\n* = rw\n"), 0);
	ck_assert_str_eq(said(), "");
	ck_assert_int_eq(role_of(1000, 1), ROLE_RW);
}
END_TEST

START_TEST(test_rules_that_leave_no_admin_are_told)
{
	have("[access]\n* = rw\n");
	ck_assert_ptr_nonnull(strstr(said(), "leaves nobody the role admin"));
}
END_TEST

START_TEST(test_rules_with_an_admin_say_nothing)
{
	have("[access]\n@4711 = admin\n* = rw\n");
	ck_assert_str_eq(said(), "");
}
END_TEST

START_TEST(test_later_sources_come_first_and_keep_their_own_order)
{
	have("[access]\n1 = ro\n2 = ro\n");
	ck_assert_int_eq(read_text("b.conf", "[access]\n3 = rw\n[log]\nlevel = debug\n[access]\n1 = rw\n"), 0);
	ck_assert_int_eq(config_set(&config, "access.9=admin", &err), 0);
	ck_assert_int_eq(config_set(&config, "access.* = none", &err), 0);
	access_format(&config.access, &text);
	ck_assert_str_eq(buf_cstr(&text), "9 = admin\n* = none\n3 = rw\n1 = rw\n2 = ro\n");
}
END_TEST

START_TEST(test_a_name_stands_in_the_list_once)
{
	have("[access]\nbob = ro\nann = ro\n* = none\n");
	ck_assert_int_eq(read_text("b.conf", "[access]\nbob = rw\n"), 0);
	ck_assert_int_eq(config_set(&config, "access.ann=admin", &err), 0);
	ck_assert_int_eq(read_text("c.conf", "[access]\nann = rw\n* = ro\n"), 0);
	access_format(&config.access, &text);
	ck_assert_str_eq(buf_cstr(&text), "ann = admin\n* = ro\nbob = rw\n");
	ck_assert_int_eq(config_read_text(&other, "dump", "[access]\n", 9, &err), 0);
	buf_reset(&text, SIZE_MAX);
	config_dump(&config, &text);
	ck_assert_int_eq(config_read_text(&other, "dump", text.data, text.len, &err), 0);
	ck_assert(access_equal(&config.access, &other.access));
}
END_TEST

START_TEST(test_said_again_on_the_command_line_it_takes_the_new_role)
{
	ck_assert_int_eq(config_set(&config, "access.bob=ro", &err), 0);
	ck_assert_int_eq(config_set(&config, "access.*=none", &err), 0);
	ck_assert_int_eq(config_set(&config, "access.bob=rw", &err), 0);
	access_format(&config.access, &text);
	ck_assert_str_eq(buf_cstr(&text), "bob = rw\n* = none\n");
}
END_TEST

START_TEST(test_names_may_hold_what_names_hold)
{
	ck_assert_int_eq(config_set(&config, "access.first.last@example.org=ro", &err), 0);
	have("[access]\nDOM\\bob = rw\n  @domain users\t= ro\nm\xc3\xbcller = ro\n");
	access_format(&config.access, &text);
	ck_assert_str_eq(buf_cstr(&text), "first.last@example.org = ro\nDOM\\bob = rw\n@domain users = ro\n"
					  "m\xc3\xbcller = ro\n");
}
END_TEST

static const struct {
	const char *text, *error;
} bad[] = {
	{"[access]\nbob = write\n", "t.conf:2: access.bob: \"write\" is no role: none, ro, rw, migrate or admin"},
	{"[access]\nbob =\n", "t.conf:2: access.bob: \"\" is no role: none, ro, rw, migrate or admin"},
	{"[access]\nbob = RO\n", "t.conf:2: access.bob: \"RO\" is no role: none, ro, rw, migrate or admin"},
	{"[access]\nbob = ro # reads\n",
	 "t.conf:2: access.bob: \"ro # reads\" is no role: none, ro, rw, migrate or admin"},
	{"[access]\nbob\n", "t.conf:2: a line is a [section], key = value, or a comment after # or ;"},
	{"[access]\n= ro\n", "t.conf:2: there is no key before the ="},
	{"[access]\n@ = ro\n", "t.conf:2: access.@: there is no name before the ="},
	{"[access]\n@@x = ro\n", "t.conf:2: access.@@x: a name does not begin so"},
	{"[access]\n@* = ro\n", "t.conf:2: access.@*: @* is no group; everybody is *"},
	{"[access]\n4294967295 = ro\n", "t.conf:2: access.4294967295: this number is no user's and no group's"},
	{"[access]\n99999999999999999999 = ro\n",
	 "t.conf:2: access.99999999999999999999: this number is no user's and no group's"},
	{"[access]\nbob = ro\n\nbob = rw\n", "t.conf:4: access.bob: this name stands in line 2 already"},
	{"[access]\nb\x01ob = ro\n", "t.conf:2: access.b?ob: the name holds a control character"},
	{"[acess]\nbob = ro\n", "t.conf:1: unknown section [acess]"},
};

START_TEST(test_bad_rules_name_their_place)
{
	ck_assert_int_eq(read_text("t.conf", bad[_i].text), -1);
	ck_assert_str_eq(err.message, bad[_i].error);
}
END_TEST

START_TEST(test_bad_assignments_are_refused)
{
	const char *const wrong[] = {"access.bob=write", "access.=ro", "access.#x=ro", "access.[x=ro", "access.@ x=ro"};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ck_assert_msg(config_set(&config, wrong[i], &err) == -1, "%s", wrong[i]);
		ck_assert_int_eq(strncmp(err.message, "--set: access.", 14), 0);
		error_clear(&err);
	}
	ck_assert_uint_eq(config.access.count, 0);
}
END_TEST

START_TEST(test_names_and_rules_are_bounded)
{
	char line[400] = "access.";

	memset(line + 7, 'n', ACCESS_NAME_MAX);
	memcpy(line + 7 + ACCESS_NAME_MAX, "=ro", 4);
	ck_assert_int_eq(config_set(&config, line, &err), 0);
	memcpy(line + 7 + ACCESS_NAME_MAX, "n=ro", 5);
	ck_assert_int_eq(config_set(&config, line, &err), -1);
	error_clear(&err);
	for (int i = 1; i < ACCESS_RULES_MAX; i++) {
		(void)snprintf(line, sizeof line, "access.%d=ro", i);
		ck_assert_int_eq(config_set(&config, line, &err), 0);
	}
	ck_assert_int_eq(config_set(&config, "access.more=ro", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "more than 1000 rules"));
}
END_TEST

START_TEST(test_a_difference_is_reported_as_access_and_reloadable)
{
	config_diff(&config, &other, false, &text);
	ck_assert_str_eq(buf_cstr(&text), "");
	have("[access]\nbob = ro\n[log]\nlevel = debug\n");
	config_diff(&other, &config, false, &text);
	ck_assert_str_eq(buf_cstr(&text), "log.level, access");
	buf_reset(&text, SIZE_MAX);
	config_diff(&other, &config, true, &text);
	ck_assert_str_eq(buf_cstr(&text), "");
	config_take_reloadable(&other, &config);
	config_diff(&other, &config, false, &text);
	ck_assert_str_eq(buf_cstr(&text), "");
	ck_assert_uint_eq(other.access.count, 1);
	ck_assert_ptr_ne(other.access.rules[0].name, config.access.rules[0].name);
}
END_TEST

START_TEST(test_the_order_is_a_difference)
{
	have("[access]\n1 = ro\n2 = ro\n");
	ck_assert_int_eq(config_read_text(&other, "o", "[access]\n2 = ro\n1 = ro\n", 23, &err), 0);
	config_diff(&config, &other, false, &text);
	ck_assert_str_eq(buf_cstr(&text), "access");
}
END_TEST

START_TEST(test_dump_reads_back_as_it_is)
{
	struct buf names = {0};

	have("[access]\n@a b = ro\n1 = admin\n* = none\n");
	ck_assert_int_eq(config_set(&config, "access.z.z=rw", &err), 0);
	config_dump(&config, &text);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&text), "\n[access]\nz.z = rw\n@a b = ro\n1 = admin\n* = none\n"));
	ck_assert_int_eq(config_read_text(&other, "dump", text.data, text.len, &err), 0);
	config_diff(&config, &other, false, &names);
	ck_assert_str_eq(buf_cstr(&names), "");
	buf_free(&names);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("access");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, test_without_rules_everybody_reads_and_writes);
	tcase_add_test(tc, test_whom_no_rule_fits_is_none_but_root_and_the_daemon_are_admin);
	tcase_add_test(tc, test_a_rule_holds_for_root_as_well);
	tcase_add_test(tc, test_the_first_rule_that_fits_decides);
	tcase_add_test(tc, test_supplementary_groups_count);
	tcase_add_test(tc, test_groups_are_asked_for_only_where_a_rule_names_one);
	tcase_add_test(tc, test_names_are_looked_up);
	tcase_add_test(tc, test_an_unknown_name_is_a_warning_with_its_place);
	tcase_add_test(tc, test_a_rule_behind_the_star_of_its_file_is_told);
	tcase_add_test(tc, test_a_star_in_a_later_file_is_meant);
	tcase_add_test(tc, test_rules_that_leave_no_admin_are_told);
	tcase_add_test(tc, test_rules_with_an_admin_say_nothing);
	tcase_add_test(tc, test_later_sources_come_first_and_keep_their_own_order);
	tcase_add_test(tc, test_a_name_stands_in_the_list_once);
	tcase_add_test(tc, test_said_again_on_the_command_line_it_takes_the_new_role);
	tcase_add_test(tc, test_names_may_hold_what_names_hold);
	tcase_add_loop_test(tc, test_bad_rules_name_their_place, 0, (int)(sizeof bad / sizeof *bad));
	tcase_add_test(tc, test_bad_assignments_are_refused);
	tcase_add_test(tc, test_names_and_rules_are_bounded);
	tcase_add_test(tc, test_a_difference_is_reported_as_access_and_reloadable);
	tcase_add_test(tc, test_the_order_is_a_difference);
	tcase_add_test(tc, test_dump_reads_back_as_it_is);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
