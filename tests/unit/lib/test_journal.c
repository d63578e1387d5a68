/* The journal's native protocol: how fields are written, and an entry that is too large for a datagram. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/lib/journal.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/scratch_folder.h"

static char folder[80], path[100];
static int reading = -1;
static struct journal j;

static void set_up(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	scratch_folder(folder, sizeof(folder));
	(void)snprintf(path, sizeof(path), "%s/socket", folder);
	memcpy(address.sun_path, path, strlen(path));
	reading = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(reading, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(journal_open(&j, path), 0);
}

static void tear_down(void)
{
	journal_close(&j);
	journal_close(&j);
	(void)close(reading);
	(void)unlink(path);
	(void)rmdir(folder);
}

START_TEST(test_a_field_is_a_line_and_one_with_line_ends_has_its_length)
{
	static const char want[] = "A=b c\nM\n\x05\0\0\0\0\0\0\0x\ny=z\nE=\n";
	struct buf entry = {0};

	journal_text(&entry, "A", "b c");
	journal_text(&entry, "M", "x\ny=z");
	journal_text(&entry, "E", "");
	ck_assert_uint_eq(entry.len, sizeof(want) - 1);
	ck_assert_mem_eq(entry.data, want, sizeof(want) - 1);
	buf_free(&entry);
}
END_TEST

START_TEST(test_an_entry_is_one_datagram)
{
	struct buf entry = {0};
	char got[64];

	journal_text(&entry, "MESSAGE", "hello");
	ck_assert_int_eq(journal_send(&j, &entry), 0);
	ck_assert_int_eq(recv(reading, got, sizeof(got), MSG_DONTWAIT), 14);
	ck_assert_mem_eq(got, "MESSAGE=hello\n", 14);
	buf_free(&entry);
}
END_TEST

START_TEST(test_one_too_large_comes_as_a_sealed_file)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char nothing[8], got[16];
	struct iovec bytes = {.iov_base = nothing, .iov_len = sizeof(nothing)};
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct buf entry = {0};
	int fd;

	journal_field(&entry, "MESSAGE", "", 0);
	while (entry.len < (8u << 20))
		journal_text(&entry, "PAD", "0123456789012345678901234567890123456789");
	ck_assert_int_eq(journal_send(&j, &entry), 0);
	ck_assert_int_eq(recvmsg(reading, &message, MSG_DONTWAIT), 0);
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->cmsg_type, SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)entry.len);
	ck_assert_int_eq(pread(fd, got, 13, 0), 13);
	ck_assert_mem_eq(got, "MESSAGE=\nPAD=", 13);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	(void)close(fd);
	buf_free(&entry);
}
END_TEST

START_TEST(test_where_nobody_reads_it_fails_and_waits_for_nobody)
{
	struct buf entry = {0};
	int sent = 0;

	journal_text(&entry, "MESSAGE", "x");
	while (sent < 100000 && journal_send(&j, &entry) == 0)
		sent++;
	ck_assert_int_lt(sent, 100000);
	ck_assert_int_eq(errno, EAGAIN);
	(void)close(reading);
	ck_assert_int_eq(journal_send(&j, &entry), -1);
	buf_free(&entry);
}
END_TEST

START_TEST(test_paths_that_cannot_be)
{
	struct journal other;
	char text[200];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(journal_open(&other, ""), -1);
	ck_assert_int_eq(journal_open(&other, text), -1);
	ck_assert_int_eq(journal_open(&other, "/nonexistent/socket"), -1);
	journal_close(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib");
	TCase *cases = tcase_create("journal");

	tcase_set_timeout(cases, 20);
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, test_a_field_is_a_line_and_one_with_line_ends_has_its_length);
	tcase_add_test(cases, test_an_entry_is_one_datagram);
	tcase_add_test(cases, test_one_too_large_comes_as_a_sealed_file);
	tcase_add_test(cases, test_where_nobody_reads_it_fails_and_waits_for_nobody);
	tcase_add_test(cases, test_paths_that_cannot_be);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
