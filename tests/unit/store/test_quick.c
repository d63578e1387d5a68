/* Reads that the loop does itself: what gets there, what gets out again, and that nobody can tell but by the time. */
#include "daemon/store/class_cache.h"
#include "tests/unit/run_suite.h"
#include "tests/unit/store/store_test.h"

/*
 * Submits from where requests come from in the daemon, inside the loop's poll, and not from outside of it: an async
 * handle fires, its callback asks.
 */
struct asker {
	uv_async_t now;
	struct client *clients[4];
	size_t n;
};

static void on_now(uv_async_t *handle)
{
	struct asker *a = CONTAINER_OF(handle, struct asker, now);

	for (size_t i = 0; i < a->n; i++)
		client_send(a->clients[i], SQL_STATEMENT);
}

static void asker_open(struct asker *a, struct rig *rig)
{
	ck_assert_int_eq(uv_async_init(&rig->loop, &a->now, on_now), 0);
}

static void asker_close(struct asker *a) { uv_close((uv_handle_t *)&a->now, NULL); }

/* All of them at the same time. */
static void ask_all(struct asker *a, struct client *const *clients, size_t n)
{
	a->n = n;
	for (size_t i = 0; i < n; i++) {
		a->clients[i] = clients[i];
		clients[i]->busy = true;
	}
	uv_async_send(&a->now);
	for (size_t i = 0; i < n; i++)
		client_wait(clients[i]);
}

static const char *answer_of(struct asker *a, struct client *c)
{
	ask_all(a, (struct client *[]){c}, 1);
	ck_assert_msg(!error_is_set(&c->job.err), "%s", c->job.err.message);
	return buf_cstr(&c->out);
}

static uint64_t quick_reads(struct rig *rig)
{
	struct store_stats stats;

	store_stats(rig->store, &stats);
	return stats.quick_reads_total;
}

/* Asks until the loop has answered by itself; a read that is never let in fails by the test's time limit. */
static void until_quick(struct rig *rig, struct asker *a, struct client *c)
{
	for (uint64_t before = quick_reads(rig); quick_reads(rig) == before;)
		answer_of(a, c);
}

static void set_number(struct client *c, const char *sql, struct value *bound, int64_t number)
{
	set_sql(c, sql);
	*bound = (struct value){.type = VALUE_INT, .i = number};
	c->params.bind = (struct binds){.n = 1, .values = bound};
}

struct setting {
	struct rig rig;
	struct client c;
	struct asker a;
	struct value bound;
};

static void set_up(struct setting *s)
{
	memset(s, 0, sizeof *s);
	rig_open(&s->rig);
	client_open(&s->rig, &s->c);
	asker_open(&s->a, &s->rig);
	ck_assert_int_eq(run(&s->c, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"), 0);
	ck_assert_int_eq(run(&s->c, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000)"
				    " INSERT INTO t SELECT i, i*2 FROM n"),
			 0);
}

static void tear_down(struct setting *s)
{
	asker_close(&s->a);
	client_close(&s->c);
	rig_close(&s->rig);
}

START_TEST(test_a_read_that_is_always_short_becomes_the_loops_own)
{
	struct setting s;

	set_up(&s);
	set_number(&s.c, "SELECT v FROM t WHERE id=?", &s.bound, 1);
	ck_assert_ptr_nonnull(strstr(answer_of(&s.a, &s.c), "\"rows\":[[2]]"));
	ck_assert_uint_eq(quick_reads(&s.rig), 0);
	until_quick(&s.rig, &s.a, &s.c);
	s.bound.i = 77;
	ck_assert_ptr_nonnull(strstr(answer_of(&s.a, &s.c), "\"rows\":[[154]],\"done\":true"));
	tear_down(&s);
}
END_TEST

START_TEST(test_it_sees_every_write_that_was_acknowledged)
{
	struct setting s;
	struct client w;
	struct value bound;
	char want[32];

	set_up(&s);
	client_open(&s.rig, &w);
	set_number(&s.c, "SELECT v FROM t WHERE id=1", &s.bound, 0);
	s.c.params.bind.n = 0;
	until_quick(&s.rig, &s.a, &s.c);
	for (int i = 0; i < 300; i++) {
		set_number(&w, "UPDATE t SET v=? WHERE id=1", &bound, i);
		ask_all(&s.a, (struct client *[]){&w}, 1);
		snprintf(want, sizeof want, "\"rows\":[[%d]]", i);
		ck_assert_ptr_nonnull(strstr(answer_of(&s.a, &s.c), want));
	}
	client_close(&w);
	tear_down(&s);
}
END_TEST

START_TEST(test_reads_of_one_round_are_all_answered)
{
	struct setting s;
	struct client others[3];
	struct value bound[3];
	struct client *all[4];

	set_up(&s);
	set_number(&s.c, "SELECT v FROM t WHERE id=?", &s.bound, 5);
	until_quick(&s.rig, &s.a, &s.c);
	all[0] = &s.c;
	for (int i = 0; i < 3; i++) {
		client_open(&s.rig, &others[i]);
		set_number(&others[i], "SELECT v FROM t WHERE id=?", &bound[i], 10 + i);
		all[i + 1] = &others[i];
	}
	uint64_t before = quick_reads(&s.rig);
	while (quick_reads(&s.rig) < before + 8)
		ask_all(&s.a, all, 4);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&s.c.out), "[[10]]"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&others[2].out), "[[24]]"));
	for (int i = 0; i < 3; i++)
		client_close(&others[i]);
	tear_down(&s);
}
END_TEST

/* The same text, another value: what was short may be long. */
START_TEST(test_one_that_turns_out_long_is_finished_on_a_lane)
{
	static const char sql[] = "SELECT count(*) FROM t a, t b WHERE a.id<=?1 AND b.id<=?1";
	struct setting s;

	set_up(&s);
	set_number(&s.c, sql, &s.bound, 2);
	until_quick(&s.rig, &s.a, &s.c);
	uint64_t before = quick_reads(&s.rig);
	s.bound.i = 2500;
	ck_assert_ptr_nonnull(strstr(answer_of(&s.a, &s.c), "\"rows\":[[6250000]]"));
	ck_assert_uint_eq(quick_reads(&s.rig), before);
	/* It has to earn its place anew. */
	s.bound.i = 2;
	for (int i = 0; i < CREDIT_MAX - CREDIT_AFTER_LONG - 1; i++)
		ck_assert_ptr_nonnull(strstr(answer_of(&s.a, &s.c), "\"rows\":[[4]]"));
	ck_assert_uint_eq(quick_reads(&s.rig), before);
	until_quick(&s.rig, &s.a, &s.c);
	tear_down(&s);
}
END_TEST

START_TEST(test_functions_and_large_values_stay_on_the_lanes)
{
	static const char *const texts[] = {
		"SELECT hex(v) FROM t WHERE id=1",
		"SELECT v FROM t WHERE v LIKE '1'",
		"SELECT changes()",
		"WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3) SELECT count(*) FROM n",
		"PRAGMA user_version",
	};
	struct setting s;
	char large[2000];

	set_up(&s);
	memset(large, 'x', sizeof large);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		set_sql(&s.c, texts[i]);
		for (int k = 0; k < 3 * CREDIT_MAX; k++)
			answer_of(&s.a, &s.c);
	}
	set_number(&s.c, "SELECT v FROM t WHERE id=?", &s.bound, 0);
	s.bound = (struct value){.type = VALUE_TEXT, .s = {.p = large, .n = sizeof large}};
	for (int k = 0; k < 3 * CREDIT_MAX; k++)
		answer_of(&s.a, &s.c);
	ck_assert_uint_eq(quick_reads(&s.rig), 0);
	tear_down(&s);
}
END_TEST

START_TEST(test_a_long_value_is_read_on_a_lane)
{
	struct setting s;

	set_up(&s);
	ck_assert_int_eq(run(&s.c, "INSERT INTO t VALUES(9000, hex(zeroblob(100000)))"), 0);
	set_number(&s.c, "SELECT v FROM t WHERE id=?", &s.bound, 1);
	until_quick(&s.rig, &s.a, &s.c);
	uint64_t before = quick_reads(&s.rig);
	s.bound.i = 9000;
	ck_assert_uint_gt(strlen(answer_of(&s.a, &s.c)), 200000);
	ck_assert_uint_eq(quick_reads(&s.rig), before);
	tear_down(&s);
}
END_TEST

START_TEST(test_a_change_of_the_schema_is_read_on_a_lane)
{
	struct setting s;

	set_up(&s);
	set_sql(&s.c, "SELECT * FROM t WHERE id=1");
	until_quick(&s.rig, &s.a, &s.c);
	ck_assert_int_eq(run(&s.c, "ALTER TABLE t ADD COLUMN w DEFAULT 'new'"), 0);
	set_sql(&s.c, "SELECT * FROM t WHERE id=1");
	uint64_t before = quick_reads(&s.rig);
	ck_assert_ptr_nonnull(strstr(answer_of(&s.a, &s.c), "\"rows\":[[1,2,\"new\"]]"));
	ck_assert_uint_eq(quick_reads(&s.rig), before);
	until_quick(&s.rig, &s.a, &s.c);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&s.c.out), "\"rows\":[[1,2,\"new\"]]"));
	tear_down(&s);
}
END_TEST

START_TEST(test_a_cursor_takes_the_connection_along)
{
	struct setting s;
	char name[32];

	set_up(&s);
	set_sql(&s.c, "SELECT id FROM t WHERE id<=4");
	until_quick(&s.rig, &s.a, &s.c);
	s.c.params.present |= P(PAGE_ROWS);
	s.c.params.page_rows = 1;
	uint64_t before = quick_reads(&s.rig);
	for (int i = 0; quick_reads(&s.rig) == before; i++) {
		const char *at = strstr(answer_of(&s.a, &s.c), "\"cursor\":\"");
		ck_assert_ptr_nonnull(at);
		ck_assert_int_eq(sscanf(at, "\"cursor\":\"%30[^\"]", name), 1);
		s.c.params = (struct params){.present = P(CURSOR), .cursor = name};
		ck_assert_int_eq(ask(&s.c, SQL_FETCH), 0);
		ck_assert_ptr_nonnull(strstr(buf_cstr(&s.c.out), "[[2]"));
		set_sql(&s.c, "SELECT id FROM t WHERE id<=4");
		s.c.params.present |= P(PAGE_ROWS);
		s.c.params.page_rows = 1;
	}
	tear_down(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quick");
	TCase *tc = tcase_create("quick");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_a_read_that_is_always_short_becomes_the_loops_own);
	tcase_add_test(tc, test_it_sees_every_write_that_was_acknowledged);
	tcase_add_test(tc, test_reads_of_one_round_are_all_answered);
	tcase_add_test(tc, test_one_that_turns_out_long_is_finished_on_a_lane);
	tcase_add_test(tc, test_functions_and_large_values_stay_on_the_lanes);
	tcase_add_test(tc, test_a_long_value_is_read_on_a_lane);
	tcase_add_test(tc, test_a_change_of_the_schema_is_read_on_a_lane);
	tcase_add_test(tc, test_a_cursor_takes_the_connection_along);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
