/* The mailbox: order, coalesced wake-ups, no delivery from inside a post, rounds, closing. Each test has its own loop.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/mailbox.h"
#include "tests/unit/run_suite.h"

struct letter {
	struct mail mail;
	int value;
};

static uv_loop_t loop;
static struct mailbox *box;
static int seen[64], seen_count;
static pthread_t loop_thread;

static void set_up(void)
{
	seen_count = 0;
	loop_thread = pthread_self();
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(mailbox_open(&loop, &box), 0);
}

static void tear_down(void)
{
	mailbox_close(box);
	ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void note(struct mail *mail)
{
	struct letter *letter = CONTAINER_OF(mail, struct letter, mail);

	ck_assert(pthread_equal(pthread_self(), loop_thread));
	ck_assert_int_lt(seen_count, 64);
	seen[seen_count++] = letter->value;
}

static void has_seen(const int *values, int n)
{
	ck_assert_int_eq(seen_count, n);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(seen[i], values[i]);
}

static void too_late(uv_timer_t *timer)
{
	(void)timer;
	ck_abort_msg("no mail came");
}

/* Blocks in the loop until `*counter` has reached `n`; the timer keeps the loop, as the mailbox alone does not. */
static void run_until(const int *counter, int n)
{
	uv_timer_t keep;

	ck_assert_int_eq(uv_timer_init(&loop, &keep), 0);
	ck_assert_int_eq(uv_timer_start(&keep, too_late, 25000, 0), 0);
	while (*counter < n)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&keep, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

START_TEST(test_mail_comes_in_order_in_one_round)
{
	struct letter letters[3] = {{{.deliver = note}, 1}, {{.deliver = note}, 2}, {{.deliver = note}, 3}};

	for (int i = 0; i < 3; i++)
		mailbox_post(box, &letters[i].mail);
	ck_assert_int_eq(seen_count, 0);
	run_until(&seen_count, 3);
	has_seen((const int[]){1, 2, 3}, 3);
}
END_TEST

START_TEST(test_a_list_goes_as_one_and_is_empty_afterwards)
{
	struct letter letters[3] = {{{.deliver = note}, 1}, {{.deliver = note}, 2}, {{.deliver = note}, 3}};
	struct list list;

	list_init(&list);
	mailbox_post_list(box, &list);
	mailbox_post(box, &letters[0].mail);
	list_push(&list, &letters[1].mail.node);
	list_push(&list, &letters[2].mail.node);
	mailbox_post_list(box, &list);
	ck_assert(list_empty(&list));
	run_until(&seen_count, 3);
	has_seen((const int[]){1, 2, 3}, 3);
}
END_TEST

START_TEST(test_the_mailbox_alone_does_not_keep_the_loop) { ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0); }
END_TEST

static int reposts;

static void repost(struct mail *mail)
{
	int depth = seen_count;

	note(mail);
	if (reposts-- > 0)
		mailbox_post(box, mail);
	/* Never from inside the call. */
	ck_assert_int_eq(seen_count, depth + 1);
}

START_TEST(test_what_a_delivery_posts_waits_for_the_next_round)
{
	struct letter letter = {{.deliver = repost}, 1};

	reposts = 2;
	mailbox_post(box, &letter.mail);
	mailbox_drain(box);
	ck_assert_int_eq(seen_count, 1);
	mailbox_drain(box);
	ck_assert_int_eq(seen_count, 2);
	run_until(&seen_count, 3);
	ck_assert_int_eq(seen_count, 3);
}
END_TEST

START_TEST(test_the_loop_is_woken_again_for_what_a_delivery_posted)
{
	struct letter letter = {{.deliver = repost}, 1};

	reposts = 1;
	mailbox_post(box, &letter.mail);
	run_until(&seen_count, 2);
	ck_assert_int_eq(seen_count, 2);
}
END_TEST

static void release(struct mail *mail)
{
	note(mail);
	free(CONTAINER_OF(mail, struct letter, mail));
}

START_TEST(test_a_delivery_may_free_its_mail)
{
	for (int i = 0; i < 3; i++) {
		struct letter *letter = xcalloc(1, sizeof(*letter));
		letter->mail.deliver = release;
		letter->value = i;
		mailbox_post(box, &letter->mail);
	}
	run_until(&seen_count, 3);
	has_seen((const int[]){0, 1, 2}, 3);
}
END_TEST

/* Nothing wakes the loop while it listens; what came is told when it stops, and later mail wakes it as ever. */
START_TEST(test_who_listens_is_told_and_not_woken)
{
	struct letter first = {.mail.deliver = note, .value = 1}, second = {.mail.deliver = note, .value = 2};

	mailbox_listen(box);
	ck_assert(!mailbox_has_mail(box));
	mailbox_post(box, &first.mail);
	ck_assert(mailbox_has_mail(box));
	uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(seen_count, 0);
	ck_assert(mailbox_stop_listening(box));
	mailbox_drain(box);
	has_seen((int[]){1}, 1);
	ck_assert(!mailbox_has_mail(box));
	mailbox_listen(box);
	ck_assert(!mailbox_stop_listening(box));
	mailbox_post(box, &second.mail);
	run_until(&seen_count, 2);
	has_seen((int[]){1, 2}, 2);
}
END_TEST

START_TEST(test_close_delivers_what_is_left_and_what_that_posts)
{
	uv_loop_t other;
	struct letter letter = {{.deliver = repost}, 1};
	struct mailbox *mine = box;

	ck_assert_int_eq(uv_loop_init(&other), 0);
	ck_assert_int_eq(mailbox_open(&other, &box), 0);
	reposts = 3;
	mailbox_post(box, &letter.mail);
	mailbox_close(box);
	ck_assert_int_eq(seen_count, 4);
	mailbox_close(box);
	ck_assert_int_eq(uv_run(&other, UV_RUN_DEFAULT), 0);
	ck_assert_int_eq(uv_loop_close(&other), 0);
	box = mine;
	mailbox_close(NULL);
}
END_TEST

enum { POSTERS = 4, EACH = 2000 };

struct poster {
	pthread_t thread;
	struct letter letters[EACH];
};

static int next_of[POSTERS], arrived;

static void count(struct mail *mail)
{
	struct letter *letter = CONTAINER_OF(mail, struct letter, mail);
	int poster = letter->value / EACH;

	ck_assert(pthread_equal(pthread_self(), loop_thread));
	/* Nothing is lost, nothing comes twice, and each poster's mail comes in its order. */
	ck_assert_int_eq(letter->value % EACH, next_of[poster]++);
	arrived++;
}

static void *post_all(void *arg)
{
	struct poster *p = arg;
	struct list batch;

	list_init(&batch);
	for (int i = 0; i < EACH; i++) {
		list_push(&batch, &p->letters[i].mail.node);
		if (i % 3 == 0 || i == EACH - 1)
			mailbox_post_list(box, &batch);
	}
	return NULL;
}

START_TEST(test_nothing_is_lost_between_many_threads)
{
	struct poster *posters = xcalloc(POSTERS, sizeof(*posters));

	memset(next_of, 0, sizeof(next_of));
	arrived = 0;
	for (int p = 0; p < POSTERS; p++) {
		for (int i = 0; i < EACH; i++)
			posters[p].letters[i] = (struct letter){{.deliver = count}, p * EACH + i};
		ck_assert_int_eq(pthread_create(&posters[p].thread, NULL, post_all, &posters[p]), 0);
	}
	run_until(&arrived, POSTERS * EACH);
	for (int p = 0; p < POSTERS; p++)
		ck_assert_int_eq(pthread_join(posters[p].thread, NULL), 0);
	free(posters);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib");
	TCase *cases = tcase_create("mailbox");

	tcase_set_timeout(cases, 30);
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, test_mail_comes_in_order_in_one_round);
	tcase_add_test(cases, test_a_list_goes_as_one_and_is_empty_afterwards);
	tcase_add_test(cases, test_the_mailbox_alone_does_not_keep_the_loop);
	tcase_add_test(cases, test_what_a_delivery_posts_waits_for_the_next_round);
	tcase_add_test(cases, test_the_loop_is_woken_again_for_what_a_delivery_posted);
	tcase_add_test(cases, test_a_delivery_may_free_its_mail);
	tcase_add_test(cases, test_who_listens_is_told_and_not_woken);
	tcase_add_test(cases, test_close_delivers_what_is_left_and_what_that_posts);
	tcase_add_test(cases, test_nothing_is_lost_between_many_threads);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
