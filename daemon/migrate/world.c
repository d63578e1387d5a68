#include "daemon/migrate/world.h"

#include <string.h>
#include <strings.h>

#include "daemon/migrate/plan_internal.h"

struct reading {
	struct pool *pool;
	struct world *out;
};

static const char *text(struct pool *pool, sqlite3_stmt *stmt, int column)
{
	return pool_str(pool, (const char *)sqlite3_column_text(stmt, column));
}

static int row_object(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;

	r->out->at = pool_grow(r->pool, r->out->at, r->out->n, sizeof(*r->out->at));
	r->out->at[r->out->n++] = (struct world_object){.type = text(r->pool, stmt, 0),
							.name = text(r->pool, stmt, 1),
							.table = text(r->pool, stmt, 2),
							.sql = text(r->pool, stmt, 3)};
	return 0;
}

int world_read(struct pool *pool, sqlite3 *db, struct world *ret, struct error *err)
{
	struct reading r = {.pool = pool, .out = ret};

	*ret = (struct world){0};
	return schema_each(db, err, row_object, &r,
			   "SELECT type,name,tbl_name,sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT "
			   "LIKE 'sqlite_%'"
			   " AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' ORDER BY rowid",
			   NULL);
}

int world_open(struct pool *pool, sqlite3 *from, sqlite3 **ret, struct error *err)
{
	struct world w;

	if (scratch_open(ret, true, err) != 0 || world_read(pool, from, &w, err) != 0)
		return -1;
	/* A trigger may be of a view that was made anew behind it. */
	for (int triggers = 0; triggers < 2; triggers++)
		for (size_t i = 0; i < w.n; i++) {
			if ((strcmp(w.at[i].type, "trigger") == 0) != triggers)
				continue;
			if ((sqlite3_exec(*ret, w.at[i].sql, NULL, NULL, NULL) & 0xff) == SQLITE_NOMEM)
				return error_set_sqlite(err, SQLITE_NOMEM, "SQLITE_NOMEM", "out of memory");
		}
	return 0;
}

const struct world_object *world_find(const struct world *w, const char *type, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->at[i].type, type) == 0 && strcasecmp(w->at[i].name, name) == 0)
			return &w->at[i];
	return NULL;
}
