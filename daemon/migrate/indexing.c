/*
 * INDEXING: the target's indexes are built on the shadow, under names of their own.
 *
 * Entered: all rows are copied, every change is captured, the shadow has no index but those of its PRIMARY KEY and UNIQUE.
 * In between: the first `indexes` of the plan exist. Left: all of them do. Dirty keys only gather meanwhile.
 *
 * build_index() is the one place that makes an index: SQLite's own CREATE INDEX, which holds the writer for as long as it
 * takes.
 */
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/migration.h"

static int build_index(struct db *db, const struct plan_index *x, struct error *err)
{
	return db_exec(db, err, "%s", x->shadow_sql);
}

/* A UNIQUE index failed: names the duplicates. */
static enum step_outcome duplicates(struct migration *m, struct db *db, const struct plan_index *x, struct error *err)
{
	if (offenders_duplicates(m, db, x->name, err) == 0) {
		if (m->offenders.count == 0) {
			/* NULLs aside there is none: an expression or partial index, whose rows have no simple name. */
			m->offenders.count = 1;
		}
		offenders_error(m, err);
	}
	return step_failed(m, db);
}

enum step_outcome index_step(struct migration *m, struct db *db, struct error *err)
{
	struct error why = {0};
	bool moved = false, left = false;

	m->next = m->p;
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	if (moved)
		return step_restart(m, db, "another process wrote the database", err);
	if (m->next.indexes < (int64_t)m->plan->nindexes) {
		const struct plan_index *x = &m->plan->indexes[m->next.indexes];
		/* Without the rows that clients have changed the shadow is an image of the source: a duplicate is a real one. */
		if (x->unique && dirty_purge(m, db, INT64_MAX, &left, err) != 0)
			return step_failed(m, db);
		if (!left) {
			if (build_index(db, x, &why) != 0) {
				if (offending(&why)) {
					error_clear(&why);
					return duplicates(m, db, x, err);
				}
				error_move(err, &why);
				return step_failed(m, db);
			}
			m->next.indexes++;
		}
	}
	if (m->next.indexes == (int64_t)m->plan->nindexes) {
		m->next.phase = PHASE_VERIFY;
		m->next.verified_rows = 0;
		m->has_verified = false;
	}
	if (step_commit(m, db, err) != 0)
		return step_failed(m, db);
	return STEP_MORE;
}
