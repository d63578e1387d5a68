/* Events in libalterd: kept while a call waits, taken one by one, bounded, and a version waited for. */
#include "tests/unit/client/fake.h"
#include "tests/unit/run_suite.h"

#define EVENT(sub, seq, topic, type, data)                                                                             \
	"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"subscription\":\"" sub "\",\"seq\":" #seq             \
	",\"topic\":\"" topic "\",\"type\":\"" type "\",\"time\":\"2026-03-01T10:00:07.120Z\",\"data\":" data "}}\n"
#define SUBSCRIBED(name, version)                                                                                      \
	RESULT("{\"subscription\":\"" name "\",\"seq\":7,\"state\":{\"version\":" #version ",\"job\":null}}")
#define SCHEMA(sub, seq, version) EVENT(sub, seq, "schema", "changed", "{\"version\":" #version ",\"tables\":[]}")

static const char *const topics[] = {"schema", "changes"}, *const tables[] = {"user"};

START_TEST(events_come_beside_answers_and_are_handed_out_in_order)
{
	static const struct exchange script[] = {
		{"\"topics\":[\"schema\",\"changes\"],\"tables\":[\"user\"]", SUBSCRIBED("e1", 12)},
		{"ping", EVENT("e1", 8, "changes", "commit", "{\"tables\":{\"user\":{\"insert\":1}},\"lost\":3}")
				 RESULT("{}") EVENT("e1", 9, "schema", "changed", "{\"version\":13}")},
		{"unsubscribe\",\"params\":{\"subscription\":\"e1\"}",
		 EVENT("e1", 10, "schema", "changed", "{}") RESULT("{}")},
	};
	struct fake f = {.piece = 7};
	struct alterd_conn *c = START(&f, script);
	const struct alterd_event *e = NULL;
	char name[ALTERD_NAME_BYTES];
	const char *result;

	ck_assert_int_eq(alterd_subscribe(c, topics, 2, tables, 1, name, &result), 0);
	ck_assert_str_eq(name, "e1");
	ck_assert_str_eq(result, "{\"subscription\":\"e1\",\"seq\":7,\"state\":{\"version\":12,\"job\":null}}");
	ck_assert_int_eq(alterd_next_event(c, 0, &e), 0);
	ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), 0);
	ck_assert_int_eq(alterd_next_event(c, 0, &e), 1);
	ck_assert_str_eq(alterd_event_subscription(e), "e1");
	ck_assert_int_eq(alterd_event_seq(e), 8);
	ck_assert_str_eq(alterd_event_topic(e), "changes");
	ck_assert_str_eq(alterd_event_type(e), "commit");
	ck_assert_str_eq(alterd_event_time(e), "2026-03-01T10:00:07.120Z");
	ck_assert_str_eq(alterd_event_data(e), "{\"tables\":{\"user\":{\"insert\":1}},\"lost\":3}");
	ck_assert_int_eq(alterd_event_lost(e), 3);
	ck_assert_int_eq(alterd_next_event(c, 5000, &e), 1);
	ck_assert_int_eq(alterd_event_seq(e), 9);
	ck_assert_int_eq(alterd_event_lost(e), 0);
	ck_assert_int_eq(alterd_unsubscribe(c, "e1"), 0);
	ck_assert_int_eq(alterd_next_event(c, 5000, &e), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_CLOSED);
	/* The one handed out last is still there. */
	ck_assert_int_eq(alterd_event_seq(e), 9);
	fake_end(&f, c);
}
END_TEST

START_TEST(what_is_kept_is_bounded_and_the_rest_counted)
{
	enum { N = 3000 };
	static char flood[N * 256];
	struct exchange script[] = {{"ping", flood}};
	struct fake f = {0};
	struct alterd_conn *c;
	const struct alterd_event *e = NULL;
	int64_t got = 0, lost = 0;

	for (int i = 0; i < N; i++) {
		size_t at = strlen(flood);

		snprintf(flood + at, sizeof flood - at,
			 "{\"method\":\"event\",\"params\":{\"subscription\":\"e1\",\"seq\":%d,\"topic\":\"schema\","
			 "\"type\":\"changed\",\"data\":{\"lost\":1}}}\n",
			 i);
	}
	snprintf(flood + strlen(flood), 64, "%s", RESULT("{}"));
	c = START(&f, script);
	ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), 0);
	while (alterd_next_event(c, 0, &e) == 1) {
		got++;
		lost += alterd_event_lost(e);
	}
	ck_assert_int_eq(got, 1024);
	/* Each of all told of one that was lost before it. */
	ck_assert_int_eq(lost, N - 1024 + N);
	ck_assert_int_eq(alterd_event_seq(e), N - 1);
	fake_end(&f, c);
}
END_TEST

START_TEST(a_version_is_waited_for_and_others_events_stay)
{
	static const struct exchange script[] = {
		{"\"topics\":[\"schema\",\"changes\"]}", SUBSCRIBED("e1", 12)},
		{"\"topics\":[\"schema\"]}",
		 SUBSCRIBED("e2", 12) SCHEMA("e1", 8, 13) SCHEMA("e2", 8, 13) SCHEMA("e1", 9, 15) SCHEMA("e2", 9, 15)},
		{"unsubscribe\",\"params\":{\"subscription\":\"e2\"}", SCHEMA("e2", 10, 16) RESULT("{}")},
		{"\"topics\":[\"schema\"]}", SUBSCRIBED("e3", 15)},
		{"unsubscribe\",\"params\":{\"subscription\":\"e3\"}", RESULT("{}")},
		{"\"topics\":[\"schema\"]}", SUBSCRIBED("e4", 15)},
		{"unsubscribe\",\"params\":{\"subscription\":\"e4\"}", RESULT("{}")},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	const struct alterd_event *e = NULL;
	int64_t version = 0;

	ck_assert_int_eq(alterd_subscribe(c, topics, 2, NULL, 0, NULL, NULL), 0);
	ck_assert_int_eq(alterd_wait_version(c, 14, -1, &version), 1);
	ck_assert_int_eq(version, 15);
	ck_assert_int_eq(alterd_wait_version(c, 15, 0, NULL), 1);
	version = -7;
	ck_assert_int_eq(alterd_wait_version(c, 99, 30, &version), 0);
	ck_assert_int_eq(version, -7);
	for (int64_t seq = 8; seq <= 9; seq++) {
		ck_assert_int_eq(alterd_next_event(c, 0, &e), 1);
		ck_assert_str_eq(alterd_event_subscription(e), "e1");
		ck_assert_int_eq(alterd_event_seq(e), seq);
	}
	fake_end(&f, c);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
	static const char *const holes[] = {"schema", NULL};
	static const struct exchange script[] = {
		{"subscribe",
		 FAILURE("{\"code\":-32602,\"message\":\"topics\",\"data\":{\"name\":\"INVALID_PARAMS\"}}")},
		{"subscribe", RESULT("{\"seq\":1}")},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	const struct alterd_event *e = NULL;

	ck_assert_int_eq(alterd_subscribe(c, holes, 2, NULL, 0, NULL, NULL), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_MISUSE);
	ck_assert_int_eq(alterd_unsubscribe(c, NULL), -1);
	ck_assert_int_eq(alterd_next_event(c, -2, &e), -1);
	ck_assert_int_eq(alterd_wait_version(c, 1, -2, NULL), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_MISUSE);
	ck_assert_int_eq(alterd_subscribe(c, topics, 2, NULL, 0, NULL, NULL), -1);
	ck_assert_str_eq(alterd_error_name(c), "INVALID_PARAMS");
	ck_assert_int_eq(alterd_subscribe(c, topics, 2, NULL, 0, NULL, NULL), -1);
	ck_assert_int_eq(alterd_error_code(c), ALTERD_E_PROTOCOL);
	fake_end(&f, c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("events");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, events_come_beside_answers_and_are_handed_out_in_order);
	tcase_add_test(t, what_is_kept_is_bounded_and_the_rest_counted);
	tcase_add_test(t, a_version_is_waited_for_and_others_events_stay);
	tcase_add_test(t, what_cannot_be_is_refused);
	suite_add_tcase(s, t);
	return run_suite(s);
}
