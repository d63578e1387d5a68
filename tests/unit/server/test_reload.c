/* Settings: where they come from, and what a reload takes. */
#include "tests/unit/run_suite.h"
#include "tests/unit/server/fake_rooms.h"

static char path[64];

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void set_up(void)
{
	int fd;

	fake_set_up();
	(void)snprintf(path, sizeof path, "/tmp/alterd-test-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
}

static void tear_down(void)
{
	(void)unlink(path);
	fake_tear_down();
}

START_TEST(test_assignments_win_over_the_file)
{
	const char *sets[] = {"server.sessions=9"};
	struct server_options options = {.config_path = path, .sets = sets, .sets_count = 1};
	struct config config;
	struct error err = {0};

	write_file("[server]\nsessions = 5\nin_flight = 7\n");
	ck_assert_int_eq(server_config_load(&options, &config, &err), 0);
	ck_assert_int_eq(config.server_sessions, 9);
	ck_assert_int_eq(config.server_in_flight, 7);
	config_free(&config);
}
END_TEST

START_TEST(test_the_file_wins_over_what_is_given_as_default)
{
	const char *defaults[] = {"server.sessions=9", "server.in_flight=11"};
	struct server_options options = {.config_path = path, .defaults = defaults, .defaults_count = 2};
	struct config config;
	struct error err = {0};

	write_file("[server]\nin_flight = 7\n");
	ck_assert_int_eq(server_config_load(&options, &config, &err), 0);
	ck_assert_int_eq(config.server_sessions, 9);
	ck_assert_int_eq(config.server_in_flight, 7);
	config_free(&config);
	defaults[1] = "server.in_fligth=11";
	ck_assert_int_eq(server_config_load(&options, &config, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "in_fligth"));
	error_clear(&err);
}
END_TEST

START_TEST(test_reload_takes_what_it_can_and_names_the_rest)
{
	struct server_options options = {.config_path = path};

	server.options = &options;
	write_file("[server]\nin_flight = 7\nline_limit = 8KiB\n[store]\npinned_max = 3\nreaders = 5\n");
	say("{\"id\":1,\"method\":\"config.reload\"}\n");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"changed\":[\"store.pinned_max\",\"server.line_limit\","
						 "\"server.in_flight\"]"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"needs_restart\":[\"store.readers\"]"));
	ck_assert_int_eq(server.config.server_in_flight, 7);
	ck_assert_int_eq(server.config.store_readers, 2);
	ck_assert_int_eq(reconfigured_pinned, 3);
	ck_assert_uint_eq(session->connection.frame.limit, 8192);
}
END_TEST

START_TEST(test_what_waits_for_a_restart_is_shown)
{
	struct server_options options = {.config_path = path};

	server.options = &options;
	say("{\"id\":1,\"method\":\"config.show\"}\n");
	ck_assert_ptr_null(strstr(heard(), "waiting"));
	write_file("[store]\nreaders = 5\n");
	say("{\"id\":2,\"method\":\"config.reload\"}\n");
	heard();
	say("{\"id\":3,\"method\":\"config.show\"}\n");
	ck_assert_ptr_nonnull(strstr(heard(), "{\"name\":\"store.readers\",\"value\":\"2\",\"default\":\"2\","
					      "\"origin\":\"default\",\"reload\":false,\"waiting\":\"5\"}"));
	write_file("");
	say("{\"id\":4,\"method\":\"config.reload\"}\n");
	heard();
	say("{\"id\":5,\"method\":\"config.show\"}\n");
	ck_assert_ptr_null(strstr(heard(), "waiting"));
}
END_TEST

START_TEST(test_reload_of_a_broken_file_changes_nothing)
{
	struct server_options options = {.config_path = path};

	server.options = &options;
	write_file("[server]\nin_flight = 7\nno_such_key = 1\n");
	say("{\"id\":1,\"method\":\"config.reload\"}\n");
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":1,\"error\":"));
	ck_assert_ptr_nonnull(strstr(heard_text, "no_such_key"));
	ck_assert_int_eq(server.config.server_in_flight, 64);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("reload");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, test_assignments_win_over_the_file);
	tcase_add_test(tc, test_the_file_wins_over_what_is_given_as_default);
	tcase_add_test(tc, test_reload_takes_what_it_can_and_names_the_rest);
	tcase_add_test(tc, test_what_waits_for_a_restart_is_shown);
	tcase_add_test(tc, test_reload_of_a_broken_file_changes_nothing);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
