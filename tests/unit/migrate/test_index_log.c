/* The log of changes: what goes in comes out, in order, over pieces, files and records of any length. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/index_log.h"
#include "tests/unit/run_suite.h"

static void add(struct index_log *log, int64_t rowid, size_t bytes)
{
	uint8_t *data = malloc(bytes + 1);
	struct key_ref key = {.norm = data, .norm_n = bytes, .tail = data, .tail_n = bytes / 3, .unique_n = 1};

	ck_assert_ptr_nonnull(data);
	memset(data, (int)(rowid & 0xff), bytes + 1);
	index_log_add(log, rowid, bytes ? &key : NULL);
	free(data);
}

static void expect(struct index_log *log, struct index_log_cursor *c, int64_t rowid, size_t bytes)
{
	struct index_log_record r;

	ck_assert_int_eq(index_log_read(log, c, &r), 1);
	ck_assert_int_eq(r.rowid, rowid);
	ck_assert_int_eq(r.entry, bytes > 0);
	if (!bytes)
		return;
	ck_assert_uint_eq(r.key.norm_n, bytes);
	ck_assert_uint_eq(r.key.tail_n, bytes / 3);
	ck_assert_uint_eq(r.key.unique_n, 1);
	for (size_t i = 0; i < bytes; i += 97)
		ck_assert_int_eq(r.key.norm[i], (int)(rowid & 0xff));
}

static size_t length(int64_t i) { return i % 5 == 0 ? 0 : i % 1000 == 1 ? 700000 : (size_t)(i * 31 % 400 + 1); }

START_TEST(test_all_comes_out_in_order)
{
	struct index_log *log = index_log_new("/tmp");
	struct index_log_cursor a = {0}, b = {0};
	struct index_log_record r;

	for (int64_t i = -2000; i < 4000; i++) {
		add(log, i, length(i < 0 ? -i : i));
		/* One reader keeps up, the other one comes later. */
		expect(log, &a, i, length(i < 0 ? -i : i));
		ck_assert_int_eq(index_log_read(log, &a, &r), 0);
	}
	for (int64_t i = -2000; i < 4000; i++)
		expect(log, &b, i, length(i < 0 ? -i : i));
	ck_assert_int_eq(index_log_read(log, &b, &r), 0);
	ck_assert_uint_eq(a.at, index_log_end(log));
	ck_assert_ptr_null(index_log_lost(log));
	index_log_cursor_free(&a);
	index_log_cursor_free(&b);
	index_log_free(log);
}
END_TEST

START_TEST(test_what_was_read_can_be_dropped)
{
	struct index_log *log = index_log_new("/tmp");
	struct index_log_cursor c = {0};

	for (int round = 0; round < 3; round++) {
		for (int64_t i = 0; i < 3000; i++)
			add(log, i, length(i));
		expect(log, &c, 0, length(0));
		/* Not all of it was read: nothing happens. */
		index_log_drop(log, c.at);
		for (int64_t i = 1; i < 3000; i++)
			expect(log, &c, i, length(i));
		index_log_drop(log, c.at);
		ck_assert_uint_eq(index_log_end(log), c.at);
	}
	index_log_cursor_free(&c);
	index_log_free(log);
}
END_TEST

START_TEST(test_without_room_it_is_lost_and_says_so)
{
	struct index_log *log = index_log_new("/nonexistent");

	for (int64_t i = 0; i < 10; i++)
		add(log, i, 100000);
	ck_assert_ptr_nonnull(strstr(index_log_lost(log), "temporary file"));
	index_log_lose(log, "second");
	ck_assert_ptr_nonnull(strstr(index_log_lost(log), "temporary file"));
	index_log_free(log);
	index_log_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("index_log");
	TCase *t = tcase_create("index_log");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_all_comes_out_in_order);
	tcase_add_test(t, test_what_was_read_can_be_dropped);
	tcase_add_test(t, test_without_room_it_is_lost_and_says_so);
	suite_add_tcase(s, t);
	return run_suite(s);
}
