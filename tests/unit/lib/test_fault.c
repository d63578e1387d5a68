/*
 * Fault points. In a build with them: the n-th hit, several at once, threads, and a specification that does not read.
 * In one without: they are false, whatever the environment says.
 */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/fault.h"
#include "tests/unit/run_suite.h"

static void set(const char *spec) { ck_assert_int_eq(setenv("ALTERD_FAULT", spec, 1), 0); }

#ifdef ALTERD_FAULTS

START_TEST(test_nothing_set_hits_nothing)
{
	ck_assert_int_eq(unsetenv("ALTERD_FAULT"), 0);
	ck_assert(!FAULT("commit"));
}
END_TEST

START_TEST(test_fail_hits_the_nth_time_and_once)
{
	set("commit:fail:3,open:fail");
	ck_assert(!FAULT("commit"));
	ck_assert(FAULT("open"));
	ck_assert(!FAULT("open"));
	ck_assert(!FAULT("other"));
	ck_assert(!FAULT("commit"));
	ck_assert(FAULT("commit"));
	ck_assert(!FAULT("commit"));
}
END_TEST

START_TEST(test_one_point_may_fail_several_times)
{
	set("commit:fail:1,commit:fail:2");
	ck_assert(FAULT("commit"));
	ck_assert(FAULT("commit"));
	ck_assert(!FAULT("commit"));
}
END_TEST

START_TEST(test_a_range_fails_from_first_to_last)
{
	set("disk:full:2-3,sync:fail:2-");
	ck_assert(!FAULT("disk"));
	ck_assert_int_eq(fault_ask("disk"), FAULT_FULL);
	ck_assert(FAULT("disk"));
	ck_assert(!FAULT("disk"));
	ck_assert(!FAULT_IN("sy", "nc"));
	ck_assert(!FAULT("sync"));
	ck_assert(FAULT("sync"));
	ck_assert(FAULT("sync"));
	ck_assert_uint_eq(fault_hits("disk"), 4);
	fault_set("sy-nc:fail");
	ck_assert(FAULT_IN("sy", "nc"));
	ck_assert(!FAULT("disk"));
	fault_set(NULL);
	ck_assert(!FAULT_IN("sy", "nc"));
	ck_assert_uint_eq(fault_hits("disk"), 0);
}
END_TEST

START_TEST(test_kill_kills)
{
	set("commit:kill:2");
	ck_assert(!FAULT("commit"));
	(void)FAULT("commit");
}
END_TEST

static const char *const unreadable[] = {
	"commit",       ":fail",          "commit:die",     "commit:fail:0",   "commit:fail:x",
	"commit:fail:", "commit:fail:1x", "a:fail,,b:fail", "commit:fail:3-2", "commit:fail:1-x",
};

START_TEST(test_what_does_not_read_stops)
{
	set(unreadable[_i]);
	(void)FAULT("commit");
}
END_TEST

static atomic_int hits;

static void *hit_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		atomic_fetch_add(&hits, FAULT("commit") ? 1 : 0);
	return NULL;
}

START_TEST(test_threads_together_hit_it_once)
{
	pthread_t threads[4];

	set("commit:fail:2500");
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hit_often, NULL), 0);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_int_eq(atomic_load(&hits), 1);
}
END_TEST

/* The environment is read once in a process: each of these needs one of its own. */
static void add_tests(TCase *cases)
{
	const char *fork = getenv("CK_FORK");

	if (fork && strcmp(fork, "no") == 0) {
		tcase_add_test(cases, test_threads_together_hit_it_once);
		return;
	}
	tcase_add_test(cases, test_threads_together_hit_it_once);
	tcase_add_test(cases, test_nothing_set_hits_nothing);
	tcase_add_test(cases, test_fail_hits_the_nth_time_and_once);
	tcase_add_test(cases, test_one_point_may_fail_several_times);
	tcase_add_test(cases, test_a_range_fails_from_first_to_last);
	tcase_add_test_raise_signal(cases, test_kill_kills, SIGKILL);
	for (int i = 0; i < (int)(sizeof(unreadable) / sizeof(unreadable[0])); i++)
		tcase_add_loop_test_raise_signal(cases, test_what_does_not_read_stops, SIGABRT, i, i + 1);
}

#else

START_TEST(test_without_the_build_option_nothing_can_be_set)
{
	set("commit:kill");
	ck_assert(!FAULT("commit"));
}
END_TEST

static void add_tests(TCase *cases) { tcase_add_test(cases, test_without_the_build_option_nothing_can_be_set); }

#endif

int main(void)
{
	Suite *suite = suite_create("lib");
	TCase *cases = tcase_create("fault");

	tcase_set_timeout(cases, 10);
	add_tests(cases);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
