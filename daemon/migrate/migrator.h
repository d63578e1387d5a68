/*
 * Online schema changes, seen from the server: start one, watch it, steer it.
 *
 * The migrator lives on the loop thread and drives a job step by step through the store's lanes. What a job has done is
 * in the database itself (_alterd_* tables), committed with the data it describes, so that after kill -9 the next start
 * goes on from there.
 *
 * All functions: loop thread.
 */
#ifndef ALTERD_MIGRATE_MIGRATOR_H
#define ALTERD_MIGRATE_MIGRATOR_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/migrate/tell.h"
#include "daemon/store/store.h"
#include "proto/buf.h"
#include "proto/error.h"
#include "proto/request.h"

struct migrator;

struct migrator_config {
	int64_t hold_ms;           /* longest time one step should hold the writer */
	int64_t batch_rows;        /* rows a batch at most; the time bounds it first */
	int64_t duty_percent;      /* share of the writer's time while clients write */
	int64_t queue_max;         /* jobs waiting, at most */
	int64_t retire_ms;         /* pause between slices of emptying the old table, 0 = none */
	int64_t client_wait_ms;    /* a client's wait for the writer that puts off the next step; 0: none */
	const char *folder;        /* of migration files; "": none. Borrowed, as the next is */
	const char *format;        /* of the files */
	bool mirror;               /* the history of another tool is kept in step */
	const char *try_folder;    /* where copies for rehearsals are made; "": beside the database. Borrowed as well */
	const char *settings;      /* all that is in force, as alterd.conf text, for a rehearsal; NULL: the defaults */
	const char *backup_folder; /* "": "backups" beside the database. Borrowed, read by migrator_open() */
	int64_t backup_keep;       /* backups made before a run that are kept */
	bool backup_before;        /* each run of migration files begins with one */
	int64_t line_bytes;        /* of an answer, at most */
	int64_t retry_ms; /* tests: wait after the disk was full or the like; 0: 250 ms, and longer each time */
};

/*
 * Reads the catalog (creates it if missing) and resumes a job that a crash cut short; blocks until the catalog is read.
 * A catalog of another format version is refused with a clear word.
 */
int migrator_open(struct store *s, uv_loop_t *loop, const struct migrator_config *config, struct migrator **ret,
		  struct error *err);
/* Stops taking steps; the running step ends first (closed is called then). The job stays as it is in the catalog. */
void migrator_close(struct migrator *m, void (*closed)(void *arg), void *arg);
void migrator_reconfigure(struct migrator *m, const struct migrator_config *config);

/* Someone waiting for an answer. `done` is called exactly once, with err set (and then void) or a result in `out`. */
struct migrator_wait {
	struct list_node node;
	void (*done)(struct migrator_wait *w);
	struct buf *out;  /* result object is appended */
	struct error err; /* set if it failed */
};

/*
 * migrate.alter: checks and plans the SQL, queues the job. Answers {"job":..} when it is queued, or with `wait` when it
 * has ended. params: sql, wait, allow_data_loss, postpone_cutover. `uid` is who asks.
 */
void migrator_alter(struct migrator *m, const struct params *params, uint32_t uid, struct migrator_wait *w);
/*
 * migrate.plan, up, down, to, list, validate, baseline, repair, resolve: migration files, those sent with the request
 * or those of the daemon's folder, and the history in the database. `uid` is who asks.
 */
void migrator_files(struct migrator *m, const struct request *request, uint32_t uid, struct migrator_wait *w);
/* backup, backup.list, backup.read, backup.delete. */
void migrator_backup(struct migrator *m, const struct request *request, struct migrator_wait *w);
/* check, analyze, shrink. */
void migrator_upkeep(struct migrator *m, const struct request *request, struct migrator_wait *w);
/* Which of them is under way, and how far it is: a JSON object, or null. */
void migrator_upkeep_state(const struct migrator *m, struct buf *out);
/* advise: which indexes would help the statements seen; looks at `limit` of them, 0: as many as it likes. */
void migrator_advise(struct migrator *m, int64_t limit, struct migrator_wait *w);
/* True if the database had nothing in it when it was opened. */
bool migrator_fresh(const struct migrator *m);
/* Runs what is pending in the daemon's folder; `ended` is called once, whatever came of it. */
void migrator_start_up(struct migrator *m, void (*ended)(void *arg), void *arg);
/* A client that waits is gone: done is not called any more. */
void migrator_forget(struct migrator *m, struct migrator_wait *w);

/*
 * migrate.pause, resume, throttle, cutover: in force at once, answered when it is in the file, so that what was
 * answered survives a kill; but at once where a client's transaction has the writer. `out` has the answer from the
 * beginning: who does not want to wait until it is written forgets it. Where it cannot be written the error says that
 * it is in force all the same.
 */
void migrator_control(struct migrator *m, const struct request *request, struct migrator_wait *w);
/* migrate.abort: answers once the shadow is gone. */
void migrator_abort(struct migrator *m, const struct params *params, struct migrator_wait *w);

/* Result objects of migrate.status and migrate.history. */
void migrator_status(const struct migrator *m, struct buf *out);
void migrator_history(const struct migrator *m, struct buf *out);
/* The job object alone (running, else the last ended one), or null: `status`' "job". */
void migrator_job(const struct migrator *m, struct buf *out);
/* Versions of the daemon's folder that are pending, as a JSON array. */
const char *migrator_pending(const struct migrator *m);
/* What is wrong with versions, as a JSON array: with the daemon's folder, and the one of which a part has run. */
void migrator_problems(const struct migrator *m, struct buf *out);
/* One line for systemd's STATUS=, "" when there is nothing to say. */
void migrator_line(const struct migrator *m, char *out, size_t size);
/* Schema version: of the history, else PRAGMA user_version, else 0. */
int64_t migrator_version(const struct migrator *m);

/* The same as figures. */
struct migrator_figures {
	int64_t version, pending;                         /* of the schema; versions of the daemon's folder */
	int64_t queued;                                   /* jobs that have not ended, the running one left out */
	uint64_t done_total, failed_total, aborted_total; /* jobs, since the start */
	int64_t rows_total;                               /* rows jobs went through, since the start */
	bool running;                                     /* there is a job; then: */
	int64_t job_version;                              /* 0: an ad hoc change */
	const char *table;                                /* borrowed until the loop goes on; never NULL */
	const char *phase;                                /* static */
	double progress;                                  /* 0 to 1 */
	int64_t eta_s;                                    /* -1: unknown */
	const char *throttled; /* why it does not go on at full speed, NULL: it does; borrowed as `table` */
	bool paused;
};
void migrator_figures(const struct migrator *m, struct migrator_figures *ret);

#endif
