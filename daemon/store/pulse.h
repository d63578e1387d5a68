/*
 * The pulse of a thread: it moves while the thread gets on with something, whatever that is, so that a watchdog can
 * tell a statement that takes its time from one that is stuck.
 *
 * A thread with a pulse beats where work goes by in small pieces: a turn, a step of a statement, a thousand
 * instructions of SQLite's machine, a page read or written. A sync is one piece that may take long on a slow disk and
 * cannot be looked into: it counts as work for PULSE_SYNC_NS.
 */
#ifndef ALTERD_STORE_PULSE_H
#define ALTERD_STORE_PULSE_H

#include <stdatomic.h>
#include <stdint.h>

#include "daemon/lib/histogram.h"

/* A sync that lasts longer is taken for one that will not come back. */
#define PULSE_SYNC_NS (UINT64_C(300) * 1000000000)

/* Zeroed, but for `syncs`, before its thread starts. */
struct pulse {
	atomic_uint_fast64_t beats;
	atomic_uint_fast64_t sync_since_ns; /* monotonic; 0: no sync is under way */
	struct histogram *syncs;            /* borrowed; takes down how long each sync took. NULL: nothing does */
};

/* The calling thread's; NULL (as at the start of each thread): it has none, and the functions below do nothing. */
extern _Thread_local struct pulse *pulse_mine;

static inline void pulse_beat(void)
{
	/* Written by this thread alone: no need for an addition that others could come between. */
	if (pulse_mine)
		atomic_store_explicit(&pulse_mine->beats,
				      atomic_load_explicit(&pulse_mine->beats, memory_order_relaxed) + 1,
				      memory_order_relaxed);
}

/* Around a sync. */
void pulse_sync_begins(void);
void pulse_sync_ends(void);

/* Any thread: a number that differs from the last one if the thread has got on since, or is in a sync. */
uint64_t pulse_read(const struct pulse *p, uint64_t now_ns);

#endif
