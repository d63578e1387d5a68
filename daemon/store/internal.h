/*
 * What the files of this room share: the store itself, its lanes, and the steps a client statement goes through.
 *
 * Locks: readers.lock, turns.lock, writer.lock and checkpointer.lock are never held together; protect_lock and
 * quoted.lock are leaves.
 */
#ifndef ALTERD_STORE_INTERNAL_H
#define ALTERD_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "daemon/lib/check.h"
#include "daemon/lib/histogram.h"
#include "daemon/store/changes.h"
#include "daemon/store/class_cache.h"
#include "daemon/store/codes.h"
#include "daemon/store/db.h"
#include "daemon/store/page.h"
#include "daemon/store/pulse.h"
#include "daemon/store/slow_log.h"
#include "daemon/store/sql.h"
#include "daemon/store/statements.h"
#include "daemon/store/steady.h"
#include "daemon/store/store.h"

/* What the writer's last_insert_rowid is set to before each client statement: still there = nothing was inserted. */
#define ROWID_UNSET (INT64_MIN + INT64_C(0x5AFE1D))

/* How long BEGIN waits for a process outside of the daemon that is writing the file. */
#define DB_BUSY_MS 1000
/* The same where one checkpoints the file, for which it keeps the writers out. */
#define DB_NEIGHBOUR_BUSY_MS 5000
/* Names of the tables of that neighbour. */
#define LIKE_NEIGHBOUR "'\\_litestream\\_%%' ESCAPE '\\'"

/* How often the loop looks after what is in flight. */
#define TICK_MS 10

struct settings {
	struct store_config config; /* path is owned by the first of them */
	struct settings *before;    /* what was in force until this was */
};

struct reader_lane {
	struct list_node node; /* in readers.lanes */
	struct store *store;
	pthread_t thread;
	struct db *db;         /* its own connection; NULL after a cursor took it. The lane's thread only */
	struct db *running;    /* the connection in use for `job`. Under the lock */
	struct job *job;       /* NULL: waiting for one. Under the lock */
	struct list done;      /* finished, not yet sent back: they go together. Under the lock */
	struct list batch;     /* reads taken along, not yet begun. Under the lock */
	atomic_int taken;      /* there were some: readable without the lock */
	struct list_node turn; /* in the line of turns */
	bool has_turn;         /* its job is long and may compute; the lane's thread only */
	uint64_t turn_ns;      /* since when */
	bool slow;             /* the job came from the slow queue */
	bool ended;            /* a surplus lane that has left */
};

/* Turns of long reads; see reader_turns.c. */
struct turns {
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct list line; /* lanes that wait for a turn, the first to come first */
	int free;         /* turns nobody has */
};

struct readers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list queue;      /* client jobs, oldest first */
	struct list slow;       /* client jobs of sessions whose reads have been long; never take the last lanes */
	struct list background; /* engine jobs */
	struct list lanes;      /* struct reader_lane */
	struct list idle_dbs;   /* connections without a lane */
	struct list pinned_dbs; /* connections of cursors and read transactions */
	int waiting;            /* lanes that wait for work */
	int lingering;          /* of them, those that look out for it instead of sleeping: one at most */
	int slow_running;       /* lanes with a job of the slow queue */
	struct turns turns;
	uint64_t crowded_ns; /* when a lane was missing last */
	bool closing;
	atomic_int queued; /* length of queue, readable without the lock */
};

/* The session that holds the writer. */
struct holder {
	uint64_t session_id; /* 0: nobody */
	uint64_t serial;
	uint64_t since_ns;
	uint64_t total_ns; /* deadline of the whole */
	uint64_t idle_ns;  /* deadline of the present pause */
	int64_t max_ms;    /* what total_ns was made from, for the text */
};

struct writer {
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_t thread;
	struct list queue;      /* client jobs, oldest first */
	struct list held;       /* jobs of the session that holds the writer */
	struct list background; /* engine jobs */
	struct holder holder;   /* written by the lane under the lock */
	struct db *db;
	struct job *job; /* running. Under the lock */
	bool closing;
	uint64_t job_ns,
		commit_ns; /* what a client's write and a group's commit take, of late. The lane's thread only */
	uint64_t background_due_ns;           /* background work may not be put off beyond this */
	atomic_bool client_waits;             /* a client's write is in the queue; for db_turn_over */
	atomic_uint_fast64_t client_since_ns; /* since when */
	uint64_t next_serial;
};

struct checkpointer {
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_t thread;
	struct db *db;
	struct steady file; /* db's view of the database file */
	bool wanted, closing;
	atomic_int writer_turn;             /* the writer should finish the checkpoint itself between two commits */
	atomic_uint_fast64_t not_before_ns; /* readers kept it from that: not again until then */
	atomic_int_fast64_t wal_frames;     /* frames in the WAL, from the WAL hook */
	atomic_int_fast64_t copied_frames;  /* of them in the database file, at the end of the last run */
	atomic_int_fast64_t left_frames;    /* not yet there, when it was looked at last */
};

/* What others do with the file; see outside.c. */
struct outside {
	uint32_t own_commits; /* of the writer, since the start. Its lane only, as are the next three */
	bool known;
	uint32_t others;  /* commits that were not its own when it was looked last */
	int64_t mark;     /* of them, those that were not the neighbour's either: moves with each */
	bool told;        /* loop: the log was told that it is too long */
	uint64_t told_ns; /* loop: when it was last */
};

/* The loop's own reads; see quick.c. Loop only, but for `open` while it is on a lane. */
struct quick {
	struct list todo;        /* reads of this round, known to be short */
	struct db *db;           /* NULL: none yet */
	struct job open;         /* gets one ready on a lane */
	struct db *opened;       /* what it found */
	bool opening;            /* `open` is on its way */
	uint64_t schema_changes; /* what the store's counter said when db was asked for */
};

/* Whom the loop tells of commits; see changes.c. */
struct watchers {
	void (*committed)(void *arg, const struct changes *changes); /* loop; so are the next */
	void (*counting)(void *arg);
	void *changes_arg;
	void (*touched)(void *arg);
	void *schema_arg;
	bool asked, counts;        /* changes are to be counted; and are. Under writer.lock */
	bool counting_out;         /* counting_mail is on its way. Under writer.lock */
	struct mail counting_mail; /* counting has begun */
	atomic_bool schema_out;    /* schema_mail is on its way */
	struct mail schema_mail;   /* a commit may have changed the schema */
};

/* See quoted.c. */
struct quoted {
	pthread_mutex_t lock;    /* a leaf */
	sqlite3 *handle;         /* NULL: none yet */
	uint64_t schema_changes; /* what the store's counter said when it was opened */
};

struct store {
	/*
	 * The settings in force. A reload puts a new set in its place; lanes may be reading the old one, so it is kept
	 * until the store is closed. Read by store_get_config().
	 */
	_Atomic(struct settings *) settings;
	int lock_fd;
	uv_loop_t *loop;
	struct mailbox *mailbox;
	uv_timer_t tick;
	int handles_open; /* uv handles whose close callback has not run */
	uv_check_t check; /* flushes what one round of the loop has submitted: one lock and one wake-up for all */
	uv_prepare_t prepare;
	uv_idle_t no_wait;                 /* active: the loop's next poll does not sleep */
	bool asked;                        /* a client's job was submitted since the loop last thought of sleeping */
	struct list to_readers, to_writer; /* submitted in this round. Loop */
	int in_flight;                     /* submitted and not yet done. Loop */
	bool draining;
	struct readers readers;
	struct writer writer;
	struct checkpointer checkpointer;
	struct outside outside;
	struct class_cache classes;   /* loop */
	struct statements statements; /* loop */
	struct slow_log slow_log;     /* loop */
	struct quick quick;
	struct quoted quoted;
	int page_size;

	pthread_mutex_t protect_lock;
	char protect_table[256], protect_job[64]; /* "" = none */

	void (*expired)(void *arg, uint64_t serial, const char *text);
	void *expired_arg;
	void (*answers)(void *arg);
	void *answers_arg;
	struct watchers watchers;

	/* Counters. */
	atomic_uint_fast64_t schema_changes; /* commits of the writer that may have changed the schema */
	atomic_uint_fast64_t quick_reads;    /* of queries, those the loop did itself */
	atomic_uint_fast64_t queries, writes, groups, tx_expired, cursor_expired, busy, checkpoints,
		checkpoints_blocked;
	struct pulse pulse; /* the writer lane's */
	atomic_int_fast64_t freelist_pages;
	struct histogram wait, query, hold, write, commit, sync;
	uint64_t stopped[STOP_SHUTDOWN + 1];                  /* loop: clients' jobs that were stopped, by the reason */
	atomic_uint_fast64_t pinned_refused, readers_expired; /* for store.pinned_max, for store.wal_hard_cap */
	atomic_uint_fast64_t copy_since_ns; /* when the snapshot of a backup began, 0: there is none. Any thread */
	atomic_uint_fast64_t look_since_ns; /* the same of a check's; see look.c */
	atomic_uint_fast64_t answered_ns;   /* when a client's job came back last; written by the loop */
	bool closing;                       /* loop: store_close was called */
	uint64_t engine_ns;                 /* loop: when the last engine job was submitted */
	uint64_t space_checked_ns;          /* loop: when disk space was last looked at */
	const char *throttled;              /* loop */
};

/* A queue's node is its job's mail. */
static inline struct job *job_of(struct list_node *n)
{
	PRE(n != NULL);
	return (struct job *)(void *)LIST_ENTRY(n, struct mail, node);
}

/* The same where only clients' jobs wait. */
static inline struct sql_job *sql_job_of(struct list_node *n) { return (struct sql_job *)(void *)job_of(n); }

/* store.c */
bool store_protected(struct store *s, const char *table, char *ret_job, size_t size);
void store_finish(struct store *s, struct job *job); /* any lane: the job is done, back to the loop */
void store_submitted(struct store *s);               /* loop: a job is on its way */
void store_delivered(struct store *s);               /* loop: and is back */
int64_t store_wal_file_bytes(const struct store *s);

/* round.c */
void round_start(struct store *s); /* initialises and starts its handles */
void store_flush(struct store *s); /* loop: hands over what was submitted in this round */

/* readers.c */
int readers_start(struct store *s, struct error *err);
void readers_stop(struct store *s);
void readers_push(struct store *s, struct job *job, bool slow); /* any thread */
void readers_push_list(struct store *s, struct list *jobs);     /* client jobs; empties the list */
bool readers_take_back(struct store *s, struct job *job);       /* loop: true if it was still waiting */
void readers_interrupt(struct store *s, struct job *job);       /* loop */
void readers_tick(struct store *s, uint64_t now);
void readers_take_turn(struct db *db);                        /* the same: waits for a turn once the read is long */
void readers_notice_long(struct db *db, uint64_t running_ns); /* a lane, from its progress handler */
/* Lane: keeps the running connection for a cursor or transaction; -1 when there are too many. */
int readers_pin(struct db *db, struct error *err);
/* Lane: the running job goes to another lane; it must not be touched afterwards. */
void readers_let_go(struct db *db);
void readers_unpin(struct db *db); /* lane: the connection is free again */
void readers_snapshot(struct db *db, uint64_t since_ns);
uint64_t readers_oldest(struct store *s, bool mark_overdue); /* begin of the oldest pinned snapshot, 0 = none */

void readers_note_speed(struct store *s, struct job *job); /* a finished job, for the statistics */

/* quick.c */
/* A read that takes longer than this is not short. */
#define QUICK_READ_NS (100 * NS_PER_US)
struct class_known;
void quick_start(struct store *s);
void quick_stop(struct store *s);
bool quick_takes(const struct class_known *known, const struct sql_job *job);
void quick_run(struct store *s);                 /* what is to be done in this round */
void quick_pass_on(struct store *s);             /* gives it to the lanes instead */
bool quick_over(struct db *db, uint64_t now_ns); /* progress handler: it is not short after all */

/* writer.c */
int writer_start(struct store *s, struct error *err);
void writer_stop(struct store *s); /* it runs no more; who wakes it does no harm */
void writer_free(struct store *s); /* behind checkpointer_stop(): nobody wakes it any more */
void writer_wake(struct store *s); /* any thread: it looks round for a turn to take */
/* Any thread. Where the queue is full the job comes back with BUSY; at once, too, one that was given up already. */
void writer_push(struct store *s, struct sql_job *job);
void writer_push_list(struct store *s, struct list *jobs); /* empties the list */
void writer_push_held(struct store *s, struct sql_job *job);
void writer_push_background(struct store *s, struct job *job);
bool writer_take_back(struct store *s, struct job *job); /* loop: true if it was still waiting */
void writer_interrupt(struct store *s, struct job *job);
void writer_tick(struct store *s, uint64_t now);
void writer_no_idle(struct store *s, uint64_t serial); /* loop: a statement of the holder is on its way */
/* Lane: the job is the running one from here on. False: it was stopped before; its error is set. */
bool writer_begin_job(struct store *s, struct sql_job *job, uint64_t deadline_cap_ns);
void writer_end_job(struct store *s, struct sql_job *job);
/* A lane, without its lock, after work since then: what that took of memory is given back if it was much. */
void store_settle(uint64_t since_ns);
struct holder writer_get_holder(struct store *s);
void writer_set_holder(struct store *s, struct holder holder); /* lane */

/* changes.c; all on the writer lane */
struct mail *changes_mail(const struct tally *t); /* what was counted, to be posted or freed; NULL: nothing was */
void changes_post(struct tally *t);               /* its parts, which it has no more then */
void changes_switch(struct store *s);             /* between two transactions, under writer.lock: counting on or off */
void changes_schema_touched(struct store *s);

/* group.c: client writes in autocommit, committed together. Empties the list; every job is finished */
void group_run(struct store *s, struct db *db, struct list *jobs);

/* tx.c */
void tx_begin_write(struct store *s, struct db *db, struct sql_job *job); /* writer lane */
void tx_run_held(struct store *s, struct db *db, struct sql_job *job);    /* writer lane: a job of the holder */
void tx_clean_up(struct store *s, struct db *db,
		 struct sql_job *job);                 /* writer lane: ROLLBACK or END of a failed one */
void tx_expire_holder(struct store *s, struct db *db); /* writer lane: its time is up */
int tx_begin_read(struct db *db, struct sql_job *job); /* reader lane */
int tx_end_read(struct db *db, struct sql_job *job);   /* reader lane */
bool tx_read_due(const struct sql_session *session, uint64_t now);
void tx_expire_read(struct sql_job *job); /* reader lane */
void tx_fail(struct sql_session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tx_gone(struct sql_job *job); /* TX_EXPIRED with the session's text; -1 */

/* statistics.c */
void statistics_note(struct store *s, struct sql_job *job, struct class_known *known); /* loop: it has come back */
void sql_forget_figures(struct sql_job *job); /* any thread: as if it had not run */

/* quoted.c */
void quoted_start(struct store *s);
void quoted_stop(struct store *s);
/* Any lane. True: each "x" in the text is a name. False: one may be a string, which nobody is to see. */
bool quoted_names(struct store *s, const char *sql, size_t n);

/* sql.c */
void sql_cut_back(struct sql_job *job); /* of a failed job's answer nothing is left */
void sql_finish(struct sql_job *job);   /* any thread: cuts back and posts it */
void sql_deliver(struct mail *mail);    /* loop */
void sql_run_on_reader(struct job *job, struct db *db);
int sql_wait_error(struct sql_job *job, uint64_t now); /* BUSY: no turn in time; -1 */

/* bind.c */
int sql_bind(sqlite3_stmt *stmt, const struct binds *binds, bool copy, struct error *err);

/* exec.c */
/* A write or DDL from bind to answer; gives the statement back. Any open transaction stays. */
int sql_run_write(struct db *db, struct sql_job *job, sqlite3_stmt *stmt, enum sql_type type);
/* A read: a page, and a cursor if there is more. Takes the statement over. */
int sql_run_read(struct db *db, struct sql_job *job, sqlite3_stmt *stmt);
/* All of a batch inside a savepoint; a failure undoes it and names the statement. */
int sql_run_batch(struct db *db, struct sql_job *job);
void sql_answer_nothing(struct sql_job *job); /* of a transaction statement sent as SQL text */
void sql_answer_ms(struct sql_job *job);
struct page_limits sql_page_limits(const struct sql_job *job);
void sql_begin_counting(struct db *db, struct sql_session *session, bool calls_changes);
int sql_may(struct sql_job *job, enum sql_type type); /* role, readonly, read transaction; sets job->err */
/* The same for the statement prepared last on this connection, with what only its own facts tell. */
int sql_may_run(const struct db *db, struct sql_job *job, enum sql_type type);

/* describe.c */
int sql_describe(struct db *db, struct sql_job *job);
int sql_schema(struct db *db, struct sql_job *job);

/* cursor.c */
int cursor_open(struct db *db, struct sql_job *job, sqlite3_stmt *stmt, bool on_row, char *ret_name, size_t size);
int cursor_open_rows(struct sql_job *job, struct buf *rows, char *ret_name, size_t size);
int cursor_fetch(struct sql_job *job);
int cursor_close(struct sql_job *job);
void cursors_sweep(struct sql_job *job, uint64_t now, bool all);
void cursors_close_of(struct sql_session *session, struct db *db);         /* those on this connection */
bool cursor_is_on(const struct list_node *node, const struct db *db);      /* node of a session's list */
struct db *cursor_db(const struct sql_session *session, const char *name); /* the connection it needs, NULL if none */

bool cursors_due(const struct sql_session *session, uint64_t now);

/* outside.c */
/*
 * Once, before anything is read. A kill may fall between a commit's last frame and its publication in the log's index.
 * If nobody else has the file open SQLite reads the log anew at the next start, and the commit is there. Beside
 * litestream the old index lives on, the frames count for nothing and are written over - but litestream has copied
 * them: it would keep a commit that never was, or lose its place. So the index is made anew from the log here, too.
 */
int outside_begin(struct db *db, struct error *err);
/* The checkpointer's thread, where another process checkpoints: how the log stands. True: it is far too long. */
bool outside_watch(struct store *s);
void outside_tell(struct store *s, uint64_t now); /* loop: the log is told if nobody can shorten it */

/* store_stats.c: since when a backup or a check has had a snapshot; 0: none has. Any thread. */
uint64_t store_long_snapshot(const struct store *s);

/* checkpoint.c */
int checkpointer_start(struct store *s, struct error *err);
void checkpointer_stop(struct store *s);
void checkpointer_attach(struct db *writer);           /* installs the WAL hook */
void checkpointer_wake(struct store *s);               /* any thread: there may be something to do */
bool checkpointer_wants_writer(const struct store *s); /* any thread */
bool store_wal_outruns(
	const struct store *s); /* the WAL is far above its cap, where only clients can bring it; any thread */
bool store_wal_overflows(const struct store *s);                   /* it is above its hard cap; any thread */
bool store_clients_at_work(const struct store *s);                 /* one was answered just now; any thread */
void checkpointer_writer_turn(struct store *s, struct db *writer); /* writer lane, outside of a transaction */

#endif
