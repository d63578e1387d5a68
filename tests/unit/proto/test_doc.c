/* Reading replies: paths, fallbacks, and writing a node back. */
#include "proto/doc.h"

#include "tests/unit/proto/proto_test.h"

static struct doc *parse(const char *text)
{
	struct error err = {0};
	struct doc *doc = NULL;

	ck_assert_msg(doc_parse(text, strlen(text), &doc, &err) == 0, "%s: %s", text, err.message);
	return doc;
}

START_TEST(test_paths_and_types)
{
	struct doc *doc = parse("{\"result\":{\"job\":{\"phase\":\"ready\"},\"rows\":[[1,2.5,null],[true]],\"n\":7}}");
	const struct doc_node *root = doc_root(doc);

	ck_assert_str_eq(doc_str(doc_get(root, "result.job.phase"), ""), "ready");
	ck_assert_int_eq(doc_int(doc_get(root, "result.n"), -1), 7);
	ck_assert_uint_eq(doc_count(doc_get(root, "result.rows")), 2);
	ck_assert_double_eq(doc_real(doc_at(doc_at(doc_get(root, "result.rows"), 0), 1), 0), 2.5);
	ck_assert_double_eq(doc_real(doc_get(root, "result.n"), 0), 7.0);
	ck_assert(doc_bool(doc_at(doc_at(doc_get(root, "result.rows"), 1), 0), false));
	ck_assert_int_eq(doc_type(doc_at(doc_at(doc_get(root, "result.rows"), 0), 2)), DOC_NULL);
	ck_assert_int_eq(doc_type(root), DOC_OBJECT);
	ck_assert_int_eq(doc_type(doc_get(root, "result.rows")), DOC_ARRAY);
	ck_assert_int_eq(doc_type(doc_get(root, "result.job.phase")), DOC_STRING);
	ck_assert_int_eq(doc_type(doc_get(root, "result.n")), DOC_INT);
	doc_free(doc);
}
END_TEST

START_TEST(test_what_is_missing_yields_the_fallback)
{
	struct doc *doc = parse("{\"a\":[1],\"s\":\"x\"}");
	const struct doc_node *root = doc_root(doc), *value = NULL;
	const char *key = NULL;

	ck_assert_ptr_null(doc_get(root, "b"));
	ck_assert_ptr_null(doc_get(root, "a.b.c"));
	ck_assert_ptr_null(doc_get(root, "s.x"));
	ck_assert_ptr_null(doc_get(root, ""));
	ck_assert_ptr_null(doc_get(root, "a."));
	ck_assert_ptr_null(doc_get(NULL, "a"));
	ck_assert_ptr_null(doc_at(doc_get(root, "a"), 1));
	ck_assert_ptr_null(doc_at(root, 0));
	ck_assert_ptr_null(doc_at(NULL, 0));
	ck_assert_uint_eq(doc_count(NULL), 0);
	ck_assert_int_eq(doc_int(NULL, 5), 5);
	ck_assert_int_eq(doc_int(doc_get(root, "s"), 5), 5);
	ck_assert_double_eq(doc_real(NULL, 1.5), 1.5);
	ck_assert(doc_bool(NULL, true));
	ck_assert_ptr_null(doc_str(NULL, NULL));
	ck_assert_uint_eq(doc_strlen(NULL), 0);
	ck_assert_ptr_null(doc_each(doc_get(root, "a"), NULL, &key, &value));
	ck_assert_ptr_null(doc_each(NULL, NULL, &key, &value));
	ck_assert_int_eq(doc_type(NULL), DOC_NULL);
	doc_free(doc);
	doc_free(NULL);
}
END_TEST

START_TEST(test_members_in_the_order_of_the_text)
{
	struct doc *doc = parse("{\"z\":1,\"a\":2,\"m\":3}");
	const struct doc_node *value = NULL;
	struct buf b = {0};
	const char *key = NULL;
	void *it = NULL;

	while ((it = doc_each(doc_root(doc), it, &key, &value)) != NULL)
		buf_printf(&b, "%s%d ", key, (int)doc_int(value, 0));
	ck_buf(&b, "z1 a2 m3 ");
	buf_free(&b);
	doc_free(doc);
}
END_TEST

START_TEST(test_dump_gives_the_same_compact_text)
{
	static const char *const texts[] = {
		"{\"a\":[1,-2,0.1,1e+300,true,false,null,\"x\\n\\u0000\"],\"b\":{},\"c\":[]}",
		"{\"d\":{\"e\":{\"f\":[[]]}}}",
		"9223372036854775807",
		"-9223372036854775808",
		"\"\"",
		"null",
		"1.0",
		"[{}]",
	};
	struct buf b = {0};
	size_t i;

	for (i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct doc *doc = parse(texts[i]);

		doc_dump(&b, doc_root(doc));
		ck_buf(&b, texts[i]);
		doc_free(doc);
	}
	doc_dump(&b, NULL);
	ck_buf(&b, "null");
	buf_free(&b);
}
END_TEST

START_TEST(test_text_with_nul_has_its_length)
{
	struct doc *doc = parse("\"a\\u0000b\"");

	ck_assert_uint_eq(doc_strlen(doc_root(doc)), 3);
	ck_assert_int_eq(memcmp(doc_str(doc_root(doc), ""), "a\0b", 4), 0);
	doc_free(doc);
}
END_TEST

START_TEST(test_what_is_not_json_is_refused)
{
	static const char *const texts[] = {"", "{", "nope", "{\"a\":1}x", "[1,]", "\"\xFF\"", "9223372036854775808"};
	size_t i;

	for (i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct error err = {0};
		struct doc *doc = NULL;

		ck_assert_int_eq(doc_parse(texts[i], strlen(texts[i]), &doc, &err), -1);
		ck_assert_ptr_null(doc);
		ck_assert_str_eq(err.name, "PARSE_ERROR");
		error_clear(&err);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("doc");

	tcase_add_test(tc, test_paths_and_types);
	tcase_add_test(tc, test_what_is_missing_yields_the_fallback);
	tcase_add_test(tc, test_members_in_the_order_of_the_text);
	tcase_add_test(tc, test_dump_gives_the_same_compact_text);
	tcase_add_test(tc, test_text_with_nul_has_its_length);
	tcase_add_test(tc, test_what_is_not_json_is_refused);
	return run_case(tc);
}
