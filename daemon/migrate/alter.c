/*
 * migrate.alter: a new job. Planned on a reader lane, so that what cannot be done is refused before anything is
 * written; then written into the catalog on the writer; then queued.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/fault.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/keep.h"
#include "daemon/migrate/migrator_internal.h"
#include "daemon/migrate/upkeep.h"
#include "daemon/migrate/who.h"

struct alter_task {
	struct list_node node; /* in migrator.alters */
	struct job job;
	struct migrator *m;
	struct migrator_wait *w; /* NULL: the client is gone */
	uint32_t uid;
	bool wait;
	bool ran;
	int rc;
	struct record *r;
	struct error err;
};

static void plan_next(struct migrator *m);

/* The task is over; the next one in line is planned. */
static void free_task(struct alter_task *t)
{
	struct migrator *m = t->m;

	list_remove(&t->m->alters, &t->node);
	record_free(t->r);
	error_clear(&t->err);
	free(t);
	plan_next(m);
}

static void refuse(struct alter_task *t)
{
	struct migrator *m = t->m;
	struct migrator_wait *w = t->w;

	if (w) {
		if (!error_is_set(&t->err) && m->closing)
			error_set(&t->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
		else if (!error_is_set(&t->err))
			error_set_sqlite(&t->err, SQLITE_CANTOPEN, "SQLITE_CANTOPEN",
					 "no connection for reading could be opened");
		error_move(&w->err, &t->err);
	}
	free_task(t);
	if (w)
		w->done(w);
	migrator_pump(m);
}

static int needs_consent(const char *column, const struct plan *plan, struct error *err)
{
	if (plan->strategy == STRATEGY_DROP)
		return error_set(err, ERRC_NEEDS_FORCE, "dropping table %.100s loses its rows: say allow_data_loss",
				 plan->table);
	return error_set(err, ERRC_NEEDS_FORCE, "dropping column %.100s of %.100s loses values: say allow_data_loss",
			 column, plan->table);
}

static int plan_in_snapshot(struct alter_task *t, struct db *db, struct pool *pool)
{
	struct plan_options options = {.allow_data_loss = t->r->allow_data_loss != 0};
	struct record *r = t->r;
	struct plan *plan = NULL;
	const char *column = NULL;

	if (plan_statement(pool, db_handle(db), r->sql, &options, &plan, &t->err) != 0)
		return -1;
	if (plan_consent(pool, db_handle(db), plan, &column, &t->err) != 0)
		return -1;
	if (column && !r->allow_data_loss)
		return needs_consent(column, plan, &t->err);
	record_set(&r->applied_by, who_is(pool, t->uid));
	record_set(&r->consented_by, column ? r->applied_by : NULL);
	record_set(&r->table, plan->table);
	record_set(&r->strategy, plan_strategy(plan));
	if (plan->strategy == STRATEGY_NONE) {
		r->state = JOB_DONE;
		r->p.phase = PHASE_END;
		r->started_ms = r->ended_ms = clock_wall_ms();
	}
	return 0;
}

static void plan_run(struct job *job, struct db *db)
{
	struct alter_task *t = CONTAINER_OF(job, struct alter_task, job);
	struct pool pool = {0};

	t->ran = true;
	t->rc = -1;
	if (db_begin(db, &t->err) == 0) {
		t->rc = plan_in_snapshot(t, db, &pool);
		db_rollback(db);
	}
	pool_free(&pool);
}

static void insert_run(struct job *job, struct db *db)
{
	struct alter_task *t = CONTAINER_OF(job, struct alter_task, job);

	t->ran = true;
	t->rc = 0;
	if (db_begin(db, &t->err) != 0 || catalog_insert(db, t->r, &t->err) != 0 || db_commit(db, &t->err) != 0) {
		db_rollback(db);
		t->rc = -1;
	}
	(void)FAULT("alter-committed");
}

static void inserted(struct mail *mail)
{
	struct alter_task *t = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct alter_task, job);
	struct migrator *m = t->m;
	struct migrator_wait *w = t->w;
	struct record *r = t->r;

	if (!t->ran || t->rc != 0) {
		refuse(t);
		return;
	}
	t->r = NULL;
	bool wait = t->wait;
	free_task(t);
	if (r->state == JOB_DONE) {
		migrator_to_history(m, r);
		migrator_tell(m, r, job_state_name(r->state));
		if (w)
			migrator_answer(w, r);
	} else {
		struct entry *e = migrator_queue(m, r);
		migrator_tell(m, r, "queued");
		if (w && wait) {
			list_push(&e->waiters, &w->node);
		} else if (w) {
			buf_printf(w->out, "{\"job\":\"m%lld\",\"state\":\"queued\"}", (long long)r->id);
			w->done(w);
		}
	}
	migrator_pump(m);
}

static void planned(struct mail *mail)
{
	struct alter_task *t = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct alter_task, job);

	if (!t->ran || t->rc != 0 || t->m->closing) {
		refuse(t);
		return;
	}
	t->ran = false;
	t->job = (struct job){
		.mail = {.deliver = inserted}, .run = insert_run, .class = JOB_BACKGROUND, .deadline_ns = CLOCK_NEVER};
	store_submit_writer(t->m->s, &t->job);
}

/* One at a time, so that jobs take their numbers and places in the order in which they were asked for. */
static void plan_next(struct migrator *m)
{
	struct list_node *n = list_first(&m->alters);
	if (!n)
		return;
	struct alter_task *t = LIST_ENTRY(n, struct alter_task, node);
	t->job = (struct job){
		.mail = {.deliver = planned}, .run = plan_run, .class = JOB_BACKGROUND, .deadline_ns = CLOCK_NEVER};
	store_submit_reader(m->s, &t->job);
}

void migrator_alter(struct migrator *m, const struct params *params, uint32_t uid, struct migrator_wait *w)
{
	if (m->closing || (int64_t)(m->entries.count + m->alters.count) > m->config.queue_max) {
		if (m->closing)
			error_set(&w->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
		else
			error_set(&w->err, ERRC_TOO_MANY, "%lld migrations are waiting already",
				  (long long)m->config.queue_max);
		w->done(w);
		return;
	}
	struct alter_task *t = xcalloc(1, sizeof(*t));
	*t = (struct alter_task){.m = m, .w = w, .uid = uid, .wait = params->wait, .r = record_new()};
	t->r->state = JOB_QUEUED;
	t->r->p.phase = PHASE_PLAN;
	t->r->queued_ms = clock_wall_ms();
	t->r->allow_data_loss = params->allow_data_loss;
	t->r->control.postpone = params->postpone_cutover;
	record_set(&t->r->sql, params->sql);
	record_set(&t->r->table, "");
	list_push(&m->alters, &t->node);
	if (m->alters.count == 1)
		plan_next(m);
}

static bool forget_in(struct list *l, struct migrator_wait *w)
{
	for (struct list_node *n = list_first(l); n; n = list_next(l, n)) {
		if (n == &w->node) {
			list_remove(l, n);
			return true;
		}
	}
	return false;
}

bool entry_forget(struct entry *e, struct migrator_wait *w)
{
	return forget_in(&e->waiters, w) || forget_in(&e->aborters, w);
}

void migrator_forget(struct migrator *m, struct migrator_wait *w)
{
	for (struct list_node *n = list_first(&m->alters); n; n = list_next(&m->alters, n)) {
		struct alter_task *t = LIST_ENTRY(n, struct alter_task, node);
		if (t->w == w)
			t->w = NULL;
	}
	file_tasks_forget(m, w);
	migrator_advise_forget(m, w);
	migrator_control_forget(m, w);
	backups_forget(m->backups, w);
	upkeep_forget(m->upkeep, w);
	for (struct list_node *n = list_first(&m->entries); n; n = list_next(&m->entries, n)) {
		struct entry *e = LIST_ENTRY(n, struct entry, node);
		if (entry_forget(e, w))
			return;
	}
}
