/*
 * Opening and closing the migrator: the catalog is read and capture is on again before any client can write; at the end
 * the observer goes before the memory it points into.
 */
#include "daemon/migrate/migrator.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/history.h"
#include "daemon/migrate/migrator_internal.h"
#include "daemon/migrate/partial.h"
#include "daemon/migrate/rehearsal.h"
#include "daemon/migrate/upkeep.h"
#include "daemon/migrate/version.h"

void migrator_set_ended(struct record *r, enum job_state state, int64_t code, const char *name, const char *text)
{
	r->state = state;
	r->ended_ms = clock_wall_ms();
	r->error_code = code;
	record_set(&r->error_name, name);
	record_set(&r->error_text, text);
}

void migrator_to_history(struct migrator *m, struct record *r)
{
	if (m->nhistory == HISTORY_MAX) {
		record_free(m->history[0]);
		memmove(m->history, m->history + 1, (HISTORY_MAX - 1) * sizeof(m->history[0]));
		m->nhistory--;
	}
	m->history[m->nhistory++] = r;
	m->jobs_ended[r->state]++;
	m->rows_before += r->p.rows_done;
}

struct entry *migrator_queue(struct migrator *m, struct record *r)
{
	struct entry *e = xcalloc(1, sizeof(*e));
	e->r = r;
	list_init(&e->waiters);
	list_init(&e->aborters);
	list_push(&m->entries, &e->node);
	return e;
}

struct opening {
	struct job job;
	struct migrator *m;
	bool done;
	int rc;
	struct error err;
};

static void loaded(void *arg, struct record *r)
{
	struct migrator *m = arg;
	if (r->state == JOB_QUEUED || r->state == JOB_RUNNING)
		migrator_queue(m, r);
	else
		migrator_to_history(m, r);
}

/* A phase to go on with after a restart. */
static void resume_phase(struct record *r)
{
	struct progress *p = &r->p;

	if (!r->shadow && p->phase < PHASE_RETIRE) {
		/* Nothing but the look at the rows was done, and that is over. */
		p->phase = PHASE_PLAN;
	} else if (r->shadow && p->phase >= PHASE_WATCH && p->phase <= PHASE_ADOPT) {
		/* What clients changed was not written down. */
		p->phase = PHASE_RESTART;
	} else if (p->collecting) {
		/* The shadow has gaps where rows did not fit. */
		p->phase = PHASE_RESTART;
		p->collecting = 0;
	} else if (p->phase == PHASE_READY || p->phase == PHASE_SWAP || p->phase == PHASE_VERIFY) {
		/* What happened while no daemon ran is unknown: everything is compared again. */
		p->phase = PHASE_VERIFY;
		p->verified_rows = 0;
	}
}

/* Capture is on again before any client can write. */
static int resume_capture(struct migrator *m, struct db *db, struct record *r, struct error *err)
{
	struct pool pool = {0};
	struct plan *plan = NULL;
	struct error why = {0};
	enum phase p = r->p.phase;
	int64_t lost = 0;

	if (p != PHASE_BACKFILL && p != PHASE_INDEX && p != PHASE_VERIFY)
		return 0;
	int rc = plan_resume(&pool, db_handle(db), r->table, r->shadow, &plan, &why);
	if (rc != 0 && why.code > 0) {
		/* SQLite could not read it: without capture no client may write. */
		error_move(err, &why);
		pool_free(&pool);
		return -1;
	}
	if (rc != 0) {
		/* Gone: the plan will say so, and the job fails. */
		log_warning("migrate", "m%lld %s: %s", (long long)r->id, r->table, why.message);
	} else {
		capture_start(&m->capture, db, r->id, plan);
		capture_border(&m->capture, r->p.has_cursor != 0, r->p.cursor);
	}
	rc = db_int(db, &lost, err, "SELECT count(*) FROM main._alterd_dirty WHERE job=%lld AND gone=%d",
		    (long long)r->id, CAPTURE_LOST);
	m->capture.lost = lost != 0;
	error_clear(&why);
	pool_free(&pool);
	return rc;
}

/* The schema's version as the history has it. */
static int read_version(struct migrator *m, struct db *db, struct error *err)
{
	struct pool pool = {0};
	struct history history = {0};
	struct partial partial = {0};
	int rc = history_read(&pool, db_handle(db), &history, err);

	m->version = history.version;
	m->fresh = history.empty && history.n == 0;
	if (rc == 0)
		rc = partial_read(&pool, db_handle(db), false, &partial, err);
	m->partial = (struct partial_place){partial.version, partial.done, partial.total};
	pool_free(&pool);
	return rc;
}

static void open_run(struct job *job, struct db *db)
{
	struct opening *o = CONTAINER_OF(job, struct opening, job);
	struct migrator *m = o->m;

	o->rc = -1;
	if (catalog_open(db, &o->err) != 0 || catalog_load(db, loaded, m, &o->err) != 0 ||
	    read_version(m, db, &o->err) != 0)
		return;
	struct entry *e = migrator_current(m);
	if (e && e->r->state == JOB_RUNNING) {
		resume_phase(e->r);
		if (resume_capture(m, db, e->r, &o->err) != 0)
			return;
	}
	o->rc = 0;
}

static void open_done(struct mail *mail)
{
	CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct opening, job)->done = true;
}

static void keep_alive(uv_timer_t *timer) { (void)timer; }

static void forget_all(struct migrator *m)
{
	for (struct list_node *n; (n = list_pop(&m->entries));) {
		struct entry *e = LIST_ENTRY(n, struct entry, node);
		record_free(e->r);
		free(e);
	}
	for (size_t i = 0; i < m->nhistory; i++)
		record_free(m->history[i]);
	live_free(m->m.live);
	index_build_free(m->m.index);
	version_forget(&m->m.version);
	pool_free(&m->m.pool);
	offenders_free(&m->m.offenders);
	migration_forget_keys(&m->m);
	error_clear(&m->step.err);
	error_clear(&m->verdict);
	startup_free(m->startup);
	free(m->pending);
	free(m->problems);
	capture_free(&m->capture);
	backups_free(m->backups);
	upkeep_free(m->upkeep);
	error_clear(&m->before_failed);
}

static void timer_closed(uv_handle_t *handle)
{
	struct migrator *m = handle->data;
	void (*closed)(void *arg) = m->closed;
	void *arg = m->closed_arg;

	migrator_tell_close(m);
	forget_all(m);
	free(m);
	if (closed)
		closed(arg);
}

static void unobserve_run(struct job *job, struct db *db)
{
	capture_stop(&CONTAINER_OF(job, struct errand, job)->owner->capture, db);
}

static void unobserve_done(struct mail *mail)
{
	struct errand *step = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct errand, job);
	uv_close((uv_handle_t *)&step->owner->timer, timer_closed);
}

/* The observer points into the migrator: it goes first, on the writer. */
void migrator_close_now(struct migrator *m)
{
	if (m->busy || asides_busy(m) || !list_empty(&m->alters) || !list_empty(&m->letters) ||
	    !list_empty(&m->file_tasks) || !list_empty(&m->advising) || m->schema.busy || backups_busy(m->backups) ||
	    upkeep_busy(m->upkeep) || uv_is_closing((uv_handle_t *)&m->timer))
		return;
	m->busy = true;
	m->step.job = (struct job){.mail = {.deliver = unobserve_done},
				   .run = unobserve_run,
				   .class = JOB_BACKGROUND,
				   .deadline_ns = CLOCK_NEVER};
	store_submit_writer(m->s, &m->step.job);
}

int migrator_open(struct store *s, uv_loop_t *loop, const struct migrator_config *config, struct migrator **ret,
		  struct error *err)
{
	struct migrator *m = xcalloc(1, sizeof(*m));
	struct opening o = {.m = m};

	*m = (struct migrator){.s = s, .loop = loop, .config = *config};
	rehearsal_clean(m);
	migrator_tell_open(m);
	list_init(&m->entries);
	list_init(&m->alters);
	list_init(&m->letters);
	list_init(&m->file_tasks);
	list_init(&m->advising);
	m->step.owner = m;
	m->backups = backups_open(s, config);
	m->upkeep = upkeep_open(m);
	capture_init(&m->capture);
	uv_timer_init(loop, &m->timer);
	m->timer.data = m;
	o.job = (struct job){
		.mail = {.deliver = open_done}, .run = open_run, .class = JOB_BACKGROUND, .deadline_ns = CLOCK_NEVER};
	store_submit_writer(s, &o.job);
	/* A timer far away, so that the loop waits for the answer instead of finding nothing to do. */
	uv_timer_start(&m->timer, keep_alive, 3600 * 1000, 0);
	while (!o.done)
		uv_run(loop, UV_RUN_ONCE);
	uv_timer_stop(&m->timer);
	uv_unref((uv_handle_t *)&m->timer);
	if (o.rc != 0) {
		error_move(err, &o.err);
		m->closed = NULL;
		uv_close((uv_handle_t *)&m->timer, timer_closed);
		return -1;
	}
	*ret = m;
	const struct entry *e = migrator_current(m);
	if (e && e->r->state == JOB_RUNNING)
		record_log(INFO, e->r, JOB_PHASE, "m%lld %s: going on in %s", (long long)e->r->id, e->r->table,
			   phase_wire(e->r->p.phase));
	/* What the catalog told of is no job of this start. */
	memset(m->jobs_ended, 0, sizeof(m->jobs_ended));
	m->rows_before = 0;
	migrator_look_at_folder(m);
	migrator_pump(m);
	return 0;
}

static void backups_idle(void *arg) { migrator_pump(arg); }

void migrator_close(struct migrator *m, void (*closed)(void *arg), void *arg)
{
	PRE(!m->closing);
	m->closing = true;
	m->closed = closed;
	m->closed_arg = arg;
	uv_timer_stop(&m->timer);
	if (m->busy)
		store_stop(m->s, &m->step.job, STOP_SHUTDOWN);
	asides_stop(m, STOP_SHUTDOWN);
	schema_watch_set(&m->schema, false);
	if (m->rehearsal)
		rehearsal_stop(m->rehearsal);
	migrator_advise_forget(m, NULL);
	backups_stop(m->backups, backups_idle, m);
	upkeep_stop(m->upkeep);
	migrator_pump(m);
}

void migrator_reconfigure(struct migrator *m, const struct migrator_config *config)
{
	m->config = *config;
	backups_reconfigure(m->backups, config);
	migrator_pump(m);
}
