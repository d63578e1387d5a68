/*
 * The writer lane: one thread, the only read-write connection, every write of the program.
 *
 * Turns: while a session holds the writer (an interactive transaction) only its jobs run, and the lane itself watches
 * the clock for it. Otherwise client writes go first, as many as wait together in one transaction (group.c), with a
 * share of the time that background work is sure of: after d ns of background work the next piece may be put off by at
 * most d * (100 - share) / share.
 */
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/store/heap.h"
#include "daemon/store/internal.h"

/* --- under the lock --- */

static void note_waiting(struct writer *w)
{
	struct list_node *first = list_first(&w->queue);

	atomic_store(&w->client_waits, first != NULL);
	if (first)
		atomic_store(&w->client_since_ns, job_of(first)->submitted_ns);
}

/* Jobs that need the writer to themselves: they are not part of a group. */
static bool is_alone(const struct sql_job *job)
{
	return job->kind == SQL_BEGIN || job->kind == SQL_ROLLBACK || job->kind == SQL_END ||
	       (job->kind == SQL_STATEMENT && job->type >= SQL_TYPE_TX_BEGIN);
}

/*
 * How many of `waiting` writes go together. Enough to pay for the commit; but where a commit is cheap not all of them,
 * or everybody would wait for everybody: with half of them at work the clients of the other half send their next.
 */
static size_t group_size(const struct store *s, size_t waiting)
{
	const struct writer *w = &s->writer;
	size_t most = (size_t)store_get_config(s)->group_max;
	size_t pays = w->job_ns ? (size_t)(w->commit_ns / w->job_ns) + 1 : most;
	size_t n = pays > (waiting + 1) / 2 ? pays : (waiting + 1) / 2;

	return n < most ? n : most;
}

static void take_group(struct store *s, struct list *group)
{
	struct writer *w = &s->writer;
	size_t n_max = group_size(s, w->queue.count);

	while (group->count < n_max) {
		struct list_node *n = list_first(&w->queue);
		if (!n || (is_alone(sql_job_of(n)) && !list_empty(group)))
			break;
		list_remove(&w->queue, n);
		list_push(group, n);
		if (is_alone(sql_job_of(n)))
			break;
	}
	note_waiting(w);
}

/* Sleeps until there is work or `until_ns`. */
static void wait_until(struct writer *w, uint64_t until_ns)
{
	if (until_ns == CLOCK_NEVER) {
		pthread_cond_wait(&w->work, &w->lock);
		return;
	}
	struct timespec at = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
	pthread_cond_timedwait(&w->work, &w->lock, &at);
}

/* --- turns; called and left with the lock held --- */

static void run_background(struct store *s)
{
	struct writer *w = &s->writer;
	struct job *job = job_of(list_pop(&w->background));
	int64_t share = job->share_percent ? job->share_percent : store_get_config(s)->background_percent;

	job->started_ns = clock_now_ns();
	job->sure_ns = (job->started_ns - job->submitted_ns) * (uint64_t)share / (uint64_t)(100 - share);
	w->job = job;
	w->db->job = job;
	pthread_mutex_unlock(&w->lock);
	job->run(job, w->db);
	if (db_in_transaction(w->db)) {
		log_error("store", "a background job left its transaction open; rolled back");
		db_rollback(w->db);
	}
	job->ended_ns = clock_now_ns();
	pthread_mutex_lock(&w->lock);
	w->job = NULL;
	w->db->job = NULL;
	uint64_t held = job->ended_ns - job->started_ns;
	histogram_add(&s->hold, held);
	w->background_due_ns = job->ended_ns + held * (uint64_t)(100 - share) / (uint64_t)share;
	pthread_mutex_unlock(&w->lock);
	store_finish(s, job);
	pthread_mutex_lock(&w->lock);
}

static void run_clients(struct store *s)
{
	struct writer *w = &s->writer;
	struct list group;
	uint64_t since = clock_now_ns();

	list_init(&group);
	take_group(s, &group);
	pthread_mutex_unlock(&w->lock);
	struct sql_job *first = sql_job_of(list_first(&group));
	if (is_alone(first)) {
		list_pop(&group);
		if (first->kind == SQL_ROLLBACK || first->kind == SQL_END || first->type == SQL_TYPE_TX_ROLLBACK)
			tx_clean_up(s, w->db, first);
		else
			tx_begin_write(s, w->db, first);
	} else {
		group_run(s, w->db, &group);
	}
	store_settle(since);
	pthread_mutex_lock(&w->lock);
}

static void run_held(struct store *s)
{
	struct writer *w = &s->writer;
	struct sql_job *job = sql_job_of(list_pop(&w->held));
	uint64_t since = clock_now_ns();

	pthread_mutex_unlock(&w->lock);
	tx_run_held(s, w->db, job);
	store_settle(since);
	pthread_mutex_lock(&w->lock);
}

/* The holder's turn: its next statement, or its time is up. */
static void serve_holder(struct store *s)
{
	struct writer *w = &s->writer;
	uint64_t until = w->holder.total_ns < w->holder.idle_ns ? w->holder.total_ns : w->holder.idle_ns;

	if (!list_empty(&w->held)) {
		run_held(s);
	} else if (w->closing || clock_now_ns() >= until) {
		pthread_mutex_unlock(&w->lock);
		tx_expire_holder(s, w->db);
		pthread_mutex_lock(&w->lock);
	} else {
		wait_until(w, until);
	}
}

static void *writer_main(void *arg)
{
	struct store *s = arg;
	struct writer *w = &s->writer;

	s->pulse.syncs = &s->sync;
	pulse_mine = &s->pulse;
	pthread_mutex_lock(&w->lock);
	for (;;) {
		pulse_beat();
		heap_begin();
		if (w->holder.session_id) {
			serve_holder(s);
			continue;
		}
		/* A job of a holder whose transaction has just expired is answered here. */
		if (!list_empty(&w->held)) {
			run_held(s);
			continue;
		}
		/* Between any two transactions, whoever's they are. */
		changes_switch(s);
		if (checkpointer_wants_writer(s)) {
			pthread_mutex_unlock(&w->lock);
			checkpointer_writer_turn(s, w->db);
			pthread_mutex_lock(&w->lock);
		}
		bool clients = !list_empty(&w->queue);
		if (!list_empty(&w->background) && (!clients || clock_now_ns() >= w->background_due_ns))
			run_background(s);
		else if (clients)
			run_clients(s);
		else if (w->closing)
			break;
		else
			wait_until(w, CLOCK_NEVER);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* --- from outside --- */

int writer_start(struct store *s, struct error *err)
{
	struct writer *w = &s->writer;
	pthread_condattr_t attr;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->work, &attr);
	pthread_condattr_destroy(&attr);
	list_init(&w->queue);
	list_init(&w->held);
	list_init(&w->background);
	int rc = pthread_create(&w->thread, NULL, writer_main, s);
	if (rc)
		return error_set(err, ERRC_INTERNAL, "cannot start the writer lane: %s", strerror(rc));
	(void)pthread_setname_np(w->thread, "alterd-writer"); /* as ps and top show it */
	return 0;
}

void writer_stop(struct store *s)
{
	struct writer *w = &s->writer;

	pthread_mutex_lock(&w->lock);
	w->closing = true;
	if (w->job)
		job_stop(w->job, STOP_SHUTDOWN);
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
}

void writer_free(struct store *s)
{
	pthread_cond_destroy(&s->writer.work);
	pthread_mutex_destroy(&s->writer.lock);
}

void writer_wake(struct store *s)
{
	struct writer *w = &s->writer;

	pthread_mutex_lock(&w->lock);
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

/*
 * Under the lock. Whoever gives a job up looks for it in the queues: one that was on its way here, from the lane that
 * has prepared it, was in none of them, and must not wait for a turn now.
 */
static bool may_queue(const struct store *s, const struct sql_job *job)
{
	if (job->kind == SQL_END || job->kind == SQL_ROLLBACK)
		return true;
	return atomic_load(&job->job.stop) == STOP_NONE && (int)s->writer.queue.count < store_get_config(s)->queue_max;
}

void writer_push_list(struct store *s, struct list *jobs)
{
	struct writer *w = &s->writer;
	struct list refused;

	list_init(&refused);
	if (list_empty(jobs))
		return;
	pthread_mutex_lock(&w->lock);
	for (struct list_node *n; (n = list_pop(jobs));)
		list_push(may_queue(s, sql_job_of(n)) ? &w->queue : &refused, n);
	note_waiting(w);
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (struct list_node *n; (n = list_pop(&refused));) {
		struct sql_job *job = sql_job_of(n);
		if (atomic_load(&job->job.stop) == STOP_NONE) {
			atomic_fetch_add(&s->busy, 1);
			error_set(&job->err, ERRC_BUSY, "%d writes are waiting, no more at a time",
				  store_get_config(s)->queue_max);
		}
		sql_finish(job);
	}
}

void writer_push(struct store *s, struct sql_job *job)
{
	struct list one;

	list_init(&one);
	list_push(&one, &job->job.mail.node);
	writer_push_list(s, &one);
}

void writer_push_held(struct store *s, struct sql_job *job)
{
	struct writer *w = &s->writer;

	pthread_mutex_lock(&w->lock);
	list_push(&w->held, &job->job.mail.node);
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

void writer_push_background(struct store *s, struct job *job)
{
	struct writer *w = &s->writer;

	pthread_mutex_lock(&w->lock);
	list_push(&w->background, &job->mail.node);
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

bool writer_take_back(struct store *s, struct job *job)
{
	struct writer *w = &s->writer;
	struct list *queues[] = {&w->queue, &w->held, &w->background};
	bool found = false;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < 3 && !found; i++)
		for (struct list_node *n = list_first(queues[i]); n; n = list_next(queues[i], n))
			if (n == &job->mail.node) {
				list_remove(queues[i], n);
				found = true;
				break;
			}
	note_waiting(w);
	pthread_mutex_unlock(&w->lock);
	return found;
}

void writer_interrupt(struct store *s, struct job *job)
{
	struct writer *w = &s->writer;

	pthread_mutex_lock(&w->lock);
	if (w->job == job)
		sqlite3_interrupt(w->db->handle);
	pthread_mutex_unlock(&w->lock);
}

void writer_no_idle(struct store *s, uint64_t serial)
{
	struct writer *w = &s->writer;

	pthread_mutex_lock(&w->lock);
	if (w->holder.serial == serial)
		w->holder.idle_ns = CLOCK_NEVER;
	pthread_mutex_unlock(&w->lock);
}

struct holder writer_get_holder(struct store *s)
{
	struct writer *w = &s->writer;

	pthread_mutex_lock(&w->lock);
	struct holder holder = w->holder;
	pthread_mutex_unlock(&w->lock);
	return holder;
}

void writer_set_holder(struct store *s, struct holder holder)
{
	struct writer *w = &s->writer;

	pthread_mutex_lock(&w->lock);
	w->holder = holder;
	pthread_mutex_unlock(&w->lock);
}

bool writer_begin_job(struct store *s, struct sql_job *job, uint64_t deadline_cap_ns)
{
	struct writer *w = &s->writer;
	uint64_t now = clock_now_ns();
	uint64_t deadline = now + (uint64_t)store_role_limits(s, job->session->role).write_ms * NS_PER_MS;

	if (job->give_up_ns < deadline)
		deadline = job->give_up_ns;
	if (deadline_cap_ns < deadline)
		deadline = deadline_cap_ns;
	pthread_mutex_lock(&w->lock);
	job->job.started_ns = now;
	job->job.deadline_ns = deadline;
	w->job = &job->job;
	w->db->job = &job->job;
	pthread_mutex_unlock(&w->lock);
	heap_begin();
	histogram_add(&s->wait, now - job->job.submitted_ns);
	enum stop_reason why = (enum stop_reason)atomic_load(&job->job.stop);
	if (why == STOP_NONE)
		return true;
	error_stopped(&job->err, why);
	return false;
}

void writer_end_job(struct store *s, struct sql_job *job)
{
	struct writer *w = &s->writer;

	pthread_mutex_lock(&w->lock);
	w->job = NULL;
	w->db->job = NULL;
	pthread_mutex_unlock(&w->lock);
	job->job.ended_ns = clock_now_ns();
	histogram_add(&s->write, job->job.ended_ns - job->job.started_ns);
}

/*
 * Under the lock: how much longer a job may wait than it asked for. Where another client is in the way, no longer.
 * Where nobody is, the lane only has not come round yet - a checkpoint, a piece of background work, a thread that has
 * had no time on a processor - and to say BUSY would be to blame somebody who is not there.
 */
static uint64_t grace(const struct writer *w)
{
	bool client = w->holder.session_id || (w->job && !w->job->run);

	return client ? 0 : NS_PER_S;
}

void writer_tick(struct store *s, uint64_t now)
{
	struct writer *w = &s->writer;
	struct list overdue;

	list_init(&overdue);
	pthread_mutex_lock(&w->lock);
	uint64_t late = grace(w);
	for (struct list_node *n = list_first(&w->queue), *next; n; n = next) {
		struct sql_job *job = sql_job_of(n);
		next = list_next(&w->queue, n);
		if (now >= late && now - late >= job->wait_until_ns) {
			list_remove(&w->queue, n);
			list_push(&overdue, n);
		}
	}
	note_waiting(w);
	/* Past its deadline where the progress handler does not reach. */
	if (w->job && now >= w->job->deadline_ns && now - w->job->deadline_ns < NS_PER_S * 3600) {
		job_stop(w->job, STOP_TIMEOUT);
		sqlite3_interrupt(w->db->handle);
	}
	pthread_mutex_unlock(&w->lock);
	for (struct list_node *n; (n = list_pop(&overdue));) {
		struct sql_job *job = sql_job_of(n);
		sql_wait_error(job, now);
		store_finish(s, &job->job);
	}
}
