/* Keys of an index: the order of their bytes is SQLite's own, and the values come back as they were. */
#include "daemon/migrate/index_key.h"
#include "tests/unit/run_suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VALUES 1500
#define LONGEST 24

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static void random_bytes(char *out, size_t n, bool text)
{
	static const char letters[] = "aAbB zZ[@`_\001\002~";

	for (size_t i = 0; i < n; i++) {
		out[i] = text ? letters[next_random(sizeof(letters) - 1)] : (char)next_random(4);
		if (next_random(12) == 0)
			out[i] = (char)(next_random(3) == 0 ? 0 : 255 - next_random(3));
	}
}

static double random_real(void)
{
	static const double edges[] = {0.0,
				       -0.0,
				       0.5,
				       -0.5,
				       1.0,
				       -1.0,
				       1e300,
				       -1e300,
				       5e-324,
				       -5e-324,
				       1.5,
				       9007199254740993.0,
				       9223372036854775808.0,
				       -9223372036854775808.0,
				       18446744073709551616.0,
				       1e19,
				       -1e19,
				       9223372036854774784.0,
				       INFINITY,
				       -INFINITY,
				       255.0,
				       256.0,
				       4294967296.25,
				       -256.5};
	size_t pick = next_random(sizeof(edges) / sizeof(edges[0]) + 8);

	if (pick < sizeof(edges) / sizeof(edges[0]))
		return edges[pick];
	return ((double)next_random(2000) - 1000) / (double)(1 + next_random(8));
}

static int64_t random_integer(void)
{
	static const int64_t edges[] = {0,
					1,
					-1,
					255,
					256,
					-255,
					-256,
					65535,
					65536,
					INT64_MAX,
					INT64_MIN,
					INT64_MAX - 1,
					9007199254740992,
					9007199254740993,
					-9007199254740993,
					9223372036854774784};
	size_t pick = next_random(sizeof(edges) / sizeof(edges[0]) + 8);

	if (pick < sizeof(edges) / sizeof(edges[0]))
		return edges[pick];
	return (int64_t)next_random(600) - 300;
}

static struct key_value random_value(char *bytes)
{
	struct key_value v = {.type = (int)next_random(5) + 1};

	v.n = v.type == SQLITE_TEXT || v.type == SQLITE_BLOB ? next_random(LONGEST) : 0;
	switch (v.type) {
	case SQLITE_INTEGER:
		v.integer = random_integer();
		break;
	case SQLITE_FLOAT:
		v.real = random_real();
		break;
	case SQLITE_TEXT:
	case SQLITE_BLOB:
		random_bytes(bytes, v.n, v.type == SQLITE_TEXT);
		v.data = bytes;
		break;
	default:
		break;
	}
	return v;
}

static void bind(sqlite3_stmt *stmt, int at, const struct key_value *v)
{
	switch (v->type) {
	case SQLITE_INTEGER:
		sqlite3_bind_int64(stmt, at, v->integer);
		break;
	case SQLITE_FLOAT:
		sqlite3_bind_double(stmt, at, v->real);
		break;
	case SQLITE_TEXT:
		sqlite3_bind_text(stmt, at, v->n > 0 ? v->data : "", (int)v->n, SQLITE_TRANSIENT);
		break;
	case SQLITE_BLOB:
		sqlite3_bind_blob(stmt, at, v->n > 0 ? v->data : "", (int)v->n, SQLITE_TRANSIENT);
		break;
	default:
		sqlite3_bind_null(stmt, at);
		break;
	}
}

static bool same(const struct key_value *a, const struct key_value *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == SQLITE_INTEGER)
		return a->integer == b->integer;
	if (a->type == SQLITE_FLOAT)
		return memcmp(&a->real, &b->real, sizeof(a->real)) == 0;
	return a->n == b->n && (a->n == 0 || memcmp(a->data, b->data, a->n) == 0);
}

/* Encodes a row of one value and its rowid as the index would. */
static struct key_ref make(struct buf *norm, struct buf *tail, const struct key_column *columns,
			   const struct key_value *v, int64_t rowid)
{
	struct key_value id = {.type = SQLITE_INTEGER, .integer = rowid};

	buf_truncate(norm, 0);
	buf_truncate(tail, 0);
	key_add(norm, tail, 0, &columns[0], v);
	key_add(norm, tail, 1, &columns[1], &id);
	ck_assert(!norm->failed && !tail->failed);
	return (struct key_ref){.norm = (const uint8_t *)norm->data,
				.norm_n = norm->len,
				.tail = (const uint8_t *)tail->data,
				.tail_n = tail->len};
}

static void exec(sqlite3 *db, const char *sql)
{
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
}

static void fill(sqlite3 *db)
{
	sqlite3_stmt *insert;
	char bytes[LONGEST];

	exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
	exec(db, "BEGIN");
	ck_assert_int_eq(sqlite3_prepare_v2(db, "INSERT INTO t(v) VALUES(?)", -1, &insert, NULL), SQLITE_OK);
	for (int i = 0; i < VALUES; i++) {
		struct key_value v = random_value(bytes);
		bind(insert, 1, &v);
		ck_assert_int_eq(sqlite3_step(insert), SQLITE_DONE);
		sqlite3_reset(insert);
	}
	sqlite3_finalize(insert);
	exec(db, "COMMIT");
}

static const struct order {
	const char *sql;
	struct key_column column;
} orders[] = {
	{"v", {.collation = KEY_BINARY}},
	{"v DESC", {.collation = KEY_BINARY, .desc = true}},
	{"v COLLATE NOCASE", {.collation = KEY_NOCASE}},
	{"v COLLATE NOCASE DESC", {.collation = KEY_NOCASE, .desc = true}},
	{"v COLLATE RTRIM", {.collation = KEY_RTRIM}},
	{"v COLLATE RTRIM DESC", {.collation = KEY_RTRIM, .desc = true}},
};

/* Each key is greater than the one before it in SQLite's order, and comes apart into the same values. */
START_TEST(test_order_and_values_are_sqlites)
{
	const struct order *order = &orders[_i];
	struct key_column columns[2] = {order->column, {.collation = KEY_BINARY}};
	struct buf norm = {0}, tail = {0}, scratch = {0}, record = {0}, before = {0};
	char sql[128];
	sqlite3 *db;
	sqlite3_stmt *stmt;

	ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	fill(db);
	sqlite3_snprintf(sizeof(sql), sql, "SELECT v, id FROM t ORDER BY %s, id", order->sql);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct key_value v, got[2];
		struct key_ref key, again, last;
		key_value_get(stmt, 0, &v);
		key = make(&norm, &tail, columns, &v, sqlite3_column_int64(stmt, 1));
		buf_truncate(&record, 0);
		uint8_t *out = (uint8_t *)buf_reserve(&record, key_write_size(&key));
		record.len = key_write(out, &key);
		ck_assert(!key_read(out, out + record.len - 1, &again));
		ck_assert(key_read(out, out + record.len, &again));
		ck_assert_uint_eq(again.total, record.len);
		ck_assert_int_eq(key_parse(&again, columns, 2, &scratch, got), 0);
		ck_assert_msg(same(&v, &got[0]), "row %lld type %d came back as %d", sqlite3_column_int64(stmt, 1),
			      v.type, got[0].type);
		ck_assert_int_eq(got[1].integer, sqlite3_column_int64(stmt, 1));
		last = (struct key_ref){.norm = (const uint8_t *)before.data, .norm_n = before.len};
		ck_assert_msg(before.len == 0 || key_compare(&last, &key) < 0, "row %lld is out of order",
			      sqlite3_column_int64(stmt, 1));
		buf_truncate(&before, 0);
		buf_add(&before, key.norm, key.norm_n);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	buf_free(&norm);
	buf_free(&tail);
	buf_free(&scratch);
	buf_free(&record);
	buf_free(&before);
}
END_TEST

/* What SQLite takes for equal has equal bytes, and only that: the rule behind the search for duplicates. */
START_TEST(test_equal_bytes_are_equal_values)
{
	const struct order *order = &orders[_i];
	char left_bytes[LONGEST], right_bytes[LONGEST], sql[128];
	sqlite3 *db;
	sqlite3_stmt *stmt;
	struct buf left = {0}, right = {0}, tail = {0};

	ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	sqlite3_snprintf(sizeof(sql), sql, "SELECT v = w COLLATE %s FROM (SELECT ?1 AS v, ?2 AS w)",
			 order->column.collation == KEY_NOCASE  ? "NOCASE"
			 : order->column.collation == KEY_RTRIM ? "RTRIM"
								: "BINARY");
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	for (int i = 0; i < 20000; i++) {
		struct key_value v = random_value(left_bytes), w = random_value(right_bytes);
		if (v.n > 2)
			v.n = next_random(3);
		if (w.n > 2)
			w.n = next_random(3);
		bind(stmt, 1, &v);
		bind(stmt, 2, &w);
		ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
		bool equal = sqlite3_column_int(stmt, 0) == 1 || (v.type == SQLITE_NULL && w.type == SQLITE_NULL);
		sqlite3_reset(stmt);
		buf_truncate(&left, 0);
		buf_truncate(&right, 0);
		buf_truncate(&tail, 0);
		key_add(&left, &tail, 0, &order->column, &v);
		key_add(&right, &tail, 0, &order->column, &w);
		ck_assert_int_eq(left.len == right.len && memcmp(left.data, right.data, left.len) == 0, equal);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	buf_free(&left);
	buf_free(&right);
	buf_free(&tail);
}
END_TEST

START_TEST(test_a_real_column_does_not_keep_the_type)
{
	struct key_column real = {.real = true}, plain = {0};
	struct key_value v = {.type = SQLITE_FLOAT, .real = 12};
	struct buf norm = {0}, tail = {0};

	key_add(&norm, &tail, 0, &real, &v);
	ck_assert_uint_eq(tail.len, 0);
	key_add(&norm, &tail, 0, &plain, &v);
	ck_assert_uint_gt(tail.len, 0);
	buf_free(&norm);
	buf_free(&tail);
}
END_TEST

START_TEST(test_damaged_keys_are_refused)
{
	struct key_column columns[2] = {{.collation = KEY_NOCASE}, {0}};
	struct key_value got[2], v = {.type = SQLITE_TEXT, .data = "Abc", .n = 3};
	struct buf norm = {0}, tail = {0}, scratch = {0};
	struct key_ref key = make(&norm, &tail, columns, &v, 300), cut;

	ck_assert_int_eq(key_parse(&key, columns, 2, &scratch, got), 0);
	for (size_t n = 0; n < key.norm_n; n++) {
		cut = key;
		cut.norm_n = n;
		ck_assert_int_eq(key_parse(&cut, columns, 2, &scratch, got), -1);
	}
	for (size_t n = 1; n < key.tail_n; n++) {
		cut = key;
		cut.tail_n = n;
		ck_assert_int_eq(key_parse(&cut, columns, 2, &scratch, got), -1);
	}
	buf_free(&norm);
	buf_free(&tail);
	buf_free(&scratch);
}
END_TEST

START_TEST(test_only_sqlites_own_collations)
{
	enum key_collation got;

	ck_assert(key_collation_by_name("nocase", &got) && got == KEY_NOCASE);
	ck_assert(key_collation_by_name(NULL, &got) && got == KEY_BINARY);
	ck_assert(!key_collation_by_name("de_DE", &got));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate");
	TCase *tc = tcase_create("index_key");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_order_and_values_are_sqlites, 0, (int)(sizeof(orders) / sizeof(orders[0])));
	tcase_add_loop_test(tc, test_equal_bytes_are_equal_values, 0, (int)(sizeof(orders) / sizeof(orders[0])));
	tcase_add_test(tc, test_a_real_column_does_not_keep_the_type);
	tcase_add_test(tc, test_damaged_keys_are_refused);
	tcase_add_test(tc, test_only_sqlites_own_collations);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
