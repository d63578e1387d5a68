/*
 * Planning what is no ALTER TABLE: which kind it is, what stands in its way, and what the engine does instead of
 * SQLite, which would hold the writer for as long as the table is large.
 */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/index_spec.h"
#include "daemon/migrate/index_watch.h"
#include "daemon/migrate/plan_internal.h"

int plan_choose_shadow(struct planning *p)
{
	if (p->options->shadow) {
		p->plan->shadow = pool_str(p->pool, p->options->shadow);
		return 0;
	}
	for (int n = 1; n < 1000; n++) {
		char number[16] = "";
		bool taken = false;
		if (n > 1)
			sqlite3_snprintf(sizeof(number), number, "%d", n);
		const char *name = pool_printf(p->pool, "_alterd_%s_new%s", p->source->name, number);
		const char *texts[] = {name, NULL};
		if (schema_each(p->db, p->err, schema_row_exists, &taken,
				"SELECT 1 FROM main.sqlite_schema WHERE lower(name)=lower(?1)", texts) != 0)
			return -1;
		if (!taken) {
			p->plan->shadow = name;
			return 0;
		}
	}
	return error_set(p->err, ERRC_MIGRATION_INVALID, "no free name for a shadow of %.200s", p->source->name);
}

static bool reserved(const char *name)
{
	return strncasecmp(name, "sqlite_", 7) == 0 || strncasecmp(name, "_alterd_", 8) == 0 ||
	       strncasecmp(name, "_litestream_", 12) == 0;
}

/* Of an object in sqlite_schema. */
struct object {
	struct pool *pool;
	const char *type, *name, *table, *sql;
};

static int row_object(void *arg, sqlite3_stmt *stmt)
{
	struct object *o = arg;
	o->type = pool_str(o->pool, (const char *)sqlite3_column_text(stmt, 0));
	o->name = pool_str(o->pool, (const char *)sqlite3_column_text(stmt, 1));
	o->table = pool_str(o->pool, (const char *)sqlite3_column_text(stmt, 2));
	o->sql = pool_str(o->pool, (const char *)sqlite3_column_text(stmt, 3));
	return 0;
}

/* type NULL if there is none of that name. `trigger` says which of the two spaces of names is meant. */
static int find_object(struct planning *p, const char *name, bool trigger, struct object *ret)
{
	const char *texts[] = {name, NULL};

	*ret = (struct object){.pool = p->pool};
	return schema_each(p->db, p->err, row_object, ret,
			   trigger ? "SELECT type,name,tbl_name,sql FROM main.sqlite_schema WHERE lower(name)=lower(?1)"
				     " AND type='trigger'"
				   : "SELECT type,name,tbl_name,sql FROM main.sqlite_schema WHERE lower(name)=lower(?1)"
				     " AND type<>'trigger'",
			   texts);
}

/* Nothing has to be done: the plan still names what it is about. */
static int nothing(struct planning *p, const char *name)
{
	struct schema_table *t = pool_alloc(p->pool, sizeof(*t));

	t->name = name;
	t->fingerprint = "";
	p->plan->strategy = STRATEGY_NONE;
	p->plan->table = name;
	p->plan->source = t;
	return 0;
}

static int missing(struct planning *p, const struct statement *st, const char *what)
{
	if (st->if_exists)
		return nothing(p, st->name);
	return error_set(p->err, ERRC_NOT_FOUND, "no such %s: %.200s", what, st->name);
}

/* Views and triggers that would miss the table, and foreign keys that refer to it. */
static int needed(struct planning *p)
{
	const struct schema_table *t = p->source;

	for (size_t i = 0; i < t->nchildren; i++)
		if (strcasecmp(t->children[i].child, t->name) != 0)
			return error_set(p->err, ERRC_MIGRATION_INVALID,
					 "a foreign key of table %.100s refers to %.100s: drop that first",
					 t->children[i].child, t->name);
	p->sql = pool_str(p->pool, "");
	return try_dependents(p);
}

static int drop_table(struct planning *p, const struct statement *st)
{
	struct object o;

	if (find_object(p, st->name, false, &o) != 0)
		return -1;
	if (!o.type || strcmp(o.type, "index") == 0)
		return missing(p, st, "table");
	if (plan_source(p, st->name) != 0 || needed(p) != 0 || plan_choose_shadow(p) != 0)
		return -1;
	p->plan->strategy = STRATEGY_DROP;
	p->plan->dropped_name = p->source->name;
	return 0;
}

static int drop_index(struct planning *p, const struct statement *st)
{
	struct object o;

	if (find_object(p, st->name, false, &o) != 0)
		return -1;
	if (!o.type || strcmp(o.type, "index") != 0)
		return missing(p, st, "index");
	if (!o.sql)
		return error_set(p->err, ERRC_MIGRATION_INVALID,
				 "index %.200s belongs to a UNIQUE or PRIMARY KEY of %.200s: drop the constraint",
				 o.name, o.table);
	if (plan_source(p, o.table) != 0 || plan_choose_shadow(p) != 0)
		return -1;
	for (size_t i = 0; i < p->source->nindexes; i++)
		if (strcmp(p->source->indexes[i].name, o.name) == 0 && p->source->indexes[i].unique &&
		    p->source->nchildren)
			return error_set(p->err, ERRC_MIGRATION_INVALID,
					 "foreign keys refer to %.100s, and unique index %.100s may be what they need",
					 p->source->name, o.name);
	p->plan->strategy = STRATEGY_DROP;
	p->plan->dropped_name = o.name;
	p->plan->dropped_index = true;
	return 0;
}

int plan_drop(struct planning *p, const struct statement *st)
{
	return st->kind == STATEMENT_DROP_TABLE ? drop_table(p, st) : drop_index(p, st);
}

/* Compiled here, so that what SQLite refuses is no job; it is run as it stands on the writer. */
static int instant(struct planning *p, const struct statement *st, const char *name)
{
	sqlite3_stmt *stmt = NULL;
	const char *tail = "";
	struct schema_table *t = pool_alloc(p->pool, sizeof(*t));

	if (sqlite3_prepare_v2(p->db, st->sql, -1, &stmt, &tail) != SQLITE_OK)
		return error_set(p->err, ERRC_MIGRATION_INVALID, "%s", sqlite3_errmsg(p->db));
	sqlite3_finalize(stmt);
	if (tail[strspn(tail, " \t\r\n;")])
		return error_set(p->err, ERRC_MIGRATION_INVALID, "one statement at a time: \"%.60s\" follows", tail);
	t->name = name;
	if (schema_fingerprint(p->pool, p->db, name, &t->fingerprint, p->err) != 0)
		return -1;
	p->plan->strategy = STRATEGY_INSTANT;
	p->plan->instant_sql = st->sql;
	p->plan->table = name;
	p->plan->source = t;
	return 0;
}

int plan_object(struct planning *p, const struct statement *st)
{
	bool trigger = st->kind == STATEMENT_CREATE_TRIGGER || st->kind == STATEMENT_DROP_TRIGGER;
	bool view = st->kind == STATEMENT_CREATE_VIEW || st->kind == STATEMENT_DROP_VIEW;
	bool drop = st->kind == STATEMENT_DROP_VIEW || st->kind == STATEMENT_DROP_TRIGGER;
	struct object o;

	if (reserved(st->name))
		return error_set(p->err, ERRC_MIGRATION_INVALID, "the name %.100s is reserved", st->name);
	if (find_object(p, st->name, trigger, &o) != 0)
		return -1;
	if (!drop && st->if_exists && o.type)
		return nothing(p, st->name);
	if (drop && (!o.type || (view && strcmp(o.type, "view") != 0)))
		return missing(p, st, trigger ? "trigger" : "view");
	return instant(p, st, drop && trigger ? o.table : st->name);
}

/* Rows up to which SQLite's own CREATE INDEX holds the writer no longer than a step does. */
#define FEW_ROWS 1000

static int row_text(void *arg, sqlite3_stmt *stmt)
{
	const char **ret = arg;
	*ret = sqlite3_column_int(stmt, 0) ? "" : NULL;
	return 0;
}

/* Why the index cannot be built beside the live table, *ret NULL: it can; and whether it can be beside a copy of it. */
static int unfit(struct planning *p, const char *sql, const char **ret, bool *ret_copy)
{
	const struct schema_table *t = p->source;
	const char **have = pool_alloc(p->pool, (t->nindexes + 1) * sizeof(*have)), *utf8 = NULL;
	struct index_source as = {.table = t->name,
				  .table_sql = t->sql,
				  .sql = &sql,
				  .count = 1,
				  .have = have,
				  .have_count = t->nindexes};
	struct index_spec spec = {0};
	struct error why = {0};

	*ret_copy = false;
	for (size_t i = 0; i < t->nindexes; i++)
		have[i] = t->indexes[i].name;
	if (schema_each(p->db, p->err, row_text, &utf8, "SELECT encoding='UTF-8' FROM pragma_encoding", NULL) != 0)
		return -1;
	if (!utf8) {
		*ret = "the database is not UTF-8";
	} else if (index_spec_read(p->pool, &as, &spec, &why) != 0) {
		(void)trial_ok(p, why.code);
		*ret = pool_str(p->pool, why.message);
	} else {
		*ret = index_watch_unfit(t);
		*ret_copy = *ret != NULL;
		if (!*ret && (spec.count != 1 || !spec.one_sql))
			*ret = "the index cannot be read";
	}
	error_clear(&why);
	return 0;
}

static int has_many(struct planning *p, bool *ret)
{
	const char *sql = pool_printf(p->pool, "SELECT 1 FROM main.%s LIMIT 1 OFFSET %d",
				      quote_name(p->pool, p->source->name), FEW_ROWS);

	*ret = false;
	if (!p->options->rows)
		return schema_each(p->db, p->err, schema_row_exists, ret, sql, NULL);
	*ret = p->options->rows(p->options->rows_arg, p->source->name) > FEW_ROWS;
	return 0;
}

/*
 * What cannot be built beside the live table is left to SQLite where that takes no time to speak of, else built on a
 * copy of the table.
 */
static int fallback(struct planning *p, const struct statement *st, const char *why, bool copy)
{
	bool many = false;

	if (has_many(p, &many) != 0)
		return -1;
	if (many && copy)
		return plan_index_copy(p, st);
	if (many)
		return error_set(
			p->err, ERRC_MIGRATION_INVALID,
			"an index of %.100s, which has more than %d rows, cannot be built beside live writes: %s",
			p->source->name, FEW_ROWS, why);
	p->plan->strategy = STRATEGY_INSTANT;
	p->plan->instant_sql = st->sql;
	return 0;
}

int plan_index(struct planning *p, const struct statement *st)
{
	struct object o;
	const char *why = NULL;
	bool copy = false;

	if (reserved(st->name))
		return error_set(p->err, ERRC_MIGRATION_INVALID, "the name %.100s is reserved", st->name);
	if (find_object(p, st->name, false, &o) != 0)
		return -1;
	if (o.type && strcmp(o.type, "index") == 0 && st->if_exists)
		return nothing(p, o.table);
	if (plan_source(p, st->table) != 0)
		return -1;
	/* Columns, functions and whether the name is free are SQLite's to judge. */
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(p->db, st->sql, -1, &stmt, NULL) != SQLITE_OK)
		return error_set(p->err, ERRC_MIGRATION_INVALID, "%s", sqlite3_errmsg(p->db));
	sqlite3_finalize(stmt);
	if (unfit(p, st->sql, &why, &copy) != 0)
		return -1;
	if (why)
		return fallback(p, st, why, copy);
	p->plan->index_name = st->name;
	p->plan->index_sql = st->sql;
	p->plan->strategy = STRATEGY_INDEX;
	return 0;
}

/* Several statements as one change; *ret_not: they are none that is known. */
static int one_change(struct pool *pool, sqlite3 *db, const char *sql, const struct plan_options *options,
		      struct plan **ret, bool *ret_not, struct error *err)
{
	struct plan *plan = pool_alloc(pool, sizeof(*plan));
	struct planning p = {.pool = pool, .db = db, .options = options, .plan = plan, .err = err};
	struct script script;
	struct script_kind *kinds = NULL;
	struct error none = {0};

	*ret_not = script_split(pool, sql, strlen(sql), 1, &script, &none) != 0 || script.n < 2 ||
		   script_kinds(pool, &script, false, &kinds, &none) != 0;
	error_clear(&none);
	if (*ret_not)
		return 0;
	*ret = plan;
	int rc = plan_byhand(&p, &script, kinds, ret_not);
	if (*ret_not)
		rc = plan_series(&p, &script, kinds, ret_not);
	rc = plan_finish(&p, rc);
	/* That there is no such table is told where the statements are run as they stand. */
	if (rc != 0 && err->code == errc_code(ERRC_NOT_FOUND)) {
		const char *why = pool_str(pool, err->message);
		error_clear(err);
		(void)error_set(err, ERRC_MIGRATION_INVALID, "%s", why);
	}
	return rc;
}

int plan_statement(struct pool *pool, sqlite3 *db, const char *sql, const struct plan_options *options,
		   struct plan **ret, struct error *err)
{
	struct statement st;
	bool others = false;

	if (one_change(pool, db, sql, options, ret, &others, err) != 0 || !others)
		return error_is_set(err) ? -1 : 0;
	if (statement_parse(pool, sql, &st, err) != 0)
		return -1;
	if (st.kind == STATEMENT_ALTER || st.kind == STATEMENT_DATA) {
		if (plan_make(pool, db, &st.alter, options, ret, err) != 0)
			return -1;
		(*ret)->data = st.kind == STATEMENT_DATA;
		return 0;
	}
	struct plan *plan = pool_alloc(pool, sizeof(*plan));
	struct planning p = {.pool = pool, .db = db, .options = options, .plan = plan, .err = err};
	int rc;
	switch (st.kind) {
	case STATEMENT_CREATE_INDEX:
		rc = plan_index(&p, &st);
		break;
	case STATEMENT_DROP_INDEX:
	case STATEMENT_DROP_TABLE:
		rc = plan_drop(&p, &st);
		break;
	default:
		rc = plan_object(&p, &st);
	}
	rc = plan_finish(&p, rc);
	if (rc == 0)
		*ret = plan;
	return rc;
}

const char *plan_strategy(const struct plan *plan)
{
	switch (plan->strategy) {
	case STRATEGY_NONE:
		return "none";
	case STRATEGY_INSTANT:
		return "instant";
	case STRATEGY_INDEX:
		return "index";
	case STRATEGY_DROP:
		return "drop";
	case STRATEGY_CHECK:
		return "check";
	case STRATEGY_REBUILD:
		break;
	}
	return plan->data ? "data" : "rebuild";
}

bool plan_anything_unique(const struct plan *plan)
{
	bool unique = plan->unique;

	for (size_t i = 0; i < plan->nindexes; i++)
		unique = unique || plan->indexes[i].unique;
	return unique;
}
