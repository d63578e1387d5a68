/*
 * A job: a piece of SQLite work handed to a lane. Embedded in what it belongs to, so that submitting allocates nothing.
 *
 * Life: filled in on the loop thread -> submitted -> `run` on a lane's thread (or, for a read known to be short, by the
 * loop in its next round) -> `done` on the loop thread. From submission to `done` the lane owns the job and everything
 * it points to, except `stop`.
 */
#ifndef ALTERD_STORE_JOB_H
#define ALTERD_STORE_JOB_H

#include <stdatomic.h>
#include <stdint.h>

#include "daemon/lib/mailbox.h"

/* Why a job should end early. The first reason that is set counts. */
enum stop_reason {
	STOP_NONE,
	STOP_CANCEL,   /* cancel {id} */
	STOP_KILL,     /* kill {session} */
	STOP_GONE,     /* the client hung up */
	STOP_TIMEOUT,  /* its own deadline */
	STOP_EXPIRED,  /* its transaction's or cursor's time is up */
	STOP_LONG,     /* a long read gave way: no lane was left for others, or the WAL passed its hard cap */
	STOP_SHUTDOWN, /* the daemon ends */
};

enum job_class { JOB_CLIENT, JOB_BACKGROUND };

struct db;

struct job {
	struct mail mail; /* first: queue link while waiting, then the way back; deliver = done */
	void (*run)(struct job *job,
		    struct db *); /* on the lane, with a connection that is this job's until it returns */
	enum job_class class;
	int share_percent;    /* background work: of the writer's time; 0: store.background_share */
	struct db *on;        /* the pinned connection it must run on; NULL: the lane's own */
	atomic_int stop;      /* enum stop_reason; set by any thread, read by the progress handler */
	uint64_t deadline_ns; /* monotonic; past it the job is stopped with STOP_TIMEOUT; CLOCK_NEVER or (engine jobs) 0
				 = none */
	uint64_t submitted_ns; /* set by store_submit_* */
	uint64_t started_ns;   /* set by the lane when it took the job */
	uint64_t ended_ns;     /* set by the lane when run returned */
	uint64_t sure_ns; /* background work: its share of the time it waited; set by the writer lane with started_ns */
};

/* Sets the reason unless one is set already. Any thread. */
static inline void job_stop(struct job *job, enum stop_reason why)
{
	int none = STOP_NONE;
	atomic_compare_exchange_strong(&job->stop, &none, (int)why);
}

#endif
