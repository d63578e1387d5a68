/* The SQL of alterd_migrations. */
#include "daemon/migrate/history.h"

#include "daemon/lib/clock.h"
#include "daemon/migrate/schema.h"

#define COLUMNS "version,name,checksum,applied_at,took_ms,applied_by,tool,down_sql"
#define ORDER " ORDER BY applied_at,version"
/* A row if the table has the column. */
#define CONSENTS "SELECT 1 FROM pragma_table_info('" HISTORY_TABLE "','main') WHERE name='consented_by'"

struct reading {
	struct pool *pool;
	struct history *out;
};

static int row_version(void *arg, sqlite3_stmt *stmt)
{
	*(int64_t *)arg = sqlite3_column_int64(stmt, 0);
	return 0;
}

static int row_other(void *arg, sqlite3_stmt *stmt)
{
	(void)stmt;
	((struct history *)arg)->empty = false;
	return 0;
}

static int row_applied(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;
	struct history *h = r->out;
	const char *text[9] = {0};

	for (int i = 0; i < 9; i++)
		text[i] = pool_str(r->pool, (const char *)sqlite3_column_text(stmt, i));
	h->at = pool_grow(r->pool, h->at, h->n, sizeof(*h->at));
	h->at[h->n++] = (struct applied){
		.version = sqlite3_column_int64(stmt, 0),
		.name = text[1] ? text[1] : "",
		.checksum = text[2] && *text[2] ? text[2] : NULL,
		.applied_at = text[3] ? text[3] : "",
		.took_ms = sqlite3_column_int64(stmt, 4),
		.applied_by = text[5],
		.tool = text[6],
		.down_sql = text[7],
		.consented_by = text[8],
	};
	if (h->at[h->n - 1].version > h->version)
		h->version = h->at[h->n - 1].version;
	return 0;
}

int history_read(struct pool *pool, sqlite3 *handle, struct history *ret, struct error *err)
{
	struct history h = {.empty = true};
	struct reading r = {.pool = pool, .out = &h};

	if (schema_each(handle, err, schema_row_exists, &h.exists,
			"SELECT 1 FROM main.sqlite_schema WHERE type='table' AND name='" HISTORY_TABLE "'",
			NULL) != 0 ||
	    schema_each(handle, err, row_other, &h,
			"SELECT 1 FROM main.sqlite_schema WHERE type='table' AND name<>'" HISTORY_TABLE "' AND name NOT"
			" LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\'"
			/* Those of a neighbour that copies the log away. */
			" AND name NOT LIKE '\\_litestream\\_%' ESCAPE '\\' LIMIT 1",
			NULL) != 0)
		return -1;
	bool consents = false;
	if (h.exists && (schema_each(handle, err, schema_row_exists, &consents, CONSENTS, NULL) != 0 ||
			 schema_each(handle, err, row_applied, &r,
				     consents ? "SELECT " COLUMNS ",consented_by FROM main." HISTORY_TABLE ORDER
					      : "SELECT " COLUMNS ",NULL FROM main." HISTORY_TABLE ORDER,
				     NULL) != 0))
		return -1;
	if (h.n == 0 && schema_each(handle, err, row_version, &h.version, "PRAGMA main.user_version", NULL) != 0)
		return -1;
	*ret = h;
	return 0;
}

const struct applied *history_find(const struct history *h, int64_t version)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->at[i].version == version)
			return &h->at[i];
	return NULL;
}

int history_must_be_fresh(const struct history *h, struct error *err)
{
	if (h->n > 0)
		return error_set(err, ERRC_WRONG_STATE,
				 "the database is at version %lld already: a dump is for a fresh one",
				 (long long)h->version);
	return h->empty ? 0 : error_set(err, ERRC_WRONG_STATE, "the database has tables: a dump is for a fresh one");
}

/* PRAGMA user_version has 32 bits with a sign: a version that does not fit would be stored as another. */
static int follow(struct db *db, int64_t version, struct error *err)
{
	return version >= 0 && version <= INT32_MAX
		       ? db_exec(db, err, "PRAGMA main.user_version=%lld", (long long)version)
		       : 0;
}

static int after_change(struct db *db, struct error *err)
{
	int64_t version = 0;

	if (db_int(db, &version, err, "SELECT ifnull(max(version),0) FROM main." HISTORY_TABLE) != 0)
		return -1;
	return follow(db, version, err);
}

static int make_table(struct db *db, struct error *err)
{
	bool consents = false;

	if (db_exec(db, err,
		    "CREATE TABLE IF NOT EXISTS main." HISTORY_TABLE
		    "(version INTEGER PRIMARY KEY, name TEXT, checksum TEXT, applied_at TEXT, took_ms INTEGER,"
		    " applied_by TEXT, tool TEXT, down_sql TEXT, consented_by TEXT)") != 0 ||
	    schema_each(db_handle(db), err, schema_row_exists, &consents, CONSENTS, NULL) != 0)
		return -1;
	return consents ? 0 : db_exec(db, err, "ALTER TABLE main." HISTORY_TABLE " ADD COLUMN consented_by TEXT");
}

int history_add(struct db *db, const struct applied *a, struct error *err)
{
	if (make_table(db, err) != 0 ||
	    db_exec(db, err,
		    "INSERT INTO main." HISTORY_TABLE "(" COLUMNS
		    ",consented_by) VALUES(%lld,%Q,%Q,%Q,%lld,%Q,%Q,%Q,%Q)",
		    (long long)a->version, a->name, a->checksum, a->applied_at, (long long)a->took_ms, a->applied_by,
		    a->tool, a->down_sql, a->consented_by) != 0)
		return -1;
	return after_change(db, err);
}

int history_remove(struct db *db, int64_t version, struct error *err)
{
	if (db_exec(db, err, "DELETE FROM main." HISTORY_TABLE " WHERE version=%lld", (long long)version) != 0)
		return -1;
	return after_change(db, err);
}

int history_date(struct db *db, struct pool *pool, const char *applied_by, struct error *err)
{
	struct history h;
	int64_t now = clock_wall_ms();
	char date[32];

	if (history_read(pool, db_handle(db), &h, err) != 0)
		return -1;
	if (h.n == 0)
		return error_set(err, ERRC_MIGRATION_INVALID, "the dump has recorded no version");
	/* The way down is that of application, told by these dates: each its own, and none in the future. */
	for (size_t i = 0; i < h.n; i++) {
		clock_format(now - (int64_t)(h.n - i), 3, date);
		if (db_exec(db, err, "UPDATE main." HISTORY_TABLE " SET applied_at=%Q,applied_by=%Q WHERE version=%lld",
			    date, applied_by, (long long)h.at[i].version) != 0)
			return -1;
	}
	return after_change(db, err);
}

int history_set_checksum(struct db *db, int64_t version, const char *checksum, struct error *err)
{
	return db_exec(db, err, "UPDATE main." HISTORY_TABLE " SET checksum=%Q WHERE version=%lld", checksum,
		       (long long)version);
}
