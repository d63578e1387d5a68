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
#include "daemon/lib/log.h"
#include "daemon/store/internal.h"

/* A job that has waited this long gets a new lane; one that has waited so much longer gets another's. */
#define WAIT_FOR_LANE_NS (10 * NS_PER_MS)
#define WAIT_TO_STOP_NS (30 * NS_PER_MS)
/* A read is stopped for others only after it had this much time. */
#define STOP_AFTER_NS (100 * NS_PER_MS)
/* Surplus lanes leave when none was missing for so long. */
#define SURPLUS_NS (5 * NS_PER_S)
/* Connections kept without a lane. */
#define IDLE_DBS_MAX 4
/* Short reads a lane takes at a time: one wake-up, one read transaction, one way back for all of them. */
#define BATCH_MAX 16
/* What a batch has finished does not wait for the rest once a job has taken this long. */
#define BATCH_POST_NS (200 * NS_PER_US)
/* One pick in so many prefers background work, so that a flood of reads does not stop a migration's verification. */
#define BACKGROUND_EVERY 8

static struct job *job_of(struct list_node *n) { return (struct job *)(void *)LIST_ENTRY(n, struct mail, node); }

/* --- picking work (under the lock) --- */

static struct job *pop(struct list *queue)
{
	struct list_node *n = list_pop(queue);

	return n ? job_of(n) : NULL;
}

static int slow_lanes(const struct store *s)
{
	int spare = s->config.readers_max - s->config.readers;

	return spare > 0 ? spare : 1;
}

/* A read that is known to be one and needs nothing but a snapshot: it may share a transaction with others. */
static bool is_plain_read(const struct job *job)
{
	const struct sql_job *sql = (const struct sql_job *)(const void *)job;

	return job->class == JOB_CLIENT && !job->on && sql->kind == SQL_STATEMENT && sql->type == SQL_TYPE_READ;
}

/* The lane takes the plain reads at the head of the queue along with `first`. */
static void take_along(struct readers *r, struct reader_lane *lane, const struct job *first)
{
	if (!is_plain_read(first))
		return;
	while (lane->batch.count < BATCH_MAX - 1) {
		struct list_node *n = list_first(&r->queue);
		if (!n || !is_plain_read(job_of(n)))
			return;
		list_remove(&r->queue, n);
		list_push(&lane->batch, n);
	}
}

static struct job *pick(struct store *s, struct reader_lane *lane, unsigned turn)
{
	struct readers *r = &s->readers;
	struct job *job = NULL;

	lane->slow = false;
	if (turn % BACKGROUND_EVERY == 0)
		job = pop(&r->background);
	if (!job && (job = pop(&r->queue)) != NULL)
		take_along(r, lane, job);
	if (!job && r->slow_running < slow_lanes(s) && (job = pop(&r->slow)) != NULL) {
		lane->slow = true;
		r->slow_running++;
	}
	if (!job)
		job = pop(&r->background);
	atomic_store(&r->queued, (int)r->queue.count);
	return job;
}

/* What the lane took along and has not begun goes back to the head of the queue. */
static void give_back_batch(struct readers *r, struct reader_lane *lane)
{
	for (struct list_node *n; (n = lane->batch.count ? lane->batch.head.prev : NULL);) {
		list_remove(&lane->batch, n);
		list_push_front(&r->queue, n);
	}
	atomic_store(&r->queued, (int)r->queue.count);
}

/* --- connections --- */

static struct db *take_db(struct store *s)
{
	struct readers *r = &s->readers;
	struct db *db = NULL;
	struct error err = {0};

	pthread_mutex_lock(&r->lock);
	struct list_node *n = list_pop(&r->idle_dbs);
	pthread_mutex_unlock(&r->lock);
	if (n)
		return LIST_ENTRY(n, struct db, link);
	if (db_open(s, false, &db, NULL, &err))
		log_error("store", "cannot open a connection for reading: %s", err.message);
	error_clear(&err);
	return db;
}

static void give_db(struct store *s, struct db *db)
{
	struct readers *r = &s->readers;

	pthread_mutex_lock(&r->lock);
	bool keep = r->idle_dbs.count < IDLE_DBS_MAX && !r->closing;
	if (keep)
		list_push(&r->idle_dbs, &db->link);
	pthread_mutex_unlock(&r->lock);
	if (!keep)
		db_close(db);
}

int readers_pin(struct db *db, struct error *err)
{
	struct readers *r = &db->store->readers;
	size_t most = (size_t)db->store->config.pinned_max;

	PRE(!db->writer && !db->pinned);
	pthread_mutex_lock(&r->lock);
	bool room = r->pinned_dbs.count < most;
	if (room) {
		list_push(&r->pinned_dbs, &db->link);
		db->snapshot_ns = clock_now_ns();
	}
	pthread_mutex_unlock(&r->lock);
	if (!room)
		return error_set(err, ERRC_TOO_MANY, "%zu cursors and read transactions are open, no more at a time", most);
	db->pinned = true;
	atomic_store(&db->overdue, false);
	return 0;
}

void readers_unpin(struct db *db)
{
	struct readers *r = &db->store->readers;

	PRE(db->pinned);
	pthread_mutex_lock(&r->lock);
	list_remove(&r->pinned_dbs, &db->link);
	db->snapshot_ns = 0;
	pthread_mutex_unlock(&r->lock);
	db->pinned = false;
	/* The lane running this very connection keeps it as its own: see run_job(). */
	if (!db->job)
		give_db(db->store, db);
}

uint64_t readers_oldest(struct store *s, bool mark_overdue)
{
	struct readers *r = &s->readers;
	struct db *oldest = NULL;
	uint64_t since = 0;

	pthread_mutex_lock(&r->lock);
	for (struct list_node *n = list_first(&r->pinned_dbs); n; n = list_next(&r->pinned_dbs, n)) {
		struct db *db = LIST_ENTRY(n, struct db, link);
		if (!oldest || db->snapshot_ns < oldest->snapshot_ns)
			oldest = db;
	}
	if (oldest) {
		since = oldest->snapshot_ns;
		if (mark_overdue)
			atomic_store(&oldest->overdue, true);
	}
	pthread_mutex_unlock(&r->lock);
	return since;
}

/* --- a lane --- */

static void note_speed(struct store *s, struct job *job)
{
	if (job->class != JOB_CLIENT)
		return;
	atomic_fetch_add_explicit(&s->queries, 1, memory_order_relaxed);
	histogram_add(&s->query, job->ended_ns - job->started_ns);
}

/* Runs the job; true if it is done, false if it went to another lane. */
static bool run_job(struct store *s, struct reader_lane *lane, struct job *job, struct db *db)
{
	db->job = job;
	db->lane = lane;
	db->moved = false;
	job->run(job, db);
	db->job = NULL;
	if (!db->moved) {
		job->ended_ns = clock_now_ns();
		note_speed(s, job);
	}
	/* Whose connection is it now: a cursor's or transaction's, this lane's, or nobody's? */
	if (db->pinned) {
		if (db == lane->db)
			lane->db = NULL;
	} else if (db != lane->db) {
		give_db(s, db);
	}
	return !db->moved;
}

static void no_connection(struct job *job)
{
	/* The one error a job gets without having run. */
	job_stop(job, STOP_SHUTDOWN);
}

/* False: the lane is not needed any more. */
static bool wait_for_work(struct store *s)
{
	struct readers *r = &s->readers;
	uint64_t now = clock_now_ns(), at = now + SURPLUS_NS;
	struct timespec until = {.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)};

	if (r->closing || ((int)r->lanes.count > s->config.readers && now - r->crowded_ns > SURPLUS_NS))
		return false;
	r->waiting++;
	pthread_cond_timedwait(&r->work, &r->lock, &until);
	r->waiting--;
	return true;
}

/* The reads of a batch see one snapshot: all of them were asked for before it began. */
static bool open_batch(struct reader_lane *lane, const struct job *job, struct db *db)
{
	struct error err = {0};

	if (list_empty(&lane->batch) || !is_plain_read(job))
		return false;
	int rc = db_begin(db, &err);
	error_clear(&err);
	return rc == 0;
}

static void close_batch(struct db *db)
{
	struct error err = {0};

	/* A cursor that a read has left open keeps the snapshot to itself. */
	db_run(db, "COMMIT", &err);
	error_clear(&err);
}

/* Runs the job and what was taken along. Called and left with the lock held. */
static void serve(struct store *s, struct reader_lane *lane, struct job *job)
{
	struct readers *r = &s->readers;
	struct db *open = NULL; /* the connection with the batch's transaction */
	struct list done;

	list_init(&done);
	for (; job; job = pop(&lane->batch)) {
		struct db *db = job->on ? job->on : lane->db;
		job->started_ns = clock_now_ns();
		lane->job = job;
		lane->running = db;
		bool batch = !list_empty(&lane->batch);
		pthread_mutex_unlock(&r->lock);
		if (!db && (db = lane->db = take_db(s)) != NULL) {
			pthread_mutex_lock(&r->lock);
			lane->running = db;
			pthread_mutex_unlock(&r->lock);
		}
		if (!db)
			no_connection(job);
		if (db && batch && !open && open_batch(lane, job, db))
			open = db;
		if (!db || run_job(s, lane, job, db))
			list_push(&done, &job->mail.node);
		if (open && lane->db != open) {
			close_batch(open);
			open = NULL;
		}
		if (!list_empty(&done) && clock_now_ns() - job->started_ns > BATCH_POST_NS)
			mailbox_post_list(s->mailbox, &done);
		pthread_mutex_lock(&r->lock);
		lane->job = NULL;
		lane->running = NULL;
		r->slow_running -= lane->slow;
		lane->slow = false;
	}
	pthread_mutex_unlock(&r->lock);
	if (open)
		close_batch(open);
	mailbox_post_list(s->mailbox, &done);
	pthread_mutex_lock(&r->lock);
}

static void *lane_main(void *arg)
{
	struct reader_lane *lane = arg;
	struct store *s = lane->store;
	struct readers *r = &s->readers;
	unsigned turn = 0;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		struct job *job = pick(s, lane, ++turn);
		if (job)
			serve(s, lane, job);
		else if (!wait_for_work(s))
			break;
	}
	lane->ended = true;
	pthread_mutex_unlock(&r->lock);
	if (lane->db)
		db_close(lane->db);
	return NULL;
}

/* --- from outside --- */

static int start_lane(struct store *s, struct error *err)
{
	struct readers *r = &s->readers;
	struct reader_lane *lane = xcalloc(1, sizeof *lane);

	lane->store = s;
	list_init(&lane->batch);
	pthread_mutex_lock(&r->lock);
	list_push(&r->lanes, &lane->node);
	int rc = pthread_create(&lane->thread, NULL, lane_main, lane);
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
	struct list *lists[] = {&r->queue, &r->slow, &r->background, &r->lanes, &r->idle_dbs, &r->pinned_dbs};
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		list_init(lists[i]);
	for (int i = 0; i < s->config.readers; i++)
		if (start_lane(s, err))
			return -1;
	return 0;
}

/* Joins lanes that have ended; all of them when closing. */
static void reap(struct store *s, bool all)
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
	reap(s, true);
	for (struct list_node *n; (n = list_pop(&r->idle_dbs));)
		db_close(LIST_ENTRY(n, struct db, link));
	pthread_cond_destroy(&r->work);
	pthread_mutex_destroy(&r->lock);
}

/* Under the lock: a sleeping lane is woken if those awake will not get to the work soon by themselves. */
static void wake(struct readers *r, bool at_once)
{
	size_t busy = r->lanes.count - (size_t)r->waiting;

	if (r->waiting > 0 && (busy == 0 || at_once || r->queue.count > BATCH_MAX * busy))
		pthread_cond_signal(&r->work);
	atomic_store(&r->queued, (int)r->queue.count);
}

void readers_push(struct store *s, struct job *job, bool slow)
{
	struct readers *r = &s->readers;

	pthread_mutex_lock(&r->lock);
	list_push(job->class == JOB_BACKGROUND ? &r->background : slow ? &r->slow : &r->queue, &job->mail.node);
	wake(r, slow || job->class == JOB_BACKGROUND);
	pthread_mutex_unlock(&r->lock);
}

void readers_push_list(struct store *s, struct list *jobs)
{
	struct readers *r = &s->readers;

	if (list_empty(jobs))
		return;
	pthread_mutex_lock(&r->lock);
	list_splice(&r->queue, jobs);
	wake(r, false);
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

	if (running_ns < NS_PER_MS / 3)
		return;
	/* Only this thread adds to its batch, so a look without the lock is enough to know that there is nothing to do. */
	bool batch = lane && !list_empty(&lane->batch);
	if (!batch && atomic_load_explicit(&r->queued, memory_order_relaxed) == 0)
		return;
	pthread_mutex_lock(&r->lock);
	if (batch)
		give_back_batch(r, lane);
	wake(r, true);
	pthread_mutex_unlock(&r->lock);
}

/* --- the loop's look after them --- */

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
static void stop_longest(struct readers *r, size_t n, uint64_t now)
{
	for (; n > 0; n--) {
		struct reader_lane *longest = NULL;
		for (struct list_node *at = list_first(&r->lanes); at; at = list_next(&r->lanes, at)) {
			struct reader_lane *lane = LIST_ENTRY(at, struct reader_lane, node);
			struct job *job = lane->job;
			if (!job || job->class != JOB_CLIENT || atomic_load(&job->stop) != STOP_NONE ||
			    !lane->running || now - job->started_ns < STOP_AFTER_NS)
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
static void take_back_batches(struct readers *r, uint64_t now)
{
	for (struct list_node *n = list_first(&r->lanes); n; n = list_next(&r->lanes, n)) {
		struct reader_lane *lane = LIST_ENTRY(n, struct reader_lane, node);
		if (lane->job && now - lane->job->started_ns > WAIT_FOR_LANE_NS)
			give_back_batch(r, lane);
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
	struct list overdue;
	struct error err = {0};
	int start = 0;

	list_init(&overdue);
	reap(s, false);
	pthread_mutex_lock(&r->lock);
	take_back_batches(r, now);
	collect_overdue(&r->queue, now, &overdue);
	collect_overdue(&r->slow, now, &overdue);
	interrupt_overdue(r, now);
	struct list_node *oldest = list_first(&r->queue);
	struct list_node *slow = r->slow_running < slow_lanes(s) ? list_first(&r->slow) : NULL;
	if (!oldest)
		oldest = slow ? slow : list_first(&r->background);
	uint64_t waited = oldest ? now - job_of(oldest)->submitted_ns : 0;
	if (oldest && r->waiting > 0) {
		pthread_cond_broadcast(&r->work);
	} else if (oldest && waited >= WAIT_FOR_LANE_NS && nimble_lanes(r, now) == 0) {
		r->crowded_ns = now;
		size_t work = r->queue.count + (slow ? 1 : 0) + r->background.count;
		size_t room = (size_t)s->config.readers_max > r->lanes.count ? (size_t)s->config.readers_max - r->lanes.count : 0;
		start = (int)(work < room ? work : room);
		if (room == 0 && !list_empty(&r->queue) && waited >= WAIT_TO_STOP_NS)
			stop_longest(r, r->queue.count, now);
	}
	atomic_store(&r->queued, (int)r->queue.count);
	pthread_mutex_unlock(&r->lock);
	while (start-- > 0 && start_lane(s, &err) == 0)
		;
	error_clear(&err);
	for (struct list_node *n; (n = list_pop(&overdue));) {
		struct sql_job *job = (struct sql_job *)(void *)job_of(n);
		sql_wait_error(job, now);
		store_finish(s, &job->job);
	}
}
