/*
 * PREPARING: plan, pre-flight, shadow.
 *
 * PLAN    entered: nothing of this job is in the file but its row in the catalog. Left: the same; the plan is in
 * memory. Run again after a restart in any later phase, where the source must be as it was. CHECK   entered and left:
 * the same. Every row was looked at once; none was found that the new table cannot hold. CREATE  left: the shadow
 * exists and is empty, the catalog names it, and capture is installed. Nothing is copied, so no key is captured yet.
 */
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/keep.h"
#include "daemon/migrate/migration.h"
#include "daemon/migrate/version.h"

/* Rows a pre-flight step looks at: some 10 ms of a reader lane, so that its snapshot is short. */
#define CHECK_ROWS 20000

static int make_plan(struct migration *m, struct db *db, struct error *err)
{
	struct plan_options options = {.allow_data_loss = m->r->allow_data_loss != 0, .shadow = m->r->shadow};

	pool_free(&m->pool);
	m->plan = NULL;
	struct plan *plan = NULL;
	if (plan_statement(&m->pool, db_handle(db), m->r->sql, &options, &plan, err) != 0)
		return -1;
	if (m->r->fingerprint && strcmp(m->r->fingerprint, plan->source->fingerprint) != 0)
		return error_set(err, ERRC_FAILED_MIGRATION,
				 "the schema of %.100s was changed by another program while the migration ran",
				 plan->table);
	m->plan = plan;
	if (plan->strategy == STRATEGY_REBUILD)
		texts_make(m);
	return 0;
}

static enum phase first_phase(const struct plan *plan)
{
	switch (plan->strategy) {
	case STRATEGY_NONE:
		return PHASE_END;
	case STRATEGY_INSTANT:
		return PHASE_INSTANT;
	case STRATEGY_DROP:
		return PHASE_DROP;
	case STRATEGY_INDEX:
		return PHASE_WATCH;
	case STRATEGY_CHECK:
		return PHASE_CREATE;
	case STRATEGY_REBUILD:
		break;
	}
	return PHASE_CHECK;
}

enum step_outcome plan_step(struct migration *m, struct db *db, struct error *err)
{
	m->next = m->p;
	if (db_begin(db, err) != 0)
		return STEP_FAILED;
	bool begins = m->p.phase == PHASE_PLAN, of_run = begins && m->r->run.steps > 0;
	bool finds = of_run && !m->version.taken, exact = of_run && m->version.exact;
	int rc = finds ? version_find(m, db, err) : exact ? 0 : make_plan(m, db, err);
	if (rc == 0 && of_run && !finds && !exact) {
		rc = version_consent(m, db, err);
		/* Nothing is to be done but to record it. */
		exact = m->plan->strategy == STRATEGY_NONE;
	}
	db_rollback(db);
	if (rc != 0)
		return STEP_FAILED;
	if (begins && !finds) {
		m->next.phase = exact ? PHASE_EXACT : first_phase(m->plan);
		m->has_checked = false;
		m->next.rows_total = 0;
	}
	m->p = m->next;
	return STEP_MORE;
}

/* The next rows of the source, to be looked at: `what` of up to CHECK_ROWS of them, from the ?n+2nd on. */
static const char *chunk_sql(struct migration *m, struct pool *pool, const char *what, const char *limit)
{
	const struct rowkey_shape *key = &m->plan->source_key;
	const char *table = quote_name(pool, m->plan->table);
	struct rowkey_rows rows;

	if (!m->has_checked)
		return pool_printf(pool, "SELECT %s FROM main.%s %s ORDER BY %s LIMIT %s", what, table, key->access,
				   rowkey_order(pool, key, "", false), limit);
	rowkey_behind(pool, key, table, NULL, 1, &rows);
	return pool_printf(pool, "SELECT %s FROM %s WHERE %s%s LIMIT %s", what, rows.from, rows.where, rows.order,
			   limit);
}

/* How many rows there are in the chunk, and whether anything in them has to be refused. */
static int look_at(struct migration *m, struct db *db, struct pool *pool, int64_t *ret_rows, bool *ret_bad,
		   struct error *err)
{
	const char *condition = rules_condition(m, pool);
	const char *what = pool_printf(pool, "%s AS b", condition ? condition : "0");
	const char *sql = pool_printf(pool, "SELECT count(*),total(b) FROM (%s)",
				      chunk_sql(m, pool, what, pool_printf(pool, "%d", CHECK_ROWS)));
	sqlite3_stmt *stmt = NULL;

	int rc = db_prepare(db, sql, &stmt, err);
	if (rc == 0) {
		if (m->has_checked)
			rowkey_bind(&m->checked, &m->plan->source_key, stmt, 1);
		rc = db_step(db, stmt, err);
	}
	if (rc == 1) {
		*ret_rows = sqlite3_column_int64(stmt, 0);
		*ret_bad = sqlite3_column_double(stmt, 1) > 0;
	}
	db_done(db, stmt);
	return rc == 1 ? 0 : -1;
}

/* The key of the chunk's last row. */
static int last_of(struct migration *m, struct db *db, struct pool *pool, int64_t rows, struct rowkey *ret,
		   struct error *err)
{
	const struct rowkey_shape *key = &m->plan->source_key;
	size_t n = m->has_checked ? key->n : 0;
	const char *sql = chunk_sql(m, pool, rowkey_list(pool, key, ""), pool_printf(pool, "1 OFFSET ?%zu", n + 1));
	sqlite3_stmt *stmt = NULL;

	int rc = db_prepare(db, sql, &stmt, err);
	if (rc == 0) {
		if (m->has_checked)
			rowkey_bind(&m->checked, key, stmt, 1);
		sqlite3_bind_int64(stmt, (int)n + 1, rows - 1);
		rc = db_step(db, stmt, err);
	}
	if (rc == 1)
		rowkey_read(ret, key, stmt, 0);
	db_done(db, stmt);
	return rc == 1 ? 0 : -1;
}

static int check_chunk(struct migration *m, struct db *db, int64_t *ret_rows, struct error *err)
{
	struct pool pool = {0};
	struct rowkey last = {0};
	bool bad = false;

	int rc = look_at(m, db, &pool, ret_rows, &bad, err);
	if (rc == 0 && *ret_rows > 0)
		rc = last_of(m, db, &pool, *ret_rows, &last, err);
	if (rc == 0 && bad)
		rc = rules_check(m, db, m->has_checked ? &m->checked : NULL, &last, err);
	if (rc == 0 && *ret_rows > 0) {
		rowkey_copy(&m->checked, &last);
		m->has_checked = true;
	}
	rowkey_free(&last);
	pool_free(&pool);
	return rc;
}

enum step_outcome check_step(struct migration *m, struct db *db, struct error *err)
{
	int64_t rows = 0;

	m->next = m->p;
	if (keep_register(db_handle(db), err) != 0 || db_begin(db, err) != 0)
		return STEP_FAILED;
	int rc = check_chunk(m, db, &rows, err);
	db_rollback(db);
	if (rc != 0)
		return STEP_FAILED;
	m->next.rows_total += rows;
	bool whole = m->plan->strategy == STRATEGY_CHECK;
	if (whole)
		m->next.verified_rows += rows;
	if (rows < CHECK_ROWS) {
		if (m->offenders.count > 0) {
			offenders_error(m, err);
			return STEP_FAILED;
		}
		m->next.rows_exact = 1;
		m->next.phase = whole ? PHASE_READY : PHASE_CREATE;
	}
	m->p = m->next;
	return STEP_MORE;
}

/* Nothing is copied, resp. looked at, yet. */
static void begin_progress(struct migration *m, bool copy)
{
	m->next.phase = copy ? PHASE_BACKFILL : PHASE_CHECK;
	m->next.has_cursor = 0;
	m->next.cursor = 0;
	m->next.rows_done = 0;
	m->next.indexes = 0;
	m->next.verified_rows = 0;
	m->next.collecting = 0;
	m->has_collected = m->has_seen = false;
	if (!copy) {
		m->has_checked = false;
		m->next.rows_total = 0;
	}
}

/* Capture and watch begin: with a shadow behind the copy, else at once. */
static void begin_capture(struct migration *m, struct db *db, bool copy)
{
	capture_start(m->capture, db, m->r->id, m->plan);
	capture_border(m->capture, !copy, INT64_MAX);
	m->watching = false;
	rules_watch(m);
	m->verified_watched = m->watching;
	if (copy)
		record_log(INFO, m->r, JOB_PHASE, "m%lld %s: copying into %s", (long long)m->r->id, m->r->table,
			   m->r->shadow);
	else
		log_info("migrate", "m%lld %s: looking at the rows", (long long)m->r->id, m->r->table);
}

/* A step taken again may find the shadow there: a commit that was told to have failed can be in the file. */
static int forget_shadow(struct migration *m, struct db *db, struct error *err)
{
	const struct plan *plan = m->plan;

	if (db_exec(db, err, "DROP TABLE IF EXISTS main.%s", quote_name(&m->pool, plan->shadow)) != 0)
		return -1;
	return plan->key_map ? db_exec(db, err, "DROP TABLE IF EXISTS main.%s", quote_name(&m->pool, plan->key_map))
			     : 0;
}

enum step_outcome create_step(struct migration *m, struct db *db, struct error *err)
{
	bool moved = false;
	const char *fingerprint = NULL;

	m->next = m->p;
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	/* The plan was made on a reader, before: it holds only if nobody has changed the table since. */
	if (schema_fingerprint(&m->pool, db_handle(db), m->plan->table, &fingerprint, err) != 0)
		return step_failed(m, db);
	if (strcmp(fingerprint, m->plan->source->fingerprint) != 0) {
		db_rollback(db);
		record_set(&m->r->fingerprint, NULL);
		m->plan = NULL;
		m->p.phase = PHASE_PLAN;
		return STEP_MORE;
	}
	bool copy = m->plan->shadow != NULL;
	if (copy && forget_shadow(m, db, err) != 0)
		return step_failed(m, db);
	record_set(&m->r->shadow, m->plan->shadow);
	record_set(&m->r->fingerprint, fingerprint);
	if ((copy && db_exec(db, err, "%s", index_can_build(m, db) ? m->plan->bare_sql : m->plan->shadow_sql) != 0) ||
	    (m->plan->key_map && db_exec(db, err, "%s", m->plan->key_map_sql) != 0))
		return step_failed(m, db);
	begin_progress(m, copy);
	struct record row = *m->r;
	row.p = m->next;
	if (catalog_save(db, &row, err) != 0 || step_commit(m, db, err) != 0)
		return step_failed(m, db);
	begin_capture(m, db, copy);
	return STEP_MORE;
}
