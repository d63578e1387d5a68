/* What clients ask of the migrator's jobs: pause, resume, throttle, cutover, abort; answered once it is written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/migrator_internal.h"
#include "daemon/store/sql.h"
#include "proto/response.h"

static bool is_running(const struct migrator *m, const struct entry *e)
{
	return m->running && e == migrator_current(m);
}

/* The job meant: by its name, else the running one. */
static struct entry *find(const struct migrator *m, const struct params *params, struct error *err)
{
	if (!params_has(params, PARAM_JOB)) {
		struct entry *e = migrator_current(m);
		if (!e)
			error_set(err, m->nhistory ? ERRC_WRONG_STATE : ERRC_NOT_FOUND, "no migration is running");
		return e;
	}
	char name[32];
	for (struct list_node *n = list_first(&m->entries); n; n = list_next(&m->entries, n)) {
		struct entry *e = LIST_ENTRY(n, struct entry, node);
		snprintf(name, sizeof(name), "m%lld", (long long)e->r->id);
		if (strcmp(name, params->job) == 0)
			return e;
	}
	for (size_t i = 0; i < m->nhistory; i++) {
		snprintf(name, sizeof(name), "m%lld", (long long)m->history[i]->id);
		if (strcmp(name, params->job) == 0) {
			error_set(err, ERRC_WRONG_STATE, "job %.30s has ended: %s", params->job,
				  job_state_name(m->history[i]->state));
			return NULL;
		}
	}
	error_set(err, ERRC_NOT_FOUND, "no job %.30s", params->job);
	return NULL;
}

/* The controls to set: the running job's wanted ones, which it takes between two steps; a queued job's own. */
static struct control *control(struct migrator *m, struct entry *e)
{
	return is_running(m, e) ? &m->wanted : &e->r->control;
}

/* What is to be written: a job's controls, or that it was aborted in the queue. */
struct letter {
	struct list_node node; /* in migrator.letters */
	struct job job;
	struct migrator *m;
	int64_t id, ended_ms;
	struct control control;
	struct migrator_wait *w; /* who set them; NULL: does not wait, or as the aborters do */
	struct entry *ending;    /* out of the queue until that is written; NULL: the controls alone */
	bool ran;
	struct error err;
};

static int write_letter(struct letter *l, struct db *db)
{
	if (!l->ending)
		return catalog_control(db, l->id, &l->control, &l->err);
	return db_exec(db, &l->err,
		       "UPDATE main._alterd_job SET "
		       "state='aborted',phase='end',ended_ms=%lld,error_code=%d,error_name=%Q,error_text=%Q"
		       " WHERE id=%lld AND state='queued'",
		       (long long)l->ended_ms, errc_code(ERRC_ABORTED), errc_name(ERRC_ABORTED), ABORTED_TEXT,
		       (long long)l->id);
}

static void letter_run(struct job *job, struct db *db)
{
	struct letter *l = CONTAINER_OF(job, struct letter, job);

	l->ran = true;
	if (db_begin(db, &l->err) != 0 || write_letter(l, db) != 0 || db_commit(db, &l->err) != 0)
		db_rollback(db);
}

/* It could not be written: the job takes its place in the queue again. */
static void not_aborted(struct migrator *m, struct entry *e, struct error *err)
{
	struct list_node *at = list_first(&m->entries);

	while (at && LIST_ENTRY(at, struct entry, node)->r->id < e->r->id)
		at = list_next(&m->entries, at);
	if (at)
		list_insert_before(&m->entries, at, &e->node);
	else
		list_push(&m->entries, &e->node);
	for (struct list_node *n; (n = list_pop(&e->aborters));) {
		struct migrator_wait *w = LIST_ENTRY(n, struct migrator_wait, node);
		error_set(&w->err, ERRC_INTERNAL, "the end could not be written: %s", err->message);
		w->done(w);
	}
}

static void letter_done(struct mail *mail)
{
	struct letter *l = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct letter, job);
	struct migrator *m = l->m;
	struct entry *e = l->ending;
	struct migrator_wait *w = l->w;

	list_remove(&m->letters, &l->node);
	if (!l->ran)
		error_set(&l->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	if (error_is_set(&l->err))
		log_warning("migrate", "m%lld: what was asked for is not written: %s", (long long)l->id,
			    l->err.message);
	/* Its next save has it, and is tried until it works; a queued job is saved when it begins. */
	if (error_is_set(&l->err) && !e && m->running && m->m.r->id == l->id)
		m->unsaved = true;
	if (e && error_is_set(&l->err)) {
		not_aborted(m, e, &l->err);
	} else if (e) {
		migrator_set_ended(e->r, JOB_ABORTED, errc_code(ERRC_ABORTED), errc_name(ERRC_ABORTED), ABORTED_TEXT);
		e->r->p.phase = PHASE_END;
		list_push(&m->entries, &e->node); /* only to leave it */
		migrator_leave(m, e);
	}
	if (w && error_is_set(&l->err))
		error_set(&w->err, l->ran ? ERRC_INTERNAL : ERRC_SHUTTING_DOWN,
			  "in force, but lost if the daemon ends before it is written: %s", l->err.message);
	error_clear(&l->err);
	free(l);
	if (w)
		w->done(w);
	migrator_pump(m);
}

static struct letter *letter_new(struct migrator *m, struct entry *e)
{
	struct letter *l = xcalloc(1, sizeof(*l));

	*l = (struct letter){.m = m,
			     .id = e->r->id,
			     .ended_ms = clock_wall_ms(),
			     .control = *control(m, e),
			     .job = {.mail = {.deliver = letter_done},
				     .run = letter_run,
				     .class = JOB_BACKGROUND,
				     .deadline_ns = CLOCK_NEVER}};
	return l;
}

static void letter_send(struct letter *l)
{
	list_push(&l->m->letters, &l->node);
	store_submit_writer(l->m->s, &l->job);
}

void migrator_control_forget(struct migrator *m, struct migrator_wait *w)
{
	for (struct list_node *n = list_first(&m->letters); n; n = list_next(&m->letters, n)) {
		struct letter *l = LIST_ENTRY(n, struct letter, node);
		if (l->w == w)
			l->w = NULL;
		if (l->ending)
			entry_forget(l->ending, w);
	}
}

static int pause_job(struct migrator *m, struct entry *e, struct buf *out, struct error *err)
{
	if (is_running(m, e) && (m->ended || e->r->p.phase == PHASE_ABORT))
		return error_set(err, ERRC_WRONG_STATE, "the migration is ending");
	bool paused = e->r->control.paused != 0;
	control(m, e)->paused = 1;
	if (!is_running(m, e))
		migrator_tell_paused(m, e->r, paused);
	buf_printf(out, "{\"state\":\"paused\",\"phase\":\"%s\"}", phase_wire(e->r->p.phase));
	return 0;
}

static int resume_job(struct migrator *m, struct entry *e, struct buf *out, struct error *err)
{
	if (!control(m, e)->paused)
		return error_set(err, ERRC_WRONG_STATE, "the migration is not paused");
	control(m, e)->paused = 0;
	if (is_running(m, e))
		m->paused_why[0] = '\0';
	else
		migrator_tell_paused(m, e->r, true);
	buf_printf(out, "{\"state\":\"%s\",\"phase\":\"%s\"}", job_state_name(e->r->state), phase_wire(e->r->p.phase));
	return 0;
}

static int throttle_job(struct migrator *m, struct entry *e, const struct params *params, struct buf *out,
			struct error *err)
{
	struct control *c = control(m, e);
	if (params_has(params, PARAM_DUTY_PERCENT) && (params->duty_percent < 1 || params->duty_percent > 100))
		return error_set(err, ERRC_INVALID_PARAMS, "duty_percent is 1 to 100");
	if (params_has(params, PARAM_BATCH_ROWS) && (params->batch_rows < 1 || params->batch_rows > 1000000))
		return error_set(err, ERRC_INVALID_PARAMS, "batch_rows is 1 to 1000000");
	if (params_has(params, PARAM_BATCH_ROWS))
		c->batch_rows = params->batch_rows;
	if (params_has(params, PARAM_DUTY_PERCENT))
		c->duty_percent = params->duty_percent;
	jw_open(out, '{');
	jw_int(out, "batch_rows", c->batch_rows ? c->batch_rows : m->config.batch_rows);
	jw_int(out, "duty_percent", c->duty_percent ? c->duty_percent : m->config.duty_percent);
	jw_close(out, '}');
	return 0;
}

static int cut_over(struct migrator *m, struct entry *e, struct buf *out, struct error *err)
{
	if (!control(m, e)->postpone || e->r->p.swap_us >= 0)
		return error_set(err, ERRC_WRONG_STATE, "the migration's cut-over is not postponed");
	control(m, e)->postpone = 0;
	buf_printf(out, "{\"state\":\"%s\"}", control(m, e)->paused ? "paused" : job_state_name(e->r->state));
	return 0;
}

static int set_control(struct migrator *m, struct entry *e, const struct request *request, struct migrator_wait *w)
{
	switch (request->op) {
	case OP_MIGRATE_PAUSE:
		return pause_job(m, e, w->out, &w->err);
	case OP_MIGRATE_RESUME:
		return resume_job(m, e, w->out, &w->err);
	case OP_MIGRATE_THROTTLE:
		return throttle_job(m, e, &request->params, w->out, &w->err);
	default:
		INVARIANT(request->op == OP_MIGRATE_CUTOVER);
		return cut_over(m, e, w->out, &w->err);
	}
}

void migrator_control(struct migrator *m, const struct request *request, struct migrator_wait *w)
{
	struct entry *e = find(m, &request->params, &w->err);

	if (!e || set_control(m, e, request, w) != 0) {
		w->done(w);
		return;
	}
	struct letter *l = letter_new(m, e);
	uint64_t held_ns;
	/* While a client's transaction has the writer it would be that long before it is written. */
	bool waits = sql_writer_holder(m->s, &held_ns) == 0;
	l->w = waits ? w : NULL;
	letter_send(l);
	if (!waits)
		w->done(w);
	migrator_pump(m);
}

void migrator_abort(struct migrator *m, const struct params *params, struct migrator_wait *w)
{
	struct entry *e = find(m, params, &w->err);

	if (!e) {
		w->done(w);
		return;
	}
	enum phase p = e->r->p.phase;
	if (is_running(m, e) && !migrator_more_versions(e->r) &&
	    (p == PHASE_RETIRE || (p == PHASE_END && e->r->error_code == 0))) {
		error_set(&w->err, ERRC_WRONG_STATE, "the migration has swapped already: it can no longer be aborted");
		w->done(w);
		return;
	}
	list_push(&e->aborters, &w->node);
	if (!is_running(m, e)) {
		struct letter *l = letter_new(m, e);
		l->ending = e;
		list_remove(&m->entries, &e->node);
		letter_send(l);
		return;
	}
	m->abort_asked = true;
	if (m->busy && !m->step.save && p != PHASE_ABORT)
		store_stop(m->s, &m->step.job, STOP_CANCEL);
	asides_stop(m, STOP_CANCEL);
	migrator_pump(m);
}
