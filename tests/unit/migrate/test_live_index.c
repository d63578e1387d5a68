/* CREATE INDEX beside live writes, where something gets lost: it begins anew, or says why not, and leaves nothing. */
#include "daemon/migrate/live_index.h"
#include "tests/unit/migrate/world.h"
#include "tests/unit/run_suite.h"

#define SETUP                                                                                                          \
	"CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b);"                                                           \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000)"                                   \
	" INSERT INTO t SELECT i, 'a'||(i%50), nullif(i%7,0) FROM n;"
#define INDEX "CREATE INDEX ti ON t(a, b DESC) WHERE b IS NOT NULL"

static void check_query(struct world *w, const char *sql, const char *want)
{
	struct buf got = {0};
	world_query(w->path, sql, &got);
	ck_assert_str_eq(buf_cstr(&got), want);
	buf_free(&got);
}

/* The file is whole, the index is there or not, and nothing else is. */
static void check_end(struct world *w, const char *indexes)
{
	check_query(w, "PRAGMA integrity_check", "ok|\n");
	check_query(w, "SELECT count(*) FROM sqlite_schema WHERE name='ti'", indexes);
	check_query(w, "SELECT name FROM sqlite_schema WHERE name LIKE '\\_alterd\\_%' ESCAPE '\\' ORDER BY 1",
		    "_alterd_dirty|\n_alterd_job|\n_alterd_meta|\n_alterd_partial|\n_alterd_ran|\n_alterd_step|\n");
}

static void until_ready(struct world *w, struct world_wait *wait)
{
	while (!wait->done && !(w->m->idle && world_phase(w) == PHASE_CATCH_UP))
		world_turn(w);
	ck_assert(!wait->done);
}

static void release(struct world *w) { ck_assert_int_eq(world_control(w, OP_MIGRATE_CUTOVER, NULL), 0); }

START_TEST(test_changes_are_applied)
{
	struct world w = {0};
	struct world_wait wait;

	world_init(&w, SETUP);
	world_alter(&w, &wait, INDEX, false, true);
	until_ready(&w, &wait);
	world_ok(&w, "UPDATE t SET b=NULL WHERE id%11=0");
	world_ok(&w, "UPDATE t SET a='z', b=b+1 WHERE id%13=0");
	world_ok(&w, "UPDATE t SET id=id+10000 WHERE id%17=0");
	world_ok(&w, "INSERT OR REPLACE INTO t(id,a,b) VALUES(5,'new',5),(9999,'new',NULL)");
	world_ok(&w, "DELETE FROM t WHERE id%19=0");
	release(&w);
	ck_assert_int_eq(world_await(&w, &wait), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&wait.out), "\"strategy\":\"index\""));
	world_wait_free(&wait);
	check_end(&w, "1|\n");
	world_free(&w);
}
END_TEST

/* What cannot be kept track of makes it begin anew, twice. */
START_TEST(test_a_lost_log_is_begun_again)
{
	struct world w = {0};
	struct world_wait wait;

	world_init(&w, SETUP);
	world_alter(&w, &wait, INDEX, false, true);
	for (int i = 0; i < _i; i++) {
		until_ready(&w, &wait);
		index_log_lose(w.m->m.live->log, "lost on purpose");
		w.m->idle = false;
	}
	if (_i < 3) {
		until_ready(&w, &wait);
		ck_assert_int_eq(w.m->m.r->p.restarts, _i);
		release(&w);
		ck_assert_int_eq(world_await(&w, &wait), 0);
		check_end(&w, "1|\n");
	} else {
		ck_assert_int_eq(world_await(&w, &wait), errc_code(ERRC_FAILED_MIGRATION));
		ck_assert_ptr_nonnull(strstr(wait.w.err.message, "lost on purpose"));
		check_end(&w, "0|\n");
	}
	world_wait_free(&wait);
	world_free(&w);
}
END_TEST

/* The daemon ends in a phase, and a client writes before it is that far again. */
START_TEST(test_it_begins_anew_after_a_restart)
{
	static const enum phase phases[] = {PHASE_WATCH, PHASE_SORT, PHASE_CATCH_UP, PHASE_COMPARE};
	struct world w = {0};
	struct world_wait wait;

	world_init(&w, SETUP);
	world_alter(&w, &wait, INDEX, false, true);
	/* A phase may be over between two turns: then it is the wait that ends. */
	while (!wait.done && world_phase(&w) != phases[_i] && !w.m->idle)
		world_turn(&w);
	migrator_forget(w.m, &wait.w);
	world_restart(&w);
	world_ok(&w, "UPDATE t SET a='again' WHERE id%3=0");
	while (!(w.m->idle && world_phase(&w) == PHASE_CATCH_UP))
		world_turn(&w);
	release(&w);
	while (w.m->running)
		world_turn(&w);
	world_wait_free(&wait);
	check_end(&w, "1|\n");
	world_free(&w);
}
END_TEST

/* A row that is there but not in the sidecar is a fault of ours: it is found before anyone can see it. */
START_TEST(test_a_difference_fails_it)
{
	struct world w = {0};
	struct world_wait wait;

	world_init(&w, SETUP);
	world_alter(&w, &wait, INDEX, false, true);
	until_ready(&w, &wait);
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_PAUSE, NULL), 0);
	while (w.m->busy)
		world_turn(&w);
	/* As if the watch had missed these: they are taken out of the log, and everything is compared once more. */
	world_ok(&w, "UPDATE t SET a='missed' WHERE id BETWEEN 100 AND 102");
	w.m->m.live->applied.at = index_log_end(w.m->m.live->log);
	w.m->m.live->compared = false;
	ck_assert_int_eq(world_control(&w, OP_MIGRATE_RESUME, NULL), 0);
	release(&w);
	ck_assert_int_eq(world_await(&w, &wait), errc_code(ERRC_FAILED_MIGRATION));
	ck_assert_ptr_nonnull(strstr(wait.w.err.message, "verification found"));
	world_wait_free(&wait);
	check_end(&w, "0|\n");
	world_free(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("live_index");
	TCase *t = tcase_create("live_index");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, test_changes_are_applied);
	tcase_add_loop_test(t, test_a_lost_log_is_begun_again, 0, 4);
	tcase_add_loop_test(t, test_it_begins_anew_after_a_restart, 0, 4);
	tcase_add_test(t, test_a_difference_fails_it);
	suite_add_tcase(s, t);
	return run_suite(s);
}
