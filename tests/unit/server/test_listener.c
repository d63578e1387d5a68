/* The socket file: never two daemons on one name, never somebody else's file, never wider open than asked for. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/server/listener.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/scratch_folder.h"

static char folder[64], path[96];
static struct error err;
static int exit_code;

static void set_up(void)
{
	scratch_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/s", folder);
	err = (struct error){0};
	exit_code = 0;
}

static void tear_down(void)
{
	(void)unlink(path);
	(void)rmdir(folder);
	error_clear(&err);
}

static int bind_to(struct listener *l, const char *to)
{
	*l = (struct listener){.fd = -1, .reserve = -1};
	return listener_bind(l, to, 0640, 8, &exit_code, &err);
}

START_TEST(test_bind_makes_the_file_with_the_mode_whatever_the_umask)
{
	struct listener l;
	struct stat st;

	(void)umask(0077);
	ck_assert_int_eq(bind_to(&l, path), 0);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	listener_stop(&l);
	ck_assert_int_eq(access(path, F_OK), -1);
	listener_stop(&l);
}
END_TEST

START_TEST(test_bind_refuses_a_name_in_use)
{
	struct listener first, second;

	ck_assert_int_eq(bind_to(&first, path), 0);
	ck_assert_int_eq(bind_to(&second, path), -1);
	ck_assert_int_eq(exit_code, EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(err.message, "in use"));
	ck_assert_int_eq(access(path, F_OK), 0);
	listener_stop(&first);
}
END_TEST

START_TEST(test_bind_replaces_the_file_of_a_daemon_that_died)
{
	struct listener first, second;

	ck_assert_int_eq(bind_to(&first, path), 0);
	first.bound = false; /* it dies without unlinking */
	listener_stop(&first);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(bind_to(&second, path), 0);
	listener_stop(&second);
}
END_TEST

START_TEST(test_bind_leaves_a_file_that_is_no_socket)
{
	struct listener l;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	ck_assert_int_eq(bind_to(&l, path), -1);
	ck_assert_int_eq(exit_code, EX_CONFIG);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_bind_tells_a_missing_folder)
{
	struct listener l;
	char nowhere[128];

	(void)snprintf(nowhere, sizeof nowhere, "%s/none/s", folder);
	ck_assert_int_eq(bind_to(&l, nowhere), -1);
	ck_assert_int_eq(exit_code, EX_NOINPUT);
	ck_assert_ptr_nonnull(strstr(err.message, "folder"));
}
END_TEST

START_TEST(test_bind_takes_a_name_of_107_bytes_and_refuses_108)
{
	struct listener l;
	char longest[128];
	size_t room = sizeof((struct sockaddr_un *)0)->sun_path - 1;
	int n = snprintf(longest, sizeof longest, "%s/", folder);

	memset(longest + n, 'x', room - (size_t)n);
	longest[room] = '\0';
	ck_assert_int_eq(bind_to(&l, longest), 0);
	listener_stop(&l);
	longest[room] = 'x';
	longest[room + 1] = '\0';
	ck_assert_int_eq(bind_to(&l, longest), -1);
	ck_assert_int_eq(exit_code, EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.message, "too long"));
}
END_TEST

START_TEST(test_stop_leaves_the_file_of_a_successor)
{
	struct listener first, second;

	ck_assert_int_eq(bind_to(&first, path), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(bind_to(&second, path), 0);
	listener_stop(&first);
	ck_assert_int_eq(access(path, F_OK), 0);
	listener_stop(&second);
}
END_TEST

static int accepted, refused;

static void on_accepted(void *arg, int fd)
{
	(void)arg;
	accepted++;
	(void)close(fd);
}

static void on_refused(void *arg, int fd)
{
	(void)arg;
	refused++;
	ck_assert_int_eq(send(fd, "no", 2, MSG_NOSIGNAL), 2);
	(void)close(fd);
}

static int connect_to(const char *to)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, to, strlen(to));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

START_TEST(test_without_descriptors_a_client_is_still_told)
{
	struct listener l;
	struct rlimit limit;
	uv_loop_t loop;
	char text[8];
	int client, spare;

	ck_assert_int_eq(bind_to(&l, path), 0);
	l.accepted = on_accepted;
	l.refused = on_refused;
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(listener_start(&l, &loop), 0);
	client = connect_to(path);
	/* The lowest free descriptor becomes the limit: none is left. */
	spare = dup(client);
	(void)close(spare);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)spare;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	(void)uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(accepted, 0);
	ck_assert_int_eq(refused, 1);
	ck_assert_int_eq(recv(client, text, sizeof text, 0), 2);
	(void)close(client);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	client = connect_to(path);
	(void)uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(accepted, 1);
	(void)close(client);
	listener_stop(&l);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("listener");

	tcase_set_timeout(tc, 10);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, test_bind_makes_the_file_with_the_mode_whatever_the_umask);
	tcase_add_test(tc, test_bind_refuses_a_name_in_use);
	tcase_add_test(tc, test_bind_replaces_the_file_of_a_daemon_that_died);
	tcase_add_test(tc, test_bind_leaves_a_file_that_is_no_socket);
	tcase_add_test(tc, test_bind_tells_a_missing_folder);
	tcase_add_test(tc, test_bind_takes_a_name_of_107_bytes_and_refuses_108);
	tcase_add_test(tc, test_stop_leaves_the_file_of_a_successor);
	tcase_add_test(tc, test_without_descriptors_a_client_is_still_told);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
