/* What clients ask of the migrator: control methods, status, history. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
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

int migrator_pause(struct migrator *m, const struct params *params, struct buf *out, struct error *err)
{
	struct entry *e = find(m, params, err);
	if (!e)
		return -1;
	if (is_running(m, e) && (m->ended || e->r->p.phase == PHASE_ABORT))
		return error_set(err, ERRC_WRONG_STATE, "the migration is ending");
	control(m, e)->paused = 1;
	buf_puts(out, "{\"state\":\"paused\"}");
	migrator_pump(m);
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
	buf_printf(out, "{\"state\":\"%s\"}", job_state_name(e->r->state));
	migrator_pump(m);
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
	migrator_pump(m);
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
	migrator_pump(m);
	return 0;
}

/* The end of a queued job, on its way into the catalog. */
struct ending {
	struct job job;
	int64_t id, ended_ms;
};

static void ending_run(struct job *job, struct db *db)
{
	struct ending *e = CONTAINER_OF(job, struct ending, job);
	struct error err = {0};

	if (db_begin(db, &err) != 0 ||
	    db_exec(db, &err,
		    "UPDATE main._alterd_job SET "
		    "state='aborted',phase='end',ended_ms=%lld,error_code=%d,error_name=%Q,error_text=%Q"
		    " WHERE id=%lld AND state='queued'",
		    (long long)e->ended_ms, errc_code(ERRC_ABORTED), errc_name(ERRC_ABORTED), ABORTED_TEXT,
		    (long long)e->id) != 0 ||
	    db_commit(db, &err) != 0) {
		db_rollback(db);
		log_error("migrate", "m%lld: cannot write that it was aborted: %s", (long long)e->id, err.message);
	}
	error_clear(&err);
}

static void ending_done(struct mail *mail)
{
	free(CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct ending, job));
}

/* A queued job has made nothing: it ends at once. */
static void abort_queued(struct migrator *m, struct entry *e)
{
	struct ending *ending = xcalloc(1, sizeof(*ending));

	migrator_set_ended(e->r, JOB_ABORTED, errc_code(ERRC_ABORTED), errc_name(ERRC_ABORTED), ABORTED_TEXT);
	e->r->p.phase = PHASE_END;
	ending->id = e->r->id;
	ending->ended_ms = e->r->ended_ms;
	ending->job = (struct job){.mail = {.deliver = ending_done},
				   .run = ending_run,
				   .class = JOB_BACKGROUND,
				   .deadline_ns = CLOCK_NEVER};
	store_submit_writer(m->s, &ending->job);
	migrator_leave(m, e);
}

void migrator_abort(struct migrator *m, const struct params *params, struct migrator_wait *w)
{
	struct entry *e = find(m, params, &w->err);

	if (!e) {
		w->done(w);
		return;
	}
	enum phase p = e->r->p.phase;
	if (is_running(m, e) && (p == PHASE_RETIRE || (p == PHASE_END && e->r->error_code == 0))) {
		error_set(&w->err, ERRC_WRONG_STATE, "the migration has swapped already: it can no longer be aborted");
		w->done(w);
		return;
	}
	list_push(&e->aborters, &w->node);
	if (!is_running(m, e)) {
		abort_queued(m, e);
		return;
	}
	m->abort_asked = true;
	if (m->busy && !m->step.save && p != PHASE_ABORT)
		store_stop(m->s, &m->step.job, STOP_CANCEL);
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

void migrator_status(const struct migrator *m, struct buf *out)
{
	jw_open(out, '{');
	jw_int(out, "version", m->version);
	jw_int(out, "latest", m->version);
	jw_json(out, "pending", "[]");
	jw_json(out, "problems", "[]");
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
