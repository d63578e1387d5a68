/* rpc.discover and the README are held to the tables: nothing that a client may call or meet is left out. */
#include <stdio.h>

#include "proto/doc.h"
#include "proto/param.h"
#include "proto/response.h"
#include "tests/unit/proto/proto_test.h"

static struct doc *discover(void)
{
	struct buf b = {0};
	struct error err = {0};
	struct doc *doc = NULL;

	discover_write(&b, "1.2.3");
	ck_assert(!b.failed);
	ck_assert_ptr_null(memchr(b.data, '\n', b.len));
	ck_assert_int_eq(doc_parse(b.data, b.len, &doc, &err), 0);
	buf_free(&b);
	return doc;
}

START_TEST(test_every_method_is_told_with_its_parameters)
{
	struct doc *doc = discover();
	const struct doc_node *methods = doc_get(doc_root(doc), "methods"), *params, *param;
	size_t i, k;

	ck_assert_uint_eq(doc_count(methods), OP_COUNT);
	for (i = 0; i < OP_COUNT; i++) {
		const struct op_info *info = op_info((enum op)i);
		uint64_t seen = 0;

		ck_assert_str_eq(doc_str(doc_get(doc_at(methods, i), "name"), ""), info->name);
		ck_assert_str_eq(doc_str(doc_get(doc_at(methods, i), "summary"), ""), info->doc);
		ck_assert_str_eq(doc_str(doc_get(doc_at(methods, i), "paramStructure"), ""), "by-name");
		ck_assert_ptr_nonnull(doc_get(doc_at(methods, i), "result.schema"));
		params = doc_get(doc_at(methods, i), "params");
		for (k = 0; k < doc_count(params); k++) {
			const char *name = doc_str(doc_get(doc_at(params, k), "name"), "");
			enum param which = param_by_name(name, strlen(name));

			param = doc_at(params, k);
			ck_assert_uint_ne(which, PARAM_COUNT);
			seen |= UINT64_C(1) << which;
			ck_assert_int_eq(doc_bool(doc_get(param, "required"), false), (info->required >> which) & 1);
			ck_assert_int_eq(doc_type(doc_get(param, "schema")), DOC_OBJECT);
			ck_assert_uint_gt(doc_count(doc_get(param, "schema")), 0);
		}
		ck_assert_uint_eq(seen, info->required | info->optional);
	}
	doc_free(doc);
}
END_TEST

START_TEST(test_head_and_errors_are_told)
{
	struct doc *doc = discover();
	const struct doc_node *errors = doc_get(doc_root(doc), "components.errors"), *error;
	unsigned i;

	ck_assert_str_eq(doc_str(doc_get(doc_root(doc), "openrpc"), ""), "1.2.6");
	ck_assert_str_eq(doc_str(doc_get(doc_root(doc), "info.title"), ""), "alterd");
	ck_assert_str_eq(doc_str(doc_get(doc_root(doc), "info.version"), ""), "1.2.3");
	ck_assert_uint_eq(doc_count(errors), ERRC_COUNT);
	for (i = 0; i < ERRC_COUNT; i++) {
		error = doc_get(errors, errc_name((enum errc)i));
		ck_assert_int_eq(doc_int(doc_get(error, "code"), 0), errc_code((enum errc)i));
		ck_assert_str_eq(doc_str(doc_get(error, "data.name"), ""), errc_name((enum errc)i));
	}
	doc_free(doc);
}
END_TEST

static void read_readme(struct buf *ret)
{
	FILE *f = fopen(ALTERD_SOURCE_DIR "/proto/README.md", "r");
	char block[4096];
	size_t n;

	ck_assert_ptr_nonnull(f);
	while ((n = fread(block, 1, sizeof block, f)) > 0)
		buf_add(ret, block, n);
	ck_assert_int_eq(fclose(f), 0);
}

/* The name in backquotes, alone. */
static bool has_word(const char *text, const char *name)
{
	char word[64];

	(void)snprintf(word, sizeof word, "`%s`", name);
	return strstr(text, word) != NULL;
}

START_TEST(test_readme_names_every_method_parameter_and_error)
{
	struct buf b = {0};
	const char *text;
	unsigned i;
	char code[16];

	read_readme(&b);
	text = buf_cstr(&b);
	for (i = 0; i < OP_COUNT; i++)
		ck_assert_msg(has_word(text, op_info((enum op)i)->name), "no `%s`", op_info((enum op)i)->name);
	for (i = 0; i < PARAM_COUNT; i++)
		ck_assert_msg(has_word(text, param_info((enum param)i)->name), "no `%s`",
			      param_info((enum param)i)->name);
	for (i = 0; i < ERRC_COUNT; i++) {
		ck_assert_msg(has_word(text, errc_name((enum errc)i)), "no `%s`", errc_name((enum errc)i));
		(void)snprintf(code, sizeof code, "%d", errc_code((enum errc)i));
		ck_assert_msg(strstr(text, code) != NULL, "no %s", code);
	}
	buf_free(&b);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("discover");

	tcase_add_test(tc, test_every_method_is_told_with_its_parameters);
	tcase_add_test(tc, test_head_and_errors_are_told);
	tcase_add_test(tc, test_readme_names_every_method_parameter_and_error);
	return run_case(tc);
}
