/* The scratch schema of a plan and what changes it; see file_world.h. */
#include "daemon/migrate/file_world.h"

#include <string.h>
#include <strings.h>

#include "daemon/migrate/schema.h"

/* A statement on empty tables that takes more steps of SQLite's machine than this is not tried to its end. */
#define STEPS_MAX 20000000
#define STEPS_LOOK 10000

static int on_progress(void *arg)
{
	struct world *w = arg;

	w->steps += STEPS_LOOK;
	return w->steps > STEPS_MAX || db_stopped(w->live);
}

static bool creates(int action)
{
	return action == SQLITE_CREATE_TABLE || action == SQLITE_CREATE_VIEW || action == SQLITE_CREATE_INDEX ||
	       action == SQLITE_CREATE_TRIGGER || action == SQLITE_CREATE_VTABLE;
}

static bool is_own(const char *name) { return name && strncasecmp(name, "_alterd_", 8) == 0; }

/* What the guard of the run will refuse, as far as a schema is concerned. */
static int on_authorize(void *arg, int action, const char *a, const char *b, const char *database, const char *trigger)
{
	struct world *w = arg;

	(void)b;
	(void)database;
	(void)trigger;
	if (!w->guarded)
		return SQLITE_OK;
	if (action == SQLITE_ATTACH || action == SQLITE_DETACH)
		w->denied = "ATTACH and DETACH are not allowed";
	else if (is_own(a) && (creates(action) || action == SQLITE_READ || action == SQLITE_INSERT))
		w->denied = "names beginning with _alterd_ belong to the daemon";
	else
		return SQLITE_OK;
	return SQLITE_DENY;
}

static int row_table(void *arg, sqlite3_stmt *stmt)
{
	struct world *w = arg;
	const char *name = pool_str(w->pool, (const char *)sqlite3_column_text(stmt, 0));

	/* Of one that the run has made, more is known. */
	if (!world_table(w, name))
		world_add(w, (struct fact){.name = name, .live = w->opened ? NULL : name});
	return 0;
}

static const char tables_sql[] = "SELECT name FROM main.sqlite_schema WHERE type='table'";

int world_open(struct world *w, struct pool *pool, struct db *live, struct error *err)
{
	*w = (struct world){.pool = pool, .live = live};
	if (scratch_open(&w->db, true, err) != 0 || scratch_mirror(db_handle(live), w->db, &w->missing, err) != 0 ||
	    schema_each(w->db, err, row_table, w, tables_sql, NULL) != 0)
		return -1;
	w->opened = true;
	sqlite3_set_authorizer(w->db, on_authorize, w);
	sqlite3_progress_handler(w->db, STEPS_LOOK, on_progress, w);
	return 0;
}

void world_close(struct world *w)
{
	sqlite3_close(w->db);
	pool_free(&w->doers_pool);
	error_clear(&w->err);
	w->db = NULL;
}

static int exec(struct world *w, const char *sql, struct error *err)
{
	w->steps = 0;
	w->denied = NULL;
	return schema_exec(w->db, sql, err);
}

/* The name of the table whose b-tree begins at `root`, resp. the page where the table's begins; NULL, 0: there is none.
 */
static const char *name_of(struct world *w, int64_t root)
{
	sqlite3_stmt *stmt = NULL;
	const char *name = NULL;

	if (root && sqlite3_prepare_v2(w->db, "SELECT name FROM main.sqlite_schema WHERE type='table' AND rootpage=?1",
				       -1, &stmt, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(stmt, 1, root);
		if (sqlite3_step(stmt) == SQLITE_ROW)
			name = pool_str(w->pool, (const char *)sqlite3_column_text(stmt, 0));
	}
	sqlite3_finalize(stmt);
	return name;
}

static int64_t root_of(struct world *w, const char *name)
{
	sqlite3_stmt *stmt = NULL;
	int64_t root = 0;

	if (name && sqlite3_prepare_v2(w->db,
				       "SELECT rootpage FROM main.sqlite_schema WHERE type='table' AND "
				       "lower(name)=lower(?1)",
				       -1, &stmt, NULL) == SQLITE_OK) {
		sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
		if (sqlite3_step(stmt) == SQLITE_ROW)
			root = sqlite3_column_int64(stmt, 0);
	}
	sqlite3_finalize(stmt);
	return root;
}

/* A table keeps its rows under another name. */
static void follow(struct world *w, const char *name, int64_t root)
{
	struct fact *f = world_table(w, name);
	const char *now = name_of(w, root);

	if (f && now)
		f->name = now;
}

struct objects {
	struct pool *pool;
	const struct plan *plan;
	size_t n;
	const char **sql;
};

static int row_object(void *arg, sqlite3_stmt *stmt)
{
	struct objects *l = arg;
	const char *name = (const char *)sqlite3_column_text(stmt, 0);

	for (size_t i = 0; i < l->plan->ndropped; i++)
		if (strcasecmp(l->plan->dropped[i], name) == 0)
			return 0;
	l->sql = pool_grow(l->pool, l->sql, l->n, sizeof(*l->sql));
	l->sql[l->n++] = pool_str(l->pool, (const char *)sqlite3_column_text(stmt, 1));
	return 0;
}

static int row_temp(void *arg, sqlite3_stmt *stmt)
{
	struct objects *l = arg;

	l->sql = pool_grow(l->pool, l->sql, l->n, sizeof(*l->sql));
	l->sql[l->n++] = pool_str(l->pool, (const char *)sqlite3_column_text(stmt, 0));
	return 0;
}

/* The table is empty: it is made anew by its new text, with what belongs to it. */
static int retext(struct world *w, const struct plan *plan, struct error *err)
{
	struct objects own = {.pool = w->pool, .plan = plan};
	const char *texts[] = {plan->table, NULL};

	for (size_t i = 0; i < plan->nrenames; i++)
		if (exec(w, plan->renames[i], err) != 0)
			return -1;
	if (schema_each(w->db, err, row_object, &own,
			"SELECT name,sql FROM main.sqlite_schema WHERE tbl_name=?1 AND type<>'table' AND sql IS NOT "
			"NULL ORDER BY type='trigger', rowid",
			texts) != 0 ||
	    exec(w, pool_printf(w->pool, "DROP TABLE main.%s", quote_name(w->pool, plan->table)), err) != 0 ||
	    exec(w, plan->target_sql, err) != 0)
		return -1;
	for (size_t i = 0; i < own.n; i++)
		if (exec(w, own.sql[i], err) != 0)
			return -1;
	for (size_t i = 0; i < plan->nindexes; i++)
		if (plan->indexes[i].fresh && exec(w, plan->indexes[i].sql, err) != 0)
			return -1;
	for (size_t i = 0; i < plan->nobjects; i++)
		if (exec(w, plan->objects[i], err) != 0)
			return -1;
	if (plan->nobjects > 0 && schema_each(w->db, err, row_table, w, tables_sql, NULL) != 0)
		return -1;
	int64_t root = root_of(w, plan->table);
	if (plan->rename_sql && exec(w, plan->rename_sql, err) != 0)
		return -1;
	follow(w, plan->table, root);
	return 0;
}

static int apply_plan(struct world *w, const struct plan *plan, struct error *err)
{
	int64_t root = root_of(w, plan->table);

	switch (plan->strategy) {
	case STRATEGY_NONE:
		return 0;
	case STRATEGY_INDEX:
		return exec(w, plan->index_sql, err);
	case STRATEGY_DROP:
		return exec(w,
			    pool_printf(w->pool, "DROP %s main.%s", plan->dropped_index ? "INDEX" : "TABLE",
					quote_name(w->pool, plan->dropped_name)),
			    err);
	default:
		break;
	}
	if (!plan->instant_sql)
		return retext(w, plan, err);
	if (exec(w, plan->instant_sql, err) != 0)
		return -1;
	follow(w, plan->table, root);
	return 0;
}

/* Keeps what was done, or undoes all of it. */
static int settle(struct world *w, int rc, struct error *err)
{
	struct error none = {0};

	if (rc != 0 && w->denied) {
		error_clear(err);
		error_set(err, ERRC_DENIED, "%s", w->denied);
	}
	if (schema_exec(w->db, rc == 0 ? "RELEASE statement" : "ROLLBACK TO statement; RELEASE statement", &none) != 0)
		error_clear(&none);
	return rc;
}

int world_apply_plan(struct world *w, const struct plan *plan, struct error *err)
{
	if (exec(w, "SAVEPOINT statement", err) != 0)
		return -1;
	return settle(w, apply_plan(w, plan, err), err);
}

int world_end(struct world *w, struct error *err)
{
	struct objects temp = {.pool = w->pool};

	if (schema_each(
		    w->db, err, row_temp, &temp,
		    "SELECT 'DROP '||type||' temp.\"'||replace(name,'\"','\"\"')||'\"' FROM sqlite_temp_schema WHERE "
		    "type IN ('table','view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
		    NULL) != 0)
		return -1;
	for (size_t i = 0; i < temp.n; i++)
		if (exec(w, temp.sql[i], err) != 0)
			return -1;
	return 0;
}

bool world_compiles(struct world *w, const char *sql, bool dqs)
{
	sqlite3_stmt *stmt = NULL;

	w->denied = NULL;
	w->guarded = true;
	scratch_dqs(w->db, dqs);
	bool ok = sqlite3_prepare_v2(w->db, sql, -1, &stmt, NULL) == SQLITE_OK;
	sqlite3_finalize(stmt);
	scratch_dqs(w->db, true);
	w->guarded = false;
	return ok;
}

static bool changes_schema(const char *sql)
{
	static const char *const words[] = {"CREATE", "DROP", "ALTER"};

	for (size_t i = 0; i < 3; i++)
		if (strncasecmp(sql, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

/* SQLite refuses some new columns of a table that has rows, and only then: tried on a table with one. */
static int add_to_rows(struct world *w, const struct script_kind *k, const char *sql, struct error *err)
{
	const char *column = k->what == SCRIPT_ALTER ? script_added_column(w->pool, sql) : NULL;
	struct error why = {0};
	sqlite3 *db = NULL;

	if (!column || world_rows(w, k->name) == 0)
		return 0;
	int rc = scratch_open(&db, true, err);
	if (rc == 0 &&
	    schema_exec(db,
			pool_printf(w->pool,
				    "CREATE TABLE one(_alterd_one); INSERT INTO one VALUES(1); ALTER TABLE "
				    "one ADD COLUMN %s",
				    column),
			&why) != 0 &&
	    strncasecmp(why.message, "cannot add", 10) == 0) {
		error_move(err, &why);
		rc = -1;
	}
	error_clear(&why);
	sqlite3_close(db);
	return rc;
}

int world_apply(struct world *w, const struct script_kind *k, const char *sql, struct error *err)
{
	bool renames = k->what == SCRIPT_RENAME_TABLE, legacy = renames && k->rebuilds;
	bool alters = renames || k->what == SCRIPT_ALTER || k->what == SCRIPT_DROP_COLUMN;
	int64_t root = alters ? root_of(w, k->name) : 0;
	struct error none = {0};

	/* There are no rows to change. */
	if (!changes_schema(sql)) {
		if (world_compiles(w, sql, true))
			return 0;
		return w->denied ? error_set(err, ERRC_DENIED, "%s", w->denied)
				 : error_set_sqlite(err, SQLITE_ERROR, "SQLITE_ERROR", "%s", sqlite3_errmsg(w->db));
	}
	if ((legacy && exec(w, "PRAGMA legacy_alter_table=ON", err) != 0) || exec(w, "SAVEPOINT statement", err) != 0)
		return -1;
	w->guarded = true;
	int rc = exec(w, sql, err);
	w->guarded = false;
	if (rc == 0)
		rc = add_to_rows(w, k, sql, err);
	rc = settle(w, rc, err);
	if (legacy && schema_exec(w->db, "PRAGMA legacy_alter_table=OFF", &none) != 0)
		error_clear(&none);
	if (rc == 0 && alters)
		follow(w, k->name, root);
	return rc;
}
