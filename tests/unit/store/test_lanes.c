/* Queues and their limits, background work beside clients, snapshots and the WAL, opening and closing. */
#include <sysexits.h>

#include "daemon/store/internal.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/store/store_test.h"

#define ENDLESS "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM x) SELECT count(*) FROM x"

static int64_t number(struct client *c, const char *sql) { return strtoll(rows(c, sql) + 2, NULL, 10); }

START_TEST(test_a_full_queue_answers_busy)
{
	struct rig rig;
	struct client holder, many[70];

	rig_open(&rig);
	client_open(&rig, &holder);
	run(&holder, "CREATE TABLE t(a)");
	run(&holder, "BEGIN");
	for (int i = 0; i < 70; i++) {
		client_open(&rig, &many[i]);
		/* Known as a write from the first one on, so that the others go straight to the writer. */
		set_sql(&many[i], "INSERT INTO t VALUES(1)");
		client_send(&many[i], SQL_STATEMENT);
		uv_run(&rig.loop, UV_RUN_NOWAIT);
	}
	struct store_stats stats;
	do {
		store_stats(rig.store, &stats);
		uv_run(&rig.loop, UV_RUN_NOWAIT);
	} while (stats.busy_total < 70 - 64);
	ck_assert_int_eq(stats.writer_queue, 64);
	ck_assert_int_eq(run(&holder, "COMMIT"), 0);
	int busy = 0;
	for (int i = 0; i < 70; i++) {
		client_wait(&many[i]);
		busy += many[i].job.err.code == -32010;
	}
	ck_assert_int_eq(busy, 70 - 64);
	ck_assert_int_eq(number(&holder, "SELECT count(*) FROM t"), 64);
	for (int i = 0; i < 70; i++)
		client_close(&many[i]);
	client_close(&holder);
	rig_close(&rig);
}
END_TEST

START_TEST(test_a_waiting_write_can_be_given_up)
{
	struct rig rig;
	struct client holder, c;

	rig_open(&rig);
	client_open(&rig, &holder);
	client_open(&rig, &c);
	run(&holder, "CREATE TABLE t(a)");
	run(&holder, "INSERT INTO t VALUES(0)");
	run(&holder, "BEGIN");
	set_sql(&c, "INSERT INTO t VALUES(0)");
	client_send(&c, SQL_STATEMENT);
	store_stop(rig.store, &c.job.job, STOP_CANCEL);
	client_wait(&c);
	ck_assert_int_eq(c.job.err.code, 9);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.job.err.data), "\"reason\":\"cancel\""));
	run(&holder, "COMMIT");
	ck_assert_int_eq(number(&c, "SELECT count(*) FROM t"), 1);
	client_close(&c);
	client_close(&holder);
	rig_close(&rig);
}
END_TEST

/* Cancelled while a reader lane has it, to know its text: it must not queue behind the transaction then. */
START_TEST(test_a_write_can_be_given_up_on_its_way_to_the_writer)
{
	struct rig rig;
	struct client holder, c;

	rig_open(&rig);
	client_open(&rig, &holder);
	client_open(&rig, &c);
	run(&holder, "CREATE TABLE t(a)");
	run(&holder, "BEGIN");
	set_sql(&c, "INSERT INTO t VALUES(0)");
	client_send(&c, SQL_STATEMENT);
	/* The lane's part: it takes the job, and passes it on when it has been prepared. */
	ck_assert_ptr_eq(list_pop(&rig.store->to_readers), &c.job.job.mail.node);
	store_stop(rig.store, &c.job.job, STOP_CANCEL);
	ck_assert(c.busy);
	c.job.job.run = NULL;
	writer_push(rig.store, &c.job);
	client_wait(&c);
	ck_assert_int_eq(c.job.err.code, 9);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.job.err.data), "\"reason\":\"cancel\""));
	ck_assert_int_eq(run(&holder, "COMMIT"), 0);
	ck_assert_int_eq(number(&c, "SELECT count(*) FROM t"), 0);
	client_close(&c);
	client_close(&holder);
	rig_close(&rig);
}
END_TEST

struct background {
	struct job job;
	struct rig *rig;
	int runs;
};

static void run_background(struct job *job, struct db *db)
{
	struct error err = {0};

	(void)job;
	ck_assert_int_eq(db_begin(db, &err), 0);
	ck_assert_int_eq(db_exec(db, &err, "UPDATE bg SET n=n+1"), 0);
	ck_assert_int_eq(db_commit(db, &err), 0);
}

static void background_done(struct mail *mail)
{
	struct background *b = (struct background *)(void *)mail;

	b->runs++;
	store_submit_writer(b->rig->store, &b->job);
}

static void background_over(struct mail *mail) { (void)mail; }

/* Clients that always have a write waiting neither stop background work nor are stopped by it. */
START_TEST(test_background_has_its_share_under_a_closed_loop)
{
	struct rig rig;
	struct client c[4];
	struct background b = {.rig = &rig, .job = {.mail.deliver = background_done, .run = run_background}};

	rig_open(&rig);
	for (int i = 0; i < 4; i++)
		client_open(&rig, &c[i]);
	run(&c[0], "CREATE TABLE t(a)");
	run(&c[0], "CREATE TABLE bg(n)");
	run(&c[0], "INSERT INTO bg VALUES(0)");
	run(&c[0], "INSERT INTO t VALUES(1)");
	store_submit_writer(rig.store, &b.job);
	int writes = 0;
	while (b.runs < 50 || writes < 200) {
		for (int i = 0; i < 4; i++) {
			if (c[i].busy)
				continue;
			writes++;
			set_sql(&c[i], "INSERT INTO t VALUES(1)");
			client_send(&c[i], SQL_STATEMENT);
		}
		uv_run(&rig.loop, UV_RUN_ONCE);
	}
	b.job.mail.deliver = background_over;
	for (int i = 0; i < 4; i++) {
		client_wait(&c[i]);
		ck_assert(!error_is_set(&c[i].job.err));
	}
	int64_t counted = number(&c[0], "SELECT n FROM bg");
	ck_assert(counted >= 50);
	for (int i = 0; i < 4; i++)
		client_close(&c[i]);
	rig_close(&rig);
}
END_TEST

struct parked {
	struct job job;
	uv_sem_t there, go;
};

static void run_parked(struct job *job, struct db *db)
{
	struct parked *p = (struct parked *)(void *)job;

	(void)db;
	uv_sem_post(&p->there);
	uv_sem_wait(&p->go);
}

static void park(struct rig *rig, struct parked *p)
{
	store_submit_writer(rig->store, &p->job);
	uv_sem_wait(&p->there);
}

static void let_pass(struct rig *rig, uint64_t ns)
{
	for (uint64_t until = uv_hrtime() + ns; uv_hrtime() < until;)
		uv_run(&rig->loop, UV_RUN_NOWAIT);
}

static void begin_without_waiting(struct client *c)
{
	c->params.wait_ms = 0;
	c->params.present |= P(WAIT_MS);
	client_send(c, SQL_BEGIN);
}

/* Nobody is in the way of a client that would not wait, only the daemon itself: that is not BUSY, but not for ever. */
START_TEST(test_a_begin_that_would_not_wait_is_not_refused_for_background_work)
{
	struct rig rig;
	struct client c;
	struct parked p = {.job = {.mail.deliver = background_over, .run = run_parked}};

	rig_open(&rig);
	client_open(&rig, &c);
	ck_assert_int_eq(uv_sem_init(&p.there, 0), 0);
	ck_assert_int_eq(uv_sem_init(&p.go, 0), 0);
	park(&rig, &p);
	begin_without_waiting(&c);
	/* Some ticks of the store's timer. */
	let_pass(&rig, 100 * NS_PER_MS);
	ck_assert(c.busy);
	uv_sem_post(&p.go);
	client_wait(&c);
	ck_assert(!error_is_set(&c.job.err));
	ck_assert_int_eq(ask(&c, SQL_ROLLBACK), 0);

	park(&rig, &p);
	begin_without_waiting(&c);
	client_wait(&c);
	ck_assert_int_eq(c.job.err.code, -32010);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.job.err.data), "\"waited_ms\":1"));
	uv_sem_post(&p.go);
	client_close(&c);
	rig_close(&rig);
	uv_sem_destroy(&p.go);
	uv_sem_destroy(&p.there);
}
END_TEST

#define TURN_NS (20 * NS_PER_MS)

struct turn {
	struct parked parked; /* first: it is there, but asks only when it is told to go */
	uint64_t held_ns;
};

static void run_turn(struct job *job, struct db *db)
{
	struct turn *t = (struct turn *)(void *)job;

	run_parked(job, db);
	while (!db_turn_over(db, TURN_NS))
		;
	t->held_ns = clock_now_ns() - job->started_ns;
}

/* A write that has waited long does not end a turn for which background work has waited longer still. */
START_TEST(test_a_turn_lasts_for_its_share_of_the_time_it_waited)
{
	struct rig rig;
	struct client c;
	struct parked before = {.job = {.mail.deliver = background_over, .run = run_parked}};
	struct turn t = {.parked.job = {.mail.deliver = background_over, .run = run_turn}};
	struct parked *all[] = {&before, &t.parked};
	struct store_stats stats;

	rig_open(&rig);
	client_open(&rig, &c);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(uv_sem_init(&all[i]->there, 0), 0);
		ck_assert_int_eq(uv_sem_init(&all[i]->go, 0), 0);
	}
	run(&c, "CREATE TABLE t(a)");
	run(&c, "INSERT INTO t VALUES(1)");
	park(&rig, &before);
	store_submit_writer(rig.store, &t.parked.job);
	/* A fifth is sure, so a quarter of this. */
	let_pass(&rig, 5 * TURN_NS);
	uv_sem_post(&before.go);
	uv_sem_wait(&t.parked.there);
	set_sql(&c, "INSERT INTO t VALUES(1)");
	client_send(&c, SQL_STATEMENT);
	do {
		let_pass(&rig, TURN_NS / 2 + NS_PER_MS);
		store_stats(rig.store, &stats);
	} while (stats.writer_queue == 0);
	uv_sem_post(&t.parked.go);
	client_wait(&c);
	ck_assert(!error_is_set(&c.job.err));
	ck_assert_uint_ge(t.held_ns, TURN_NS);
	client_close(&c);
	rig_close(&rig);
	for (int i = 0; i < 2; i++) {
		uv_sem_destroy(&all[i]->there);
		uv_sem_destroy(&all[i]->go);
	}
}
END_TEST

START_TEST(test_pinned_connections_are_capped)
{
	struct rig rig;
	struct client c[9];

	rig_open(&rig);
	for (int i = 0; i < 9; i++) {
		client_open(&rig, &c[i]);
		c[i].params = (struct params){.present = P(MODE), .mode = "read"};
		ck_assert_int_eq(ask(&c[i], SQL_BEGIN), i < 8 ? 0 : -1);
	}
	ck_assert_str_eq(c[8].job.err.name, "TOO_MANY");
	ck_assert_str_eq(rows(&c[8], "SELECT 1"), "[[1]]");
	ck_assert_int_eq(run(&c[0], "INSERT INTO sqlite_schema VALUES(1)"), 1);
	ck_assert_int_eq(run(&c[0], "COMMIT"), 0);
	for (int i = 0; i < 9; i++)
		client_close(&c[i]);
	rig_close(&rig);
}
END_TEST

START_TEST(test_the_wal_hard_cap_expires_the_oldest_reader)
{
	struct rig rig;
	struct client old, c;

	rig_open(&rig);
	rig.config.wal_hard_bytes = 2 << 20;
	store_reconfigure(rig.store, &rig.config);
	client_open(&rig, &old);
	client_open(&rig, &c);
	run(&c, "CREATE TABLE t(a)");
	old.params = (struct params){.present = P(MODE), .mode = "read"};
	ck_assert_int_eq(ask(&old, SQL_BEGIN), 0);
	while (!sql_session_due(&old.session, clock_now_ns()))
		ck_assert_int_eq(run(&c, "INSERT INTO t VALUES(zeroblob(200000))"), 0);
	ck_assert_int_eq(ask(&old, SQL_SWEEP), 0);
	ck_assert_int_eq(run(&old, "SELECT 1"), -32011);
	ck_assert_ptr_nonnull(strstr(old.job.err.message, "hard cap"));
	ck_assert_int_eq(run(&old, "ROLLBACK"), 0);
	client_close(&old);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_a_cursor_expires_by_idleness)
{
	struct rig rig;
	struct client c;
	struct store_stats stats;

	rig_open(&rig);
	rig.config.cursor_idle_ms = 1;
	store_reconfigure(rig.store, &rig.config);
	client_open(&rig, &c);
	set_sql(&c, "SELECT 1 UNION ALL SELECT 2");
	c.params.page_rows = 1;
	c.params.present |= P(PAGE_ROWS);
	ck_assert_int_eq(ask(&c, SQL_STATEMENT), 0);
	while (!sql_session_due(&c.session, clock_now_ns()))
		;
	ck_assert_int_eq(ask(&c, SQL_SWEEP), 0);
	c.params = (struct params){.present = P(CURSOR), .cursor = "c1"};
	ck_assert_int_eq(ask(&c, SQL_FETCH), -1);
	ck_assert_str_eq(c.job.err.name, "CURSOR_EXPIRED");
	store_stats(rig.store, &stats);
	ck_assert_uint_eq(stats.cursor_expired_total, 1);
	ck_assert_int_eq(stats.pinned, 0);
	client_close(&c);
	rig_close(&rig);
}
END_TEST

START_TEST(test_a_read_ends_at_its_deadline)
{
	struct rig rig;
	struct client c;

	rig_open(&rig);
	client_open(&rig, &c);
	set_sql(&c, ENDLESS);
	c.params.timeout_ms = 30;
	c.params.present |= P(TIMEOUT_MS);
	ck_assert_int_eq(ask(&c, SQL_STATEMENT), -1);
	ck_assert_int_eq(c.job.err.code, 9);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&c.job.err.data), "\"reason\":\"timeout\""));
	ck_assert_str_eq(rows(&c, "SELECT 1"), "[[1]]");
	client_close(&c);
	rig_close(&rig);
}
END_TEST

/* A lane that took both along has the answer of the first while it is at the second. */
START_TEST(test_an_answer_does_not_wait_for_the_read_behind_it)
{
	struct rig rig;
	struct client quick, endless;

	rig_open(&rig);
	client_open(&rig, &quick);
	client_open(&rig, &endless);
	/* Both texts are known as reads from here on, so that they go in one batch. */
	ck_assert_str_eq(rows(&quick, "SELECT 42"), "[[42]]");
	set_sql(&endless, ENDLESS);
	endless.params.timeout_ms = 10;
	endless.params.present |= P(TIMEOUT_MS);
	ck_assert_int_eq(ask(&endless, SQL_STATEMENT), -1);
	for (int i = 0; i < 20; i++) {
		set_sql(&quick, "SELECT 42");
		set_sql(&endless, ENDLESS);
		client_send(&quick, SQL_STATEMENT);
		client_send(&endless, SQL_STATEMENT);
		client_wait(&quick);
		ck_assert(endless.busy);
		store_stop(rig.store, &endless.job.job, STOP_CANCEL);
		client_wait(&endless);
	}
	client_close(&quick);
	client_close(&endless);
	rig_close(&rig);
}
END_TEST

START_TEST(test_what_cannot_be_opened_is_told_by_exit_code)
{
	struct rig rig;
	struct store *second;
	struct error err = {0};
	int code = 0;

	rig_open(&rig);
	ck_assert_int_eq(store_open(&rig.config, &rig.loop, &second, &code, &err), -1);
	ck_assert_int_eq(code, EX_TEMPFAIL);
	error_clear(&err);
	struct store_config elsewhere = rig_config("/tmp/alterd-no-such-folder/x.db");
	ck_assert_int_eq(store_open(&elsewhere, &rig.loop, &second, &code, &err), -1);
	ck_assert_int_eq(code, EX_NOINPUT);
	error_clear(&err);
	char path[128];
	snprintf(path, sizeof path, "%s/junk.db", rig.folder);
	FILE *f = fopen(path, "w");
	for (int i = 0; i < 2000; i++)
		fputs("this is no database ", f);
	fclose(f);
	struct store_config junk = rig_config(path);
	ck_assert_int_eq(store_open(&junk, &rig.loop, &second, &code, &err), -1);
	ck_assert_int_eq(code, EX_DATAERR);
	error_clear(&err);
	rig_close(&rig);
}
END_TEST

START_TEST(test_closing_stops_what_runs_and_keeps_what_was_committed)
{
	struct rig rig;
	struct client c, busy;

	rig_open(&rig);
	client_open(&rig, &c);
	client_open(&rig, &busy);
	run(&c, "CREATE TABLE t(a)");
	run(&c, "INSERT INTO t VALUES(7)");
	run(&c, "BEGIN");
	run(&c, "INSERT INTO t VALUES(8)");
	set_sql(&busy, ENDLESS);
	client_send(&busy, SQL_STATEMENT);
	uv_run(&rig.loop, UV_RUN_NOWAIT);
	rig_stop(&rig);
	ck_assert_int_eq(busy.job.err.code, 9);
	rig_start(&rig);
	struct client again;
	client_open(&rig, &again);
	ck_assert_str_eq(rows(&again, "SELECT a FROM t"), "[[7]]");
	client_close(&again);
	error_clear(&busy.job.err);
	buf_free(&busy.out);
	buf_free(&c.out);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("lanes");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_a_full_queue_answers_busy);
	tcase_add_test(tc, test_a_waiting_write_can_be_given_up);
	tcase_add_test(tc, test_a_write_can_be_given_up_on_its_way_to_the_writer);
	tcase_add_test(tc, test_background_has_its_share_under_a_closed_loop);
	tcase_add_test(tc, test_a_begin_that_would_not_wait_is_not_refused_for_background_work);
	tcase_add_test(tc, test_a_turn_lasts_for_its_share_of_the_time_it_waited);
	tcase_add_test(tc, test_pinned_connections_are_capped);
	tcase_add_test(tc, test_the_wal_hard_cap_expires_the_oldest_reader);
	tcase_add_test(tc, test_a_cursor_expires_by_idleness);
	tcase_add_test(tc, test_a_read_ends_at_its_deadline);
	tcase_add_test(tc, test_an_answer_does_not_wait_for_the_read_behind_it);
	tcase_add_test(tc, test_what_cannot_be_opened_is_told_by_exit_code);
	tcase_add_test(tc, test_closing_stops_what_runs_and_keeps_what_was_committed);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
