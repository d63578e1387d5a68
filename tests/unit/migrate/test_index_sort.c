/* The sorter: in memory and with runs on disk the same keys come out, in order, within the memory it was given. */
#include "daemon/migrate/index_sort.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/scratch_folder.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t seed = 42;
static char dir[64];

static uint64_t next_random(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static void set_up(void) { scratch_folder(dir, sizeof(dir)); }

static void tear_down(void)
{
	/* Nothing is left: the files had no name. */
	ck_assert_int_eq(rmdir(dir), 0);
}

/* A key that ends by itself: bytes >= 2, a zero, the number; tail and unique part made from the number too. */
static void add(struct sorter *s, uint64_t number, size_t prefix, size_t spread, struct buf *b)
{
	struct error err = {0};
	struct key_ref key;

	buf_truncate(b, 0);
	for (size_t i = 0; i < prefix; i++)
		buf_putc(b, 'p');
	for (size_t n = next_random(12); n > 0; n--)
		buf_putc(b, (char)(2 + next_random(spread)));
	buf_putc(b, 0);
	size_t unique = b->len;
	for (int shift = 56; shift >= 0; shift -= 8)
		buf_putc(b, (char)(number >> shift));
	key = (struct key_ref){.norm = (uint8_t *)b->data, .norm_n = b->len, .unique_n = unique};
	key.tail = key.norm + unique;
	key.tail_n = number % 9;
	/* Check would note each of millions of assertions in a file. */
	if (sorter_add(s, &key, &err) != 0)
		ck_abort_msg("%s", err.message);
}

/* Takes all keys out: ascending, whole, each number once. */
static void check_out(struct sorter *s, uint64_t keys, size_t merge_bytes)
{
	struct error err = {0};
	struct key_ref key, last;
	struct buf before = {0};
	uint8_t *seen = calloc(keys, 1);
	uint64_t count = 0;
	int got;

	ck_assert_int_eq(sorter_finish(s, merge_bytes, &err), 0);
	while ((got = sorter_next(s, &key, &err)) > 0) {
		uint64_t number = 0;
		for (size_t i = key.unique_n; i < key.norm_n; i++)
			number = number << 8 | key.norm[i];
		last = (struct key_ref){.norm = (uint8_t *)before.data, .norm_n = before.len};
		if (number >= keys || seen[number]++ != 0 || key.tail_n != number % 9 ||
		    memcmp(key.tail, key.norm + key.unique_n, key.tail_n > 8 ? 8 : key.tail_n) != 0 ||
		    (count > 0 && key_compare(&last, &key) >= 0))
			ck_abort_msg("key %" PRIu64 " of number %" PRIu64 " is not the one", count, number);
		buf_truncate(&before, 0);
		buf_add(&before, key.norm, key.norm_n);
		count++;
	}
	ck_assert_int_eq(got, 0);
	ck_assert_uint_eq(count, keys);
	ck_assert_uint_eq(sorter_keys(s), keys);
	buf_free(&before);
	free(seen);
}

static const struct shape {
	uint64_t keys;
	size_t prefix, spread;
	uint64_t spill_every; /* 0: never */
} shapes[] = {
	{0, 0, 250, 0},     {1, 0, 250, 0},    {11, 0, 2, 0},       {5000, 0, 250, 0},
	{5000, 0, 1, 0},    {3000, 100, 2, 0}, {5000, 0, 250, 997}, {5000, 40, 2, 100},
	{600, 5000, 3, 50}, {3000, 0, 250, 5}, {200000, 3, 200, 0}, {200000, 3, 200, 30000},
};

START_TEST(test_keys_come_out_in_order)
{
	const struct shape *shape = &shapes[_i];
	struct sorter *s = sorter_new(dir, 64 << 20);
	struct error err = {0};
	struct buf b = {0};

	for (uint64_t i = 0; i < shape->keys; i++) {
		add(s, i, shape->prefix, shape->spread, &b);
		if (shape->spill_every > 0 && i % shape->spill_every == 0) {
			ck_assert_int_eq(sorter_spill(s, &err), 0);
			ck_assert_uint_eq(sorter_memory(s), 0);
		}
	}
	ck_assert_int_eq(sorter_spilled_bytes(s) > 0, shape->spill_every > 0);
	check_out(s, shape->keys, 64 << 10);
	sorter_free(s);
	buf_free(&b);
}
END_TEST

START_TEST(test_a_key_longer_than_every_buffer)
{
	struct sorter *s = sorter_new(dir, 64 << 20);
	struct error err = {0};
	struct buf b = {0};

	for (uint64_t i = 0; i < 4; i++) {
		add(s, i, 3 << 20, 5, &b);
		if (i == 1)
			ck_assert_int_eq(sorter_spill(s, &err), 0);
	}
	check_out(s, 4, 4096);
	sorter_free(s);
	buf_free(&b);
}
END_TEST

/* Or else many sorters that share little memory would each be full at once, and every run hold one key. */
START_TEST(test_a_small_share_is_taken_in_small_pieces)
{
	const size_t share = 256 << 10;
	struct sorter *s = sorter_new(dir, share);
	struct buf b = {0};
	uint64_t keys = 0;

	add(s, keys++, 0, 250, &b);
	ck_assert_uint_lt(sorter_memory(s), share / 4);
	while (sorter_memory(s) < share)
		add(s, keys++, 0, 250, &b);
	ck_assert_uint_gt(keys, 1000);
	check_out(s, keys, 64 << 10);
	sorter_free(s);
	buf_free(&b);
}
END_TEST

START_TEST(test_identical_keys_do_not_hang_it)
{
	struct sorter *s = sorter_new(dir, 64 << 20);
	struct error err = {0};
	struct key_ref key = {.norm = (const uint8_t *)"abcdefghijkl", .norm_n = 12};
	int count = 0;

	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(sorter_add(s, &key, &err), 0);
	ck_assert_int_eq(sorter_finish(s, 4096, &err), 0);
	while (sorter_next(s, &key, &err) > 0)
		count++;
	ck_assert_int_eq(count, 1000);
	sorter_free(s);
}
END_TEST

START_TEST(test_a_missing_folder_is_an_error)
{
	struct sorter *s = sorter_new("/nonexistent/alterd", 64 << 20);
	struct error err = {0};
	struct buf b = {0};

	add(s, 0, 0, 5, &b);
	ck_assert_int_eq(sorter_spill(s, &err), -1);
	ck_assert(error_is_set(&err));
	error_clear(&err);
	sorter_free(s);
	buf_free(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate");
	TCase *tc = tcase_create("index_sort");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, test_keys_come_out_in_order, 0, (int)(sizeof(shapes) / sizeof(shapes[0])));
	tcase_add_test(tc, test_a_key_longer_than_every_buffer);
	tcase_add_test(tc, test_a_small_share_is_taken_in_small_pieces);
	tcase_add_test(tc, test_identical_keys_do_not_hang_it);
	tcase_add_test(tc, test_a_missing_folder_is_an_error);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
