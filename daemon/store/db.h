/*
 * One SQLite connection and what goes with it: statement cache, guard mode, the job it is running.
 *
 * Private to the store. A connection is used by one thread at a time (the lane that holds it); `job` may be read by the
 * progress handler on that thread only. The loop reaches a running connection through lane_interrupt() alone.
 */
#ifndef ALTERD_STORE_DB_H
#define ALTERD_STORE_DB_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/list.h"
#include "daemon/store/engine.h"
#include "daemon/store/stmt_cache.h"
#include "daemon/store/tally.h"

/* What a statement is; found at prepare by the guard. */
enum sql_type {
	SQL_TYPE_UNKNOWN,
	SQL_TYPE_EMPTY, /* nothing but blanks and comments */
	SQL_TYPE_READ,
	SQL_TYPE_WRITE,
	SQL_TYPE_DDL,
	SQL_TYPE_TX_BEGIN,
	SQL_TYPE_TX_COMMIT,
	SQL_TYPE_TX_ROLLBACK,
	SQL_TYPE_SAVEPOINT,
	SQL_TYPE_RELEASE,
	SQL_TYPE_ROLLBACK_TO,
};

/* What the authoriser saw while a guarded statement was prepared. */
struct guard_facts {
	bool asked;          /* the authoriser was called at all */
	bool reads;          /* a SELECT or a PRAGMA */
	bool writes;         /* INSERT, UPDATE, DELETE */
	bool pragma;         /* one of those that only read: the others are refused */
	bool ddl;            /* CREATE, DROP, ALTER, REINDEX, ANALYZE */
	bool calls_changes;  /* uses changes() */
	bool keeps_schema;   /* itself writes what migrations or the planner go by: not for whoever writes rows */
	bool involved;       /* holds what can take long in one step: functions, PRAGMAs, recursion */
	enum sql_type tx;    /* a transaction statement, else SQL_TYPE_UNKNOWN */
	enum sql_type type;  /* what the statement is, all told */
	uint64_t until_ns;   /* a prepare past this moment is looked at more closely */
	bool was_long;       /* it took longer than that: not to be done on the writer */
	uint64_t cpu_ns;     /* the thread's computing time when it began */
	struct error denied; /* why it was refused, if it was */
};

struct db {
	sqlite3 *handle;
	struct store *store;
	bool writer;   /* the one read-write connection */
	bool quick;    /* the loop's own: see quick.c */
	bool guarded;  /* a client's statement is being prepared or stepped */
	bool no_cache; /* the statement being finished must not go back to the cache */
	struct stmt_cache cache;
	struct job *job;          /* running job, NULL between jobs */
	unsigned looks;           /* calls of the progress handler for this job: work done, whatever the clock says */
	bool moved;               /* the running job was handed to another lane: it is not done */
	struct guard_facts facts; /* of the last guarded prepare */

	/* Counters as the running client statement sees them; NULL session: the connection's own. */
	struct sql_session *session;
	int64_t total_before;   /* sqlite3_total_changes64 when the statement began */
	int64_t changes_before; /* sqlite3_changes64 then */
	int64_t rows;           /* answered by the statement that runs */

	sqlite3 *scratch; /* :memory: connection behind the bounded functions; opened when first needed */

	/* Writer only. */
	struct observer observer; /* row == NULL: none */
	bool unflushed;           /* row() was called since the last flush */
	bool temp;                /* guarded statements may make TEMP objects: a migration's */
	struct tally tally;       /* what the open transaction has changed */
	bool schema_touched;      /* DDL was prepared, or the schema edited, since the last commit */

	/* Reader only. */
	struct reader_lane *lane; /* that runs it; the lane's thread only */
	bool pinned;              /* belongs to a cursor or a read transaction, not to a lane */
	struct list_node link;    /* in the readers' idle pool or their list of pinned ones */
	uint64_t snapshot_ns;     /* when its open snapshot began; 0 = none. Under the readers' lock */
	atomic_bool overdue;      /* the WAL cap wants its snapshot ended */
};

/* Opens the writer (creates the file, turns WAL on) or a reader. *ret_was_rollback: the file was not in WAL mode
 * before. */
int db_open(struct store *s, bool writer, struct db **ret, bool *ret_was_rollback, struct error *err);
void db_close(struct db *db);

/*
 * Prepares a client's statement under the guard: one statement, nothing behind it. *ret_type says what it is. For
 * SQL_TYPE_EMPTY *ret is NULL. Give back with db_done(). The guard stays on (db->guarded) until then.
 */
int db_prepare_client(struct db *db, const char *sql, size_t n, sqlite3_stmt **ret, enum sql_type *ret_type,
		      struct error *err);
/* EXPLAIN, without QUERY PLAN: its rows name tables out of the schema that it was prepared with. */
bool db_shows_program(sqlite3_stmt *stmt);
/* The same for the first statement of a script; *ret_tail is where the next begins. Not cached. */
int db_prepare_script(struct db *db, const char *sql, size_t n, sqlite3_stmt **ret, enum sql_type *ret_type,
		      const char **ret_tail, struct error *err);

/* True once the prepare at work (or just ended) has computed for longer than any honest statement needs. */
bool db_prepare_is_long(const struct db *db);

/* Tells the observer to write down what it saw. 0, or -1 with err. */
int db_flush(struct db *db, struct error *err);
/* Tells the observer that the transaction is gone. */
void db_undone(struct db *db);

/* Runs one of the daemon's own statements without parameters, from the cache; rows dropped. The hot path's db_exec. */
int db_run(struct db *db, const char *sql, struct error *err);
/* The same while a client's statement is at work: the guard steps aside and comes back. */
int db_own(struct db *db, const char *sql, struct error *err);
/* ROLLBACK TO. What cannot be undone by itself takes the transaction along: it must not be kept. */
void db_undo_to(struct db *db, const char *sql);
/* RELEASE, where there is a transaction. A savepoint that stays for want of memory goes with the commit. */
void db_release(struct db *db, const char *sql);

#endif
