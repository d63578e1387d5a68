/* Requests: every parameter both ways, every refusal under its code and id, every limit at it and one past. */
#include "proto/response.h"
#include "proto/value.h"
#include "tests/unit/proto/proto_test.h"

#define HEAD "{\"id\":1,\"method\":\"query\",\"params\":{\"sql\":\"S\",\"bind\":"

START_TEST(test_query_with_everything)
{
	struct decoded d;
	const struct params *p;

	decode(&d, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"query\",\"params\":{\"sql\":\"SELECT ?\",\"bind\":[5],"
		   "\"page_rows\":10,\"timeout_ms\":20,\"want\":[\"types\"]}}");
	ck_assert_msg(d.rc == 0, "%s", d.err.message);
	p = &d.request->params;
	ck_assert_int_eq(d.request->op, OP_QUERY);
	ck_assert_int_eq(d.request->id.kind, REQID_INT);
	ck_assert_int_eq(d.request->id.i, 7);
	ck_assert_uint_eq(p->present, P(SQL) | P(BIND) | P(PAGE_ROWS) | P(TIMEOUT_MS) | P(WANT));
	ck_assert_str_eq(p->sql, "SELECT ?");
	ck_assert_uint_eq(p->sql_len, 8);
	ck_assert_int_eq(p->page_rows, 10);
	ck_assert_int_eq(p->timeout_ms, 20);
	ck_assert(p->want_types);
	ck_assert_uint_eq(p->bind.n, 1);
	ck_assert_ptr_null(p->bind.names);
	ck_assert_int_eq(p->bind.values[0].i, 5);
	decoded_free(&d);
}
END_TEST

START_TEST(test_ids)
{
	static const char max[] = "{\"id\":9223372036854775807,\"method\":\"ping\"}";
	struct decoded d;

	decode(&d, "{\"id\":\"a\\u0000b\",\"method\":\"ping\"}");
	ck_assert_int_eq(d.rc, 0);
	ck_assert_int_eq(d.request->id.kind, REQID_STRING);
	ck_assert_uint_eq(d.request->id.len, 3);
	ck_assert_int_eq(memcmp(d.request->id.s, "a\0b", 4), 0);
	decoded_free(&d);
	decode(&d, max);
	ck_assert_int_eq(d.request->id.i, INT64_MAX);
	ck_assert_uint_eq(d.request->bytes, sizeof max - 1);
	decoded_free(&d);
	decode(&d, "{\"method\":\"ping\",\"params\":{}}");
	ck_assert_int_eq(d.request->id.kind, REQID_NONE);
	decoded_free(&d);
}
END_TEST

START_TEST(test_id_length_at_the_limit_and_one_past)
{
	struct buf b = {0};
	struct decoded d;
	size_t n;

	for (n = REQUEST_ID_MAX; n <= REQUEST_ID_MAX + 1; n++) {
		buf_reset(&b, 1 << 20);
		buf_puts(&b, "{\"method\":\"ping\",\"id\":\"");
		while (b.len < n + 23)
			buf_putc(&b, 'x');
		buf_puts(&b, "\"}");
		decode(&d, buf_cstr(&b));
		ck_assert_int_eq(d.rc, n == REQUEST_ID_MAX ? 0 : -1);
		ck_assert(d.rc == 0 ? d.request->id.len == n : d.err.code == -32600);
		decoded_free(&d);
	}
	buf_free(&b);
}
END_TEST

START_TEST(test_reqid_equal)
{
	const struct reqid none = {.kind = REQID_NONE}, one = {.kind = REQID_INT, .i = 1},
			   two = {.kind = REQID_INT, .i = 2};
	const struct reqid a = {.kind = REQID_STRING, .s = "1", .len = 1},
			   b = {.kind = REQID_STRING, .s = "1x", .len = 2};

	ck_assert(reqid_equal(&one, &one) && reqid_equal(&a, &a) && reqid_equal(&none, &none));
	ck_assert(!reqid_equal(&one, &two) && !reqid_equal(&one, &a) && !reqid_equal(&a, &b) &&
		  !reqid_equal(&none, &one));
}
END_TEST

/* Bound and written again: what the wire shows of it. */
static const struct {
	const char *bind, *back;
} good_values[] = {
	{"null", "null"},
	{"true", "1"},
	{"false", "0"},
	{"7", "7"},
	{"-0", "0"},
	{"9223372036854775807", "{\"int\":\"9223372036854775807\"}"},
	{"-9223372036854775808", "{\"int\":\"-9223372036854775808\"}"},
	{"-9007199254740991", "-9007199254740991"},
	{"{\"int\":\"9223372036854775807\"}", "{\"int\":\"9223372036854775807\"}"},
	{"{\"int\":\"-9223372036854775808\"}", "{\"int\":\"-9223372036854775808\"}"},
	{"{\"int\":\"9007199254740992\"}", "{\"int\":\"9007199254740992\"}"},
	{"{\"int\":\"5\"}", "5"},
	{"{\"int\":\"-0\"}", "0"},
	{"{\"int\":5}", "5"},
	{"1.5", "1.5"},
	{"1.0", "1.0"},
	{"-0.0", "-0.0"},
	{"1e308", "1e+308"},
	{"1e-400", "0.0"},
	{"{\"real\":1}", "1.0"},
	{"{\"real\":2.5}", "2.5"},
	{"{\"real\":\"inf\"}", "{\"real\":\"inf\"}"},
	{"{\"real\":\"-inf\"}", "{\"real\":\"-inf\"}"},
	{"\"\"", "\"\""},
	{"\"1\"", "\"1\""},
	{"\"a\\u0000b\"", "\"a\\u0000b\""},
	{"\"\xC3\xA9\\ud83d\\ude00\"", "\"\xC3\xA9\xF0\x9F\x98\x80\""},
	{"{\"text\":\"/0E=\"}", "{\"text\":\"/0E=\"}"},
	{"{\"text\":\"YWI=\"}", "\"ab\""},
	{"{\"text\":\"\"}", "\"\""},
	{"{\"blob\":\"\"}", "{\"blob\":\"\"}"},
	{"{\"blob\":\"AP8=\"}", "{\"blob\":\"AP8=\"}"},
};

START_TEST(test_every_kind_of_value_by_position_and_name)
{
	struct buf line = {0}, out = {0};
	struct decoded d;
	int named;

	for (named = 0; named < 2; named++) {
		buf_reset(&line, 1 << 20);
		buf_printf(&line, HEAD "%s%s%s}}", named ? "{\":a\":" : "[", good_values[_i].bind, named ? "}" : "]");
		decode(&d, buf_cstr(&line));
		ck_assert_msg(d.rc == 0, "%s: %s", good_values[_i].bind, d.err.message);
		ck_assert_uint_eq(d.request->params.bind.n, 1);
		if (named)
			ck_assert_str_eq(d.request->params.bind.names[0], ":a");
		value_write(&out, &d.request->params.bind.values[0], INT64_AUTO);
		ck_buf(&out, good_values[_i].back);
		decoded_free(&d);
	}
	buf_free(&line);
	buf_free(&out);
}
END_TEST

static const char *const bad_values[] = {
	"{\"real\":\"nan\"}",
	"{\"real\":\"x\"}",
	"{\"real\":\"inf\\u0000\"}",
	"{\"real\":true}",
	"{\"int\":\"9223372036854775808\"}",
	"{\"int\":\"-9223372036854775809\"}",
	"{\"int\":\"1x\"}",
	"{\"int\":\"\"}",
	"{\"int\":\"-\"}",
	"{\"int\":\"--1\"}",
	"{\"int\":\"1-\"}",
	"{\"int\":\"1-2\"}",
	"{\"int\":\" 1\"}",
	"{\"int\":\"+1\"}",
	"{\"int\":\"1\\u0000\"}",
	"{\"int\":1.5}",
	"{\"int\":null}",
	"{\"blob\":\"@@\"}",
	"{\"blob\":5}",
	"{\"text\":\"A\"}",
	"{\"text\":[]}",
	"{\"blob\":\"AP8\"}",
	"{\"nope\":1}",
	"{}",
	"{\"int\":\"1\",\"blob\":\"\"}",
	"[1]",
	"[[]]",
};

START_TEST(test_bad_values_are_invalid_params_under_the_id)
{
	struct buf line = {0};
	struct decoded d;

	buf_printf(&line, HEAD "[0,%s]}}", bad_values[_i]);
	decode(&d, buf_cstr(&line));
	ck_assert_int_eq(d.rc, -1);
	ck_assert_msg(d.err.code == -32602, "%s: %d %s", bad_values[_i], d.err.code, d.err.message);
	ck_assert_msg(strstr(d.err.message, "bind[1]") != NULL, "%s", d.err.message);
	ck_assert_int_eq(d.id.i, 1);
	ck_assert(!d.notification);
	decoded_free(&d);
	buf_free(&line);
}
END_TEST

START_TEST(test_batch_steps)
{
	struct decoded d;
	const struct step *steps;

	decode(&d, "{\"id\":4,\"method\":\"batch\",\"params\":{\"statements\":["
		   "{\"sql\":\"UPDATE a\",\"bind\":[5,1],\"expect_changes\":1},{\"sql\":\"UPDATE "
		   "b\",\"bind\":{\"n\":\"x\"}},"
		   "{\"sql\":\"\",\"expect_changes\":0}]}}");
	ck_assert_msg(d.rc == 0, "%s", d.err.message);
	ck_assert_uint_eq(d.request->params.nsteps, 3);
	steps = d.request->params.steps;
	ck_assert_str_eq(steps[0].sql, "UPDATE a");
	ck_assert_uint_eq(steps[0].sql_len, 8);
	ck_assert_int_eq(steps[0].expect_changes, 1);
	ck_assert_uint_eq(steps[0].bind.n, 2);
	ck_assert_int_eq(steps[1].expect_changes, -1);
	ck_assert_str_eq(steps[1].bind.names[0], "n");
	ck_assert_int_eq(memcmp(steps[1].bind.values[0].s.p, "x", 1), 0);
	ck_assert_int_eq(steps[2].expect_changes, 0);
	ck_assert_uint_eq(steps[2].bind.n, 0);
	decoded_free(&d);
}
END_TEST

START_TEST(test_other_parameters)
{
	struct decoded d;

	decode(&d,
	       "{\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1,3],\"client\":\"c/1\",\"int64\":\"string\","
	       "\"readonly\":true,\"expect_version\":0}}");
	ck_assert_int_eq(d.request->params.protocol_min, 1);
	ck_assert_int_eq(d.request->params.protocol_max, 3);
	ck_assert_str_eq(d.request->params.client, "c/1");
	ck_assert_int_eq(d.request->params.int64, INT64_STRING);
	ck_assert(d.request->params.readonly);
	ck_assert(params_has(&d.request->params, PARAM_EXPECT_VERSION));
	decoded_free(&d);
	decode(&d, "{\"id\":1,\"method\":\"cancel\",\"params\":{\"id\":\"q1\"}}");
	ck_assert_int_eq(d.request->params.id.kind, REQID_STRING);
	ck_assert_str_eq(d.request->params.id.s, "q1");
	decoded_free(&d);
	decode(&d, "{\"id\":1,\"method\":\"begin\",\"params\":{\"mode\":\"read\",\"wait_ms\":0,\"max_ms\":1}}");
	ck_assert_str_eq(d.request->params.mode, "read");
	ck_assert_int_eq(d.request->params.wait_ms, 0);
	ck_assert_int_eq(d.request->params.max_ms, 1);
	decoded_free(&d);
	decode(&d, "{\"id\":1,\"method\":\"migrate.alter\",\"params\":{\"sql\":\"ALTER\",\"wait\":true,\"allow_data_"
		   "loss\":true,"
		   "\"postpone_cutover\":false}}");
	ck_assert(d.request->params.wait && d.request->params.allow_data_loss && !d.request->params.postpone_cutover);
	decoded_free(&d);
	decode(&d, "{\"id\":1,\"method\":\"migrate.throttle\",\"params\":{\"job\":\"m1\",\"batch_rows\":1,\"duty_"
		   "percent\":100}}");
	ck_assert_int_eq(d.request->params.duty_percent, 100);
	decoded_free(&d);
}
END_TEST

/* Nesting: REQUEST_DEPTH_MAX levels are read (and refused for what they are), one more is not. */
START_TEST(test_depth_at_the_limit_and_one_past)
{
	struct buf b = {0};
	struct decoded d;
	int depth, i;

	for (depth = REQUEST_DEPTH_MAX; depth <= REQUEST_DEPTH_MAX + 1; depth++) {
		buf_reset(&b, 1 << 20);
		buf_puts(&b, HEAD);
		for (i = 2; i < depth; i++)
			buf_putc(&b, '[');
		for (i = 2; i < depth; i++)
			buf_putc(&b, ']');
		buf_puts(&b, "}}");
		decode(&d, buf_cstr(&b));
		ck_assert_int_eq(d.err.code, depth == REQUEST_DEPTH_MAX ? -32602 : -32700);
		decoded_free(&d);
	}
	buf_free(&b);
}
END_TEST

START_TEST(test_a_hundred_thousand_nested_arrays)
{
	static const char *const heads[] = {"", HEAD};
	struct buf b = {0};
	struct decoded d;
	int i, k;

	for (k = 0; k < 2; k++) {
		buf_reset(&b, 1 << 20);
		buf_puts(&b, heads[k]);
		for (i = 0; i < 100000; i++)
			buf_putc(&b, '[');
		decode(&d, buf_cstr(&b));
		ck_assert_int_eq(d.err.code, k == 0 ? -32600 : -32700);
		decoded_free(&d);
	}
	buf_free(&b);
}
END_TEST

/* {} + id + method + params + sql + the array itself are six values; the rest are numbers. */
START_TEST(test_number_of_values_at_the_limit_and_one_past)
{
	struct buf b = {0};
	struct decoded d;
	size_t past, i;

	for (past = 0; past < 2; past++) {
		buf_reset(&b, SIZE_MAX);
		buf_puts(&b, HEAD "[0");
		for (i = 1; i < REQUEST_VALUES_MAX - 6 + past; i++)
			buf_puts(&b, ",1");
		buf_puts(&b, "]}}");
		decode(&d, buf_cstr(&b));
		if (past == 0) {
			ck_assert_msg(d.rc == 0, "%s", d.err.message);
			ck_assert_uint_eq(d.request->params.bind.n, REQUEST_VALUES_MAX - 6);
		} else {
			ck_assert_int_eq(d.err.code, -32600);
		}
		decoded_free(&d);
	}
	buf_free(&b);
}
END_TEST

/* The count cannot be talked down by what stands behind a fault. */
START_TEST(test_colons_behind_a_fault_do_not_hide_values)
{
	struct buf b = {0};
	struct decoded d;
	int i;

	buf_puts(&b, HEAD "[0");
	for (i = 0; i < REQUEST_VALUES_MAX; i++)
		buf_puts(&b, ",1");
	buf_puts(&b, "] x");
	for (i = 0; i < REQUEST_VALUES_MAX; i++)
		buf_puts(&b, "::");
	decode(&d, buf_cstr(&b));
	ck_assert_int_eq(d.err.code, -32600);
	decoded_free(&d);
	buf_free(&b);
}
END_TEST

START_TEST(test_large_text_and_blob_arrive_whole)
{
	struct buf b = {0}, raw = {0};
	struct decoded d;
	size_t n = 12 << 20, i;
	char *bytes = buf_reserve(&raw, n);

	ck_assert_ptr_nonnull(bytes);
	for (i = 0; i < n; i++)
		bytes[i] = (char)(i * 31 >> 3);
	buf_puts(&b, HEAD "[{\"blob\":\"");
	base64_write(&b, bytes, n);
	buf_puts(&b, "\"}]}}");
	decode(&d, buf_cstr(&b));
	ck_assert_msg(d.rc == 0, "%s", d.err.message);
	ck_assert_uint_eq(d.request->params.bind.values[0].s.n, n);
	ck_assert_int_eq(memcmp(d.request->params.bind.values[0].s.p, bytes, n), 0);
	decoded_free(&d);
	for (i = 0; i < n; i++)
		bytes[i] = (char)("a\n\"\\z"[i % 5]);
	buf_reset(&b, SIZE_MAX);
	buf_puts(&b, HEAD "[");
	json_write_string(&b, bytes, n);
	buf_puts(&b, "]}}");
	decode(&d, buf_cstr(&b));
	ck_assert_uint_eq(d.request->params.bind.values[0].s.n, n);
	ck_assert_int_eq(memcmp(d.request->params.bind.values[0].s.p, bytes, n), 0);
	decoded_free(&d);
	buf_free(&b);
	buf_free(&raw);
}
END_TEST

/* Many names, long numbers, the smallest integer: what the quick reader leaves to jansson arrives all the same. */
START_TEST(test_what_only_jansson_reads)
{
	struct buf b = {0};
	struct decoded d;
	const struct binds *bind;
	int i;

	buf_puts(&b, HEAD "{");
	for (i = 0; i < 100; i++)
		buf_printf(&b, "\"name%d\":\"text%d\",", i, i);
	buf_puts(&b, "\"min\":-9223372036854775808,\"blob\":{\"blob\":\"AP8=\"},\"long\":0.");
	for (i = 0; i < 100; i++)
		buf_putc(&b, '3');
	buf_puts(&b, "}}}");
	decode(&d, buf_cstr(&b));
	ck_assert_msg(d.rc == 0, "%s", d.err.message);
	bind = &d.request->params.bind;
	ck_assert_uint_eq(bind->n, 103);
	ck_assert_str_eq(bind->names[99], "name99");
	ck_assert_uint_eq(bind->values[99].s.n, 6);
	ck_assert_int_eq(memcmp(bind->values[99].s.p, "text99", 7), 0);
	ck_assert_int_eq(bind->values[100].i, INT64_MIN);
	ck_assert_int_eq(memcmp(bind->values[101].s.p, "\0\xFF", 3), 0);
	ck_assert_double_eq(bind->values[102].r, 1.0 / 3);
	ck_assert_str_eq(d.request->params.sql, "S");
	decoded_free(&d);
	buf_free(&b);
}
END_TEST

/* A line cut at any byte is refused, and nothing is read behind its end. */
START_TEST(test_every_prefix_is_refused)
{
	static const char line[] =
		"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"batch\",\"params\":{\"statements\":[{\"sql\":\"a\\\"\","
		"\"bind\":{\"n\":{\"blob\":\"AP8=\"},\"m\":[1.5e3,true]},\"expect_changes\":1}]}}";
	struct decoded d;
	size_t n;

	for (n = 0; n < sizeof line - 1; n++) {
		decode_bytes_of(&d, line, n);
		ck_assert_int_eq(d.rc, -1);
		ck_assert_int_eq(d.err.code, -32700);
		decoded_free(&d);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("request");

	tcase_add_test(tc, test_query_with_everything);
	tcase_add_test(tc, test_ids);
	tcase_add_test(tc, test_id_length_at_the_limit_and_one_past);
	tcase_add_test(tc, test_reqid_equal);
	tcase_add_loop_test(tc, test_every_kind_of_value_by_position_and_name, 0,
			    sizeof good_values / sizeof *good_values);
	tcase_add_loop_test(tc, test_bad_values_are_invalid_params_under_the_id, 0,
			    sizeof bad_values / sizeof *bad_values);
	tcase_add_test(tc, test_batch_steps);
	tcase_add_test(tc, test_other_parameters);
	tcase_add_test(tc, test_depth_at_the_limit_and_one_past);
	tcase_add_test(tc, test_a_hundred_thousand_nested_arrays);
	tcase_add_test(tc, test_number_of_values_at_the_limit_and_one_past);
	tcase_add_test(tc, test_colons_behind_a_fault_do_not_hide_values);
	tcase_add_test(tc, test_large_text_and_blob_arrive_whole);
	tcase_add_test(tc, test_what_only_jansson_reads);
	tcase_add_test(tc, test_every_prefix_is_refused);
	return run_case(tc);
}
