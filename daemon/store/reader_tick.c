/*
 * The loop's regular look after the reader lanes: reads that are overdue, lanes that are missing, and, when no more can
 * be started, long reads that must give way to others.
 */
#include "daemon/store/readers.h"

/* A job that has waited this long when no lane can be added makes a long read give way. */
#define WAIT_TO_STOP_NS (20 * NS_PER_MS)
/* A read is stopped for others only after it had this much time; for others that are slow themselves, this much. */
#define STOP_AFTER_NS (40 * NS_PER_MS)
#define STOP_FOR_SLOW_NS NS_PER_S

/* Under the lock: client jobs that waited past their deadline leave the queue. */
static void collect_overdue(struct list *queue, uint64_t now, struct list *overdue)
{
	for (struct list_node *n = list_first(queue), *next; n; n = next) {
		struct job *job = job_of(n);
		next = list_next(queue, n);
		if (now >= job->deadline_ns) {
			list_remove(queue, n);
			list_push(overdue, n);
		}
	}
}

/* Under the lock: stops up to n of the longest running client reads. */
static void stop_longest(struct readers *r, size_t n, uint64_t least_ns, uint64_t now)
{
	for (; n > 0; n--) {
		struct reader_lane *longest = NULL;
		for (struct list_node *at = list_first(&r->lanes); at; at = list_next(&r->lanes, at)) {
			struct reader_lane *lane = LIST_ENTRY(at, struct reader_lane, node);
			struct job *job = lane->job;
			if (!job || job->class != JOB_CLIENT || atomic_load(&job->stop) != STOP_NONE ||
			    !lane->running || now - job->started_ns < least_ns)
				continue;
			if (!longest || job->started_ns < longest->job->started_ns)
				longest = lane;
		}
		if (!longest)
			return;
		job_stop(longest->job, STOP_LONG);
		sqlite3_interrupt(longest->running->handle);
	}
}

/* Under the lock: lanes that may turn to other work soon. */
static size_t nimble_lanes(const struct readers *r, uint64_t now)
{
	size_t n = 0;

	for (struct list_node *at = list_first(&r->lanes); at; at = list_next(&r->lanes, at)) {
		const struct reader_lane *lane = LIST_ENTRY(at, struct reader_lane, node);
		n += !lane->ended && (!lane->job || now - lane->job->started_ns < WAIT_FOR_LANE_NS);
	}
	return n;
}

/* Under the lock: no lane sits on work while it is at a long job the progress handler does not reach. */
static void take_back_batches(struct readers *r, uint64_t now, struct list *done)
{
	for (struct list_node *n = list_first(&r->lanes); n; n = list_next(&r->lanes, n)) {
		struct reader_lane *lane = LIST_ENTRY(n, struct reader_lane, node);
		if (!lane->job || now - lane->job->started_ns <= WAIT_FOR_LANE_NS)
			continue;
		readers_give_back(r, lane);
		list_splice(done, &lane->done);
	}
}

/* Under the lock: reads past their deadline in places the progress handler does not reach (a big sort). */
static void interrupt_overdue(struct readers *r, uint64_t now)
{
	for (struct list_node *n = list_first(&r->lanes); n; n = list_next(&r->lanes, n)) {
		struct reader_lane *lane = LIST_ENTRY(n, struct reader_lane, node);
		if (!lane->job || !lane->running)
			continue;
		if (now >= lane->job->deadline_ns)
			job_stop(lane->job, STOP_TIMEOUT);
		if (atomic_load(&lane->job->stop) != STOP_NONE)
			sqlite3_interrupt(lane->running->handle);
	}
}

void readers_tick(struct store *s, uint64_t now)
{
	struct readers *r = &s->readers;
	struct list overdue, done;
	struct error err = {0};
	int start = 0;

	list_init(&overdue);
	list_init(&done);
	readers_reap(s, false);
	pthread_mutex_lock(&r->lock);
	take_back_batches(r, now, &done);
	collect_overdue(&r->queue, now, &overdue);
	collect_overdue(&r->slow, now, &overdue);
	interrupt_overdue(r, now);
	struct list_node *oldest = list_first(&r->queue);
	struct list_node *slow = r->slow_running < readers_slow_lanes(s) ? list_first(&r->slow) : NULL;
	if (!oldest)
		oldest = slow ? slow : list_first(&r->background);
	uint64_t waited = oldest ? now - job_of(oldest)->submitted_ns : 0;
	if (oldest && r->waiting > 0) {
		pthread_cond_broadcast(&r->work);
	} else if (oldest && waited >= WAIT_FOR_LANE_NS && nimble_lanes(r, now) == 0) {
		r->crowded_ns = now;
		size_t work = r->queue.count + (slow ? 1 : 0) + r->background.count;
		size_t room = (size_t)store_get_config(s)->readers_max > r->lanes.count
				      ? (size_t)store_get_config(s)->readers_max - r->lanes.count
				      : 0;
		start = (int)(work < room ? work : room);
		if (room == 0 && !list_empty(&r->queue) && waited >= WAIT_TO_STOP_NS)
			stop_longest(r, r->queue.count, STOP_AFTER_NS, now);
	}
	struct list_node *left = list_first(&r->slow);
	if (left && now - job_of(left)->submitted_ns > STOP_FOR_SLOW_NS)
		stop_longest(r, 1, STOP_FOR_SLOW_NS, now);
	bool given_up = r->queue.count + r->slow.count > 0;
	atomic_store(&r->queued, (int)r->queue.count);
	pthread_mutex_unlock(&r->lock);
	mailbox_post_list(s->mailbox, &done);
	if (given_up)
		readers_wake_line(&r->turns);
	while (start-- > 0 && readers_start_lane(s, &err) == 0)
		;
	error_clear(&err);
	for (struct list_node *n; (n = list_pop(&overdue));) {
		struct sql_job *job = (struct sql_job *)(void *)job_of(n);
		sql_wait_error(job, now);
		store_finish(s, &job->job);
	}
}
