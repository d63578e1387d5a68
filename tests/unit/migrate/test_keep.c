/* What converts, what is refused, and that the result is what a column of SQLite's would hold. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "daemon/migrate/keep.h"
#include "daemon/migrate/schema.h"
#include "tests/unit/run_suite.h"

static const char *const values[] = {
	"NULL",
	"0",
	"-1",
	"9007199254740992",
	"9007199254740993",
	"9223372036854775807",
	"-9223372036854775808",
	"1.0",
	"1.5",
	"-0.0",
	"1e300",
	"0.1",
	"1e999",
	"-1e999",
	"''",
	"'12'",
	"' 12 '",
	"'12.50'",
	"'12abc'",
	"'0x1A'",
	"'007'",
	"'-00.5'",
	"'0.5'",
	"'1e3'",
	"'9223372036854775808'",
	"'9007199254740993'",
	"'0.1'",
	"'3.14159265358979323846'",
	"'0.017453292519943295'",
	"'1e400'",
	"'1e-400'",
	"'.5'",
	"'5.'",
	"'+7'",
	"x'3132'",
	"x''",
	"'abc'",
	"'12'||char(0)",
	"4.35",
	"123456789012345678.0",
};
static const char *const types[] = {"BLOB", "TEXT", "NUMERIC", "INTEGER", "REAL"};

static int text_of(sqlite3 *db, const char *sql, char *out, size_t size)
{
	sqlite3_stmt *stmt = NULL;
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		snprintf(out, size, "%s", (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return rc;
}

START_TEST(test_value_is_what_a_column_holds)
{
	sqlite3 *db;
	struct error err = {0};
	char sql[512], want[128], got[128];

	ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	ck_assert_int_eq(keep_register(db, &err), 0);
	for (int a = 0; a < 5; a++) {
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
			snprintf(sql, sizeof(sql),
				 "DROP TABLE IF EXISTS t; CREATE TABLE t(x %s); INSERT INTO t VALUES(%s)", types[a],
				 values[v]);
			ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
			text_of(db, "SELECT typeof(x)||quote(x) FROM t", want, sizeof(want));
			snprintf(sql, sizeof(sql),
				 "SELECT typeof(y)||quote(y) FROM (SELECT _alterd_keep(%s,%d,0) AS y)", values[v], a);
			text_of(db, sql, got, sizeof(got));
			ck_assert_msg(strcmp(got, want) == 0, "%s as %s: %s, a column holds %s", values[v], types[a],
				      got, want);
		}
	}
	sqlite3_close(db);
}
END_TEST

static const struct {
	const char *value;
	enum affinity to;
	int lossy;
} cases[] = {
	{"'12'", AFFINITY_INTEGER, 0},
	{"'12.50'", AFFINITY_REAL, 0},
	{"' 12 '", AFFINITY_INTEGER, 0},
	{"'007'", AFFINITY_INTEGER, 1},
	{"'0'", AFFINITY_INTEGER, 0},
	{"'0.5'", AFFINITY_REAL, 0},
	{"'-00.5'", AFFINITY_REAL, 1},
	{"'12abc'", AFFINITY_INTEGER, 1},
	{"''", AFFINITY_INTEGER, 1},
	{"'0x1A'", AFFINITY_INTEGER, 1},
	{"x'3132'", AFFINITY_INTEGER, 1},
	{"x'3132'", AFFINITY_TEXT, 0},
	{"9007199254740993", AFFINITY_REAL, 1},
	{"9007199254740992", AFFINITY_REAL, 0},
	{"9223372036854775807", AFFINITY_REAL, 1},
	{"-9223372036854775808", AFFINITY_REAL, 0},
	{"'9007199254740993'", AFFINITY_REAL, 1},
	{"'9007199254740993'", AFFINITY_INTEGER, 0},
	{"'9223372036854775809'", AFFINITY_INTEGER, 1},
	{"'3.14159265358979323846'", AFFINITY_REAL, 1},
	{"'0.017453292519943295'", AFFINITY_REAL, 0},
	{"'1e400'", AFFINITY_REAL, 1},
	{"'1e-400'", AFFINITY_REAL, 1},
	{"0.1", AFFINITY_TEXT, 0},
	{"9007199254740993.0", AFFINITY_TEXT, 1},
	{"1e999", AFFINITY_TEXT, 1},
	{"12.0", AFFINITY_INTEGER, 0},
	{"12.5", AFFINITY_INTEGER, 0},
	{"NULL", AFFINITY_REAL, 0},
	{"'x'", AFFINITY_BLOB, 0},
};

START_TEST(test_loss_is_seen)
{
	sqlite3 *db;
	struct error err = {0};
	char sql[256], got[32];

	ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	ck_assert_int_eq(keep_register(db, &err), 0);
	ck_assert_int_eq(keep_register(db, &err), 0);
	snprintf(sql, sizeof(sql), "SELECT _alterd_lossy(%s,%d)", cases[_i].value, (int)cases[_i].to);
	text_of(db, sql, got, sizeof(got));
	ck_assert_msg(strcmp(got, cases[_i].lossy ? "1" : "0") == 0, "%s: %s", sql, got);
	snprintf(sql, sizeof(sql), "SELECT _alterd_keep(%s,%d,1)", cases[_i].value, (int)cases[_i].to);
	ck_assert_int_eq(text_of(db, sql, got, sizeof(got)), cases[_i].lossy ? SQLITE_MISMATCH : SQLITE_ROW);
	sqlite3_close(db);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("migrate");
	TCase *c = tcase_create("keep");
	tcase_set_timeout(c, 20);
	tcase_add_test(c, test_value_is_what_a_column_holds);
	tcase_add_loop_test(c, test_loss_is_seen, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	suite_add_tcase(s, c);
	return run_suite(s);
}
