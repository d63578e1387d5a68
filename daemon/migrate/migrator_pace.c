/*
 * When the next step may be taken, how large it may be, and what the last one teaches.
 */
#include "daemon/lib/clock.h"
#include "daemon/migrate/migrator_internal.h"

void migrator_measure(struct migrator *m, const struct store_stats *st, bool clients)
{
	struct progress *p = &m->m.p;
	uint64_t held_ns = m->step.job.ended_ns - m->step.job.started_ns;
	int64_t held_us = (int64_t)(held_ns / NS_PER_US);

	m->due_ns = clock_now_ns();
	m->writes_seen = st->writes_total;
	if (!m->step.writer)
		return;
	p->longest_hold_us = held_us > p->longest_hold_us ? held_us : p->longest_hold_us;
	/* A client that wrote meanwhile waited behind this step, and no longer than it took. */
	if (clients && held_us > p->longest_wait_us)
		p->longest_wait_us = held_us;
	if (m->m.step_rows > 0 && m->m.step_ns > 0)
		pacer_learn(&m->pacer, m->m.step_rows, m->m.step_ns);
	m->due_ns += pacer_pause(&m->pacer, held_ns, clients);
	if (p->phase == PHASE_RETIRE || p->phase == PHASE_ABORT)
		m->due_ns += (uint64_t)m->config.retire_ms * NS_PER_MS;
}

void migrator_set_pace(struct migrator *m)
{
	const struct migrator_config *c = &m->config;
	const struct control *w = &m->wanted;
	pacer_limits(&m->pacer, (uint64_t)c->hold_ms * NS_PER_MS, w->batch_rows ? w->batch_rows : c->batch_rows,
		     w->duty_percent ? w->duty_percent : c->duty_percent);
	/* Who asked for a pace by name gets that one, whatever it leads to. */
	bool behind = phase_catches_up(m->m.p.phase) && !w->duty_percent && m->level_ns;
	pacer_press(&m->pacer, behind ? clock_now_ns() - m->level_ns : 0);
	m->m.allow = (struct allowance){
		.hold_ns = pacer_hold(&m->pacer),
		.batch_rows = m->pacer.batch_rows,
		.chunk_rows = m->pacer.chunk_rows,
		.postpone = w->postpone != 0,
		.full = store_get_config(m->s)->synchronous_full,
	};
}

const char *migrator_held_back(struct migrator *m, uint64_t *ret_again_ns)
{
	struct store_stats st;
	uint64_t now = clock_now_ns();

	*ret_again_ns = now + MIGRATOR_POLL_NS;
	if (m->due_ns > now) {
		*ret_again_ns = m->due_ns;
		return m->trouble[0] ? m->trouble : "clients are writing";
	}
	store_stats(m->s, &st);
	return st.throttled;
}

struct report_live migrator_live(const struct migrator *m)
{
	const struct record *r = m->m.r;
	uint64_t now = clock_now_ns();
	int64_t left = r->p.phase == PHASE_BACKFILL ? r->p.rows_total - r->p.rows_done
		       : r->p.phase == PHASE_VERIFY ? r->p.rows_total - r->p.verified_rows
						    : -1;
	return (struct report_live){
		.rows_per_s = pacer_rate(&m->pacer, now),
		.eta_s = left >= 0 ? pacer_eta(&m->pacer, now, left) : -1,
		.throttled = r->control.paused ? (m->paused_why[0] ? m->paused_why : NULL) : m->throttled,
		.batch_rows = m->wanted.batch_rows ? m->wanted.batch_rows : m->config.batch_rows,
	};
}
