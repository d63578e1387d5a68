/*
 * Fault points: named places where a test may make the daemon die, fail or run out of something. In a build without
 * ALTERD_FAULTS they cost nothing and cannot be reached.
 *
 * Set by the environment, or by fault_set() in a test: ALTERD_FAULT="name:action[:first[-last]]", comma-separated.
 * `first` is counted from 1 (default 1); with a `last` (empty: for ever) every hit between the two is one. Actions:
 *
 *   kill   SIGKILL to itself
 *   fail   the call site takes its error path (an I/O error, no memory)
 *   full   the same, where the call site can tell: no room
 *   torn   a write: half of it is done, then kill; elsewhere kill
 *   power  what was written and not synced is lost, in part or all of it, then kill (see daemon/store/fault_vfs.c)
 *
 * Points of the file system and of SQLite's allocator are found by the code that stands between: write, sync, read,
 * truncate, alloc; with "step-" before the name while a step of a migration is at work on this thread.
 */
#ifndef ALTERD_LIB_FAULT_H
#define ALTERD_LIB_FAULT_H

#include <stdbool.h>

#ifdef ALTERD_FAULTS

enum fault_kind { FAULT_NONE, FAULT_FAIL, FAULT_FULL, FAULT_TORN, FAULT_POWER };

/* True: take the error path. */
bool fault_hit(const char *name);
/* "where-what", for points that stand once in the code and for many places. */
bool fault_hit_in(const char *where, const char *what);
/* For who can do more than fail. Does not return from kill. */
enum fault_kind fault_ask(const char *name);
_Noreturn void fault_die(void);
/* Whether this thread is in a migration's step. */
void fault_scope(bool step);
bool fault_in_step(void);

/* For tests, while no other thread runs: another specification instead of the environment's; NULL for none. */
void fault_set(const char *text);
/* Hits of a point that the specification names, whether or not they did anything. */
unsigned long fault_hits(const char *name);

#define FAULT(name) fault_hit(name)
#define FAULT_IN(where, what) fault_hit_in(where, what)
#define FAULT_SCOPE(step) fault_scope(step)
#else
#define FAULT(name) false
#define FAULT_IN(where, what) false
#define FAULT_SCOPE(step) ((void)0)
#endif

#endif
