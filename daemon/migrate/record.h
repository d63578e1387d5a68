/*
 * A job as it stands in the catalog: everything that survives a restart, and all that history tells.
 */
#ifndef ALTERD_MIGRATE_RECORD_H
#define ALTERD_MIGRATE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/lib/log.h"

/* X(ID, "state on the wire") */
#define JOB_STATE_MAP(X)                                                                                               \
	X(QUEUED, "queued")                                                                                            \
	X(RUNNING, "running")                                                                                          \
	X(DONE, "done")                                                                                                \
	X(FAILED, "failed")                                                                                            \
	X(ABORTED, "aborted")

enum job_state {
#define X(id, name) JOB_##id,
	JOB_STATE_MAP(X)
#undef X
		JOB_STATE_COUNT
};

/*
 * X(ID, "name in the catalog", "phase on the wire"). The life of a job; each has its file, which opens with what is
 * true of the database when the phase is entered and left. RESTART empties the shadow and begins again; ABORT empties
 * it for good.
 */
#define PHASE_MAP(X)                                                                                                   \
	X(PLAN, "plan", "preparing")                                                                                   \
	X(CHECK, "check", "preparing")                                                                                 \
	X(CREATE, "create", "preparing")                                                                               \
	X(BACKFILL, "backfill", "backfilling")                                                                         \
	X(INDEX, "index", "indexing")                                                                                  \
	X(VERIFY, "verify", "verifying")                                                                               \
	X(READY, "ready", "ready")                                                                                     \
	X(WATCH, "watch", "preparing")                                                                                 \
	X(SORT, "sort", "indexing")                                                                                    \
	X(CATCH_UP, "catch_up", "ready")                                                                               \
	X(COMPARE, "compare", "verifying")                                                                             \
	X(ADOPT, "adopt", "swapping")                                                                                  \
	X(DROP, "drop", "swapping")                                                                                    \
	X(SWAP, "swap", "swapping")                                                                                    \
	X(RETIRE, "retire", "retiring")                                                                                \
	X(INSTANT, "instant", "swapping")                                                                              \
	X(EXACT, "exact", "swapping")                                                                                  \
	X(RESTART, "restart", "preparing")                                                                             \
	X(ABORT, "abort", "preparing")                                                                                 \
	X(END, "end", "retiring")

enum phase {
#define X(id, name, wire) PHASE_##id,
	PHASE_MAP(X)
#undef X
		PHASE_COUNT
};

/* What moves while a job runs. Plain data: a step works on a copy, which counts only once its transaction has
 * committed. */
struct progress {
	enum phase phase;
	enum phase failed_in; /* ABORT and after: the phase it was in before */
	int64_t has_cursor;   /* BACKFILL: something was copied */
	int64_t cursor;       /* the greatest rowid that was copied; keys up to here are captured */
	int64_t collecting;   /* rows that do not fit are being counted: the shadow is not whole */
	int64_t indexes;      /* indexes of the shadow that are built */
	int64_t rows_done, rows_total, rows_exact;
	int64_t verified_rows;
	int64_t changes_applied; /* dirty keys copied again */
	int64_t restarts;        /* how often the copy began anew because another process wrote the file */
	int64_t longest_hold_us, longest_wait_us;
	int64_t swap_us; /* -1: not swapped */
	int64_t run_ms;  /* time spent running, up to the last save */
};

/* What a person may set while it runs; written apart from the progress. */
struct control {
	int64_t paused;       /* 0 or 1 */
	int64_t postpone;     /* stop before the swap */
	int64_t batch_rows;   /* 0: the configuration's */
	int64_t duty_percent; /* 0: the configuration's */
};

/* Where a run of migration files stands. */
struct run_place {
	int64_t steps,
		step; /* how many versions it goes through, 0: none, an ad hoc change; the one under way, from 0 */
	int64_t from_version, to_version;
	int64_t version, down; /* of the step; down: it is undone */
	int64_t after;         /* the schema's version once the step is done */
	int64_t file_batch;    /* rows a batch at most, as the version's file says; 0: it does not */
	int64_t consented;     /* the version loses data, and somebody consented */
	/* A piece of a version (pieces.h): statements of its file before it, with it, and all. Else 0. */
	int64_t done_before, done_behind, done_total;
};

struct record {
	int64_t id;
	enum job_state state;
	char *table; /* owned; so are all strings here */
	char *sql;
	int64_t allow_data_loss;
	char *strategy;    /* see plan_strategy() */
	char *shadow;      /* name of the shadow once there is one; NULL before */
	char *fingerprint; /* of the source when the shadow was made; NULL before */
	struct control control;
	struct progress p;
	struct run_place run;
	char *name, *file;  /* of the version under way, and of its file; NULL for an ad hoc change */
	char *applied_by;   /* who asked for it */
	char *consented_by; /* who consented to the loss of data: a user, or a file; NULL: nothing was lost */
	int64_t queued_ms, started_ms, ended_ms; /* wall clock; 0: not yet */
	/* FAILED and ABORTED. */
	int64_t error_code;
	char *error_name, *error_text;
	char *error_rows; /* JSON array of up to 10 rows, NULL if none */
	int64_t error_count;
};

/* log_event() about a job: record_log(INFO, r, SWAPPED, "m%lld ..", ..). */
#define record_log(level, r, kind, ...)                                                                                \
	log_event(LOG_LEVEL_##level, "migrate",                                                                        \
		  LOG_FIELDS(.event = LOG_EVENT_##kind, .job = (r)->id, .version = (r)->run.version,                   \
			     .table = (r)->table),                                                                     \
		  __VA_ARGS__)

struct record *record_new(void);
void record_free(struct record *r); /* NULL is fine */
/* Replaces an owned string; NULL clears it. */
void record_set(char **field, const char *text);

/* Phases in which indexes are written in order while reader lanes go on with what comes next. */
bool phase_indexes(enum phase p);
const char *job_state_name(enum job_state s);
const char *phase_name(enum phase p); /* catalog's */
const char *phase_wire(enum phase p);
/* COUNT if unknown. */
enum job_state job_state_by_name(const char *name);
enum phase phase_by_name(const char *name);

#endif
