/*
 * Connections: opening and closing, hooks, transactions, schema edits, errors.
 */
#include "daemon/store/db.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/guard.h"
#include "daemon/store/heap.h"
#include "daemon/store/internal.h"
#include "daemon/store/wal_vfs.h"

#define ROLLBACK_TRIES 100
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
	/* The tables are there to be updated: see sql_begin_counting() and tally_begin(). */
	return db_exec(db, err,
		       "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA journal_size_limit=%lld;"
		       "CREATE TEMP TABLE _alterd_one(x); INSERT INTO temp._alterd_one VALUES(1);"
		       "CREATE TEMP TABLE _alterd_mark(x); INSERT INTO temp._alterd_mark VALUES(0);",
		       c->synchronous_full ? "FULL" : "NORMAL",
		       c->checkpoint_external ? -1LL : (long long)c->wal_cap_bytes);
}

static void on_preupdate(void *arg, sqlite3 *handle, int op, const char *database, const char *table,
			 sqlite3_int64 old_rowid, sqlite3_int64 new_rowid)
{
	struct db *db = arg;

	if (db->tally.counting && strcmp(database, "main") == 0 && sqlite3_strnicmp(table, "_alterd_", 8) != 0)
		tally_row(&db->tally, op, table);
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
	bool external = store_get_config(db->store)->checkpoint_external;
	sqlite3_busy_timeout(db->handle, external ? DB_NEIGHBOUR_BUSY_MS : DB_BUSY_MS);
	/* Else the last one to close the file would checkpoint it, and delete the log. */
	if (external && sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
		return db_error(db, "setting up the connection", err);
	if (guard_install(db, err))
		return -1;
	if (db->writer) {
		/* Before anything is prepared: a DELETE prepared without the hook would skip it for good. */
		sqlite3_preupdate_hook(db->handle, on_preupdate, db);
		sqlite3_commit_hook(db->handle, on_commit, db);
		if (tally_install(&db->tally, db->store, db->handle) != SQLITE_OK)
			return db_error(db, "setting up the connection", err);
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
	bool was_rollback = false;

	if (!db)
		return error_from_sqlite(err, SQLITE_NOMEM, -1, "opening a connection", "out of memory");
	*db = (struct db){.store = s, .writer = writer};
	stmt_cache_init(&db->cache, writer ? WRITER_STATEMENTS : READER_STATEMENTS);
	if (sqlite3_open_v2(store_get_config(s)->path, &db->handle, flags, writer ? wal_vfs_name() : NULL) !=
		    SQLITE_OK ||
	    !db->handle) {
		error_from_sqlite(err, db->handle ? sqlite3_extended_errcode(db->handle) : SQLITE_NOMEM, -1,
				  "opening the database", db->handle ? sqlite3_errmsg(db->handle) : "out of memory");
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
		/*
		 * Functions and hooks point at db: no statement may be left to call them. The first close takes along
		 * the statements that virtual tables keep for themselves; what is left then is a client's.
		 */
		if (sqlite3_close(db->handle) != SQLITE_OK) {
			for (sqlite3_stmt *stmt; (stmt = sqlite3_next_stmt(db->handle, NULL));)
				sqlite3_finalize(stmt);
			sqlite3_close_v2(db->handle);
		}
	}
	sqlite3_close_v2(db->scratch);
	tally_free(&db->tally);
	error_clear(&db->facts.denied);
	free(db);
}

/* --- transactions --- */

bool db_in_transaction(struct db *db) { return !sqlite3_get_autocommit(db->handle); }

int db_begin(struct db *db, struct error *err) { return db_run(db, db->writer ? "BEGIN IMMEDIATE" : "BEGIN", err); }

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

/* Memory for a statement that must not fail: what the connection can spare, and more than it may take. */
static int run_over_the_limit(struct db *db, const char *sql, struct error *err)
{
	stmt_cache_clear(&db->cache);
	sqlite3_db_release_memory(db->handle);
	heap_unbounded(true);
	int rc = db_own(db, sql, err);
	heap_unbounded(false);
	return rc;
}

/*
 * To go on in a transaction that should be gone would keep what was refused. So it is tried until it works; where there
 * is no memory at all the daemon ends, and the next start rolls back.
 */
void db_rollback(struct db *db)
{
	for (int tries = 0; db_in_transaction(db); tries++) {
		struct error ignored = {0};
		CHECK(tries < ROLLBACK_TRIES);
		(void)(tries ? run_over_the_limit : db_own)(db, "ROLLBACK", &ignored);
		error_clear(&ignored);
	}
	if (db->writer)
		db_undone(db);
}

int db_foreign_keys(struct db *db, bool on, struct error *err)
{
	PRE(db->writer && !db_in_transaction(db));
	if (db_run(db, on ? "PRAGMA foreign_keys=ON" : "PRAGMA foreign_keys=OFF", err) == 0)
		return 0;
	if (!on)
		return -1;
	for (int tries = 0;; tries++) {
		struct error ignored = {0};
		CHECK(tries < ROLLBACK_TRIES);
		int rc = run_over_the_limit(db, "PRAGMA foreign_keys=ON", &ignored);
		error_clear(&ignored);
		if (rc == 0)
			break;
	}
	error_clear(err);
	return 0;
}

int db_set_full(struct db *db, bool full, struct error *err)
{
	PRE(db->writer && !db_in_transaction(db));
	return db_run(db, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", err);
}

bool db_wal_waits(const struct db *db) { return checkpointer_wants_writer(db->store); }

void db_sync_wal(struct db *db)
{
	sqlite3_file *wal = NULL;

	if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK && wal &&
	    wal->pMethods)
		(void)wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
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

	db->schema_touched = true;
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
	uint64_t now = clock_now_ns(), held_ns = now - db->job->started_ns;

	if (held_ns >= budget_ns)
		return true;
	return db->writer && held_ns >= db->job->sure_ns && atomic_load(&w->client_waits) &&
	       now - atomic_load(&w->client_since_ns) > budget_ns / 2;
}

bool db_stopped(struct db *db)
{
	return db->job && (atomic_load(&db->job->stop) != STOP_NONE || clock_now_ns() >= db->job->deadline_ns);
}
