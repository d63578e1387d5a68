/*
 * READY: the shadow is whole, indexed and verified; what remains is in the dirty-key log.
 *
 * Entered: as VERIFYING leaves it. Dirty keys are purged, copied again and compared, in slices, until few are left;
 * with a postponed cut-over for as long as it takes. Left: as entered, with few dirty keys.
 */
#include "daemon/lib/clock.h"
#include "daemon/migrate/migration.h"

enum step_outcome ready_step(struct migration *m, struct db *db, struct error *err)
{
	bool moved = false, left = false, again = false;
	int64_t count = 0;

	m->next = m->p;
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	if (moved)
		return step_restart(m, db, step_moved_why(m), err);
	if (dirty_purge(m, db, &left, err) != 0)
		return step_failed(m, db);
	if (!left && dirty_recopy(m, db, &again, err) != 0)
		return step_failed(m, db);
	if (dirty_count(m, db, READY_KEYS + 1, &count, err) != 0)
		return step_failed(m, db);
	if (count <= READY_KEYS && !m->allow.postpone)
		m->next.phase = PHASE_SWAP;
	/* Whether too many have come since then SWAP will see itself. */
	m->dirty_left = m->next.phase == PHASE_SWAP ? READY_KEYS + 1 : count;
	/* An idle wait writes nothing: no commit, no WAL. */
	if (m->next.phase == m->p.phase && m->step_rows == 0) {
		db_rollback(db);
		return STEP_IDLE;
	}
	if (step_commit(m, db, err) != 0)
		return step_failed(m, db);
	return STEP_MORE;
}
