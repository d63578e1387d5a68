/*
 * A running migration, as its steps see it. While a step is in flight a lane owns all of this; between steps the loop.
 *
 *   QUEUED -> PREPARING -> BACKFILLING -> INDEXING -> VERIFYING -> READY -> SWAPPING -> RETIRING -> DONE
 *                |            |            |            |          |         |
 *                +------------+------------+------------+----------+---------+--> ABORT -> ABORTED | FAILED
 *
 * A step is one job on a lane, bounded in time. It works on `next`, a copy of the progress `p`; its transaction writes
 * `next` into the catalog together with the data; after the commit `next` becomes `p`. A step that fails has changed
 * nothing, neither in the file nor in `p`.
 */
#ifndef ALTERD_MIGRATE_MIGRATION_H
#define ALTERD_MIGRATE_MIGRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/migrate/capture.h"
#include "daemon/migrate/index_build.h"
#include "daemon/migrate/offenders.h"
#include "daemon/migrate/plan.h"
#include "daemon/migrate/pool.h"
#include "daemon/migrate/record.h"
#include "daemon/store/engine.h"

/* What a step says when it has done its piece without an error. */
enum step_outcome {
	STEP_MORE,   /* call the phase in next.phase again, as soon as the pace allows */
	STEP_IDLE,   /* nothing to do until something changes: a postponed swap, no dirty keys */
	STEP_FAILED, /* the migration cannot go on: err says why. The step has left no transaction open */
};

/* Keys that may be left for the swap's own transaction. */
#define READY_KEYS 100

/* What the loop allows the next step. */
struct allowance {
	uint64_t hold_ns;   /* time on the writer */
	int64_t batch_rows; /* rows a batch at most */
	int64_t chunk_rows; /* rows a statement: about a quarter of the time */
	int press;          /* pacer_press(): how far behind it is */
	bool postpone;      /* do not swap */
	bool full;          /* the store's synchronous */
	bool mirror;        /* the history of another tool is kept in step */
};

/*
 * SQL made of the plan, once. All of it is the plan pool's. Parameters are the n parts of a key of the source, from ?1,
 * and in those of a range how many rows, ?n+1. `first` begins where the source does, `next` behind a key.
 */
struct texts {
	const char *copy_first, *copy_next, *copy_one; /* rows into the shadow */
	/* With a filter: all keys, so that those are found who go. copy_first and copy_next take rowids up to ?2, or
	 * look at ?n+1 rows. */
	const char *seen_first, *seen_next;
	const char *map_first, *map_next, *map_one; /* the same rows' keys into the key map; NULL without one */
	const char *delete_one, *unmap_one;         /* from the shadow, from the map */
	const char *last_key;                       /* the greatest that was copied */
	const char *source_first, *source_next, *source_one; /* to compare: the key and the expressions */
	const char *shadow_first, *shadow_next, *shadow_one; /* the same of the shadow, without a limit */
	const char *keys_first, *keys_next;                  /* keys of the source alone */
	const char *compare;                                 /* how two keys stand to each other */
};

struct live_index;

/*
 * A run: what PLAN has read of the version's step, for the loop to put into the record, which others look at meanwhile.
 * Its first step reads, the next one plans.
 */
struct version_found {
	bool found, taken; /* it is here; the record has it */
	bool exact;
	int64_t version, down, after, allow_data_loss, batch_rows;
	int64_t line;                       /* of its file, where its change begins */
	int64_t before, behind, total;      /* of a piece */
	char *name, *file, *sql, *strategy; /* owned; sql NULL: its script cannot be run; strategy NULL: the plan's */
	char *consent;                      /* owned; who consents to a loss; NULL: nobody */
};

struct migration {
	struct record *r;  /* table, sql, options: constant while it runs, except what is noted */
	struct progress p; /* what the catalog says */
	struct progress next;
	struct allowance allow;
	struct capture *capture; /* the store's one observer; outlives the migration */

	struct version_found version;
	bool consented;   /* the version loses data with consent: found by PLAN, or by EXACT */
	struct pool pool; /* of the plan and the texts */
	struct plan *plan;
	struct texts texts;

	bool mismatch;           /* the last error was a difference between source and shadow */
	const char *restart_why; /* the copy began anew last; NULL: not in this run of the daemon */
	bool doubted;            /* VERIFY, COMPARE: so it was; the writer is to say whether another process made it */
	bool resumed;            /* begun by an earlier run of the daemon: what happened in between was not captured */
	bool version_known;      /* data_version is the one seen at the last step */
	bool moved;              /* another process has written since the copy began */
	int64_t data_version;
	struct rowkey checked; /* CHECK: the key up to which rows were looked at; has_checked */
	bool has_checked;
	struct rowkey verified; /* VERIFY: the same */
	bool has_verified;
	struct rowkey collected; /* BACKFILL, counting what does not fit: the last row looked at */
	bool has_collected;
	struct rowkey
		seen; /* BACKFILL, with a filter and without rowids: the last row looked at, in this transaction too */
	bool has_seen;
	struct index_build
		*index;    /* INDEX: the build under way; owned. NULL: not begun, or SQLite's CREATE INDEX is used */
	bool index_native; /* INDEX: this table's indexes are left to CREATE INDEX */
	struct live_index *live; /* CREATE INDEX: see live_index.h; owned */
	struct offenders offenders;
	int64_t analyzed;     /* RETIRE: indexes whose statistics are new */
	bool statistics_done; /* RETIRE: all of them */
	uint64_t commit_ns;   /* what a commit takes, of late */
	int64_t version_ms;   /* wall clock: when the version of a run began, or was taken up again */

	/* Rules that look up other tables: what goes from there is watched, from this many on. */
	bool watching, verified_watched; /* the look at the rows began with the watch on */
	unsigned long watch_seen;
	int looks; /* how often it was begun anew because of what the watch saw */

	/* What the step tells the loop's pacer. */
	int64_t step_rows; /* rows copied, compared or deleted */
	uint64_t step_ns;  /* time in the copying statements, without begin and commit; 0: not measured */
	/* Keys that wait to be applied before there is a way on, as far as the step has counted: more than READY_KEYS
	 * for long, and clients are held back. */
	int64_t dirty_left;
};

/* One file each. Each runs on the lane that stepper.c names for its phase. */
enum step_outcome plan_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome check_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome create_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome backfill_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome index_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome verify_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome ready_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome swap_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome watch_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome sort_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome catch_up_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome compare_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome adopt_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome drop_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome retire_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome instant_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome exact_step(struct migration *m, struct db *db, struct error *err);
enum step_outcome abort_step(struct migration *m, struct db *db, struct error *err);

/* --- what the phases share --- */

/* Begins the step's transaction, and sees whether another process has written the file: then *ret_moved. */
int step_begin(struct migration *m, struct db *db, bool *ret_moved, struct error *err);
/* Writes `next` to the catalog and commits; then `next` is `p`. Rolls back on failure. */
int step_commit(struct migration *m, struct db *db, struct error *err);
/* Rolls back and returns STEP_FAILED, so that `return step_failed(..)` reads well. */
enum step_outcome step_failed(struct migration *m, struct db *db);
/* Why step_begin() said so. */
const char *step_moved_why(const struct migration *m);
/* Another process wrote: the copy begins anew, in the transaction that is open. */
enum step_outcome step_restart(struct migration *m, struct db *db, const char *why, struct error *err);

/* Dirty keys of this job: are there any with gone = 0 (or, with `gone`, any at all)? */
int dirty_any(struct migration *m, struct db *db, bool gone, bool *ret, struct error *err);
/* True if the log names the key, in the transaction that is open. -1 on failure. */
int dirty_has(struct migration *m, struct db *db, const struct rowkey *key, struct error *err);
/* Keys in the log, counted up to `limit`. */
int dirty_count(struct migration *m, struct db *db, int64_t limit, int64_t *ret, struct error *err);
/*
 * Deletes from the shadow what the log names (and copies it at once where nothing is unique), until the turn is over.
 * *ret_left: some remain.
 */
int dirty_purge(struct migration *m, struct db *db, bool *ret_left, struct error *err);
/* Copies purged keys again and compares each, until the turn is over. Only when none is unpurged. */
int dirty_recopy(struct migration *m, struct db *db, bool *ret_left, struct error *err);

/* Compares one row of source and shadow; -1 with err when they differ. Inside a transaction. */
int verify_key(struct migration *m, struct db *db, const struct rowkey *key, struct error *err);
/* Copies one row, which must not be in the shadow. An offender is err, and nothing is written. */
int copy_key(struct migration *m, struct db *db, const struct rowkey *key, struct error *err);
/* Runs a statement whose parameters are the parts of a key. NULL: none. */
int run_key(struct migration *m, struct db *db, const char *sql, const struct rowkey *key, struct error *err);

/* Condition over a row of the source: it is to be refused. NULL: none can be. */
const char *rules_condition(const struct migration *m, struct pool *pool);
/* Takes in what is to be refused in the rows behind `from` (NULL: from the first) up to `to` (NULL: to the last). */
int rules_check(struct migration *m, struct db *db, const struct rowkey *from, const struct rowkey *to,
		struct error *err);
/* The same by rules alone, but for dirty keys; -1 with the migration's error if there is anything. */
int rules_verify(struct migration *m, struct db *db, const struct rowkey *from, const struct rowkey *to,
		 struct error *err);
/* The same for one row; for all, which takes as long as the table is large. */
int rules_check_key(struct migration *m, struct db *db, const struct rowkey *key, bool rules_only, struct error *err);
int rules_check_all(struct migration *m, struct db *db, struct error *err);
/* On the writer: watches what rules look up, from here on. Was it disturbed since the look began? Look again. */
void rules_watch(struct migration *m);
bool rules_disturbed(const struct migration *m);
void rules_again(struct migration *m);

/* SORT: whether the next step belongs on the writer lane. */
bool sort_on_writer(const struct migration *m);
/* The build has found rows that repeat a key: takes their names along, and says so. */
void index_take_offenders(struct migration *m, struct error *err);
/* The folder for temporary files: that of the database, which is watched for room. */
void index_temp_dir(struct db *db, struct buf *out);

/* CREATE INDEX beside live writes: is that what the job does? */
bool live_is(const struct migration *m);
/* Ends the watch and forgets all of it, on the writer; or forgets it where nothing is watched. NULL is fine. */
void live_stop(struct migration *m, struct db *db);
void live_free(struct live_index *live);
/* Compares rows behind m->verified and up to `bound`, which the shadow has, in the snapshot that is open. */
int verify_up_to(struct migration *m, struct db *db, int64_t bound, struct error *err);

/* Compares all rows of source and shadow, in the transaction that is open. */
int verify_all(struct migration *m, struct db *db, struct error *err);

/* Whether the indexes of the target's UNIQUE and PRIMARY KEY can be built behind the copy, and are any. */
bool index_can_build(const struct migration *m, struct db *db);
/* BACKFILL: whether the index build can begin now, since rows that were copied stay as they are until it ends. */
bool index_early(const struct migration *m);
/* Begins it: the rest of a step, in its transaction. */
enum step_outcome index_begin_early(struct migration *m, struct db *db, struct error *err);
/* The index build has failed with `err`: if by duplicates, they become the migration's offenders. Any thread. */
void index_failed(struct migration *m, struct error *err);

/* Writes the texts. */
void texts_make(struct migration *m);
/* Forgets the keys that steps keep between them. */
void migration_forget_keys(struct migration *m);
/* True for an error that means: this row does not fit the new table. */
bool offending(const struct error *err);

/*
 * Turns every index of main."table" into a table of its own that can be emptied in slices, and the table into one with
 * nothing but rows. Inside db_schema_edit. Names of what was made begin with the table's.
 */
int disown(struct db *db, struct pool *pool, const char *table, struct error *err);
/* The row `row` of sqlite_schema, whose b-tree is that of table `t`, becomes a table with nothing but rows. */
int disown_table(struct db *db, struct pool *pool, const struct schema_table *t, const char *row, struct error *err);
/* The CREATE TABLE by which the b-tree of an index, or of a table WITHOUT ROWID, stands in the file as `as`. */
const char *disowned_sql(struct pool *pool, const struct schema_index *x, const char *as);
/* The same for one row of an index that is laid out like `x`; it and its table are called `as` afterwards. */
int disown_index(struct db *db, struct pool *pool, const struct schema_index *x, const char *row, const char *as,
		 struct error *err);
/* Brings SQLite's statistics of the table up to date, where there are any; in the step's transaction. */
int statistics_slice(struct migration *m, struct db *db, bool *ret_done, struct error *err);
/* Empties and drops, in slices, the shadow and what was disowned from it. *ret_done: nothing is left. */
int retire_slice(struct migration *m, struct db *db, bool *ret_done, struct error *err);
/* The next table of these: those of indexes first, the shadow last. *ret NULL: none is left. */
int retire_next(struct db *db, struct pool *pool, const char *shadow, const char **ret, struct error *err);

/* The exchange, and what the plan has for the swap's transaction, in the transaction that is open. */
int swap_places(struct migration *m, struct db *db, struct error *err);
/* All of an ALTER TABLE in the transaction that is open. *ret_loses: it has lost data, with consent. */
int exact_alter(struct migration *m, struct db *db, const char *sql, bool allow_data_loss, bool *ret_loses,
		struct error *err);

#endif
