/*
 * SORT: the entries are read from the table, sorted, and appended to the sidecar (index_build.h).
 *
 * Entered: the sidecar is empty, changes are logged. Left: the sidecar holds an entry for each row that was there when
 * the reader came by, as it was then. Rows in the log may have changed before or since. Not durable on its own: after a
 * crash the build begins anew.
 */
#include "daemon/migrate/live_index.h"

bool sort_on_writer(const struct migration *m)
{
	unsigned needs = m->index ? index_build_needs(m->index) : 0;

	return needs == 0 || (needs & INDEX_NEEDS_WRITER);
}

enum step_outcome sort_step(struct migration *m, struct db *db, struct error *err)
{
	struct index_build_progress progress;
	int rc = 0;

	m->next = m->p;
	if (sort_on_writer(m) && index_build_needs(m->index) != 0)
		rc = index_build_fill(m->index, db, m->allow.hold_ns, err);
	else if (index_build_needs(m->index) != 0)
		rc = index_build_read(m->index, db, err);
	else
		m->next.phase = PHASE_CATCH_UP;
	if (rc != 0)
		return step_failed(m, db);
	index_build_progress(m->index, &progress);
	m->next.rows_total = (int64_t)progress.rows;
	m->next.rows_done = (int64_t)progress.keys_done;
	m->next.rows_exact = progress.scanned;
	m->p = m->next;
	return STEP_MORE;
}
