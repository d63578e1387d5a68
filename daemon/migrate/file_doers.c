/* Views and triggers of a plan's scratch schema: what becomes of them from one version to the next. */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/file_world.h"
#include "daemon/migrate/schema.h"

/* A schema with more of them is not looked at: each takes a compilation for every column of its table. */
#define DOERS_MAX 500

struct looking {
	struct pool *pool;
	size_t n;
	struct doer *at;
};

static int row_doer(void *arg, sqlite3_stmt *stmt)
{
	struct looking *l = arg;

	l->at = pool_grow(l->pool, l->at, l->n, sizeof(*l->at));
	l->at[l->n++].o = (struct dependent){
		.type = pool_str(l->pool, (const char *)sqlite3_column_text(stmt, 0)),
		.name = pool_str(l->pool, (const char *)sqlite3_column_text(stmt, 1)),
		.table = pool_str(l->pool, (const char *)sqlite3_column_text(stmt, 2)),
		.sql = pool_str(l->pool, (const char *)sqlite3_column_text(stmt, 3)),
	};
	return 0;
}

static enum doing look(struct world *w, struct pool *scrap, const struct dependent *o, bool *no_memory)
{
	scratch_dqs(w->db, false);
	bool works = dependent_works(scrap, w->db, o, no_memory);
	scratch_dqs(w->db, true);
	if (works)
		return DOES;
	return dependent_works(scrap, w->db, o, no_memory) ? DOES_QUOTED : DOES_NOT;
}

static const struct doer *before(const struct world *w, const struct dependent *o)
{
	for (size_t i = 0; i < w->ndoers; i++)
		if (strcmp(w->doers[i].o.type, o->type) == 0 && strcasecmp(w->doers[i].o.name, o->name) == 0)
			return &w->doers[i];
	return NULL;
}

static const char *change(enum doing was, enum doing is)
{
	if (is == DOES_NOT && was != DOES_NOT)
		return "no longer works: it uses what is gone";
	if (is == DOES_QUOTED && was == DOES)
		return "uses a column that is gone in double quotes: from here on that is a string";
	if (is == DOES && was == DOES_QUOTED)
		return "has a string in double quotes: from here on that is a column";
	return NULL;
}

int world_doers(struct world *w, struct pool *scrap, void (*tell)(void *arg, const char *text), void *arg,
		struct error *err)
{
	struct pool pool = {0};
	struct looking l = {.pool = &pool};
	bool no_memory = false;

	w->steps = 0;
	if (schema_each(w->db, err, row_doer, &l,
			"SELECT type,name,tbl_name,sql FROM main.sqlite_schema WHERE type IN ('view','trigger') ORDER "
			"BY rowid",
			NULL) != 0) {
		pool_free(&pool);
		return -1;
	}
	for (size_t i = 0; i < l.n && l.n <= DOERS_MAX; i++) {
		struct doer *d = &l.at[i];
		const struct doer *was = before(w, &d->o);
		d->how = look(w, scrap, &d->o, &no_memory);
		const char *what = was ? change(was->how, d->how) : NULL;
		if (what)
			tell(arg, pool_printf(scrap, "%s %s %s", d->o.type, d->o.name, what));
	}
	pool_free(&w->doers_pool);
	w->doers_pool = pool;
	w->doers = l.at;
	w->ndoers = l.n <= DOERS_MAX ? l.n : 0;
	return no_memory ? error_set_sqlite(err, SQLITE_NOMEM, "SQLITE_NOMEM", "out of memory") : 0;
}
