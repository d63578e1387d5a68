/*
 * A guarded state machine: states by number, with names and a mask of what may follow. One function moves; a move that
 * the table does not allow is a broken invariant, not an error. Every move is logged at debug level.
 *
 *	static const struct sm_state states[] = {
 *		[IDLE] = {.name = "IDLE", .next = SM_NEXT(BUSY) | SM_NEXT(CLOSED)},
 *		[BUSY] = {.name = "BUSY", .next = SM_NEXT(IDLE)},
 *		[CLOSED] = {.name = "CLOSED"},
 *	};
 *
 * Not thread-safe: a machine belongs to one thread, as does what it guards.
 */
#ifndef ALTERD_LIB_SM_H
#define ALTERD_LIB_SM_H

#include <stdbool.h>
#include <stdint.h>

/* States at most: one bit each in a mask. */
#define SM_STATES_MAX 32
#define SM_NEXT(state) (UINT32_C(1) << (state))

struct sm_state {
	const char *name;
	uint32_t next; /* SM_NEXT() of each state that may follow; 0 = an end */
};

struct sm {
	const struct sm_state *states; /* borrowed, static */
	int count;                     /* entries in `states` */
	int now;
	const char *room;                  /* for the log: who speaks; static */
	const char *what;                  /* for the log: which machine, "session"; static */
	int64_t id;                        /* for the log: which one of them */
	void (*check)(const struct sm *m); /* asserts the owner's invariant after each move; may be NULL */
};

/* Begins in `state`. `states`, `room` and `what` are borrowed for the machine's life. */
void sm_init(struct sm *m, const struct sm_state *states, int count, int state, const char *room, const char *what,
	     int64_t id);

/* To another state, which the table must allow. Staying where one is counts as a move and needs its bit too. */
void sm_move(struct sm *m, int state);

static inline int sm_now(const struct sm *m) { return m->now; }
static inline bool sm_may(const struct sm *m, int state) { return (m->states[m->now].next & SM_NEXT(state)) != 0; }
const char *sm_name(const struct sm *m);

#endif
