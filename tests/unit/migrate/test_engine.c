/* The engine against a real store: refusals with the rows named, aborts, pauses, the queue, restarts in every phase. */
#include "tests/unit/migrate/world.h"
#include "tests/unit/run_suite.h"

#define COUNT(n) "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" #n ") "
#define SETUP                                                                                                          \
	"CREATE TABLE t(id INTEGER PRIMARY KEY, g INT, payer TEXT, amount INT, note TEXT);"                            \
	"CREATE INDEX tg ON t(g, payer); CREATE INDEX tn ON t(note);" COUNT(                                           \
		1000) "INSERT INTO t SELECT i, i%13, 'p'||(i%7), i*3, 'note '||i FROM n;"

static void check_query(struct world *w, const char *sql, const char *want)
{
	struct buf got = {0};
	world_query(w->path, sql, &got);
	ck_assert_str_eq(buf_cstr(&got), want);
	buf_free(&got);
}

/* Neither shadow nor index nor dirty keys are left, and the file is whole. */
static void check_clean(struct world *w)
{
	check_query(w, "SELECT name FROM sqlite_schema WHERE name LIKE '\\_alterd\\_%' ESCAPE '\\' ORDER BY 1",
		    "_alterd_dirty|\n_alterd_job|\n_alterd_meta|\n_alterd_partial|\n_alterd_ran|\n_alterd_step|\n");
	check_query(w, "SELECT count(*) FROM _alterd_dirty", "0|\n");
	check_query(w, "PRAGMA integrity_check", "ok|\n");
}

/* Turns until the job's phase is at least `phase`, or it has ended. */
static void until(struct world *w, struct world_wait *wait, enum phase phase)
{
	while (!wait->done && (world_phase(w) < phase || world_phase(w) == PHASE_END))
		world_turn(w);
}

START_TEST(test_rebuild_ends_done_and_tells_its_figures)
{
	struct world w = {0};
	struct world_wait wait;
	static const char *const keys[] = {
		"\"state\":\"done\"",   "\"verified_rows\":1000", "\"rows_done\":1000",
		"\"rows_total\":1000",  "\"percent\":100.0",      "\"swap_ms\":",
		"\"longest_hold_ms\":", "\"longest_wait_ms\":",   "\"strategy\":\"rebuild\""};

	world_init(&w, SETUP);
	world_alter(&w, &wait, "ALTER TABLE t ALTER amount TYPE REAL, ADD c TEXT NOT NULL DEFAULT 'EUR'", false, false);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		ck_assert_msg(strstr(buf_cstr(&wait.out), keys[i]) != NULL, "%s not in %s", keys[i],
			      buf_cstr(&wait.out));
	world_wait_free(&wait);
	check_clean(&w);
	check_query(&w, "SELECT count(*),sum(amount),typeof(amount),c FROM t", "1000|1501500.0|real|EUR|\n");
	world_free(&w);
}
END_TEST

START_TEST(test_nulls_are_named)
{
	struct world w = {0};
	struct world_wait wait;

	world_init(&w, SETUP "UPDATE t SET note=NULL WHERE id IN (5, 700);");
	world_alter(&w, &wait, "ALTER TABLE t ALTER note SET NOT NULL", false, false);
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data),
				     "{\"rowid\":5,\"column\":\"note\",\"value\":null,\"reason\":\"NOT NULL\"}"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), "\"count\":2"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), "\"phase\":\"preparing\""));
	world_wait_free(&wait);
	check_clean(&w);
	world_free(&w);
}
END_TEST

START_TEST(test_values_that_would_be_lost_are_named)
{
	struct world w = {0};
	struct world_wait wait;

	world_init(
		&w, SETUP
		"UPDATE t SET note='12.50'; UPDATE t SET note='007' WHERE id=3; UPDATE t SET note='12abc' WHERE id=900;"
		"UPDATE t SET note='9007199254740993' WHERE id=901;");
	world_alter(&w, &wait, "ALTER TABLE t ALTER note TYPE REAL", false, false);
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data),
				     "{\"rowid\":3,\"column\":\"note\",\"value\":\"007\",\"reason\":\"TYPE\"}"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), "\"count\":3"));
	world_wait_free(&wait);
	check_clean(&w);
	/* With consent SQLite's affinity decides. */
	world_alter(&w, &wait, "ALTER TABLE t ALTER note TYPE REAL", true, false);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	check_query(&w, "SELECT note,typeof(note) FROM t WHERE id IN (2,3,900) ORDER BY id",
		    "12.5|real|\n7.0|real|\n12abc|text|\n");
	world_wait_free(&wait);
	world_free(&w);
}
END_TEST

START_TEST(test_check_and_unique_are_named)
{
	struct world w = {0};
	struct world_wait wait;

	world_init(&w, SETUP "UPDATE t SET amount=-1 WHERE id IN (200,300,400);");
	world_alter(&w, &wait, "ALTER TABLE t ADD CONSTRAINT pos CHECK(amount >= 0)", false, false);
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), "\"count\":3"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), "\"rowid\":200"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), "\"reason\":\"CHECK\""));
	world_wait_free(&wait);
	check_clean(&w);
	world_alter(&w, &wait, "ALTER TABLE t ADD UNIQUE(amount)", false, false);
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), "\"count\":2"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data),
				     "{\"rowid\":300,\"column\":\"amount\",\"value\":-1,\"reason\":\"UNIQUE\"}"));
	ck_assert_str_eq(wait.w.err.message, "2 rows of t cannot be held by the new table (UNIQUE: amount)");
	world_wait_free(&wait);
	check_clean(&w);
	world_free(&w);
}
END_TEST

START_TEST(test_unique_index_over_converted_values_names_duplicates)
{
	struct world w = {0};
	struct world_wait wait;

	world_init(&w, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT); CREATE UNIQUE INDEX ta ON t(a);"
		       "INSERT INTO t VALUES(1,'1',1),(2,'1.0',2),(3,NULL,3),(4,NULL,4),(5,'2',5);");
	world_alter(&w, &wait, "ALTER TABLE t ALTER a TYPE INTEGER", false, false);
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), "\"count\":1"));
	ck_assert_ptr_nonnull(
		strstr(buf_cstr(&wait.w.err.data), "{\"rowid\":2,\"column\":\"a\",\"value\":1,\"reason\":\"UNIQUE\"}"));
	ck_assert_str_eq(wait.w.err.message, "1 row of t cannot be held by the new table (UNIQUE index ta)");
	world_wait_free(&wait);
	check_clean(&w);
	world_free(&w);
}
END_TEST

/* The offender comes when the copy is past its row, or before it: the migration fails, the client does not. */
START_TEST(test_offender_during_the_run_fails_the_migration_not_the_client)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;
	static const char *const writes[] = {"UPDATE t SET note=NULL WHERE id=1",
					     "UPDATE t SET note=NULL WHERE id=1000",
					     "INSERT INTO t VALUES(-5,1,'x',1,NULL)"};

	world_init(&w, SETUP);
	world_alter(&w, &wait, "ALTER TABLE t ALTER note SET NOT NULL, ALTER amount TYPE REAL", false, _i == 2);
	until(&w, &wait, _i == 2 ? PHASE_READY : PHASE_BACKFILL);
	while (_i < 2 && w.m->m.r->p.rows_done < 20)
		world_turn(&w);
	world_ok(&w, writes[_i]);
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), "\"reason\":\"NOT NULL\""));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), "\"count\":1"));
	world_wait_free(&wait);
	check_clean(&w);
	world_free(&w);
}
END_TEST

/* Values that a STRICT table does not take: there from the start, or brought while it runs. */
START_TEST(test_strict_names_values_of_other_types)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;

	world_init(&w, SETUP);
	if (_i == 0) {
		world_ok(&w, "UPDATE t SET amount='many' WHERE id=700");
		world_ok(&w, "UPDATE t SET note=x'00' WHERE id=3");
	}
	/* With a copy, and without. */
	world_alter(&w, &wait, _i == 1 ? "ALTER TABLE t SET STRICT, ALTER payer TYPE ANY" : "ALTER TABLE t SET STRICT",
		    false, _i == 2);
	if (_i) {
		until(&w, &wait, _i == 2 ? PHASE_READY : PHASE_BACKFILL);
		world_ok(&w, "UPDATE t SET note=x'00' WHERE id=3");
	}
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_ptr_nonnull(
		strstr(buf_cstr(&wait.w.err.data),
		       "{\"rowid\":3,\"column\":\"note\",\"value\":{\"blob\":\"AA==\"},\"reason\":\"TYPE\"}"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data), _i ? "\"count\":1" : "\"count\":2"));
	world_wait_free(&wait);
	check_clean(&w);
	world_ok(&w, "UPDATE t SET note='fine' WHERE id=3");
	world_ok(&w, "UPDATE t SET amount=7 WHERE id=700");
	ck_assert_int_eq(world_change(&w, "ALTER TABLE t SET STRICT"), 0);
	ck_assert_int_eq(world_sql(&w, "UPDATE t SET amount='many' WHERE id=1", NULL), SQLITE_CONSTRAINT_DATATYPE);
	ck_assert_int_eq(world_change(&w, "ALTER TABLE t DROP STRICT"), 0);
	world_ok(&w, "UPDATE t SET amount='many' WHERE id=1");
	check_clean(&w);
	world_free(&w);
}
END_TEST

/* A new key: NULLs and duplicates are named; so is a row that cannot be numbered. */
START_TEST(test_new_keys_name_nulls_and_duplicates)
{
	static const struct {
		const char *change, *want, *count;
	} cases[] = {
		{"ALTER TABLE k ADD PRIMARY KEY(c)",
		 "{\"rowid\":3,\"column\":\"c\",\"value\":null,\"reason\":\"NOT NULL\"}", "\"count\":1"},
		{"ALTER TABLE k ADD PRIMARY KEY(n)", "{\"rowid\":2,\"column\":\"n\",\"value\":7,\"reason\":\"UNIQUE\"}",
		 "\"count\":1"},
		{"ALTER TABLE k ALTER n TYPE INTEGER, ADD PRIMARY KEY(n)",
		 "{\"rowid\":2,\"column\":\"n\",\"value\":7,\"reason\":\"UNIQUE\"}", "\"count\":1"},
		{"ALTER TABLE k ADD PRIMARY KEY(m)",
		 "{\"rowid\":4,\"column\":\"m\",\"value\":\"four\",\"reason\":\"TYPE\"}", "\"count\":1"},
		{"ALTER TABLE k ADD PRIMARY KEY(c), SET WITHOUT ROWID",
		 "{\"rowid\":3,\"column\":\"c\",\"value\":null,\"reason\":\"NOT NULL\"}", "\"count\":1"},
		{"ALTER TABLE k ADD PRIMARY KEY(n), SET WITHOUT ROWID",
		 "{\"rowid\":2,\"column\":\"n\",\"value\":7,\"reason\":\"UNIQUE\"}", "\"count\":1"},
	};
	struct world w = {.batch_rows = 1};
	struct world_wait wait;

	world_init(&w, "CREATE TABLE k(c TEXT, n INT, m INTEGER);"
		       "INSERT INTO k VALUES('a',7,1),('b',7,2),(NULL,8,3),('d',9,'four');");
	world_alter(&w, &wait, cases[_i].change, false, false);
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_msg(strstr(buf_cstr(&wait.w.err.data), cases[_i].want) &&
			      strstr(buf_cstr(&wait.w.err.data), cases[_i].count),
		      "%s", buf_cstr(&wait.w.err.data));
	world_wait_free(&wait);
	check_clean(&w);
	check_query(&w, "SELECT count(*) FROM k", "4|\n");
	world_free(&w);
}
END_TEST

/* The row has no number in the end: it is never given one. */
START_TEST(test_null_for_a_new_rowid_during_the_run)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;

	world_init(&w, "CREATE TABLE k(v TEXT, id INTEGER);" COUNT(500) "INSERT INTO k SELECT 'v'||i, i*2 FROM n;");
	world_alter(&w, &wait, "ALTER TABLE k ADD PRIMARY KEY(id)", false, true);
	until(&w, &wait, _i ? PHASE_READY : PHASE_BACKFILL);
	world_ok(&w, "INSERT INTO k(rowid,v,id) VALUES(-7,'late',NULL)");
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.w.err.data),
				     "{\"rowid\":-7,\"column\":\"id\",\"value\":null,\"reason\":\"NOT NULL\"}"));
	world_wait_free(&wait);
	check_clean(&w);
	world_free(&w);
}
END_TEST

/* Rows without a rowid are named by their key; before the copy, in it, and at its end. */
START_TEST(test_rows_without_rowid_are_named_by_their_key)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;
	static const char *const late = "INSERT INTO k VALUES('late',x'0a',5,NULL)";

	world_init(&w, "CREATE TABLE k(a TEXT, b, n INT, v TEXT, PRIMARY KEY(a, b)) WITHOUT ROWID;" COUNT(
			       500) "INSERT INTO k SELECT 'a'||i, i/2.0, i, 'v' FROM n;");
	if (_i == 0)
		world_ok(&w, late);
	world_alter(&w, &wait, "ALTER TABLE k ALTER v SET NOT NULL, ALTER n TYPE TEXT", false, _i == 2);
	if (_i) {
		until(&w, &wait, _i == 2 ? PHASE_READY : PHASE_BACKFILL);
		world_ok(&w, late);
	}
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_msg(strstr(buf_cstr(&wait.w.err.data),
			     "{\"rowid\":null,\"key\":[\"late\",{\"blob\":\"Cg==\"}],\"column\":\"v\",\"value\":null,"
			     "\"reason\":\"NOT NULL\"}") &&
			      strstr(buf_cstr(&wait.w.err.data), "\"count\":1"),
		      "%s", buf_cstr(&wait.w.err.data));
	world_wait_free(&wait);
	check_clean(&w);
	world_free(&w);
}
END_TEST

/* Keys that are no rowids have no range to stand for them: the copy starts over. */
START_TEST(test_a_statement_too_large_to_note_makes_the_copy_start_over)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;

	world_init(&w, "CREATE TABLE k(a TEXT PRIMARY KEY, n INT) WITHOUT ROWID;" COUNT(
			       500) "INSERT INTO k SELECT 'a'||i, i FROM n;");
	w.m->capture.bytes_max = 1000;
	world_alter(&w, &wait, "ALTER TABLE k ALTER n TYPE TEXT", false, true);
	until(&w, &wait, _i ? PHASE_READY : PHASE_BACKFILL);
	world_ok(&w, "UPDATE k SET n=n+1");
	if (_i)
		world_restart(&w);
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_CUTOVER, NULL), 0);
	while (w.m->nhistory == 0)
		world_turn(&w);
	ck_assert_int_eq(w.m->history[0]->state, JOB_DONE);
	ck_assert_int_eq((int)w.m->history[0]->p.restarts, 1);
	check_query(&w, "SELECT count(*),sum(n),typeof(n) FROM k", "500|125750|text|\n");
	check_clean(&w);
	world_wait_free(&wait);
	world_free(&w);
}
END_TEST

#define FAMILY                                                                                                         \
	"CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE, n INT);"                                             \
	"CREATE TABLE t(id INTEGER PRIMARY KEY, p INT, code TEXT, v INT);" COUNT(                                      \
		500) "INSERT INTO p SELECT i, 'c'||i, 0 FROM n; INSERT INTO t SELECT id, id, code, id FROM p;"

/* Orphans are named: those there are, with and without a copy, and those that come or are made during the run. */
START_TEST(test_orphans_are_named)
{
	static const struct {
		const char *before, *change, *during, *want;
	} cases[] = {
		{"UPDATE t SET p=9999 WHERE id=7", "ALTER TABLE t ADD FOREIGN KEY(p) REFERENCES p", NULL,
		 "{\"rowid\":7,\"column\":\"p\",\"value\":9999,\"reason\":\"FOREIGN KEY\"}"},
		{"UPDATE t SET code='C7' WHERE id=7",
		 "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY(code) REFERENCES p(code), ALTER v TYPE TEXT", NULL,
		 "{\"rowid\":7,\"column\":\"code\",\"value\":\"C7\",\"reason\":\"FOREIGN KEY\"}"},
		{NULL, "ALTER TABLE t ADD FOREIGN KEY(p) REFERENCES p", "INSERT INTO t VALUES(9000,-1,NULL,1)",
		 "{\"rowid\":9000,\"column\":\"p\",\"value\":-1,\"reason\":\"FOREIGN KEY\"}"},
		{NULL, "ALTER TABLE t ADD FOREIGN KEY(p) REFERENCES p, ALTER v TYPE TEXT",
		 "INSERT INTO t VALUES(9000,-1,NULL,1)",
		 "{\"rowid\":9000,\"column\":\"p\",\"value\":-1,\"reason\":\"FOREIGN KEY\"}"},
		{NULL, "ALTER TABLE t ADD FOREIGN KEY(p) REFERENCES p", "DELETE FROM p WHERE id=300",
		 "{\"rowid\":300,\"column\":\"p\",\"value\":300,\"reason\":\"FOREIGN KEY\"}"},
		{NULL, "ALTER TABLE t ADD FOREIGN KEY(code) REFERENCES p(code), ALTER v TYPE TEXT",
		 "UPDATE p SET code='gone' WHERE id=300",
		 "{\"rowid\":300,\"column\":\"code\",\"value\":\"c300\",\"reason\":\"FOREIGN KEY\"}"},
	};
	struct world w = {.batch_rows = 10};
	struct world_wait wait;

	world_init(&w, FAMILY);
	if (cases[_i].before)
		world_ok(&w, cases[_i].before);
	world_alter(&w, &wait, cases[_i].change, false, cases[_i].during != NULL);
	if (cases[_i].during) {
		until(&w, &wait, PHASE_READY);
		world_ok(&w, cases[_i].during);
		(void)world_control(&w, OP_MIGRATE_CUTOVER, NULL);
	}
	ck_assert_int_eq(world_await(&w, &wait), -32026);
	ck_assert_msg(strstr(buf_cstr(&wait.w.err.data), cases[_i].want) &&
			      strstr(buf_cstr(&wait.w.err.data), "\"count\":1"),
		      "%s", buf_cstr(&wait.w.err.data));
	world_wait_free(&wait);
	check_clean(&w);
	check_query(&w, "SELECT count(*) FROM pragma_foreign_key_list('t')", "0|\n");
	world_free(&w);
}
END_TEST

/* Parents that keep going, none of which is missed: the foreign key is there in the end, and holds. */
START_TEST(test_foreign_key_beside_parents_that_go)
{
	static const char *const changes[] = {
		"ALTER TABLE t ADD FOREIGN KEY(p) REFERENCES p ON DELETE CASCADE",
		"ALTER TABLE t ADD FOREIGN KEY(p) REFERENCES p ON DELETE CASCADE, ALTER v TYPE TEXT"};
	struct world w = {.batch_rows = 10};
	struct world_wait wait;
	char sql[128];

	world_init(&w, FAMILY);
	world_ok(&w, "DELETE FROM t WHERE id>250");
	world_alter(&w, &wait, changes[_i], false, false);
	for (int i = 500; !wait.done && i > 250; i--) {
		snprintf(sql, sizeof(sql), "DELETE FROM p WHERE id=%d", i);
		world_ok(&w, sql);
		world_ok(&w, "UPDATE p SET n=n+1");
	}
	ck_assert_int_eq(world_await(&w, &wait), 0);
	ck_assert_msg(strstr(buf_cstr(&wait.out), _i ? "\"strategy\":\"rebuild\"" : "\"strategy\":\"check\""), "%s",
		      buf_cstr(&wait.out));
	world_ok(&w, "DELETE FROM p WHERE id=100");
	check_query(&w, "SELECT count(*) FROM t", "249|\n");
	check_query(&w, "PRAGMA foreign_key_check", "");
	ck_assert_int_eq(world_sql(&w, "INSERT INTO t(p) VALUES(100)", NULL), SQLITE_CONSTRAINT_FOREIGNKEY);
	world_wait_free(&wait);
	check_clean(&w);
	world_free(&w);
}
END_TEST

/* What needs no copy: at once, or after a look at the rows. An offender that comes meanwhile is found. */
START_TEST(test_changes_without_a_copy)
{
	static const struct {
		const char *change, *strategy, *sql;
	} cases[] = {
		{"ALTER TABLE t ALTER note SET NOT NULL", "check", "note TEXT NOT NULL"},
		{"ALTER TABLE t ADD CONSTRAINT c CHECK(amount>0)", "check", "CONSTRAINT c CHECK(amount>0)"},
		{"ALTER TABLE t ALTER note SET DEFAULT 'n', ALTER g TYPE BIGINT", "instant", "g BIGINT"},
	};
	struct world w = {.batch_rows = 10};
	struct world_wait wait;

	world_init(&w, SETUP);
	world_alter(&w, &wait, cases[_i].change, false, false);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.out), cases[_i].strategy));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.out), "\"swap_ms\":"));
	world_wait_free(&wait);
	struct buf got = {0};
	world_query(w.path, "SELECT sql FROM sqlite_schema WHERE name='t'", &got);
	ck_assert_msg(strstr(buf_cstr(&got), cases[_i].sql), "%s", buf_cstr(&got));
	buf_free(&got);
	check_clean(&w);
	if (_i == 0)
		ck_assert_int_eq(world_sql(&w, "UPDATE t SET note=NULL WHERE id=1", NULL), SQLITE_CONSTRAINT_NOTNULL);
	world_free(&w);
}
END_TEST

START_TEST(test_late_offender_without_a_copy)
{
	struct world w = {0};
	struct world_wait wait;

	world_init(&w, SETUP);
	world_alter(&w, &wait, "ALTER TABLE t ADD CHECK(amount>=0)", false, true);
	until(&w, &wait, PHASE_READY);
	world_ok(&w, "UPDATE t SET amount=amount+1");
	if (_i)
		world_restart(&w);
	world_ok(&w, "UPDATE t SET amount=-5 WHERE id=77");
	while (w.m->nhistory == 0)
		world_turn(&w);
	ck_assert_int_eq(w.m->history[0]->state, JOB_FAILED);
	ck_assert_msg(strstr(w.m->history[0]->error_rows,
			     "{\"rowid\":77,\"column\":null,\"value\":null,\"reason\":\"CHECK\","
			     "\"constraint\":\"amount>=0\"}"),
		      "%s", w.m->history[0]->error_rows);
	world_wait_free(&wait);
	check_clean(&w);
	world_free(&w);
}
END_TEST

START_TEST(test_dropping_values_needs_consent)
{
	struct world w = {0};
	ck_assert_int_eq((world_init(&w, SETUP), world_change(&w, "ALTER TABLE t DROP COLUMN note")), -32025);
	world_ok(&w, "UPDATE t SET note=NULL");
	ck_assert_int_eq(world_change(&w, "ALTER TABLE t DROP COLUMN note"), 0);
	check_query(&w, "SELECT name FROM sqlite_schema WHERE type='index' AND name NOT LIKE 'sqlite%'", "tg|\n");
	check_clean(&w);
	world_free(&w);
}
END_TEST

START_TEST(test_abort_leaves_nothing)
{
	/* In every phase before the swap. */
	static const enum phase phases[] = {PHASE_CHECK, PHASE_BACKFILL, PHASE_INDEX, PHASE_VERIFY, PHASE_READY};
	struct world w = {.batch_rows = 10};
	struct world_wait wait, aborted = {.w = {.done = world_waited}};
	struct params none = {0};

	world_init(&w, SETUP);
	world_alter(&w, &wait, "ALTER TABLE t ALTER amount TYPE REAL", false, true);
	until(&w, &wait, phases[_i]);
	world_ok(&w, "DELETE FROM t WHERE id%3=0");
	world_ok(&w, "UPDATE t SET note=NULL WHERE id%5=0");
	aborted.w.out = &aborted.out;
	migrator_abort(w.m, &none, &aborted.w);
	ck_assert_int_eq(world_await(&w, &aborted), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&aborted.out), "\"state\":\"aborted\""));
	ck_assert_int_eq(world_await(&w, &wait), -32027);
	check_clean(&w);
	check_query(&w, "SELECT count(*),typeof(amount) FROM t", "667|integer|\n");
	ck_assert_int_eq(world_change(&w, "ALTER TABLE t ALTER amount TYPE REAL"), 0);
	world_wait_free(&wait);
	world_wait_free(&aborted);
	world_free(&w);
}
END_TEST

START_TEST(test_paused_stays_paused_over_a_restart)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;
	struct buf out = {0};

	world_init(&w, SETUP);
	world_alter(&w, &wait, "ALTER TABLE t ALTER amount TYPE REAL", false, false);
	until(&w, &wait, PHASE_BACKFILL);
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_PAUSE, &out), 0);
	ck_assert_str_eq(buf_cstr(&out), "{\"state\":\"paused\",\"phase\":\"backfilling\"}");
	check_query(&w, "SELECT paused FROM _alterd_job", "1|\n");
	for (int i = 0; i < 20; i++)
		world_ok(&w, "UPDATE t SET amount=amount+1 WHERE id%2=0");
	world_restart(&w);
	buf_reset(&out, 0);
	migrator_status(w.m, &out);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\"state\":\"paused\",\"phase\":\"backfilling\""));
	world_ok(&w, "UPDATE t SET amount=amount+1 WHERE id%3=0");
	buf_reset(&out, 0);
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_RESUME, NULL), 0);
	check_query(&w, "SELECT paused FROM _alterd_job", "0|\n");
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_RESUME, NULL), -32028);
	while (w.m->nhistory == 0)
		world_turn(&w);
	ck_assert_int_eq(w.m->history[0]->state, JOB_DONE);
	check_query(&w, "SELECT sum(amount),typeof(amount) FROM t", "1511833.0|real|\n");
	check_clean(&w);
	buf_free(&out);
	world_wait_free(&wait);
	world_free(&w);
}
END_TEST

/* Turns until the file says so. */
static void until_query(struct world *w, const char *sql, const char *want)
{
	struct buf got = {0};

	while (strcmp(buf_cstr(&got), want) != 0) {
		buf_reset(&got, 0);
		world_turn(w);
		world_query(w->path, sql, &got);
	}
	buf_free(&got);
}

static void until_paused_is_written(struct world *w) { until_query(w, "SELECT paused FROM _alterd_job", "1|\n"); }

static void cut_over(struct world *w, struct world_wait *wait)
{
	ck_assert_int_eq(world_control(w, OP_MIGRATE_RESUME, NULL), 0);
	ck_assert_int_eq(world_control(w, OP_MIGRATE_CUTOVER, NULL), 0);
	ck_assert_int_eq(world_await(w, wait), 0);
	world_wait_free(wait);
	world_free(w);
}

START_TEST(test_who_steers_does_not_wait_for_a_transaction)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;

	world_init(&w, SETUP);
	world_alter(&w, &wait, "ALTER TABLE t ALTER amount TYPE REAL", false, true);
	until(&w, &wait, PHASE_READY);
	world_ok(&w, "BEGIN IMMEDIATE");
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_PAUSE, NULL), 0);
	check_query(&w, "SELECT paused FROM _alterd_job", "0|\n");
	world_ok(&w, "COMMIT");
	until_paused_is_written(&w);
	cut_over(&w, &wait);
}
END_TEST

START_TEST(test_what_could_not_be_written_is_written_later)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;
	sqlite3 *other;

	world_init(&w, SETUP);
	world_alter(&w, &wait, "ALTER TABLE t ALTER amount TYPE REAL", false, true);
	until(&w, &wait, PHASE_READY);
	ck_assert_int_eq(sqlite3_open(w.path, &other), SQLITE_OK);
	ck_assert_int_eq(sqlite3_busy_timeout(other, 20000), SQLITE_OK); /* a step may be at work */
	ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_PAUSE, NULL), errc_code(ERRC_INTERNAL));
	check_query(&w, "SELECT paused FROM _alterd_job", "0|\n");
	ck_assert_int_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	until_paused_is_written(&w);
	cut_over(&w, &wait);
}
END_TEST

START_TEST(test_jobs_queue_and_the_queue_is_bounded)
{
	struct world w = {0};
	struct world_wait wait[6], gone = {.w = {.done = world_waited}};
	struct params third = {.present = P(JOB), .job = "m3"};

	world_init(&w, SETUP);
	for (int i = 0; i < 6; i++) {
		char sql[128];
		snprintf(sql, sizeof(sql), "ALTER TABLE t ADD CONSTRAINT c%d CHECK(g<100)", i);
		world_alter(&w, &wait[i], sql, false, i == 0);
	}
	/* One runs, four wait: the sixth is refused. */
	ck_assert_int_eq(world_await(&w, &wait[5]), -32006);
	while (w.m->entries.count < 5)
		world_turn(&w);
	gone.w.out = &gone.out;
	migrator_abort(w.m, &third, &gone.w);
	ck_assert_int_eq(world_await(&w, &gone), 0);
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_CUTOVER, NULL), 0);
	for (int i = 0; i < 5; i++)
		(void)world_await(&w, &wait[i]);
	ck_assert_int_eq((int)w.m->nhistory, 5);
	ck_assert_int_eq(wait[2].w.err.code, -32027);
	ck_assert_int_eq(wait[3].w.err.code, 0);
	check_query(&w, "SELECT group_concat(id) FROM (SELECT id FROM _alterd_job ORDER BY started_ms)",
		    "3,1,2,4,5|\n");
	check_clean(&w);
	for (int i = 0; i < 6; i++)
		world_wait_free(&wait[i]);
	world_wait_free(&gone);
	world_free(&w);
}
END_TEST

/* More keys than a statement notes one by one; in two phases, and in one where that takes long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HUGE_ROWS "70000"
#define HUGE_FROM 1
#define HUGE_LEFT "35000|612552500.0|real|\n"
#else
#define HUGE_ROWS "150000"
#define HUGE_FROM 0
#define HUGE_LEFT "75000|2812612500.0|real|\n"
#endif

START_TEST(test_huge_statements_are_captured)
{
	struct world w = {.batch_rows = 5000};
	struct world_wait wait;

	world_init(&w, "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT);"
		       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" HUGE_ROWS
		       ") INSERT INTO t SELECT i*2, i FROM n;");
	world_alter(&w, &wait, "ALTER TABLE t ALTER v TYPE REAL", false, true);
	until(&w, &wait, _i ? PHASE_READY : PHASE_INDEX);
	world_ok(&w, "UPDATE t SET v=v+1");
	world_ok(&w, "UPDATE t SET id=-id WHERE id>100");
	world_ok(&w, "DELETE FROM t WHERE id<-" HUGE_ROWS);
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_CUTOVER, NULL), 0);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	check_query(&w, "SELECT count(*),sum(v),typeof(v) FROM t", HUGE_LEFT);
	check_clean(&w);
	world_wait_free(&wait);
	world_free(&w);
}
END_TEST

START_TEST(test_transactions_and_savepoints_are_captured)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;

	world_init(&w, SETUP);
	world_alter(&w, &wait, "ALTER TABLE t ALTER amount TYPE REAL", false, false);
	until(&w, &wait, PHASE_BACKFILL);
	while (w.m->m.r->p.rows_done < 50)
		world_turn(&w);
	static const char *const script[] = {"BEGIN",
					     "SAVEPOINT a",
					     "UPDATE t SET amount=0 WHERE id=1",
					     "ROLLBACK TO a",
					     "UPDATE t SET amount=7 WHERE id=1",
					     "DELETE FROM t WHERE id=2",
					     "RELEASE a",
					     "COMMIT",
					     "BEGIN",
					     "DELETE FROM t",
					     "ROLLBACK",
					     "BEGIN",
					     "INSERT OR REPLACE INTO t VALUES(3,0,'','9','')",
					     "COMMIT"};
	for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++)
		world_ok(&w, script[i]);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	check_query(&w, "SELECT id,amount FROM t WHERE id<5", "1|7.0|\n3|9.0|\n4|12.0|\n");
	check_query(&w, "SELECT count(*) FROM t", "999|\n");
	check_clean(&w);
	world_wait_free(&wait);
	world_free(&w);
}
END_TEST

#define DIRTY "SELECT gone,key FROM _alterd_dirty"

/* A row that is changed all the time goes from the shadow once, and is copied again at the end. */
START_TEST(test_a_row_that_is_gone_from_the_shadow_is_not_logged_again)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;

	world_init(&w, "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT, u INT UNIQUE);"
		       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000)"
		       " INSERT INTO t SELECT i, i, i FROM n;");
	world_alter(&w, &wait, "ALTER TABLE t ALTER v TYPE TEXT", false, false);
	until(&w, &wait, PHASE_BACKFILL);
	while (w.m->m.r->p.rows_done < 50)
		world_turn(&w);
	world_ok(&w, "UPDATE t SET v=-1 WHERE id=1");
	until_query(&w, DIRTY, "1|1|\n");
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_PAUSE, NULL), 0);
	while (w.m->busy)
		world_turn(&w);
	ck_assert_int_eq(w.m->m.p.phase, PHASE_BACKFILL);
	/* What it gives up another takes, which has not gone yet. */
	world_ok(&w, "UPDATE t SET v=-2, u=-2 WHERE id=1");
	world_ok(&w, "UPDATE t SET u=1 WHERE id=2");
	check_query(&w, DIRTY, "0|2|\n1|1|\n");
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_RESUME, NULL), 0);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	check_query(&w, "SELECT v,typeof(v),u FROM t WHERE id<3", "-2|text|-2|\n2|text|1|\n");
	check_clean(&w);
	world_wait_free(&wait);
	world_free(&w);
}
END_TEST

START_TEST(test_another_process_makes_the_copy_start_over)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;
	struct buf none = {0};

	world_init(&w, SETUP);
	world_alter(&w, &wait, "ALTER TABLE t ALTER amount TYPE REAL", false, false);
	until(&w, &wait, PHASE_BACKFILL);
	while (w.m->m.r->p.rows_done < 100)
		world_turn(&w);
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_PAUSE, NULL), 0);
	while (w.m->busy)
		world_turn(&w);
	world_query(w.path, "UPDATE t SET amount=-1 WHERE id=1", &none);
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_RESUME, NULL), 0);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.out), "\"restarts\":1"));
	check_query(&w, "SELECT amount FROM t WHERE id=1", "-1.0|\n");
	check_clean(&w);
	world_wait_free(&wait);
	world_free(&w);
}
END_TEST

START_TEST(test_client_ddl_on_the_table_waits_its_turn)
{
	struct world w = {.batch_rows = 10};
	struct world_wait wait;

	world_init(&w, SETUP "CREATE TABLE other(x);");
	world_alter(&w, &wait, "ALTER TABLE t ALTER amount TYPE REAL", false, true);
	until(&w, &wait, PHASE_BACKFILL);
	ck_assert_int_eq(world_sql(&w, "CREATE INDEX bad ON t(amount)", NULL), -32020);
	ck_assert_int_eq(world_sql(&w, "DROP TABLE t", NULL), -32020);
	ck_assert_int_eq(world_sql(&w, "CREATE TRIGGER bad AFTER INSERT ON t BEGIN SELECT 1; END", NULL), -32020);
	world_ok(&w, "CREATE INDEX fine ON other(x)");
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_CUTOVER, NULL), 0);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	world_ok(&w, "CREATE INDEX good ON t(amount)");
	world_wait_free(&wait);
	world_free(&w);
}
END_TEST

START_TEST(test_instant_and_needless_changes)
{
	struct world w = {0};
	struct world_wait wait;

	world_init(&w, SETUP);
	world_alter(&w, &wait, "ALTER TABLE t ADD COLUMN extra TEXT DEFAULT 'x', ADD e2", false, false);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.out), "\"strategy\":\"instant\""));
	world_wait_free(&wait);
	world_alter(&w, &wait, "ALTER TABLE t ALTER amount TYPE INT, ALTER note DROP NOT NULL", false, false);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.out), "\"state\":\"done\""));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.out), "\"strategy\":\"none\""));
	world_wait_free(&wait);
	ck_assert_int_eq(world_change(&w, "ALTER TABLE t RENAME COLUMN extra TO more; ALTER TABLE t RENAME TO t2"), 0);
	check_query(&w, "SELECT more,e2 FROM t2 WHERE id=1", "x|NULL|\n");
	check_clean(&w);
	world_free(&w);
}
END_TEST

START_TEST(test_proj_db_usage_is_rebuilt)
{
	struct world w = {.batch_rows = 500};
	struct buf before = {0}, after = {0};
	struct world_wait wait;
	char setup[256];

	if (access("/usr/share/proj/proj.db", R_OK) != 0)
		return; /* proj-data is not installed */
	world_init(&w, "SELECT 1");
	world_stop(&w);
	snprintf(setup, sizeof(setup), "VACUUM INTO '%s'", w.path);
	world_remove(&w);
	scratch_folder(w.dir, sizeof(w.dir));
	snprintf(w.path, sizeof(w.path), "%s/t.db", w.dir);
	snprintf(setup, sizeof(setup), "VACUUM INTO '%s'", w.path);
	world_query("/usr/share/proj/proj.db", setup, &before);
	world_query(w.path,
		    "SELECT type,name,sql FROM sqlite_schema WHERE type IN ('trigger','view','index') ORDER BY rowid",
		    &before);
	world_serve(&w);
	world_alter(&w, &wait, "ALTER TABLE usage ALTER COLUMN object_code TYPE TEXT", false, false);
	until(&w, &wait, PHASE_BACKFILL);
	world_ok(&w, "DELETE FROM scope WHERE auth_name='EPSG' AND code IN (SELECT scope_code FROM usage LIMIT 3)");
	world_ok(&w, "UPDATE usage SET object_code=object_code WHERE rowid%7=0");
	ck_assert_int_eq(world_await(&w, &wait), 0);
	check_query(&w, "SELECT DISTINCT typeof(object_code) FROM usage", "text|\n");
	check_query(&w, "PRAGMA foreign_key_check", "");
	check_clean(&w);
	world_query(w.path,
		    "SELECT type,name,sql FROM sqlite_schema WHERE type IN ('trigger','view','index')"
		    " AND name NOT LIKE '\\_alterd%' ESCAPE '\\' ORDER BY rowid",
		    &after);
	ck_assert_int_eq((int)before.len, (int)after.len);
	world_wait_free(&wait);
	buf_free(&before);
	buf_free(&after);
	world_free(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("migrate");
	TCase *c = tcase_create("engine");
	tcase_set_timeout(c, 120);
	tcase_add_test(c, test_rebuild_ends_done_and_tells_its_figures);
	tcase_add_test(c, test_nulls_are_named);
	tcase_add_test(c, test_values_that_would_be_lost_are_named);
	tcase_add_test(c, test_check_and_unique_are_named);
	tcase_add_test(c, test_unique_index_over_converted_values_names_duplicates);
	tcase_add_loop_test(c, test_offender_during_the_run_fails_the_migration_not_the_client, 0, 3);
	tcase_add_loop_test(c, test_strict_names_values_of_other_types, 0, 3);
	tcase_add_loop_test(c, test_new_keys_name_nulls_and_duplicates, 0, 6);
	tcase_add_loop_test(c, test_null_for_a_new_rowid_during_the_run, 0, 2);
	tcase_add_loop_test(c, test_rows_without_rowid_are_named_by_their_key, 0, 3);
	tcase_add_loop_test(c, test_a_statement_too_large_to_note_makes_the_copy_start_over, 0, 2);
	tcase_add_loop_test(c, test_orphans_are_named, 0, 6);
	tcase_add_loop_test(c, test_foreign_key_beside_parents_that_go, 0, 2);
	tcase_add_loop_test(c, test_changes_without_a_copy, 0, 3);
	tcase_add_loop_test(c, test_late_offender_without_a_copy, 0, 2);
	tcase_add_test(c, test_dropping_values_needs_consent);
	tcase_add_loop_test(c, test_abort_leaves_nothing, 0, 5);
	tcase_add_test(c, test_paused_stays_paused_over_a_restart);
	tcase_add_test(c, test_who_steers_does_not_wait_for_a_transaction);
	tcase_add_test(c, test_what_could_not_be_written_is_written_later);
	tcase_add_test(c, test_jobs_queue_and_the_queue_is_bounded);
	tcase_add_loop_test(c, test_huge_statements_are_captured, HUGE_FROM, 2);
	tcase_add_test(c, test_transactions_and_savepoints_are_captured);
	tcase_add_test(c, test_a_row_that_is_gone_from_the_shadow_is_not_logged_again);
	tcase_add_test(c, test_another_process_makes_the_copy_start_over);
	tcase_add_test(c, test_client_ddl_on_the_table_waits_its_turn);
	tcase_add_test(c, test_instant_and_needless_changes);
	tcase_add_test(c, test_proj_db_usage_is_rebuilt);
	suite_add_tcase(s, c);
	return run_suite(s);
}
