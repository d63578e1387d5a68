/* The tables of other tools; see adopt.h. */
#include "daemon/migrate/adopt.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/schema.h"

/*
 * What tells a tool's table, and its versions as (version, checksum or NULL, half done). schema_migrations is two
 * tools' name for it, and only one of them has the column `dirty`.
 */
static const struct source {
	const char *tool, *probe, *rows;
	bool cumulative; /* it knows the last version alone: those before it in the folder are applied, too */
} sources[] = {
	{"golang-migrate", "SELECT 1 FROM pragma_table_info('schema_migrations','main') WHERE name='dirty'",
	 "SELECT version,NULL,dirty FROM main.schema_migrations", true},
	{"dbmate",
	 "SELECT 1 FROM pragma_table_info('schema_migrations','main') WHERE name='version' AND NOT EXISTS"
	 " (SELECT 1 FROM pragma_table_info('schema_migrations','main') WHERE name='dirty')",
	 "SELECT version,NULL,0 FROM main.schema_migrations", false},
	{"goose", "SELECT 1 FROM pragma_table_info('goose_db_version','main') WHERE name='version_id'",
	 "SELECT version_id,NULL,0 FROM main.goose_db_version g WHERE is_applied AND version_id>0 AND id="
	 "(SELECT max(id) FROM main.goose_db_version WHERE version_id=g.version_id)",
	 false},
	{"sqlx", "SELECT 1 FROM pragma_table_info('_sqlx_migrations','main') WHERE name='checksum'",
	 "SELECT version,lower(hex(checksum)),NOT success FROM main._sqlx_migrations", false},
	{"diesel", "SELECT 1 FROM pragma_table_info('__diesel_schema_migrations','main') WHERE name='version'",
	 "SELECT replace(replace(version,'-',''),'_',''),NULL,0 FROM main.__diesel_schema_migrations", false},
	{"flyway", "SELECT 1 FROM pragma_table_info('flyway_schema_history','main') WHERE name='version'",
	 "SELECT version,NULL,NOT success FROM main.flyway_schema_history WHERE version IS NOT NULL", false},
	{"refinery", "SELECT 1 FROM pragma_table_info('refinery_schema_history','main') WHERE name='version'",
	 "SELECT version,NULL,0 FROM main.refinery_schema_history", false},
};

struct adopting {
	struct pool *pool;
	const struct folder *folder;
	struct history *history;
	const struct source *source;
	struct error *err;
	int rc;
};

static void take(struct adopting *a, int64_t number, const char *checksum)
{
	struct history *h = a->history;
	const struct version *v = a->folder ? folder_find(a->folder, number) : NULL;

	if (history_find(h, number))
		return;
	h->at = pool_grow(a->pool, h->at, h->n, sizeof(*h->at));
	h->at[h->n++] = (struct applied){
		.version = number,
		.name = v ? v->name : "",
		.checksum = checksum ? checksum
			    : v      ? v->checksum
				     : NULL,
		.applied_at = "",
		.tool = a->source ? a->source->tool : "user_version",
		.down_sql = v && v->down.present ? v->down.text : NULL,
	};
	h->version = number > h->version ? number : h->version;
}

/* All of the folder's versions up to this one, or it alone. */
static void take_up_to(struct adopting *a, int64_t number)
{
	for (size_t i = 0; a->folder && i < a->folder->n; i++)
		if (a->folder->at[i].number <= number)
			take(a, a->folder->at[i].number, NULL);
	take(a, number, NULL);
}

static int row_version(void *arg, sqlite3_stmt *stmt)
{
	struct adopting *a = arg;
	const char *text = (const char *)sqlite3_column_text(stmt, 0);
	char *end = NULL;
	long long number = text ? strtoll(text, &end, 10) : 0;

	if (!text || *end || number < 1)
		a->rc = error_set(a->err, ERRC_MIGRATION_INVALID, "the history of %s holds a version \"%.60s\"",
				  a->source->tool, text ? text : "");
	else if (sqlite3_column_int(stmt, 2))
		a->rc = error_set(a->err, ERRC_WRONG_STATE,
				  "%s left version %lld half done: mend that with %s first, or say baseline",
				  a->source->tool, number, a->source->tool);
	else if (a->source->cumulative)
		take_up_to(a, number);
	else
		take(a, number, pool_str(a->pool, (const char *)sqlite3_column_text(stmt, 1)));
	return a->rc;
}

static int by_version(const void *a, const void *b)
{
	int64_t x = ((const struct applied *)a)->version, y = ((const struct applied *)b)->version;

	return (x > y) - (x < y);
}

static int find_source(sqlite3 *handle, const struct source **ret, struct error *err)
{
	*ret = NULL;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && !*ret; i++) {
		bool found = false;
		if (schema_each(handle, err, schema_row_exists, &found, sources[i].probe, NULL) != 0)
			return -1;
		*ret = found ? &sources[i] : NULL;
	}
	return 0;
}

int adopt_tool(sqlite3 *handle, const char **ret, struct error *err)
{
	const struct source *source;

	if (find_source(handle, &source, err) != 0)
		return -1;
	*ret = source ? source->tool : NULL;
	return 0;
}

int adopt(struct pool *pool, sqlite3 *handle, const struct folder *folder, struct history *history, struct error *err)
{
	struct adopting a = {.pool = pool, .folder = folder, .history = history, .err = err};
	int64_t user_version = history->version;

	if (find_source(handle, &a.source, err) != 0)
		return -1;
	history->known = a.source || user_version > 0;
	if (a.source) {
		history->version = 0;
		if (schema_each(handle, err, row_version, &a, a.source->rows, NULL) != 0 || a.rc != 0)
			return -1;
	} else if (user_version > 0) {
		take_up_to(&a, user_version);
	}
	if (history->n > 0)
		qsort(history->at, history->n, sizeof(*history->at), by_version);
	return 0;
}
