/* systemd's two protocols against sockets of the test's own. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/server/notify.h"
#include "tests/unit/run_suite.h"

static int manager = -1;
static char name[64];

/* A datagram socket with an abstract name stands for the service manager. */
static void listen_as_manager(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len;

	if (manager >= 0) /* of the test before, where tests do not fork */
		close(manager);
	(void)snprintf(name, sizeof name, "@alterd-test-notify-%ld", (long)getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(manager, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
}

/* The next datagram, "" if there is none. Datagrams on one machine are there when sendto returns. */
static const char *heard(void)
{
	static char text[1024];
	ssize_t n = recv(manager, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

START_TEST(test_notify_sends_one_datagram_a_message)
{
	struct notify n;

	listen_as_manager();
	notify_open(&n);
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	notify_send(&n, "READY=%d", 1);
	ck_assert_str_eq(heard(), "READY=1");
	notify_reloading(&n);
	ck_assert_int_eq(strncmp(heard(), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	notify_close(&n);
}
END_TEST

START_TEST(test_notify_status_is_sent_when_it_changes)
{
	struct notify n;

	listen_as_manager();
	notify_open(&n);
	notify_status(&n, "version 12");
	ck_assert_str_eq(heard(), "STATUS=version 12");
	notify_status(&n, "version 12");
	ck_assert_str_eq(heard(), "");
	notify_status(&n, "version 13");
	ck_assert_str_eq(heard(), "STATUS=version 13");
	notify_close(&n);
}
END_TEST

START_TEST(test_watchdog_is_fed_only_while_the_writer_moves)
{
	struct notify n;

	listen_as_manager();
	ck_assert_int_eq(setenv("WATCHDOG_USEC", "4000000", 1), 0);
	notify_open(&n);
	ck_assert_uint_eq(n.watchdog_ms, 2000);
	notify_watchdog(&n, 1000, 1);
	ck_assert_str_eq(heard(), "");
	notify_watchdog(&n, 2000, 1);
	ck_assert_str_eq(heard(), "WATCHDOG=1");
	notify_watchdog(&n, 9000, 1);
	ck_assert_str_eq(heard(), "");
	notify_watchdog(&n, 9000, 2);
	ck_assert_str_eq(heard(), "WATCHDOG=1");
	notify_close(&n);
}
END_TEST

START_TEST(test_a_short_watchdog_is_looked_after_more_often)
{
	struct notify n = {0};

	ck_assert_uint_eq(notify_every(&n, 1000), 1000);
	n.watchdog_ms = 15000;
	ck_assert_uint_eq(notify_every(&n, 1000), 1000);
	n.watchdog_ms = 500;
	ck_assert_uint_eq(notify_every(&n, 1000), 250);
	n.watchdog_ms = 1;
	ck_assert_uint_eq(notify_every(&n, 1000), 1);
}
END_TEST

START_TEST(test_patience_is_asked_for_while_work_goes_on)
{
	struct notify n;

	listen_as_manager();
	notify_open(&n);
	notify_patience(&n, 1000, 1);
	ck_assert_str_eq(heard(), "EXTEND_TIMEOUT_USEC=60000000");
	notify_patience(&n, 2000, 2);
	ck_assert_str_eq(heard(), "");
	notify_patience(&n, 31000, 2);
	ck_assert_str_eq(heard(), "EXTEND_TIMEOUT_USEC=60000000");
	notify_patience(&n, 99000, 2);
	ck_assert_str_eq(heard(), "");
	notify_patience(&n, 99000, 3);
	ck_assert_str_eq(heard(), "EXTEND_TIMEOUT_USEC=60000000");
	notify_close(&n);
}
END_TEST

START_TEST(test_notify_without_a_manager_does_nothing)
{
	struct notify n;

	(void)unsetenv("NOTIFY_SOCKET");
	notify_open(&n);
	ck_assert_int_eq(n.fd, -1);
	notify_send(&n, "READY=1");
	notify_status(&n, "x");
	notify_close(&n);
}
END_TEST

/* LISTEN_PID of this process and descriptor 3 as systemd would leave them. */
static void pass_fd(int fd, const char *count)
{
	char pid[32];

	(void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
	ck_assert_int_eq(setenv("LISTEN_PID", pid, 1), 0);
	ck_assert_int_eq(setenv("LISTEN_FDS", count, 1), 0);
	if (fd != 3)
		ck_assert_int_eq(dup2(fd, 3), 3);
}

static int listening_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	/* A family alone asks for an abstract name of the kernel's choice. */
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	return fd;
}

START_TEST(test_listen_fd_is_taken_over)
{
	pass_fd(listening_socket(), "1");
	ck_assert_int_eq(notify_listen_fd(), 3);
	ck_assert_ptr_null(getenv("LISTEN_PID"));
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_int_ne(fcntl(3, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(3, F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

START_TEST(test_listen_fd_of_another_process_is_left_alone)
{
	pass_fd(listening_socket(), "1");
	ck_assert_int_eq(setenv("LISTEN_PID", "1", 1), 0);
	ck_assert_int_eq(notify_listen_fd(), -1);
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
}
END_TEST

START_TEST(test_listen_fd_that_does_not_listen_is_refused)
{
	pass_fd(socket(AF_UNIX, SOCK_STREAM, 0), "1");
	ck_assert_int_eq(notify_listen_fd(), -2);
	pass_fd(listening_socket(), "2");
	ck_assert_int_eq(notify_listen_fd(), -2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("notify");

	tcase_set_timeout(tc, 10);
	tcase_add_test(tc, test_notify_sends_one_datagram_a_message);
	tcase_add_test(tc, test_notify_status_is_sent_when_it_changes);
	tcase_add_test(tc, test_watchdog_is_fed_only_while_the_writer_moves);
	tcase_add_test(tc, test_a_short_watchdog_is_looked_after_more_often);
	tcase_add_test(tc, test_patience_is_asked_for_while_work_goes_on);
	tcase_add_test(tc, test_notify_without_a_manager_does_nothing);
	/* systemd hands over descriptor 3: in a process of its own that is free, else Check has its messages there. */
	const char *fork_status = getenv("CK_FORK");
	if (!fork_status || strcmp(fork_status, "no") != 0) {
		tcase_add_test(tc, test_listen_fd_is_taken_over);
		tcase_add_test(tc, test_listen_fd_of_another_process_is_left_alone);
		tcase_add_test(tc, test_listen_fd_that_does_not_listen_is_refused);
	}
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
