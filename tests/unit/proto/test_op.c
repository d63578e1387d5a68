/* The table of methods: lookup by name, and suggestions for slips. */
#include "proto/op.h"

#include "proto/param.h"
#include "tests/unit/proto/proto_test.h"

START_TEST(test_every_method_is_found_by_its_name)
{
	unsigned i;

	for (i = 0; i < OP_COUNT; i++) {
		const struct op_info *info = op_info((enum op)i);

		ck_assert_uint_eq(op_by_name(info->name, strlen(info->name)), i);
		ck_assert_uint_ne(op_by_name(info->name, strlen(info->name) - 1), i);
		ck_assert_str_eq(op_suggest(info->name), info->name);
		ck_assert(info->optional & P(TIMEOUT_MS));
		ck_assert_uint_eq(info->required & info->optional, 0);
		ck_assert_int_ne(info->role, ROLE_NONE);
		ck_assert_uint_gt(strlen(info->doc), 0);
	}
	ck_assert_uint_eq(op_by_name("", 0), OP_COUNT);
	ck_assert_uint_eq(op_by_name("QUERY", 5), OP_COUNT);
	ck_assert_uint_eq(op_by_name("query\0", 6), OP_COUNT);
}
END_TEST

START_TEST(test_every_parameter_is_found_by_its_name)
{
	unsigned i;

	for (i = 0; i < PARAM_COUNT; i++)
		ck_assert_uint_eq(param_by_name(param_info((enum param)i)->name, param_info((enum param)i)->len), i);
	ck_assert_uint_eq(param_by_name("sq", 2), PARAM_COUNT);
}
END_TEST

START_TEST(test_suggestions)
{
	static const struct {
		const char *slip, *want;
	} cases[] = {
		{"quary", "query"},
		{"qeury", "query"},
		{"Query", "query"},
		{"exce", "exec"},
		{"migrate.stauts", "migrate.status"},
		{"migrate_status", "migrate.status"},
		{"rollbak", "rollback"},
		{"statsu", "status"},
	};
	char name[200];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_pstr_eq(op_suggest(cases[i].slip), cases[i].want);
	ck_assert_ptr_null(op_suggest(""));
	ck_assert_ptr_null(op_suggest("something.else"));
	ck_assert_ptr_null(op_suggest("xyz"));
	memset(name, 'q', sizeof name);
	for (i = 0; i < sizeof name; i++) {
		name[i] = '\0';
		(void)op_suggest(name);
		name[i] = 'q';
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("op");

	tcase_add_test(tc, test_every_method_is_found_by_its_name);
	tcase_add_test(tc, test_every_parameter_is_found_by_its_name);
	tcase_add_test(tc, test_suggestions);
	return run_case(tc);
}
