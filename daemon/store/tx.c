/*
 * Transactions of a session: how they begin, run and end, and what becomes of the session when its time is up.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/store/internal.h"
#include "proto/response.h"

void tx_fail(struct sql_session *session, const char *format, ...)
{
	va_list args;

	session->tx = TX_FAILED;
	session->tx_serial = 0;
	va_start(args, format);
	vsnprintf(session->tx_gone, sizeof session->tx_gone, format, args);
	va_end(args);
}

int tx_gone(struct sql_job *job)
{
	buf_truncate(job->out, job->out_start);
	error_clear(&job->err);
	return error_set(&job->err, ERRC_TX_EXPIRED, "%s; send rollback to continue", job->session->tx_gone);
}

static int64_t wanted_ms(const struct sql_job *job)
{
	int64_t cap = store_get_config(job->store)->tx_ms;

	return params_has(job->params, PARAM_MAX_MS) && job->params->max_ms < cap ? job->params->max_ms : cap;
}

static void answer_begun(struct sql_job *job, int64_t max_ms)
{
	if (job->kind == SQL_STATEMENT) {
		sql_answer_nothing(job);
		return;
	}
	jw_open(job->out, '{');
	jw_int(job->out, "expires_ms", max_ms);
	jw_int(job->out, "waited_ms", (int64_t)((job->job.started_ns - job->job.submitted_ns) / NS_PER_MS));
	jw_close(job->out, '}');
}

static void answer_ended(struct sql_job *job)
{
	if (job->kind == SQL_STATEMENT) {
		sql_answer_nothing(job);
		return;
	}
	jw_open(job->out, '{');
	sql_answer_ms(job);
	jw_close(job->out, '}');
}

static uint64_t idle_deadline(const struct store *s)
{
	return clock_now_ns() + (uint64_t)store_get_config(s)->tx_idle_ms * NS_PER_MS;
}

/* --- write transactions: writer lane --- */

/* Runs the client's own text: SAVEPOINT, RELEASE, ROLLBACK TO. */
static int run_text(struct db *db, struct sql_job *job)
{
	sqlite3_stmt *stmt;
	enum sql_type type;

	if (db_prepare_client(db, job->params->sql, job->params->sql_len, &stmt, &type, &job->err))
		return -1;
	int rc = db_step(db, stmt, &job->err);
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

void tx_begin_write(struct store *s, struct db *db, struct sql_job *job)
{
	struct sql_session *session = job->session;
	int64_t max_ms = wanted_ms(job);

	if (!writer_begin_job(s, job, CLOCK_NEVER))
		goto out;
	bool savepoint = job->type == SQL_TYPE_SAVEPOINT;
	if (savepoint ? run_text(db, job) : db_begin(db, &job->err))
		goto out;
	if (tally_begin(db, savepoint, &job->err)) {
		db_rollback(db);
		goto out;
	}
	struct holder holder = {
		.session_id = session->id,
		.serial = ++s->writer.next_serial,
		.since_ns = job->job.started_ns,
		.total_ns = job->job.started_ns + (uint64_t)max_ms * NS_PER_MS,
		.idle_ns = idle_deadline(s),
		.max_ms = max_ms,
	};
	session->tx = TX_WRITE;
	session->tx_serial = holder.serial;
	answer_begun(job, max_ms);
	writer_set_holder(s, holder);
out:
	writer_end_job(s, job);
	sql_finish(job);
}

static int commit(struct db *db, struct sql_job *job)
{
	cursors_close_of(job->session, db);
	if (db_flush(db, &job->err) || db_run(db, "COMMIT", &job->err))
		return -1;
	answer_ended(job);
	return 0;
}

static int rollback(struct db *db, struct sql_job *job)
{
	cursors_close_of(job->session, db);
	db_rollback(db);
	if (job->kind != SQL_END)
		answer_ended(job);
	return 0;
}

static int statement(struct db *db, struct sql_job *job, enum sql_type *ret_type)
{
	sqlite3_stmt *stmt;
	enum sql_type type;

	if (db_prepare_client(db, job->params->sql, job->params->sql_len, &stmt, &type, &job->err))
		return -1;
	*ret_type = type;
	if (!stmt)
		return error_set(&job->err, ERRC_INVALID_PARAMS, "there is no statement in this text");
	if (type == SQL_TYPE_READ)
		return sql_run_read(db, job, stmt);
	if (type < SQL_TYPE_TX_BEGIN) {
		if (sql_may_run(db, job, type) == 0)
			return sql_run_write(db, job, stmt, type);
		db_done(db, stmt);
		return -1;
	}
	db_done(db, stmt);
	switch (type) {
	case SQL_TYPE_TX_BEGIN:
		return error_set(&job->err, ERRC_IN_TRANSACTION, "a transaction is open on this connection");
	case SQL_TYPE_TX_COMMIT:
		return commit(db, job);
	case SQL_TYPE_TX_ROLLBACK:
		return rollback(db, job);
	default:
		if (run_text(db, job))
			return -1;
		if (type == SQL_TYPE_ROLLBACK_TO)
			tally_rolled_back_to(db);
		sql_answer_nothing(job);
		return 0;
	}
}

/* True if the job was meant to end the transaction, should it be over now. */
static bool may_end(const struct sql_job *job, enum sql_type type)
{
	return job->kind == SQL_COMMIT || job->kind == SQL_ROLLBACK || job->kind == SQL_END ||
	       type == SQL_TYPE_TX_COMMIT || type == SQL_TYPE_TX_ROLLBACK || type == SQL_TYPE_RELEASE;
}

static void execute(struct db *db, struct sql_job *job, enum sql_type *ret_type)
{
	switch (job->kind) {
	case SQL_STATEMENT:
		statement(db, job, ret_type);
		return;
	case SQL_BATCH:
		sql_run_batch(db, job);
		return;
	case SQL_BEGIN:
		error_set(&job->err, ERRC_IN_TRANSACTION, "a transaction is open on this connection");
		return;
	case SQL_COMMIT:
		commit(db, job);
		return;
	case SQL_ROLLBACK:
		rollback(db, job);
		return;
	case SQL_END:
		rollback(db, job);
		cursors_sweep(job, 0, true);
		return;
	case SQL_FETCH:
		cursor_fetch(job);
		return;
	case SQL_CLOSE:
		cursor_close(job);
		return;
	case SQL_DESCRIBE:
		sql_describe(db, job);
		return;
	case SQL_SCHEMA:
		sql_schema(db, job);
		return;
	case SQL_SWEEP:
		cursors_sweep(job, clock_now_ns(), false);
		return;
	}
}

/* After a job of the holder: is the transaction still open, and may it go on? */
static void settle(struct store *s, struct db *db, struct sql_job *job, struct holder holder, enum sql_type type)
{
	struct sql_session *session = job->session;
	bool late = clock_now_ns() >= holder.total_ns;

	if (db_in_transaction(db) && !late) {
		holder.idle_ns = idle_deadline(s);
		writer_set_holder(s, holder);
		return;
	}
	if (db_in_transaction(db)) {
		cursors_close_of(session, db);
		db_rollback(db);
		atomic_fetch_add(&s->tx_expired, 1);
		tx_fail(session, "transaction rolled back after %lld ms", (long long)holder.max_ms);
		tx_gone(job);
	} else if (may_end(job, type)) {
		session->tx = TX_NONE;
		session->tx_serial = 0;
		/* A COMMIT that failed and took the transaction with it was answered with its own error. */
		if (error_is_set(&job->err))
			db_undone(db);
	} else {
		cursors_close_of(session, db);
		db_undone(db);
		tx_fail(session, "transaction rolled back by a statement that failed: %.60s", job->err.message);
		if (late && atomic_load(&job->job.stop) == STOP_TIMEOUT) {
			atomic_fetch_add(&s->tx_expired, 1);
			tx_fail(session, "transaction rolled back after %lld ms", (long long)holder.max_ms);
			tx_gone(job);
		}
	}
	writer_set_holder(s, (struct holder){0});
}

void tx_run_held(struct store *s, struct db *db, struct sql_job *job)
{
	struct sql_session *session = job->session;
	struct holder holder = writer_get_holder(s);
	enum sql_type type = SQL_TYPE_UNKNOWN;

	if (holder.session_id != session->id || holder.serial != session->tx_serial) {
		/* It expired while this job was on its way. */
		if (session->tx == TX_WRITE)
			tx_fail(session, "transaction rolled back: its time was up");
		if (job->kind == SQL_ROLLBACK || job->kind == SQL_END)
			tx_clean_up(s, db, job);
		else
			tx_gone(job), sql_finish(job);
		return;
	}
	uint64_t cap = may_end(job, (enum sql_type)job->type) ? CLOCK_NEVER : holder.total_ns;
	if (writer_begin_job(s, job, cap) || job->kind == SQL_END)
		execute(db, job, &type);
	if (db_in_transaction(db) && db_flush(db, &job->err))
		db_rollback(db);
	settle(s, db, job, holder, type);
	writer_end_job(s, job);
	sql_finish(job);
}

void tx_clean_up(struct store *s, struct db *db, struct sql_job *job)
{
	(void)s;
	if (job->kind == SQL_END)
		error_clear(&job->err), cursors_sweep(job, 0, true);
	else
		cursors_close_of(job->session, db);
	job->session->tx = TX_NONE;
	job->session->tx_serial = 0;
	job->job.started_ns = job->job.ended_ns = clock_now_ns();
	if (job->kind != SQL_END)
		answer_ended(job);
	sql_finish(job);
}

struct expiry {
	struct mail mail;
	struct store *store;
	uint64_t serial;
	char text[160];
};

static void deliver_expiry(struct mail *mail)
{
	struct expiry *e = (struct expiry *)(void *)mail;

	if (e->store->expired)
		e->store->expired(e->store->expired_arg, e->serial, e->text);
	free(e);
}

void tx_expire_holder(struct store *s, struct db *db)
{
	struct holder holder = writer_get_holder(s);
	uint64_t now = clock_now_ns();
	int64_t ms = now >= holder.total_ns ? holder.max_ms : store_get_config(s)->tx_idle_ms;
	struct expiry *e = xcalloc(1, sizeof *e);

	/* Open cursors of the session would keep the connection busy; the session finalises them when it rolls back. */
	for (sqlite3_stmt *stmt = NULL; (stmt = sqlite3_next_stmt(db->handle, stmt));)
		sqlite3_reset(stmt);
	db_rollback(db);
	atomic_fetch_add(&s->tx_expired, 1);
	*e = (struct expiry){.mail.deliver = deliver_expiry, .store = s, .serial = holder.serial};
	snprintf(e->text, sizeof e->text, "transaction rolled back after %lld ms%s", (long long)ms,
		 now >= holder.total_ns ? "" : " without a statement");
	writer_set_holder(s, (struct holder){0});
	mailbox_post(s->mailbox, &e->mail);
}

/* --- read transactions: reader lanes --- */

int tx_begin_read(struct db *db, struct sql_job *job)
{
	struct sql_session *session = job->session;
	int64_t max_ms = wanted_ms(job), ignored;

	if (readers_pin(db, &job->err))
		return -1;
	/* The snapshot begins here, not at the first SELECT: that is what the client reads out of "begin". */
	if (db_begin(db, &job->err) ||
	    db_int(db, &ignored, &job->err, "SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)")) {
		db_rollback(db);
		readers_unpin(db);
		return -1;
	}
	session->pinned = db;
	session->tx = TX_READ;
	session->tx_deadline_ns = job->job.started_ns + (uint64_t)max_ms * NS_PER_MS;
	session->tx_idle_ns = idle_deadline(job->store);
	answer_begun(job, max_ms);
	return 0;
}

static void leave_read(struct sql_session *session)
{
	struct db *db = session->pinned;

	cursors_close_of(session, db);
	db_rollback(db);
	session->pinned = NULL;
	session->tx = TX_NONE;
	readers_unpin(db);
}

int tx_end_read(struct db *db, struct sql_job *job)
{
	(void)db;
	leave_read(job->session);
	if (job->kind != SQL_END)
		answer_ended(job);
	return 0;
}

bool tx_read_due(const struct sql_session *session, uint64_t now)
{
	return session->tx == TX_READ &&
	       (now >= session->tx_deadline_ns || now >= session->tx_idle_ns || atomic_load(&session->pinned->overdue));
}

void tx_expire_read(struct sql_job *job)
{
	struct sql_session *session = job->session;
	bool overdue = atomic_load(&session->pinned->overdue);
	bool total = clock_now_ns() >= session->tx_deadline_ns;

	leave_read(session);
	atomic_fetch_add(&job->store->tx_expired, 1);
	tx_fail(session, "read transaction ended: %s",
		overdue ? "the write-ahead log is at its hard cap and this was the oldest reader"
		: total ? "its time was up"
			: "it was idle for too long");
}
