/* Subscriptions and their queues, with sources that speak when the test says so. */
#include "daemon/lib/log.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/server/fake_rooms.h"

#define SUBSCRIBE(id, topics) "{\"id\":" #id ",\"method\":\"subscribe\",\"params\":{\"topics\":[" topics "]}}\n"

static void commit(const char *table, int64_t n)
{
	struct change one = {.table = table, .inserted = n};

	tell_committed(changes_arg, &(struct changes){.n = 1, .at = &one});
}

static size_t occurrences(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

/* Subscribed to changes, and counted. */
static void subscribe_changes(void)
{
	say(SUBSCRIBE(1, "\"changes\""));
	ck_assert(counts_asked);
	counts = true;
	tell_counting(changes_arg);
	ck_assert_str_eq(heard(), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"subscription\":\"e1\",\"seq\":0,"
				  "\"state\":{\"version\":12,\"job\":null}}}\n");
}

START_TEST(test_the_answer_waits_for_its_sources_and_comes_before_any_event)
{
	say(SUBSCRIBE(1, "\"changes\",\"schema\",\"migration\""));
	ck_assert(counts_asked && listens_schema && listens_jobs);
	ck_assert_str_eq(heard(), "");
	counts = true;
	tell_counting(changes_arg);
	ck_assert_str_eq(heard(), "");
	/* Nobody is subscribed yet: what is told now is part of the state. */
	listener->job(listener->arg, "done", 7, "{\"job\":\"m7\"}");
	schema_seen = true;
	listener->schema_seen(listener->arg);
	commit("user", 3);
	heard();
	ck_assert_ptr_eq(
		strstr(heard_text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"subscription\":\"e1\",\"seq\":0,"),
		heard_text);
	ck_assert_ptr_nonnull(strstr(heard_text, "\"method\":\"event\",\"params\":{\"subscription\":\"e1\",\"seq\":1,"
						 "\"topic\":\"changes\",\"type\":\"commit\",\"time\":\""));
	ck_assert_ptr_nonnull(strstr(heard_text,
				     "\"data\":{\"tables\":{\"user\":{\"insert\":3,\"update\":0,\"delete\":0}},"
				     "\"lost\":0}}}\n"));
	ck_assert_ptr_null(strstr(heard_text, "done"));
}
END_TEST

START_TEST(test_a_waiting_subscribe_holds_the_line_and_can_be_cancelled)
{
	say(SUBSCRIBE(1, "\"changes\""));
	say_queries(2, 1);
	ck_assert_uint_eq(njobs, 0);
	say("{\"id\":3,\"method\":\"cancel\",\"params\":{\"id\":1}}\n");
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":1,\"error\":{\"code\":9"));
	ck_assert_uint_eq(forgotten, 0);
	ck_assert(!counts_asked);
	ck_assert_uint_eq(njobs, 1);
	answer("1");
	say(SUBSCRIBE(4, "\"changes\""));
	ck_assert(counts_asked);
	session_close(session, STOP_GONE);
	ck_assert(!counts_asked);
	ck_assert(list_empty(&server.events.waiting));
}
END_TEST

START_TEST(test_sources_are_listened_to_while_somebody_is_subscribed)
{
	int second_fd;
	struct session *second = add_client(&second_fd);

	say(SUBSCRIBE(1, "\"migration\""));
	ck_assert(listens_jobs && !listens_schema && !counts_asked);
	ck_assert_int_gt(send(second_fd, SUBSCRIBE(1, "\"migration\""), strlen(SUBSCRIBE(1, "\"migration\"")), 0), 0);
	turn();
	ck_assert_uint_eq(server.events.subscriptions.count, 2);
	heard();
	say("{\"id\":2,\"method\":\"unsubscribe\",\"params\":{\"subscription\":\"e1\"}}\n");
	ck_assert_str_eq(heard(), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n");
	ck_assert(listens_jobs);
	session_close(second, STOP_GONE);
	turn();
	ck_assert(!listens_jobs);
	say("{\"id\":3,\"method\":\"unsubscribe\",\"params\":{\"subscription\":\"e1\"}}\n");
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":3,\"error\":{\"code\":-32007"));
	(void)close(second_fd);
}
END_TEST

START_TEST(test_who_does_not_read_gets_sums_and_the_count_of_what_was_lost)
{
	int64_t sum = 0, got = 0;
	size_t events = 0, lost = 0;

	subscribe_changes();
	server.config.server_event_queue = 4;
	/* Far more than the socket, the output and the queue hold. */
	for (int64_t i = 0; i < 20000; i++, sum += i)
		commit(i % 2 ? "odd" : "even", i + 1);
	ck_assert_uint_le(session->events.queue.count, 4);
	ck_assert_uint_lt(connection_output(&session->connection), 2 * EVENT_OUTPUT_BYTES);
	ck_assert_uint_eq(server.events.total, 20000);
	ck_assert_uint_gt(server.events.lost_total, 10000);
	heard();
	for (const char *p = heard_text; (p = strstr(p, "\"insert\":")) != NULL; p++)
		got += strtoll(p + 9, NULL, 10);
	for (const char *p = heard_text; (p = strstr(p, "\"lost\":")) != NULL; p++, events++)
		lost += (size_t)strtoull(p + 7, NULL, 10);
	ck_assert_int_eq(got, sum);
	ck_assert_uint_eq(events + lost, 20000);
	ck_assert_uint_eq(lost, server.events.lost_total);
	commit("even", 1);
	ck_assert_ptr_nonnull(strstr(heard(), "\"lost\":0"));
}
END_TEST

/* Nothing of what follows is taken: the output is full as far as events are concerned. */
static void stuff_output(void)
{
	struct buf line = {0};

	for (size_t i = 0; i < EVENT_OUTPUT_BYTES; i++)
		buf_putc(&line, '\n');
	connection_tell(&session->connection, &line);
	buf_free(&line);
}

START_TEST(test_progress_is_replaced_and_the_last_word_always_comes)
{
	say(SUBSCRIBE(1, "\"migration\",\"log\",\"schema\""));
	schema_seen = true;
	listener->schema_seen(listener->arg);
	heard();
	server.config.server_event_queue = 1;
	stuff_output();
	for (int i = 0; i < 5; i++) {
		char data[64];

		(void)snprintf(data, sizeof data, "{\"job\":\"m1\",\"percent\":%d}", i);
		listener->job(listener->arg, "progress", 1, data);
	}
	ck_assert_uint_eq(session->events.queue.count, 1);
	const char *a = "a", *b = "b";
	listener->schema(listener->arg, &(struct schema_change){.version = 2, .before = 1, .n = 1, .tables = &a});
	listener->schema(listener->arg, &(struct schema_change){.version = 3, .before = 2, .n = 1, .tables = &b});
	listener->job(listener->arg, "phase", 1, "{\"job\":\"m1\",\"phase\":\"ready\"}");
	listener->job(listener->arg, "done", 1, "{\"job\":\"m1\"}");
	ck_assert_uint_eq(session->events.queue.count, 2);
	heard();
	ck_assert_uint_eq(occurrences(heard_text, "\"method\":\"event\""), 2);
	ck_assert_ptr_nonnull(strstr(heard_text, "\"type\":\"done\""));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"data\":{\"job\":\"m1\",\"lost\":6}"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"data\":{\"version\":3,\"from\":1,\"schema_version\":0,"
						 "\"tables\":[\"a\",\"b\"],\"lost\":1}"));
}
END_TEST

START_TEST(test_a_queue_is_bounded_in_bytes_and_tables)
{
	struct change many[CHANGES_TABLES_MAX];
	static char names[CHANGES_TABLES_MAX][CHANGES_NAME_MAX + 1];

	subscribe_changes();
	stuff_output();
	for (size_t round = 0; round < 40; round++) {
		for (size_t i = 0; i < CHANGES_TABLES_MAX; i++) {
			(void)snprintf(names[i], sizeof names[i], "t%zu_%zu_%0200d", round, i, 0);
			many[i] = (struct change){.table = names[i], .updated = 1};
		}
		tell_committed(changes_arg, &(struct changes){.n = CHANGES_TABLES_MAX, .at = many});
	}
	ck_assert_uint_lt(session->events.bytes, 2 * EVENT_QUEUE_BYTES);
	ck_assert_uint_lt(session->events.queue.count, 8);
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"more\":true"));
	ck_assert_uint_eq(session->events.bytes, 0);
}
END_TEST

START_TEST(test_unsubscribe_and_the_end_drop_what_waits)
{
	subscribe_changes();
	stuff_output();
	for (int i = 0; i < 10; i++)
		commit("user", 1);
	ck_assert_uint_eq(session->events.queue.count, 10);
	say("{\"id\":2,\"method\":\"unsubscribe\",\"params\":{\"subscription\":\"e1\"}}\n");
	ck_assert_uint_eq(session->events.queue.count, 0);
	ck_assert_uint_eq(session->events.bytes, 0);
	ck_assert_ptr_null(strstr(heard(), "event"));
	say(SUBSCRIBE(3, "\"migration\""));
	stuff_output();
	listener->job(listener->arg, "done", 1, "{}");
	session_close(session, STOP_GONE);
	ck_assert_uint_eq(server.events.subscriptions.count, 0);
}
END_TEST

START_TEST(test_only_answers_that_wait_make_a_client_overdue)
{
	char block[4096];

	subscribe_changes();
	/* The socket is full, and nobody reads. */
	for (int i = 0; i < 20000; i++) {
		commit("user", 1);
		if (i % 64 == 0)
			turn();
	}
	ck_assert_uint_gt(connection_output(&session->connection), 0);
	ck_assert(!connection_send_overdue(&session->connection, 1000, 10));
	ck_assert(!connection_send_overdue(&session->connection, 5000, 10));
	say("{\"id\":2,\"method\":\"ping\"}\n");
	ck_assert(!connection_send_overdue(&session->connection, 6000, 10));
	ck_assert(connection_send_overdue(&session->connection, 7000, 10));
	while (recv(client, block, sizeof block, 0) > 0)
		turn();
	ck_assert(!connection_send_overdue(&session->connection, 9000, 10));
}
END_TEST

START_TEST(test_log_lines_on_their_way_are_bounded)
{
	log_set_level(LOG_LEVEL_ERROR);
	say(SUBSCRIBE(1, "\"log\""));
	heard();
	for (int i = 0; i < LOG_PENDING_MAX + 50; i++)
		log_error("test", "line %d", i);
	ck_assert_uint_eq(nposted, LOG_PENDING_MAX);
	for (size_t i = 0; i < nposted; i++)
		posted[i]->deliver(posted[i]);
	nposted = 0;
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"topic\":\"log\",\"type\":\"line\""));
	ck_assert_ptr_nonnull(strstr(
		heard_text, "\"data\":{\"level\":\"error\",\"room\":\"test\",\"message\":\"line 0\",\"lost\":50}"));
	say("{\"id\":2,\"method\":\"unsubscribe\",\"params\":{\"subscription\":\"e1\"}}\n");
	log_error("test", "nobody listens");
	ck_assert_uint_eq(nposted, 0);
	log_set_level(LOG_LEVEL_INFO);
}
END_TEST

START_TEST(test_half_closed_goes_on_while_it_is_subscribed)
{
	say(SUBSCRIBE(1, "\"migration\""));
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	heard();
	listener->job(listener->arg, "done", 1, "{\"job\":\"m1\"}");
	ck_assert_ptr_nonnull(strstr(heard(), "\"type\":\"done\""));
	ck_assert_int_eq(session->state, SESSION_OPEN);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server");
	TCase *tc = tcase_create("events");

	tcase_add_checked_fixture(tc, fake_set_up, fake_tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_the_answer_waits_for_its_sources_and_comes_before_any_event);
	tcase_add_test(tc, test_a_waiting_subscribe_holds_the_line_and_can_be_cancelled);
	tcase_add_test(tc, test_sources_are_listened_to_while_somebody_is_subscribed);
	tcase_add_test(tc, test_who_does_not_read_gets_sums_and_the_count_of_what_was_lost);
	tcase_add_test(tc, test_progress_is_replaced_and_the_last_word_always_comes);
	tcase_add_test(tc, test_a_queue_is_bounded_in_bytes_and_tables);
	tcase_add_test(tc, test_unsubscribe_and_the_end_drop_what_waits);
	tcase_add_test(tc, test_only_answers_that_wait_make_a_client_overdue);
	tcase_add_test(tc, test_log_lines_on_their_way_are_bounded);
	tcase_add_test(tc, test_half_closed_goes_on_while_it_is_subscribed);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
