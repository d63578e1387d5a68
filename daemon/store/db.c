/*
 * Connections: opening, the statement cache around prepare and step, transactions, errors.
 */
#include "daemon/store/db.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/guard.h"
#include "daemon/store/internal.h"

/* How long BEGIN waits for a process outside of the daemon that is writing the file. */
#define FOREIGN_BUSY_MS 1000
/* Longest prepare of a client's statement; looked at where the authoriser is called. */
#define PREPARE_NS (250 * NS_PER_MS)
#define WRITER_STATEMENTS 256
#define READER_STATEMENTS 128
/* What a blank database answers to "PRAGMA journal_mode" is delete: only a file with content counts as converted. */
#define WAL_WORD "wal"

sqlite3 *db_handle(struct db *db) { return db->handle; }

int db_error(struct db *db, const char *doing, struct error *err)
{
	int code = sqlite3_extended_errcode(db->handle);

	if (error_is_set(&db->facts.denied)) {
		if (!error_is_set(err))
			error_move(err, &db->facts.denied);
		error_clear(&db->facts.denied);
		return -1;
	}
	if (code == SQLITE_INTERRUPT && db->job)
		return error_stopped(err, (enum stop_reason)atomic_load(&db->job->stop));
	int offset = code == SQLITE_ERROR ? sqlite3_error_offset(db->handle) : -1;
	return error_from_sqlite(err, code, offset, doing, sqlite3_errmsg(db->handle));
}

/* --- opening --- */

static int apply_pragmas(struct db *db, bool *ret_was_rollback, struct error *err)
{
	const struct store_config *c = store_get_config(db->store);
	int64_t pages = 0;

	*ret_was_rollback = false;
	if (db_exec(db, err, "PRAGMA cache_size=%d; PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=0;",
		    -(int)(c->cache_bytes / 1024 / (db->writer ? 1 : 4))))
		return -1;
	if (!db->writer)
		return 0;
	sqlite3_stmt *stmt;
	if (db_int(db, &pages, err, "PRAGMA page_count") || db_prepare(db, "PRAGMA journal_mode", &stmt, err))
		return -1;
	int rc = db_step(db, stmt, err);
	*ret_was_rollback = rc == 1 && pages > 0 && strcmp((const char *)sqlite3_column_text(stmt, 0), WAL_WORD) != 0;
	db_done(db, stmt);
	if (rc < 0)
		return -1;
	/* The table is there to be updated: see sql_begin_counting(). */
	return db_exec(db, err,
		       "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA journal_size_limit=%lld;"
		       "CREATE TEMP TABLE _alterd_one(x); INSERT INTO temp._alterd_one VALUES(1);",
		       c->synchronous_full ? "FULL" : "NORMAL", (long long)c->wal_cap_bytes);
}

static void on_preupdate(void *arg, sqlite3 *handle, int op, const char *database, const char *table,
			 sqlite3_int64 old_rowid, sqlite3_int64 new_rowid)
{
	struct db *db = arg;

	if (!db->observer.row || strcmp(database, "main") != 0 || sqlite3_strnicmp(table, "_alterd_", 8) == 0)
		return;
	db->unflushed = true;
	db->observer.row(db->observer.arg, handle, op, table, old_rowid, new_rowid);
}

/* The last line against a change that is committed without its keys in the log. */
static int on_commit(void *arg)
{
	struct db *db = arg;

	return db->unflushed;
}

static int set_up(struct db *db, bool *ret_was_rollback, struct error *err)
{
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, FOREIGN_BUSY_MS);
	if (guard_install(db, err))
		return -1;
	if (db->writer) {
		/* Before anything is prepared: a DELETE prepared without the hook would skip it for good. */
		sqlite3_preupdate_hook(db->handle, on_preupdate, db);
		sqlite3_commit_hook(db->handle, on_commit, db);
	}
	if (apply_pragmas(db, ret_was_rollback, err))
		return -1;
	if (db->writer)
		checkpointer_attach(db); /* after PRAGMA wal_autocheckpoint, which would take the hook away */
	return 0;
}

int db_open(struct store *s, bool writer, struct db **ret, bool *ret_was_rollback, struct error *err)
{
	struct db *db = calloc(1, sizeof *db);
	int flags = SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
	bool was_rollback;

	if (!db)
		return error_from_sqlite(err, SQLITE_NOMEM, -1, "opening a connection", "out of memory");
	*db = (struct db){.store = s, .writer = writer};
	stmt_cache_init(&db->cache, writer ? WRITER_STATEMENTS : READER_STATEMENTS);
	if (sqlite3_open_v2(store_get_config(s)->path, &db->handle, flags, NULL) != SQLITE_OK || !db->handle) {
		error_from_sqlite(err, db->handle ? sqlite3_extended_errcode(db->handle) : SQLITE_NOMEM, -1, "opening the database",
				  db->handle ? sqlite3_errmsg(db->handle) : "out of memory");
		goto err_after_alloc;
	}
	if (set_up(db, &was_rollback, err))
		goto err_after_alloc;
	if (ret_was_rollback)
		*ret_was_rollback = was_rollback;
	*ret = db;
	return 0;

err_after_alloc:
	db_close(db);
	return -1;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	stmt_cache_clear(&db->cache);
	if (db->handle) {
		/* Functions and hooks point at db: no statement may be left to call them. */
		for (sqlite3_stmt *stmt; (stmt = sqlite3_next_stmt(db->handle, NULL));)
			sqlite3_finalize(stmt);
		sqlite3_close_v2(db->handle);
	}
	sqlite3_close_v2(db->scratch);
	error_clear(&db->facts.denied);
	free(db);
}

/* --- prepare, step, done --- */

/*
 * What the statement is depends on its text alone, never on the schema: a DROP TABLE IF EXISTS of a table that is not
 * there compiles to nothing and counts as read-only, but the same text is not a read the next time.
 */
static void mark_type(struct stmt_known *known, struct db *db)
{
	struct guard_facts *f = &db->facts;

	if (sqlite3_stmt_isexplain(known->stmt))
		f->type = SQL_TYPE_READ;
	else if (f->tx != SQL_TYPE_UNKNOWN)
		f->type = f->tx;
	else if (f->ddl || !(f->reads || f->writes))
		f->type = SQL_TYPE_DDL;
	else
		f->type = f->writes || !sqlite3_stmt_readonly(known->stmt) ? SQL_TYPE_WRITE : SQL_TYPE_READ;
	f->ddl = f->type == SQL_TYPE_DDL;
	known->type = f->type;
	known->calls_changes = f->calls_changes;
}

/* The first byte that is not blank, not a comment and not ';'. */
static const char *skip_blanks(const char *p)
{
	for (; *p; p++) {
		if (p[0] == '-' && p[1] == '-') {
			for (; p[1] && p[1] != '\n'; p++)
				;
		} else if (p[0] == '/' && p[1] == '*') {
			const char *end = strstr(p + 2, "*/");
			if (!end)
				return p + strlen(p);
			p = end + 1;
		} else if (!strchr(" \t\r\n\f;", *p)) {
			break;
		}
	}
	return p;
}

/*
 * SQLite finds some errors in a schema that another connection has changed since, without looking whether it has ("table
 * t has 3 columns but 2 values were supplied"). A statement that is run does look: after it the schema is the present one.
 */
static int prepare_again(struct db *db, const char *sql, size_t n, sqlite3_stmt **ret, const char **ret_tail)
{
	struct error ignored = {0};

	db_own(db, "SELECT 1 FROM main.sqlite_schema LIMIT 1", &ignored);
	error_clear(&ignored);
	db->facts = (struct guard_facts){.until_ns = db->facts.until_ns};
	return sqlite3_prepare_v3(db->handle, sql, (int)n + 1, 0, ret, ret_tail);
}

static int prepare_guarded(struct db *db, const char *sql, size_t n, struct stmt_known *ret, const char **ret_tail,
			   struct error *err)
{
	error_clear(&db->facts.denied);
	db->facts = (struct guard_facts){.until_ns = clock_now_ns() + PREPARE_NS};
	*ret = (struct stmt_known){.type = SQL_TYPE_EMPTY};
	if (n > (size_t)sqlite3_limit(db->handle, SQLITE_LIMIT_SQL_LENGTH, -1))
		return error_from_sqlite(err, SQLITE_TOOBIG, -1, NULL, "statement too long");
	int rc = sqlite3_prepare_v3(db->handle, sql, (int)n + 1, 0, &ret->stmt, ret_tail);
	if (rc == SQLITE_ERROR && !error_is_set(&db->facts.denied))
		rc = prepare_again(db, sql, n, &ret->stmt, ret_tail);
	if (rc != SQLITE_OK)
		return db_error(db, NULL, err);
	/* From here on the statement may be prepared again by SQLite, whenever the schema has changed. */
	db->facts.until_ns = CLOCK_NEVER;
	if (!ret->stmt)
		return 0;
	mark_type(ret, db);
	if (db->facts.ddl && guard_names_own(sqlite3_sql(ret->stmt))) {
		sqlite3_finalize(ret->stmt);
		return error_set(err, ERRC_DENIED, "names beginning with _alterd_ belong to the daemon");
	}
	/* VACUUM asks the authoriser only once it runs: it attaches a database then. */
	if (!db->facts.asked && sqlite3_strnicmp(skip_blanks(sql), "VACUUM", 6) == 0) {
		sqlite3_finalize(ret->stmt);
		return error_set(err, ERRC_DENIED, "ATTACH, DETACH and VACUUM are not allowed");
	}
	return 0;
}

int db_prepare_client(struct db *db, const char *sql, size_t n, sqlite3_stmt **ret, enum sql_type *ret_type,
		      struct error *err)
{
	struct stmt_known known = stmt_cache_take(&db->cache, sql, n, true);
	const char *tail = "";

	db->guarded = true;
	if (known.stmt) {
		error_clear(&db->facts.denied);
		db->facts = (struct guard_facts){
			.until_ns = CLOCK_NEVER,
			.calls_changes = known.calls_changes,
			/* db_done() puts it back under this: a BEGIN must not come out as a read the next time. */
			.type = (enum sql_type)known.type,
		};
	} else if (prepare_guarded(db, sql, n, &known, &tail, err)) {
		db->guarded = false;
		return -1;
	} else if (known.stmt && *skip_blanks(tail)) {
		sqlite3_finalize(known.stmt);
		db->guarded = false;
		return error_set(err, ERRC_INVALID_PARAMS, "more than one statement: send them with batch {script}");
	}
	if (!known.stmt)
		db->guarded = false;
	*ret = known.stmt;
	*ret_type = (enum sql_type)known.type;
	return 0;
}

int db_prepare_script(struct db *db, const char *sql, size_t n, sqlite3_stmt **ret, enum sql_type *ret_type,
		      const char **ret_tail, struct error *err)
{
	struct stmt_known known;

	db->guarded = true;
	int rc = prepare_guarded(db, sql, n, &known, ret_tail, err);
	if (rc || !known.stmt)
		db->guarded = false;
	if (rc)
		return -1;
	*ret = known.stmt;
	*ret_type = (enum sql_type)known.type;
	return 0;
}

int db_prepare(struct db *db, const char *sql, sqlite3_stmt **ret, struct error *err)
{
	struct stmt_known known = stmt_cache_take(&db->cache, sql, strlen(sql), false);

	PRE(!db->guarded);
	if (!known.stmt && sqlite3_prepare_v3(db->handle, sql, -1, 0, &known.stmt, NULL) != SQLITE_OK)
		return db_error(db, NULL, err);
	CHECK(known.stmt != NULL);
	*ret = known.stmt;
	return 0;
}

int db_step(struct db *db, sqlite3_stmt *stmt, struct error *err)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_error(db, NULL, err);
}

void db_done(struct db *db, sqlite3_stmt *stmt)
{
	bool guarded = db->guarded;

	db->guarded = false;
	if (!stmt)
		return;
	sqlite3_reset(stmt);
	/* DDL is prepared anew each time: a cached one would not ask the guard whether a migration is running. */
	if (db->no_cache || (guarded && db->facts.ddl)) {
		sqlite3_finalize(stmt);
		return;
	}
	sqlite3_clear_bindings(stmt);
	struct stmt_known known = {.stmt = stmt};
	if (guarded) {
		known.type = db->facts.type;
		known.calls_changes = db->facts.calls_changes;
	}
	stmt_cache_put(&db->cache, known, guarded);
}

int db_run(struct db *db, const char *sql, struct error *err)
{
	sqlite3_stmt *stmt;

	if (db_prepare(db, sql, &stmt, err))
		return -1;
	int rc;
	while ((rc = db_step(db, stmt, err)) == 1)
		;
	db_done(db, stmt);
	return rc;
}

int db_own(struct db *db, const char *sql, struct error *err)
{
	bool guarded = db->guarded;

	db->guarded = false;
	int rc = db_run(db, sql, err);
	db->guarded = guarded;
	return rc;
}

int db_exec(struct db *db, struct error *err, const char *format, ...)
{
	va_list args;

	PRE(!db->guarded);
	va_start(args, format);
	char *sql = sqlite3_vmprintf(format, args);
	va_end(args);
	if (!sql)
		return error_from_sqlite(err, SQLITE_NOMEM, -1, NULL, "out of memory");
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	return rc == SQLITE_OK ? 0 : db_error(db, NULL, err);
}

int db_int(struct db *db, int64_t *ret, struct error *err, const char *format, ...)
{
	va_list args;
	sqlite3_stmt *stmt = NULL;

	va_start(args, format);
	char *sql = sqlite3_vmprintf(format, args);
	va_end(args);
	if (!sql)
		return error_from_sqlite(err, SQLITE_NOMEM, -1, NULL, "out of memory");
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL) == SQLITE_OK ? db_step(db, stmt, err)
										   : db_error(db, NULL, err);
	if (rc == 1)
		*ret = sqlite3_column_int64(stmt, 0);
	else if (rc == 0)
		error_set(err, ERRC_INTERNAL, "no row: %s", sql);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	return rc == 1 ? 0 : -1;
}

/* --- transactions --- */

bool db_in_transaction(struct db *db) { return !sqlite3_get_autocommit(db->handle); }

int db_begin(struct db *db, struct error *err)
{
	return db_run(db, db->writer ? "BEGIN IMMEDIATE" : "BEGIN", err);
}

int db_flush(struct db *db, struct error *err)
{
	if (!db->unflushed)
		return 0;
	if (db->observer.flush && db->observer.flush(db->observer.arg, db, err))
		return -1;
	db->unflushed = false;
	return 0;
}

void db_undone(struct db *db)
{
	db->unflushed = false;
	if (db->observer.rolled_back)
		db->observer.rolled_back(db->observer.arg);
}

int db_commit(struct db *db, struct error *err)
{
	if (db_flush(db, err) == 0 && db_run(db, "COMMIT", err) == 0)
		return 0;
	db_rollback(db);
	return -1;
}

void db_rollback(struct db *db)
{
	struct error ignored = {0};

	if (db_in_transaction(db))
		db_run(db, "ROLLBACK", &ignored);
	error_clear(&ignored);
	if (db->writer)
		db_undone(db);
}

int db_set_full(struct db *db, bool full, struct error *err)
{
	PRE(db->writer && !db_in_transaction(db));
	return db_run(db, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", err);
}

int db_data_version(struct db *db, int64_t *ret, struct error *err)
{
	sqlite3_stmt *stmt;

	if (db_prepare(db, "PRAGMA data_version", &stmt, err))
		return -1;
	int rc = db_step(db, stmt, err);
	if (rc == 1)
		*ret = sqlite3_column_int64(stmt, 0);
	db_done(db, stmt);
	return rc == 1 ? 0 : -1;
}

void db_observe(struct db *db, const struct observer *observer)
{
	PRE(db->writer && !db->unflushed);
	db->observer = observer ? *observer : (struct observer){0};
}

/* --- schema edits --- */

int db_schema_edit_begin(struct db *db, struct error *err)
{
	PRE(db->writer && db_in_transaction(db));
	db_forget_statements(db);
	if (sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL) != SQLITE_OK)
		return db_error(db, "opening the schema for an edit", err);
	return db_exec(db, err, "PRAGMA writable_schema=ON");
}

int db_schema_edit_end(struct db *db, struct error *err)
{
	int64_t version = 0;
	int rc = db_int(db, &version, err, "PRAGMA main.schema_version");

	if (rc == 0)
		rc = db_exec(db, err, "PRAGMA main.schema_version=%lld", (long long)(version + 1) & 0x7fffffff);
	/* The door is closed whatever happened: neither of these is undone by ROLLBACK. */
	struct error closing = {0};
	if (db_exec(db, &closing, "PRAGMA writable_schema=RESET") && rc == 0)
		error_move(err, &closing), rc = -1;
	error_clear(&closing);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return rc;
}

void db_forget_statements(struct db *db)
{
	stmt_cache_clear(&db->cache);
	for (sqlite3_stmt *stmt = NULL; (stmt = sqlite3_next_stmt(db->handle, stmt));)
		sqlite3_reset(stmt);
}

/* --- text --- */

static void quote(struct buf *out, const char *text, char mark)
{
	buf_putc(out, mark);
	for (const char *p = text; *p; p++) {
		if (*p == mark)
			buf_putc(out, mark);
		buf_putc(out, *p);
	}
	buf_putc(out, mark);
}

void sql_quote_name(struct buf *out, const char *name) { quote(out, name, '"'); }
void sql_quote_text(struct buf *out, const char *text) { quote(out, text, '\''); }

/* --- time --- */

bool db_turn_over(struct db *db, uint64_t budget_ns)
{
	struct writer *w = &db->store->writer;
	uint64_t now = clock_now_ns();

	if (now - db->job->started_ns >= budget_ns)
		return true;
	return db->writer && atomic_load(&w->client_waits) && now - atomic_load(&w->client_since_ns) > budget_ns / 2;
}

bool db_stopped(struct db *db)
{
	return db->job && (atomic_load(&db->job->stop) != STOP_NONE || clock_now_ns() >= db->job->deadline_ns);
}
