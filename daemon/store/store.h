/*
 * The store owns the database file: one writer lane, reader lanes, a checkpointer. It is the only room that calls
 * SQLite on behalf of clients; `migrate` uses it through engine.h.
 *
 * Threads: every function here is called on the loop thread unless it says otherwise. Jobs run on lanes and come back
 * to the loop thread. The store never blocks the loop, except in store_open() and store_close().
 */
#ifndef ALTERD_STORE_STORE_H
#define ALTERD_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/lib/histogram.h"
#include "daemon/store/job.h"
#include "proto/error.h"
#include "proto/op.h"

struct store;

/* What holds for the sessions of one role; 0: as for all. */
struct store_role {
	int64_t read_ms, write_ms, page_rows;
};

struct store_config {
	const char *path;          /* the database file; created if missing, its folder must exist */
	bool synchronous_full;     /* true: an acknowledged write survives a power cut; false: NORMAL */
	int readers;               /* reader lanes kept ready */
	int readers_max;           /* reader lanes at most, when long reads hold the others */
	int pinned_max;            /* connections held by open cursors and read transactions, at most */
	int queue_max;             /* jobs waiting for the writer, at most; one more is BUSY */
	int group_max;             /* client writes committed together, at most */
	int64_t cache_bytes;       /* page cache of the writer; a reader has a quarter */
	int64_t memory_bytes;      /* SQLite's heap in all, a hard limit: heap.h */
	int64_t value_bytes;       /* longest string, BLOB or row */
	int64_t sql_bytes;         /* longest statement */
	int64_t wal_cap_bytes;     /* background work pauses above it */
	int64_t wal_hard_bytes;    /* above it the oldest reader is expired */
	int64_t checkpoint_bytes;  /* WAL size from which the checkpointer works */
	bool checkpoint_external;  /* another process does; its tables _litestream_* are left alone */
	int64_t page_bytes;        /* bytes of a page of rows, at most */
	int64_t page_rows;         /* rows of a page: default and cap */
	int64_t read_ms, write_ms; /* default and greatest statement time */
	struct store_role roles[ROLE_COUNT];
	int64_t wait_ms;           /* default wait for a turn to write */
	int64_t tx_ms, tx_idle_ms; /* transaction: total and idle time */
	int64_t cursor_ms, cursor_idle_ms;
	int64_t background_percent; /* share of the writer's time that background work is sure of */
	int64_t disk_reserve_bytes; /* background work pauses when less is free */
	int64_t statements;         /* texts whose statistics are kept, at most; 0: none */
	int64_t slow_ms;            /* a statement that takes as long is logged; 0: none is */
};

/* What a store tells of itself. Counters since the start. */
struct store_stats {
	uint64_t quick_reads_total; /* of queries_total, reads known to be short that needed no lane */
	uint64_t queries_total, writes_total, groups_total; /* groups: commits that carried client writes */
	uint64_t tx_expired_total, cursor_expired_total, busy_total;
	uint64_t stopped_total[STOP_SHUTDOWN + 1]; /* clients' requests that were stopped, by enum stop_reason */
	uint64_t pinned_refused_total;             /* for store.pinned_max */
	uint64_t wal_expired_total;              /* looks at a log above store.wal_hard_cap that had a reader expired */
	int64_t memory_bytes, memory_peak_bytes; /* SQLite's heap */
	int64_t statement_texts;                 /* whose statistics are kept */
	uint64_t statements_evicted_total;
	int64_t slow_total, slow_untold_total; /* slow statements; of them, those the log was spared */
	uint64_t checkpoints_total, checkpoint_blocked_total;
	int64_t db_bytes, wal_bytes, freelist_pages;
	double oldest_reader_s; /* age of the oldest open snapshot of a cursor or read transaction; 0 = none */
	int writer_queue;       /* jobs waiting */
	int reader_lanes, readers_busy, pinned;
	uint64_t wait_p50_ns, wait_p99_ns, wait_max_ns;    /* client jobs waiting for the writer */
	uint64_t query_p50_ns, query_p99_ns, query_max_ns; /* statement time on a lane */
	uint64_t hold_p50_ns, hold_p99_ns, hold_max_ns;    /* a piece of background work on the writer */
	const char *throttled; /* why background work waits, NULL if it does not; static string */
};

/*
 * Opens or creates the file, takes the instance lock (<path>.alterd-lock), turns WAL on, starts the lanes. Errors:
 * err's text is for the log; *ret_exit is the sysexits code to leave with (65 not a database, 66 folder missing, 74
 * I/O, 75 locked by another daemon, 77 not permitted).
 */
int store_open(const struct store_config *config, uv_loop_t *loop, struct store **ret, int *ret_exit,
	       struct error *err);

/* Makes SQLite's memory store_open()'s to limit. Before SQLite is used; store_open() does it where nobody has. */
void store_init(void);

/* Refuses new client jobs (SHUTTING_DOWN); those queued and running go on. */
void store_drain(struct store *s);
/* True when no client job is queued or running and no transaction is open. */
bool store_idle(const struct store *s);
/* Stops what still runs, joins the lanes (waits for them), checkpoints, closes. Every job still out is delivered first.
 */
void store_close(struct store *s);

/*
 * Before the loop sleeps: where requests and answers come thick and fast, looks out for the next one for some
 * microseconds instead, for to sleep and be woken costs more than that. True: jobs have come back and their `done` was
 * called; what that left to send should go out before the next look. *ret_again: no socket asks for attention yet.
 */
bool store_linger(struct store *s, bool *ret_again);

/*
 * Called on the loop whenever jobs' `done` have been called outside of the mailbox: what they left to send should go
 * out.
 */
void store_on_answers(struct store *s, void (*answers)(void *arg), void *arg);

/*
 * Hands a job of a background class (or any engine job) over; never refuses. run() gets the writer's connection outside
 * of a transaction, resp. a reader's outside of a snapshot, and leaves it so.
 */
void store_submit_writer(struct store *s, struct job *job);
void store_submit_reader(struct store *s, struct job *job);

/*
 * Gives a submitted job up: one still waiting comes back at once without having run (done is called, `stop` set), one
 * running is stopped at the next opportunity. Safe for a job that has just ended: it does not hit the next one.
 */
void store_stop(struct store *s, struct job *job, enum stop_reason why);

/* Any thread: mail to the loop. Until store_close() is called; from a lane until it has ended. */
void store_post(struct store *s, struct mail *mail);

/* Takes new limits from a reload; those that cannot change while running (path, readers) are left as they are. */
void store_reconfigure(struct store *s, const struct store_config *config);

/* "3.40.1". */
const char *store_sqlite_version(void);

void store_stats(struct store *s, struct store_stats *ret);
/*
 * The writer lane's pulse, for the watchdog: differs from the last one if the lane has got on since, with turns or with
 * a long piece of work. A lane that sleeps is woken, so that one that can move has moved by the next call.
 */
uint64_t store_pulse(struct store *s);

/*
 * The statistics of statements, the greatest first: appends {"since","texts","texts_max","evicted_total","others",
 * "statements":[..]}. by: time, calls, scans, mean, max, rows, sorts, work or errors; another word is INVALID_PARAMS.
 */
int store_statements(const struct store *s, const char *by, int64_t limit, struct buf *out, struct error *err);
/* Statements told at once, at most. */
#define STORE_STATEMENTS_SHOWN 500
void store_statements_reset(struct store *s);

/* A statement that goes through whole tables, sorts, or makes indexes of its own while it runs. */
struct store_costly {
	char *sql;  /* as a client sent it once, values and all: never to be shown. Owned */
	char *text; /* without values. Owned */
	int64_t calls, scan_steps, sorts, auto_rows;
	uint64_t ns;
};
/* Those that took the longest, at most `limit`; caller frees with store_costly_free(). Returns how many. */
size_t store_costly(const struct store *s, size_t limit, struct store_costly **ret);
void store_costly_free(struct store_costly *list, size_t n);

/* Durations since the start. Borrowed; any thread may read. */
enum store_times {
	STORE_TIMES_QUERY,  /* clients' reads, fetches and the like on their lane or on the loop */
	STORE_TIMES_WAIT,   /* clients' jobs waiting for the writer */
	STORE_TIMES_WRITE,  /* clients' jobs on the writer, without the commit */
	STORE_TIMES_COMMIT, /* commits of clients' writes */
	STORE_TIMES_SYNC,   /* syncs the writer waited for: what the disk takes, of commits and of background work */
	STORE_TIMES_HOLD,   /* pieces of background work on the writer */
};
struct histogram;
const struct histogram *store_times(const struct store *s, enum store_times which);

/* Why background work should wait now, NULL if it need not; static string. */
const char *store_throttled(struct store *s);
/* Moves the log into the database file soon, however short it is, if that is the daemon's to do. */
void store_want_checkpoint(struct store *s);
/* Why the log grows, where the daemon can do nothing about it; NULL: it does not. Static string. */
const char *store_wal_problem(struct store *s);
/* True while the writer is about to begin the log anew, for which no snapshot may be open. */
bool store_wal_waits(const struct store *s);
/* How long the first of the client writes in the queue has been waiting there; 0: there is none. */
uint64_t store_client_wait_ns(const struct store *s);
const struct store_config *store_get_config(const struct store *s);
/* What holds for this role's sessions, the general limits put in where it has none of its own. Any thread. */
struct store_role store_role_limits(const struct store *s, enum role role);

/*
 * Client DDL on this table (its indexes and triggers too) is refused with MIGRATION_RUNNING naming `job`; NULL ends it.
 * The table is one of `main`; comparison is SQLite's (ASCII case folded).
 */
void store_protect(struct store *s, const char *table, const char *job);

#endif
