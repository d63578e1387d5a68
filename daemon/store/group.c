/*
 * Group commit: client writes that wait at the same moment share one transaction and one fsync.
 *
 * Each is a statement (atomic by itself in SQLite) or a batch in a savepoint, so a failing one undoes itself only. What
 * takes the whole transaction - OR ROLLBACK, an interrupted write, a deferred foreign key, a full disk - takes nobody
 * else along: the culprit is answered and left out, the others are put back to where they were and run again. After a
 * few such culprits each of the rest gets a transaction of its own, so that bad ones cannot make the work quadratic.
 */
#include "daemon/lib/fault.h"
#include "daemon/store/internal.h"

/* Culprits in one group before the rest run singly. */
#define CULPRITS_MAX 3

static void remember(struct sql_job *job)
{
	const struct sql_session *session = job->session;

	job->before = (struct sql_counters){
		.last_insert_rowid = session->last_insert_rowid,
		.changes = session->changes,
		.total_changes = session->total_changes,
	};
}

/* As if the job had not run. */
static void put_back(struct sql_job *job)
{
	struct sql_session *session = job->session;

	session->last_insert_rowid = job->before.last_insert_rowid;
	session->changes = job->before.changes;
	session->total_changes = job->before.total_changes;
	buf_truncate(job->out, job->out_start);
	error_clear(&job->err);
	sql_forget_figures(job);
}

static int execute(struct db *db, struct sql_job *job)
{
	sqlite3_stmt *stmt;
	enum sql_type type;

	if (job->kind == SQL_BATCH)
		return sql_run_batch(db, job);
	if (db_prepare_client(db, job->params->sql, job->params->sql_len, &stmt, &type, &job->err))
		return -1;
	if (!stmt)
		return error_set(&job->err, ERRC_INVALID_PARAMS, "there is no statement in this text");
	if (type != SQL_TYPE_WRITE && type != SQL_TYPE_DDL)
		error_set(&job->err, ERRC_INTERNAL, "a statement that is no write came to the writer");
	else if (sql_may_run(db, job, type) == 0)
		return sql_run_write(db, job, stmt, type);
	db_done(db, stmt);
	return -1;
}

static bool breaks_foreign_key(struct db *db)
{
	int open = 0, high;

	sqlite3_db_status(db->handle, SQLITE_DBSTATUS_DEFERRED_FKS, &open, &high, 0);
	return open != 0;
}

/* Runs one job in the open transaction. False: because of it the transaction cannot be committed. */
static bool run_in_group(struct store *s, struct db *db, struct sql_job *job)
{
	remember(job);
	if (!writer_begin_job(s, job, CLOCK_NEVER)) {
		writer_end_job(s, job);
		return true;
	}
	execute(db, job);
	if (db_in_transaction(db) && db_flush(db, &job->err))
		db_rollback(db);
	writer_end_job(s, job);
	if (!db_in_transaction(db)) {
		db_undone(db);
		if (!error_is_set(&job->err))
			error_set(&job->err, ERRC_INTERNAL, "the transaction was lost");
		return false;
	}
	if (!breaks_foreign_key(db)) {
		tally_part(&db->tally);
		return true;
	}
	if (!error_is_set(&job->err))
		error_from_sqlite(&job->err, SQLITE_CONSTRAINT_FOREIGNKEY, -1, NULL, "FOREIGN KEY constraint failed");
	if (job->kind != SQL_BATCH) {
		/* A statement that fails as it commits has changed nothing; a COMMIT that fails leaves the counts. */
		job->session->changes = 0;
		job->session->total_changes = job->before.total_changes;
	}
	return false;
}

static void copy_error(struct error *to, const struct error *from)
{
	*to = *from;
	to->data = (struct buf){0};
	buf_add(&to->data, from->data.data, from->data.len);
}

/* Gives every job of the list the same error; they are done. */
static void fail_all(struct list *jobs, struct list *done, const struct error *why)
{
	for (struct list_node *n; (n = list_pop(jobs));) {
		struct sql_job *job = sql_job_of(n);
		put_back(job);
		copy_error(&job->err, why);
		list_push(done, n);
	}
}

/* Puts back those that ran before the culprit; it has its answer and is done. */
static void leave_out(struct list *jobs, struct sql_job *culprit, struct list *done)
{
	struct list_node *n = &culprit->job.mail.node;

	list_remove(jobs, n);
	list_push(done, n);
	for (n = list_first(jobs); n; n = list_next(jobs, n))
		put_back(sql_job_of(n));
}

/* What things take of late: an eighth of the newest to seven eighths of what was known. */
static void note_times(struct writer *w, uint64_t begun, uint64_t done, uint64_t committed, size_t jobs)
{
	uint64_t job_ns = (done - begun) / jobs, commit_ns = committed - done;

	w->job_ns = w->job_ns ? (w->job_ns * 7 + job_ns) / 8 : job_ns;
	w->commit_ns = w->commit_ns ? (w->commit_ns * 7 + commit_ns) / 8 : commit_ns;
}

/* One try: all jobs in one transaction. True: all are done; false: the list holds those to run again. */
static bool try_group(struct store *s, struct db *db, struct list *jobs, struct list *done)
{
	struct error err = {0};
	uint64_t begun = clock_now_ns();

	if (db_begin(db, &err) || tally_begin(db, false, &err)) {
		db_rollback(db);
		if (err.code == SQLITE_BUSY) {
			error_clear(&err);
			error_set(&err, ERRC_BUSY, "another process is writing the database file");
		}
		fail_all(jobs, done, &err);
		error_clear(&err);
		return true;
	}
	for (struct list_node *n = list_first(jobs); n; n = list_next(jobs, n)) {
		if (run_in_group(s, db, sql_job_of(n)))
			continue;
		db_rollback(db);
		leave_out(jobs, sql_job_of(n), done);
		return list_empty(jobs);
	}
	uint64_t done_ns = clock_now_ns();
	if (FAULT("group-before-commit") || db_commit(db, &err)) {
		db_rollback(db);
		if (!error_is_set(&err))
			error_set(&err, ERRC_INTERNAL, "commit failed by a fault point");
		bool single = jobs->count == 1;
		if (single)
			fail_all(jobs, done, &err);
		else
			for (struct list_node *n = list_first(jobs); n; n = list_next(jobs, n))
				put_back(sql_job_of(n));
		error_clear(&err);
		return single;
	}
	(void)FAULT("group-after-commit");
	uint64_t committed_ns = clock_now_ns();
	histogram_add(&s->commit, committed_ns - done_ns);
	note_times(&s->writer, begun, done_ns, committed_ns, jobs->count);
	atomic_fetch_add_explicit(&s->groups, 1, memory_order_relaxed);
	list_splice(done, jobs);
	return true;
}

/* Each job in a transaction of its own. */
static void run_singly(struct store *s, struct db *db, struct list *jobs, struct list *done)
{
	for (struct list_node *n; (n = list_pop(jobs));) {
		struct list one;
		list_init(&one);
		list_push(&one, n);
		try_group(s, db, &one, done);
	}
}

void group_run(struct store *s, struct db *db, struct list *jobs)
{
	struct list done;
	size_t culprits = 0;

	list_init(&done);
	while (!list_empty(jobs)) {
		size_t before = jobs->count;
		if (try_group(s, db, jobs, &done))
			break;
		culprits += before - jobs->count;
		if (before == jobs->count || culprits >= CULPRITS_MAX) {
			run_singly(s, db, jobs, &done);
			break;
		}
	}
	atomic_fetch_add_explicit(&s->writes, done.count, memory_order_relaxed);
	for (struct list_node *n = list_first(&done); n; n = list_next(&done, n))
		sql_cut_back(sql_job_of(n));
	mailbox_post_list(s->mailbox, &done);
}
