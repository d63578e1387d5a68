/*
 * Which lane a client's request takes, and how it comes back.
 *
 * The first time a text is seen it goes to a reader lane, where it is prepared under the guard: there a prepare may
 * take long and hurts nobody. A read stays and runs; a write moves on to the writer. From then on the text is known and
 * takes the short way.
 */
#include "daemon/store/sql.h"

#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/internal.h"

/* A client's timeout_ms may stretch a read beyond the default, up to this many times; never a write. */
#define READ_STRETCH 10

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

/* What the run has told of the text: its class, and whether its reads are short. NULL: nothing is known. */
static struct class_known *learn(struct store *s, const struct sql_job *job)
{
	struct class_known *known;

	if (job->kind != SQL_STATEMENT || job->type <= SQL_TYPE_EMPTY)
		return NULL;
	known = class_cache_put(&s->classes, job->params->sql, job->params->sql_len, job->type, job->simple);
	if (known && job->type == SQL_TYPE_READ && job->job.ended_ns > job->job.started_ns)
		class_note_run(known, job->job.ended_ns - job->job.started_ns <= QUICK_READ_NS);
	if (known && job->names)
		known->names = true;
	return known;
}

void sql_deliver(struct mail *mail)
{
	struct sql_job *job = (struct sql_job *)(void *)mail;
	struct store *s = job->store;

	store_delivered(s);
	statistics_note(s, job, learn(s, job));
	enum stop_reason why = (enum stop_reason)atomic_load(&job->job.stop);
	if (why != STOP_NONE && job->params)
		s->stopped[why]++;
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

/* On the loop. run == NULL marks a job that is on the writer's side. */
static void to_writer(struct store *s, struct sql_job *job, bool held)
{
	job->job.run = NULL;
	if (held)
		writer_push_held(s, job);
	else
		list_push(&s->to_writer, &job->job.mail.node);
}

/* --- submission, on the loop --- */

static void set_times(struct store *s, struct sql_job *job, uint64_t now)
{
	const struct params *p = job->params;
	int64_t read_ms = store_role_limits(s, job->session->role).read_ms, wait_ms = store_get_config(s)->wait_ms;

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
		return error_set(&job->err, ERRC_INVALID_PARAMS, "mode: \"immediate\" or \"read\", not \"%.40s\"",
				 mode);
	if (read || job->session->readonly || job->session->role < ROLE_RW)
		to_reader(s, job, NULL);
	else
		to_writer(s, job, false);
	return 1;
}

static int route_statement(struct store *s, struct sql_job *job)
{
	struct sql_session *session = job->session;
	const struct class_known *known = class_cache_get(&s->classes, job->params->sql, job->params->sql_len);
	enum sql_type type = known ? (enum sql_type)known->type : SQL_TYPE_UNKNOWN;

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
	} else if (session->tx == TX_NONE && known && quick_takes(known, job)) {
		job->job.run = sql_run_on_reader;
		list_push(&s->quick.todo, &job->job.mail.node);
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
	job->simple = job->names = false;
	job->out_start = job->out ? job->out->len : 0;
	job->err = (struct error){0};
	job->ran = (struct figures){0};
	job->batch = NULL;
	job->text_hash = 0;
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
