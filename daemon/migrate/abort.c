/*
 * ABORT and RESTART: the shadow is given up, before the swap.
 *
 * Entered: the source is as clients know it; the shadow may exist in any state of its making. First it loses its
 * indexes' places (disown), then it is emptied and dropped as RETIRING does it. ABORT leaves nothing of the job but its
 * row in the catalog; RESTART goes on to PLAN, as if the job had just begun.
 */
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/migration.h"

/* Takes the shadow's indexes away from it, if it still has any; WITHOUT ROWID it becomes one of their kind itself. */
static int give_up(struct migration *m, struct db *db, struct error *err)
{
	struct pool pool = {0};
	struct error why = {0};
	int64_t trees = 0;
	int rc = db_int(db, &trees, err,
			"SELECT (SELECT count(*) FROM main.sqlite_schema WHERE type='index' AND tbl_name=%Q)+"
			"(SELECT count(*) FROM pragma_table_list(%Q) WHERE schema='main' AND wr)",
			m->r->shadow, m->r->shadow);

	if (rc == 0 && trees > 0) {
		db_forget_statements(db);
		rc = db_schema_edit_begin(db, err);
		if (rc == 0) {
			rc = disown(db, &pool, m->r->shadow, err);
			if (db_schema_edit_end(db, &why) != 0 && rc == 0) {
				error_move(err, &why);
				rc = -1;
			}
			error_clear(&why);
		}
	}
	pool_free(&pool);
	return rc;
}

/* What an index build has made so far, in slices of its own. *ret_more: it is not all gone. */
static int give_up_indexes(struct migration *m, struct db *db, bool *ret_more, struct error *err)
{
	*ret_more = false;
	live_stop(m, db);
	index_build_free(m->index);
	m->index = NULL;
	/* Of CREATE INDEX the shadow is the sidecar of the table itself. */
	const char *table = live_is(m) ? m->r->table : m->r->shadow;
	return m->r->shadow ? index_build_abandon(db, table, m->allow.hold_ns, ret_more, err) : 0;
}

enum step_outcome abort_step(struct migration *m, struct db *db, struct error *err)
{
	bool moved = false, done = true, more = false;

	m->next = m->p;
	if (give_up_indexes(m, db, &more, err) != 0)
		return step_failed(m, db);
	if (more)
		return STEP_MORE;
	if (m->capture->table && m->capture->job == m->r->id)
		capture_stop(m->capture, db);
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	m->watching = false;
	if ((m->r->shadow && give_up(m, db, err) != 0) || retire_slice(m, db, &done, err) != 0)
		return step_failed(m, db);
	bool again = m->p.phase == PHASE_RESTART;
	if (!done)
		return step_commit(m, db, err) == 0 ? STEP_MORE : step_failed(m, db);
	m->next.phase = again ? PHASE_PLAN : PHASE_END;
	if (again) {
		int64_t restarts = m->next.restarts;
		m->next = (struct progress){.phase = PHASE_PLAN,
					    .restarts = restarts,
					    .swap_us = -1,
					    .longest_hold_us = m->p.longest_hold_us,
					    .longest_wait_us = m->p.longest_wait_us,
					    .run_ms = m->p.run_ms};
		if (db_exec(db, err, "UPDATE main._alterd_job SET shadow=NULL,fingerprint=NULL WHERE id=%lld",
			    (long long)m->r->id) != 0)
			return step_failed(m, db);
	}
	if (step_commit(m, db, err) != 0)
		return step_failed(m, db);
	if (again) {
		record_set(&m->r->shadow, NULL);
		record_set(&m->r->fingerprint, NULL);
		offenders_free(&m->offenders);
		migration_forget_keys(m);
		m->plan = NULL;
		m->resumed = false;
	}
	return STEP_MORE;
}
