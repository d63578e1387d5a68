/* The log: what a line looks like, where it is cut, the levels, and the journal's prefix. stderr is a pipe meanwhile.
 */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "tests/unit/run_suite.h"

static int reading, saved_stderr;
static char line[65536];

static int64_t wall_ms(void) { return INT64_C(1772359200123); }

static void set_up(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	close(ends[1]);
	reading = ends[0];
	ck_assert_int_eq(fcntl(reading, F_SETFL, O_NONBLOCK), 0);
	clock_fake(NULL, wall_ms);
	unsetenv("JOURNAL_STREAM");
	log_init();
	log_set_level(LOG_LEVEL_INFO);
}

static void tear_down(void)
{
	clock_fake(NULL, NULL);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(reading);
}

/* What was written since the last time, "" if nothing. */
static const char *written(void)
{
	ssize_t n = read(reading, line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = '\0';
	return line;
}

START_TEST(test_a_line_has_time_level_room_and_message)
{
	log_info("migrate", "m%d user: swapped in %s", 7, "1.2 ms");
	ck_assert_str_eq(written(), "2026-03-01T10:00:00.123Z info    migrate: m7 user: swapped in 1.2 ms\n");
	log_warning("store", "x");
	ck_assert_str_eq(written(), "2026-03-01T10:00:00.123Z warning store: x\n");
	log_error("store", "x");
	ck_assert_str_eq(written(), "2026-03-01T10:00:00.123Z error   store: x\n");
}
END_TEST

START_TEST(test_levels_below_the_one_set_say_nothing)
{
	log_debug("server", "x");
	ck_assert_str_eq(written(), "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("server", "x");
	ck_assert_str_ne(written(), "");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("server", "x");
	log_info("server", "x");
	ck_assert_str_eq(written(), "");
	log_error("server", "x");
	ck_assert_str_ne(written(), "");
}
END_TEST

START_TEST(test_a_message_is_cut_at_its_limit)
{
	char text[2002];
	size_t prefix = strlen("2026-03-01T10:00:00.123Z info    server: ");

	memset(text, 'x', sizeof(text));
	text[2000] = '\0';
	log_info("server", "%s", text);
	ck_assert_uint_eq(strlen(written()), prefix + 2001);
	ck_assert_ptr_null(strstr(line, "..."));
	text[2000] = 'x';
	text[2001] = '\0';
	log_info("server", "%s", text);
	ck_assert_uint_eq(strlen(written()), prefix + 2001);
	ck_assert_str_eq(line + prefix + 1997, "...\n");
}
END_TEST

START_TEST(test_control_characters_do_not_make_lines)
{
	log_info("server", "a\nb\tc\x1b[2J\x7f\xc3\xa9");
	ck_assert_str_eq(written(), "2026-03-01T10:00:00.123Z info    server: a?b?c?[2J?\xc3\xa9\n");
}
END_TEST

/* JOURNAL_STREAM naming fd 2, `off_by` beside its inode. */
static void set_stream(unsigned long long off_by)
{
	struct stat st;
	char text[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	ck_assert_int_lt(snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
				  (unsigned long long)st.st_ino + off_by),
			 (int)sizeof(text));
	ck_assert_int_eq(setenv("JOURNAL_STREAM", text, 1), 0);
	log_init();
}

START_TEST(test_the_journal_gets_priorities_and_no_time)
{
	set_stream(0);
	log_error("store", "x");
	ck_assert_str_eq(written(), "<3>store: x\n");
	log_warning("store", "x");
	ck_assert_str_eq(written(), "<4>store: x\n");
	log_info("store", "x");
	ck_assert_str_eq(written(), "<6>store: x\n");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("store", "x");
	ck_assert_str_eq(written(), "<7>store: x\n");
}
END_TEST

START_TEST(test_a_journal_that_is_not_fd_2_is_none)
{
	static const char *const nonsense[] = {"", ":", "1", "1:", ":1", "1:2x", "x:1"};

	set_stream(1);
	log_info("store", "x");
	ck_assert_ptr_eq(strstr(written(), "2026-"), line);
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		ck_assert_int_eq(setenv("JOURNAL_STREAM", nonsense[i], 1), 0);
		log_init();
		log_info("store", "x");
		ck_assert_ptr_eq(strstr(written(), "2026-"), line);
	}
}
END_TEST

START_TEST(test_levels_by_name)
{
	enum log_level level = LOG_LEVEL_INFO;

	ck_assert(log_level_by_name("debug", &level));
	ck_assert_int_eq((int)level, (int)LOG_LEVEL_DEBUG);
	ck_assert(log_level_by_name("error", &level));
	ck_assert_int_eq((int)level, (int)LOG_LEVEL_ERROR);
	ck_assert(!log_level_by_name("DEBUG", &level));
	ck_assert(!log_level_by_name("", &level));
	ck_assert_int_eq((int)level, (int)LOG_LEVEL_ERROR);
}
END_TEST

static void *say(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		log_info("store", "the quick brown fox");
	return NULL;
}

START_TEST(test_lines_of_threads_do_not_mix)
{
	pthread_t threads[4];
	int count = 0;
	const char *expected = "2026-03-01T10:00:00.123Z info    store: the quick brown fox";

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, say, NULL), 0);
	log_set_level(LOG_LEVEL_DEBUG);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	char *one, *rest = (char *)(uintptr_t)written();
	while ((one = strsep(&rest, "\n")) != NULL && *one != '\0') {
		ck_assert_str_eq(one, expected);
		count++;
	}
	ck_assert_int_eq(count, 200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib");
	TCase *cases = tcase_create("log");

	tcase_set_timeout(cases, 10);
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, test_a_line_has_time_level_room_and_message);
	tcase_add_test(cases, test_levels_below_the_one_set_say_nothing);
	tcase_add_test(cases, test_a_message_is_cut_at_its_limit);
	tcase_add_test(cases, test_control_characters_do_not_make_lines);
	tcase_add_test(cases, test_the_journal_gets_priorities_and_no_time);
	tcase_add_test(cases, test_a_journal_that_is_not_fd_2_is_none);
	tcase_add_test(cases, test_levels_by_name);
	tcase_add_test(cases, test_lines_of_threads_do_not_mix);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
