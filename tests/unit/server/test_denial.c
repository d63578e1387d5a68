/* Denials in the log: a few lines in a window, the rest counted and told when it is over; and the table of users. */
#include "tests/unit/run_suite.h"
#include "tests/unit/server/fake_rooms.h"

#include <fcntl.h>

#include "daemon/lib/log.h"
#include "daemon/server/admit.h"
#include "daemon/server/denial.h"

#define SOMEBODY 70001

static int reading, saved_stderr;
static char written[1 << 16];

static void set_up(void)
{
	int both[2];

	fake_set_up();
	ck_assert_int_eq(pipe2(both, O_CLOEXEC | O_NONBLOCK), 0);
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(both[1], STDERR_FILENO), 0);
	(void)close(both[1]);
	reading = both[0];
	unsetenv("JOURNAL_STREAM");
	log_init();
}

static void tear_down(void)
{
	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	(void)close(reading);
	fake_tear_down();
}

/* Lines logged since the last call that hold `text`. */
static size_t lines_with(const char *text)
{
	ssize_t n = read(reading, written, sizeof written - 1);
	size_t found = 0;

	written[n > 0 ? n : 0] = '\0';
	for (const char *at = written; (at = strstr(at, text)) != NULL; at++)
		found++;
	return found;
}

static void deny(uid_t uid, int times)
{
	struct peer peer = {.uid = uid, .pid = 12};
	struct error err = {0};

	(void)error_set(&err, ERRC_DENIED, "not you");
	for (int i = 0; i < times; i++)
		denial_note(&server, &peer, NULL, "exec", &err);
	error_clear(&err);
}

/* As if it had begun long ago. */
static void let_window_end(uid_t uid)
{
	struct user *u = user_get(&server.users, uid);

	if (u->window_ms != 0)
		u->window_ms = 1;
}

START_TEST(test_a_loop_is_five_lines_and_a_count)
{
	deny(SOMEBODY, 1000);
	ck_assert_uint_eq(lines_with("exec is denied to uid 70001, pid 12, role none: not you"), DENIALS_OF_USER);
	ck_assert_uint_eq(server.stats.denied_total, 1000);
	denial_sweep(&server);
	ck_assert_uint_eq(lines_with("more denials"), 0);
	let_window_end(SOMEBODY);
	denial_sweep(&server);
	ck_assert_uint_eq(lines_with("uid 70001: 995 more denials in 10 s"), 1);
	denial_sweep(&server);
	ck_assert_uint_eq(lines_with("more denials"), 0);
	deny(SOMEBODY, 1);
	ck_assert_uint_eq(lines_with("is denied to"), 1);
}
END_TEST

START_TEST(test_a_new_denial_tells_the_count_of_the_window_before)
{
	deny(SOMEBODY, 7);
	(void)lines_with("exec");
	let_window_end(SOMEBODY);
	deny(SOMEBODY, 1);
	ck_assert_uint_eq(lines_with("2 more denials"), 1);
}
END_TEST

START_TEST(test_one_user_does_not_hide_another)
{
	deny(SOMEBODY, 1000);
	deny(SOMEBODY + 1, 1);
	ck_assert_uint_eq(lines_with("is denied to uid 70002"), 1);
}
END_TEST

START_TEST(test_all_users_together_have_a_bound)
{
	for (uid_t uid = SOMEBODY; uid < SOMEBODY + 100; uid++)
		deny(uid, 2);
	ck_assert_uint_eq(lines_with("is denied to"), DENIALS_OF_ALL);
	ck_assert_uint_eq(server.stats.denied_total, 200);
	server.denials_since_ms = 0;
	deny(SOMEBODY + 200, 1);
	ck_assert_uint_eq(lines_with("is denied to"), 1);
}
END_TEST

START_TEST(test_users_without_a_session_are_used_again)
{
	struct user *u;

	user_get(&server.users, 1)->sessions = 1;
	for (uid_t uid = 100000; uid < 101000; uid++)
		(void)user_get(&server.users, uid);
	ck_assert_uint_le(server.users.count, 256);
	ck_assert_uint_eq(user_get(&server.users, 1)->sessions, 1);
	/* One that has something left to tell is kept before one that has not. */
	u = user_get(&server.users, 200000);
	u->passed_over = 3;
	for (uid_t uid = 300000; uid < 300100; uid++)
		(void)user_get(&server.users, uid);
	ck_assert_uint_eq(user_get(&server.users, 200000)->passed_over, 3);
	user_get(&server.users, 1)->sessions = 0;
}
END_TEST

START_TEST(test_users_have_names_where_they_are_known)
{
	ck_assert_str_eq(user_name(&server.users, 0), "root");
	ck_assert_ptr_null(user_name(&server.users, 4242424));
	users_forget_names(&server.users);
	ck_assert_str_eq(user_name(&server.users, 0), "root");
}
END_TEST

START_TEST(test_limits_of_a_role_are_its_own_or_the_general_ones)
{
	struct role_limits limits;

	server.config.roles_ro_page_rows = 7;
	server.config.roles_rw_write_time = 70000;
	admit_limits(&server.config, ROLE_RO, &limits);
	ck_assert_int_eq(limits.page_rows, 7);
	ck_assert_int_eq(limits.read_ms, server.config.limits_read_time);
	ck_assert_int_eq(limits.sessions, server.config.server_sessions);
	admit_limits(&server.config, ROLE_RW, &limits);
	ck_assert_int_eq(limits.write_ms, 70000);
	ck_assert_int_eq(limits.page_rows, server.config.server_page_rows);
	admit_limits(&server.config, ROLE_ADMIN, &limits);
	ck_assert_int_eq(limits.write_ms, server.config.limits_write_time);
}
END_TEST

/* What a new session of this user and role is answered, "" if it may come. */
static const char *answer_to(uid_t uid, enum role role)
{
	static struct error err;
	struct peer peer = {.uid = uid};

	error_clear(&err);
	return admit_check(&server, &peer, role, &err) == 0 ? "" : err.message;
}

START_TEST(test_places_are_shared_out)
{
	/* One session is there, of the test's own user. */
	server.config.server_sessions = 2;
	server.config.server_admin_sessions = 9;
	ck_assert_str_eq(answer_to(SOMEBODY, ROLE_RW), "");
	server.config.server_sessions = 8;
	server.config.server_user_share = 25;
	user_get(&server.users, SOMEBODY)->sessions = 2;
	ck_assert_ptr_nonnull(strstr(answer_to(SOMEBODY, ROLE_RW), "server.user_share"));
	ck_assert_str_eq(answer_to(SOMEBODY, ROLE_ADMIN), "");
	ck_assert_str_eq(answer_to(SOMEBODY + 1, ROLE_RW), "");
	user_get(&server.users, SOMEBODY)->sessions = 0;
	server.by_role[ROLE_RO] = 5;
	server.config.roles_ro_sessions = 5;
	ck_assert_ptr_nonnull(strstr(answer_to(SOMEBODY, ROLE_RO), "roles.ro_sessions"));
	server.by_role[ROLE_RO] = 0;
	server.config.server_sessions = 1;
	ck_assert_ptr_nonnull(strstr(answer_to(SOMEBODY, ROLE_ADMIN), "server.sessions"));
	ck_assert_str_eq(answer_to(SOMEBODY, ROLE_NONE), "");
	server.by_role[ROLE_NONE] += STRANGERS_MAX;
	ck_assert_ptr_nonnull(strstr(answer_to(SOMEBODY, ROLE_NONE), "no access"));
	server.by_role[ROLE_NONE] -= STRANGERS_MAX;
}
END_TEST

START_TEST(test_a_stranger_is_told_so_under_its_id_and_closed)
{
	session->role = ROLE_NONE;
	say("{\"id\":\"x\",\"method\":\"hello\"}\n{\"id\":2,\"method\":\"ping\"}\n");
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":\"x\",\"error\":{\"code\":-32002,"));
	ck_assert_ptr_null(strstr(heard_text, "\"id\":2"));
	ck_assert_uint_eq(lines_with("hello is denied to"), 1);
	ck_assert(list_empty(&server.sessions));
	ck_assert_uint_eq(server.by_role[ROLE_ADMIN], 0);
}
END_TEST

START_TEST(test_a_stranger_that_asks_nothing_is_told_in_time)
{
	session->role = ROLE_NONE;
	session_sweep(session);
	ck_assert_str_eq(heard(), "");
	session->since_ms = 0;
	session_sweep(session);
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":null,\"error\":{\"code\":-32002,"));
	ck_assert(list_empty(&server.sessions));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("denial");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, test_a_loop_is_five_lines_and_a_count);
	tcase_add_test(tc, test_a_new_denial_tells_the_count_of_the_window_before);
	tcase_add_test(tc, test_one_user_does_not_hide_another);
	tcase_add_test(tc, test_all_users_together_have_a_bound);
	tcase_add_test(tc, test_users_without_a_session_are_used_again);
	tcase_add_test(tc, test_users_have_names_where_they_are_known);
	tcase_add_test(tc, test_limits_of_a_role_are_its_own_or_the_general_ones);
	tcase_add_test(tc, test_places_are_shared_out);
	tcase_add_test(tc, test_a_stranger_is_told_so_under_its_id_and_closed);
	tcase_add_test(tc, test_a_stranger_that_asks_nothing_is_told_in_time);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
