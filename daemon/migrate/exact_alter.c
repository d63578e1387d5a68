/*
 * EXACT: an ALTER TABLE in words that SQLite does not have, as one statement of a version that runs in one transaction.
 *
 * It is planned like any other, on the schema as the statements before it have left it, and done at once: all rows are
 * looked at, copied in one statement, compared and exchanged like those of a change that is run online. Nobody writes
 * meanwhile, so nothing is captured, and what is left under the shadow's name is dropped in the same transaction.
 */
#include "daemon/migrate/keep.h"
#include "daemon/migrate/migration.h"

static int refuse_rows(struct migration *m, struct db *db, struct error *err)
{
	if (rules_check(m, db, NULL, NULL, err) != 0)
		return -1;
	return m->offenders.count > 0 ? offenders_error(m, err) : 0;
}

/* Runs a text of a range, over all rows. */
static int run_range(struct migration *m, struct db *db, const char *sql, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(db, sql, &stmt, err);

	if (rc == 0) {
		sqlite3_bind_int64(stmt, (int)m->plan->source_key.n + 1, INT64_MAX);
		rc = db_step(db, stmt, err);
	}
	db_done(db, stmt);
	return rc;
}

static int copy_rows(struct migration *m, struct db *db, struct error *err)
{
	const struct plan *plan = m->plan;

	texts_make(m);
	if (db_exec(db, err, "%s", plan->shadow_sql) != 0 || run_range(m, db, m->texts.copy_first, err) != 0)
		return -1;
	if (plan->key_map &&
	    (db_exec(db, err, "%s", plan->key_map_sql) != 0 || run_range(m, db, m->texts.map_first, err) != 0))
		return -1;
	for (size_t i = 0; i < plan->nindexes; i++)
		if (db_exec(db, err, "%s", plan->indexes[i].shadow_sql) != 0)
			return -1;
	return verify_all(m, db, err);
}

/* The old rows, the b-trees of the old indexes, and the map of keys. */
static int drop_rest(struct migration *m, struct db *db, struct error *err)
{
	const char *name = NULL;
	int rc;

	while ((rc = retire_next(db, &m->pool, m->plan->shadow, &name, err)) == 0 && name)
		if (db_exec(db, err, "DROP TABLE main.%s", quote_name(&m->pool, name)) != 0)
			return -1;
	return rc;
}

static int carry_out(struct migration *m, struct db *db, struct error *err)
{
	const struct plan *plan = m->plan;

	switch (plan->strategy) {
	case STRATEGY_NONE:
		return 0;
	case STRATEGY_INSTANT:
		return plan->instant_sql ? db_exec(db, err, "%s", plan->instant_sql) : swap_places(m, db, err);
	case STRATEGY_CHECK:
		return refuse_rows(m, db, err) != 0 ? -1 : swap_places(m, db, err);
	case STRATEGY_REBUILD:
		if (refuse_rows(m, db, err) != 0 || copy_rows(m, db, err) != 0 || swap_places(m, db, err) != 0)
			return -1;
		return drop_rest(m, db, err);
	case STRATEGY_INDEX:
	case STRATEGY_DROP:
		break;
	}
	return error_set(err, ERRC_INTERNAL, "no ALTER TABLE is carried out like that");
}

static int look_at_loss(struct migration *m, struct db *db, bool allow, bool *ret_loses, struct error *err)
{
	const char *lost = NULL;

	if (plan_consent(&m->pool, db_handle(db), m->plan, &lost, err) != 0)
		return -1;
	if (lost && !allow)
		return error_set(err, ERRC_NEEDS_FORCE,
				 "column %.100s of %.100s is dropped and holds values: say allow_data_loss", lost,
				 m->plan->table);
	*ret_loses = *ret_loses || lost;
	return 0;
}

int exact_alter(struct migration *m, struct db *db, const char *sql, bool allow_data_loss, bool *ret_loses,
		struct error *err)
{
	struct plan_options options = {.allow_data_loss = allow_data_loss};
	struct plan *plan = NULL;

	pool_free(&m->pool);
	/* The values of a column whose type changes are looked at by a function of the daemon's. */
	int rc = keep_register(db_handle(db), err);
	if (rc == 0)
		rc = plan_statement(&m->pool, db_handle(db), sql, &options, &plan, err);
	m->plan = plan;
	if (rc == 0 && (rc = look_at_loss(m, db, allow_data_loss, ret_loses, err)) == 0)
		rc = carry_out(m, db, err);
	m->plan = NULL;
	offenders_free(&m->offenders);
	return rc;
}
