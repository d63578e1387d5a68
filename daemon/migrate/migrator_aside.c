/*
 * When pieces of work go on beside the steps: one reader lane scans and sorts for the indexes, another compares, both
 * behind the copy. While clients are at work it is one of the two at a time, with pauses like those of the steps.
 *
 * An aside that is busy holds on to plan, texts and index build. So beside it only steps run that leave those alone:
 * copying, and filling indexes. All else, the end of the job too, waits until none is busy.
 */
#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/migrator_internal.h"

/* Rows the copy must be ahead by. */
#define AHEAD_ROWS 5000

bool asides_busy(const struct migrator *m)
{
	for (int i = 0; i < ASIDE_COUNT; i++)
		if (m->asides[i].busy)
			return true;
	return false;
}

bool asides_beside(struct migrator *m)
{
	enum phase phase = m->m.p.phase;

	if (!m->m.plan || m->m.doubted)
		return false;
	return phase == PHASE_BACKFILL ||
	       (phase_indexes(phase) && m->m.index && (index_build_needs(m->m.index) & INDEX_NEEDS_WRITER));
}

bool asides_in_the_way(struct migrator *m)
{
	return asides_busy(m) && (m->closing || m->abort_asked || m->ended || !asides_beside(m));
}

bool asides_first(struct migrator *m, uint64_t *ret_again_ns)
{
	const struct aside *a = &m->asides[ASIDE_INDEX];

	*ret_again_ns = clock_now_ns() + MIGRATOR_POLL_NS;
	if (!a->busy && a->due_ns < *ret_again_ns)
		*ret_again_ns = a->due_ns;
	return phase_indexes(m->m.p.phase) && m->m.plan && m->m.index &&
	       index_build_needs(m->m.index) == INDEX_NEEDS_READER;
}

bool asides_failed(struct migrator *m, struct error *err)
{
	struct aside *a = &m->asides[ASIDE_INDEX];

	if (asides_busy(m) || !a->over || !error_is_set(&a->err))
		return false;
	error_clear(err);
	error_move(err, &a->err);
	index_failed(&m->m, err);
	return true;
}

void asides_share(struct migrator *m)
{
	m->shown = (struct migration){
		.r = m->m.r, .plan = m->m.plan, .texts = m->m.texts, .index = m->m.index, .live = m->m.live};
	if (m->m.index && m->m.p.phase == PHASE_INDEX)
		index_build_grown(m->m.index);
}

void asides_hand_over(struct migrator *m)
{
	const struct migration *compared = &m->asides[ASIDE_VERIFY].m;

	if (!compared->has_verified)
		return;
	m->m.has_verified = true;
	rowkey_copy(&m->m.verified, &compared->verified);
	m->m.p.verified_rows = m->m.r->p.verified_rows = compared->next.verified_rows;
}

void asides_forget(struct migrator *m)
{
	PRE(!asides_busy(m));
	for (int i = 0; i < ASIDE_COUNT; i++) {
		error_clear(&m->asides[i].err);
		m->asides[i] = (struct aside){.owner = m, .kind = (enum aside_kind)i};
	}
	m->shown = (struct migration){0};
}

void asides_stop(struct migrator *m, enum stop_reason why)
{
	for (int i = 0; i < ASIDE_COUNT; i++)
		if (m->asides[i].busy)
			store_stop(m->s, &m->asides[i].job, why);
}

static void run(struct job *job, struct db *db)
{
	struct aside *a = CONTAINER_OF(job, struct aside, job);

	a->ran = true;
	a->rc = aside_step(&a->m, a->kind, db, &a->err);
}

static void failed(struct aside *a)
{
	bool final = a->kind == ASIDE_INDEX && a->m.index && index_build_failed(a->m.index);

	if (!final && (!a->ran || migrator_passing(&a->err))) {
		a->due_ns = clock_now_ns() + pacer_backoff(a->retries++);
		error_clear(&a->err);
		return;
	}
	a->over = true;
	log_debug("migrate", "m%lld %s: %s", (long long)a->m.r->id, a->m.r->table, a->err.message);
	/* The comparison in VERIFYING will find the same, and say so; the index build's error is the job's. */
	if (a->kind == ASIDE_VERIFY)
		error_clear(&a->err);
}

static uint64_t client_work(struct migrator *m, const char **ret_throttled)
{
	struct store_stats st;

	store_stats(m->s, &st);
	*ret_throttled = st.throttled;
	return st.queries_total + st.writes_total + (uint64_t)st.writer_queue;
}

static void done(struct mail *mail)
{
	struct aside *a = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct aside, job);
	struct migrator *m = a->owner;
	const char *throttled;
	uint64_t work = client_work(m, &throttled);

	a->busy = false;
	a->due_ns = clock_now_ns() +
		    pacer_pause(&m->pacer, a->job.ended_ns - a->job.started_ns, work != m->aside_work_seen);
	m->aside_work_seen = work;
	if (a->ran && a->rc == 0) {
		a->retries = 0;
		a->rows += a->m.step_rows;
		/* The copy is whole, and nothing was left to compare. */
		if (a->kind == ASIDE_VERIFY && a->m.step_rows == 0 && phase_indexes(a->m.r->p.phase))
			a->over = true;
	} else {
		failed(a);
	}
	migrator_pump(m);
}

/* By the loop's copy of the progress: the step's own may be in use. */
static bool wanted(const struct migrator *m, const struct aside *a)
{
	const struct progress *p = &m->shown.r->p;
	struct index_build_progress built;

	if (a->busy || a->over || a->due_ns > clock_now_ns())
		return false;
	if (a->kind == ASIDE_VERIFY && p->phase == PHASE_SORT)
		return m->shown.live && p->rows_exact;
	if (a->kind == ASIDE_VERIFY)
		return m->shown.plan->copy_rowid && m->shown.plan->nrules == 0 && !p->collecting &&
		       (p->phase == PHASE_INDEX || p->rows_done >= a->rows + AHEAD_ROWS);
	if (!m->shown.index)
		return false;
	if (phase_indexes(p->phase))
		return index_build_needs(m->shown.index) & INDEX_NEEDS_READER;
	index_build_progress(m->shown.index, &built);
	return p->rows_done >= (int64_t)built.rows + AHEAD_ROWS;
}

void asides_pump(struct migrator *m)
{
	const char *throttled = NULL;

	if (!m->running || m->closing || m->ended || m->unsaved || m->abort_asked ||
	    (m->trouble[0] && m->due_ns > clock_now_ns()) || (m->busy && !m->step.beside) || !m->shown.plan)
		return;
	const struct record *r = m->shown.r;
	if (r->control.paused || m->wanted.paused || (r->p.phase != PHASE_BACKFILL && !phase_indexes(r->p.phase)))
		return;
	for (int i = 0; i < ASIDE_COUNT; i++) {
		struct aside *a = &m->asides[i];
		if (!wanted(m, a))
			continue;
		bool clients = client_work(m, &throttled) != m->aside_work_seen;
		/* The writer, on its way, lets the log begin anew: that fails where there is a snapshot. */
		if (throttled || (clients && asides_busy(m)) || (m->busy && store_wal_waits(m->s)))
			return;
		a->m.r = m->shown.r;
		a->m.plan = m->shown.plan;
		a->m.texts = m->shown.texts;
		a->m.index = m->shown.index;
		a->m.live = m->shown.live;
		a->job = (struct job){.mail = {.deliver = done}, .run = run};
		a->busy = true;
		a->ran = false;
		a->rc = -1;
		store_submit_reader(m->s, &a->job);
	}
}
