/*
 * SWAPPING: source and shadow exchange their places, in one transaction whose time does not depend on their size.
 *
 * Entered: the shadow is whole but for a few dirty keys. In the transaction the last keys are applied and compared;
 * then root pages and the tables' SQL are exchanged in sqlite_schema. Names stay where they are, and with them
 * triggers, views, foreign keys of children, sqlite_sequence and statistics. Left: the table has its new form; the old
 * rows and index b-trees hang under the shadow's names, as tables that nothing refers to.
 *
 * The rows of sqlite_schema keep their order: a trigger's must come behind its table's.
 */
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/fault.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/migration.h"

/* More dirty keys than this are READY's to apply; so many again for each step of pressure. */
#define SWAP_KEYS 500
/* Looks at the rows before the last one. */
#define LOOKS_MAX 3

/* The last dirty keys. *ret_many: too many have come, nothing was done. */
static int last_keys(struct migration *m, struct db *db, bool *ret_many, struct error *err)
{
	int64_t count = 0, most = (int64_t)SWAP_KEYS * (1 + m->allow.press);
	bool left = false;
	uint64_t hold_ns = m->allow.hold_ns;

	if (dirty_count(m, db, most + 1, &count, err) != 0)
		return -1;
	*ret_many = count > most;
	if (*ret_many || count == 0)
		return 0;
	/* A client that waits cannot cut this short: that would only make it wait again. */
	m->allow.hold_ns = NS_PER_S * 3600;
	int rc = 0;
	do {
		rc = dirty_purge(m, db, &left, err);
	} while (rc == 0 && left);
	if (rc == 0)
		do {
			rc = dirty_recopy(m, db, &left, err);
		} while (rc == 0 && left);
	m->allow.hold_ns = hold_ns;
	return rc;
}

/* Nobody may have changed the table, its indexes or triggers since the start. */
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

/* Exchanges the root pages of two rows of sqlite_schema. */
static int exchange_roots(struct db *db, const char *type, const char *a, const char *b, struct error *err)
{
	int64_t root_a = 0, root_b = 0;

	if (db_int(db, &root_a, err, "SELECT rootpage FROM main.sqlite_schema WHERE type=%Q AND name=%Q", type, a) !=
		    0 ||
	    db_int(db, &root_b, err, "SELECT rootpage FROM main.sqlite_schema WHERE type=%Q AND name=%Q", type, b) != 0)
		return -1;
	return db_exec(db, err,
		       "UPDATE main.sqlite_schema SET rootpage=CASE name WHEN %Q THEN %lld ELSE %lld END"
		       " WHERE type=%Q AND name IN (%Q,%Q)",
		       a, (long long)root_b, (long long)root_a, type, a, b);
}

static const struct schema_index *source_index(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->source->nindexes; i++)
		if (strcmp(plan->source->indexes[i].name, name) == 0)
			return &plan->source->indexes[i];
	return NULL;
}

/* Indexes the table keeps take the shadow's b-trees; those it does not keep, and its automatic ones, lose their place.
 */
static int exchange_indexes(struct db *db, struct pool *pool, const struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->nindexes; i++) {
		const struct plan_index *x = &plan->indexes[i];
		if (x->fresh)
			continue;
		if (exchange_roots(db, "index", x->name, x->shadow_name, err) != 0 ||
		    disown_index(db, pool, source_index(plan, x->name), x->shadow_name, x->shadow_name, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < plan->source->nindexes; i++) {
		const struct schema_index *x = &plan->source->indexes[i];
		bool gone = !x->sql;
		for (size_t k = 0; k < plan->ndropped; k++)
			gone = gone || plan->dropped[k] == x->name;
		if (gone && disown_index(db, pool, x, x->name, pool_printf(pool, "%s_o%zu", plan->shadow, i), err) != 0)
			return -1;
	}
	/* Now that no other has the name. */
	for (size_t i = 0; i < plan->nindexes; i++)
		if (plan->indexes[i].fresh &&
		    db_exec(db, err,
			    "UPDATE main.sqlite_schema SET name=%Q,tbl_name=%Q,sql=%Q WHERE type='index' AND name=%Q",
			    plan->indexes[i].name, plan->table, plan->indexes[i].sql,
			    plan->indexes[i].shadow_name) != 0)
			return -1;
	/* The shadow's automatic indexes: sqlite_autoindex_<table>_<n>, numbered by the CREATE TABLE, the same in both.
	 */
	return db_exec(db, err,
		       "UPDATE main.sqlite_schema SET "
		       "name='sqlite_autoindex_'||%Q||substr(name,length('sqlite_autoindex_'||%Q)+1),"
		       "tbl_name=%Q WHERE type='index' AND tbl_name=%Q AND sql IS NULL",
		       plan->table, plan->shadow, plan->table, plan->shadow);
}

static int exchange(struct db *db, struct pool *pool, const struct plan *plan, struct error *err)
{
	int64_t stats = 0;

	/* Where nothing was copied, nothing but the text changes. */
	if (!plan->shadow)
		return db_exec(db, err, "UPDATE main.sqlite_schema SET sql=%Q WHERE type='table' AND name=%Q",
			       plan->target_sql, plan->table);
	if (exchange_indexes(db, pool, plan, err) != 0 ||
	    exchange_roots(db, "table", plan->table, plan->shadow, err) != 0)
		return -1;
	if (db_exec(db, err, "UPDATE main.sqlite_schema SET sql=%Q WHERE type='table' AND name=%Q", plan->target_sql,
		    plan->table) != 0 ||
	    disown_table(db, pool, plan->source, plan->shadow, err) != 0)
		return -1;
	if (plan->drops_sequence &&
	    db_exec(db, err, "DELETE FROM main.sqlite_sequence WHERE name=%Q COLLATE NOCASE", plan->table) != 0)
		return -1;
	if (plan->ndropped == 0 ||
	    db_int(db, &stats, err, "SELECT count(*) FROM main.sqlite_schema WHERE name='sqlite_stat1'") != 0 || !stats)
		return error_is_set(err) ? -1 : 0;
	for (size_t i = 0; i < plan->ndropped; i++)
		if (db_exec(db, err, "DELETE FROM main.sqlite_stat1 WHERE idx=%Q", plan->dropped[i]) != 0)
			return -1;
	return 0;
}

/*
 * The schema as it will be: SQLite must be able to read it, and the table must be the one that was planned. Everybody
 * waits meanwhile, so nothing is asked that makes SQLite look into other tables and views.
 */
static int check_schema(struct migration *m, struct db *db, struct pool *pool, struct error *err)
{
	const struct plan *plan = m->plan;
	int64_t same = 0, indexes = 0;

	if (db_int(db, &same, err, "SELECT count(*) FROM main.sqlite_schema WHERE type='table' AND name=%Q AND sql=%Q",
		   plan->table, plan->target_sql) != 0 ||
	    db_int(db, &indexes, err, "SELECT count(*) FROM pragma_index_list(%Q,'main') WHERE origin='c'",
		   plan->table) != 0)
		return -1;
	if (same != 1 || indexes != (int64_t)plan->nindexes)
		return error_set(err, ERRC_INTERNAL, "the schema after the swap is not the planned one");
	return db_exec(db, err, "SELECT * FROM main.%s LIMIT 0", quote_name(pool, plan->table));
}

static int rename_columns(struct db *db, const struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->nrenames; i++)
		if (db_exec(db, err, "%s", plan->renames[i]) != 0)
			return -1;
	return 0;
}

int swap_places(struct migration *m, struct db *db, struct error *err)
{
	struct pool pool = {0};

	db_forget_statements(db);
	int rc = rename_columns(db, m->plan, err);
	if (rc == 0)
		rc = db_schema_edit_begin(db, err);
	if (rc == 0) {
		struct error why = {0};
		rc = exchange(db, &pool, m->plan, err);
		/* The door is closed also when the edit failed; the rollback undoes the rest. */
		if (db_schema_edit_end(db, &why) != 0 && rc == 0) {
			error_move(err, &why);
			rc = -1;
		}
		error_clear(&why);
	}
	if (rc == 0)
		rc = check_schema(m, db, &pool, err);
	if (rc == 0 && m->plan->rename_sql)
		rc = db_exec(db, err, "%s", m->plan->rename_sql);
	for (size_t i = 0; rc == 0 && i < m->plan->nobjects; i++)
		rc = db_exec(db, err, "%s", m->plan->objects[i]);
	pool_free(&pool);
	return rc;
}

/*
 * A key that rows refer to has gone since they were looked at. If that goes on, they are looked at in the swap's own
 * transaction at last: what takes long then is what any DELETE of such a key will take from then on.
 */
static enum step_outcome look_again(struct migration *m, struct db *db, struct error *err)
{
	bool copy = m->plan->shadow != NULL;

	m->next.phase = copy ? PHASE_VERIFY : PHASE_CHECK;
	m->next.verified_rows = 0;
	if (!copy)
		m->next.rows_total = 0;
	rules_again(m);
	return step_commit(m, db, err) == 0 ? STEP_MORE : step_failed(m, db);
}

static enum step_outcome swap_frame(struct migration *m, struct db *db, struct error *err)
{
	bool moved = false, many = false;
	uint64_t start = clock_now_ns();

	m->next = m->p;
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	if (moved)
		return step_restart(m, db, step_moved_why(m), err);
	if (last_keys(m, db, &many, err) != 0)
		return step_failed(m, db);
	if (many) {
		m->next.phase = PHASE_READY;
		m->dirty_left = READY_KEYS + 1;
		return step_commit(m, db, err) == 0 ? STEP_MORE : step_failed(m, db);
	}
	if (rules_disturbed(m)) {
		if (m->looks < LOOKS_MAX)
			return look_again(m, db, err);
		if (rules_check_all(m, db, err) != 0)
			return step_failed(m, db);
	}
	if (check_fingerprint(m, db, err) != 0 || swap_places(m, db, err) != 0 || FAULT("swap-commit")) {
		if (!error_is_set(err))
			error_set_sqlite(err, SQLITE_IOERR, "SQLITE_IOERR", "fault point swap-commit");
		return step_failed(m, db);
	}
	m->next.phase = m->plan->shadow ? PHASE_RETIRE : PHASE_END;
	m->next.swap_us = (int64_t)((clock_now_ns() - start) / NS_PER_US);
	if (step_commit(m, db, err) != 0)
		return step_failed(m, db);
	m->p.swap_us = (int64_t)((clock_now_ns() - start) / NS_PER_US);
	capture_stop(m->capture, db);
	record_log(INFO, m->r, SWAPPED, "m%lld %s: swapped in %.1f ms", (long long)m->r->id, m->r->table,
		   (double)m->p.swap_us / 1000.0);
	return STEP_MORE;
}

enum step_outcome swap_step(struct migration *m, struct db *db, struct error *err)
{
	/* The swap is on the disk before anyone may see it, also where commits are NORMAL. */
	if (!m->allow.full && db_set_full(db, true, err) != 0)
		return STEP_FAILED;
	enum step_outcome outcome = swap_frame(m, db, err);
	if (!m->allow.full) {
		struct error why = {0};
		(void)db_set_full(db, false, &why);
		error_clear(&why);
	}
	return outcome;
}

enum step_outcome instant_step(struct migration *m, struct db *db, struct error *err)
{
	bool moved = false;
	uint64_t start = clock_now_ns();
	const char *now = NULL;

	m->next = m->p;
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	if (schema_fingerprint(&m->pool, db_handle(db), m->plan->table, &now, err) != 0)
		return step_failed(m, db);
	if (strcmp(now, m->plan->source->fingerprint) != 0) {
		db_rollback(db);
		m->plan = NULL;
		m->p.phase = PHASE_PLAN;
		return STEP_MORE;
	}
	db_forget_statements(db);
	if ((m->plan->instant_sql ? db_exec(db, err, "%s", m->plan->instant_sql) : swap_places(m, db, err)) != 0)
		return step_failed(m, db);
	m->next.phase = PHASE_END;
	m->next.swap_us = (int64_t)((clock_now_ns() - start) / NS_PER_US);
	if (step_commit(m, db, err) != 0)
		return step_failed(m, db);
	return STEP_MORE;
}
