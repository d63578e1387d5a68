/*
 * What `migrate` may use of the store: a connection, statements on it, transactions, and the observer of changes.
 *
 * A migration's work is a job: store_submit_writer() for a bounded piece of writer time, store_submit_reader() for work
 * on a snapshot. Inside run() these functions apply, on that lane's thread only.
 */
#ifndef ALTERD_STORE_ENGINE_H
#define ALTERD_STORE_ENGINE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/job.h"
#include "daemon/store/store.h"
#include "proto/buf.h"
#include "proto/error.h"

struct db;

/* The connection itself, for what this header does not wrap. The daemon's own SQL is not guarded. */
sqlite3 *db_handle(struct db *db);

/* A prepared statement from the connection's cache, reset and with no bindings. Borrowed until db_done(). */
int db_prepare(struct db *db, const char *sql, sqlite3_stmt **ret, struct error *err);
/* Steps. Returns 1 for a row, 0 at the end, -1 on failure. */
int db_step(struct db *db, sqlite3_stmt *stmt, struct error *err);
/* Resets the statement, clears its bindings, gives it back. NULL is fine. */
void db_done(struct db *db, sqlite3_stmt *stmt);

/* Runs one or more statements made by printf-like `format` (sqlite3_mprintf's: %Q %w). Rows are dropped. */
int db_exec(struct db *db, struct error *err, const char *format, ...);
/* Runs one statement that somebody else wrote, under the guard of clients; rows are dropped. */
int db_exec_guarded(struct db *db, const char *sql, struct error *err);
/* One integer; *ret untouched and -1 if there is no row. */
int db_int(struct db *db, int64_t *ret, struct error *err, const char *format, ...);

int db_begin(struct db *db, struct error *err);  /* BEGIN IMMEDIATE on the writer, BEGIN on a reader */
int db_commit(struct db *db, struct error *err); /* flushes the observer first; on failure the transaction is gone */
void db_rollback(struct db *db);                 /* also when none is open */
bool db_in_transaction(struct db *db);

/* Guarded statements may make TEMP objects, or not (as it is at first); writer only. */
void db_allow_temp(struct db *db, bool on);
/* Drops all of them, in the transaction that is open; writer only. */
int db_drop_temp(struct db *db, struct error *err);

/* PRAGMA foreign_keys, outside of a transaction; writer only. On again is what clients rely on: it does not fail. */
int db_foreign_keys(struct db *db, bool on, struct error *err);

/* Commit durability of the transactions that follow: FULL (true) or NORMAL; outside of a transaction; writer only. */
int db_set_full(struct db *db, bool full, struct error *err);

/*
 * True while the writer is about to begin the log anew, for which no snapshot may be open: long work on a reader ends
 * its one early, or the log grows on. Any lane.
 */
bool db_wal_waits(const struct db *db);

/*
 * Syncs the log to the disk, without the writer: what has been committed under NORMAL by now. A FULL commit that comes
 * soon has little left to wait for. Any lane; best effort.
 */
void db_sync_wal(struct db *db);

/* SQLite's last error of the connection into err, with "<doing>: " before its text where doing is not NULL. Returns -1.
 */
int db_error(struct db *db, const char *doing, struct error *err);

/* Writes to sqlite_schema in the open transaction: DEFENSIVE off and writable_schema on, and back. Writer only. */
int db_schema_edit_begin(struct db *db, struct error *err);
/* Bumps schema_version, makes this connection read the schema again, closes the door. Call before COMMIT. */
int db_schema_edit_end(struct db *db, struct error *err);

/* Resets every cached statement and finalises those not in use: before DROP and schema edits. */
void db_forget_statements(struct db *db);

/* Appends "name" with quotes doubled. The one identifier quoter of the program. */
void sql_quote_name(struct buf *out, const char *name);
/* Appends 'text' with quotes doubled. */
void sql_quote_text(struct buf *out, const char *text);

/*
 * The observer sees each row that a statement on the writer changes, by the preupdate hook: client writes, cascades,
 * triggers, REPLACE victims. It is one per store; set on the writer lane inside a job; NULL takes it away.
 *
 * row() runs inside the hook: no SQL there; copy what is needed into memory. flush() runs after each statement
 * (whatever its outcome) and before COMMIT, inside the transaction: there the keys are written down. If flush fails the
 * statement's transaction fails. rolled_back() tells that the transaction was undone: what row() kept in memory is
 * void.
 *
 * Changes of the daemon's own tables (_alterd_*) are not reported.
 */
struct observer {
	void *arg;
	/* op: SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE. old_rowid/new_rowid as in sqlite3_preupdate_hook. */
	void (*row)(void *arg, sqlite3 *handle, int op, const char *table, int64_t old_rowid, int64_t new_rowid);
	int (*flush)(void *arg, struct db *db, struct error *err);
	void (*rolled_back)(void *arg);
};
void db_observe(struct db *db, const struct observer *observer);

/*
 * A number seen from the writer, inside a transaction: it moves when anyone else wrote the file, but not for what
 * litestream writes into its own tables where store.checkpoint is external.
 */
int db_data_version(struct db *db, int64_t *ret, struct error *err);

/*
 * Time. A piece of writer work asks now and then whether its turn is over: true once `budget_ns` has passed since the
 * lane took the job, or a client's write has waited longer than half of it. But for as long as the job itself has
 * waited its share lasts (store.background_share): where clients' own turns are long, a sync of a slow disk, somebody
 * always has waited longer, and each turn would be over before it began.
 */
bool db_turn_over(struct db *db, uint64_t budget_ns);
/* True if the running job was asked to stop (or its deadline passed). */
bool db_stopped(struct db *db);

#endif
