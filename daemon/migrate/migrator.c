/*
 * The loop side: takes the running job from step to step, at the pace there is room for.
 *
 * pump() is the one place that decides what happens next. Between steps the migration belongs to the loop; while one is
 * out (`busy`) only flags are set here, and looked at when it comes back.
 */
#include "daemon/migrate/migrator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/fault.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/migrator_internal.h"
#include "daemon/migrate/stepper.h"
#include "proto/value.h"

/* --- records --- */

void migrator_answer(struct migrator_wait *w, const struct record *r)
{
	if (r->state == JOB_DONE)
		report_job(w->out, r, NULL);
	else
		report_error(r, &w->err);
	w->done(w);
}

struct entry *migrator_current(const struct migrator *m)
{
	struct list_node *n = list_first(&m->entries);
	return n ? LIST_ENTRY(n, struct entry, node) : NULL;
}

static void answer_aborters(struct migrator *m, struct entry *e)
{
	for (struct list_node *n; (n = list_pop(&e->aborters));) {
		struct migrator_wait *w = LIST_ENTRY(n, struct migrator_wait, node);
		if (e->r->state == JOB_ABORTED) {
			buf_printf(w->out, "{\"state\":\"aborted\",\"version\":%lld,\"dropped\":[",
				   (long long)m->version);
			if (e->r->shadow)
				json_write_string(w->out, e->r->shadow, strlen(e->r->shadow));
			buf_puts(w->out, "]}");
		} else {
			error_set(&w->err, ERRC_WRONG_STATE, "the migration can no longer be aborted");
		}
		w->done(w);
	}
}

void migrator_leave(struct migrator *m, struct entry *e)
{
	list_remove(&m->entries, &e->node);
	migrator_to_history(m, e->r);
	migrator_tell(m, e->r, job_state_name(e->r->state));
	answer_aborters(m, e);
	for (struct list_node *n; (n = list_pop(&e->waiters));)
		migrator_answer(LIST_ENTRY(n, struct migrator_wait, node), e->r);
	free(e);
}

/* The job is over and its record is written. */
static void leave(struct migrator *m)
{
	struct entry *e = migrator_current(m);
	INVARIANT(e && e->r == m->m.r);
	struct record *r = e->r;

	record_log(INFO, r, JOB_ENDED, "m%lld %s: %s%s%s", (long long)r->id, r->name ? r->name : r->table,
		   job_state_name(r->state), r->error_text ? ": " : "", r->error_text ? r->error_text : "");
	m->running = m->ended = m->abort_asked = false;
	migrator_forget_change(m);
	if (r->run.steps)
		migrator_look_at_folder(m);
	migrator_leave(m, e);
}

/* --- one step --- */

static void step_run(struct job *job, struct db *db)
{
	struct errand *step = CONTAINER_OF(job, struct errand, job);
	struct migrator *m = step->owner;

	step->ran = true;
	atomic_store(&step->begun, true);
	if (!step->save) {
		step->outcome = migration_step(&m->m, db, &step->err);
		return;
	}
	step->outcome = STEP_MORE;
	if (FAULT("save-commit"))
		error_set_sqlite(&step->err, SQLITE_IOERR, "SQLITE_IOERR", "fault point");
	if (error_is_set(&step->err) || db_begin(db, &step->err) != 0 || catalog_save(db, m->m.r, &step->err) != 0 ||
	    catalog_trim(db, &step->err) != 0 || db_commit(db, &step->err) != 0) {
		db_rollback(db);
		step->outcome = STEP_FAILED;
	}
	(void)FAULT("save-committed");
}

static void step_done(struct mail *mail);

static void submit(struct migrator *m, bool save)
{
	struct errand *step = &m->step;

	error_clear(&step->err);
	step->save = save;
	step->ran = false;
	atomic_store(&step->begun, false);
	step->writer = save || migration_on_writer(&m->m);
	step->beside = !save && asides_beside(m);
	step->outcome = STEP_FAILED;
	step->job = (struct job){
		.mail = {.deliver = step_done}, .run = step_run, .share_percent = pacer_share(&m->pacer)};
	m->busy = true;
	if (step->writer)
		store_submit_writer(m->s, &step->job);
	else
		store_submit_reader(m->s, &step->job);
}

/* The record says that the job goes no further; what it has made is taken away first. */
static void give_up(struct migrator *m, int64_t code, const char *name, const char *text)
{
	struct record *r = m->m.r;

	r->error_code = code;
	record_set(&r->error_name, name);
	record_set(&r->error_text, text);
	migrator_name_file(r);
	m->m.p.failed_in = m->m.p.phase;
	/* With a fingerprint, capture has begun. */
	m->m.p.phase = r->shadow || r->fingerprint ? PHASE_ABORT : PHASE_END;
	m->m.p.collecting = 0;
	r->p = m->m.p;
	m->wanted.paused = 0;
	m->unsaved = true;
	m->retries = 0;
	m->trouble[0] = '\0';
}

void migrator_fail(struct migrator *m, const struct error *err)
{
	struct offenders *o = &m->m.offenders;
	struct record *r = m->m.r;

	if (o->count > 0) {
		struct buf rows = {0};
		buf_putc(&rows, '[');
		buf_add(&rows, o->rows.data, o->rows.len);
		buf_putc(&rows, ']');
		record_set(&r->error_rows, buf_cstr(&rows));
		r->error_count = o->count;
		buf_free(&rows);
	}
	give_up(m, err->code, err->name, err->message);
}

static void retry_later(struct migrator *m, const struct error *err)
{
	snprintf(m->trouble, sizeof(m->trouble), "%.*s", (int)sizeof(m->trouble) - 1, err->message);
	uint64_t wait_ns = pacer_backoff(m->retries++);
	if (m->config.retry_ms)
		wait_ns = (uint64_t)m->config.retry_ms * NS_PER_MS;
	m->due_ns = clock_now_ns() + wait_ns;
	record_log(WARNING, m->m.r, JOB_RETRY, "m%lld %s: %s; trying again in %llu ms", (long long)m->m.r->id,
		   m->m.r->table, err->message, (unsigned long long)(wait_ns / NS_PER_MS));
}

static void step_failed_here(struct migrator *m)
{
	struct error *err = &m->step.err;
	enum phase p = m->m.p.phase;

	/* Whatever a step says that was stopped on the way: what follows is the abort. */
	if (m->closing || m->abort_asked)
		return;
	if (!m->step.ran)
		error_set_sqlite(err, SQLITE_CANTOPEN, "SQLITE_CANTOPEN", "no connection for reading could be opened");
	if (m->m.doubted && !error_is_set(err))
		error_move(err, &m->verdict);
	if (migrator_passing(err) || m->step.save || p == PHASE_RETIRE || p == PHASE_ABORT || p == PHASE_RESTART) {
		retry_later(m, err);
		return;
	}
	if (m->m.mismatch && m->m.resumed) {
		/* Somebody may have written the file while no daemon watched it. */
		record_log(WARNING, m->m.r, JOB_RESTARTED, "m%lld %s: %s; the copy starts over", (long long)m->m.r->id,
			   m->m.r->table, err->message);
		m->m.mismatch = false;
		m->m.restart_why = NULL;
		m->m.p.phase = PHASE_RESTART;
		m->m.p.restarts++;
		m->m.r->p = m->m.p;
		m->unsaved = true;
		return;
	}
	if (m->m.mismatch && !m->m.doubted && migration_compares(&m->m)) {
		m->m.doubted = true;
		error_clear(&m->verdict);
		error_move(&m->verdict, err);
		return;
	}
	migrator_fail(m, err);
}

/* What spoils a copy is most often another process: so it is put down to that where the reason is not known any more.
 */
static void pause_for_restarts(struct migrator *m)
{
	const char *why = m->m.restart_why ? m->m.restart_why : "another process wrote the database";

	snprintf(m->paused_why, sizeof(m->paused_why), "%s; the copy began anew %lld times", why,
		 (long long)m->m.r->p.restarts);
}

/* Where a phase has just been entered. */
static void entered(struct migrator *m, enum phase before)
{
	struct record *r = m->m.r;

	if (r->p.phase == before)
		return;
	log_debug("migrate", "m%lld %s: %s", (long long)r->id, r->table, phase_name(r->p.phase));
	pacer_forget(&m->pacer);
	m->pacer.ns_per_row = 0;
	if (before == PHASE_RESTART)
		asides_forget(m);
	if (before == PHASE_INDEX && r->p.phase == PHASE_VERIFY)
		asides_hand_over(m);
	if (r->p.phase == PHASE_RETIRE)
		store_protect(m->s, NULL, NULL);
	migrator_see_version(m, before);
	if (strcmp(phase_wire(r->p.phase), phase_wire(before)) != 0 && r->p.phase != PHASE_ABORT &&
	    r->p.phase != PHASE_END)
		migrator_tell(m, r, "phase");
	/* Planned anew when it began: what is possible may have changed since it was asked for. */
	if (m->m.plan && (!r->strategy || strcmp(r->strategy, plan_strategy(m->m.plan)) != 0)) {
		record_set(&r->strategy, plan_strategy(m->m.plan));
		m->unsaved = true;
	}
	if (r->p.phase == PHASE_RESTART && r->p.restarts >= RESTARTS_MAX) {
		pause_for_restarts(m);
		m->wanted.paused = 1;
		m->unsaved = true;
	}
}

static void step_done(struct mail *mail)
{
	struct errand *step = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct errand, job);
	struct migrator *m = step->owner;
	struct record *r = m->m.r;
	enum phase before = r->p.phase;
	struct store_stats st;

	m->busy = false;
	if (step->save) {
		if (step->outcome == STEP_FAILED)
			m->unsaved = true, step_failed_here(m);
		else if (m->ended)
			leave(m);
		migrator_pump(m);
		return;
	}
	store_stats(m->s, &st);
	bool clients = st.writes_total != m->writes_seen || st.writer_queue > 0;
	if (step->ran)
		migrator_measure(m, &st, clients);
	r->p = m->m.p;
	migrator_take_version(m);
	if (step->outcome == STEP_FAILED) {
		step_failed_here(m);
	} else {
		m->retries = 0;
		m->trouble[0] = '\0';
		m->idle = step->outcome == STEP_IDLE;
		if (m->idle)
			m->due_ns = clock_now_ns() + MIGRATOR_POLL_NS;
	}
	if (m->m.dirty_left <= READY_KEYS)
		m->level_ns = clock_now_ns();
	entered(m, before);
	asides_share(m);
	int64_t rows = r->p.phase == PHASE_BACKFILL || r->p.phase == PHASE_SORT ? r->p.rows_done
		       : r->p.phase == PHASE_VERIFY                             ? r->p.verified_rows
										: 0;
	pacer_sample(&m->pacer, clock_now_ns(), rows);
	migrator_pump(m);
}

/* --- what is next --- */

static void on_timer(uv_timer_t *timer) { migrator_pump(timer->data); }

static void wait_until(struct migrator *m, uint64_t due_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t ms = due_ns > now ? (due_ns - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	uv_update_time(m->loop);
	uv_timer_start(&m->timer, on_timer, ms, 0);
}

/* The queue's first becomes the running one. */
static void start(struct migrator *m, struct entry *e)
{
	struct record *r = e->r;

	m->running = true;
	m->ended = m->abort_asked = false;
	m->retries = 0;
	m->trouble[0] = m->paused_why[0] = '\0';
	m->due_ns = 0;
	m->throttled = NULL;
	m->waited = m->idle = m->backed_up = false;
	m->wanted = r->control;
	asides_forget(m);
	m->m = (struct migration){.r = r,
				  .p = r->p,
				  .capture = &m->capture,
				  .resumed = r->state == JOB_RUNNING,
				  .version_ms = clock_wall_ms()};
	if (r->control.paused && r->p.restarts >= RESTARTS_MAX)
		pause_for_restarts(m);
	if (r->state == JOB_QUEUED) {
		r->state = JOB_RUNNING;
		r->started_ms = clock_wall_ms();
		m->unsaved = true;
	}
	pacer_init(&m->pacer, (uint64_t)m->config.hold_ms * NS_PER_MS, m->config.batch_rows, m->config.duty_percent);
	if (r->p.phase != PHASE_RETIRE && r->p.phase != PHASE_ABORT && *r->table)
		migrator_protect(m);
	migrator_tell(m, r, "started");
}

/* Phases in which nothing is seen of the change yet. */
static bool abortable(enum phase p)
{
	return p < PHASE_RETIRE || p == PHASE_INSTANT || p == PHASE_EXACT || p == PHASE_RESTART;
}

static void take_abort(struct migrator *m)
{
	/* This version is there to stay; the run ends before the next one. */
	if (migrator_more_versions(m->m.r) && m->m.p.phase == PHASE_RETIRE)
		return;
	m->abort_asked = false;
	if ((migrator_more_versions(m->m.r) && m->m.p.phase == PHASE_END) || abortable(m->m.p.phase))
		give_up(m, errc_code(ERRC_ABORTED), errc_name(ERRC_ABORTED), ABORTED_TEXT);
	else if (m->m.p.phase != PHASE_ABORT && !(m->m.p.phase == PHASE_END && m->m.r->error_code))
		answer_aborters(m, migrator_current(m));
}

static void end_job(struct migrator *m)
{
	struct record *r = m->m.r;
	r->p = m->m.p;
	r->state = !r->error_code ? JOB_DONE : r->error_code == errc_code(ERRC_ABORTED) ? JOB_ABORTED : JOB_FAILED;
	r->ended_ms = clock_wall_ms();
	m->ended = true;
	m->unsaved = true;
}

/* They are written by those who set them. */
static void take_controls(struct migrator *m, struct record *r)
{
	bool paused = r->control.paused != 0;

	r->control = m->wanted;
	migrator_tell_paused(m, r, paused);
}

void migrator_pump(struct migrator *m)
{
	asides_pump(m);
	if (m->busy || asides_in_the_way(m))
		return;
	if (m->closing) {
		migrator_close_now(m);
		return;
	}
	if (!m->running) {
		struct entry *e = migrator_current(m);
		if (!e)
			return;
		start(m, e);
	}
	struct record *r = m->m.r;
	take_controls(m, r);
	migrator_tell_progress(m);
	if (asides_failed(m, &m->step.err)) {
		m->step.ran = true;
		m->step.save = false;
		step_failed_here(m);
	}
	if (migrator_before_over(m))
		return;
	if (m->abort_asked && !m->ended)
		take_abort(m);
	if (m->m.p.phase == PHASE_END && !m->ended && !migrator_next_version(m))
		end_job(m);
	uint64_t again_ns = 0;
	if (m->unsaved) {
		if (m->trouble[0] && m->due_ns > clock_now_ns()) {
			wait_until(m, m->due_ns);
			return;
		}
		m->unsaved = false;
		r->p = m->m.p;
		submit(m, true);
		return;
	}
	if (r->control.paused && m->m.p.phase != PHASE_ABORT)
		return;
	const char *why = migrator_backs_up(m, &again_ns) ? m->why : migrator_held_back(m, &again_ns);
	if (why) {
		m->throttled = why;
		m->waited = true;
		wait_until(m, again_ns);
		return;
	}
	if (!m->waited)
		m->throttled = NULL;
	m->waited = false;
	if (asides_first(m, &again_ns)) {
		wait_until(m, again_ns);
		return;
	}
	migrator_set_pace(m);
	submit(m, false);
}
