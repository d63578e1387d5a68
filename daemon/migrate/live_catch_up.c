/*
 * CATCH_UP: what clients have changed is applied to the sidecar, in slices, until nothing is left of the log.
 *
 * Entered: the sidecar is full. Left: at that moment it is the index, entry by entry. The first time COMPARE looks
 * whether that is so, the second time ADOPT makes it so for good; with a postponed cut-over the log is applied for as
 * long as it takes.
 */
#include "daemon/migrate/live_index.h"

/* Where to, with nothing left of the log. */
static enum phase next_phase(const struct migration *m)
{
	if (!m->live->compared)
		return PHASE_COMPARE;
	return m->allow.postpone ? PHASE_CATCH_UP : PHASE_ADOPT;
}

enum step_outcome catch_up_step(struct migration *m, struct db *db, struct error *err)
{
	bool moved = false, left = false;
	struct live_index *live = m->live;
	uint64_t at = live->applied.at;

	m->next = m->p;
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	if (moved)
		return step_restart(m, db, "another process wrote the database", err);
	if (index_log_lost(live->log))
		return live_lost(m, db, err);
	if (live_apply(m, db, &left, err) != 0 || (!left && live_settle(m, db, err) != 0))
		return step_failed(m, db);
	if (!left)
		m->next.phase = next_phase(m);
	/* Whether nothing is left for ADOPT it will see itself. */
	if (left || m->next.phase == PHASE_ADOPT)
		m->dirty_left = READY_KEYS + 1;
	/* An idle wait writes nothing: no commit, no WAL. */
	if (m->next.phase == m->p.phase && live->applied.at == at) {
		db_rollback(db);
		return STEP_IDLE;
	}
	if (step_commit(m, db, err) != 0) {
		live->applied.at = at;
		return step_failed(m, db);
	}
	/* A comparison that has begun has yet to read it. */
	if (!left && !live->compare)
		index_log_drop(live->log, live->applied.at);
	return STEP_MORE;
}
