/* The intrusive list: order, both ends, removal from the middle, splicing. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/list.h"
#include "tests/unit/run_suite.h"

struct item {
	int value;
	struct list_node node;
};

static struct list list;
static struct item items[4];

static void set_up(void)
{
	list_init(&list);
	memset(items, 0, sizeof(items));
	for (int i = 0; i < 4; i++)
		items[i].value = i;
}

static void holds(const struct list *l, const int *values, size_t n)
{
	const struct list_node *at = list_first(l);

	ck_assert_uint_eq(l->count, n);
	for (size_t i = 0; i < n; i++) {
		ck_assert_ptr_nonnull(at);
		ck_assert_int_eq(LIST_ENTRY(at, struct item, node)->value, values[i]);
		at = list_next(l, at);
	}
	ck_assert_ptr_null(at);
}

START_TEST(test_push_keeps_order_and_push_front_turns_it)
{
	list_push(&list, &items[1].node);
	list_push(&list, &items[2].node);
	list_push_front(&list, &items[0].node);
	list_insert_before(&list, &items[2].node, &items[3].node);
	holds(&list, (const int[]){0, 1, 3, 2}, 4);
}
END_TEST

START_TEST(test_remove_from_each_place)
{
	for (int i = 0; i < 4; i++)
		list_push(&list, &items[i].node);
	list_remove(&list, &items[1].node);
	ck_assert(!list_linked(&items[1].node));
	holds(&list, (const int[]){0, 2, 3}, 3);
	list_remove(&list, &items[3].node);
	list_remove(&list, &items[0].node);
	holds(&list, (const int[]){2}, 1);
	ck_assert_ptr_eq(list_pop(&list), &items[2].node);
	ck_assert(list_empty(&list));
	ck_assert_ptr_null(list_pop(&list));
}
END_TEST

START_TEST(test_splice_moves_all_behind_the_end)
{
	struct list from;

	list_init(&from);
	list_splice(&list, &from);
	ck_assert(list_empty(&list));
	list_push(&from, &items[0].node);
	list_push(&from, &items[1].node);
	list_splice(&list, &from);
	ck_assert(list_empty(&from));
	list_push(&from, &items[2].node);
	list_splice(&list, &from);
	holds(&list, (const int[]){0, 1, 2}, 3);
}
END_TEST

START_TEST(test_a_node_is_in_one_list_at_a_time)
{
	list_push(&list, &items[0].node);
	list_push(&list, &items[0].node);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib");
	TCase *cases = tcase_create("list");
	const char *fork = getenv("CK_FORK");

	tcase_set_timeout(cases, 10);
	tcase_add_checked_fixture(cases, set_up, NULL);
	tcase_add_test(cases, test_push_keeps_order_and_push_front_turns_it);
	tcase_add_test(cases, test_remove_from_each_place);
	tcase_add_test(cases, test_splice_moves_all_behind_the_end);
	/* What ends the process needs one of its own. */
	if (!fork || strcmp(fork, "no") != 0)
		tcase_add_test_raise_signal(cases, test_a_node_is_in_one_list_at_a_time, SIGABRT);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
