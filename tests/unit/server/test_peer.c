/* Telling a client that only stopped sending from one that is gone. */
#include <check.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/server/peer.h"
#include "tests/unit/run_suite.h"

static int pair[2];

static void set_up(void) { ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0); }

static void tear_down(void)
{
	(void)close(pair[0]);
	(void)close(pair[1]);
}

START_TEST(test_peer_that_is_silent_is_there)
{
	ck_assert_int_eq(peer_state(pair[0]), PEER_THERE);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	ck_assert_int_eq(peer_state(pair[0]), PEER_THERE);
}
END_TEST

START_TEST(test_peer_that_shut_its_sending_side_is_half_there)
{
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
	ck_assert_int_eq(peer_state(pair[0]), PEER_HALF);
}
END_TEST

START_TEST(test_peer_that_closed_is_gone)
{
	ck_assert_int_eq(close(pair[1]), 0);
	pair[1] = -1;
	ck_assert_int_eq(peer_state(pair[0]), PEER_GONE);
}
END_TEST

START_TEST(test_peer_that_closed_after_half_closing_is_gone)
{
	ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
	ck_assert_int_eq(peer_state(pair[0]), PEER_HALF);
	ck_assert_int_eq(close(pair[1]), 0);
	pair[1] = -1;
	ck_assert_int_eq(peer_state(pair[0]), PEER_GONE);
}
END_TEST

START_TEST(test_peer_credentials_are_the_other_process)
{
	struct peer peer;

	ck_assert_int_eq(peer_read(pair[0], &peer), 0);
	ck_assert_uint_eq(peer.uid, getuid());
	ck_assert_int_eq(peer.pid, getpid());
	ck_assert_int_eq(peer_read(-1, &peer), -1);
}
END_TEST

START_TEST(test_roles_by_user)
{
	struct peer root = {.uid = 0}, own = {.uid = geteuid()}, other = {.uid = geteuid() + 4711};
	struct access none = {0};

	ck_assert_int_eq(peer_role(&none, pair[0], &root), ROLE_ADMIN);
	ck_assert_int_eq(peer_role(&none, pair[0], &own), ROLE_ADMIN);
	ck_assert_int_eq(peer_role(&none, pair[0], &other), ROLE_RW);
	ck_assert_str_eq(peer_role_name(ROLE_MIGRATE), "migrate");
}
END_TEST

/* Rules `rule` = ro and * = none, asked for `peer` over the socket pair. */
static enum role by_rule(const char *rule, const struct peer *peer)
{
	struct access a = {0};
	char why[256];

	access_begin_file(&a);
	ck_assert_int_eq(access_add(&a, rule, strlen(rule), "ro", 2, (struct access_place){"t", 1}, why, sizeof why),
			 0);
	ck_assert_int_eq(access_add(&a, "*", 1, "none", 4, (struct access_place){"t", 2}, why, sizeof why), 0);
	enum role role = peer_role(&a, pair[0], peer);
	access_free(&a);
	return role;
}

START_TEST(test_roles_by_group)
{
	gid_t groups[65];
	char rule[32];
	struct peer peer;

	ck_assert_int_eq(peer_read(pair[0], &peer), 0);
	(void)snprintf(rule, sizeof rule, "@%lu", (unsigned long)peer.gid);
	ck_assert_int_eq(by_rule(rule, &peer), ROLE_RO);
	ck_assert_int_eq(by_rule("@4294967", &peer), ROLE_NONE);
	if (geteuid() != 0)
		return;
	/* More than fit at first. The pair keeps the groups of its maker as they were when it was made. */
	for (gid_t i = 0; i < 65; i++)
		groups[i] = 70000 + i;
	ck_assert_int_eq(setgroups(65, groups), 0);
	ck_assert_int_eq(by_rule("@70000", &peer), ROLE_NONE);
	tear_down();
	set_up();
	ck_assert_int_eq(by_rule("@70000", &peer), ROLE_RO);
	ck_assert_int_eq(by_rule("@70064", &peer), ROLE_RO);
	ck_assert_int_eq(by_rule("@70065", &peer), ROLE_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("peer");

	tcase_set_timeout(tc, 10);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, test_peer_that_is_silent_is_there);
	tcase_add_test(tc, test_peer_that_shut_its_sending_side_is_half_there);
	tcase_add_test(tc, test_peer_that_closed_is_gone);
	tcase_add_test(tc, test_peer_that_closed_after_half_closing_is_gone);
	tcase_add_test(tc, test_peer_credentials_are_the_other_process);
	tcase_add_test(tc, test_roles_by_user);
	tcase_add_test(tc, test_roles_by_group);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
