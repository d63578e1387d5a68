/*
 * ADOPT: the sidecar becomes the index, in one transaction whose time does not depend on the table's size.
 *
 * Entered: the sidecar was compared with the table in full and has been kept right since, but for the last changes. In
 * the transaction these are applied, and a UNIQUE index is asked for rows that repeat a key; then a schema edit makes
 * the sidecar an index of the table. Left: SQLite maintains it from here on; nothing of the job is in the file but its
 * row in the catalog.
 */
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/live_index.h"

/* Turns it may take to apply the last changes. */
#define ADOPT_TURNS 2

/* The last changes, for as long as the turn lasts, which is a longer one here. */
static int last_changes(struct migration *m, struct db *db, bool *ret_left, struct error *err)
{
	m->allow.hold_ns *= ADOPT_TURNS;
	return live_apply(m, db, ret_left, err) == 0 && (*ret_left || live_settle(m, db, err) == 0) ? 0 : -1;
}

static int check_fingerprint(struct migration *m, struct db *db, struct error *err)
{
	struct pool pool = {0};
	const char *now = NULL;
	int rc = schema_fingerprint(&pool, db_handle(db), m->plan->table, &now, err);

	if (rc == 0 && strcmp(now, m->r->fingerprint) != 0)
		rc = error_set(err, ERRC_FAILED_MIGRATION,
			       "the schema of %.100s was changed by another program while the migration ran",
			       m->plan->table);
	pool_free(&pool);
	return rc;
}

static enum step_outcome put_back(struct migration *m, struct db *db, uint64_t at)
{
	m->live->applied.at = at;
	return step_failed(m, db);
}

/* There is more to apply: it was not the time yet. */
static enum step_outcome not_yet(struct migration *m, struct db *db, uint64_t at, struct error *err)
{
	m->next.phase = PHASE_CATCH_UP;
	m->dirty_left = READY_KEYS + 1;
	return step_commit(m, db, err) == 0 ? STEP_MORE : put_back(m, db, at);
}

enum step_outcome adopt_step(struct migration *m, struct db *db, struct error *err)
{
	struct live_index *live = m->live;
	uint64_t start = clock_now_ns(), at = live->applied.at;
	bool moved = false, left = false;

	m->next = m->p;
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	if (moved)
		return step_restart(m, db, "another process wrote the database", err);
	if (index_log_lost(live->log))
		return live_lost(m, db, err);
	if (last_changes(m, db, &left, err) != 0 || check_fingerprint(m, db, err) != 0)
		return put_back(m, db, at);
	if (left || m->allow.postpone)
		return not_yet(m, db, at, err);
	if (!live->compared) {
		/* More rows have come to repeat keys than were kept: it is compared once more. */
		db_rollback(db);
		live->applied.at = at;
		m->p.phase = PHASE_CATCH_UP;
		return STEP_MORE;
	}
	db_forget_statements(db);
	if (index_build_adopt(m->index, db, err) != 0)
		return put_back(m, db, at);
	m->next.phase = PHASE_END;
	m->next.swap_us = (int64_t)((clock_now_ns() - start) / NS_PER_US);
	if (step_commit(m, db, err) != 0)
		return put_back(m, db, at);
	m->p.swap_us = (int64_t)((clock_now_ns() - start) / NS_PER_US);
	log_info("migrate", "m%lld %s: index %s adopted in %.1f ms", (long long)m->r->id, m->r->table,
		 live->target->name, (double)m->p.swap_us / 1000.0);
	live_stop(m, db);
	index_build_free(m->index);
	m->index = NULL;
	return STEP_MORE;
}
