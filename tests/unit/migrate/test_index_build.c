/*
 * Indexes built in slices are what CREATE INDEX makes: the same entries, value for value; SQLite accepts and maintains
 * them; a build that was cut short goes on or goes away; duplicates are found; memory and the writer's time are
 * bounded.
 */
#include "daemon/lib/clock.h"
#include "tests/unit/migrate/index_fixture.h"
#include "tests/unit/run_suite.h"

#define BUDGET_NS (3 * NS_PER_MS)
#define CHANGES 4000

/* Something of everything, by row number: `s` shifts it. */
#define MIXED(s)                                                                                                       \
	"CASE (i * 2654435761 + " s ") % 14 WHEN 0 THEN NULL WHEN 1 THEN i % 100 WHEN 2 THEN (i % 50) * 1.0"           \
	" WHEN 3 THEN i * -0.25 WHEN 4 THEN 'Text' || (i % 300) WHEN 5 THEN 'tEXT' || (i % 300) || '  '"               \
	" WHEN 6 THEN CAST('b' || (i % 200) AS BLOB) WHEN 7 THEN zeroblob(i % 7) WHEN 8 THEN -0.0"                     \
	" WHEN 9 THEN 9223372036854775807 - i % 3 WHEN 10 THEN 1e19 + i WHEN 11 THEN CAST(x'410042' AS TEXT) || i % 9" \
	" WHEN 12 THEN hex(zeroblob(i % 9 / 8 * (900 + i % 2000))) WHEN 13 THEN -9e18 - i END"

#define ROWS(n) "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " n ")"

static const struct kind {
	const char *name;
	const char *table;     /* of the shadow, without `CREATE TABLE <name>` */
	const char *final;     /* the same with its constraints; NULL: no difference */
	const char *insert;    /* columns, then SELECT from n */
	const char *index[20]; /* behind ON <table>; one beginning with UNIQUE makes it unique */
} kinds[] = {
	{"plain",
	 "(id INTEGER PRIMARY KEY, g INT, c TEXT, d TEXT)",
	 NULL,
	 "(g, c, d) SELECT i * 7919 % 500, 'category' || i * 31 % 17, datetime(1400000000 + i * 104729 % 40000000,"
	 " 'unixepoch') FROM n",
	 {"(g, d)", "(c)", "(c DESC, g)", "UNIQUE(g, id)"}},
	{"mixed",
	 "(id INTEGER PRIMARY KEY, a, b TEXT, r REAL, n NUMERIC, k TEXT COLLATE NOCASE, w TEXT COLLATE RTRIM, u, f "
	 "FLOAT"
	 " NOT NULL)",
	 NULL,
	 "(a, b, r, n, k, w, u, f) SELECT " MIXED("0") "," MIXED("1") "," MIXED("2") "," MIXED("3") "," MIXED(
		 "4") "," MIXED("5") ", CASE WHEN i % 3 THEN i END, (i % 77) * 1.0 FROM n",
	 {"(a)", "(a DESC, b)", "(r)", "(r DESC, n)", "(k, a)", "(k DESC)", "(w)", "(w DESC, k)", "UNIQUE(u)",
	  "UNIQUE(u DESC, k)", "(f)", "(b COLLATE NOCASE, b COLLATE RTRIM, b)", "(n, r, a, b, k, w)"}},
	{"partial and expressions",
	 "(id INTEGER PRIMARY KEY, a, b TEXT, \"desc\" INT, g AS (a || b), h AS (\"desc\" + 1) STORED, r REAL)",
	 NULL,
	 "(a, b, \"desc\", r) SELECT " MIXED("0") "," MIXED("1") ", i % 1000, (i % 97) * 1.0 FROM n",
	 {"(b) WHERE a IS NOT NULL AND \"desc\" > 10", "(lower(b), a || '' DESC, id)",
	  "((b || 'x') COLLATE NOCASE DESC)", "(desc)", "(desc DESC)", "(length(b) + desc DESC)",
	  "(substr(b, 2, 3) /* a, b) */, 'a,b)' || b ASC)", "(g)", "(h DESC, g)", "(\"nosuch\", a)",
	  "(CAST(b AS REAL), +r, r)", "(id DESC)", "UNIQUE(id) WHERE b LIKE 'text%' -- some\n", "(a) WHERE 0",
	  "(typeof(a), abs(desc - 500))"}},
	{"constraints of the table",
	 "(x TEXT, y INT, z, id2 INT)",
	 "(x TEXT PRIMARY KEY, y INT, z COLLATE NOCASE, id2 INT UNIQUE, UNIQUE(y, x), UNIQUE(x COLLATE NOCASE DESC))",
	 "(x, y, z, id2) SELECT CASE WHEN i % 5 THEN 'Key' || i END, i % 9, " MIXED("0") ", i * 7919 % 1000003 FROM n",
	 {"(z)", "(y DESC)"}},
	{"names of the rowid taken",
	 "(rowid INT, \"oid\" TEXT, v)",
	 NULL,
	 "(rowid, oid, v) SELECT -i, 'o' || i, " MIXED("0") " FROM n",
	 {"(rowid)", "(oid, v)"}},
	{"names of the rowid all taken",
	 "(rowid INT, \"oid\" TEXT, _rowid_, \"my \"\"id\" INTEGER PRIMARY KEY)",
	 NULL,
	 "(rowid, oid, _rowid_) SELECT -i, 'o' || i, " MIXED("0") " FROM n",
	 {"(rowid)", "(_rowid_)"}},
	{"without rowid",
	 "(p TEXT COLLATE NOCASE, q INT, v, PRIMARY KEY(p, q)) WITHOUT ROWID",
	 NULL,
	 "(p, q, v) SELECT 'Part' || (i % 700), i, " MIXED("0") " FROM n",
	 {"(v)", "(q DESC)", "(v DESC, p)", "UNIQUE(q, v)"}},
	{"without rowid, backwards",
	 "(p REAL, q TEXT, v, PRIMARY KEY(p DESC, q COLLATE RTRIM DESC), UNIQUE(v, q)) WITHOUT ROWID",
	 NULL,
	 "(p, q, v) SELECT (i % 300) * 0.5, 'q' || i || '  ', " MIXED("0") " FROM n",
	 {"(v)"}},
	{"without rowid, both ways",
	 "(p INT, q TEXT, v, PRIMARY KEY(p, q COLLATE NOCASE DESC)) WITHOUT ROWID",
	 NULL,
	 "(p, q, v) SELECT i % 3, 'q' || i, " MIXED("0") " FROM n",
	 {"(v, p)"}},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct fixture fixture;

static void set_up(void) { fixture_open(&fixture); }

static void tear_down(void) { fixture_close(&fixture); }

/* What a build is made of, for the functions on the lanes. */
struct work {
	struct index_build_config config;
	char sql[20][400];
	const char *list[20];
	struct index_build *build;
	uint64_t held_max_ns;
	size_t slices;
	bool more;
};

static int do_open(struct db *db, void *arg, struct error *err)
{
	struct work *w = arg;

	if (db_begin(db, err) != 0)
		return -1;
	if (index_build_open(db, &w->config, &w->build, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

static int do_read(struct db *db, void *arg, struct error *err)
{
	return index_build_read(((struct work *)arg)->build, db, err);
}

static int do_fill(struct db *db, void *arg, struct error *err)
{
	return index_build_fill(((struct work *)arg)->build, db, BUDGET_NS, err);
}

static int do_adopt(struct db *db, void *arg, struct error *err)
{
	struct work *w = arg;

	if (db_begin(db, err) != 0)
		return -1;
	if (index_build_adopt(w->build, db, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

static int do_abandon(struct db *db, void *arg, struct error *err)
{
	struct work *w = arg;

	return index_build_abandon(db, w->config.table, BUDGET_NS, &w->more, err);
}

/* CREATE INDEX statements of a kind for `table`; names are <table>_<number>. */
static void make_work(struct work *w, const struct kind *kind, const char *table, const char *final_sql)
{
	*w = (struct work){.config = {.table = table, .table_sql = final_sql, .temp_dir = fixture.dir}};
	for (size_t i = 0; kind->index[i]; i++) {
		bool unique = strncmp(kind->index[i], "UNIQUE", 6) == 0;
		snprintf(w->sql[i], sizeof(w->sql[i]), "CREATE %s INDEX %s_%zu ON %s%s", unique ? "UNIQUE" : "", table,
			 i, table, kind->index[i] + (unique ? 6 : 0));
		w->list[i] = w->sql[i];
		w->config.count++;
	}
	w->config.sql = w->list;
}

/* Makes and fills a table of the kind. */
static void make_table(const struct kind *kind, const char *table, bool final, const char *rows)
{
	struct buf b = {0};

	buf_printf(&b, "CREATE TABLE %s%s; INSERT INTO %s", table, final && kind->final ? kind->final : kind->table,
		   table);
	const char *select = strstr(kind->insert, "SELECT");
	buf_add(&b, kind->insert, (size_t)(select - kind->insert));
	buf_printf(&b, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) %s", rows, select);
	sql(&fixture, buf_cstr(&b));
	buf_free(&b);
}

/* Reads and fills, both lanes at work at the same time; stops after `slices` of the writer if that is not 0. */
static int work_on(struct work *w, size_t slices, struct error *err)
{
	struct call read = {.done = true}, fill = {.done = true};
	int result = 0;
	unsigned needs;

	while (result == 0 && ((needs = index_build_needs(w->build)) != 0 || !read.done || !fill.done)) {
		if (slices > 0 && w->slices >= slices)
			break;
		if (read.done && (needs & INDEX_NEEDS_READER)) {
			read = (struct call){.run = do_read, .arg = w};
			call_start(&fixture, false, &read);
		}
		if (fill.done && (needs & INDEX_NEEDS_WRITER)) {
			fill = (struct call){.run = do_fill, .arg = w};
			call_start(&fixture, true, &fill);
		}
		uv_run(&fixture.loop, UV_RUN_ONCE);
		if (fill.done && fill.run) {
			uint64_t held_ns = fill.job.ended_ns - fill.job.started_ns;
			w->held_max_ns = held_ns > w->held_max_ns ? held_ns : w->held_max_ns;
			w->slices++;
			fill.run = NULL;
		}
		if (read.done && read.result != 0)
			result = -1;
		ck_assert_msg(!fill.done || fill.result == 0, "fill: %s", fill.err.message);
	}
	call_wait(&fixture, &read);
	call_wait(&fixture, &fill);
	if (read.result != 0)
		error_move(err, &read.err);
	return result;
}

static void work_whole(struct work *w)
{
	struct error err = {0};

	call(&fixture, true, do_open, w, NULL, NULL);
	ck_assert_msg(work_on(w, 0, &err) == 0, "%s", err.message);
	call(&fixture, true, do_adopt, w, NULL, NULL);
}

/* --- looking at the file --- */

static void exec(sqlite3 *db, const char *text)
{
	ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", text, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text)
{
	sqlite3_stmt *stmt = NULL;

	ck_assert_msg(sqlite3_prepare_v2(db, text, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", text, sqlite3_errmsg(db));
	return stmt;
}

static int64_t number(sqlite3 *db, const char *text)
{
	sqlite3_stmt *stmt = prepare(db, text);

	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static void check_integrity(sqlite3 *db, const char *when)
{
	sqlite3_stmt *stmt = prepare(db, "PRAGMA integrity_check");

	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_msg(strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0, "%s: %s", when,
		      sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
}

/* Lays an imposter over an index, so that its entries are seen as they are stored. */
static void lay_imposter(sqlite3 *db, const char *index, const char *imposter)
{
	char text[200];
	struct buf b = {0};

	snprintf(text, sizeof(text), "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", index);
	int root = (int)number(db, text);
	snprintf(text, sizeof(text), "SELECT count(*) FROM pragma_index_xinfo('%s')", index);
	int columns = (int)number(db, text);
	buf_printf(&b, "CREATE TABLE %s(k0", imposter);
	for (int i = 1; i < columns; i++)
		buf_printf(&b, ",k%d", i);
	buf_puts(&b, ",PRIMARY KEY(k0");
	for (int i = 1; i < columns; i++)
		buf_printf(&b, ",k%d", i);
	buf_puts(&b, ")) WITHOUT ROWID");
	sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, db, "main", 1, root);
	exec(db, buf_cstr(&b));
	sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, db, "main", 0, 0);
	buf_free(&b);
}

/*
 * Entry for entry, type and bytes: what was built against what CREATE INDEX made. Check notes each assertion in a file
 * as it passes it; of these there are millions.
 */
static void compare_indexes(sqlite3 *db, const char *built, const char *native)
{
	sqlite3_stmt *left, *right;
	int64_t entries = 0;

	lay_imposter(db, built, "im_left");
	lay_imposter(db, native, "im_right");
	left = prepare(db, "SELECT * FROM im_left");
	right = prepare(db, "SELECT * FROM im_right");
	for (;;) {
		int row = sqlite3_step(left);
		if (sqlite3_step(right) != row)
			ck_abort_msg("%s has another number of entries: %lld", built, (long long)entries);
		if (row != SQLITE_ROW)
			break;
		for (int i = 0; i < sqlite3_column_count(right); i++) {
			int n = sqlite3_column_bytes(right, i);
			if (sqlite3_column_type(left, i) != sqlite3_column_type(right, i) ||
			    sqlite3_column_bytes(left, i) != n ||
			    (n > 0 && memcmp(sqlite3_column_blob(left, i), sqlite3_column_blob(right, i), (size_t)n)))
				ck_abort_msg("%s: entry %lld column %d: type %d, not %d, or other bytes", built,
					     (long long)entries, i, sqlite3_column_type(left, i),
					     sqlite3_column_type(right, i));
		}
		entries++;
	}
	sqlite3_finalize(left);
	sqlite3_finalize(right);
	sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, db, "main", 0, 1);
}

static sqlite3 *open_file(void)
{
	sqlite3 *db;

	fixture_close_store(&fixture);
	ck_assert_int_eq(sqlite3_open(fixture.path, &db), SQLITE_OK);
	return db;
}

/* Inserts, updates and deletes as chance has it; what a UNIQUE refuses is refused. */
static void change_at_random(sqlite3 *db, const struct kind *kind, const char *table)
{
	char columns[100], text[8000];
	const char *select = strstr(kind->insert, "SELECT");
	uint64_t seed = 4711;

	snprintf(columns, sizeof(columns), "%.*s", (int)(select - kind->insert), kind->insert);
	exec(db, "BEGIN");
	for (int i = 0; i < CHANGES; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		unsigned pick = (unsigned)(seed >> 33);
		if (pick % 3 == 0)
			snprintf(text, sizeof(text), "INSERT OR IGNORE INTO %s%s %.*s (SELECT %u AS i) AS n", table,
				 columns, (int)(strstr(select, "FROM n") + 4 - select), select,
				 1000000 + pick % 1000000);
		else if (pick % 3 == 1)
			snprintf(text, sizeof(text), "DELETE FROM %s WHERE %s = (SELECT %s FROM %s LIMIT 1 OFFSET %u)",
				 table,
				 kind->final                      ? "id2"
				 : strstr(kind->table, "WITHOUT") ? "q"
								  : "_rowid_",
				 kind->final                      ? "id2"
				 : strstr(kind->table, "WITHOUT") ? "q"
								  : "_rowid_",
				 table, pick % 500);
		else
			snprintf(text, sizeof(text), "INSERT OR REPLACE INTO %s%s %.*s (SELECT %u AS i) AS n", table,
				 columns, (int)(strstr(select, "FROM n") + 4 - select), select, 1 + pick % 3000);
		exec(db, text);
	}
	exec(db, "COMMIT");
}

/* --- tests --- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MANY_ROWS "1500"
#else
#define MANY_ROWS "10000"
#endif

START_TEST(test_every_kind_of_index_is_what_create_index_makes)
{
	const struct kind *kind = &kinds[_i];
	struct work w;
	struct buf final = {0};
	char built[100], native[100];

	make_table(kind, "t", false, MANY_ROWS);
	make_table(kind, "n", true, MANY_ROWS);
	buf_printf(&final, "CREATE TABLE t%s", kind->final ? kind->final : "");
	make_work(&w, kind, "t", kind->final ? buf_cstr(&final) : NULL);
	work_whole(&w);
	index_build_free(w.build);
	make_work(&w, kind, "n", NULL);
	for (size_t i = 0; i < w.config.count; i++)
		sql(&fixture, w.sql[i]);
	sqlite3 *db = open_file();
	check_integrity(db, kind->name);
	ck_assert_int_eq(number(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_alterd%' ESCAPE '\\'"), 0);
	ck_assert_int_eq(number(db, "SELECT count(*) FROM pragma_index_list('t')"),
			 number(db, "SELECT count(*) FROM pragma_index_list('n')"));
	for (size_t i = 0; i < w.config.count; i++) {
		snprintf(built, sizeof(built), "t_%zu", i);
		snprintf(native, sizeof(native), "n_%zu", i);
		compare_indexes(db, built, native);
	}
	for (int i = 1; kind->final && i <= 4; i++) {
		snprintf(built, sizeof(built), "sqlite_autoindex_t_%d", i);
		snprintf(native, sizeof(native), "sqlite_autoindex_n_%d", i);
		compare_indexes(db, built, native);
	}
	change_at_random(db, kind, "t");
	check_integrity(db, "after changes");
	exec(db, "REINDEX; VACUUM");
	check_integrity(db, "after REINDEX and VACUUM");
	sqlite3_close(db);
	buf_free(&final);
}
END_TEST

START_TEST(test_an_empty_table_and_the_ends_of_the_rowids)
{
	static const char *const index[] = {"CREATE INDEX e_1 ON e(a)"};
	static const char *const ends[] = {"CREATE UNIQUE INDEX x_1 ON x(a DESC)"};
	struct work w = {.config = {.table = "e", .sql = index, .count = 1}};
	struct work x = {.config = {.table = "x", .sql = ends, .count = 1}};
	struct work none = {.config = {.table = "e"}};

	sql(&fixture, "CREATE TABLE e(a); CREATE TABLE x(a); INSERT INTO x(rowid, a) VALUES(-9223372036854775808, 1),"
		      "(9223372036854775807, 2), (0, NULL), (-1, NULL)");
	work_whole(&w);
	work_whole(&x);
	work_whole(&none);
	index_build_free(w.build);
	index_build_free(x.build);
	index_build_free(none.build);
	sql(&fixture, "INSERT INTO e VALUES(1),(2)");
	sqlite3 *db = open_file();
	check_integrity(db, "ends");
	ck_assert_int_eq(number(db, "SELECT count(*) FROM x INDEXED BY x_1 WHERE a >= 1"), 2);
	ck_assert_int_eq(number(db, "SELECT count(*) FROM e INDEXED BY e_1 WHERE a = 2"), 1);
	sqlite3_close(db);
}
END_TEST

START_TEST(test_duplicates_of_a_unique_index_are_named)
{
	static const char *const index[] = {"CREATE UNIQUE INDEX d_1 ON d(k, v)"};
	struct work w = {.config = {.table = "d", .sql = index, .count = 1}};
	struct error err = {0};
	struct buf rows = {0};
	uint64_t count = 0;

	sql(&fixture,
	    "CREATE TABLE d(id INTEGER PRIMARY KEY, k TEXT COLLATE NOCASE, v);" ROWS(
		    "5000") "INSERT INTO d(k, v) SELECT 'k' || i, i FROM n;"
			    "INSERT INTO d VALUES(7001, 'K4', 4), (7002, 'K4', 4.0), (7003, NULL, 1), (7004, NULL, 1),"
			    "(7005, 'k5', NULL), (7006, 'k5', NULL), (7007, 'k5 ', 5)");
	call(&fixture, true, do_open, &w, NULL, NULL);
	ck_assert_int_eq(work_on(&w, 0, &err), -1);
	ck_assert_str_eq(err.name, "FAILED_MIGRATION");
	ck_assert_uint_eq(index_build_needs(w.build), 0);
	index_build_offenders(w.build, &rows, &count);
	ck_assert_uint_eq(count, 2);
	ck_assert_str_eq(buf_cstr(&rows), "{\"rowid\":7001,\"column\":\"k\",\"value\":\"K4\",\"reason\":\"UNIQUE\"},"
					  "{\"rowid\":7002,\"column\":\"k\",\"value\":\"K4\",\"reason\":\"UNIQUE\"}");
	index_build_free(w.build);
	for (w.more = true; w.more;)
		call(&fixture, true, do_abandon, &w, NULL, NULL);
	error_clear(&err);
	buf_free(&rows);
	sqlite3 *db = open_file();
	check_integrity(db, "duplicates");
	ck_assert_int_eq(number(db, "SELECT count(*) FROM sqlite_schema WHERE name <> 'd'"), 0);
	sqlite3_close(db);
}
END_TEST

START_TEST(test_only_ten_offenders_are_named_but_all_are_counted)
{
	static const char *const index[] = {"CREATE UNIQUE INDEX d_1 ON d(v)"};
	struct work w = {.config = {.table = "d", .sql = index, .count = 1}};
	struct error err = {0};
	struct buf rows = {0};
	uint64_t count = 0;
	int named = 0;

	sql(&fixture, "CREATE TABLE d(v);" ROWS("120000") "INSERT INTO d SELECT i % 100 FROM n");
	call(&fixture, true, do_open, &w, NULL, NULL);
	ck_assert_int_eq(work_on(&w, 0, &err), -1);
	index_build_offenders(w.build, &rows, &count);
	ck_assert_uint_eq(count, 119900);
	for (const char *at = buf_cstr(&rows); (at = strstr(at, "\"rowid\"")) != NULL; at++)
		named++;
	ck_assert_int_eq(named, INDEX_OFFENDERS_MAX);
	index_build_free(w.build);
	error_clear(&err);
	buf_free(&rows);
}
END_TEST

/* Cuts a build short after each of some numbers of slices, with the store closed in between, and goes on. */
START_TEST(test_a_build_cut_short_goes_on_where_it_was)
{
	const struct kind *kind = &kinds[1];
	struct index_build_progress progress;
	struct work w;
	struct error err = {0};
	char built[32], native[32];
	uint64_t before = 0;

	make_table(kind, "t", false, "6000");
	make_table(kind, "n", false, "6000");
	for (size_t slices = 1; slices <= 16; slices *= 4) {
		make_work(&w, kind, "t", NULL);
		call(&fixture, true, do_open, &w, NULL, NULL);
		ck_assert_int_eq(work_on(&w, slices, &err), 0);
		index_build_progress(w.build, &progress);
		ck_assert_uint_gt(progress.keys_done, 0);
		before = progress.keys_done;
		index_build_free(w.build);
		fixture_close_store(&fixture);
		fixture_open_store(&fixture);
	}
	make_work(&w, kind, "t", NULL);
	work_whole(&w);
	index_build_progress(w.build, &progress);
	ck_assert_uint_eq(progress.keys_done, progress.keys);
	ck_assert_uint_ge(progress.keys, before);
	index_build_free(w.build);
	make_work(&w, kind, "n", NULL);
	for (size_t i = 0; i < w.config.count; i++)
		sql(&fixture, w.sql[i]);
	sqlite3 *db = open_file();
	check_integrity(db, "resumed");
	for (size_t i = 0; i < w.config.count; i++) {
		snprintf(built, sizeof(built), "t_%zu", i);
		snprintf(native, sizeof(native), "n_%zu", i);
		compare_indexes(db, built, native);
	}
	sqlite3_close(db);
}
END_TEST

START_TEST(test_sidecars_of_another_definition_are_not_taken_up)
{
	static const char *const one[] = {"CREATE INDEX s_1 ON s(a, b)"}, *const two[] = {
										  "CREATE INDEX s_1 ON s(a DESC, b)"};
	struct work w = {.config = {.table = "s", .sql = one, .count = 1}};
	struct work x = {.config = {.table = "s", .sql = two, .count = 1}};
	struct error err = {0};

	sql(&fixture, "CREATE TABLE s(a, b); INSERT INTO s VALUES(1, 2)");
	call(&fixture, true, do_open, &w, NULL, NULL);
	index_build_free(w.build);
	ck_assert_int_eq(call(&fixture, true, do_open, &x, &err, NULL), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "abandon it first"));
	error_clear(&err);
	for (x.more = true; x.more;)
		call(&fixture, true, do_abandon, &x, NULL, NULL);
	work_whole(&x);
	index_build_free(x.build);
	sqlite3 *db = open_file();
	check_integrity(db, "other definition");
	sqlite3_close(db);
}
END_TEST

/* The contract says the table does not change meanwhile; if it did, a resumed build must not be believed. */
START_TEST(test_a_sidecar_that_does_not_match_the_table_fails)
{
	static const char *const index[] = {"CREATE INDEX s_1 ON s(a)"};
	struct work w = {.config = {.table = "s", .sql = index, .count = 1}};
	struct error err = {0};

	sql(&fixture, "CREATE TABLE s(a);" ROWS("1000") "INSERT INTO s SELECT i FROM n");
	call(&fixture, true, do_open, &w, NULL, NULL);
	ck_assert_int_eq(work_on(&w, 0, &err), 0);
	index_build_free(w.build);
	sql(&fixture, "DELETE FROM s WHERE a = 500");
	call(&fixture, true, do_open, &w, NULL, NULL);
	ck_assert_int_eq(work_on(&w, 0, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "not of this build"));
	error_clear(&err);
	index_build_free(w.build);
}
END_TEST

START_TEST(test_abandoning_takes_bounded_slices_and_leaves_nothing)
{
	const struct kind *kind = &kinds[1];
	struct work w;
	struct error err = {0};
	uint64_t held_ns, held_max_ns = 0;
	size_t slices = 0;

	make_table(kind, "t", false, "6000");
	sql(&fixture, "CREATE TABLE _alterd_index_0_x_t(other)");
	make_work(&w, kind, "t", NULL);
	call(&fixture, true, do_open, &w, NULL, NULL);
	ck_assert_int_eq(work_on(&w, 0, &err), 0);
	index_build_free(w.build);
	for (w.more = true; w.more; slices++) {
		call(&fixture, true, do_abandon, &w, NULL, &held_ns);
		held_max_ns = held_ns > held_max_ns ? held_ns : held_max_ns;
	}
	printf("abandon: %zu slices, longest %.2f ms\n", slices, (double)held_max_ns / 1e6);
	sqlite3 *db = open_file();
	check_integrity(db, "abandoned");
	ck_assert_int_eq(number(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_alterd%' ESCAPE '\\'"), 1);
	sqlite3_close(db);
}
END_TEST

/* Imposters vanish when the schema is read again: by the daemon's own DDL, and by another process's. */
START_TEST(test_schema_changes_in_between_do_no_harm)
{
	static const char *const index[] = {"CREATE INDEX s_1 ON s(a)", "CREATE INDEX s_2 ON s(a DESC)"};
	struct work w = {.config = {.table = "s", .sql = index, .count = 2}};
	struct error err = {0};
	sqlite3 *other;
	char text[100];

	sql(&fixture, "CREATE TABLE s(a);" ROWS("60000") "INSERT INTO s SELECT nullif(i % 1000, 7) FROM n");
	ck_assert_int_eq(sqlite3_open(fixture.path, &other), SQLITE_OK);
	sqlite3_busy_timeout(other, 10000);
	call(&fixture, true, do_open, &w, NULL, NULL);
	for (size_t i = 1; index_build_needs(w.build) != 0; i++) {
		ck_assert_int_eq(work_on(&w, i, &err), 0);
		snprintf(text, sizeof(text), "CREATE TABLE other_%zu(x)", i);
		if (i % 3 == 0)
			exec(other, text);
		else if (i % 3 == 1)
			sql(&fixture, text);
		else
			sql(&fixture, "CREATE TABLE v(x); ALTER TABLE v ADD COLUMN y; DROP TABLE v; ANALYZE");
	}
	sqlite3_close(other);
	call(&fixture, true, do_adopt, &w, NULL, NULL);
	index_build_free(w.build);
	sqlite3 *db = open_file();
	check_integrity(db, "schema changes");
	ck_assert_int_eq(number(db, "SELECT count(*) FROM sqlite_stat1 WHERE tbl LIKE '\\_alterd%' ESCAPE '\\'"), 0);
	ck_assert_int_eq(number(db, "SELECT count(*) FROM s INDEXED BY s_1 WHERE a IS NULL"), 60);
	sqlite3_close(db);
}
END_TEST

/* auto_vacuum moves root pages when a table is dropped: the imposter must follow. */
START_TEST(test_root_pages_may_move)
{
	static const char *const index[] = {"CREATE INDEX s_1 ON s(a)", "CREATE INDEX s_2 ON s(a DESC)"};
	struct work w = {.config = {.table = "s", .sql = index, .count = 2}};
	struct error err = {0};
	char text[100];

	sqlite3 *db = open_file();
	exec(db, "PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=FULL; VACUUM");
	sqlite3_close(db);
	fixture_open_store(&fixture);
	sql(&fixture,
	    "CREATE TABLE d1(x); CREATE TABLE d2(x); CREATE TABLE d3(x); CREATE TABLE d4(x); CREATE TABLE s(a);" ROWS(
		    "60000") "INSERT INTO s SELECT nullif(i % 1000, 7) FROM n");
	call(&fixture, true, do_open, &w, NULL, NULL);
	for (size_t i = 1; index_build_needs(w.build) != 0; i++) {
		ck_assert_int_eq(work_on(&w, i, &err), 0);
		snprintf(text, sizeof(text), "DROP TABLE IF EXISTS d%zu", i);
		sql(&fixture, text);
	}
	call(&fixture, true, do_adopt, &w, NULL, NULL);
	index_build_free(w.build);
	db = open_file();
	ck_assert_int_eq(number(db, "PRAGMA auto_vacuum"), 1);
	check_integrity(db, "moved roots");
	sqlite3_close(db);
}
END_TEST

/* Enough for several runs on the disk. */
#define SPILLED_ROWS "60000"
#define SPILLED_BYTES ((uint64_t)INDEX_MEMORY_LEAST / 2)

START_TEST(test_memory_stays_in_its_budget_by_spilling)
{
	const struct kind *kind = &kinds[0];
	struct index_build_progress progress;
	struct work w;
	struct error err = {0};

	make_table(kind, "t", false, SPILLED_ROWS);
	make_work(&w, kind, "t", NULL);
	w.config.memory_bytes = 1;
	call(&fixture, true, do_open, &w, NULL, NULL);
	do {
		w.slices = 0;
		ck_assert_int_eq(work_on(&w, 5, &err), 0);
		index_build_progress(w.build, &progress);
		ck_assert_uint_le(progress.memory_bytes, (uint64_t)INDEX_MEMORY_LEAST);
	} while (index_build_needs(w.build) != 0);
	ck_assert_uint_gt(progress.spilled_bytes, SPILLED_BYTES);
	ck_assert_uint_eq(progress.rows, strtoull(SPILLED_ROWS, NULL, 10));
	ck_assert_uint_eq(progress.keys, 4 * progress.rows);
	call(&fixture, true, do_adopt, &w, NULL, NULL);
	index_build_free(w.build);
	printf("spilled %.1f MB, longest hold %.2f ms\n", (double)progress.spilled_bytes / 1e6,
	       (double)w.held_max_ns / 1e6);
	sqlite3 *db = open_file();
	check_integrity(db, "spilled");
	sqlite3_close(db);
}
END_TEST

START_TEST(test_names_that_are_taken_and_foreign_collations_are_refused)
{
	static const char *const taken[] = {"CREATE INDEX o_1 ON s(a)"}, *const bad[] = {
										 "CREATE INDEX s_1 ON s(nosuch + 1)"};
	struct work w = {.config = {.table = "s", .sql = taken, .count = 1}};
	struct work x = {.config = {.table = "s", .sql = bad, .count = 1}};
	struct work missing = {.config = {.table = "nosuch", .sql = taken, .count = 1}};
	struct work twice = {.config = {.table = "m", .sql = NULL, .count = 0}};
	struct error err = {0};

	sql(&fixture, "CREATE TABLE s(a); CREATE TABLE o(a); CREATE INDEX o_1 ON o(a);"
		      "CREATE TABLE m(a, b, PRIMARY KEY(b, a, b COLLATE NOCASE)) WITHOUT ROWID");
	ck_assert_int_eq(call(&fixture, true, do_open, &w, &err, NULL), -1);
	error_clear(&err);
	ck_assert_int_eq(call(&fixture, true, do_open, &x, &err, NULL), -1);
	error_clear(&err);
	ck_assert_int_eq(call(&fixture, true, do_open, &missing, &err, NULL), -1);
	error_clear(&err);
	ck_assert_int_eq(call(&fixture, true, do_open, &twice, &err, NULL), -1);
	error_clear(&err);
	sqlite3 *db = open_file();
	check_integrity(db, "refused");
	ck_assert_int_eq(number(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_alterd%' ESCAPE '\\'"), 0);
	sqlite3_close(db);
}
END_TEST

static int do_available(struct db *db, void *arg, struct error *err)
{
	(void)err;
	*(bool *)arg = index_build_available(db);
	return 0;
}

START_TEST(test_the_probe_says_yes_here_and_no_for_utf16)
{
	bool yes = false, no = true;

	call(&fixture, false, do_available, &yes, NULL, NULL);
	ck_assert(yes);
	sqlite3 *db = open_file();
	sqlite3_close(db);
	unlink(fixture.path);
	ck_assert_int_eq(sqlite3_open(fixture.path, &db), SQLITE_OK);
	exec(db, "PRAGMA encoding='UTF-16le'; CREATE TABLE t(a)");
	sqlite3_close(db);
	fixture_open_store(&fixture);
	call(&fixture, true, do_available, &no, NULL, NULL);
	ck_assert(!no);
}
END_TEST

START_TEST(test_a_wide_index_has_a_feed_of_its_own)
{
	struct buf table = {0}, index = {0};
	const char *list[1];
	struct work w = {.config = {.table = "wide", .sql = list, .count = 1}};

	buf_puts(&table, "CREATE TABLE wide(id INTEGER PRIMARY KEY");
	buf_puts(&index, "CREATE INDEX wide_1 ON wide(");
	for (int i = 0; i < 300; i++) {
		buf_printf(&table, ",c%d DEFAULT %d", i, i);
		buf_printf(&index, "%sc%d%s", i > 0 ? "," : "", i, i % 2 ? " DESC" : "");
	}
	buf_puts(&table, "); INSERT INTO wide(c0) VALUES(1), (NULL), (2)");
	buf_putc(&index, ')');
	list[0] = buf_cstr(&index);
	sql(&fixture, buf_cstr(&table));
	work_whole(&w);
	index_build_free(w.build);
	buf_free(&table);
	buf_free(&index);
	sqlite3 *db = open_file();
	check_integrity(db, "wide");
	sqlite3_close(db);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate");
	TCase *tc = tcase_create("index_build");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, test_every_kind_of_index_is_what_create_index_makes, 0, (int)KINDS);
	tcase_add_test(tc, test_an_empty_table_and_the_ends_of_the_rowids);
	tcase_add_test(tc, test_duplicates_of_a_unique_index_are_named);
	tcase_add_test(tc, test_only_ten_offenders_are_named_but_all_are_counted);
	tcase_add_test(tc, test_a_build_cut_short_goes_on_where_it_was);
	tcase_add_test(tc, test_sidecars_of_another_definition_are_not_taken_up);
	tcase_add_test(tc, test_a_sidecar_that_does_not_match_the_table_fails);
	tcase_add_test(tc, test_abandoning_takes_bounded_slices_and_leaves_nothing);
	tcase_add_test(tc, test_schema_changes_in_between_do_no_harm);
	tcase_add_test(tc, test_root_pages_may_move);
	tcase_add_test(tc, test_memory_stays_in_its_budget_by_spilling);
	tcase_add_test(tc, test_names_that_are_taken_and_foreign_collations_are_refused);
	tcase_add_test(tc, test_the_probe_says_yes_here_and_no_for_utf16);
	tcase_add_test(tc, test_a_wide_index_has_a_feed_of_its_own);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
