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

/* Rows a pre-flight step looks at: some 10 ms of a reader lane, so that its snapshot is short. */
#define CHECK_ROWS 20000

/* For comparing: a value that is lost is no error there. */
static const char *lenient_exprs(struct pool *pool, const struct plan *plan)
{
	struct buf out = {0};

	buf_puts(&out, quote_name(pool, plan->source_rowid));
	for (size_t i = 0; i < plan->ncolumns; i++)
		buf_printf(&out, ",%s", plan->columns[i].lenient);
	const char *text = pool_str(pool, buf_cstr(&out));
	buf_free(&out);
	return text;
}

void texts_make(struct migration *m)
{
	struct pool *pool = &m->pool;
	const struct plan *plan = m->plan;
	const char *source = quote_name(pool, plan->table), *shadow = quote_name(pool, plan->shadow);
	const char *sid = quote_name(pool, plan->source_rowid), *nid = quote_name(pool, plan->shadow_rowid);
	const char *lenient = lenient_exprs(pool, plan);
	struct texts *t = &m->texts;
	const char *filter = plan->filter ? pool_printf(pool, "(%s) AND ", plan->filter) : "";
	const char *copy = pool_printf(pool,
				       "INSERT OR ABORT INTO main.%s(%s) SELECT %s FROM main.%s NOT INDEXED WHERE %s%s",
				       shadow, plan->copy_columns, plan->copy_exprs, source, filter, sid);
	const char *of_source = pool_printf(pool, "SELECT %s FROM main.%s NOT INDEXED WHERE %s%s", lenient, source,
					    filter, sid);
	const char *of_shadow = pool_printf(pool, "SELECT %s FROM main.%s NOT INDEXED WHERE %s", plan->copy_columns,
					    shadow, nid);

	/* A LIMIT would count the rows that stay: those that go are passed over in one go, however many. */
	const char *rest = plan->filter ? pool_printf(pool, "AND %s<=?2 ORDER BY %s", sid, sid)
					: pool_printf(pool, "ORDER BY %s LIMIT ?2", sid);
	const char *piece = pool_printf(pool,
					"SELECT max(r),count(*) FROM (SELECT %s AS r FROM main.%s NOT INDEXED WHERE %s",
					sid, source, sid);
	t->copy_first = pool_printf(pool, "%s>=?1 %s", copy, rest);
	t->copy_next = pool_printf(pool, "%s>?1 %s", copy, rest);
	t->piece_first = pool_printf(pool, "%s>=?1 ORDER BY %s LIMIT ?2)", piece, sid);
	t->piece_next = pool_printf(pool, "%s>?1 ORDER BY %s LIMIT ?2)", piece, sid);
	t->copy_one = pool_printf(pool, "%s=?1", copy);
	t->delete_one = pool_printf(pool, "DELETE FROM main.%s WHERE %s=?1", shadow, nid);
	t->source_first = pool_printf(pool, "%s>=?1 ORDER BY %s LIMIT ?2", of_source, sid);
	t->source_range = pool_printf(pool, "%s>?1 ORDER BY %s LIMIT ?2", of_source, sid);
	t->shadow_first = pool_printf(pool, "%s>=?1 ORDER BY %s", of_shadow, nid);
	t->shadow_range = pool_printf(pool, "%s>?1 ORDER BY %s", of_shadow, nid);
	t->source_one = pool_printf(pool, "%s=?1", of_source);
	t->shadow_one = pool_printf(pool, "%s=?1", of_shadow);
	t->first_rowids = pool_printf(pool, "SELECT %s FROM main.%s NOT INDEXED WHERE %s>=?1 ORDER BY %s LIMIT ?2", sid,
				      source, sid, sid);
	t->next_rowids = pool_printf(pool, "SELECT %s FROM main.%s NOT INDEXED WHERE %s>?1 ORDER BY %s LIMIT ?2", sid,
				     source, sid, sid);
}

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
	int rc = make_plan(m, db, err);
	db_rollback(db);
	if (rc != 0)
		return STEP_FAILED;
	if (m->p.phase == PHASE_PLAN) {
		m->next.phase = first_phase(m->plan);
		m->has_checked = false;
		m->next.rows_total = 0;
	}
	m->p = m->next;
	return STEP_MORE;
}

/* One chunk: its number of rows, last rowid and whether anything in it has to be refused. */
static int check_chunk(struct migration *m, struct db *db, int64_t *ret_rows, struct error *err)
{
	struct pool pool = {0};
	const char *condition = offenders_condition(m, &pool);
	const char *rowid = quote_name(&pool, m->plan->source_rowid);
	const char *sql = pool_printf(
		&pool,
		"SELECT count(*),max(r),total(b) FROM (SELECT %s AS r,%s AS b FROM main.%s NOT INDEXED"
		" WHERE %s%s?1 ORDER BY %s LIMIT %d)",
		rowid, condition ? condition : "0", quote_name(&pool, m->plan->table), rowid,
		m->has_checked ? ">" : ">=", rowid, CHECK_ROWS);
	int64_t from = m->has_checked ? m->checked : INT64_MIN, last = from;
	sqlite3_stmt *stmt = NULL;

	int rc = db_prepare(db, sql, &stmt, err);
	bool bad = false;
	if (rc == 0) {
		sqlite3_bind_int64(stmt, 1, from);
		rc = db_step(db, stmt, err);
	}
	if (rc == 1) {
		*ret_rows = sqlite3_column_int64(stmt, 0);
		last = sqlite3_column_int64(stmt, 1);
		bad = sqlite3_column_double(stmt, 2) > 0;
	}
	db_done(db, stmt);
	pool_free(&pool);
	if (rc != 1)
		return -1;
	if (bad && offenders_check(m, db, !m->has_checked, from, last, err) != 0)
		return -1;
	if (*ret_rows > 0) {
		m->checked = last;
		m->has_checked = true;
	}
	return 0;
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
	if (rows < CHECK_ROWS) {
		if (m->offenders.count > 0) {
			offenders_error(m, err);
			return STEP_FAILED;
		}
		m->next.rows_exact = 1;
		m->next.phase = PHASE_CREATE;
	}
	m->p = m->next;
	return STEP_MORE;
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
		m->plan = NULL;
		m->p.phase = PHASE_PLAN;
		return STEP_MORE;
	}
	if (db_exec(db, err, "%s", m->plan->shadow_sql) != 0)
		return step_failed(m, db);
	record_set(&m->r->shadow, m->plan->shadow);
	record_set(&m->r->fingerprint, fingerprint);
	m->next.phase = PHASE_BACKFILL;
	m->next.has_cursor = 0;
	m->next.cursor = 0;
	m->next.rows_done = 0;
	m->next.indexes = 0;
	m->next.verified_rows = 0;
	m->next.collecting = 0;
	struct record row = *m->r;
	row.p = m->next;
	if (catalog_save(db, &row, err) != 0 || step_commit(m, db, err) != 0) {
		record_set(&m->r->shadow, NULL);
		record_set(&m->r->fingerprint, NULL);
		return step_failed(m, db);
	}
	capture_start(m->capture, db, m->r->id, m->plan->table, quote_name(&m->pool, m->plan->source_rowid),
		      quote_name(&m->pool, m->plan->shadow), quote_name(&m->pool, m->plan->shadow_rowid));
	capture_border(m->capture, false, 0);
	log_info("migrate", "m%lld %s: copying into %s", (long long)m->r->id, m->r->table, m->r->shadow);
	return STEP_MORE;
}
