/*
 * What a reader lane's thread does: takes work by its class, runs it on a connection, sends it back.
 *
 * Short reads are taken along in batches that share one read transaction. A batch is no promise: as soon as one of its
 * jobs turns out long, the rest goes back to the queue for other lanes, and what is finished is sent back
 * (readers_notice_long; reader_tick.c where the progress handler is not called).
 */
#include <sched.h>

#include "daemon/lib/check.h"
#include "daemon/store/heap.h"
#include "daemon/store/readers.h"

/* One pick in so many prefers background work, so that a flood of reads does not stop a migration's verification. */
#define BACKGROUND_EVERY 8

/* --- picking work (under the lock) --- */

static struct job *pop(struct list *queue)
{
	struct list_node *n = list_pop(queue);

	return n ? job_of(n) : NULL;
}

int readers_slow_lanes(const struct store *s)
{
	int spare = store_get_config(s)->readers_max - store_get_config(s)->readers;

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
		atomic_store_explicit(&lane->taken, 1, memory_order_relaxed);
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
	if (!job && r->slow_running < readers_slow_lanes(s) && (job = pop(&r->slow)) != NULL) {
		lane->slow = true;
		r->slow_running++;
	}
	if (!job)
		job = pop(&r->background);
	atomic_store(&r->queued, (int)r->queue.count);
	return job;
}

/* What the lane took along and has not begun goes back to the head of the queue. */
void readers_give_back(struct readers *r, struct reader_lane *lane)
{
	for (struct list_node *n; (n = lane->batch.count ? lane->batch.head.prev : NULL);) {
		list_remove(&lane->batch, n);
		list_push_front(&r->queue, n);
	}
	atomic_store_explicit(&lane->taken, 0, memory_order_relaxed);
	atomic_store(&r->queued, (int)r->queue.count);
}

/* --- a lane --- */

void readers_note_speed(struct store *s, struct job *job)
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
	db->looks = 0;
	job->run(job, db);
	readers_end_turn(lane);
	db->job = NULL;
	bool moved = db->moved; /* the connection may be closed below */
	if (!moved) {
		job->ended_ns = clock_now_ns();
		readers_note_speed(s, job);
	}
	/* Whose connection is it now: a cursor's or transaction's, this lane's, or nobody's? */
	if (db->pinned) {
		if (db == lane->db)
			lane->db = NULL;
	} else if (db != lane->db) {
		readers_give_db(s, db);
	}
	return !moved;
}

static void no_connection(struct job *job)
{
	/* The one error a job gets without having run. */
	job_stop(job, STOP_SHUTDOWN);
}

/* Looks out for a while. Called and left with the lock held; what has come in between, pick() will find. */
static void linger(struct readers *r)
{
	uint64_t until = clock_now_ns() + LANE_LINGER_NS;

	r->lingering++;
	r->waiting++;
	pthread_mutex_unlock(&r->lock);
	while (atomic_load_explicit(&r->queued, memory_order_relaxed) == 0 && clock_now_ns() < until)
		sched_yield();
	pthread_mutex_lock(&r->lock);
	r->waiting--;
	r->lingering--;
}

/* False: the lane is not needed any more. */
static bool wait_for_work(struct store *s, bool brisk)
{
	struct readers *r = &s->readers;
	uint64_t now = clock_now_ns(), at = now + SURPLUS_NS;
	struct timespec until = {.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)};

	if (r->closing || ((int)r->lanes.count > store_get_config(s)->readers && now - r->crowded_ns > SURPLUS_NS))
		return false;
	if (brisk && r->lingering == 0) {
		linger(r);
		return true;
	}
	r->waiting++;
	pthread_cond_timedwait(&r->work, &r->lock, &until);
	r->waiting--;
	return true;
}

/* The reads of a batch see one snapshot: all of them were asked for before it began. */
static bool open_batch(const struct job *job, struct db *db)
{
	struct error err = {0};

	if (!is_plain_read(job))
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

/* Runs one job; called and left with the lock held. `open`: the connection with the batch's transaction, or NULL. */
static struct db *serve_one(struct store *s, struct reader_lane *lane, struct job *job, struct db *open)
{
	struct readers *r = &s->readers;
	struct db *db = job->on ? job->on : lane->db;
	bool batch = !list_empty(&lane->batch);

	job->started_ns = clock_now_ns();
	lane->job = job;
	lane->running = db;
	pthread_mutex_unlock(&r->lock);
	heap_begin();
	if (!db && (db = lane->db = readers_take_db(s)) != NULL) {
		pthread_mutex_lock(&r->lock);
		lane->running = db;
		pthread_mutex_unlock(&r->lock);
	}
	if (!db)
		no_connection(job);
	if (db && batch && !open && open_batch(job, db))
		open = db;
	bool done = !db || run_job(s, lane, job, db);
	if (open && lane->db != open) {
		close_batch(open);
		open = NULL;
	}
	pthread_mutex_lock(&r->lock);
	lane->job = NULL;
	lane->running = NULL;
	r->slow_running -= lane->slow;
	lane->slow = false;
	if (done)
		list_push(&lane->done, &job->mail.node);
	return open;
}

/* Runs the job and what was taken along. Called and left with the lock held. */
static void serve(struct store *s, struct reader_lane *lane, struct job *job)
{
	struct readers *r = &s->readers;
	struct db *open = NULL;
	struct list done;
	uint64_t since = clock_now_ns();

	for (; job; job = pop(&lane->batch))
		open = serve_one(s, lane, job, open);
	list_init(&done);
	list_splice(&done, &lane->done);
	pthread_mutex_unlock(&r->lock);
	if (open)
		close_batch(open);
	mailbox_post_list(s->mailbox, &done);
	store_settle(since);
	pthread_mutex_lock(&r->lock);
}

void *reader_lane_main(void *arg)
{
	struct reader_lane *lane = arg;
	struct store *s = lane->store;
	struct readers *r = &s->readers;
	unsigned turn = 0;
	bool brisk = false; /* it has just had work */

	pthread_mutex_lock(&r->lock);
	for (;;) {
		struct job *job = pick(s, lane, ++turn);
		if (job)
			serve(s, lane, job);
		else if (!wait_for_work(s, brisk))
			break;
		brisk = job != NULL;
	}
	lane->ended = true;
	pthread_mutex_unlock(&r->lock);
	if (lane->db)
		db_close(lane->db);
	return NULL;
}
