/*
 * What the files of the migrator share: migrator.c (the running job), migrator_pace.c (its pace), migrator_life.c
 * (open, close), control.c (what clients ask of jobs), request.c (what they are told), alter.c (a new job: plan on a
 * reader, row in the catalog). All on the loop thread, but for the run() of jobs.
 */
#ifndef ALTERD_MIGRATE_MIGRATOR_INTERNAL_H
#define ALTERD_MIGRATE_MIGRATOR_INTERNAL_H

#include <stdatomic.h>
#include <uv.h>

#include "daemon/lib/list.h"
#include "daemon/migrate/aside.h"
#include "daemon/migrate/backups.h"
#include "daemon/migrate/capture.h"
#include "daemon/migrate/migration.h"
#include "daemon/migrate/migrator.h"
#include "daemon/migrate/pacer.h"
#include "daemon/migrate/record.h"
#include "daemon/migrate/report.h"
#include "daemon/migrate/schema_watch.h"

/* Ended jobs kept in memory. */
#define HISTORY_MAX 100
/* Copies that begin anew before a job pauses. */
#define RESTARTS_MAX 3
/* How often a wait without an event is looked at again. */
#define MIGRATOR_POLL_NS (20 * NS_PER_MS)
#define ABORTED_TEXT "the migration was aborted"

/* A job that has not ended. */
struct entry {
	struct list_node node; /* in migrator.entries: the running one first, then in the order of the queue */
	struct record *r;      /* owned */
	struct list waiters;   /* struct migrator_wait: migrate.alter with wait */
	struct list aborters;  /* struct migrator_wait: migrate.abort */
};

/* The one job of the store that the migrator has out: a step, or a write of the record. */
struct errand {
	struct job job;
	struct migrator *owner;
	bool save;         /* write the record instead of stepping */
	bool ran;          /* run() was called */
	atomic_bool begun; /* the same, for whom it is still out */
	bool writer;
	bool beside; /* asides may be at work meanwhile */
	enum step_outcome outcome;
	struct error err;
};

/* A piece of work on a reader lane beside the steps. */
struct aside {
	struct job job;
	struct migrator *owner;
	enum aside_kind kind;
	bool busy;
	bool ran; /* run() was called */
	int rc;
	struct error err;
	struct migration m; /* the lane's while busy: position of the comparison, and what is shared */
	int64_t rows;       /* compared */
	uint64_t due_ns;    /* the next piece not before */
	unsigned retries;
	bool over; /* no more of it in this copy */
};

/* The version of which a part has run, for migrate.status; version 0: there is none. */
struct partial_place {
	int64_t version, done, total;
};

struct migrator {
	struct store *s;
	uv_loop_t *loop;
	struct migrator_config config;
	uv_timer_t timer;
	int64_t version;
	/* What is known of the daemon's folder; JSON arrays, NULL where there is none. */
	int64_t latest;
	char *pending, *problems;
	struct partial_place partial;
	struct rehearsal *rehearsal; /* the one under way; rehearsal.c */
	struct startup *startup;     /* the run of the start, while it is under way; startup.c */
	bool fresh;                  /* the database had nothing in it when it was opened */

	struct list entries;
	struct list alters;  /* struct alter_task: being planned or written */
	struct list letters; /* struct letter of control.c: what was asked of jobs, being written */
	struct list
		file_tasks; /* struct file_task of file_task.c: migration files being looked at, a run being written */
	struct list advising; /* struct advising of advise.c: one at most */
	size_t nhistory;
	struct record *history[HISTORY_MAX];  /* newest last */
	uint64_t jobs_ended[JOB_STATE_COUNT]; /* since the start */
	int64_t rows_before;                  /* rows they went through */

	bool running;       /* `m` is the first entry's */
	struct migration m; /* while `busy` the lane's */
	struct capture capture;
	struct pacer pacer;
	struct errand step;
	bool busy; /* step is out */
	struct aside asides[ASIDE_COUNT];
	struct migration shown;   /* what asides may share of `m`, as it was when no step was out */
	uint64_t aside_work_seen; /* clients' reads and writes when an aside was last done */
	bool unsaved;             /* the record must be written before the next step */
	bool ended;               /* the record says so; once it is written the job is over */
	bool abort_asked;
	struct control wanted; /* controls of the running job as clients have set them */
	struct error verdict;  /* VERIFY: what was found, while the writer is asked whether another process did it */
	char paused_why[160];
	char trouble[200]; /* why the last step failed for now; "" if it did not */
	unsigned retries;
	uint64_t due_ns;       /* the next step not before */
	uint64_t level_ns;     /* the last step that left few dirty keys, or had none to apply */
	uint64_t writes_seen;  /* store's writes_total at the last step */
	uint64_t clients_ns;   /* the last step beside which clients wrote */
	uint64_t owed_ns;      /* pause that is still to be made: less than a millisecond */
	const char *throttled; /* why no step is taken; static or one of these */
	char why[64];
	bool waited; /* a step was held back since the last one */
	bool idle;   /* the last step found nothing to do: the swap is postponed */

	struct upkeep *upkeep;
	struct backups *backups;
	struct backup_task *before; /* the run waits for its backup; NULL: it does not */
	bool backed_up;             /* that backup is made */
	struct error before_failed; /* why it was not; until the run has failed of it */

	/* migrator_tell.c */
	const struct migrator_listener *listener; /* borrowed; NULL: nobody listens */
	bool tells_jobs;
	struct schema_watch schema;
	uint64_t told_ms;           /* when the running job was told of last, and what */
	int64_t told_percent;       /* tenths */
	const char *told_throttled; /* compared, never read */

	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* Looks at the daemon's folder, for migrate.status. */
void migrator_look_at_folder(struct migrator *m);
void startup_free(struct startup *s); /* NULL is fine */
/* Nobody waits for a file task any more. */
void file_tasks_forget(struct migrator *m, const struct migrator_wait *w);
/* Nobody waits for advice any more (w), or the migrator is being closed (NULL): it ends soon. */
void migrator_advise_forget(struct migrator *m, const struct migrator_wait *w);
/* Nobody waits any more for what was asked of a job to be written; of one entry, whether anybody did. */
void migrator_control_forget(struct migrator *m, struct migrator_wait *w);
bool entry_forget(struct entry *e, struct migrator_wait *w);
/* Goes on where there is something to do. May be called at any time. */
void migrator_pump(struct migrator *m);
/* Whether an error is one that passes: disk full, memory short, stopped. */
bool migrator_passing(const struct error *err);

/* Ends the running job with an error that does not pass. */
void migrator_fail(struct migrator *m, const struct error *err);
/* migrator_before.c. No step is out: the run fails if its backup has. True: first that is given up, for the abort. */
bool migrator_before_over(struct migrator *m);
/* No step is out: must the run wait for its backup? Then `why` and *ret_again_ns tell. */
bool migrator_backs_up(struct migrator *m, uint64_t *ret_again_ns);

/* migrator_tell.c. The store is there; and the last thing before it is left alone, with no look out. */
void migrator_tell_open(struct migrator *m);
void migrator_tell_close(struct migrator *m);
/* Something has happened to a job; `type` as in tell.h. */
void migrator_tell(struct migrator *m, const struct record *r, const char *type);
/* The running job has come further, or waits for something else: told now and then. */
void migrator_tell_progress(struct migrator *m);
/* Its controls were set; `before`: whether it was paused. */
void migrator_tell_paused(struct migrator *m, const struct record *r, bool before);
/* The schema's version is another, by a job or (NULL) without one. */
void migrator_set_version(struct migrator *m, int64_t version, const struct record *r);

/* migrator_aside.c. Submits what there is to do beside the steps; whether or not one is out. */
void asides_pump(struct migrator *m);
bool asides_busy(const struct migrator *m);
/* No step is out: may the next be one beside which asides work? */
bool asides_beside(struct migrator *m);
/* No step is out: must all else wait until none is busy? */
bool asides_in_the_way(struct migrator *m);
/* No step is out: is there none to take until an aside has worked? *ret_again_ns: when to look again at the latest. */
bool asides_first(struct migrator *m, uint64_t *ret_again_ns);
/* True if one has failed for good: then its error is the job's. */
bool asides_failed(struct migrator *m, struct error *err);
/* No step is out: what they may share; where the comparison is to go on. */
void asides_share(struct migrator *m);
void asides_hand_over(struct migrator *m);
/* A new job or copy begins. None is busy. */
void asides_forget(struct migrator *m);
void asides_stop(struct migrator *m, enum stop_reason why);

/* The entry that runs or is the next to; NULL if there is none. */
struct entry *migrator_current(const struct migrator *m);
/* Lets go of the store and frees everything; waits for what is out. */
void migrator_close_now(struct migrator *m);
/* Takes a new job (its row is in the catalog) into the queue, or straight to history if it has ended. */
struct entry *migrator_queue(struct migrator *m, struct record *r);
void migrator_to_history(struct migrator *m, struct record *r);
/* Answers a waiter with what became of the job. */
void migrator_answer(struct migrator_wait *w, const struct record *r);
/* What a step that has run teaches: how long it held the writer, what a row costs, when the next may be taken. */
void migrator_measure(struct migrator *m, const struct store_stats *st, bool clients);
/* What the next step may take, from settings and controls. */
void migrator_set_pace(struct migrator *m);
/* Why no step should be taken now, and when to look again; NULL: it may. */
const char *migrator_held_back(struct migrator *m, uint64_t *ret_again_ns);
/* migrator_run.c. Forgets what was kept in memory of one table's change. */
void migrator_forget_change(struct migrator *m);
/* A run has failed: its error begins with the file, if it does not name it yet. */
void migrator_name_file(struct record *r);
/* There are versions behind the one under way, and nothing has failed. */
bool migrator_more_versions(const struct record *r);
/* A run goes on with its next version, as if a new job had begun. False: that was the last one. */
bool migrator_next_version(struct migrator *m);
/* Clients' DDL leaves the running job's table alone. */
void migrator_protect(struct migrator *m);
/* PLAN has read what the next version is: the record says so. */
void migrator_take_version(struct migrator *m);
/* A phase was left: where it made the version of a run visible, that is the schema's version now. */
void migrator_see_version(struct migrator *m, enum phase before);
/* The values live now, for reports of the running job. */
struct report_live migrator_live(const struct migrator *m);
/* Takes a job that has ended out of the queue, into history, and answers all who wait for it. Frees the entry. */
void migrator_leave(struct migrator *m, struct entry *e);
/* Ends a queued or running job's record. */
void migrator_set_ended(struct record *r, enum job_state state, int64_t code, const char *name, const char *text);

#endif
