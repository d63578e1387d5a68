/*
 * WATCH: the first step of CREATE INDEX beside live writes (live_index.h).
 *
 * Entered: nothing of this job is in the file but its row in the catalog, or what an earlier attempt left of a sidecar,
 * which goes first. Left: an empty sidecar exists, the catalog names it, and each change of the table from here on is
 * logged. Nothing has been read yet, so the log holds all that can make an entry stale.
 */
#include <string.h>

#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/index_state.h"
#include "daemon/migrate/live_index.h"

static int open_build(struct migration *m, struct db *db, struct error *err)
{
	struct buf dir = {0};

	index_temp_dir(db, &dir);
	struct index_build_config config = {.table = m->plan->table,
					    .sql = &m->plan->index_sql,
					    .count = 1,
					    .temp_dir = buf_cstr(&dir),
					    .live = true};
	int rc = index_build_open(db, &config, &m->index, err);
	buf_free(&dir);
	if (rc != 0)
		return -1;
	if (m->index->spec.count != 1 || !m->index->spec.one_sql)
		return error_set(err, ERRC_INTERNAL, "the index of %.100s cannot be read", m->plan->table);
	return live_new(m, db, err);
}

static int save(struct migration *m, struct db *db, const char *fingerprint, struct error *err)
{
	struct record *r = m->r;

	record_set(&r->shadow, m->live->target->sidecar);
	record_set(&r->fingerprint, fingerprint);
	m->next.phase = PHASE_SORT;
	m->next.rows_done = m->next.rows_total = m->next.verified_rows = 0;
	struct record row = *r;
	row.p = m->next;
	if (catalog_save(db, &row, err) == 0 && step_commit(m, db, err) == 0)
		return 0;
	record_set(&r->shadow, NULL);
	record_set(&r->fingerprint, NULL);
	return -1;
}

/* Nothing was begun: the next attempt makes it all anew. */
static enum step_outcome not_begun(struct migration *m, struct db *db)
{
	live_free(m->live);
	m->live = NULL;
	index_build_free(m->index);
	m->index = NULL;
	return step_failed(m, db);
}

enum step_outcome watch_step(struct migration *m, struct db *db, struct error *err)
{
	bool moved = false, begun = false, more = false;
	const char *fingerprint = NULL;

	m->next = m->p;
	if (index_build_begun(db, m->plan->table, &begun, err) != 0)
		return STEP_FAILED;
	if (begun) {
		if (index_build_abandon(db, m->plan->table, m->allow.hold_ns, &more, err) != 0)
			return step_failed(m, db);
		return STEP_MORE;
	}
	if (!index_build_available(db)) {
		error_set(err, ERRC_FAILED_MIGRATION, "this SQLite cannot build an index beside live writes");
		return STEP_FAILED;
	}
	if (step_begin(m, db, &moved, err) != 0 ||
	    schema_fingerprint(&m->pool, db_handle(db), m->plan->table, &fingerprint, err) != 0)
		return step_failed(m, db);
	/* The plan was made on a reader, before: it holds only if nobody has changed the table since. */
	if (strcmp(fingerprint, m->plan->source->fingerprint) != 0) {
		db_rollback(db);
		m->plan = NULL;
		m->p.phase = PHASE_PLAN;
		return STEP_MORE;
	}
	if (open_build(m, db, err) != 0 || save(m, db, fingerprint, err) != 0)
		return not_begun(m, db);
	index_watch_start(m->live->watch, db);
	log_info("migrate", "m%lld %s: building index %s", (long long)m->r->id, m->r->table, m->live->target->name);
	return STEP_MORE;
}
