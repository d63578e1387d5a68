#include "daemon/migrate/listing.h"

#include <string.h>
#include <strings.h>

#include "daemon/migrate/schema.h"

struct reading {
	struct pool *pool;
	struct listing *out;
};

static const char *text(struct pool *pool, sqlite3_stmt *stmt, int column)
{
	return pool_str(pool, (const char *)sqlite3_column_text(stmt, column));
}

static int row_object(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;

	r->out->at = pool_grow(r->pool, r->out->at, r->out->n, sizeof(*r->out->at));
	r->out->at[r->out->n++] = (struct listed){.type = text(r->pool, stmt, 0),
						  .name = text(r->pool, stmt, 1),
						  .table = text(r->pool, stmt, 2),
						  .sql = text(r->pool, stmt, 3)};
	return 0;
}

int listing_read(struct pool *pool, sqlite3 *db, struct listing *ret, struct error *err)
{
	struct reading r = {.pool = pool, .out = ret};

	*ret = (struct listing){0};
	return schema_each(db, err, row_object, &r,
			   "SELECT type,name,tbl_name,sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT "
			   "LIKE 'sqlite_%'"
			   " AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' ORDER BY rowid",
			   NULL);
}

const struct listed *listing_find(const struct listing *l, const char *type, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->at[i].type, type) == 0 && strcasecmp(l->at[i].name, name) == 0)
			return &l->at[i];
	return NULL;
}
