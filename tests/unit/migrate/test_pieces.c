/* What a version without a transaction is cut into, and what is refused before any of it runs. */
#include <check.h>
#include <string.h>

#include "daemon/migrate/pieces.h"
#include "tests/unit/run_suite.h"

/* "1-2@3 5@7": pieces by the numbers of their statements, from 1, and their line; or the error. */
static void describe(struct pool *pool, const char *text, size_t from, struct buf *out)
{
	struct error err = {0};
	struct script script, again;
	struct pieces pieces;
	size_t next = from;

	ck_assert_int_eq(script_split(pool, text, strlen(text), 1, &script, &err), 0);
	if (pieces_make(pool, "1_a.sql", &script, from, &pieces, &err) != 0) {
		ck_assert_int_eq(err.code, errc_code(ERRC_MIGRATION_INVALID));
		buf_puts(out, err.message);
		error_clear(&err);
		return;
	}
	for (size_t i = 0; i < pieces.n; i++) {
		const struct piece *p = &pieces.at[i];
		ck_assert_uint_eq(p->from, next);
		ck_assert_uint_ge(p->n, 1);
		buf_printf(out, "%s%zu", i ? " " : "", p->from + 1);
		if (p->n > 1)
			buf_printf(out, "-%zu", p->from + p->n);
		buf_printf(out, "@%lld", (long long)p->line);
		/* Split again it is the same statements in the same lines. */
		ck_assert_int_eq(script_split(pool, p->sql, strlen(p->sql), p->line, &again, &err), 0);
		ck_assert_uint_eq(again.n, p->n);
		for (size_t k = 0; k < again.n; k++) {
			ck_assert_str_eq(again.at[k].sql, script.at[p->from + k].sql);
			ck_assert_int_eq(again.at[k].line, script.at[p->from + k].line);
		}
		next += p->n;
	}
	ck_assert_uint_eq(next, script.n > from ? script.n : from);
}

static const struct {
	const char *text;
	size_t from;
	const char *want;
} cases[] = {
	{"", 0, ""},
	{"CREATE TABLE a(x);\n\n INSERT INTO a\nVALUES(1); SELECT 1", 0, "1@1 2@3 3@4"},
	{"SELECT 1;\nSELECT 2;\nSELECT 3;", 1, "2@2 3@3"},
	{"SELECT 1;\nSELECT 2;", 2, ""},
	/* What is passed over. */
	{"PRAGMA foreign_keys=OFF;\nVACUUM;\nSELECT 1;\nVACUUM;\nPRAGMA journal_mode=WAL;\nSELECT 2", 0, "1-5@1 6@6"},
	{"VACUUM;\nPRAGMA quick_check", 0, "1-2@1"},
	{"SELECT 1;\nVACUUM;\nSELECT 2", 1, "2-3@2"},
	/* The file's own transactions. */
	{"SELECT 1;\nBEGIN;\nSELECT 2;\n-- x\nSELECT 3;\nCOMMIT;\nSELECT 4", 0, "1@1 2-5@2 6@7"},
	{"PRAGMA foreign_keys=OFF;\nBEGIN;\nSELECT 1;\nEND;\nPRAGMA foreign_keys=ON;\nBEGIN;\nCOMMIT", 0,
	 "1-5@1 6-7@6"},
	{"BEGIN IMMEDIATE;\nCREATE TEMP TABLE t(x);\nDROP TABLE t;\nCOMMIT TRANSACTION", 0, "1-4@1"},
	/* Rebuilds written by hand. */
	{"SELECT 1;\nCREATE TABLE n(x);\nINSERT INTO n SELECT x FROM t;\nDROP TABLE t;\nALTER TABLE n RENAME TO t;\n"
	 "CREATE INDEX i ON t(x)",
	 0, "1@1 2-5@2 6@6"},
	{"ALTER TABLE t RENAME TO o;\nCREATE TABLE t(x);\nINSERT INTO t SELECT x FROM o;\nDROP TABLE o;\nSELECT 1", 0,
	 "1-4@1 5@5"},
	{"CREATE TEMP TABLE o AS SELECT x FROM t;\nDROP TABLE t;\nCREATE TABLE t(x);\nINSERT INTO t SELECT x FROM o;\n"
	 "DROP TABLE o;\nSELECT 1",
	 0, "1-5@1 6@6"},
	{"ALTER TABLE t ADD y;\nCREATE TABLE n(x);\nINSERT INTO n SELECT x FROM t;\nDROP TABLE t;\nALTER TABLE n "
	 "RENAME "
	 "TO t;\nALTER TABLE t ADD z",
	 0, "1@1 2-5@2 6@6"},
	{"CREATE TABLE n(x);\nINSERT INTO n SELECT x FROM t;\nDROP TABLE t;\nALTER TABLE n RENAME TO t", 2, "3-4@3"},
	/* Refused, with the place. */
	{"SELECT 1;\nBEGIN;\nSELECT 2", 0, "1_a.sql:2: BEGIN without COMMIT"},
	{"SELECT 1;\nEND", 0, "1_a.sql:2: COMMIT without BEGIN"},
	{"BEGIN;\n\nBEGIN;\nCOMMIT", 0, "1_a.sql:3: BEGIN within a transaction"},
	{"SELECT 1;\n\nVACUUM INTO 'x'", 0, "1_a.sql:3: VACUUM cannot be part of a migration"},
	{"SELECT 1;\nROLLBACK", 0, "1_a.sql:2: ROLLBACK cannot be part of a migration"},
};

START_TEST(test_pieces_are_cut_as_expected)
{
	struct pool pool = {0};
	struct buf got = {0};

	describe(&pool, cases[_i].text, cases[_i].from, &got);
	ck_assert_msg(strcmp(buf_cstr(&got), cases[_i].want) == 0, "%s\n-- from %zu: %s\n-- wanted: %s", cases[_i].text,
		      cases[_i].from, buf_cstr(&got), cases[_i].want);
	buf_free(&got);
	pool_free(&pool);
}
END_TEST

START_TEST(test_pieces_keep_temp_objects_in_a_transaction)
{
	static const char *const texts[] = {"SELECT 1;\nCREATE TEMP TABLE t(x)", "SELECT 1;\nCREATE TABLE temp.t(x)",
					    "SELECT 1;\nCREATE TEMPORARY VIEW v AS SELECT 1",
					    "SELECT 1;\nCREATE UNIQUE INDEX temp.i ON t(x)",
					    "SELECT 1;\nCREATE VIRTUAL TABLE temp.f USING fts5(x)"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct pool pool = {0};
		struct buf got = {0};
		describe(&pool, texts[i], 0, &got);
		ck_assert_msg(strncmp(buf_cstr(&got), "1_a.sql:2: without a transaction TEMP", 37) == 0, "%s: %s",
			      texts[i], buf_cstr(&got));
		buf_free(&got);
		pool_free(&pool);
	}
}
END_TEST

START_TEST(test_pieces_rest_is_one)
{
	static const char text[] = "SELECT 1;\nBEGIN;\n\nSELECT 2";
	struct pool pool = {0};
	struct error err = {0};
	struct script script;

	ck_assert_int_eq(script_split(&pool, text, strlen(text), 4, &script, &err), 0);
	struct piece p = pieces_rest(&pool, &script, 1);
	ck_assert_uint_eq(p.n, 2);
	ck_assert_int_eq(p.line, 5);
	ck_assert_str_eq(p.sql, "BEGIN;\n\nSELECT 2");
	p = pieces_rest(&pool, &script, 3);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_str_eq(p.sql, "");
	pool_free(&pool);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("migrate");
	TCase *c = tcase_create("pieces");
	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, test_pieces_are_cut_as_expected, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(c, test_pieces_keep_temp_objects_in_a_transaction);
	tcase_add_test(c, test_pieces_rest_is_one);
	suite_add_tcase(s, c);
	return run_suite(s);
}
