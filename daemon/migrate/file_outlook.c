/* What a plan says of a statement, as figures and as JSON. */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/file_plan.h"
#include "proto/response.h"

/* Things that hang on a table which are told at most. */
#define TOUCHED_MAX 100

void outlook_warn(struct pool *pool, struct outlook *o, const char *text)
{
	for (size_t i = 0; i < o->nwarnings; i++)
		if (strcmp(o->warnings[i], text) == 0)
			return;
	o->warnings = pool_grow(pool, o->warnings, o->nwarnings, sizeof(*o->warnings));
	o->warnings[o->nwarnings++] = text;
}

static void touch(struct pool *pool, struct outlook *o, struct touched t)
{
	if (o->ntouched >= TOUCHED_MAX)
		return;
	o->touched = pool_grow(pool, o->touched, o->ntouched, sizeof(*o->touched));
	o->touched[o->ntouched++] = t;
}

struct naming {
	struct pool *pool;
	struct outlook *o;
};

/* Views, and triggers of other tables, whose text names the table. */
static int row_names(void *arg, sqlite3_stmt *stmt)
{
	struct naming *n = arg;
	const char *sql = (const char *)sqlite3_column_text(stmt, 2);

	if (!sql || !script_names(n->pool, sql, n->o->table))
		return 0;
	touch(n->pool, n->o,
	      (struct touched){.type = pool_str(n->pool, (const char *)sqlite3_column_text(stmt, 0)),
			       .name = pool_str(n->pool, (const char *)sqlite3_column_text(stmt, 1))});
	return 0;
}

int outlook_touches(struct pool *pool, sqlite3 *db, struct outlook *o, struct error *err)
{
	struct schema_table *t = NULL;
	struct error none = {0};
	struct naming naming = {.pool = pool, .o = o};
	const char *texts[] = {o->table, NULL};

	if (!o->table || !*o->table)
		return 0;
	if (schema_read(pool, db, o->table, &t, &none) != 0) {
		/* It is none, or not there yet: nothing hangs on it. */
		error_clear(&none);
		return 0;
	}
	for (size_t i = 0; i < t->nindexes; i++)
		if (t->indexes[i].sql)
			touch(pool, o, (struct touched){.type = "index", .name = t->indexes[i].name});
	for (size_t i = 0; i < t->ntriggers; i++)
		touch(pool, o, (struct touched){.type = "trigger", .name = t->triggers[i].name});
	for (size_t i = 0; i < t->nchildren; i++)
		touch(pool, o,
		      (struct touched){
			      .type = "foreign key", .name = t->children[i].child, .column = t->children[i].from});
	return schema_each(db, err, row_names, &naming,
			   "SELECT type,name,sql FROM main.sqlite_schema WHERE type='view' OR (type='trigger' AND "
			   "lower(tbl_name)<>lower(?1)) ORDER BY type DESC, rowid",
			   texts);
}

void outlook_sum(struct pool *pool, struct outlook *all, const struct outlook *o, bool whole)
{
	bool heavier = !all->strategy || o->hold_ms > all->hold_ms || o->needs_bytes > all->needs_bytes;

	if (heavier && o->strategy) {
		all->strategy = o->strategy;
		all->table = o->table;
		all->rows = o->rows;
	}
	all->needs_bytes = o->needs_bytes > all->needs_bytes ? o->needs_bytes : all->needs_bytes;
	all->hold_ms = whole ? (o->hold_ms > all->hold_ms ? o->hold_ms : all->hold_ms) : all->hold_ms + o->hold_ms;
	all->expected_ms = whole ? (o->expected_ms > all->expected_ms ? o->expected_ms : all->expected_ms)
				 : all->expected_ms + o->expected_ms;
	all->measured = all->measured || o->measured;
	all->destructive = all->destructive || o->destructive;
	all->fails = all->fails || o->fails;
	for (size_t i = 0; i < o->nwarnings; i++)
		outlook_warn(pool, all, o->warnings[i]);
}

static void lists(struct buf *out, const struct outlook *o)
{
	jw_key(out, "dependents");
	jw_open(out, '[');
	for (size_t i = 0; i < o->ntouched; i++) {
		jw_open(out, '{');
		jw_str(out, "type", o->touched[i].type);
		jw_str(out, "name", o->touched[i].name);
		if (o->touched[i].column)
			jw_str(out, "column", o->touched[i].column);
		jw_close(out, '}');
	}
	jw_close(out, ']');
	jw_key(out, "warnings");
	jw_open(out, '[');
	for (size_t i = 0; i < o->nwarnings; i++) {
		if (i)
			buf_putc(out, ',');
		json_write_string(out, o->warnings[i], strlen(o->warnings[i]));
	}
	jw_close(out, ']');
}

void outlook_write(struct buf *out, const struct outlook *o, bool reversible)
{
	jw_str(out, "strategy", o->strategy);
	jw_str(out, "table", o->table && *o->table ? o->table : NULL);
	jw_int(out, "rows", o->rows);
	jw_int(out, "needs_bytes", o->needs_bytes);
	jw_int(out, "blocks_writes_ms", o->hold_ms);
	jw_int(out, "expected_ms", o->expected_ms);
	jw_bool(out, "measured", o->measured);
	jw_bool(out, "destructive", o->destructive);
	jw_bool(out, "reversible", reversible);
	jw_bool(out, "fails", o->fails);
	lists(out, o);
}
