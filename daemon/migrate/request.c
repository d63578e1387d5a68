/* What clients ask of the migrator: control methods, status, history. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/migrator_internal.h"
#include "proto/response.h"

static struct entry *first(const struct migrator *m)
{
	struct list_node *n = list_first(&m->entries);
	return n ? LIST_ENTRY(n, struct entry, node) : NULL;
}

static bool is_running(const struct migrator *m, const struct entry *e) { return m->running && e == first(m); }

/* The job meant: by its name, else the running one. */
static struct entry *find(const struct migrator *m, const struct params *params, struct error *err)
{
	if (!params_has(params, PARAM_JOB)) {
		struct entry *e = first(m);
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

/* The controls to set: the running job's wanted ones, a queued job's own (written when it starts). */
static struct control *control(struct migrator *m, struct entry *e)
{
	return is_running(m, e) ? &m->wanted : &e->r->control;
}

/* What is to be written of a job that waits in the queue: its controls, or that it was aborted. */
struct letter {
	struct list_node node; /* in migrator.letters */
	struct job job;
	struct migrator *m;
	int64_t id, ended_ms;
	struct control control;
	struct entry *ending; /* out of the queue until that is written; NULL: the controls alone */
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

	list_remove(&m->letters, &l->node);
	if (!l->ran)
		error_set(&l->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	if (error_is_set(&l->err))
		log_warning("migrate", "m%lld: what was asked for is not written: %s", (long long)l->id,
			    l->err.message);
	if (e && error_is_set(&l->err)) {
		not_aborted(m, e, &l->err);
	} else if (e) {
		migrator_set_ended(e->r, JOB_ABORTED, errc_code(ERRC_ABORTED), errc_name(ERRC_ABORTED), ABORTED_TEXT);
		e->r->p.phase = PHASE_END;
		list_push(&m->entries, &e->node); /* only to leave it */
		migrator_leave(m, e);
	}
	error_clear(&l->err);
	free(l);
	migrator_pump(m);
}

static void send_letter(struct migrator *m, struct entry *e, bool end)
{
	struct letter *l = xcalloc(1, sizeof(*l));

	*l = (struct letter){.m = m,
			     .id = e->r->id,
			     .ended_ms = clock_wall_ms(),
			     .control = e->r->control,
			     .ending = end ? e : NULL,
			     .job = {.mail = {.deliver = letter_done},
				     .run = letter_run,
				     .class = JOB_BACKGROUND,
				     .deadline_ns = CLOCK_NEVER}};
	list_push(&m->letters, &l->node);
	if (end)
		list_remove(&m->entries, &e->node);
	store_submit_writer(m->s, &l->job);
}

/* The controls were changed: those of the running job are written with its next step. */
static void control_changed(struct migrator *m, struct entry *e)
{
	if (!is_running(m, e))
		send_letter(m, e, false);
	migrator_pump(m);
}

int migrator_pause(struct migrator *m, const struct params *params, struct buf *out, struct error *err)
{
	struct entry *e = find(m, params, err);
	if (!e)
		return -1;
	if (is_running(m, e) && (m->ended || e->r->p.phase == PHASE_ABORT))
		return error_set(err, ERRC_WRONG_STATE, "the migration is ending");
	bool paused = e->r->control.paused != 0;
	control(m, e)->paused = 1;
	if (!is_running(m, e))
		migrator_tell_paused(m, e->r, paused);
	buf_printf(out, "{\"state\":\"paused\",\"phase\":\"%s\"}", phase_wire(e->r->p.phase));
	control_changed(m, e);
	return 0;
}

int migrator_resume(struct migrator *m, const struct params *params, struct buf *out, struct error *err)
{
	struct entry *e = find(m, params, err);
	if (!e)
		return -1;
	if (!control(m, e)->paused)
		return error_set(err, ERRC_WRONG_STATE, "the migration is not paused");
	control(m, e)->paused = 0;
	if (is_running(m, e))
		m->paused_why[0] = '\0';
	else
		migrator_tell_paused(m, e->r, true);
	buf_printf(out, "{\"state\":\"%s\",\"phase\":\"%s\"}", job_state_name(e->r->state), phase_wire(e->r->p.phase));
	control_changed(m, e);
	return 0;
}

int migrator_throttle(struct migrator *m, const struct params *params, struct buf *out, struct error *err)
{
	struct entry *e = find(m, params, err);
	if (!e)
		return -1;
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
	control_changed(m, e);
	return 0;
}

int migrator_cutover(struct migrator *m, const struct params *params, struct buf *out, struct error *err)
{
	struct entry *e = find(m, params, err);
	if (!e)
		return -1;
	if (!control(m, e)->postpone || e->r->p.swap_us >= 0)
		return error_set(err, ERRC_WRONG_STATE, "the migration's cut-over is not postponed");
	control(m, e)->postpone = 0;
	buf_printf(out, "{\"state\":\"%s\"}", control(m, e)->paused ? "paused" : job_state_name(e->r->state));
	control_changed(m, e);
	return 0;
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
		send_letter(m, e, true);
		return;
	}
	m->abort_asked = true;
	if (m->busy && !m->step.save && p != PHASE_ABORT)
		store_stop(m->s, &m->step.job, STOP_CANCEL);
	asides_stop(m, STOP_CANCEL);
	migrator_pump(m);
}

void migrator_job(const struct migrator *m, struct buf *out)
{
	struct entry *e = first(m);

	if (e && is_running(m, e)) {
		struct report_live live = migrator_live(m);
		report_job(out, e->r, &live);
	} else if (e) {
		report_job(out, e->r, NULL);
	} else if (m->nhistory) {
		report_job(out, m->history[m->nhistory - 1], NULL);
	} else {
		buf_puts(out, "null");
	}
}

const char *migrator_pending(const struct migrator *m) { return m->pending ? m->pending : "[]"; }

void migrator_problems(const struct migrator *m, struct buf *out)
{
	const char *more = m->problems ? m->problems : "[]";

	if (!m->partial.version) {
		buf_puts(out, more);
		return;
	}
	buf_putc(out, '[');
	report_partial(out, m->partial.version, m->partial.done, m->partial.total);
	buf_printf(out, "%s%s", more[1] == ']' ? "" : ",", more + 1);
}

void migrator_status(const struct migrator *m, struct buf *out)
{
	jw_open(out, '{');
	jw_int(out, "version", m->version);
	jw_int(out, "latest", m->latest > m->version ? m->latest : m->version);
	jw_json(out, "pending", migrator_pending(m));
	jw_key(out, "problems");
	migrator_problems(m, out);
	jw_int(out, "queued", (int64_t)m->entries.count - m->running);
	jw_key(out, "job");
	migrator_job(m, out);
	jw_close(out, '}');
}

void migrator_history(const struct migrator *m, struct buf *out)
{
	buf_puts(out, "{\"history\":[");
	for (size_t i = 0; i < m->nhistory; i++) {
		if (i)
			buf_putc(out, ',');
		report_history(out, m->history[i]);
	}
	buf_puts(out, "]}");
}

void migrator_line(const struct migrator *m, char *out, size_t size)
{
	struct entry *e = first(m);

	out[0] = '\0';
	if (e && is_running(m, e)) {
		struct report_live live = migrator_live(m);
		report_line(out, size, e->r, &live);
	}
}

int64_t migrator_version(const struct migrator *m) { return m->version; }
