/*
 * What clients' requests do on a reader lane: reads run here; a write is prepared here first, where a long prepare
 * hurts nobody, and then moves on to the writer.
 */
#include "daemon/store/internal.h"

/* A batch that took a reader longer than this to prepare is not let to the writer. */
#define BATCH_PREPARE_NS (250 * NS_PER_MS)
/*
 * A read slower than this puts its session's next one into the slow queue, a faster one takes it out again. Far above
 * what a short read may take by being put off the processor.
 */
#define SLOW_READ_NS (250 * NS_PER_MS)

/* From a reader lane: nothing of the job may be touched afterwards. */
static void move_to_writer(struct sql_job *job, struct db *db)
{
	bool held = job->session->tx == TX_WRITE;

	readers_let_go(db);
	job->job.run = NULL;
	if (held)
		writer_push_held(db->store, job);
	else
		writer_push(db->store, job);
}

static int tx_statement(struct db *db, struct sql_job *job, enum sql_type type)
{
	struct sql_session *session = job->session;
	bool in_read = session->tx == TX_READ;

	switch (type) {
	case SQL_TYPE_TX_BEGIN:
	case SQL_TYPE_SAVEPOINT:
		if (in_read && type == SQL_TYPE_TX_BEGIN)
			return error_set(&job->err, ERRC_IN_TRANSACTION, "a transaction is open on this connection");
		if (in_read)
			return error_set(&job->err, ERRC_READ_ONLY, "savepoints are of no use in a read transaction");
		if (session->readonly || session->role < ROLE_RW)
			return tx_begin_read(db, job);
		move_to_writer(job, db);
		return 0;
	case SQL_TYPE_TX_COMMIT:
	case SQL_TYPE_TX_ROLLBACK:
		if (in_read)
			return tx_end_read(db, job);
		return error_set(&job->err, ERRC_NO_TRANSACTION, "no transaction is open on this connection");
	default:
		return error_set(&job->err, ERRC_NO_TRANSACTION, "no savepoint is open on this connection");
	}
}

/* The text was prepared and is `type`; the statement is given back or taken over here. */
static void run_known(struct db *db, struct sql_job *job, sqlite3_stmt *stmt, enum sql_type type)
{
	struct sql_session *session = job->session;

	if (type == SQL_TYPE_READ && session->tx != TX_WRITE && session->tx != TX_FAILED) {
		sql_run_read(db, job, stmt);
		return;
	}
	db_done(db, stmt);
	if (session->tx == TX_WRITE) {
		move_to_writer(job, db);
	} else if (session->tx == TX_FAILED && type == SQL_TYPE_TX_ROLLBACK) {
		move_to_writer(job, db);
	} else if (session->tx == TX_FAILED) {
		tx_gone(job);
	} else if (type >= SQL_TYPE_TX_BEGIN) {
		tx_statement(db, job, type);
	} else if (sql_may_run(db, job, type) == 0) {
		move_to_writer(job, db);
	}
}

static void run_statement(struct db *db, struct sql_job *job)
{
	sqlite3_stmt *stmt = NULL;
	enum sql_type type = SQL_TYPE_UNKNOWN;
	int rc = db_prepare_client(db, job->params->sql, job->params->sql_len, &stmt, &type, &job->err);

	if (rc && job->session->tx == TX_WRITE && job->err.code > 0) {
		/* It may mean something inside the transaction: a table made there, say. */
		error_clear(&job->err);
		move_to_writer(job, db);
		return;
	}
	if (!stmt && job->session->tx == TX_FAILED) {
		tx_gone(job); /* everything answers so until rollback, what does not read too */
		return;
	}
	if (rc == 0 && !stmt)
		error_set(&job->err, ERRC_INVALID_PARAMS, "there is no statement in this text");
	if (!stmt)
		return;
	if (type != SQL_TYPE_READ && db->facts.was_long) {
		db_done(db, stmt);
		error_set(&job->err, ERRC_DENIED, "the statement is too complex: preparing it takes too long");
		return;
	}
	if (job->type == SQL_TYPE_UNKNOWN && !db->facts.was_long)
		job->names = quoted_names(db->store, job->params->sql, job->params->sql_len);
	job->type = type;
	job->simple = type == SQL_TYPE_READ && !db->facts.involved;
	run_known(db, job, stmt, type);
}

/* Prepares what a batch holds, to find out here what would hold up the writer. Errors are the writer's to tell. */
static int try_batch(struct db *db, struct sql_job *job)
{
	uint64_t began = clock_cpu_ns();
	const struct params *p = job->params;
	const char *at = p->script, *end = p->script ? at + p->script_len : NULL;
	struct error err = {0};
	enum sql_type type;
	int rc = 0;

	for (size_t i = 0; rc == 0 && (p->script ? at < end : i < p->nsteps); i++) {
		sqlite3_stmt *stmt = NULL;
		rc = p->script ? db_prepare_script(db, at, (size_t)(end - at), &stmt, &type, &at, &err)
			       : db_prepare_client(db, p->steps[i].sql, p->steps[i].sql_len, &stmt, &type, &err);
		db_done(db, stmt);
		if (!p->script)
			error_clear(&err), rc = 0;
		if (clock_cpu_ns() - began > BATCH_PREPARE_NS)
			rc = error_set(&job->err, ERRC_DENIED, "the batch is too complex: preparing it takes too long");
	}
	error_clear(&err);
	return error_is_set(&job->err) ? -1 : 0;
}

static void run_sweep(struct sql_job *job)
{
	uint64_t now = clock_now_ns();

	cursors_sweep(job, now, false);
	if (tx_read_due(job->session, now))
		tx_expire_read(job);
}

static void run_end(struct db *db, struct sql_job *job)
{
	cursors_sweep(job, 0, true);
	if (job->session->tx == TX_READ)
		tx_end_read(db, job);
	job->session->tx = TX_NONE;
}

static void run_kind(struct db *db, struct sql_job *job)
{
	switch (job->kind) {
	case SQL_STATEMENT:
		run_statement(db, job);
		return;
	case SQL_BATCH:
		if (try_batch(db, job) == 0)
			move_to_writer(job, db);
		return;
	case SQL_BEGIN:
		tx_begin_read(db, job);
		return;
	case SQL_COMMIT:
	case SQL_ROLLBACK:
		tx_end_read(db, job);
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
		run_sweep(job);
		return;
	case SQL_END:
		run_end(db, job);
		return;
	}
}

void sql_run_on_reader(struct job *j, struct db *db)
{
	struct sql_job *job = (struct sql_job *)(void *)j;

	run_kind(db, job);
	if (db->moved)
		return;
	struct sql_session *session = job->session;
	uint64_t now = clock_now_ns(), took = now - j->started_ns;
	if (session->tx == TX_READ)
		session->tx_idle_ns = now + (uint64_t)store_get_config(job->store)->tx_idle_ms * NS_PER_MS;
	session->slow = took > SLOW_READ_NS;
	sql_cut_back(job);
}
