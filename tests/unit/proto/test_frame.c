/* Lines out of bytes: the same lines and the same complaints, however the bytes come in pieces. */
#include "proto/frame.h"

#include "tests/unit/proto/proto_test.h"

#define LIMIT 8

/* Takes all there is: each line as "<line>", a line too long as "!". */
static void drain(struct frame *f, struct buf *seen)
{
	enum frame_result result;
	char *line = NULL;
	size_t n = 0;

	for (;;) {
		result = frame_next(f, &line, &n);
		ck_assert_int_ne(result, FRAME_NO_MEMORY);
		if (result == FRAME_MORE)
			return;
		if (result == FRAME_TOO_LONG) {
			buf_putc(seen, '!');
			continue;
		}
		ck_assert_uint_le(n, f->limit);
		ck_assert_int_eq(line[n], '\0');
		buf_putc(seen, '<');
		buf_add(seen, line, n);
		buf_putc(seen, '>');
	}
}

/* Pushes the text in pieces of the given size, the first of `first` bytes. */
static void check_pieces(const char *text, size_t first, size_t size, const char *want)
{
	size_t n = strlen(text), at = 0, piece = first;
	struct buf seen = {0};
	struct frame f;

	frame_init(&f, LIMIT);
	while (at < n) {
		if (piece > n - at)
			piece = n - at;
		frame_push(&f, text + at, piece);
		at += piece;
		drain(&f, &seen);
		ck_assert_uint_le(frame_held(&f), LIMIT);
		piece = size;
	}
	ck_assert_msg(strcmp(buf_cstr(&seen), want) == 0, "pieces of %zu, %zu: %s", first, size, buf_cstr(&seen));
	buf_free(&seen);
	frame_free(&f);
}

static void check_every_way(const char *text, const char *want)
{
	size_t first, size, n = strlen(text);

	for (first = 1; first <= n; first++) {
		for (size = 1; size <= n; size++)
			check_pieces(text, first, size, want);
	}
}

START_TEST(test_lines_by_every_chunking)
{
	check_every_way("a\nbc\n\n\r\ndef\r\ng\rh\n", "<a><bc><def><g\rh>");
	check_every_way("\n\n\n\n", "");
	check_every_way("half", "");
	check_every_way("{\"id\":1}\n{\"id\":2}\n", "<{\"id\":1}><{\"id\":2}>");
}
END_TEST

START_TEST(test_limit_exactly_and_one_past)
{
	check_every_way("12345678\n", "<12345678>");
	check_every_way("123456789\n", "!");
	check_every_way("1234567\r\n", "<1234567>");
	check_every_way("a\n123456789\nb\n", "<a>!<b>");
	check_every_way("123456789abcdefghijklmnopqrst\r\nb\n12345678\n", "!<b><12345678>");
	check_every_way("123456789\n123456789\nok\n", "!!<ok>");
}
END_TEST

START_TEST(test_too_long_is_told_before_its_end_and_not_kept)
{
	struct buf seen = {0};
	struct frame f;
	char block[1000];
	int i;

	memset(block, 'x', sizeof block);
	frame_init(&f, LIMIT);
	for (i = 0; i < 1000; i++) {
		frame_push(&f, block, sizeof block);
		drain(&f, &seen);
		ck_assert_uint_eq(frame_held(&f), 0);
	}
	ck_assert_uint_le(f.in.cap, 4096);
	frame_push(&f, "\nok\n", 4);
	drain(&f, &seen);
	ck_buf(&seen, "!<ok>");
	buf_free(&seen);
	frame_free(&f);
}
END_TEST

START_TEST(test_a_taken_line_is_good_until_the_next_push)
{
	char *first = NULL, *second = NULL;
	size_t n = 0;
	struct frame f;

	frame_init(&f, LIMIT);
	frame_push(&f, "one\ntwo\nhal", 11);
	ck_assert_int_eq(frame_next(&f, &first, &n), FRAME_LINE);
	ck_assert_int_eq(frame_next(&f, &second, &n), FRAME_LINE);
	ck_assert_int_eq(frame_next(&f, &second, &n), FRAME_MORE);
	ck_assert_str_eq(first, "one");
	ck_assert_uint_eq(frame_held(&f), 3);
	frame_push(&f, "f\n", 2);
	ck_assert_int_eq(frame_next(&f, &first, &n), FRAME_LINE);
	ck_assert_str_eq(first, "half");
	frame_free(&f);
}
END_TEST

START_TEST(test_skip_gives_up_the_half_line_only)
{
	struct buf seen = {0};
	struct frame f;

	frame_init(&f, LIMIT);
	frame_push(&f, "a\nhal", 5);
	frame_skip(&f);
	ck_assert_uint_eq(frame_held(&f), 2);
	drain(&f, &seen);
	frame_push(&f, "f of it", 7);
	frame_push(&f, " is long\nb\n", 11);
	drain(&f, &seen);
	ck_buf(&seen, "<a><b>");
	/* Nothing is held: nothing is to be skipped. */
	frame_skip(&f);
	frame_push(&f, "c\n", 2);
	drain(&f, &seen);
	ck_buf(&seen, "<c>");
	buf_free(&seen);
	frame_free(&f);
	frame_free(&f);
}
END_TEST

START_TEST(test_memory_of_a_large_line_is_given_back)
{
	char *big = malloc(4 << 20), *line = NULL;
	size_t n = 0;
	struct frame f;

	ck_assert_ptr_nonnull(big);
	memset(big, 'x', 4 << 20);
	big[(4 << 20) - 1] = '\n';
	frame_init(&f, 16 << 20);
	frame_push(&f, big, 4 << 20);
	ck_assert_int_eq(frame_next(&f, &line, &n), FRAME_LINE);
	ck_assert_uint_eq(n, (4 << 20) - 1);
	ck_assert_int_eq(frame_next(&f, &line, &n), FRAME_MORE);
	frame_trim(&f);
	ck_assert_uint_eq(f.in.cap, 0);
	frame_push(&f, "x\ny", 3);
	ck_assert_int_eq(frame_next(&f, &line, &n), FRAME_LINE);
	frame_trim(&f);
	ck_assert_uint_eq(frame_held(&f), 1);
	frame_push(&f, "z\n", 2);
	ck_assert_int_eq(frame_next(&f, &line, &n), FRAME_LINE);
	ck_assert_str_eq(line, "yz");
	frame_free(&f);
	free(big);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("frame");

	tcase_add_test(tc, test_lines_by_every_chunking);
	tcase_add_test(tc, test_limit_exactly_and_one_past);
	tcase_add_test(tc, test_too_long_is_told_before_its_end_and_not_kept);
	tcase_add_test(tc, test_a_taken_line_is_good_until_the_next_push);
	tcase_add_test(tc, test_skip_gives_up_the_half_line_only);
	tcase_add_test(tc, test_memory_of_a_large_line_is_given_back);
	return run_case(tc);
}
