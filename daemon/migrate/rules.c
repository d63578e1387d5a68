/*
 * Looking at rows of the source: is there anything in them that has to be refused? In ranges on a reader, before the
 * copy and beside the comparison; and row by row on the writer, for keys that clients have changed.
 */
#include "daemon/lib/check.h"
#include "daemon/migrate/migration.h"

/* One thing to look for. */
struct look {
	const char *bad;   /* condition */
	const char *value; /* what to show; NULL: nothing */
	const char *column, *reason, *constraint;
};

/* The i-th thing; false: there are no more. An empty `bad` is to be passed over. */
static bool look_at(const struct migration *m, struct pool *pool, size_t i, bool rules_only, struct look *ret)
{
	const struct plan *plan = m->plan;
	size_t columns = rules_only ? 0 : plan->ncolumns;

	*ret = (struct look){0};
	if (i < 2 * columns) {
		const struct plan_column *c = &plan->columns[i / 2];
		ret->value = c->raw;
		ret->column = c->name;
		ret->reason = i % 2 ? "TYPE" : "NOT NULL";
		if (i % 2 == 0)
			ret->bad = c->check_null ? pool_printf(pool, "((%s) IS NULL)", c->raw) : NULL;
		else
			ret->bad = c->refuse;
		return true;
	}
	i -= 2 * columns;
	if (i >= plan->nrules)
		return false;
	const struct plan_rule *r = &plan->rules[i];
	*ret = (struct look){r->bad, r->value, r->column, r->reason, r->constraint};
	return true;
}

static const char *all_bad(const struct migration *m, struct pool *pool, bool rules_only)
{
	const char **parts = NULL;
	size_t n = 0;
	struct look l;

	for (size_t i = 0; look_at(m, pool, i, rules_only, &l); i++) {
		if (!l.bad)
			continue;
		parts = pool_grow(pool, parts, n, sizeof(*parts));
		parts[n++] = l.bad;
	}
	return n ? plan_join(pool, parts, n, "+") : NULL;
}

const char *rules_condition(const struct migration *m, struct pool *pool) { return all_bad(m, pool, false); }

struct range {
	const struct rowkey *from, *to; /* NULL: from the first, to the last */
	bool rules_only, skip_dirty;
};

/* The rows of a range that one thing is found in. */
static int check_one(struct migration *m, struct db *db, const struct look *l, struct range range, struct error *err)
{
	struct pool pool = {0};
	struct rowkey key = {0};
	sqlite3_stmt *stmt = NULL;
	const struct rowkey_shape *shape = &m->plan->source_key;
	size_t n = range.from ? shape->n : 0;
	const char *table = quote_name(&pool, m->plan->table);
	struct rowkey_rows rows = {.from = pool_printf(&pool, "main.%s %s", table, shape->access), .where = "1"};

	if (n)
		rowkey_behind(&pool, shape, table, NULL, 1, &rows);
	const char *sql = pool_printf(&pool, "SELECT %s,%s FROM %s WHERE %s AND %s AND (%s)",
				      rowkey_list(&pool, shape, ""), l->value ? l->value : "NULL", rows.from,
				      rows.where, range.to ? rowkey_until(&pool, shape, n + 1) : "1", l->bad);
	int rc = db_prepare(db, sql, &stmt, err);
	if (rc == 0) {
		if (n)
			rowkey_bind(range.from, shape, stmt, 1);
		if (range.to)
			rowkey_bind(range.to, shape, stmt, (int)n + 1);
	}
	while (rc == 0 && (rc = db_step(db, stmt, err)) == 1) {
		rowkey_read(&key, shape, stmt, 0);
		int dirty = range.skip_dirty ? dirty_has(m, db, &key, err) : 0;
		if (dirty == 0)
			offenders_take(m, &key, l->column, l->value ? stmt : NULL, (int)shape->n, l->reason,
				       l->constraint);
		rc = dirty < 0 ? -1 : 0;
	}
	db_done(db, stmt);
	rowkey_free(&key);
	pool_free(&pool);
	return rc;
}

static int check_range(struct migration *m, struct db *db, struct range range, struct error *err)
{
	struct pool pool = {0};
	struct look l;
	int rc = 0;

	for (size_t i = 0; rc == 0 && look_at(m, &pool, i, range.rules_only, &l); i++)
		if (l.bad)
			rc = check_one(m, db, &l, range, err);
	pool_free(&pool);
	return rc;
}

int rules_check(struct migration *m, struct db *db, const struct rowkey *from, const struct rowkey *to,
		struct error *err)
{
	return check_range(m, db, (struct range){.from = from, .to = to}, err);
}

int rules_verify(struct migration *m, struct db *db, const struct rowkey *from, const struct rowkey *to,
		 struct error *err)
{
	if (m->plan->nrules == 0)
		return 0;
	if (check_range(m, db, (struct range){from, to, true, true}, err) != 0)
		return -1;
	return m->offenders.count ? offenders_error(m, err) : 0;
}

int rules_check_key(struct migration *m, struct db *db, const struct rowkey *key, bool rules_only, struct error *err)
{
	struct pool pool = {0};
	const struct rowkey_shape *shape = &m->plan->source_key;
	const char *bad = all_bad(m, &pool, rules_only);
	struct look l;
	int rc = 0;

	for (size_t i = 0; bad && rc == 0 && look_at(m, &pool, i, rules_only, &l); i++) {
		sqlite3_stmt *stmt = NULL;
		if (!l.bad)
			continue;
		const char *sql = pool_printf(&pool, "SELECT %s FROM main.%s %s WHERE %s AND (%s)",
					      l.value ? l.value : "NULL", quote_name(&pool, m->plan->table),
					      shape->access, rowkey_equals(&pool, shape, "", 1), l.bad);
		rc = db_prepare(db, sql, &stmt, err);
		if (rc == 0) {
			rowkey_bind(key, shape, stmt, 1);
			rc = db_step(db, stmt, err);
		}
		if (rc == 1) {
			offenders_take(m, key, l.column, l.value ? stmt : NULL, 0, l.reason, l.constraint);
			rc = offenders_error(m, err);
		}
		db_done(db, stmt);
	}
	pool_free(&pool);
	return rc;
}

int rules_check_all(struct migration *m, struct db *db, struct error *err)
{
	struct pool pool = {0};
	struct rowkey key = {0};
	sqlite3_stmt *stmt = NULL;
	const struct rowkey_shape *shape = &m->plan->source_key;
	const char *bad = all_bad(m, &pool, true);
	bool found = false;

	CHECK(bad);
	int rc = db_prepare(db,
			    pool_printf(&pool, "SELECT %s FROM main.%s WHERE %s LIMIT 1", rowkey_list(&pool, shape, ""),
					quote_name(&pool, m->plan->table), bad),
			    &stmt, err);
	if (rc == 0)
		rc = db_step(db, stmt, err);
	found = rc == 1;
	if (found)
		rowkey_read(&key, shape, stmt, 0);
	db_done(db, stmt);
	rc = found ? rules_check_key(m, db, &key, true, err) : rc;
	rowkey_free(&key);
	pool_free(&pool);
	return rc;
}

/* --- what the rules look up --- */

void rules_watch(struct migration *m)
{
	if (m->plan->nwatches == 0 || m->watching)
		return;
	capture_watch(m->capture, m->plan);
	m->watching = true;
	m->watch_seen = capture_watched(m->capture);
	m->has_verified = m->has_checked = m->verified_watched = false;
}

bool rules_disturbed(const struct migration *m)
{
	if (m->plan->nwatches == 0)
		return false;
	return !m->verified_watched || capture_watched(m->capture) != m->watch_seen;
}

void rules_again(struct migration *m)
{
	m->watch_seen = capture_watched(m->capture);
	m->has_verified = m->has_checked = false;
	m->verified_watched = true;
	m->looks++;
}
