/* The byte buffer: growth, the sticky failure, cutting. */
#include <stdint.h>

#include "tests/unit/proto/proto_test.h"

START_TEST(test_zeroed_buffer_is_empty_text)
{
	struct buf b = {0};

	ck_assert_str_eq(buf_cstr(&b), "");
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
	buf_free(&b);
}
END_TEST

START_TEST(test_appends_keep_all_bytes)
{
	struct buf b;
	size_t i;

	buf_init(&b);
	for (i = 0; i < 100000; i++)
		buf_putc(&b, (char)('a' + i % 26));
	ck_assert_uint_eq(b.len, 100000);
	for (i = 0; i < b.len; i++)
		ck_assert_int_eq(b.data[i], (char)('a' + i % 26));
	buf_free(&b);
}
END_TEST

START_TEST(test_printf_of_any_length)
{
	struct buf b = {0};
	char text[2000];
	size_t n;

	memset(text, 'x', sizeof text);
	for (n = 0; n < sizeof text; n += 37) {
		buf_printf(&b, "%.*s|%d", (int)n, text, 7);
		ck_assert_uint_eq(b.len, n + 2);
		ck_assert_str_eq(buf_cstr(&b) + n, "|7");
		buf_reset(&b, SIZE_MAX);
	}
	buf_free(&b);
}
END_TEST

START_TEST(test_failure_is_sticky_and_keeps_the_content)
{
	struct buf b = {0};

	buf_puts(&b, "kept");
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX));
	ck_assert(b.failed);
	buf_puts(&b, "not added");
	buf_printf(&b, "%d", 5);
	ck_assert_uint_eq(b.len, 4);
	ck_assert_int_eq(memcmp(b.data, "kept", 4), 0);
	ck_assert_str_eq(buf_cstr(&b), "");
	buf_reset(&b, 1024);
	ck_assert(!b.failed);
	buf_puts(&b, "again");
	ck_buf(&b, "again");
	buf_free(&b);
}
END_TEST

START_TEST(test_reset_gives_large_memory_back)
{
	struct buf b = {0};

	ck_assert_ptr_nonnull(buf_reserve(&b, 1 << 20));
	buf_reset(&b, 1 << 10);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.cap, 0);
	buf_puts(&b, "x");
	buf_reset(&b, 1 << 10);
	ck_assert_ptr_nonnull(b.data);
	buf_free(&b);
}
END_TEST

START_TEST(test_truncate_and_consume)
{
	struct buf b = {0};

	buf_puts(&b, "0123456789");
	buf_consume(&b, 0);
	buf_consume(&b, 3);
	buf_truncate(&b, 4);
	ck_assert_str_eq(buf_cstr(&b), "3456");
	buf_consume(&b, 4);
	ck_assert_str_eq(buf_cstr(&b), "");
	buf_free(&b);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("buf");

	tcase_add_test(tc, test_zeroed_buffer_is_empty_text);
	tcase_add_test(tc, test_appends_keep_all_bytes);
	tcase_add_test(tc, test_printf_of_any_length);
	tcase_add_test(tc, test_failure_is_sticky_and_keeps_the_content);
	tcase_add_test(tc, test_reset_gives_large_memory_back);
	tcase_add_test(tc, test_truncate_and_consume);
	return run_case(tc);
}
