/*
 * Client statements: what a session may ask of the store.
 *
 * A sql_session is a client's state towards SQLite: its transaction, cursors and counters. It runs one sql_job at a
 * time; while one is in flight the lane owns the session, else the loop does. Statements take their lane by what they
 * are: a read runs on a reader lane, a write on the writer lane, everything of an open write transaction there too.
 */
#ifndef ALTERD_STORE_SQL_H
#define ALTERD_STORE_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/lib/clock.h"
#include "daemon/store/figures.h"
#include "daemon/store/job.h"
#include "daemon/store/store.h"
#include "proto/buf.h"
#include "proto/error.h"
#include "proto/request.h"

enum tx_state {
	TX_NONE,   /* autocommit */
	TX_READ,   /* a snapshot on a pinned reader connection */
	TX_WRITE,  /* this session holds the writer */
	TX_FAILED, /* its transaction is gone; everything answers TX_EXPIRED until rollback */
};

struct sql_session {
	/* Set by the server, constant while a job is in flight. */
	uint64_t id;           /* never 0, never used twice; "s<id>" on the wire */
	enum role role;        /* ROLE_RO: reads only; ROLE_MIGRATE and above: DDL */
	bool readonly;         /* hello.readonly */
	enum int64_mode int64; /* hello.int64 */

	/* The store's. Read by the server between jobs. */
	enum tx_state tx;
	uint64_t tx_serial;        /* of the transaction; 0 = none. Passed to on_expired */
	char tx_gone[160];         /* TX_FAILED: the text to answer */
	uint64_t tx_deadline_ns;   /* TX_READ: total time; checked by sql_session_due */
	uint64_t tx_idle_ns;       /* TX_READ: idle deadline */
	int64_t last_insert_rowid; /* what the SQL functions answer */
	int64_t changes;
	int64_t total_changes;
	struct list cursors;   /* struct sql_cursor, oldest first */
	uint64_t cursors_made; /* names: "c<n>" */
	struct db *pinned;     /* TX_READ: its connection */
	bool slow;             /* its last read was long: the next waits behind others' */
};

void sql_session_init(struct sql_session *session, uint64_t id);

enum sql_kind {
	SQL_STATEMENT, /* query or exec */
	SQL_BATCH,
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_FETCH,
	SQL_CLOSE,
	SQL_DESCRIBE,
	SQL_SCHEMA,
	SQL_SWEEP, /* expire what is overdue: cursors, the read transaction. Never fails, answers nothing */
	SQL_END,   /* the session ends: roll back, close all. Never fails, answers nothing */
};

struct sql_job {
	struct job job;
	enum sql_kind kind;
	bool exec;                   /* SQL_STATEMENT: exec's answer (changes first) rather than query's */
	struct sql_session *session; /* borrowed until done */
	const struct params *params; /* borrowed until done; NULL for SWEEP and END */
	struct buf *out;             /* the result (one JSON value) is appended; on failure cut back to where it was */
	struct error err;            /* set if it failed */
	void (*done)(struct sql_job *); /* on the loop thread */

	/* The store's own. */
	struct store *store;
	int type;               /* enum sql_type of the statement, once known */
	bool names;             /* each "x" in the text is known to be a name */
	bool simple;            /* a read without anything that can take long in one step, once known */
	size_t out_start;       /* length of *out at submission */
	uint64_t give_up_ns;    /* the client's timeout_ms as a moment; CLOCK_NEVER if it gave none */
	uint64_t wait_until_ns; /* while still waiting for the writer: BUSY from here on */
	struct sql_counters {
		int64_t last_insert_rowid, changes, total_changes;
	} before;                    /* the session's, for a write that is run again */
	struct figures ran;          /* what its statement has cost; of a batch see `batch` */
	struct figures_batch *batch; /* what those of a batch have cost; owned, NULL: nothing noted */
	uint64_t text_hash;          /* SQL_FETCH: of the text whose rows these are; 0: not known */
};

/*
 * Submits; job->done is called exactly once, never from inside this call. A refusal (queue full, draining) comes that
 * way too. `params->timeout_ms` and the defaults become the deadline here.
 */
void sql_submit(struct store *s, struct sql_job *job);

/* True if SQL_SWEEP has something to do at `now`: a cursor or the read transaction is overdue. Only between jobs. */
bool sql_session_due(const struct sql_session *session, uint64_t now_ns);
/* True if SQL_END has something to do. Only between jobs. */
bool sql_session_open(const struct sql_session *session);

/*
 * A write transaction's time was up while its session was idle: the lane has rolled it back and tells the loop. The
 * server finds the session by tx_serial and calls sql_session_expire() on it, between jobs (while a job is in flight
 * the lane answers that job with TX_EXPIRED and does this itself).
 */
void sql_on_expired(struct store *s, void (*expired)(void *arg, uint64_t tx_serial, const char *text), void *arg);
void sql_session_expire(struct sql_session *session, uint64_t tx_serial, const char *text);

/* Session that holds the writer ("holder" of BUSY), 0 if none; and for how long, in ns. */
uint64_t sql_writer_holder(const struct store *s, uint64_t *ret_held_ns);

#endif
