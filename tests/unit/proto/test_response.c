/* Replies: the envelope byte for byte, and the object writer's commas. */
#include "proto/response.h"

#include <math.h>

#include "proto/doc.h"
#include "tests/unit/proto/proto_test.h"

START_TEST(test_results_under_every_kind_of_id)
{
	const struct reqid number = {.kind = REQID_INT, .i = -7}, none = {.kind = REQID_NONE};
	const struct reqid text = {.kind = REQID_STRING, .s = "a\"b", .len = 3};
	struct buf b = {0};

	response_begin(&b, &number);
	buf_puts(&b, "[1]");
	response_end(&b);
	ck_buf(&b, "{\"jsonrpc\":\"2.0\",\"id\":-7,\"result\":[1]}\n");
	response_empty(&b, &text);
	ck_buf(&b, "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"result\":{}}\n");
	response_empty(&b, &none);
	ck_buf(&b, "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}\n");
	buf_free(&b);
}
END_TEST

START_TEST(test_an_integer_id_of_64_bits_comes_back_plain)
{
	const struct reqid id = {.kind = REQID_INT, .i = INT64_MAX};
	struct buf b = {0};

	response_empty(&b, &id);
	ck_buf(&b, "{\"jsonrpc\":\"2.0\",\"id\":9223372036854775807,\"result\":{}}\n");
	buf_free(&b);
}
END_TEST

START_TEST(test_errors)
{
	const struct reqid id = {.kind = REQID_INT, .i = 4};
	struct error err = {0};
	struct buf b = {0};

	error_set(&err, ERRC_BUSY, "no turn to write within %d ms", 2000);
	error_add_int(&err, "waited_ms", 2000);
	response_error(&b, &id, &err);
	ck_buf(&b, "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32010,\"message\":\"no turn to write within "
		   "2000 ms\","
		   "\"data\":{\"name\":\"BUSY\",\"waited_ms\":2000,\"retryable\":true}}}\n");
	error_clear(&err);
	error_set_sqlite(&err, 1, "SQLITE_ERROR", "near \"selec\": syntax error");
	error_add_int(&err, "offset", 0);
	response_error(&b, &id, &err);
	ck_buf(&b,
	       "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":1,\"message\":\"near \\\"selec\\\": syntax error\","
	       "\"data\":{\"name\":\"SQLITE_ERROR\",\"offset\":0,\"retryable\":false}}}\n");
	error_clear(&err);
	error_set(&err, ERRC_METHOD_NOT_FOUND, "no method x");
	response_error(&b, &id, &err);
	ck_buf(&b, "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32601,\"message\":\"no method x\","
		   "\"data\":{\"name\":\"METHOD_NOT_FOUND\"}}}\n");
	error_clear(&err);
	response_error(&b, &id, &err);
	ck_buf(&b, "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32603,\"message\":\"unknown error\","
		   "\"data\":{\"name\":\"INTERNAL\"}}}\n");
	buf_free(&b);
}
END_TEST

START_TEST(test_error_text_is_always_utf8)
{
	const struct reqid none = {.kind = REQID_NONE};
	struct error err = {0}, fault = {0};
	struct doc *doc = NULL;
	struct buf b = {0};

	error_set(&err, ERRC_INTERNAL, "bad \xFF byte\n");
	response_error(&b, &none, &err);
	ck_assert_int_eq(doc_parse(b.data, b.len, &doc, &fault), 0);
	ck_assert_str_eq(doc_str(doc_get(doc_root(doc), "error.message"), ""), "bad \xEF\xBF\xBD byte\n");
	doc_free(doc);
	error_clear(&err);
	buf_free(&b);
}
END_TEST

START_TEST(test_commas_of_the_object_writer)
{
	struct buf b = {0};

	jw_open(&b, '{');
	jw_int(&b, "a", 1);
	jw_bool(&b, "b", true);
	jw_null(&b, "c");
	jw_str(&b, "d", "x{");
	jw_str(&b, "e", NULL);
	jw_key(&b, "rows");
	jw_open(&b, '[');
	jw_open(&b, '[');
	jw_close(&b, ']');
	jw_open(&b, '[');
	jw_int(&b, NULL, 1);
	jw_str(&b, NULL, "[");
	jw_int(&b, NULL, INT64_MIN);
	jw_close(&b, ']');
	jw_open(&b, '{');
	jw_close(&b, '}');
	jw_close(&b, ']');
	jw_json(&b, "f", "{\"g\":0}");
	jw_real(&b, "h", 0.25, 2);
	jw_close(&b, '}');
	ck_buf(&b, "{\"a\":1,\"b\":true,\"c\":null,\"d\":\"x{\",\"e\":null,"
		   "\"rows\":[[],[1,\"[\",-9223372036854775808],{}],\"f\":{\"g\":0},\"h\":0.25}");
	buf_free(&b);
}
END_TEST

START_TEST(test_fixed_point)
{
	struct buf b = {0};

	jw_open(&b, '[');
	jw_real(&b, NULL, 0.21, 2);
	jw_real(&b, NULL, -0.004, 2);
	jw_real(&b, NULL, -0.006, 2);
	jw_real(&b, NULL, 41.25, 1);
	jw_real(&b, NULL, 7, 0);
	jw_real(&b, NULL, 99.999, 2);
	jw_real(&b, NULL, 1e15, 1);
	jw_real(&b, NULL, (double)NAN, 2);
	jw_real(&b, NULL, (double)INFINITY, 2);
	jw_close(&b, ']');
	ck_buf(&b, "[0.21,0.00,-0.01,41.3,7,100.00,1000000000000000.0,null,null]");
	jw_real(&b, NULL, -1.7976931348623157e308, 99);
	ck_assert(!b.failed);
	ck_assert_uint_eq(b.len, 1 + 309 + 1 + 17);
	buf_free(&b);
}
END_TEST

START_TEST(test_a_failed_buffer_stays_quiet)
{
	const struct reqid id = {.kind = REQID_INT, .i = 4};
	struct error err = {0};
	struct buf b = {.failed = true};

	jw_open(&b, '{');
	jw_str(&b, "a", "b");
	response_begin(&b, &id);
	response_error(&b, &id, &err);
	discover_write(&b, "1");
	ck_assert_ptr_null(b.data);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("response");

	tcase_add_test(tc, test_results_under_every_kind_of_id);
	tcase_add_test(tc, test_an_integer_id_of_64_bits_comes_back_plain);
	tcase_add_test(tc, test_errors);
	tcase_add_test(tc, test_error_text_is_always_utf8);
	tcase_add_test(tc, test_commas_of_the_object_writer);
	tcase_add_test(tc, test_fixed_point);
	tcase_add_test(tc, test_a_failed_buffer_stays_quiet);
	return run_case(tc);
}
