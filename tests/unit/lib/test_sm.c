/* The guarded state machine: allowed moves, refused moves, the owner's check, the log. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/sm.h"
#include "tests/unit/run_suite.h"

enum { IDLE, BUSY, CLOSED, COUNT };

static const struct sm_state states[COUNT] = {
	[IDLE] = {.name = "IDLE", .next = SM_NEXT(BUSY) | SM_NEXT(CLOSED)},
	[BUSY] = {.name = "BUSY", .next = SM_NEXT(IDLE) | SM_NEXT(BUSY)},
	[CLOSED] = {.name = "CLOSED"},
};

static struct sm machine;
static int checks;

static void set_up(void)
{
	checks = 0;
	sm_init(&machine, states, COUNT, IDLE, "test", "machine", 7);
}

START_TEST(test_it_begins_where_it_is_put)
{
	ck_assert_int_eq(sm_now(&machine), IDLE);
	ck_assert_str_eq(sm_name(&machine), "IDLE");
	ck_assert(sm_may(&machine, BUSY));
	ck_assert(!sm_may(&machine, IDLE));
}
END_TEST

START_TEST(test_it_moves_where_the_table_allows)
{
	sm_move(&machine, BUSY);
	sm_move(&machine, BUSY);
	sm_move(&machine, IDLE);
	sm_move(&machine, CLOSED);
	ck_assert_str_eq(sm_name(&machine), "CLOSED");
	for (int i = 0; i < COUNT; i++)
		ck_assert(!sm_may(&machine, i));
}
END_TEST

static void count_check(const struct sm *m)
{
	ck_assert_ptr_eq(m, &machine);
	checks++;
}

START_TEST(test_the_owner_is_asked_after_each_move)
{
	machine.check = count_check;
	sm_move(&machine, BUSY);
	sm_move(&machine, IDLE);
	ck_assert_int_eq(checks, 2);
}
END_TEST

START_TEST(test_a_move_the_table_does_not_allow_stops) { sm_move(&machine, IDLE); }
END_TEST

START_TEST(test_a_state_that_is_none_stops) { sm_move(&machine, COUNT); }
END_TEST

START_TEST(test_check_stops_with_the_place) { CHECK(machine.now == CLOSED); }
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib");
	TCase *cases = tcase_create("sm");
	const char *fork = getenv("CK_FORK");

	tcase_set_timeout(cases, 10);
	tcase_add_checked_fixture(cases, set_up, NULL);
	tcase_add_test(cases, test_it_begins_where_it_is_put);
	tcase_add_test(cases, test_it_moves_where_the_table_allows);
	tcase_add_test(cases, test_the_owner_is_asked_after_each_move);
	/* What ends the process needs one of its own. */
	if (!fork || strcmp(fork, "no") != 0) {
		tcase_add_test_raise_signal(cases, test_a_move_the_table_does_not_allow_stops, SIGABRT);
		tcase_add_test_raise_signal(cases, test_a_state_that_is_none_stops, SIGABRT);
		tcase_add_test_raise_signal(cases, test_check_stops_with_the_place, SIGABRT);
	}
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
