/*
 * Long reads take turns. Threads that compute for seconds would share the processors among themselves so that the loop,
 * the writer and short reads get theirs late; so only as many long reads compute at once as there are turns (half of
 * the processors), each for TURN_NS, and the others wait in line with what they hold.
 */
#include <unistd.h>

#include "daemon/store/readers.h"

/*
 * A read is long once the progress handler was called this often: a millisecond or two of computing. The clock would
 * not do: a short read that was put off the processor must not wait in line as well.
 */
#define LONG_READ_LOOKS 64
/* How long a read that has become long computes before it passes its turn on. */
#define TURN_NS (20 * NS_PER_MS)

void readers_turns_init(struct turns *t)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_condattr_t attr;

	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->change, &attr);
	pthread_condattr_destroy(&attr);
	list_init(&t->line);
	t->free = processors > 2 ? (int)(processors / 2) : 1;
}

void readers_turns_free(struct turns *t)
{
	pthread_cond_destroy(&t->change);
	pthread_mutex_destroy(&t->lock);
}

/* Under the lock. */
static void give_turn(struct turns *t, struct reader_lane *lane)
{
	if (!lane->has_turn)
		return;
	lane->has_turn = false;
	t->free++;
	pthread_cond_broadcast(&t->change);
}

void readers_end_turn(struct reader_lane *lane)
{
	struct turns *t = &lane->store->readers.turns;

	if (!lane->has_turn) /* this thread's own */
		return;
	pthread_mutex_lock(&t->lock);
	give_turn(t, lane);
	pthread_mutex_unlock(&t->lock);
}

/* Under the lock: waits to be the first in line while a turn is free, or for the job to be given up. */
static void wait_for_turn(struct turns *t, struct reader_lane *lane, struct db *db)
{
	list_push(&t->line, &lane->turn);
	while (!db_stopped(db) && (list_first(&t->line) != &lane->turn || t->free == 0)) {
		uint64_t at = clock_now_ns() + TURN_NS;
		struct timespec until = {.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)};
		pthread_cond_timedwait(&t->change, &t->lock, &until);
	}
	list_remove(&t->line, &lane->turn);
	if (!db_stopped(db) && t->free > 0) {
		t->free--;
		lane->has_turn = true;
	}
	pthread_cond_broadcast(&t->change);
}

void readers_take_turn(struct db *db)
{
	struct turns *t = &db->store->readers.turns;
	struct reader_lane *lane = db->lane;

	if (db->looks < LONG_READ_LOOKS || !lane || db->job->class != JOB_CLIENT)
		return;
	if (lane->has_turn && clock_now_ns() - lane->turn_ns < TURN_NS)
		return;
	pthread_mutex_lock(&t->lock);
	if (!lane->has_turn || !list_empty(&t->line)) {
		give_turn(t, lane);
		wait_for_turn(t, lane, db);
	}
	pthread_mutex_unlock(&t->lock);
	lane->turn_ns = clock_now_ns();
}

void readers_wake_line(struct turns *t)
{
	pthread_mutex_lock(&t->lock);
	pthread_cond_broadcast(&t->change);
	pthread_mutex_unlock(&t->lock);
}
