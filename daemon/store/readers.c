/*
 * Reader lanes: threads that run reads, each with a connection of its own.
 *
 * A few lanes are kept ready. A read that runs long keeps its lane, so another lane is started when work waits, up to
 * readers_max. What then still waits is first held apart by where it comes from: a session whose last read was long
 * queues in `slow`, which never gets the last `readers` lanes. Where even so no lane is left for others, the longest
 * reads are stopped and told why.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/readers.h"

int readers_start_lane(struct store *s, struct error *err)
{
	struct readers *r = &s->readers;
	struct reader_lane *lane = xcalloc(1, sizeof *lane);

	lane->store = s;
	list_init(&lane->batch);
	list_init(&lane->done);
	pthread_mutex_lock(&r->lock);
	list_push(&r->lanes, &lane->node);
	int rc = pthread_create(&lane->thread, NULL, reader_lane_main, lane);
	if (rc)
		list_remove(&r->lanes, &lane->node);
	pthread_mutex_unlock(&r->lock);
	if (rc) {
		free(lane);
		return error_set(err, ERRC_INTERNAL, "cannot start a reader lane: %s", strerror(rc));
	}
	return 0;
}

int readers_start(struct store *s, struct error *err)
{
	struct readers *r = &s->readers;
	pthread_condattr_t attr;

	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->work, &attr);
	pthread_condattr_destroy(&attr);
	readers_turns_init(&r->turns);
	struct list *lists[] = {&r->queue, &r->slow, &r->background, &r->lanes, &r->idle_dbs, &r->pinned_dbs};
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		list_init(lists[i]);
	for (int i = 0; i < store_get_config(s)->readers; i++)
		if (readers_start_lane(s, err))
			return -1;
	return 0;
}

/* Joins lanes that have ended; all of them when closing. */
void readers_reap(struct store *s, bool all)
{
	struct readers *r = &s->readers;

	for (;;) {
		struct reader_lane *lane = NULL;
		pthread_mutex_lock(&r->lock);
		for (struct list_node *n = list_first(&r->lanes); n; n = list_next(&r->lanes, n)) {
			struct reader_lane *at = LIST_ENTRY(n, struct reader_lane, node);
			if (all || at->ended) {
				lane = at;
				break;
			}
		}
		if (lane)
			list_remove(&r->lanes, &lane->node);
		pthread_mutex_unlock(&r->lock);
		if (!lane)
			return;
		pthread_join(lane->thread, NULL);
		free(lane);
	}
}

void readers_stop(struct store *s)
{
	struct readers *r = &s->readers;

	pthread_mutex_lock(&r->lock);
	r->closing = true;
	for (struct list_node *n = list_first(&r->lanes); n; n = list_next(&r->lanes, n)) {
		struct reader_lane *lane = LIST_ENTRY(n, struct reader_lane, node);
		if (lane->job)
			job_stop(lane->job, STOP_SHUTDOWN);
	}
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->lock);
	readers_wake_line(&r->turns);
	readers_reap(s, true);
	for (struct list_node *n; (n = list_pop(&r->idle_dbs));)
		db_close(LIST_ENTRY(n, struct db, link));
	readers_turns_free(&r->turns);
	pthread_cond_destroy(&r->work);
	pthread_mutex_destroy(&r->lock);
}

/* Under the lock: a sleeping lane is woken if those awake will not get to the work soon by themselves. */
void readers_wake(struct readers *r, bool at_once)
{
	size_t busy = r->lanes.count - (size_t)r->waiting;

	atomic_store(&r->queued, (int)r->queue.count);
	if (r->lingering > 0 && !at_once && r->queue.count <= WAKE_AT)
		return; /* it is looking */
	if (r->waiting > 0 && (busy == 0 || at_once || r->queue.count > WAKE_AT * busy))
		pthread_cond_signal(&r->work);
}

void readers_push(struct store *s, struct job *job, bool slow)
{
	struct readers *r = &s->readers;

	pthread_mutex_lock(&r->lock);
	list_push(job->class == JOB_BACKGROUND ? &r->background : slow ? &r->slow : &r->queue, &job->mail.node);
	readers_wake(r, slow || job->class == JOB_BACKGROUND);
	pthread_mutex_unlock(&r->lock);
}

void readers_push_list(struct store *s, struct list *jobs)
{
	struct readers *r = &s->readers;

	if (list_empty(jobs))
		return;
	pthread_mutex_lock(&r->lock);
	list_splice(&r->queue, jobs);
	readers_wake(r, false);
	pthread_mutex_unlock(&r->lock);
}

/* Under the lock. */
static bool take_from(struct list *queue, struct list_node *node)
{
	for (struct list_node *n = list_first(queue); n; n = list_next(queue, n))
		if (n == node) {
			list_remove(queue, n);
			return true;
		}
	return false;
}

bool readers_take_back(struct store *s, struct job *job)
{
	struct readers *r = &s->readers;
	struct list_node *node = &job->mail.node;

	pthread_mutex_lock(&r->lock);
	bool found = take_from(&r->queue, node) || take_from(&r->slow, node) || take_from(&r->background, node);
	for (struct list_node *n = list_first(&r->lanes); n && !found; n = list_next(&r->lanes, n))
		found = take_from(&LIST_ENTRY(n, struct reader_lane, node)->batch, node);
	atomic_store(&r->queued, (int)r->queue.count);
	pthread_mutex_unlock(&r->lock);
	return found;
}

void readers_interrupt(struct store *s, struct job *job)
{
	struct readers *r = &s->readers;

	pthread_mutex_lock(&r->lock);
	for (struct list_node *n = list_first(&r->lanes); n; n = list_next(&r->lanes, n)) {
		struct reader_lane *lane = LIST_ENTRY(n, struct reader_lane, node);
		/* Under the lock the lane cannot go on to another job: what is interrupted is this one. */
		if (lane->job == job && lane->running)
			sqlite3_interrupt(lane->running->handle);
	}
	pthread_mutex_unlock(&r->lock);
	readers_wake_line(&r->turns);
}

void readers_let_go(struct db *db)
{
	struct readers *r = &db->store->readers;

	db->moved = true;
	db->job = NULL;
	pthread_mutex_lock(&r->lock);
	for (struct list_node *n = list_first(&r->lanes); n; n = list_next(&r->lanes, n)) {
		struct reader_lane *lane = LIST_ENTRY(n, struct reader_lane, node);
		if (lane->running == db)
			lane->job = NULL;
	}
	pthread_mutex_unlock(&r->lock);
}

void readers_notice_long(struct db *db, uint64_t running_ns)
{
	struct readers *r = &db->store->readers;
	struct reader_lane *lane = db->lane;
	struct list done;

	if (running_ns < NS_PER_MS / 3 || !lane)
		return;
	if (!atomic_load_explicit(&lane->taken, memory_order_relaxed) &&
	    atomic_load_explicit(&r->queued, memory_order_relaxed) == 0)
		return;
	list_init(&done);
	pthread_mutex_lock(&r->lock);
	readers_give_back(r, lane);
	list_splice(&done, &lane->done);
	readers_wake(r, true);
	pthread_mutex_unlock(&r->lock);
	mailbox_post_list(db->store->mailbox, &done);
}
