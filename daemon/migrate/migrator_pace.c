/*
 * When the next step may be taken, how large it may be, and what the last one teaches.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/migrate/migrator_internal.h"

/* How long after its last write a client counts: a step is over before the next one comes. */
#define CLIENTS_NS (100 * NS_PER_MS)

void migrator_measure(struct migrator *m, const struct store_stats *st, bool clients)
{
	struct progress *p = &m->m.p;
	uint64_t held_ns = m->step.job.ended_ns - m->step.job.started_ns;
	int64_t held_us = (int64_t)(held_ns / NS_PER_US);

	m->due_ns = clock_now_ns();
	m->writes_seen = st->writes_total;
	if (clients)
		m->clients_ns = m->due_ns;
	m->pacer.clients = m->due_ns - m->clients_ns < CLIENTS_NS;
	if (!m->step.writer)
		return;
	p->longest_hold_us = held_us > p->longest_hold_us ? held_us : p->longest_hold_us;
	/* A client that wrote meanwhile waited behind this step, and no longer than it took. */
	if (clients && held_us > p->longest_wait_us)
		p->longest_wait_us = held_us;
	if (m->m.step_rows > 0 && m->m.step_ns > 0)
		pacer_learn(&m->pacer, m->m.step_rows, m->m.step_ns, held_ns);
	/* The loop's timer knows whole milliseconds: what is less is kept until it makes one. */
	m->owed_ns = clients ? m->owed_ns + pacer_pause(&m->pacer, held_ns, true) : 0;
	m->due_ns += m->owed_ns - m->owed_ns % NS_PER_MS;
	m->owed_ns %= NS_PER_MS;
	if (p->phase == PHASE_RETIRE || p->phase == PHASE_ABORT)
		m->due_ns += (uint64_t)m->config.retire_ms * NS_PER_MS;
}

/* What a person said, else the version's file, else the settings. */
static int64_t batch_rows(const struct migrator *m)
{
	int64_t file = m->m.r->run.file_batch;

	return m->wanted.batch_rows ? m->wanted.batch_rows : file ? file : m->config.batch_rows;
}

void migrator_set_pace(struct migrator *m)
{
	const struct migrator_config *c = &m->config;
	const struct control *w = &m->wanted;
	pacer_limits(&m->pacer, (uint64_t)c->hold_ms * NS_PER_MS, batch_rows(m),
		     w->duty_percent ? w->duty_percent : c->duty_percent);
	/* Who asked for a pace by name gets that one, whatever it leads to. */
	bool behind = m->m.dirty_left > READY_KEYS && !w->duty_percent && m->level_ns;
	pacer_press(&m->pacer, behind ? clock_now_ns() - m->level_ns : 0);
	m->m.allow = (struct allowance){
		.hold_ns = pacer_hold(&m->pacer),
		.batch_rows = m->pacer.batch_rows,
		.chunk_rows = m->pacer.chunk_rows,
		.press = m->pacer.press,
		.postpone = w->postpone != 0,
		.full = store_get_config(m->s)->synchronous_full,
		.mirror = c->mirror,
	};
}

/* Share of the writer's time that is left to the migration however long clients wait: else it would never end. */
#define CROWDED_PERCENT 5

/* Clients wait too long for the writer: the next step is put off, within bounds. */
static bool crowded(struct migrator *m, uint64_t now, uint64_t *ret_again_ns)
{
	uint64_t waited_ns = store_client_wait_ns(m->s);
	uint64_t held_ns = m->step.job.ended_ns - m->step.job.started_ns;
	uint64_t until_ns = m->step.job.ended_ns + held_ns * (100 - CROWDED_PERCENT) / CROWDED_PERCENT;

	/* Who asked for a pace by name gets that one; and one that cannot catch up would only take longer. */
	if (!m->config.client_wait_ms || m->wanted.duty_percent || m->pacer.press || !m->step.writer ||
	    now >= until_ns || waited_ns < (uint64_t)m->config.client_wait_ms * NS_PER_MS)
		return false;
	snprintf(m->why, sizeof(m->why), "clients wait %llu ms for the writer",
		 (unsigned long long)(waited_ns / NS_PER_MS));
	uint64_t soon_ns = now + 2 * NS_PER_MS;
	*ret_again_ns = soon_ns < until_ns ? soon_ns : until_ns;
	return true;
}

const char *migrator_held_back(struct migrator *m, uint64_t *ret_again_ns)
{
	uint64_t now = clock_now_ns();

	*ret_again_ns = now + MIGRATOR_POLL_NS;
	if (m->due_ns > now) {
		*ret_again_ns = m->due_ns;
		return m->trouble[0] ? m->trouble : m->idle ? "waiting for cutover" : "clients are writing";
	}
	if (crowded(m, now, ret_again_ns))
		return m->why;
	return store_throttled(m->s);
}

/* Errors that pass: the disk is full, memory is short, somebody stopped the job. */
bool migrator_passing(const struct error *err)
{
	/* Where it ran out in a scratch database only the text says so. */
	if (strstr(err->message, "out of memory"))
		return true;
	if (err->code <= 0)
		return false;
	switch (err->code & 0xff) {
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_NOMEM:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_INTERRUPT:
	case SQLITE_CANTOPEN:
	case SQLITE_PROTOCOL:
		return true;
	default:
		return false;
	}
}

/* Why nothing moves: what holds the next step back, or what keeps the one that is out from beginning. */
static const char *reason(const struct migrator *m, uint64_t now)
{
	if (m->m.r->control.paused)
		return m->paused_why;
	/* A reason stands until a step was taken without one: else it would flicker with every step. */
	if (m->throttled)
		return m->throttled;
	if (m->busy && !atomic_load(&m->step.begun) && now - m->step.job.submitted_ns > MIGRATOR_POLL_NS)
		return m->step.writer ? "clients are writing" : "clients are reading";
	return NULL;
}

struct report_live migrator_live(const struct migrator *m)
{
	const struct record *r = m->m.r;
	uint64_t now = clock_now_ns();
	int64_t left = r->p.phase == PHASE_BACKFILL || r->p.phase == PHASE_SORT ? r->p.rows_total - r->p.rows_done
		       : r->p.phase == PHASE_VERIFY                             ? r->p.rows_total - r->p.verified_rows
										: -1;
	const char *why = reason(m, now);
	return (struct report_live){
		.rows_per_s = pacer_rate(&m->pacer, now),
		.eta_s = left >= 0 ? pacer_eta(&m->pacer, now, left) : -1,
		.throttled = why && *why ? why : NULL,
		.batch_rows = batch_rows(m),
		.duty_percent = m->wanted.duty_percent ? m->wanted.duty_percent : m->config.duty_percent,
		.by_hand = (m->wanted.duty_percent && m->wanted.duty_percent < m->config.duty_percent) ||
			   (m->wanted.batch_rows && m->wanted.batch_rows < m->config.batch_rows),
	};
}
