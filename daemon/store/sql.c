/*
 * Which lane a client's request takes, and what it does on a reader lane.
 *
 * The first time a text is seen it goes to a reader lane, where it is prepared under the guard: there a prepare may take
 * long and hurts nobody. A read stays and runs; a write moves on to the writer. From then on the text is known and
 * takes the short way.
 */
#include "daemon/store/sql.h"

#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/internal.h"

/* A client's timeout_ms may stretch a read beyond the default, up to this many times; never a write. */
#define READ_STRETCH 10
/* A statement that took a reader longer than this to prepare is not let to the writer. */
#define WRITER_PREPARE_NS (250 * NS_PER_MS)
/* What a read took that puts its session's next one behind others', and what takes it back. */
#define FAST_READ_NS (5 * NS_PER_MS)

void sql_session_init(struct sql_session *session, uint64_t id)
{
	PRE(id != 0);
	memset(session, 0, sizeof *session);
	session->id = id;
	list_init(&session->cursors);
}

bool sql_session_due(const struct sql_session *session, uint64_t now_ns)
{
	return cursors_due(session, now_ns) || tx_read_due(session, now_ns);
}

bool sql_session_open(const struct sql_session *session)
{
	return session->tx == TX_READ || session->tx == TX_WRITE || !list_empty(&session->cursors);
}

void sql_session_expire(struct sql_session *session, uint64_t tx_serial, const char *text)
{
	if (session->tx == TX_WRITE && session->tx_serial == tx_serial)
		tx_fail(session, "%s", text);
}

void sql_on_expired(struct store *s, void (*expired)(void *arg, uint64_t tx_serial, const char *text), void *arg)
{
	s->expired = expired;
	s->expired_arg = arg;
}

uint64_t sql_writer_holder(const struct store *s, uint64_t *ret_held_ns)
{
	struct holder holder = writer_get_holder((struct store *)(uintptr_t)s);

	*ret_held_ns = holder.session_id ? clock_now_ns() - holder.since_ns : 0;
	return holder.session_id;
}

/* --- ends --- */

void sql_cut_back(struct sql_job *job)
{
	if (job->out && job->out->failed && !error_is_set(&job->err))
		error_from_sqlite(&job->err, 7 /* SQLITE_NOMEM */, -1, NULL, "out of memory");
	if (job->out && error_is_set(&job->err))
		buf_truncate(job->out, job->out_start);
}

void sql_finish(struct sql_job *job)
{
	sql_cut_back(job);
	store_finish(job->store, &job->job);
}

void sql_deliver(struct mail *mail)
{
	struct sql_job *job = (struct sql_job *)(void *)mail;
	struct store *s = job->store;

	store_delivered(s);
	if (job->kind == SQL_STATEMENT && job->type > SQL_TYPE_EMPTY)
		class_cache_put(&s->classes, job->params->sql, job->params->sql_len, job->type);
	enum stop_reason why = (enum stop_reason)atomic_load(&job->job.stop);
	/* Taken out of a queue before it ran. */
	if (job->job.ended_ns == 0 && why != STOP_NONE && !error_is_set(&job->err))
		error_stopped(&job->err, why);
	job->done(job);
}

int sql_wait_error(struct sql_job *job, uint64_t now)
{
	struct store *s = job->store;
	uint64_t ms = (now - job->job.submitted_ns) / NS_PER_MS, held;
	uint64_t holder = sql_writer_holder(s, &held);
	bool write = job->job.run == NULL;
	char name[32] = "";

	atomic_fetch_add(&s->busy, 1);
	job->job.ended_ns = now;
	error_set(&job->err, ERRC_BUSY, write ? "no turn to write within %llu ms" : "no turn to read within %llu ms",
		  (unsigned long long)ms);
	error_add_int(&job->err, "waited_ms", (long long)ms);
	if (write && holder) {
		snprintf(name, sizeof name, "s%llu", (unsigned long long)holder);
		error_add_str(&job->err, "holder", name);
	}
	return -1;
}

/* --- to the writer --- */

/* On the loop. run == NULL marks a job that is on the writer's side. */
static void to_writer(struct store *s, struct sql_job *job, bool held)
{
	job->job.run = NULL;
	if (held)
		writer_push_held(s, job);
	else
		list_push(&s->to_writer, &job->job.mail.node);
}

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

/* --- on a reader lane --- */

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
	} else if (sql_may(job, type) == 0) {
		move_to_writer(job, db);
	}
}

static void run_statement(struct db *db, struct sql_job *job)
{
	sqlite3_stmt *stmt = NULL;
	enum sql_type type = SQL_TYPE_UNKNOWN;
	uint64_t began = clock_now_ns();
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
	if (type != SQL_TYPE_READ && clock_now_ns() - began > WRITER_PREPARE_NS) {
		db_done(db, stmt);
		error_set(&job->err, ERRC_DENIED, "the statement is too complex: preparing it takes too long");
		return;
	}
	job->type = type;
	run_known(db, job, stmt, type);
}

/* Prepares what a batch holds, to find out here what would hold up the writer. Errors are the writer's to tell. */
static int try_batch(struct db *db, struct sql_job *job)
{
	uint64_t began = clock_now_ns();
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
		if (clock_now_ns() - began > WRITER_PREPARE_NS)
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
		session->tx_idle_ns = now + (uint64_t)job->store->config.tx_idle_ms * NS_PER_MS;
	if (took > LONG_READ_NS)
		session->slow = true;
	else if (took < FAST_READ_NS)
		session->slow = false;
	sql_cut_back(job);
}

/* --- submission, on the loop --- */

static void set_times(struct store *s, struct sql_job *job, uint64_t now)
{
	const struct params *p = job->params;
	int64_t read_ms = s->config.read_ms, wait_ms = s->config.wait_ms;

	job->give_up_ns = CLOCK_NEVER;
	job->job.submitted_ns = now;
	job->job.started_ns = now;
	job->job.ended_ns = 0;
	if (!p) { /* SWEEP and END are the daemon's own: they always come to their end */
		job->job.deadline_ns = job->wait_until_ns = CLOCK_NEVER;
		return;
	}
	if (params_has(p, PARAM_TIMEOUT_MS)) {
		read_ms = p->timeout_ms < read_ms * READ_STRETCH ? p->timeout_ms : read_ms * READ_STRETCH;
		job->give_up_ns = now + (uint64_t)read_ms * NS_PER_MS;
	}
	if (params_has(p, PARAM_WAIT_MS) && p->wait_ms < wait_ms)
		wait_ms = p->wait_ms;
	job->job.deadline_ns = now + (uint64_t)read_ms * NS_PER_MS;
	job->wait_until_ns = now + (uint64_t)wait_ms * NS_PER_MS;
	if (job->give_up_ns < job->wait_until_ns)
		job->wait_until_ns = job->give_up_ns;
	if (job->session->tx == TX_READ && job->session->tx_deadline_ns < job->job.deadline_ns)
		job->job.deadline_ns = job->session->tx_deadline_ns;
}

static bool writer_cursors(struct store *s, const struct sql_session *session)
{
	for (struct list_node *n = list_first(&session->cursors); n; n = list_next(&session->cursors, n))
		if (cursor_is_on(n, s->writer.db))
			return true;
	return false;
}

/* True if every text of the batch has been prepared before. */
static bool batch_known(const struct store *s, const struct params *p)
{
	for (size_t i = 0; i < p->nsteps; i++)
		if (!class_cache_get(&s->classes, p->steps[i].sql, p->steps[i].sql_len))
			return false;
	return p->script == NULL;
}

static void to_reader(struct store *s, struct sql_job *job, struct db *on)
{
	job->job.run = sql_run_on_reader;
	job->job.on = on ? on : job->session->pinned;
	if (job->session->slow && !job->job.on)
		readers_push(s, &job->job, true);
	else
		list_push(&s->to_readers, &job->job.mail.node);
}

/* Where the session's own state decides: 0 = not settled, 1 = submitted or failed. */
static int route_by_state(struct store *s, struct sql_job *job)
{
	struct sql_session *session = job->session;

	if (session->tx == TX_FAILED && job->kind == SQL_ROLLBACK) {
		to_writer(s, job, false);
		return 1;
	}
	if (session->tx == TX_FAILED && job->kind != SQL_END && job->kind != SQL_SWEEP && job->kind != SQL_STATEMENT)
		return tx_gone(job);
	if ((job->kind == SQL_COMMIT || job->kind == SQL_ROLLBACK) && session->tx == TX_NONE)
		return error_set(&job->err, ERRC_NO_TRANSACTION, "no transaction is open on this connection");
	if (job->kind == SQL_BEGIN && session->tx != TX_NONE)
		return error_set(&job->err, ERRC_IN_TRANSACTION, "a transaction is open on this connection");
	if (job->kind == SQL_BATCH && sql_may(job, SQL_TYPE_WRITE))
		return -1;
	if (job->kind == SQL_END && (session->tx == TX_WRITE || writer_cursors(s, session))) {
		to_writer(s, job, session->tx == TX_WRITE);
		return 1;
	}
	return 0;
}

static int begin_mode(struct store *s, struct sql_job *job)
{
	const char *mode = params_has(job->params, PARAM_MODE) ? job->params->mode : "immediate";
	bool read = strcmp(mode, "read") == 0;

	if (!read && strcmp(mode, "immediate") != 0)
		return error_set(&job->err, ERRC_INVALID_PARAMS, "mode: \"immediate\" or \"read\", not \"%.40s\"", mode);
	if (read || job->session->readonly || job->session->role < ROLE_RW)
		to_reader(s, job, NULL);
	else
		to_writer(s, job, false);
	return 1;
}

static int route_statement(struct store *s, struct sql_job *job)
{
	struct sql_session *session = job->session;
	enum sql_type type = (enum sql_type)class_cache_get(&s->classes, job->params->sql, job->params->sql_len);

	job->type = type;
	if (session->tx == TX_WRITE) {
		writer_no_idle(s, session->tx_serial);
		if (type == SQL_TYPE_UNKNOWN)
			to_reader(s, job, NULL);
		else
			to_writer(s, job, true);
	} else if (session->tx == TX_NONE && (type == SQL_TYPE_WRITE || type == SQL_TYPE_DDL)) {
		if (sql_may(job, type))
			return -1;
		to_writer(s, job, false);
	} else if (session->tx == TX_FAILED && type != SQL_TYPE_UNKNOWN && type != SQL_TYPE_TX_ROLLBACK) {
		return tx_gone(job);
	} else {
		to_reader(s, job, NULL);
	}
	return 1;
}

/* 1: it is on its way; -1: refused, err is set. */
static int route(struct store *s, struct sql_job *job)
{
	struct sql_session *session = job->session;
	int rc = route_by_state(s, job);

	if (rc)
		return rc;
	if (s->draining && session->tx == TX_NONE && job->kind != SQL_END && job->kind != SQL_SWEEP)
		return error_set(&job->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	switch (job->kind) {
	case SQL_STATEMENT:
		return route_statement(s, job);
	case SQL_BEGIN:
		return begin_mode(s, job);
	case SQL_BATCH:
		if (!batch_known(s, job->params))
			break;
		to_writer(s, job, session->tx == TX_WRITE);
		return 1;
	case SQL_FETCH:
	case SQL_CLOSE: {
		struct db *db = cursor_db(session, job->params->cursor);
		if (db == s->writer.db && db)
			to_writer(s, job, true);
		else
			to_reader(s, job, db);
		return 1;
	}
	default:
		if (session->tx == TX_WRITE && job->kind != SQL_SWEEP) {
			to_writer(s, job, true);
			return 1;
		}
	}
	if (session->tx == TX_WRITE)
		writer_no_idle(s, session->tx_serial);
	to_reader(s, job, NULL);
	return 1;
}

void sql_submit(struct store *s, struct sql_job *job)
{
	job->store = s;
	job->type = SQL_TYPE_UNKNOWN;
	job->out_start = job->out ? job->out->len : 0;
	job->err = (struct error){0};
	job->job.mail.deliver = sql_deliver;
	job->job.class = JOB_CLIENT;
	job->job.on = NULL;
	job->job.run = NULL;
	atomic_store(&job->job.stop, STOP_NONE);
	set_times(s, job, clock_now_ns());
	store_submitted(s);
	if (route(s, job) < 0) {
		job->job.ended_ns = job->job.submitted_ns;
		sql_finish(job);
	}
}
