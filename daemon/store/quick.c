/*
 * Quick reads: what is known to be short, the loop does itself.
 *
 * A read by key takes SQLite some microseconds; handing it to a lane and getting it back takes two wake-ups, which cost
 * several times that. So a text whose reads have been short time and again, and which holds nothing that can take long
 * in one step, runs on a connection of the loop's own. The loop must not wait, so this connection never does:
 *
 * - it is opened, and after a change of the schema replaced by one that has read the new one, on a lane;
 * - a read that turns out longer than expected is stopped (quick_over), one that meets an error or a lock is dropped:
 *   both run again on a lane as if nothing had been, and the text has to earn its place anew;
 * - one round has an end in number and time; what is left goes to the lanes.
 *
 * Reads of one round share a snapshot: all of them were asked for before it began.
 */
#include "daemon/lib/check.h"
#include "daemon/store/class_cache.h"
#include "daemon/store/heap.h"
#include "daemon/store/readers.h"

/* Of one round of the loop. */
#define ROUND_READS 64
#define ROUND_NS NS_PER_MS
/* Rounds in a row before the loop looks at its sockets again. */
#define ROUNDS_MAX 4
/* A read is stopped when it has run this long. */
#define OVER_NS (500 * NS_PER_US)
/* Values bound: so many, of so many bytes each. */
#define BINDS_MAX 16
#define BIND_BYTES_MAX 1024
/* A value or row longer than this is read on a lane. */
#define VALUE_BYTES_MAX (64 << 10)

/* --- its connection --- */

static void adopt(struct store *s, struct db *db)
{
	s->quick.db = db;
	db->quick = true;
	sqlite3_busy_timeout(db->handle, 0);
	sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
}

/* It is an ordinary reader's from here on. */
static void release(struct store *s)
{
	struct db *db = s->quick.db;

	s->quick.db = NULL;
	db->quick = false;
	sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
	sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, (int)store_get_config(s)->value_bytes);
}

static void on_opened(struct mail *mail)
{
	struct quick *q = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct quick, open);
	struct store *s = CONTAINER_OF(q, struct store, quick);
	struct db *db = q->opened;

	q->opened = NULL;
	q->opening = false;
	if (db && s->closing)
		db_close(db);
	else if (db)
		adopt(s, db);
}

/* On a lane: a connection that knows the schema. */
static void open_on_lane(struct job *job, struct db *lane_db)
{
	struct quick *q = CONTAINER_OF(job, struct quick, open);
	struct db *db = readers_take_db(lane_db->store);
	struct error err = {0};

	if (db && db_run(db, "SELECT 1 FROM main.sqlite_schema LIMIT 1", &err)) {
		db_close(db);
		db = NULL;
	}
	error_clear(&err);
	q->opened = db;
}

/* True if there is a connection that knows the present schema; else one is sent for. */
static bool ready(struct store *s)
{
	struct quick *q = &s->quick;
	uint64_t changes = atomic_load(&s->schema_changes);

	if (q->db && q->schema_changes == changes)
		return true;
	if (q->opening || s->closing)
		return false;
	if (q->db) {
		struct db *old = q->db;
		release(s);
		readers_give_db(s, old);
	}
	q->opening = true;
	q->schema_changes = changes;
	q->open = (struct job){.mail.deliver = on_opened, .run = open_on_lane};
	store_submit_reader(s, &q->open);
	return false;
}

void quick_start(struct store *s) { list_init(&s->quick.todo); }

void quick_stop(struct store *s)
{
	if (s->quick.db)
		db_close(s->quick.db);
	s->quick.db = NULL;
}

/* --- which reads --- */

bool quick_takes(const struct class_known *known, const struct sql_job *job)
{
	const struct binds *binds = &job->params->bind;

	if (known->type != SQL_TYPE_READ || !known->simple || known->credit < CREDIT_MAX)
		return false;
	if (job->session->slow || binds->n > BINDS_MAX)
		return false;
	for (size_t i = 0; i < binds->n; i++) {
		const struct value *v = &binds->values[i];
		if ((v->type == VALUE_TEXT || v->type == VALUE_BLOB) && v->s.n > BIND_BYTES_MAX)
			return false;
	}
	return true;
}

bool quick_over(struct db *db, uint64_t now_ns) { return now_ns - db->job->started_ns > OVER_NS; }

/* --- a round --- */

void quick_pass_on(struct store *s)
{
	for (struct list_node *n; (n = list_pop(&s->quick.todo));)
		list_push(&s->to_readers, n);
}

/* As if it had not been tried. */
static void put_back(struct store *s, struct sql_job *job)
{
	struct class_known *known = class_cache_get(&s->classes, job->params->sql, job->params->sql_len);

	if (known)
		class_note_run(known, false);
	error_clear(&job->err);
	buf_truncate(job->out, job->out_start);
	sql_forget_figures(job);
	job->job.ended_ns = 0;
	list_push(&s->to_readers, &job->job.mail.node);
}

/* True if it is done; else it is on its way to a lane. *now: the time, before and after. */
static bool run_one(struct store *s, struct db *db, struct sql_job *job, uint64_t *now)
{
	db->job = &job->job;
	db->lane = NULL;
	db->moved = false;
	db->looks = 0;
	job->job.started_ns = *now;
	heap_begin();
	job->job.run(&job->job, db);
	db->job = NULL;
	*now = clock_now_ns();
	if (db->moved)
		return false; /* no read after all: the writer has it */
	job->job.ended_ns = *now;
	/* A cursor has been opened on it: it is the cursor's now. */
	if (db->pinned)
		release(s);
	if (error_is_set(&job->err)) {
		put_back(s, job);
		return false;
	}
	readers_note_speed(s, &job->job);
	atomic_fetch_add_explicit(&s->quick_reads, 1, memory_order_relaxed);
	return true;
}

static void run_round(struct store *s)
{
	struct db *db = s->quick.db;
	struct list round, done;
	struct error err = {0};
	uint64_t begun = clock_now_ns(), now = begun;
	bool shared;

	list_init(&round);
	list_init(&done);
	list_splice(&round, &s->quick.todo);
	shared = round.count > 1 && db_run(db, "BEGIN", &err) == 0;
	for (size_t i = 0; s->quick.db && i < ROUND_READS && now - begun < ROUND_NS; i++) {
		struct list_node *n = list_pop(&round);
		if (!n)
			break;
		if (run_one(s, db, sql_job_of(n), &now))
			list_push(&done, n);
	}
	/* A cursor that a read has left open keeps the snapshot to itself. */
	if (shared)
		db_run(db, "COMMIT", &err);
	error_clear(&err);
	list_splice(&s->to_readers, &round);
	for (struct list_node *n; (n = list_pop(&done));)
		sql_deliver(LIST_ENTRY(n, struct mail, node));
}

void quick_run(struct store *s)
{
	/* What an answer asks for next, on a connection that sends ahead, makes another round; but not for ever. */
	for (int i = 0; i < ROUNDS_MAX && !list_empty(&s->quick.todo) && ready(s); i++) {
		run_round(s);
		if (s->answers)
			s->answers(s->answers_arg);
	}
	quick_pass_on(s);
}
