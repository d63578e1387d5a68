/* Rows and pages, read from a scripted daemon. */
#include "tests/unit/client/fake.h"
#include "tests/unit/run_suite.h"

START_TEST(rows_of_one_page_are_handed_out)
{
	static const struct exchange script[] = {
		{"\"method\":\"query\",\"params\":{\"sql\":\"SELECT 1\"}}",
		 RESULT("{\"columns\":[\"id\",\"name\",\"ref\",\"photo\"],\"rows\":[[1,\"Ada\",{\"int\":"
			"\"9223372036854775807\"},"
			"{\"blob\":\"AP8=\"}],[2,\"Bo\",7,null]],\"done\":true,\"ms\":0.21}")},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	struct alterd_result *r;

	ck_assert_int_eq(alterd_query(c, "SELECT 1", NULL, 0, &r), 0);
	ck_assert_int_eq(alterd_columns(r), 4);
	ck_assert_str_eq(alterd_column_name(r, 3), "photo");
	ck_assert_ptr_null(alterd_column_name(r, 4));
	ck_assert_ptr_null(alterd_column_name(r, -1));
	ck_assert_ptr_null(alterd_row(r));
	ck_assert_int_eq(alterd_step(r), 1);
	ck_assert_int_eq(alterd_cell_int(r, 0), 1);
	ck_assert_str_eq(alterd_cell_text(r, 1), "Ada");
	ck_assert_int_eq(alterd_cell_int(r, 2), INT64_MAX);
	ck_assert_int_eq(alterd_cell_type(r, 3), ALTERD_BLOB);
	ck_assert_uint_eq(alterd_cell_bytes(r, 3), 2);
	ck_assert_int_eq(alterd_step(r), 1);
	ck_assert_ptr_nonnull(alterd_row(r));
	ck_assert_int_eq(alterd_cell_type(r, 3), ALTERD_NULL);
	ck_assert_ptr_null(alterd_cell_text(r, 0));
	ck_assert_double_eq(alterd_cell_real(r, 0), 2.0);
	ck_assert_int_eq(alterd_step(r), 0);
	ck_assert_int_eq(alterd_step(r), 0);
	ck_assert_ptr_null(alterd_row(r));
	alterd_result_free(r);
	fake_end(&f, c);
}
END_TEST

START_TEST(pages_follow_by_themselves)
{
	static const struct exchange script[] = {
		{"query", RESULT("{\"columns\":[\"id\",\"msg\"],\"rows\":[[1,\"a\"],[2,\"b\"]],\"done\":false,"
				 "\"cursor\":\"c1\"}")},
		{"\"method\":\"fetch\",\"params\":{\"cursor\":\"c1\"}",
		 RESULT("{\"rows\":[[3,\"c\"]],\"done\":false}")},
		{"\"cursor\":\"c1\"", RESULT("{\"rows\":[],\"done\":false}")},
		{"\"cursor\":\"c1\"", RESULT("{\"rows\":[[4,\"d\"]],\"done\":true}")},
	};
	/* Cut into pieces of one byte, and in larger ones: the lines must come out the same. */
	static const size_t pieces[] = {0, 1, 7, 64};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct fake f = {.piece = pieces[i]};
		struct alterd_conn *c = START(&f, script);
		struct alterd_result *r;

		ck_assert_int_eq(alterd_query(c, "SELECT * FROM log", NULL, 0, &r), 0);
		for (int k = 1; k <= 4; k++) {
			char want[2] = {(char)('a' + k - 1), '\0'};

			ck_assert_int_eq(alterd_step(r), 1);
			ck_assert_int_eq(alterd_cell_int(r, 0), k);
			ck_assert_str_eq(alterd_cell_text(r, 1), want);
		}
		ck_assert_int_eq(alterd_step(r), 0);
		ck_assert_str_eq(alterd_column_name(r, 1), "msg");
		alterd_result_free(r);
		fake_end(&f, c);
	}
}
END_TEST

START_TEST(another_statement_may_run_between_rows)
{
	static const struct exchange script[] = {
		{"query", RESULT("{\"columns\":[\"id\"],\"rows\":[[1],[2]],\"done\":true}")},
		{"exec", RESULT("{\"changes\":1,\"last_insert_rowid\":9}")},
		{"query", RESULT("{\"columns\":[\"x\",\"y\"],\"rows\":[[7,8]],\"done\":true}")},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	struct alterd_result *outer, *inner;
	int64_t changes, rowid;

	ck_assert_int_eq(alterd_query(c, "SELECT id FROM t", NULL, 0, &outer), 0);
	ck_assert_int_eq(alterd_step(outer), 1);
	ck_assert_int_eq(alterd_exec(c, "INSERT INTO u VALUES(1)", NULL, 0, &changes, &rowid), 0);
	ck_assert_int_eq(changes, 1);
	ck_assert_int_eq(rowid, 9);
	ck_assert_int_eq(alterd_cell_int(outer, 0), 1);
	ck_assert_int_eq(alterd_query(c, "SELECT 7, 8", NULL, 0, &inner), 0);
	ck_assert_int_eq(alterd_step(inner), 1);
	ck_assert_int_eq(alterd_cell_int(inner, 1), 8);
	ck_assert_int_eq(alterd_step(outer), 1);
	ck_assert_int_eq(alterd_cell_int(outer, 0), 2);
	alterd_result_free(outer);
	alterd_result_free(inner);
	fake_end(&f, c);
}
END_TEST

START_TEST(a_result_left_early_closes_its_cursor)
{
	static const struct exchange script[] = {
		{"query", RESULT("{\"columns\":[\"id\"],\"rows\":[[1]],\"done\":false,\"cursor\":\"c7\"}")},
		{"\"method\":\"close\",\"params\":{\"cursor\":\"c7\"}",
		 FAILURE("{\"code\":-32013,\"message\":\"gone\"}")},
		{"ping", RESULT("{}")},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	struct alterd_result *r;

	ck_assert_int_eq(alterd_query(c, "SELECT 1", NULL, 0, &r), 0);
	ck_assert_int_eq(alterd_step(r), 1);
	alterd_result_free(r);
	ck_assert_int_eq(alterd_error_code(c), 0);
	ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), 0);
	fake_end(&f, c);
}
END_TEST

START_TEST(a_failed_fetch_ends_the_result_but_not_the_connection)
{
	static const struct exchange script[] = {
		{"query", RESULT("{\"columns\":[\"id\"],\"rows\":[],\"done\":false,\"cursor\":\"c7\"}")},
		{"fetch", FAILURE("{\"code\":-32013,\"message\":\"cursor c7 was idle for 30000 ms\",\"data\":{\"name\":"
				  "\"CURSOR_EXPIRED\",\"retryable\":true}}")},
		{"ping", RESULT("{}")},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	struct alterd_result *r;

	ck_assert_int_eq(alterd_query(c, "SELECT 1", NULL, 0, &r), 0);
	ck_assert_int_eq(alterd_step(r), -1);
	ck_assert_str_eq(alterd_error_name(c), "CURSOR_EXPIRED");
	ck_assert_int_eq(alterd_error_retryable(c), 1);
	ck_assert_int_eq(alterd_step(r), -1);
	alterd_result_free(r);
	ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), 0);
	fake_end(&f, c);
}
END_TEST

START_TEST(a_row_that_does_not_fit_its_columns_breaks_the_connection)
{
	static const char *const replies[] = {
		RESULT("{\"columns\":[\"a\",\"b\"],\"rows\":[[1]],\"done\":true}"),
		RESULT("{\"columns\":[\"a\"],\"rows\":[[1,2]],\"done\":true}"),
		RESULT("{\"columns\":[\"a\"],\"rows\":[[{\"blob\":\"?\"}]],\"done\":true}"),
		RESULT("{\"columns\":[\"a\"],\"rows\":[7],\"done\":true}"),
		RESULT("{\"columns\":[\"a\"],\"rows\":[[[1]]],\"done\":true}"),
	};

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct exchange script[] = {{"query", replies[i]}};
		struct fake f = {0};
		struct alterd_conn *c = START(&f, script);
		struct alterd_result *r;

		ck_assert_int_eq(alterd_query(c, "SELECT 1", NULL, 0, &r), 0);
		ck_assert_int_eq(alterd_step(r), -1);
		ck_assert_int_eq(alterd_error_code(c), ALTERD_E_PROTOCOL);
		alterd_result_free(r);
		ck_assert_int_eq(alterd_call(c, "ping", NULL, NULL), -1);
		fake_end(&f, c);
	}
}
END_TEST

START_TEST(a_result_outlives_its_connection)
{
	static const struct exchange script[] = {
		{"query", RESULT("{\"columns\":[\"id\"],\"rows\":[[1]],\"done\":false,\"cursor\":\"c7\"}")},
	};
	struct fake f = {0};
	struct alterd_conn *c = START(&f, script);
	struct alterd_result *r;

	ck_assert_int_eq(alterd_query(c, "SELECT 1", NULL, 0, &r), 0);
	fake_end(&f, c);
	ck_assert_int_eq(alterd_step(r), -1);
	alterd_result_free(r);
}
END_TEST

START_TEST(many_columns_and_a_page_beyond_the_read_size_come_whole)
{
	enum { COLUMNS = 300, ROWS = 200 };
	size_t room = (size_t)COLUMNS * (ROWS + 1) * 12 + 256, at = 0;
	char *reply = malloc(room);
	struct exchange script[] = {{"query", reply}};
	struct fake f = {0};
	struct alterd_conn *c;
	struct alterd_result *r;

	at += (size_t)snprintf(reply + at, room - at, "{\"id\":$ID,\"result\":{\"columns\":[");
	for (int i = 0; i < COLUMNS; i++)
		at += (size_t)snprintf(reply + at, room - at, "%s\"c%d\"", i ? "," : "", i);
	at += (size_t)snprintf(reply + at, room - at, "],\"rows\":[");
	for (int k = 0; k < ROWS; k++) {
		at += (size_t)snprintf(reply + at, room - at, "%s[", k ? "," : "");
		for (int i = 0; i < COLUMNS; i++)
			at += (size_t)snprintf(reply + at, room - at, "%s%d", i ? "," : "", k * 1000 + i);
		at += (size_t)snprintf(reply + at, room - at, "]");
	}
	snprintf(reply + at, room - at, "],\"done\":true}}\n");
	c = START(&f, script);
	ck_assert_int_eq(alterd_query(c, "SELECT *", NULL, 0, &r), 0);
	ck_assert_int_eq(alterd_columns(r), COLUMNS);
	ck_assert_str_eq(alterd_column_name(r, 299), "c299");
	for (int k = 0; k < ROWS; k++) {
		ck_assert_int_eq(alterd_step(r), 1);
		ck_assert_int_eq(alterd_cell_int(r, 299), k * 1000 + 299);
	}
	ck_assert_int_eq(alterd_step(r), 0);
	alterd_result_free(r);
	fake_end(&f, c);
	free(reply);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("result");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, rows_of_one_page_are_handed_out);
	tcase_add_test(t, pages_follow_by_themselves);
	tcase_add_test(t, another_statement_may_run_between_rows);
	tcase_add_test(t, a_result_left_early_closes_its_cursor);
	tcase_add_test(t, a_failed_fetch_ends_the_result_but_not_the_connection);
	tcase_add_test(t, a_row_that_does_not_fit_its_columns_breaks_the_connection);
	tcase_add_test(t, a_result_outlives_its_connection);
	tcase_add_test(t, many_columns_and_a_page_beyond_the_read_size_come_whole);
	suite_add_tcase(s, t);
	return run_suite(s);
}
