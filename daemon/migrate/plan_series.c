/*
 * Several statements about one table as one rebuild; or a CREATE INDEX alone, where it takes one.
 *
 * The mapping is over the row as it is before the first of them. So an UPDATE, or a USING, may use a column only as
 * long as no statement before it has given it other values; one that was added has its default until then. What uses
 * more is refused, and the caller runs the statements as they stand.
 */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/plan_internal.h"
#include "daemon/migrate/series.h"

struct making {
	struct planning *p;
	struct series series;
	size_t ngone; /* indexes that are dropped */
	const char **gone;
};

static int refuse(struct making *k, const char *what, const char *why)
{
	return error_set(k->p->err, ERRC_MIGRATION_INVALID, "statements that are not run as one: %.100s %s", what, why);
}

static size_t find_column(const struct planning *p, const char *name)
{
	for (size_t i = 0; i < p->nmap; i++)
		if (strcasecmp(p->map[i].name, name) == 0)
			return i;
	return SIZE_MAX;
}

/* The added column as SQLite reads it, and its collation. */
static int read_added(struct making *k, const char *column, const struct schema_column **ret,
		      const char **ret_collation)
{
	struct planning *p = k->p;
	struct schema_table *t = NULL;
	const char *collation = NULL;
	sqlite3 *db = NULL;
	int rc = -1;

	if (scratch_open(&db, true, p->err) != 0)
		return -1;
	if (!trial_ok(p, sqlite3_exec(db, p->sql, NULL, NULL, NULL)) ||
	    !trial_ok(p, sqlite3_table_column_metadata(db, "main", p->source->name, column, NULL, &collation, NULL,
						       NULL, NULL)))
		(void)refuse(k, column, sqlite3_errmsg(db));
	else
		rc = schema_read(p->pool, db, p->source->name, &t, p->err);
	*ret_collation = pool_str(p->pool, collation);
	sqlite3_close(db);
	int at = rc == 0 ? schema_find_column(t, column) : -1;
	*ret = at >= 0 ? &t->columns[at] : NULL;
	return rc;
}

/* The literal compares as the column does: by its affinity. False: a literal cannot. */
static bool compares(const struct schema_column *c, const char *literal)
{
	bool text = *literal == '\'', number = strchr("+-.0123456789", *literal) != NULL;

	if (strcmp(literal, "NULL") == 0 || c->affinity == AFFINITY_BLOB)
		return true;
	return c->affinity == AFFINITY_TEXT ? text : number;
}

/* What rows hold in a column that was added, until they are given something else. */
static int default_of(struct making *k, const char *column, const char **ret)
{
	struct planning *p = k->p;
	const struct schema_column *c = NULL;
	const char *collation = NULL, *literal = "NULL";

	if (read_added(k, column, &c, &collation) != 0)
		return -1;
	if (!c || c->hidden || c->pk)
		return refuse(k, column, "has a value of its own in each row");
	if (c->dflt && try_default(p, c, &literal, p->err) != 0)
		return -1;
	if (!literal)
		return refuse(k, column, "has a default that is not constant");
	if (strcasecmp(collation, "BINARY") != 0 || !compares(c, literal))
		return refuse(k, column, "is used before it has its values");
	/* INTEGER would cut what the column keeps. */
	*ret = c->affinity == AFFINITY_BLOB
		       ? literal
		       : pool_printf(p->pool, "CAST(%s AS %s)", literal,
				     c->affinity == AFFINITY_INTEGER ? "NUMERIC" : affinity_name(c->affinity));
	return 0;
}

/* How the values of the map's column i are told in an expression over the source. */
static int value_of(struct making *k, size_t i, const char **ret)
{
	struct planning *p = k->p;
	const struct column_map *m = &p->map[i];

	if (m->added && !m->using)
		return default_of(k, m->name, ret);
	if (m->stale || m->added)
		return refuse(k, m->name, "is used behind what changes it");
	*ret = quote_name(p->pool, p->source->columns[m->source].name);
	return 0;
}

/* The expression over the source, without the table's name before a column. */
static int over_source(struct making *k, const char *expr, const char **ret)
{
	struct planning *p = k->p;
	struct tokens t;
	const char *out = "";

	if (tokenize(p->pool, expr, strlen(expr), &t, p->err) != 0)
		return -1;
	for (size_t i = 0; i < t.n; i++) {
		const char *word = token_text(p->pool, &t, i, i + 1);
		bool name = t.at[i].kind == TOKEN_WORD || t.at[i].kind == TOKEN_QUOTED;
		const char *plain = name ? token_unquote(p->pool, &t, i) : NULL;
		if (name && token_punct(&t, i + 1, '.')) {
			if (strcasecmp(plain, p->source->name) != 0)
				return refuse(k, plain, "is no column of the table");
			i++;
			continue;
		}
		size_t at = name && !token_punct(&t, i + 1, '(') ? find_column(p, plain) : SIZE_MAX;
		if (at != SIZE_MAX && value_of(k, at, &word) != 0)
			return -1;
		out = pool_printf(p->pool, "%s%s%s", out, i ? " " : "", word);
	}
	*ret = out;
	return 0;
}

/* UPDATE of a column that was added; of any other, plan_update() does it. */
static int update_added(struct making *k, const struct action *a, struct column_map *m)
{
	struct planning *p = k->p;
	const char *old = NULL;

	if (m->using)
		return refuse(k, m->name, "is set twice");
	if (default_of(k, m->name, &old) != 0 || plan_pure(p, a->text) != 0 ||
	    (a->using && plan_pure(p, a->using) != 0) || plan_refuse_triggers(p, "UPDATE", m->name) != 0)
		return -1;
	m->using = a->using ? pool_printf(p->pool, "CASE WHEN (\n%s\n) THEN (\n%s\n) ELSE %s END", a->using, a->text,
					  old)
			    : pool_printf(p->pool, "CASE WHEN 1 THEN (\n%s\n) END", a->text);
	m->plain = true;
	p->changed = true;
	return 0;
}

static int apply_action(struct making *k, const struct action *from, bool first)
{
	struct planning *p = k->p;
	struct action a = *from;
	size_t at = a.name ? find_column(p, a.name) : SIZE_MAX;

	if (a.kind == ACTION_UPDATE && at == SIZE_MAX)
		return refuse(k, a.name, "is no column of the table");
	if (a.kind == ACTION_UPDATE && over_source(k, a.text, &a.text) != 0)
		return -1;
	/* USING of the first statement sees the row as it is. */
	if (a.using && (a.kind == ACTION_UPDATE || !first) && over_source(k, a.using, &a.using) != 0)
		return -1;
	if (a.kind == ACTION_UPDATE && p->map[at].added)
		return update_added(k, &a, &p->map[at]);
	if (at != SIZE_MAX && p->map[at].stale &&
	    (a.kind == ACTION_UPDATE || a.kind == ACTION_TYPE || a.kind == ACTION_SET_COLLATE))
		return refuse(k, a.name, "is changed twice");
	return plan_edit(p, &a);
}

/* Behind a statement: the columns whose values are no longer the source's. */
static void mark_stale(struct making *k, const struct statement *st)
{
	struct planning *p = k->p;

	for (size_t i = 0; i < p->nmap; i++) {
		struct column_map *m = &p->map[i];
		m->stale = m->stale || m->using || m->added;
		for (size_t a = 0; a < st->alter.n; a++)
			m->stale = m->stale || ((st->alter.actions[a].kind == ACTION_TYPE ||
						 st->alter.actions[a].kind == ACTION_SET_COLLATE) &&
						strcasecmp(st->alter.actions[a].name, m->name) == 0);
	}
}

static int apply(struct making *k)
{
	for (size_t i = 0; i < k->series.n; i++) {
		const struct statement *st = &k->series.at[i];
		for (size_t a = 0; a < st->alter.n; a++)
			if (apply_action(k, &st->alter.actions[a], i == 0) != 0)
				return -1;
		mark_stale(k, st);
	}
	return 0;
}

/* --- indexes --- */

static bool is_gone(const struct making *k, const char *name)
{
	for (size_t i = 0; i < k->ngone; i++)
		if (strcasecmp(k->gone[i], name) == 0)
			return true;
	return false;
}

/* An index of the source, as plan_indexes() has judged it by the columns that are left. */
static bool is_kept(const struct planning *p, const char *name)
{
	for (size_t i = 0; i < p->plan->nindexes; i++)
		if (strcasecmp(p->plan->indexes[i].name, name) == 0)
			return true;
	return false;
}

static void mark_gone(struct making *k, const char *name)
{
	k->gone = pool_grow(k->p->pool, k->gone, k->ngone, sizeof(*k->gone));
	k->gone[k->ngone++] = name;
}

static int drop_index(struct making *k, const struct statement *st)
{
	struct planning *p = k->p;
	struct plan *plan = p->plan;

	/* It may have gone already, with a column that is dropped by another statement. */
	for (size_t i = 0; i < plan->ndropped; i++)
		if (strcasecmp(plan->dropped[i], st->name) == 0 && !is_gone(k, st->name)) {
			mark_gone(k, plan->dropped[i]);
			return 0;
		}
	if (!is_kept(p, st->name))
		return refuse(k, st->name, "is no index of the table that can be dropped");
	for (size_t i = 0; i < plan->nindexes; i++) {
		if (strcasecmp(plan->indexes[i].name, st->name) != 0)
			continue;
		if (plan->indexes[i].unique && p->source->nchildren)
			return refuse(k, st->name, "may be what foreign keys need");
		plan->dropped = pool_grow(p->pool, plan->dropped, plan->ndropped, sizeof(*plan->dropped));
		plan->dropped[plan->ndropped++] = plan->indexes[i].name;
		mark_gone(k, plan->indexes[i].name);
		memmove(&plan->indexes[i], &plan->indexes[i + 1], (plan->nindexes - i - 1) * sizeof(plan->indexes[0]));
		plan->nindexes--;
	}
	return 0;
}

static bool reserved(const char *name)
{
	return strncasecmp(name, "sqlite_", 7) == 0 || strncasecmp(name, "_alterd_", 8) == 0 ||
	       strncasecmp(name, "_litestream_", 12) == 0;
}

static int try_statement(struct making *k, sqlite3 *db, const char *sql, const char *name)
{
	if (reserved(name))
		return refuse(k, name, "is a name that is reserved");
	return trial_ok(k->p, sqlite3_exec(db, sql, NULL, NULL, NULL)) ? 0 : refuse(k, name, sqlite3_errmsg(db));
}

/* SQLite runs the statement over the changed table; the name must be nobody's in the file. */
static int create_index(struct making *k, sqlite3 *db, const struct statement *st)
{
	struct planning *p = k->p;
	const char *texts[] = {st->name, NULL};
	bool taken = false;

	if (schema_each(p->db, p->err, schema_row_exists, &taken,
			"SELECT 1 FROM main.sqlite_schema WHERE lower(name)=lower(?1) AND type<>'trigger'", texts) != 0)
		return -1;
	if (taken && !is_gone(k, st->name))
		return refuse(k, st->name, "is there already");
	return try_statement(k, db, st->sql, st->name);
}

/* The statements about the table's indexes, in their order. */
static int run_indexes(struct making *k, sqlite3 *db)
{
	struct planning *p = k->p;
	struct schema_table *t = NULL;

	for (size_t i = 0; i < k->series.n; i++) {
		const struct statement *st = &k->series.at[i];
		if (st->kind == STATEMENT_DROP_INDEX && drop_index(k, st) != 0)
			return -1;
		if (st->kind == STATEMENT_CREATE_INDEX && create_index(k, db, st) != 0)
			return -1;
	}
	if (schema_read(p->pool, db, p->source->name, &t, p->err) != 0)
		return -1;
	for (size_t i = 0; i < t->nindexes; i++) {
		const struct schema_index *x = &t->indexes[i];
		if (x->sql && plan_add_index(p, x->name, x->unique, x->sql, p->source->nindexes + i, true) != 0)
			return -1;
	}
	return 0;
}

/* What stands beside the table's own statements is run at the end, if SQLite takes it. */
static int run_objects(struct making *k, sqlite3 *db)
{
	struct plan *plan = k->p->plan;

	for (size_t i = 0; i < k->series.nobjects; i++)
		if (try_statement(k, db, k->series.objects[i].sql, k->series.objects[i].name) != 0)
			return -1;
	plan->objects = pool_alloc(k->p->pool, (k->series.nobjects + 1) * sizeof(*plan->objects));
	for (size_t i = 0; i < k->series.nobjects; i++)
		plan->objects[plan->nobjects++] = k->series.objects[i].sql;
	return 0;
}

/* The schema with the table as it will be, and without what hangs on it. */
static int run_in_scratch(struct making *k)
{
	struct planning *p = k->p;
	sqlite3 *db = NULL;
	size_t missing = 0;
	int rc = scratch_open(&db, true, p->err);

	if (rc == 0)
		rc = scratch_mirror(p->db, db, &missing, p->err);

	if (rc == 0)
		rc = try_statement(
			k, db, pool_printf(p->pool, "DROP TABLE %s; %s", quote_name(p->pool, p->source->name), p->sql),
			p->source->name);
	if (rc == 0)
		rc = run_indexes(k, db);
	if (rc == 0)
		rc = run_objects(k, db);
	sqlite3_close(db);
	return rc;
}

/* SQLite does it by writing the schema alone, as the statements stand. */
static bool takes_no_time(struct making *k)
{
	for (size_t i = 0; i < k->series.n; i++) {
		const struct statement *st = &k->series.at[i];
		for (size_t a = 0; a < st->alter.n; a++)
			if (!plan_instant(k->p, &st->alter.actions[a]))
				return false;
		if (st->kind != STATEMENT_ALTER)
			return false;
	}
	return true;
}

static int make(struct making *k)
{
	struct planning *p = k->p;

	if (plan_source(p, k->series.table) != 0)
		return -1;
	if (takes_no_time(k))
		return refuse(k, k->series.table, "is changed at once as they stand");
	if (plan_rows(p) != 0)
		return -1;
	plan_map_source(p);
	if (apply(k) != 0 || plan_try_renames(p) != 0 || plan_choose_shadow(p) != 0 || plan_indexes(p) != 0 ||
	    run_in_scratch(k) != 0 || plan_rebuild(p) != 0)
		return -1;
	return p->plan->nconsent ? try_dependents(p) : 0;
}

int plan_series(struct planning *p, const struct script *script, const struct script_kind *kinds, bool *ret_not)
{
	struct making k = {.p = p};

	*ret_not = !series_read(p->pool, script, kinds, &k.series);
	return *ret_not ? 0 : make(&k);
}

int plan_index_copy(struct planning *p, const struct statement *st)
{
	struct statement one = *st;
	struct making k = {.p = p, .series = {.table = st->table, .n = 1, .at = &one}};

	return make(&k);
}
