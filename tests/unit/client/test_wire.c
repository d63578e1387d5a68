/* Requests and replies: ids, errors, values to bind, timeouts, cancel, a connection that ends. */
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "tests/unit/client/fake.h"
#include "tests/unit/run_suite.h"

START_TEST(values_go_out_as_the_protocol_has_them)
{
	static const struct exchange script[] = {
		{"\"params\":{\"sql\":\"X\",\"bind\":[null,7,{\"int\":\"-9223372036854775808\"},1.0,{\"real\":\"inf\"},"
		 "\"a\\\"b\","
		 "{\"text\":\"/0E=\"},{\"blob\":\"AP8=\"},{\"blob\":\"\"}]}}\n",
		 RESULT("{\"changes\":0,\"last_insert_rowid\":0}")},
		{"\"bind\":{\"n\":\"Cy\",\":a\":41}}", RESULT("{\"changes\":1,\"last_insert_rowid\":3}")},
	};
	static const char *const names[] = {"n", ":a"};
	struct alterd_value values[] = {
		alterd_null(),
		alterd_int(7),
		alterd_int(INT64_MIN),
		alterd_real(1),
		alterd_real((double)INFINITY),
		alterd_text("a\"b"),
		alterd_text_n("\xff\x41", 2),
		alterd_blob("\x00\xff", 2),
		alterd_blob(NULL, 0),
	};
	struct alterd_value named[] = {alterd_text("Cy"), alterd_int(41)};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	int64_t rowid;

	ck_assert_int_eq(alterd_exec(c, "X", values, 9, NULL, NULL), 0);
	ck_assert_int_eq(alterd_exec_named(c, "X", names, named, 2, NULL, &rowid), 0);
	ck_assert_int_eq(rowid, 3);
	fake_end(&f, c);
}
END_TEST

START_TEST(what_cannot_be_bound_is_refused_before_it_is_sent)
{
	static const struct exchange script[] = {{"ping", RESULT("{}")}};
	struct alterd_value nan_value = alterd_real((double)NAN), hole = alterd_text_n(NULL, 3);
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);

	ck_assert_int_eq(alterd_exec(c, "X", &nan_value, 1, NULL, NULL), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_MISUSE);
	ck_assert_int_eq(alterd_exec(c, "X", &hole, 1, NULL, NULL), -1);
	ck_assert_int_eq(alterd_exec(c, "X", NULL, 1, NULL, NULL), -1);
	ck_assert_int_eq(alterd_exec(c, NULL, NULL, 0, NULL, NULL), -1);
	ck_assert_int_eq(alterd_set_timeout(c, 0), -1);
	ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), 0);
	fake_end(&f, c);
}
END_TEST

START_TEST(a_null_text_binds_as_null) { ck_assert_int_eq(alterd_text(NULL).type, ALTERD_NULL); }
END_TEST

START_TEST(an_error_is_told_whole)
{
	static const struct exchange script[] = {
		{"batch",
		 FAILURE("{\"code\":2067,\"message\":\"UNIQUE constraint failed: user.\\\"e\\\"\",\"data\":{\"name\":"
			 "\"SQLITE_CONSTRAINT_UNIQUE\",\"statement\":1,\"retryable\":false}}")},
		{"begin",
		 FAILURE("{\"code\":-32010,\"message\":\"no turn\",\"data\":{\"name\":\"BUSY\",\"retryable\":true}}")},
		{"commit", FAILURE("{\"code\":-32603,\"message\":\"bare\"}")},
		{"rollback", FAILURE("{\"message\":\"no code\"}")},
	};
	struct alterd_statement steps[2] = {{.sql = "A", .expect_changes = 1}, {.sql = "B", .expect_changes = -1}};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);

	ck_assert_int_eq(alterd_batch(c, steps, 2, NULL), -1);
	ck_assert_int_eq(alterd_error_code(c), 2067);
	ck_assert_str_eq(alterd_error_name(c), "SQLITE_CONSTRAINT_UNIQUE");
	ck_assert_str_eq(alterd_error_message(c), "UNIQUE constraint failed: user.\"e\"");
	ck_assert_int_eq(alterd_error_statement(c), 1);
	ck_assert_int_eq(alterd_error_retryable(c), 0);
	ck_assert_str_eq(alterd_error_data(c),
			 "{\"name\":\"SQLITE_CONSTRAINT_UNIQUE\",\"statement\":1,\"retryable\":false}");
	ck_assert_int_eq(alterd_begin(c, NULL, 0, 0), -1);
	ck_assert_int_eq(alterd_error_retryable(c), 1);
	ck_assert_int_eq(alterd_error_statement(c), -1);
	ck_assert_int_eq(alterd_commit(c), -1);
	ck_assert_str_eq(alterd_error_name(c), "");
	ck_assert_str_eq(alterd_error_data(c), "");
	ck_assert_int_eq(alterd_rollback(c), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_PROTOCOL);
	fake_end(&f, c);
}
END_TEST

START_TEST(a_batch_hands_out_each_steps_changes)
{
	static const struct exchange script[] = {
		{"\"statements\":[{\"sql\":\"A\",\"bind\":[1],\"expect_changes\":1},{\"sql\":\"B\"}]",
		 RESULT("{\"results\":[{\"changes\":1},{\"changes\":5}],\"ms\":0.61}")},
		{"\"script\":\"A;B\"", RESULT("{\"results\":[{},{}]}")},
		{"\"statements\":[{\"sql\":\"A\"", RESULT("{\"results\":[]}")},
	};
	struct alterd_value one = alterd_int(1);
	struct alterd_statement steps[2] = {
		{.sql = "A", .binds = &one, .n = 1, .expect_changes = 1},
		{.sql = "B", .expect_changes = -1},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	int64_t changes[2];

	ck_assert_int_eq(alterd_batch(c, steps, 2, changes), 0);
	ck_assert_int_eq(changes[0], 1);
	ck_assert_int_eq(changes[1], 5);
	ck_assert_int_eq(alterd_script(c, "A;B"), 0);
	ck_assert_int_eq(alterd_batch(c, steps, 2, changes), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_PROTOCOL);
	fake_end(&f, c);
}
END_TEST

START_TEST(replies_to_others_and_notifications_are_passed_over)
{
	static const struct exchange script[] = {
		{"ping", "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"id\":1}}\n\r\n\n"
			 "{\"id\":\"1\",\"result\":{\"no\":1}}\n{\"id\":999,\"result\":{\"no\":2}}\n"
			 "{\"later\":[{}],\"result\":{\"yes\" : [1, 2]},\"id\":$ID}\r\n"},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	const char *text;

	ck_assert_int_eq(alterd_call(c, "ping", NULL, &text), 0);
	ck_assert_str_eq(text, "{\"yes\" : [1, 2]}");
	fake_end(&f, c);
}
END_TEST

START_TEST(an_error_without_an_id_answers_the_request_in_flight)
{
	static const struct exchange script[] = {
		{"ping", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32005,\"message\":\"too "
			 "long\",\"data\":{\"name\":"
			 "\"LINE_TOO_LONG\"}}}\n"},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);

	ck_assert_int_eq(alterd_call(c, "ping", "{\"a\":\n1}", NULL), -1);
	ck_assert_str_eq(alterd_error_name(c), "LINE_TOO_LONG");
	fake_end(&f, c);
}
END_TEST

START_TEST(what_is_no_reply_breaks_the_connection)
{
	static const char *const replies[] = {"hello\n", "[1]\n", "{\"id\":$ID}\n", "{\"id\":$ID,\"result\":{]}\n",
					      "{\"id\":$ID,\"result\":{}} x\n"};

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct exchange script[] = {{"ping", replies[i]}};
		struct fake f = {0};
		struct alterd_conn *c = START(&f, script);

		ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), -1);
		ck_assert_msg(alterd_error_code(c) == ALTERD_E_PROTOCOL, "%s", replies[i]);
		ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), -1);
		fake_end(&f, c);
	}
}
END_TEST

START_TEST(a_daemon_that_hangs_up_is_told_as_closed)
{
	static const struct exchange midway[] = {{"ping", "{\"id\":$ID,\"resu"}, {NULL, ""}};
	static const struct exchange at_once[] = {{NULL, ""}};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, midway);

	ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_CLOSED);
	ck_assert_int_eq(alterd_error_retryable(c), 1);
	ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_CLOSED);
	fake_end(&f, c);
	/* The write finds the other end gone: no SIGPIPE, the same word. */
	c = START(&f, at_once);
	pthread_join(f.thread, NULL);
	ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_CLOSED);
	alterd_close(c);
	close(f.fd);
}
END_TEST

START_TEST(a_call_past_its_time_is_cancelled_and_its_late_answer_passed_over)
{
	static const struct exchange script[] = {
		{"query", NULL},
		{"\"method\":\"cancel\",\"params\":{\"id\":1}",
		 "{\"id\":1,\"error\":{\"code\":9,\"message\":\"interrupted\"}}\n{\"id\":$ID,\"result\":{\"cancelled\":"
		 "true}}\n"},
		{"ping", RESULT("{\"late\":false}")},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	struct alterd_result *r;
	const char *text;

	ck_assert_int_eq(alterd_set_timeout(c, 30), 0);
	ck_assert_int_eq(alterd_query(c, "SELECT slow", NULL, 0, &r), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_TIMEOUT);
	ck_assert_int_eq(alterd_error_retryable(c), 1);
	ck_assert_int_eq(alterd_set_timeout(c, -1), 0);
	ck_assert_int_eq(alterd_call(c, "ping", NULL, &text), 0);
	ck_assert_str_eq(text, "{\"late\":false}");
	fake_end(&f, c);
}
END_TEST

START_TEST(a_statement_timeout_is_sent_and_heard_first)
{
	static const struct exchange script[] = {
		{"\"sql\":\"X\",\"timeout_ms\":250}",
		 RESULT("{\"columns\":[\"a\"],\"rows\":[],\"done\":false,\"cursor\":\"c1\"}")},
		{"\"cursor\":\"c1\",\"timeout_ms\":250}", RESULT("{\"rows\":[],\"done\":true}")},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	struct alterd_result *r;

	ck_assert_int_eq(alterd_set_statement_timeout(c, 250), 0);
	ck_assert_int_eq(alterd_set_timeout(c, 250), 0);
	ck_assert_int_eq(alterd_query(c, "X", NULL, 0, &r), 0);
	ck_assert_int_eq(alterd_step(r), 0);
	alterd_result_free(r);
	fake_end(&f, c);
}
END_TEST

struct canceller {
	struct alterd_conn *c;
	atomic_bool heard;
};

/* The request is known to be in flight once the cancel for it names an id; until then nothing is sent. */
static void *cancel_until_heard(void *arg)
{
	struct canceller *k = arg;

	while (alterd_cancel(k->c) == 0 && !k->heard)
		sched_yield();
	return NULL;
}

START_TEST(another_thread_can_cancel)
{
	static const struct exchange script[] = {
		{"\"id\":1,\"method\":\"query\"", NULL},
		{"\"method\":\"cancel\",\"params\":{\"id\":1}",
		 "{\"id\":1,\"error\":{\"code\":9,\"message\":\"interrupted\",\"data\":{\"name\":\"SQLITE_INTERRUPT\"}}"
		 "}\n"},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	struct canceller k = {.c = c};
	struct alterd_result *r;
	pthread_t thread;

	ck_assert_int_eq(alterd_cancel(c), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, cancel_until_heard, &k), 0);
	ck_assert_int_eq(alterd_query(c, "SELECT slow", NULL, 0, &r), -1);
	ck_assert_str_eq(alterd_error_name(c), "SQLITE_INTERRUPT");
	k.heard = true;
	pthread_join(thread, NULL);
	fake_end(&f, c);
}
END_TEST

static void ignore(int signo) { (void)signo; }

static void *interrupt_main(void *arg)
{
	pthread_t *who = arg;

	for (int i = 0; i < 200; i++) {
		pthread_kill(*who, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

START_TEST(a_request_larger_than_the_socket_goes_out_whole_under_signals)
{
	size_t n = 4 << 20;
	char *big = malloc(n + 1);
	static const struct exchange script[] = {{"exec", RESULT("{\"changes\":1}")}};
	struct sigaction sa = {.sa_handler = ignore};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	struct alterd_value v;
	pthread_t self = pthread_self(), thread;
	int64_t changes;

	sigaction(SIGUSR1, &sa, NULL);
	memset(big, 'x', n);
	big[n] = '\0';
	v = alterd_text_n(big, n);
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_main, &self), 0);
	ck_assert_int_eq(alterd_exec(c, "X", &v, 1, &changes, NULL), 0);
	ck_assert_int_eq(changes, 1);
	pthread_join(thread, NULL);
	fake_end(&f, c);
	free(big);
}
END_TEST

START_TEST(hello_introduces_and_remembers)
{
	static const struct exchange script[] = {
		{"\"params\":{\"protocol\":[1,1],\"client\":\"billing/2.3\",\"readonly\":true,\"expect_version\":12}",
		 RESULT("{\"server\":\"alterd/1.0.0\",\"protocol\":1,\"session\":\"s42\",\"role\":\"rw\"}")},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);

	ck_assert_str_eq(alterd_session(c), "");
	ck_assert_int_eq(alterd_hello(c, "billing/2.3", ALTERD_READONLY, 12), 0);
	ck_assert_str_eq(alterd_server(c), "alterd/1.0.0");
	ck_assert_str_eq(alterd_session(c), "s42");
	ck_assert_str_eq(alterd_role(c), "rw");
	fake_end(&f, c);
}
END_TEST

START_TEST(a_socket_that_is_not_there_is_unreachable)
{
	char longest[200];
	struct alterd_conn *c;

	ck_assert_int_eq(alterd_connect("/nonexistent/alterd.sock", &c), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_UNREACHABLE);
	ck_assert_int_eq(alterd_fd(c), -1);
	ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), -1);
	ck_assert_int_eq(alterd_cancel(c), 0);
	alterd_close(c);
	memset(longest, 'a', sizeof(longest));
	longest[108] = '\0';
	ck_assert_int_eq(alterd_connect(longest, &c), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_MISUSE);
	alterd_close(c);
	longest[107] = '\0';
	ck_assert_int_eq(alterd_connect(longest, &c), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_UNREACHABLE);
	alterd_close(c);
	setenv("ALTERD_SOCKET", "/nonexistent/env.sock", 1);
	ck_assert_int_eq(alterd_connect(NULL, &c), -1);
	ck_assert_str_eq(alterd_path(c), "/nonexistent/env.sock");
	alterd_close(c);
	alterd_close(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("wire");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, values_go_out_as_the_protocol_has_them);
	tcase_add_test(t, what_cannot_be_bound_is_refused_before_it_is_sent);
	tcase_add_test(t, a_null_text_binds_as_null);
	tcase_add_test(t, an_error_is_told_whole);
	tcase_add_test(t, a_batch_hands_out_each_steps_changes);
	tcase_add_test(t, replies_to_others_and_notifications_are_passed_over);
	tcase_add_test(t, an_error_without_an_id_answers_the_request_in_flight);
	tcase_add_test(t, what_is_no_reply_breaks_the_connection);
	tcase_add_test(t, a_daemon_that_hangs_up_is_told_as_closed);
	tcase_add_test(t, a_call_past_its_time_is_cancelled_and_its_late_answer_passed_over);
	tcase_add_test(t, a_statement_timeout_is_sent_and_heard_first);
	tcase_add_test(t, another_thread_can_cancel);
	tcase_add_test(t, a_request_larger_than_the_socket_goes_out_whole_under_signals);
	tcase_add_test(t, hello_introduces_and_remembers);
	tcase_add_test(t, a_socket_that_is_not_there_is_unreachable);
	suite_add_tcase(s, t);
	return run_suite(s);
}
