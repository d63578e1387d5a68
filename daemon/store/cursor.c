/* Cursors of a session: opened by a read (or a RETURNING) that did not fit its page, fetched, closed, expired. */
#include "daemon/store/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/page.h"
#include "proto/response.h"

/* --- opening --- */

static struct sql_cursor *add(struct sql_job *job, char *ret_name, size_t size)
{
	struct sql_session *session = job->session;
	const struct store_config *c = store_get_config(job->store);
	uint64_t now = clock_now_ns();

	if (session->cursors.count >= CURSORS_MAX) {
		error_set(&job->err, ERRC_TOO_MANY, "%d cursors are open on this connection: close one", CURSORS_MAX);
		return NULL;
	}
	struct sql_cursor *cursor = calloc(1, sizeof *cursor);
	if (!cursor) {
		error_from_sqlite(&job->err, SQLITE_NOMEM, -1, NULL, "out of memory");
		return NULL;
	}
	snprintf(cursor->name, sizeof cursor->name, "c%llu", (unsigned long long)++session->cursors_made);
	cursor->deadline_ns = now + (uint64_t)c->cursor_ms * NS_PER_MS;
	cursor->idle_ns = now + (uint64_t)c->cursor_idle_ms * NS_PER_MS;
	if (job->kind == SQL_STATEMENT)
		cursor->text_hash = hash_bytes(job->params->sql, job->params->sql_len);
	list_push(&session->cursors, &cursor->node);
	snprintf(ret_name, size, "%s", cursor->name);
	return cursor;
}

static void drop(struct sql_session *session, struct sql_cursor *cursor)
{
	list_remove(&session->cursors, &cursor->node);
	sqlite3_finalize(cursor->stmt);
	if (cursor->owns_db)
		readers_unpin(cursor->db);
	buf_free(&cursor->rows);
	free(cursor);
}

int cursor_open(struct db *db, struct sql_job *job, sqlite3_stmt *stmt, bool on_row, char *ret_name, size_t size)
{
	struct sql_cursor *cursor = add(job, ret_name, size);

	if (!cursor)
		return -1;
	cursor->on_row = on_row;
	if (!db->writer && db != job->session->pinned) {
		if (readers_pin(db, &job->err)) {
			drop(job->session, cursor);
			return -1;
		}
		cursor->owns_db = true;
	}
	cursor->db = db;
	cursor->stmt = stmt;
	return 0;
}

int cursor_open_rows(struct sql_job *job, struct buf *rows, char *ret_name, size_t size)
{
	struct sql_cursor *cursor = add(job, ret_name, size);

	if (!cursor)
		return -1;
	cursor->rows = *rows;
	*rows = (struct buf){0};
	return 0;
}

/* --- using --- */

static struct sql_cursor *find(const struct sql_session *session, const char *name)
{
	for (struct list_node *n = list_first(&session->cursors); n; n = list_next(&session->cursors, n)) {
		struct sql_cursor *cursor = LIST_ENTRY(n, struct sql_cursor, node);
		if (strcmp(cursor->name, name) == 0)
			return cursor;
	}
	return NULL;
}

struct db *cursor_db(const struct sql_session *session, const char *name)
{
	struct sql_cursor *cursor = find(session, name);

	return cursor ? cursor->db : NULL;
}

static struct sql_cursor *get(struct sql_job *job)
{
	struct sql_cursor *cursor = find(job->session, job->params->cursor);

	if (!cursor)
		error_set(&job->err, ERRC_CURSOR_EXPIRED,
			  "cursor %.40s is closed, expired or was never this connection's", job->params->cursor);
	return cursor;
}

/* The next rows of a RETURNING, out of memory. True: there are more. */
static bool copy_rows(struct buf *out, struct sql_cursor *cursor, const struct page_limits *limits)
{
	size_t start = out->len;

	jw_key(out, "rows");
	buf_putc(out, '[');
	for (int64_t rows = 0; cursor->at < cursor->rows.len; rows++) {
		size_t n;
		memcpy(&n, cursor->rows.data + cursor->at, sizeof n);
		if (rows && (rows == limits->rows || (int64_t)(out->len - start + n) > limits->bytes))
			break;
		if (rows)
			buf_putc(out, ',');
		buf_add(out, cursor->rows.data + cursor->at + sizeof n, n);
		cursor->at += sizeof n + n;
	}
	buf_putc(out, ']');
	return cursor->at < cursor->rows.len;
}

int cursor_fetch(struct sql_job *job)
{
	const struct store_config *c = store_get_config(job->store);
	struct sql_cursor *cursor = get(job);
	struct page_limits limits = sql_page_limits(job);
	bool more;

	if (!cursor)
		return -1;
	jw_open(job->out, '{');
	if (cursor->db) {
		cursor->db->rows = 0;
		job->text_hash = cursor->text_hash;
		if (page_rows(job->out, cursor->db, cursor->stmt, &limits, &cursor->on_row, &job->err)) {
			drop(job->session, cursor); /* its snapshot is of no use any more */
			return -1;
		}
		more = cursor->on_row;
		job->ran.rows = cursor->db->rows;
		figures_take(&job->ran, cursor->stmt);
		job->ran.scans = 0; /* it is still the run that was counted with its first page */
	} else {
		more = copy_rows(job->out, cursor, &limits);
	}
	jw_bool(job->out, "done", !more);
	if (more)
		jw_str(job->out, "cursor", cursor->name);
	sql_answer_ms(job);
	jw_close(job->out, '}');
	cursor->idle_ns = clock_now_ns() + (uint64_t)c->cursor_idle_ms * NS_PER_MS;
	if (!more)
		drop(job->session, cursor);
	return 0;
}

int cursor_close(struct sql_job *job)
{
	struct sql_cursor *cursor = get(job);

	if (!cursor)
		return -1;
	drop(job->session, cursor);
	buf_puts(job->out, "{}");
	return 0;
}

/* --- ending --- */

static bool is_due(const struct sql_cursor *cursor, uint64_t now)
{
	return now >= cursor->deadline_ns || now >= cursor->idle_ns ||
	       (cursor->db && atomic_load(&cursor->db->overdue));
}

bool cursors_due(const struct sql_session *session, uint64_t now)
{
	for (struct list_node *n = list_first(&session->cursors); n; n = list_next(&session->cursors, n))
		if (is_due(LIST_ENTRY(n, struct sql_cursor, node), now))
			return true;
	return false;
}

void cursors_sweep(struct sql_job *job, uint64_t now, bool all)
{
	struct list *cursors = &job->session->cursors;

	for (struct list_node *n = list_first(cursors), *next; n; n = next) {
		struct sql_cursor *cursor = LIST_ENTRY(n, struct sql_cursor, node);
		next = list_next(cursors, n);
		if (!all && !is_due(cursor, now))
			continue;
		if (!all)
			atomic_fetch_add(&job->store->cursor_expired, 1);
		drop(job->session, cursor);
	}
}

void cursors_close_of(struct sql_session *session, struct db *db)
{
	for (struct list_node *n = list_first(&session->cursors), *next; n; n = next) {
		struct sql_cursor *cursor = LIST_ENTRY(n, struct sql_cursor, node);
		next = list_next(&session->cursors, n);
		if (cursor->db == db)
			drop(session, cursor);
	}
}

bool cursor_is_on(const struct list_node *node, const struct db *db)
{
	return LIST_ENTRY(node, struct sql_cursor, node)->db == db;
}
