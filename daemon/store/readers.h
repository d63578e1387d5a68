/*
 * Private to the reader lanes' files: what a lane is, and the steps they share.
 *
 * readers.c starts, feeds and stops lanes; reader_lane.c is what a lane's thread does; reader_dbs.c keeps their
 * connections; reader_tick.c is the loop's regular look after them.
 */
#ifndef ALTERD_STORE_READERS_H
#define ALTERD_STORE_READERS_H

#include "daemon/store/internal.h"

/* Short reads a lane takes at a time: one wake-up, one read transaction, one way back for all of them. */
#define BATCH_MAX 16
/* Short reads that wait for each lane awake before one more is woken. */
#define WAKE_AT 8
/* A job that has waited this long while no lane was free gets a new one. */
#define WAIT_FOR_LANE_NS (10 * NS_PER_MS)
/* How long an idle lane looks out for work before it sleeps, if it has had some as lately as that. */
#define LANE_LINGER_NS (50 * NS_PER_US)
/* Surplus lanes leave when none was missing for so long. */
#define SURPLUS_NS (5 * NS_PER_S)

/* reader_lane.c */
void *reader_lane_main(void *lane);
int readers_slow_lanes(const struct store *s); /* lanes that slow sessions may hold */
/* Under the lock: what the lane took along and has not begun goes back to the head of the queue. */
void readers_give_back(struct readers *r, struct reader_lane *lane);

/* reader_turns.c */
void readers_turns_init(struct turns *t);
void readers_turns_free(struct turns *t);
void readers_end_turn(struct reader_lane *lane); /* the lane's job is over */
void readers_wake_line(struct turns *t);         /* a job in line may have been given up */

/* reader_dbs.c */
struct db *readers_take_db(struct store *s); /* NULL if none can be opened (logged) */
void readers_give_db(struct store *s, struct db *db);

/* readers.c */
int readers_start_lane(struct store *s, struct error *err);
void readers_reap(struct store *s, bool all); /* joins lanes that have ended */
/* Under the lock: wakes a lane if those awake will not get to the work soon, or `at_once`. */
void readers_wake(struct readers *r, bool at_once);

#endif
