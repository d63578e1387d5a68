/* Two texts, line by line. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/ctl/diff.c"
#include "tests/unit/run_suite.h"

void *must(void *p)
{
	ck_assert_ptr_nonnull(p);
	return p;
}
void text_safe(struct buf *out, const char *p, size_t n) { buf_add(out, p, n); }

static void differ(const char *a, const char *b, size_t most, const char *want)
{
	struct buf out = {0};

	diff_lines(a, b, most, &out);
	ck_assert_str_eq(buf_cstr(&out), want);
	buf_free(&out);
}

START_TEST(the_same_is_nothing)
{
	differ("", "", 10, "");
	differ("a\nb\n", "a\nb\n", 10, "");
	differ("a\r\nb\r\n", "a\nb", 10, "");
}
END_TEST

START_TEST(lines_go_and_come)
{
	differ("", "a\n", 10, "@@ line 1 @@\n+a\n");
	differ("a\n", "", 10, "@@ line 1 @@\n-a\n");
	differ("1\n2\n3\na\n4\n5\n6\n", "1\n2\n3\nb\n4\n5\n6\n", 10, "@@ line 4 @@\n 2\n 3\n-a\n+b\n 4\n 5\n");
	differ("a\nb\nc\n", "b\nc\nd\n", 10, "@@ line 1 @@\n-a\n b\n c\n+d\n");
	differ("x\n1\n2\n3\n4\ny\n", "1\n2\n3\n4\n", 10, "@@ line 1 @@\n-x\n 1\n 2\n...\n-y\n");
	differ("a\na\n", "a\na\na\n", 10, "@@ line 3 @@\n a\n a\n+a\n");
}
END_TEST

START_TEST(only_so_many_are_shown)
{
	differ("1\n2\n3\n", "4\n5\n6\n", 4, "@@ line 1 @@\n-1\n-2\n-3\n+4\nand 2 more lines\n");
}
END_TEST

/* Too large for the table: all lines between are taken for others. */
START_TEST(very_long_texts_are_compared_as_well)
{
	struct buf a = {0}, b = {0}, out = {0};

	for (int i = 0; i < 3000; i++) {
		buf_printf(&a, "%d\n", i);
		buf_printf(&b, "%d\n", i + 1);
	}
	diff_lines(buf_cstr(&a), buf_cstr(&b), 2, &out);
	ck_assert_str_eq(buf_cstr(&out), "@@ line 1 @@\n-0\n-1\nand 5998 more lines\n");
	buf_free(&a);
	buf_free(&b);
	buf_free(&out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("diff");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, the_same_is_nothing);
	tcase_add_test(t, lines_go_and_come);
	tcase_add_test(t, only_so_many_are_shown);
	tcase_add_test(t, very_long_texts_are_compared_as_well);
	suite_add_tcase(s, t);
	return run_suite(s);
}
