/*
 * The guard. Set once per connection: sqlite3_set_authorizer() would expire every prepared statement. `db->guarded`
 * says whether a client's statement is at work; the daemon's own SQL passes through.
 *
 * A statement is classified while it is prepared, from what the authoriser sees: some PRAGMAs act already in
 * sqlite3_prepare() and count as read-only, so nothing may be prepared without it.
 */
#include "daemon/store/guard.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/lib/check.h"
#include "daemon/store/internal.h"

/* Virtual machine steps between two looks at the clock and at the stop flag: some 10 us. */
#define PROGRESS_STEPS 1000

/* PRAGMAs that only read, with and without an argument. Everything else is refused. */
static const char *const pragmas[] = {
	"application_id",     "auto_vacuum",    "cache_size",         "collation_list", "compile_options",
	"data_version",       "database_list",  "defer_foreign_keys", "encoding",       "foreign_key_list",
	"foreign_keys",       "freelist_count", "function_list",      "index_info",     "index_list",
	"index_xinfo",        "journal_mode",   "journal_size_limit", "max_page_count", "module_list",
	"page_count",         "page_size",      "pragma_list",        "query_only",     "read_uncommitted",
	"recursive_triggers", "schema_version", "secure_delete",      "synchronous",    "table_info",
	"table_list",         "table_xinfo",    "temp_store",         "user_version",   "wal_autocheckpoint",
};
static const char *const pragmas_with_argument[] = {
	"foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_list", "table_xinfo",
};

static const char *const functions_denied[] = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"};
/* These take no longer than any other step of the virtual machine. */
static const char *const functions_short[] = {"abs", "avg", "coalesce", "count", "ifnull",
					      "max", "min", "sum",      "total", "typeof"};
static const char *const modules[] = {"fts3", "fts4", "fts4aux", "fts5", "fts5vocab", "rtree", "rtree_i32"};

#define NEIGHBOURS "%s belongs to the process that copies the log away (store.checkpoint = external)"

#define IN(word, list) in_list(word, list, sizeof(list) / sizeof *(list))

static bool in_list(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; word && i < n; i++)
		if (strcasecmp(word, list[i]) == 0)
			return true;
	return false;
}

static bool is_own(const char *name) { return name && sqlite3_strnicmp(name, "_alterd_", 8) == 0; }

/* Where another process copies the log away: it alone writes its tables. */
static bool is_neighbours(const struct db *db, const char *name)
{
	return store_get_config(db->store)->checkpoint_external && name &&
	       sqlite3_strnicmp(name, "_litestream_", 12) == 0;
}

bool guard_names_own(const char *sql)
{
	for (const char *p = sql; p && (p = strcasestr(p, "_alterd_")) != NULL; p++) {
		unsigned char before = p == sql ? ' ' : (unsigned char)p[-1];
		if (!isalnum(before) && before != '_' && before != '$' && before < 0x80)
			return true;
	}
	return false;
}

/* Keeps the reason and refuses. */
static int deny(struct db *db, enum errc which, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int deny(struct db *db, enum errc which, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	error_set(&db->facts.denied, which, "%s", text);
	return SQLITE_DENY;
}

static int on_pragma(struct db *db, const char *name, const char *argument)
{
	if (argument ? IN(name, pragmas_with_argument) : IN(name, pragmas))
		return SQLITE_OK;
	return deny(db, ERRC_DENIED, "PRAGMA %s%s is not allowed", name, argument ? " with a value" : "");
}

/* CREATE, DROP or ALTER of `name`, which belongs to `table` (may be the same). */
static int on_ddl(struct db *db, const char *name, const char *table)
{
	char job[64];

	db->facts.ddl = true;
	if (is_own(name) || is_own(table))
		return deny(db, ERRC_DENIED, "%s: names beginning with _alterd_ belong to the daemon",
			    is_own(name) ? name : table);
	if (is_neighbours(db, name) || is_neighbours(db, table))
		return deny(db, ERRC_DENIED, NEIGHBOURS, name);
	if (store_protected(db->store, table ? table : name, job, sizeof job)) {
		deny(db, ERRC_MIGRATION_RUNNING, "migration %s is changing table %s", job, table ? table : name);
		error_add_str(&db->facts.denied, "job", job);
		return SQLITE_DENY;
	}
	return SQLITE_OK;
}

static int on_transaction(struct db *db, const char *word)
{
	db->facts.tx = strcasecmp(word, "BEGIN") == 0    ? SQL_TYPE_TX_BEGIN
		       : strcasecmp(word, "COMMIT") == 0 ? SQL_TYPE_TX_COMMIT
							 : SQL_TYPE_TX_ROLLBACK;
	return SQLITE_OK;
}

static int on_savepoint(struct db *db, const char *word)
{
	db->facts.tx = strcasecmp(word, "BEGIN") == 0     ? SQL_TYPE_SAVEPOINT
		       : strcasecmp(word, "RELEASE") == 0 ? SQL_TYPE_RELEASE
							  : SQL_TYPE_ROLLBACK_TO;
	return SQLITE_OK;
}

static int on_function(struct db *db, const char *name)
{
	if (IN(name, functions_denied))
		return deny(db, ERRC_DENIED, "function %s is not allowed", name);
	if (strcasecmp(name, "changes") == 0)
		db->facts.calls_changes = true;
	if (!IN(name, functions_short))
		db->facts.involved = true;
	return SQLITE_OK;
}

static int on_vtable(struct db *db, const char *table, const char *module)
{
	if (!IN(module, modules))
		return deny(db, ERRC_DENIED, "virtual tables of module %s are not allowed", module);
	return on_ddl(db, table, NULL);
}

static int on_table(struct db *db, const char *table)
{
	if (is_own(table))
		return deny(db, ERRC_DENIED, "table %s belongs to the daemon", table);
	/* It reads every page of the file, and tells of every table. */
	if (strcasecmp(table, "dbstat") == 0)
		return deny(db, ERRC_DENIED, "dbstat is not allowed");
	return SQLITE_OK;
}

/*
 * What a role that only writes rows may not: alterd_migrations holds SQL that `down` will run, and which versions count
 * as applied; SQLite's statistics decide how everybody's statements run (ANALYZE, which makes them, is DDL). A trigger
 * was made by somebody who may.
 */
static bool keeps_schema(const char *table, const char *trigger)
{
	return !trigger &&
	       (strcasecmp(table, "alterd_migrations") == 0 || sqlite3_strnicmp(table, "sqlite_stat", 11) == 0);
}

/* CREATE TABLE temp.x: the word TEMP is missing, and so is the code for it. */
static bool makes_in_temp(int action, const char *database)
{
	switch (action) {
	case SQLITE_CREATE_TABLE:
	case SQLITE_CREATE_VIEW:
	case SQLITE_CREATE_INDEX:
	case SQLITE_CREATE_TRIGGER:
	case SQLITE_CREATE_VTABLE:
		return database && strcasecmp(database, "temp") == 0;
	default:
		return false;
	}
}

/* SQLite's own tables cannot be dropped, and clients would find them before those of the database. */
static bool stays_in_temp(int action, const char *name)
{
	return (action == SQLITE_CREATE_TABLE || action == SQLITE_CREATE_TEMP_TABLE) &&
	       sqlite3_strnicmp(name, "sqlite_", 7) == 0;
}

static const char *temp_denied(const struct db *db)
{
	return db->temp ? "AUTOINCREMENT and ANALYZE of TEMP tables are not allowed: they would leave a table behind"
			: "TEMP objects are not allowed: connections are shared";
}

static bool changes_schema(int action)
{
	switch (action) {
	case SQLITE_CREATE_INDEX:
	case SQLITE_CREATE_TABLE:
	case SQLITE_CREATE_TRIGGER:
	case SQLITE_CREATE_VIEW:
	case SQLITE_CREATE_VTABLE:
	case SQLITE_DROP_INDEX:
	case SQLITE_DROP_TABLE:
	case SQLITE_DROP_TRIGGER:
	case SQLITE_DROP_VIEW:
	case SQLITE_DROP_VTABLE:
	case SQLITE_ALTER_TABLE:
	case SQLITE_ANALYZE:
		return true;
	default:
		return false;
	}
}

static int authorize(void *arg, int action, const char *a, const char *b, const char *database, const char *trigger)
{
	struct db *db = arg;

	if (db->writer && changes_schema(action))
		db->schema_touched = true;
	if (!db->guarded)
		return SQLITE_OK;
	db->facts.asked = true;
	if (makes_in_temp(action, database) && (!db->temp || stays_in_temp(action, a)))
		return deny(db, ERRC_DENIED, "%s", temp_denied(db));
	if (clock_now_ns() > db->facts.until_ns && db_prepare_is_long(db))
		return deny(db, ERRC_DENIED, "the statement is too complex: preparing it takes too long");
	/* flat switch */
	switch (action) {
	case SQLITE_ATTACH:
	case SQLITE_DETACH:
		return deny(db, ERRC_DENIED, "ATTACH, DETACH and VACUUM are not allowed");
	case SQLITE_PRAGMA:
		db->facts.reads = db->facts.involved = db->facts.pragma = true;
		return on_pragma(db, a, b);
	case SQLITE_FUNCTION:
		return on_function(db, b);
	case SQLITE_TRANSACTION:
		return on_transaction(db, a);
	case SQLITE_SAVEPOINT:
		return on_savepoint(db, a);
	case SQLITE_CREATE_TEMP_INDEX:
	case SQLITE_CREATE_TEMP_TABLE:
	case SQLITE_CREATE_TEMP_TRIGGER:
	case SQLITE_CREATE_TEMP_VIEW:
	case SQLITE_DROP_TEMP_INDEX:
	case SQLITE_DROP_TEMP_TABLE:
	case SQLITE_DROP_TEMP_TRIGGER:
	case SQLITE_DROP_TEMP_VIEW:
		if (db->temp && !stays_in_temp(action, a))
			return on_ddl(db, a, b);
		return deny(db, ERRC_DENIED, "%s", temp_denied(db));
	case SQLITE_CREATE_VTABLE:
	case SQLITE_DROP_VTABLE:
		return on_vtable(db, a, b);
	case SQLITE_CREATE_INDEX:
	case SQLITE_CREATE_TRIGGER:
	case SQLITE_DROP_INDEX:
	case SQLITE_DROP_TRIGGER:
		return on_ddl(db, a, b);
	case SQLITE_CREATE_TABLE:
	case SQLITE_CREATE_VIEW:
	case SQLITE_DROP_TABLE:
	case SQLITE_DROP_VIEW:
	case SQLITE_REINDEX:
		return on_ddl(db, a, NULL);
	case SQLITE_ANALYZE:
		/* Of the whole file: the daemon's own tables are passed over. */
		db->facts.ddl = true;
		return is_own(a) || is_neighbours(db, a) ? SQLITE_IGNORE : on_ddl(db, a, NULL);
	case SQLITE_ALTER_TABLE:
		return on_ddl(db, b, NULL);
	case SQLITE_INSERT:
	case SQLITE_UPDATE:
	case SQLITE_DELETE:
		db->facts.writes = true;
		db->facts.keeps_schema = db->facts.keeps_schema || keeps_schema(a, trigger);
		return is_neighbours(db, a) ? deny(db, ERRC_DENIED, NEIGHBOURS, a) : on_table(db, a);
	case SQLITE_READ:
		return on_table(db, a);
	case SQLITE_SELECT:
		db->facts.reads = true;
		return SQLITE_OK;
	case SQLITE_RECURSIVE:
		db->facts.involved = true;
		return SQLITE_OK;
	default:
		return deny(db, ERRC_DENIED, "not allowed");
	}
}

/* Non-zero ends the running statement with SQLITE_INTERRUPT. */
static int progress(void *arg)
{
	struct db *db = arg;
	struct job *job = db->job;

	pulse_beat();
	if (!job)
		return 0;
	db->looks++;
	if (atomic_load_explicit(&job->stop, memory_order_relaxed) != STOP_NONE)
		return 1;
	uint64_t now = clock_now_ns();
	if (now >= job->deadline_ns) {
		job_stop(job, STOP_TIMEOUT);
		return 1;
	}
	if (db->writer)
		return 0;
	if (db->quick)
		return quick_over(db, now);
	readers_notice_long(db, now - job->started_ns);
	readers_take_turn(db);
	return atomic_load_explicit(&job->stop, memory_order_relaxed) != STOP_NONE;
}

static void set_limits(struct db *db)
{
	const struct store_config *c = store_get_config(db->store);

	sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, (int)c->value_bytes);
	sqlite3_limit(db->handle, SQLITE_LIMIT_SQL_LENGTH, (int)c->sql_bytes);
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
	/* A LIKE of n bytes against m compares up to n*m; long patterns only serve to burn time nobody can interrupt.
	 */
	sqlite3_limit(db->handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000);
	sqlite3_limit(db->handle, SQLITE_LIMIT_WORKER_THREADS, 0);
}

int guard_install(struct db *db, struct error *err)
{
	sqlite3 *h = db->handle;

	set_limits(db);
	int rc = sqlite3_db_config(h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(h, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(h, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
	if (rc == SQLITE_OK)
		rc = functions_install(db);
	if (rc == SQLITE_OK)
		rc = sqlite3_set_authorizer(h, authorize, db);
	if (rc != SQLITE_OK)
		return db_error(db, "setting up the connection", err);
	sqlite3_progress_handler(h, PROGRESS_STEPS, progress, db);
	return 0;
}
