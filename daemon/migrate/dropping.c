/*
 * DROP: a table or an index vanishes, in one transaction whose time does not depend on its size.
 *
 * Entered: the database is as clients know it, nothing of this job is in it but its row in the catalog. Left: for
 * clients the object is gone, with what SQLite drops along with it: a table's triggers, indexes, statistics and the
 * high-water mark of its AUTOINCREMENT. Its b-trees hang under the shadow's names as tables of their own, which
 * RETIRING empties in slices and drops.
 */
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/migration.h"

/* Rows about the table in a table of SQLite's own, which need not exist. */
static int forget_rows(struct db *db, const char *where, const char *column, const char *name, struct error *err)
{
	int64_t there = 0;

	if (db_int(db, &there, err, "SELECT count(*) FROM main.sqlite_schema WHERE name=%Q AND type='table'", where) !=
	    0)
		return -1;
	return there ? db_exec(db, err, "DELETE FROM main.\"%w\" WHERE \"%w\"=%Q COLLATE NOCASE", where, column, name)
		     : 0;
}

static int forget_statistics(struct db *db, const struct plan *plan, struct error *err)
{
	const char *column = plan->dropped_index ? "idx" : "tbl";

	if (forget_rows(db, "sqlite_stat1", column, plan->dropped_name, err) != 0 ||
	    forget_rows(db, "sqlite_stat4", column, plan->dropped_name, err) != 0)
		return -1;
	return plan->dropped_index ? 0 : forget_rows(db, "sqlite_sequence", "name", plan->dropped_name, err);
}

/* The b-tree of the index becomes a table under the shadow's name. */
static int part_with_index(struct db *db, struct pool *pool, const struct plan *plan, size_t i, struct error *err)
{
	const struct schema_index *x = &plan->source->indexes[i];

	return disown_index(db, pool, x, x->name, pool_printf(pool, "%s_x%zu", plan->shadow, i), err);
}

static int part_with_table(struct db *db, struct pool *pool, const struct plan *plan, struct error *err)
{
	const struct schema_table *t = plan->source;
	const char *name = plan->shadow, *sql = pool_printf(pool, "CREATE TABLE %s(x)", quote_name(pool, name));

	if (t->without_rowid) {
		/* RETIRING takes a table of that name to be one of keys. */
		name = pool_printf(pool, "%s_o0", plan->shadow);
		sql = disowned_sql(pool, &t->primary, name);
	}
	for (size_t i = 0; i < t->nindexes; i++)
		if (part_with_index(db, pool, plan, i, err) != 0)
			return -1;
	if (db_exec(db, err, "DELETE FROM main.sqlite_schema WHERE type='trigger' AND tbl_name=%Q COLLATE NOCASE",
		    t->name) != 0)
		return -1;
	return db_exec(db, err,
		       "UPDATE main.sqlite_schema SET name=%Q,tbl_name=%Q,sql=%Q WHERE type='table' AND name=%Q", name,
		       name, sql, t->name);
}

static int part_with(struct db *db, struct pool *pool, const struct plan *plan, struct error *err)
{
	if (!plan->dropped_index)
		return part_with_table(db, pool, plan, err);
	for (size_t i = 0; i < plan->source->nindexes; i++)
		if (strcmp(plan->source->indexes[i].name, plan->dropped_name) == 0)
			return part_with_index(db, pool, plan, i, err);
	return error_set(err, ERRC_INTERNAL, "index %.200s is missing", plan->dropped_name);
}

/* Nothing of that name is left: the schema was read again. */
static int check_gone(struct db *db, const struct plan *plan, struct error *err)
{
	int64_t left = 0;

	if (db_int(db, &left, err, "SELECT count(*) FROM main.sqlite_schema WHERE name=%Q AND type<>'trigger'",
		   plan->dropped_name) != 0)
		return -1;
	return left ? error_set(err, ERRC_INTERNAL, "%.200s is still there after it was dropped", plan->dropped_name)
		    : 0;
}

static int vanish(struct db *db, const struct plan *plan, struct error *err)
{
	struct pool pool = {0};
	struct error why = {0};

	db_forget_statements(db);
	int rc = forget_statistics(db, plan, err);
	if (rc == 0 && (rc = db_schema_edit_begin(db, err)) == 0) {
		rc = part_with(db, &pool, plan, err);
		/* The door is closed also when the edit failed; the rollback undoes the rest. */
		if (db_schema_edit_end(db, &why) != 0 && rc == 0) {
			error_move(err, &why);
			rc = -1;
		}
		error_clear(&why);
	}
	if (rc == 0)
		rc = check_gone(db, plan, err);
	pool_free(&pool);
	return rc;
}

/* The plan was made on a reader, before: it holds only if nobody has changed the table since. */
static int plan_holds(struct migration *m, struct db *db, bool *ret, struct error *err)
{
	const char *now = NULL;

	if (schema_fingerprint(&m->pool, db_handle(db), m->plan->table, &now, err) != 0)
		return -1;
	*ret = strcmp(now, m->plan->source->fingerprint) == 0;
	return 0;
}

enum step_outcome drop_step(struct migration *m, struct db *db, struct error *err)
{
	uint64_t start = clock_now_ns();
	bool moved = false, holds = false;

	m->next = m->p;
	if (step_begin(m, db, &moved, err) != 0 || plan_holds(m, db, &holds, err) != 0)
		return step_failed(m, db);
	if (!holds) {
		db_rollback(db);
		m->plan = NULL;
		m->p.phase = PHASE_PLAN;
		return STEP_MORE;
	}
	if (vanish(db, m->plan, err) != 0)
		return step_failed(m, db);
	record_set(&m->r->shadow, m->plan->shadow);
	m->next.phase = PHASE_RETIRE;
	m->next.swap_us = (int64_t)((clock_now_ns() - start) / NS_PER_US);
	struct record row = *m->r;
	row.p = m->next;
	if (catalog_save(db, &row, err) != 0 || step_commit(m, db, err) != 0) {
		record_set(&m->r->shadow, NULL);
		return step_failed(m, db);
	}
	log_info("migrate", "m%lld %s: dropped in %.1f ms, to be emptied", (long long)m->r->id, m->plan->dropped_name,
		 (double)m->p.swap_us / 1000.0);
	return STEP_MORE;
}
