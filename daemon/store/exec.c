/*
 * One client statement from bind to answer, and batches of them. Runs on a lane; knows nothing of queues.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/internal.h"
#include "daemon/store/page.h"
#include "proto/response.h"

/* --- answers --- */

void sql_answer_ms(struct sql_job *job)
{
	jw_real(job->out, "ms", (double)(clock_now_ns() - job->job.started_ns) / 1e6, 2);
}

static void answer_changes(struct sql_job *job, int64_t changes, int64_t rowid)
{
	jw_int(job->out, "changes", changes);
	jw_int(job->out, "last_insert_rowid", rowid);
}

void sql_answer_nothing(struct sql_job *job)
{
	jw_open(job->out, '{');
	if (!job->exec) {
		jw_json(job->out, "columns", "[]");
		jw_json(job->out, "rows", "[]");
		jw_bool(job->out, "done", true);
	}
	answer_changes(job, 0, 0);
	sql_answer_ms(job);
	jw_close(job->out, '}');
}

struct page_limits sql_page_limits(const struct sql_job *job)
{
	const struct store_config *c = store_get_config(job->store);
	int64_t most = store_role_limits(job->store, job->session->role).page_rows;
	int64_t rows = params_has(job->params, PARAM_PAGE_ROWS) ? job->params->page_rows : most;

	return (struct page_limits){
		.rows = rows < most ? rows : most,
		.bytes = c->page_bytes,
		.int64 = job->session->int64,
	};
}

/* --- what the session may --- */

int sql_may(struct sql_job *job, enum sql_type type)
{
	const struct sql_session *session = job->session;

	if (type != SQL_TYPE_WRITE && type != SQL_TYPE_DDL)
		return 0;
	if (session->readonly)
		return error_set(&job->err, ERRC_READ_ONLY, "this session said readonly in hello");
	if (session->tx == TX_READ)
		return error_set(&job->err, ERRC_READ_ONLY, "a write in a read transaction");
	if (session->role < ROLE_RW)
		return error_set(&job->err, ERRC_DENIED, "a %s needs the role %s; this session has %s",
				 type == SQL_TYPE_DDL ? "change of the schema" : "write",
				 role_name(type == SQL_TYPE_DDL ? ROLE_MIGRATE : ROLE_RW), role_name(session->role));
	if (type == SQL_TYPE_DDL && session->role < ROLE_MIGRATE)
		return error_set(&job->err, ERRC_DENIED,
				 "a change of the schema needs the role migrate; this session has %s",
				 role_name(session->role));
	return 0;
}

int sql_may_run(const struct db *db, struct sql_job *job, enum sql_type type)
{
	if (sql_may(job, type))
		return -1;
	if (type == SQL_TYPE_WRITE && db->facts.keeps_schema && job->session->role < ROLE_MIGRATE)
		return error_set(&job->err, ERRC_DENIED,
				 "a write to alterd_migrations or to SQLite's statistics needs the role migrate; "
				 "this session has %s",
				 role_name(job->session->role));
	return 0;
}

/* --- counters --- */

void sql_begin_counting(struct db *db, struct sql_session *session, bool calls_changes)
{
	db->session = session;
	if (!db->writer)
		return;
	/* See fn_changes: 0 must be tellable from "not counted yet". */
	if (calls_changes && sqlite3_changes64(db->handle) == 0) {
		struct error ignored = {0};
		db_own(db, "UPDATE temp._alterd_one SET x=1", &ignored);
		error_clear(&ignored);
	}
	sqlite3_set_last_insert_rowid(db->handle, ROWID_UNSET);
	db->total_before = sqlite3_total_changes64(db->handle);
	db->changes_before = sqlite3_changes64(db->handle);
}

/* type: what the statement was; only DML has a count. */
static void end_counting(struct db *db, struct sql_session *session, enum sql_type type, int64_t *ret_changes,
			 int64_t *ret_rowid)
{
	int64_t rowid = sqlite3_last_insert_rowid(db->handle);

	db->session = NULL;
	session->total_changes += sqlite3_total_changes64(db->handle) - db->total_before;
	*ret_changes = type == SQL_TYPE_WRITE ? sqlite3_changes64(db->handle) : 0;
	if (type == SQL_TYPE_WRITE)
		session->changes = *ret_changes;
	/* Making a full-text table inserts rows of its own: they are not the client's. */
	bool inserted = type == SQL_TYPE_WRITE && rowid != ROWID_UNSET;
	*ret_rowid = inserted ? rowid : 0;
	if (inserted)
		session->last_insert_rowid = rowid;
}

/* --- figures --- */

/* The statement has been stepped: what that has cost. The time of a single one is the job's own. */
static void note_run(struct figures *ran, struct db *db, sqlite3_stmt *stmt, int64_t changes, bool failed)
{
	*ran = (struct figures){.calls = 1, .errors = failed, .rows = db->rows, .changes = changes};
	figures_take(ran, stmt);
}

/* --- writes --- */

/* Steps a statement to its end; rows of a RETURNING: a page into `page`, the rest row by row into `rest`. */
static int step_all(struct db *db, struct sql_job *job, sqlite3_stmt *stmt, struct buf *page, struct buf *rest)
{
	struct page_limits limits = sql_page_limits(job);
	int64_t most = store_get_config(job->store)->value_bytes;
	int64_t rows = 0;

	db->rows = 0;
	for (;;) {
		int rc = db_step(db, stmt, &job->err);
		if (rc <= 0)
			return rc;
		size_t before = page->len;
		bool fits = rest->len == 0 && rows < limits.rows;
		struct buf *to = fits ? page : rest;
		size_t n = 0, start = to->len;
		if (!fits)
			buf_add(to, &n, sizeof n);
		else if (rows)
			buf_putc(to, ',');
		size_t row_start = to->len;
		page_row(to, stmt, limits.int64);
		n = to->len - row_start;
		if (to->failed)
			return error_from_sqlite(&job->err, SQLITE_NOMEM, -1, NULL, "out of memory");
		if ((int64_t)n > limits.bytes && !page_row_fits_alone(stmt, limits.bytes))
			return page_row_too_big(stmt, n, limits.bytes, &job->err);
		if ((int64_t)rest->len > most)
			return error_set_sqlite(&job->err, SQLITE_TOOBIG, "SQLITE_TOOBIG",
						"the rows returned are above %lld bytes", (long long)most);
		if (!fits) {
			memcpy(to->data + start, &n, sizeof n);
		} else if (rows && (int64_t)page->len > limits.bytes) {
			/* This row opens the rest. */
			buf_add(rest, &n, sizeof n);
			buf_add(rest, page->data + row_start, n);
			buf_truncate(page, before);
		}
		db->rows = ++rows;
	}
}

static int write_answer(struct sql_job *job, sqlite3_stmt *stmt, int64_t changes, int64_t rowid, struct buf *page,
			struct buf *rest, bool in_batch)
{
	bool has_rows = sqlite3_column_count(stmt) > 0;
	char cursor[24] = "";

	if (rest->len && in_batch)
		return error_set_sqlite(&job->err, SQLITE_TOOBIG, sqlite_code_name(SQLITE_TOOBIG),
					"the rows of a batch's statement must fit one page");
	if (rest->len && cursor_open_rows(job, rest, cursor, sizeof cursor))
		return -1;
	jw_open(job->out, '{');
	if (has_rows) {
		page_columns(job->out, stmt, job->params->want_types && !in_batch);
		jw_json(job->out, "rows", buf_cstr(page));
	} else if (!job->exec && !in_batch) {
		jw_json(job->out, "columns", "[]");
		jw_json(job->out, "rows", "[]");
	}
	if (!in_batch && (has_rows || !job->exec))
		jw_bool(job->out, "done", !cursor[0]);
	if (cursor[0])
		jw_str(job->out, "cursor", cursor);
	answer_changes(job, changes, rowid);
	if (!in_batch)
		sql_answer_ms(job);
	jw_close(job->out, '}');
	return 0;
}

static int run_write(struct db *db, struct sql_job *job, sqlite3_stmt *stmt, enum sql_type type, bool in_batch,
		     struct figures *ran)
{
	struct buf page = {0}, rest = {0};
	int64_t changes = 0, rowid = 0;
	/* What a RETURNING has changed must be undone if its rows turn out not to fit. */
	bool guarded_rows = sqlite3_column_count(stmt) > 0;

	if (guarded_rows && db_own(db, "SAVEPOINT _alterd_rows", &job->err))
		return -1;
	sql_begin_counting(db, job->session, db->facts.calls_changes);
	buf_putc(&page, '[');
	int rc = step_all(db, job, stmt, &page, &rest);
	buf_putc(&page, ']');
	bool undo = rc < 0 && job->err.code == SQLITE_TOOBIG;
	end_counting(db, job->session, type, &changes, &rowid);
	if (rc == 0)
		rc = write_answer(job, stmt, changes, rowid, &page, &rest, in_batch), undo = rc < 0;
	note_run(ran, db, stmt, rc == 0 ? changes : 0, rc != 0);
	sqlite3_reset(stmt);
	if (guarded_rows && db_in_transaction(db)) {
		if (undo)
			db_undo_to(db, "ROLLBACK TO _alterd_rows");
		db_release(db, "RELEASE _alterd_rows");
	}
	buf_free(&page);
	buf_free(&rest);
	return rc;
}

int sql_run_write(struct db *db, struct sql_job *job, sqlite3_stmt *stmt, enum sql_type type)
{
	int rc = sql_bind(stmt, &job->params->bind, false, &job->err);

	if (rc == 0)
		rc = run_write(db, job, stmt, type, false, &job->ran);
	db_done(db, stmt);
	return rc;
}

/* --- reads --- */

int sql_run_read(struct db *db, struct sql_job *job, sqlite3_stmt *stmt)
{
	struct page_limits limits = sql_page_limits(job);
	char cursor[24] = "";
	/* What else a transaction does, or sees, of the schema would take the names away: no cursor on a program. */
	bool at_once = (db->writer || job->job.on) && db_shows_program(stmt);

	if (at_once)
		limits.rows = INT64_MAX;
	/* The values are copied: a cursor outlives its request. */
	if (sql_bind(stmt, &job->params->bind, true, &job->err))
		goto out;
	sql_begin_counting(db, job->session, false);
	db->rows = 0;
	int rc = db_step(db, stmt, &job->err); /* before the columns are named: it may prepare again */
	if (rc < 0)
		goto out_ran;
	bool on_row = rc == 1;
	jw_open(job->out, '{');
	page_columns(job->out, stmt, job->params->want_types);
	if (!on_row)
		jw_json(job->out, "rows", "[]");
	else if (page_rows(job->out, db, stmt, &limits, &on_row, &job->err))
		goto out_ran;
	if (on_row && at_once) {
		error_from_sqlite(&job->err, SQLITE_TOOBIG, -1, NULL,
				  "its program is longer than a page: explain it outside of a transaction");
		goto out_ran;
	}
	if (on_row && cursor_open(db, job, stmt, true, cursor, sizeof cursor))
		goto out_ran;
	jw_bool(job->out, "done", !on_row);
	if (on_row)
		jw_str(job->out, "cursor", cursor);
	if (job->exec)
		answer_changes(job, 0, 0);
	sql_answer_ms(job);
	jw_close(job->out, '}');
out_ran:
	note_run(&job->ran, db, stmt, 0, error_is_set(&job->err));
out:
	db->session = NULL;
	if (cursor[0])
		db->guarded = false; /* the statement is the cursor's now */
	else
		db_done(db, stmt);
	return error_is_set(&job->err) ? -1 : 0;
}

/* --- batches --- */

static int batch_read(struct db *db, struct sql_job *job, sqlite3_stmt *stmt, struct figures *ran)
{
	struct page_limits limits = sql_page_limits(job);

	sql_begin_counting(db, job->session, false);
	db->rows = 0;
	int rc = db_step(db, stmt, &job->err);
	bool on_row = rc == 1;
	if (rc >= 0) {
		jw_open(job->out, '{');
		page_columns(job->out, stmt, false);
		rc = on_row ? page_rows(job->out, db, stmt, &limits, &on_row, &job->err)
			    : (jw_json(job->out, "rows", "[]"), 0);
		jw_int(job->out, "changes", 0);
		jw_close(job->out, '}');
	}
	db->session = NULL;
	if (rc == 0 && on_row)
		rc = error_set_sqlite(&job->err, SQLITE_TOOBIG, sqlite_code_name(SQLITE_TOOBIG),
				      "the rows of a batch's statement must fit one page");
	note_run(ran, db, stmt, 0, rc != 0);
	return rc;
}

/* Runs one prepared statement of a batch and gives it back. `ran` has its text. */
static int batch_statement(struct db *db, struct sql_job *job, sqlite3_stmt *stmt, enum sql_type type,
			   const struct step *step, struct figures_text *ran)
{
	static const struct binds none = {0};
	uint64_t begun = clock_now_ns();
	int rc = 0;

	if (type >= SQL_TYPE_TX_BEGIN)
		rc = error_set(&job->err, ERRC_INVALID_PARAMS, "a batch is a transaction: no %s in it",
			       sqlite3_sql(stmt) ? "transaction statement" : "statement");
	if (rc == 0)
		rc = sql_may_run(db, job, type);
	if (rc == 0)
		rc = sql_bind(stmt, step ? &step->bind : &none, false, &job->err);
	if (rc == 0)
		rc = type == SQL_TYPE_READ ? batch_read(db, job, stmt, &ran->f)
					   : run_write(db, job, stmt, type, true, &ran->f);
	db_done(db, stmt);
	if (ran->f.calls) {
		ran->type = (int)type;
		ran->hash = hash_bytes(ran->sql, ran->n);
		ran->f.ns = ran->f.max_ns = clock_now_ns() - begun;
		figures_add_text(&job->batch, ran);
	}
	if (rc == 0)
		rc = db_flush(db, &job->err);
	int64_t changed = type == SQL_TYPE_WRITE ? job->session->changes : 0;
	if (rc == 0 && step && step->expect_changes >= 0 && changed != step->expect_changes)
		rc = error_set(&job->err, ERRC_EXPECTATION_FAILED, "%lld rows changed, %lld expected",
			       (long long)changed, (long long)step->expect_changes);
	if (rc == 0 && (int64_t)(job->out->len - job->out_start) > store_get_config(job->store)->value_bytes)
		rc = error_set_sqlite(&job->err, SQLITE_TOOBIG, sqlite_code_name(SQLITE_TOOBIG),
				      "the batch's results are too large");
	return rc;
}

static int batch_steps(struct db *db, struct sql_job *job, int64_t *ret_at)
{
	for (size_t i = 0; i < job->params->nsteps; i++) {
		const struct step *step = &job->params->steps[i];
		sqlite3_stmt *stmt;
		enum sql_type type;

		*ret_at = (int64_t)i;
		if (db_prepare_client(db, step->sql, step->sql_len, &stmt, &type, &job->err))
			return -1;
		if (!stmt)
			return error_set(&job->err, ERRC_INVALID_PARAMS, "there is no statement in this text");
		struct figures_text ran = {.sql = step->sql, .n = step->sql_len};
		if (batch_statement(db, job, stmt, type, step, &ran))
			return -1;
	}
	return 0;
}

static int batch_script(struct db *db, struct sql_job *job, int64_t *ret_at)
{
	const char *at = job->params->script, *end = at + job->params->script_len;

	for (*ret_at = 0; at < end;) {
		sqlite3_stmt *stmt = NULL;
		enum sql_type type;
		struct figures_text ran = {.sql = at};
		if (db_prepare_script(db, at, (size_t)(end - at), &stmt, &type, &at, &job->err))
			return -1;
		if (!stmt)
			continue;
		db->no_cache = true;
		ran.n = (size_t)(at - ran.sql);
		int rc = batch_statement(db, job, stmt, type, NULL, &ran);
		db->no_cache = false;
		if (rc)
			return -1;
		++*ret_at;
	}
	return 0;
}

int sql_run_batch(struct db *db, struct sql_job *job)
{
	int64_t at = 0;

	if (db_own(db, "SAVEPOINT _alterd_batch", &job->err))
		return -1;
	jw_open(job->out, '{');
	jw_key(job->out, "results");
	jw_open(job->out, '[');
	int rc = job->params->script ? batch_script(db, job, &at) : batch_steps(db, job, &at);
	jw_close(job->out, ']');
	sql_answer_ms(job);
	jw_close(job->out, '}');
	if (rc)
		error_add_int(&job->err, "statement", at);
	if (rc && db_in_transaction(db))
		db_undo_to(db, "ROLLBACK TO _alterd_batch");
	db_release(db, "RELEASE _alterd_batch");
	return rc;
}
