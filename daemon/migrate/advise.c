/*
 * The course of `advise`: the loop takes down which statements cost the most, a reader lane makes the databases in
 * memory and tries what might help, the loop answers. One at a time.
 */
#include "daemon/migrate/advise.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/migrate/migrator_internal.h"
#include "daemon/migrate/scratch.h"
#include "daemon/store/engine.h"
#include "proto/response.h"

/* Statements looked at, where the client does not say how many, and at most. */
#define STATEMENTS_DEFAULT 20
#define STATEMENTS_MAX 100
/* The work ends after so long, and tells what it has. */
#define ADVISE_NS (10 * NS_PER_S)

struct advising {
	struct list_node node; /* in migrator.advising */
	struct job job;
	struct migrator *m;
	struct migrator_wait *w; /* NULL: the client is gone */
	struct store_costly *costly;
	size_t n;
	bool ran;
	struct error err;
	struct buf answer;
};

static void done(struct advising *a)
{
	struct migrator *m = a->m;
	struct migrator_wait *w = a->w;

	if (!a->ran && !error_is_set(&a->err))
		error_set(&a->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	if (w && error_is_set(&a->err))
		error_move(&w->err, &a->err);
	else if (w)
		buf_add(w->out, a->answer.data, a->answer.len);
	list_remove(&m->advising, &a->node);
	store_costly_free(a->costly, a->n);
	error_clear(&a->err);
	buf_free(&a->answer);
	free(a);
	if (w)
		w->done(w);
	migrator_pump(m);
}

/* --- on a reader lane --- */

static int row_statistics(void *arg, sqlite3_stmt *stmt)
{
	sqlite3_stmt *insert = arg;

	for (int i = 0; i < 3; i++)
		(void)sqlite3_bind_value(insert, i + 1, sqlite3_column_value(stmt, i));
	(void)sqlite3_step(insert);
	return sqlite3_reset(insert) == SQLITE_OK ? 0 : -1;
}

/* What ANALYZE has found, where it was run: with it SQLite decides there as it does here. */
static int copy_statistics(sqlite3 *from, sqlite3 *to, struct error *err)
{
	sqlite3_stmt *insert = NULL;
	bool there = false;

	if (schema_each(from, err, schema_row_exists, &there,
			"SELECT 1 FROM main.sqlite_schema WHERE name='sqlite_stat1'", NULL) != 0)
		return -1;
	if (!there)
		return 0;
	if (schema_exec(to, "ANALYZE; DELETE FROM main.sqlite_stat1", err) != 0)
		return -1;
	if (sqlite3_prepare_v2(to, "INSERT INTO main.sqlite_stat1 VALUES(?1,?2,?3)", -1, &insert, NULL) != SQLITE_OK)
		return error_set(err, ERRC_INTERNAL, "the statistics cannot be copied: %s", sqlite3_errmsg(to));
	int rc = schema_each(
		from, err, row_statistics, insert,
		"SELECT tbl,idx,stat FROM main.sqlite_stat1 WHERE tbl NOT LIKE '\\_alterd\\_%' ESCAPE '\\'", NULL);
	sqlite3_finalize(insert);
	return rc == 0 ? schema_exec(to, "ANALYZE main.sqlite_schema", err) : -1;
}

static void write_why(struct buf *out, const struct plan_cost *c)
{
	jw_open(out, '{');
	jw_int(out, "scans", c->scans);
	jw_int(out, "sorts", c->sorts);
	jw_int(out, "auto_indexes", c->autos);
	jw_close(out, '}');
}

static void write_statement(struct buf *out, const struct store_costly *c, const struct advice *advice)
{
	jw_open(out, '{');
	jw_str(out, "sql", c->text);
	jw_int(out, "calls", c->calls);
	jw_real(out, "total_ms", (double)c->ns / 1e6, 3);
	jw_int(out, "scan_steps", c->scan_steps);
	jw_int(out, "sorts", c->sorts);
	jw_int(out, "auto_rows", c->auto_rows);
	jw_key(out, "plan");
	write_why(out, &advice->before);
	jw_key(out, "with");
	write_why(out, &advice->after);
	jw_key(out, "create");
	jw_open(out, '[');
	for (size_t i = 0; i < advice->n; i++)
		jw_str(out, NULL, advice->create[i]);
	jw_close(out, ']');
	jw_close(out, '}');
}

/* Statements that can no longer be prepared (their table is gone) are left out. */
static void look_at(struct advising *a, struct db *db, struct ideas *ideas, sqlite3 *real)
{
	uint64_t until = clock_now_ns() + ADVISE_NS;
	size_t i;

	jw_open(&a->answer, '{');
	jw_key(&a->answer, "statements");
	jw_open(&a->answer, '[');
	for (i = 0; i < a->n && !db_stopped(db) && clock_now_ns() < until; i++) {
		struct pool pool = {0};
		struct advice advice;
		ideas_of(ideas, a->costly[i].sql);
		advise_try(&pool, real, ideas, a->costly[i].sql, &advice);
		if (advice.planned)
			write_statement(&a->answer, &a->costly[i], &advice);
		pool_free(&pool);
	}
	jw_close(&a->answer, ']');
	jw_bool(&a->answer, "complete", i == a->n);
	jw_key(&a->answer, "redundant");
	advise_redundant(ideas->pool, ideas, &a->answer);
	jw_close(&a->answer, '}');
	if (a->answer.failed)
		error_set(&a->err, ERRC_INTERNAL, "no memory for the answer");
}

static void run(struct job *job, struct db *db)
{
	struct advising *a = CONTAINER_OF(job, struct advising, job);
	struct pool pool = {0};
	struct ideas ideas = {0};
	sqlite3 *real = NULL;
	size_t missing;

	a->ran = true;
	if (db_begin(db, &a->err) != 0)
		return;
	int rc = scratch_open(&real, true, &a->err);
	if (rc == 0 && scratch_mirror(db_handle(db), real, &missing, &a->err) == 0 &&
	    copy_statistics(db_handle(db), real, &a->err) == 0)
		rc = 1;
	db_rollback(db); /* no snapshot is held while it is thought about */
	if (rc == 1 && ideas_open(&ideas, &pool, real, &a->err) == 0)
		look_at(a, db, &ideas, real);
	ideas_close(&ideas);
	sqlite3_close(real);
	pool_free(&pool);
}

/* --- on the loop --- */

static void deliver(struct mail *mail)
{
	done(CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct advising, job));
}

void migrator_advise(struct migrator *m, int64_t limit, struct migrator_wait *w)
{
	struct advising *a = xcalloc(1, sizeof(*a));
	bool alone = list_empty(&m->advising);

	a->m = m;
	a->w = w;
	list_push(&m->advising, &a->node);
	if (m->closing)
		error_set(&a->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	else if (!alone)
		error_set(&a->err, ERRC_BUSY, "somebody is being advised already");
	if (error_is_set(&a->err)) {
		done(a);
		return;
	}
	limit = limit < 1 ? STATEMENTS_DEFAULT : limit > STATEMENTS_MAX ? STATEMENTS_MAX : limit;
	a->n = store_costly(m->s, (size_t)limit, &a->costly);
	a->job = (struct job){
		.mail = {.deliver = deliver}, .run = run, .class = JOB_BACKGROUND, .deadline_ns = CLOCK_NEVER};
	store_submit_reader(m->s, &a->job);
}

void migrator_advise_forget(struct migrator *m, const struct migrator_wait *w)
{
	for (struct list_node *n = list_first(&m->advising); n; n = list_next(&m->advising, n)) {
		struct advising *a = LIST_ENTRY(n, struct advising, node);
		if (w && a->w != w)
			continue;
		if (w)
			a->w = NULL;
		store_stop(m->s, &a->job, STOP_GONE);
		return;
	}
}
