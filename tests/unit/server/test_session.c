/* A session's line, its limits and its end, with a store that answers when the test says so. */
#include "tests/unit/run_suite.h"
#include "tests/unit/server/fake_rooms.h"

START_TEST(test_every_method_has_a_handler_of_its_kind)
{
	for (int op = 0; op < OP_COUNT; op++) {
		const struct handler *h = handler_of((enum op)op);

		ck_assert_msg((h->start != NULL) != (h->answer != NULL), "%s", op_info((enum op)op)->name);
		if (!(op_info((enum op)op)->flags & OP_CONTROL))
			ck_assert_msg(h->start != NULL, "%s is a statement", op_info((enum op)op)->name);
	}
}
END_TEST

START_TEST(test_line_is_full_behind_the_last_allowed_statement)
{
	struct line_limits limits = {64, 1000};

	ck_assert(!line_full(&limits, 1, 63, 0, 0));
	ck_assert(line_full(&limits, 1, 64, 0, 0));
	ck_assert(!line_full(&limits, 0, 64, 0, 0));
	ck_assert(line_full(&limits, 0, 65, 0, 0));
}
END_TEST

START_TEST(test_line_is_full_by_bytes_the_first_not_counted)
{
	struct line_limits limits = {64, 1000};

	ck_assert(!line_full(&limits, 1, 1, 50000, 50000));
	ck_assert(!line_full(&limits, 1, 2, 51000, 50000));
	ck_assert(line_full(&limits, 1, 2, 51001, 50000));
}
END_TEST

START_TEST(test_ping_overtakes_a_statement)
{
	say_queries(1, 1);
	say("{\"id\":2,\"method\":\"ping\"}\n");
	ck_assert_str_eq(heard(), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n");
	answer("{\"rows\":[]}");
	ck_assert_str_eq(heard(), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"rows\":[]}}\n");
}
END_TEST

START_TEST(test_statements_answer_in_order_one_in_flight)
{
	say_queries(1, 3);
	ck_assert_uint_eq(njobs, 1);
	ck_assert_str_eq(jobs[0]->params->sql, "SELECT 1");
	answer("1");
	ck_assert_uint_eq(njobs, 1);
	ck_assert_str_eq(jobs[0]->params->sql, "SELECT 2");
	answer("2");
	answer("3");
	ck_assert_str_eq(heard(), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n{\"jsonrpc\":\"2.0\",\"id\":2,"
				  "\"result\":2}\n"
				  "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":3}\n");
}
END_TEST

START_TEST(test_a_broken_line_is_answered_in_its_place)
{
	say_queries(1, 1);
	say("hello\n");
	ck_assert_str_eq(heard(), "");
	answer("1");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":1,\"result\":1}\n{\"jsonrpc\":\"2.0\",\"id\":null,"
						 "\"error\":{\"code\":-32700"));
}
END_TEST

START_TEST(test_notification_runs_and_is_not_answered)
{
	say("{\"method\":\"exec\",\"params\":{\"sql\":\"SELECT 1\"}}\n{\"method\":\"ping\"}\n"
	    "{\"method\":\"nonsense\"}\n");
	ck_assert_uint_eq(njobs, 1);
	ck_assert(jobs[0]->exec);
	answer("1");
	ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(test_duplicate_id_is_refused_at_once)
{
	say_queries(7, 1);
	say_queries(7, 1);
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":7,\"error\":{\"code\":-32600"));
	answer("1");
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":7,\"result\":1"));
	say_queries(7, 1);
	ck_assert_uint_eq(njobs, 1);
	answer("1");
}
END_TEST

START_TEST(test_reading_stops_behind_the_65th_and_a_cancel_behind_64_is_read)
{
	say_queries(1, 64);
	ck_assert(session->connection.reading);
	say("{\"id\":100,\"method\":\"cancel\",\"params\":{\"id\":1}}\n");
	ck_assert_str_eq(heard(), "{\"jsonrpc\":\"2.0\",\"id\":100,\"result\":{\"cancelled\":true}}\n");
	ck_assert_int_eq(stopped, STOP_CANCEL);
	say_queries(65, 1);
	ck_assert_uint_eq(session_in_flight(session), 65);
	ck_assert(!session->connection.reading);
	say("{\"id\":101,\"method\":\"ping\"}\n");
	ck_assert_str_eq(heard(), "");
	answer("1");
	ck_assert(session->connection.reading);
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":101,\"result\":{}"));
}
END_TEST

START_TEST(test_queued_bytes_are_bounded)
{
	static char text[70000];
	int n = snprintf(text, sizeof text, "{\"method\":\"query\",\"params\":{\"sql\":\"");

	memset(text + n, ' ', 66000);
	(void)snprintf(text + n + 66000, sizeof text - (size_t)n - 66000, "\"}}\n");
	for (int i = 0; i < 6; i++) { /* one runs, one is the first in line, four more pass 256 KiB */
		say(text);
		let_decode();
	}
	ck_assert(!session->connection.reading);
	ck_assert_uint_eq(session->line.count, 5);
	ck_assert_uint_gt(server.input_charged, 6 * 66000);
	answer("1");
	ck_assert(session->connection.reading);
}
END_TEST

/* Sends a long line and lets it come as far as the pool: it cannot be back before the loop's next turn. */
static void say_long(void)
{
	static const char head[] = "{\"id\":1,\"method\":\"query\",\"params\":{\"sql\":\"", tail[] = "\"}}\n";
	static char text[LONG_LINE_BYTES + 200];

	memset(text, ' ', sizeof text);
	memcpy(text, head, sizeof head - 1);
	memcpy(text + sizeof text - sizeof tail, tail, sizeof tail);
	ck_assert_int_eq(send(client, text, sizeof text - 1, MSG_NOSIGNAL), sizeof text - 1);
	while (!session->decoding)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert(!session->connection.reading);
	ck_assert_uint_gt(server.input_charged, LONG_LINE_BYTES);
}

START_TEST(test_long_line_is_decoded_beside_the_loop)
{
	say_long();
	let_decode();
	ck_assert_uint_eq(njobs, 1);
	ck_assert(session->connection.reading);
	answer("1");
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":1,\"result\""));
	ck_assert_uint_eq(server.input_charged, 0);
}
END_TEST

/* Whatever its session has come to meanwhile, the line comes back once and is dropped. */
START_TEST(test_session_that_ends_while_its_line_is_decoded)
{
	say_long();
	if (_i == 0)
		session_kill(session);
	else
		session_close(session, STOP_GONE);
	let_decode();
	ck_assert_uint_eq(njobs, 0);
	ck_assert(list_empty(&server.sessions));
	ck_assert_uint_eq(server.input_charged, 0);
}
END_TEST

START_TEST(test_cancel_of_a_waiting_statement_answers_without_running_it)
{
	say_queries(1, 2);
	say("{\"id\":9,\"method\":\"cancel\",\"params\":{\"id\":2}}\n{\"id\":10,\"method\":\"cancel\","
	    "\"params\":{\"id\":77}}\n");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":2,\"error\":{\"code\":9,\"message\":\"interrupted\",\"data\":{"
						 "\"name\":\"SQLITE_INTERRUPT\",\"reason\":\"cancel\","
						 "\"retryable\":false}}"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":9,\"result\":{\"cancelled\":true}"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":10,\"result\":{\"cancelled\":false}"));
	answer("1");
	ck_assert_uint_eq(njobs, 0);
}
END_TEST

START_TEST(test_hello_tells_limits_and_must_be_first)
{
	say("{\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1,1],\"client\":\"t/1\","
	    "\"int64\":\"string\",\"readonly\":true}}\n");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"protocol\":1,\"session\":\"s1\""));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"limits\":{\"line_bytes\":16777216,\"page_rows\":1000,"
						 "\"page_bytes\":1048576,"
						 "\"in_flight\":64,\"tx_ms\":5000,\"tx_idle_ms\":2000,"
						 "\"cursor_idle_ms\":30000}}"));
	ck_assert_int_eq(session->sql.int64, INT64_STRING);
	ck_assert(session->sql.readonly);
	ck_assert_str_eq(session->client, "t/1");
	say("{\"id\":2,\"method\":\"hello\"}\n");
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":2,\"error\":{\"code\":-32600"));
}
END_TEST

START_TEST(test_hello_of_another_protocol_is_answered_and_closed)
{
	char byte;

	say("{\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[2,3]}}\n{\"id\":2,\"method\":\"query\","
	    "\"params\":{\"sql\":\"x\"}}\n");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"code\":-32001"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"protocol\":[1,1]"));
	ck_assert_uint_eq(njobs, 0);
	ck_assert_int_eq(recv(client, &byte, 1, 0), 0);
	ck_assert(list_empty(&server.sessions));
}
END_TEST

START_TEST(test_hello_with_a_version_the_schema_does_not_have)
{
	say("{\"id\":1,\"method\":\"hello\",\"params\":{\"expect_version\":13}}\n{\"id\":2,\"method\":\"ping\"}\n");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"code\":-32029"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"version\":12"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":2,\"result\":{}"));
}
END_TEST

START_TEST(test_role_is_checked)
{
	session->role = ROLE_RW;
	say("{\"id\":1,\"method\":\"kill\",\"params\":{\"session\":\"s1\"}}\n"
	    "{\"id\":2,\"method\":\"migrate.alter\",\"params\":{\"sql\":\"ALTER TABLE t DROP c\"}}\n");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":1,\"error\":{\"code\":-32002,"
						 "\"message\":\"kill needs the role admin"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":2,\"error\":{\"code\":-32002,"
						 "\"message\":\"migrate.alter needs the role migrate"));
}
END_TEST

START_TEST(test_too_long_line_is_skipped_and_told)
{
	static char text[9000];

	server.config.server_line_limit = 4096;
	session->connection.frame.limit = 4096;
	memset(text, 'x', sizeof text - 2);
	text[sizeof text - 2] = '\n';
	say(text);
	say("{\"id\":1,\"method\":\"ping\"}\n");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":null,\"error\":{\"code\":-32005"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":1,\"result\":{}"));
}
END_TEST

START_TEST(test_spent_input_budget_refuses_the_line_and_goes_on)
{
	static char text[200001];

	server.config.server_input_budget = 100000;
	memset(text, ' ', 200000);
	text[200000] = '\0';
	say(text);
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":null,\"error\":{\"code\":-32010,"
						 "\"message\":\"too many long requests at once\""));
	ck_assert_uint_eq(server.input_charged, 0);
	say("\n{\"id\":1,\"method\":\"ping\"}\n");
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":1,\"result\":{}"));
}
END_TEST

START_TEST(test_half_line_that_lasts_too_long_ends_the_session)
{
	char byte;

	server.config.server_line_time = 0;
	say("{\"id\":1,");
	ck_assert_uint_ne(session->connection.half_since_ms, 0);
	session->connection.half_since_ms = 1; /* long ago */
	uv_update_time(&loop);
	session_sweep(session);
	ck_assert_ptr_nonnull(strstr(heard(), "\"code\":-32600,\"message\":\"half a line"));
	ck_assert_int_eq(recv(client, &byte, 1, 0), 0);
	ck_assert(list_empty(&server.sessions));
}
END_TEST

START_TEST(test_reader_that_does_not_read_is_not_served_until_it_does)
{
	static char page[1 << 20];
	size_t got = 0;

	memset(page, 'x', sizeof page - 1);
	say_queries(1, 3);
	answer(page);
	turn();
	/* One page is waiting: above output_high only together with its envelope. */
	ck_assert(!session->choked || njobs == 0);
	if (njobs > 0) {
		answer(page);
		turn();
	}
	ck_assert(session->choked);
	ck_assert_uint_eq(njobs, 0);
	ck_assert(!session->connection.reading);
	for (int i = 0; i < 1000 && session->choked; i++)
		got += strlen(heard());
	ck_assert(!session->choked);
	ck_assert_uint_gt(got, 0);
	ck_assert_uint_eq(njobs, 1);
	ck_assert(session->connection.reading);
}
END_TEST

START_TEST(test_reader_that_takes_nothing_for_send_time_is_closed)
{
	static char page[1 << 20];

	memset(page, 'x', sizeof page - 1);
	say_queries(1, 1);
	answer(page);
	turn();
	server.config.server_send_time = 0;
	session_sweep(session);
	ck_assert_int_eq(session->state, SESSION_OPEN);
	session->connection.send_since_ms = 1;
	uv_update_time(&loop);
	session_sweep(session);
	turn();
	ck_assert(list_empty(&server.sessions));
	ck_assert_uint_eq(server.stats.slow_readers_total, 1);
}
END_TEST

START_TEST(test_half_closed_client_gets_its_answers)
{
	char byte;

	say_queries(1, 2);
	say("{\"id\":3,\"method\":\"ping\"}"); /* and no end of line */
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	turn();
	ck_assert_uint_eq(njobs, 1);
	answer("1");
	answer("2");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":1,\"result\":1"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":2,\"result\":2"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":3,\"result\":{}"));
	ck_assert_int_eq(recv(client, &byte, 1, 0), 0);
	ck_assert(list_empty(&server.sessions));
}
END_TEST

START_TEST(test_client_that_is_gone_has_its_statement_stopped_and_its_transaction_ended)
{
	say_queries(1, 3);
	fake_open = true;
	(void)close(client);
	client = -1;
	turn();
	ck_assert_int_eq(stopped, STOP_GONE);
	ck_assert_uint_eq(session->line.count, 0);
	ck_assert_uint_eq(server.sessions.count, 1);
	answer("1");
	ck_assert_uint_eq(ends, 1);
	answer(NULL);
	turn();
	ck_assert(list_empty(&server.sessions));
}
END_TEST

START_TEST(test_client_that_leaves_after_half_closing_is_noticed_by_the_sweep)
{
	say_queries(1, 1);
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	turn();
	(void)close(client);
	client = -1;
	turn();
	ck_assert_int_eq(stopped, STOP_NONE);
	session_sweep(session);
	ck_assert_int_eq(stopped, STOP_GONE);
	answer("1");
	turn();
	ck_assert(list_empty(&server.sessions));
}
END_TEST

START_TEST(test_overdue_cursor_is_swept_before_the_next_statement)
{
	fake_open = fake_due = true;
	say_queries(1, 1);
	ck_assert_uint_eq(sweeps, 1);
	fake_due = false;
	answer(NULL);
	ck_assert_uint_eq(njobs, 1);
	ck_assert_int_eq(jobs[0]->kind, SQL_STATEMENT);
	fake_open = false;
	answer("1");
}
END_TEST

START_TEST(test_expired_transaction_finds_its_session)
{
	session->sql.tx = TX_WRITE;
	session->sql.tx_serial = 5;
	session_note(session);
	session_expired(&server, 6, "no");
	ck_assert_int_eq(session->tx, TX_WRITE);
	session_expired(&server, 5, "gone");
	ck_assert_int_eq(session->tx, TX_FAILED);
}
END_TEST

START_TEST(test_alter_that_waits_holds_the_line_but_not_what_overtakes)
{
	say("{\"id\":1,\"method\":\"migrate.alter\",\"params\":{\"sql\":\"ALTER TABLE t DROP c\",\"wait\":true}}\n");
	say_queries(2, 1);
	ck_assert_ptr_nonnull(waiter);
	ck_assert_uint_eq(njobs, 0);
	say("{\"id\":3,\"method\":\"migrate.status\"}\n");
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":3,\"result\":{}"));
	buf_puts(waiter->out, "{\"job\":\"m1\",\"state\":\"done\"}");
	waiter->done(waiter);
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":1,\"result\":{\"job\":\"m1\",\"state\":\"done\"}"));
	ck_assert_uint_eq(njobs, 1);
	answer("1");
}
END_TEST

START_TEST(test_alter_that_waits_is_forgotten_with_its_client)
{
	say("{\"id\":1,\"method\":\"migrate.alter\",\"params\":{\"sql\":\"ALTER TABLE t DROP c\",\"wait\":true}}\n");
	(void)close(client);
	client = -1;
	turn();
	ck_assert_uint_eq(forgotten, 1);
	ck_assert(list_empty(&server.sessions));
}
END_TEST

START_TEST(test_alter_that_waits_ends_with_its_timeout)
{
	say("{\"id\":1,\"method\":\"migrate.alter\",\"params\":{\"sql\":\"ALTER TABLE t DROP c\",\"wait\":true,"
	    "\"timeout_ms\":60000}}\n");
	session_sweep(session);
	ck_assert_str_eq(heard(), "");
	session->running->deadline_ms = 1;
	session_sweep(session);
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":1,\"error\":{\"code\":9"));
	ck_assert_uint_eq(forgotten, 1);
}
END_TEST

START_TEST(test_aborts_that_wait_are_bounded)
{
	char text[128];

	for (int i = 1; i <= 17; i++) {
		(void)snprintf(text, sizeof text, "{\"id\":%d,\"method\":\"migrate.abort\"}\n", i);
		say(text);
	}
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":17,\"error\":{\"code\":-32010"));
	ck_assert_uint_eq(session->aside.count, 16);
	/* The fake knows one waiter only. */
	while (!list_empty(&session->aside)) {
		struct slot *slot = LIST_ENTRY(list_first(&session->aside), struct slot, node);

		slot->wait.done(&slot->wait);
	}
}
END_TEST

START_TEST(test_kill_stops_answers_and_closes)
{
	int other;
	char text[4096] = "";
	struct session *victim = add_client(&other);
	const char *line = "{\"id\":1,\"method\":\"query\",\"params\":{\"sql\":\"SELECT 1\"}}\n";

	ck_assert_int_eq(send(other, line, strlen(line), 0), (ssize_t)strlen(line));
	turn();
	say("{\"id\":5,\"method\":\"kill\",\"params\":{\"session\":\"s2\"}}\n{\"id\":6,\"method\":\"kill\","
	    "\"params\":{\"session\":\"s9\"}}\n");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":5,\"result\":{}"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":6,\"error\":{\"code\":-32007"));
	ck_assert_int_eq(stopped, STOP_KILL);
	ck_assert_int_eq(victim->state, SESSION_ENDING);
	answer("1");
	turn();
	ck_assert_int_gt(recv(other, text, sizeof text - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(text, "\"id\":1,\"result\":1"));
	ck_assert_int_eq(recv(other, text, sizeof text - 1, 0), 0);
	ck_assert_uint_eq(server.sessions.count, 1);
	(void)close(other);
}
END_TEST

START_TEST(test_kill_of_itself_is_answered)
{
	say("{\"id\":5,\"method\":\"kill\",\"params\":{\"session\":\"s1\"}}\n");
	ck_assert_ptr_nonnull(strstr(heard(), "\"id\":5,\"result\":{}"));
	ck_assert(list_empty(&server.sessions));
}
END_TEST

START_TEST(test_sessions_shows_the_running_statement_cut_at_a_character)
{
	char text[512], sql[300] = "";

	for (int i = 0; i < 67; i++)
		memcpy(sql + 3 * i, "\xe2\x82\xac", 4); /* 201 bytes of three-byte characters */
	(void)snprintf(text, sizeof text,
		       "{\"id\":1,\"method\":\"query\",\"params\":{\"sql\":\"%s\","
		       "\"bind\":[\"secret\"]}}\n",
		       sql);
	say(text);
	say("{\"id\":2,\"method\":\"sessions\"}\n");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"state\":\"active\""));
	ck_assert_ptr_null(strstr(heard_text, "secret"));
	sql[198] = '\0';
	(void)snprintf(text, sizeof text, "\"statement\":\"%s\",", sql);
	ck_assert_ptr_nonnull(strstr(heard_text, text));
	answer("1");
}
END_TEST

START_TEST(test_errors_are_counted_by_name)
{
	say("hello\nhello\n{\"id\":1,\"method\":\"quary\"}\n{\"id\":2,\"method\":\"stats\"}\n");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"errors_total\":{\"PARSE_ERROR\":2,\"METHOD_NOT_FOUND\":1}"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"queries_total\":7"));
}
END_TEST

START_TEST(test_draining_refuses_new_statements_and_lets_transactions_end)
{
	say_queries(1, 2);
	server_shut_down(&server);
	ck_assert_int_eq(server.state, SERVER_DRAINING);
	say_queries(3, 1);
	say("{\"id\":4,\"method\":\"ping\"}\n");
	answer("1");
	ck_assert_uint_eq(njobs, 1); /* the second came before the signal */
	session->sql.tx = TX_WRITE;  /* it was a begin */
	answer("2");
	ck_assert_uint_eq(njobs, 1); /* so the third may go on */
	session->sql.tx = TX_NONE;
	answer("3");
	server_shutdown_step(&server);
	ck_assert_int_eq(server.state, SERVER_STOPPING);
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":3,\"result\":3"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":4,\"result\":{}"));
	ck_assert(list_empty(&server.sessions));
	server_shutdown_step(&server);
	ck_assert_int_eq(server.state, SERVER_CLOSING);
}
END_TEST

START_TEST(test_draining_answers_what_came_late)
{
	say_queries(1, 1);
	server_shut_down(&server);
	say_queries(2, 1);
	answer("1");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":1,\"result\":1"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":2,\"error\":{\"code\":-32004"));
}
END_TEST

START_TEST(test_second_signal_stops_what_runs)
{
	say_queries(1, 2);
	server_shut_down(&server);
	server_shutdown_step(&server);
	ck_assert_int_eq(server.state, SERVER_DRAINING);
	server_shut_down(&server);
	server_shutdown_step(&server);
	ck_assert_int_eq(server.state, SERVER_STOPPING);
	ck_assert(drained);
	ck_assert_int_eq(stopped, STOP_SHUTDOWN);
	answer("1");
	heard();
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":1,\"result\":1"));
	ck_assert_ptr_nonnull(strstr(heard_text, "\"id\":2,\"error\":{\"code\":-32004"));
	ck_assert(list_empty(&server.sessions));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("session");

	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, fake_set_up, fake_tear_down);
	tcase_add_test(tc, test_every_method_has_a_handler_of_its_kind);
	tcase_add_test(tc, test_line_is_full_behind_the_last_allowed_statement);
	tcase_add_test(tc, test_line_is_full_by_bytes_the_first_not_counted);
	tcase_add_test(tc, test_ping_overtakes_a_statement);
	tcase_add_test(tc, test_statements_answer_in_order_one_in_flight);
	tcase_add_test(tc, test_a_broken_line_is_answered_in_its_place);
	tcase_add_test(tc, test_notification_runs_and_is_not_answered);
	tcase_add_test(tc, test_duplicate_id_is_refused_at_once);
	tcase_add_test(tc, test_reading_stops_behind_the_65th_and_a_cancel_behind_64_is_read);
	tcase_add_test(tc, test_queued_bytes_are_bounded);
	tcase_add_test(tc, test_long_line_is_decoded_beside_the_loop);
	tcase_add_loop_test(tc, test_session_that_ends_while_its_line_is_decoded, 0, 2);
	tcase_add_test(tc, test_cancel_of_a_waiting_statement_answers_without_running_it);
	tcase_add_test(tc, test_hello_tells_limits_and_must_be_first);
	tcase_add_test(tc, test_hello_of_another_protocol_is_answered_and_closed);
	tcase_add_test(tc, test_hello_with_a_version_the_schema_does_not_have);
	tcase_add_test(tc, test_role_is_checked);
	tcase_add_test(tc, test_too_long_line_is_skipped_and_told);
	tcase_add_test(tc, test_spent_input_budget_refuses_the_line_and_goes_on);
	tcase_add_test(tc, test_half_line_that_lasts_too_long_ends_the_session);
	tcase_add_test(tc, test_reader_that_does_not_read_is_not_served_until_it_does);
	tcase_add_test(tc, test_reader_that_takes_nothing_for_send_time_is_closed);
	tcase_add_test(tc, test_half_closed_client_gets_its_answers);
	tcase_add_test(tc, test_client_that_is_gone_has_its_statement_stopped_and_its_transaction_ended);
	tcase_add_test(tc, test_client_that_leaves_after_half_closing_is_noticed_by_the_sweep);
	tcase_add_test(tc, test_overdue_cursor_is_swept_before_the_next_statement);
	tcase_add_test(tc, test_expired_transaction_finds_its_session);
	tcase_add_test(tc, test_alter_that_waits_holds_the_line_but_not_what_overtakes);
	tcase_add_test(tc, test_alter_that_waits_is_forgotten_with_its_client);
	tcase_add_test(tc, test_alter_that_waits_ends_with_its_timeout);
	tcase_add_test(tc, test_aborts_that_wait_are_bounded);
	tcase_add_test(tc, test_kill_stops_answers_and_closes);
	tcase_add_test(tc, test_kill_of_itself_is_answered);
	tcase_add_test(tc, test_sessions_shows_the_running_statement_cut_at_a_character);
	tcase_add_test(tc, test_errors_are_counted_by_name);
	tcase_add_test(tc, test_draining_refuses_new_statements_and_lets_transactions_end);
	tcase_add_test(tc, test_draining_answers_what_came_late);
	tcase_add_test(tc, test_second_signal_stops_what_runs);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
