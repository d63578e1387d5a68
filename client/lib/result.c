/*
 * Rows. A result keeps a copy of its present page's line and decodes a row when it is stepped to, in place: a row costs
 * no allocation. At the end of a page with a cursor the next one is fetched.
 */
#include <stdlib.h>
#include <string.h>

#include "client/lib/conn.h"
#include "client/lib/jread.h"
#include "proto/response.h"

/* SQLite's own limit is 32767 columns. */
#define COLUMNS_MAX 32767
#define TWO_TO_63 9223372036854775808.0

struct alterd_result {
	struct alterd_conn *conn;           /* NULL once it is closed */
	struct alterd_result *next, **back; /* in the connection's list */
	struct buf page;                    /* the line of the present page */
	char *at;                           /* in page: where the next row begins; NULL when the page has no more */
	struct buf heads;                   /* the column names' text */
	const char **names;                 /* ncolumns, into heads */
	struct alterd_value *row;           /* ncolumns */
	int ncolumns, room;                 /* room: of names and row */
	bool has_row, failed;
	char cursor[64]; /* "" when there is nothing more to fetch */
	int64_t changes, rowid;
};

static int no_memory(struct alterd_conn *c) { return conn_fail(c, ALTERD_E_NO_MEMORY, "out of memory for the result"); }

static int bad_page(struct alterd_result *r, const char *what)
{
	r->failed = true;
	return conn_broken(r->conn, ALTERD_E_PROTOCOL, "the daemon sent a result that cannot be read (%s)", what);
}

static int grow(struct alterd_result *r)
{
	int room = r->room ? r->room * 2 : 16;
	const char **names = realloc(r->names, (size_t)room * sizeof(*names));
	struct alterd_value *row;

	if (!names)
		return -1;
	r->names = names;
	row = realloc(r->row, (size_t)room * sizeof(*row));
	if (!row)
		return -1;
	r->row = row;
	r->room = room;
	return 0;
}

/* Decodes the names, which then live in r->heads. */
static int take_columns(struct alterd_result *r, const char *text, size_t n)
{
	char *p;
	int end;

	buf_add(&r->heads, text, n);
	p = (char *)buf_cstr(&r->heads);
	if (r->heads.failed)
		return no_memory(r->conn);
	if (*p++ != '[')
		return bad_page(r, "columns");
	for (;;) {
		char *name;
		size_t len;

		p = jr_next(p, ']', &end);
		if (p && end)
			return 0;
		p = p ? jr_string(p, &name, &len) : NULL;
		if (!p || r->ncolumns == COLUMNS_MAX)
			return bad_page(r, "columns");
		if (r->ncolumns == r->room && grow(r) != 0)
			return no_memory(r->conn);
		r->names[r->ncolumns++] = name;
	}
}

/* Copies the rows and stands before the first. A page that is not the last keeps the cursor it came from or names one.
 */
static int take_page(struct alterd_result *r, const struct reply *reply)
{
	char *text = reply->line + reply->cursor.at, *p;
	size_t n;

	r->at = NULL;
	if (reply->done) {
		r->cursor[0] = '\0';
	} else if (reply->cursor.at) {
		if (*text != '"' || reply->cursor.n - 2 >= sizeof(r->cursor))
			return bad_page(r, "cursor");
		n = reply->cursor.n - 2;
		memcpy(r->cursor, text + 1, n);
		r->cursor[n] = '\0';
	}
	if (!reply->rows.at)
		return 0;
	buf_reset(&r->page, KEEP_BYTES);
	buf_add(&r->page, reply->line + reply->rows.at, reply->rows.n);
	p = (char *)buf_cstr(&r->page);
	if (r->page.failed)
		return no_memory(r->conn);
	if (*p != '[')
		return bad_page(r, "rows");
	r->at = p + 1;
	return 0;
}

static void link_result(struct alterd_conn *c, struct alterd_result *r)
{
	r->conn = c;
	r->next = c->results;
	r->back = &c->results;
	if (r->next)
		r->next->back = &r->next;
	c->results = r;
}

static void unlink_result(struct alterd_result *r)
{
	*r->back = r->next;
	if (r->next)
		r->next->back = r->back;
	r->conn = NULL;
}

static void destroy(struct alterd_result *r)
{
	if (!r)
		return;
	buf_free(&r->page);
	buf_free(&r->heads);
	free(r->names);
	free(r->row);
	free(r);
}

int result_new(struct alterd_conn *c, const struct reply *reply, struct alterd_result **ret)
{
	struct alterd_result *r = c->spare ? c->spare : calloc(1, sizeof(*r));

	c->spare = NULL;
	if (!r)
		return no_memory(c);
	link_result(c, r);
	r->changes = reply->changes;
	r->rowid = reply->rowid;
	if ((reply->columns.at && take_columns(r, reply->line + reply->columns.at, reply->columns.n) != 0) ||
	    take_page(r, reply) != 0) {
		unlink_result(r);
		destroy(r);
		return -1;
	}
	*ret = r;
	return 0;
}

static int fetch(struct alterd_result *r)
{
	struct alterd_conn *c = r->conn;
	int64_t id = wire_begin(c, "fetch");
	struct reply reply;

	if (id >= 0) {
		jw_key(&c->out, "params");
		jw_open(&c->out, '{');
		jw_str(&c->out, "cursor", r->cursor);
		write_statement_timeout(c);
		jw_close(&c->out, '}');
	}
	if (id < 0 || wire_finish(c, id, statement_wait_ms(c), &reply) != 0) {
		r->failed = true;
		return -1;
	}
	return take_page(r, &reply);
}

/* Decodes the row at r->at, or finds the page's end. 1, 0 or -1. */
static int next_in_page(struct alterd_result *r)
{
	char *p;
	int end;

	p = jr_next(r->at, ']', &end);
	if (!p)
		return bad_page(r, "rows");
	if (end) {
		r->at = NULL;
		return 0;
	}
	if (*p++ != '[')
		return bad_page(r, "row");
	for (int i = 0; i < r->ncolumns; i++) {
		p = jr_next(p, ']', &end);
		if (!p || end)
			return bad_page(r, "row too short");
		p = jr_value(p, &r->row[i]);
		if (!p)
			return bad_page(r, "value");
	}
	p = jr_next(p, ']', &end);
	if (!p || !end)
		return bad_page(r, "row too long");
	r->at = p;
	return 1;
}

int alterd_step(struct alterd_result *r)
{
	r->has_row = false;
	/* There is no connection left that could keep the error: the handle is being misused, and this is all one can
	 * say. */
	if (!r->conn || r->failed)
		return -1;
	for (;;) {
		int found = r->at ? next_in_page(r) : 0;

		r->has_row = found == 1;
		if (found != 0)
			return found;
		if (!r->cursor[0])
			return 0;
		if (fetch(r) != 0)
			return -1;
	}
}

/* Best effort: a cursor that stays open would hold a snapshot on the other side until it is idle too long. */
static void close_cursor(struct alterd_result *r)
{
	struct alterd_conn *c = r->conn;
	struct failure kept = c->failure;
	struct reply reply;
	int64_t id;

	c->failure.data = (struct buf){0};
	id = c->dead ? -1 : wire_begin(c, "close");
	if (id >= 0) {
		jw_key(&c->out, "params");
		jw_open(&c->out, '{');
		jw_str(&c->out, "cursor", r->cursor);
		jw_close(&c->out, '}');
		wire_finish(c, id, c->timeout_ms, &reply);
	}
	buf_free(&c->failure.data);
	c->failure = kept;
}

/* Keeps the memory of one result for the next: a closed loop of small queries allocates nothing. */
static void recycle(struct alterd_conn *c, struct alterd_result *r)
{
	if (c->spare) {
		destroy(r);
		return;
	}
	buf_reset(&r->page, KEEP_BYTES);
	buf_reset(&r->heads, KEEP_BYTES);
	r->at = NULL;
	r->ncolumns = 0;
	r->has_row = r->failed = false;
	r->cursor[0] = '\0';
	c->spare = r;
}

void alterd_result_free(struct alterd_result *r)
{
	struct alterd_conn *c = r ? r->conn : NULL;

	if (!c) {
		destroy(r);
		return;
	}
	if (r->cursor[0] && !r->failed)
		close_cursor(r);
	unlink_result(r);
	recycle(c, r);
}

void results_detach(struct alterd_conn *c)
{
	while (c->results)
		unlink_result(c->results);
	destroy(c->spare);
	c->spare = NULL;
}

int alterd_columns(const struct alterd_result *r) { return r->ncolumns; }

const char *alterd_column_name(const struct alterd_result *r, int column)
{
	return column >= 0 && column < r->ncolumns ? r->names[column] : NULL;
}

const struct alterd_value *alterd_row(const struct alterd_result *r) { return r->has_row ? r->row : NULL; }

static const struct alterd_value *cell(const struct alterd_result *r, int column)
{
	return r->has_row && column >= 0 && column < r->ncolumns ? &r->row[column] : NULL;
}

enum alterd_type alterd_cell_type(const struct alterd_result *r, int column)
{
	const struct alterd_value *v = cell(r, column);

	return v ? v->type : ALTERD_NULL;
}

int64_t alterd_cell_int(const struct alterd_result *r, int column)
{
	const struct alterd_value *v = cell(r, column);

	if (v && v->type == ALTERD_INT)
		return v->i;
	/* Only a REAL that is whole and fits: the limits are exact powers of two. */
	if (v && v->type == ALTERD_REAL && v->r >= -TWO_TO_63 && v->r < TWO_TO_63 && (double)(int64_t)v->r == v->r)
		return (int64_t)v->r;
	return 0;
}

double alterd_cell_real(const struct alterd_result *r, int column)
{
	const struct alterd_value *v = cell(r, column);

	if (v && v->type == ALTERD_INT)
		return (double)v->i;
	return v && v->type == ALTERD_REAL ? v->r : 0.0;
}

static const struct alterd_value *bytes(const struct alterd_result *r, int column)
{
	const struct alterd_value *v = cell(r, column);

	return v && (v->type == ALTERD_TEXT || v->type == ALTERD_BLOB) ? v : NULL;
}

const char *alterd_cell_text(const struct alterd_result *r, int column)
{
	const struct alterd_value *v = bytes(r, column);

	return v ? v->s.p : NULL;
}

size_t alterd_cell_bytes(const struct alterd_result *r, int column)
{
	const struct alterd_value *v = bytes(r, column);

	return v ? v->s.n : 0;
}

int64_t alterd_changes(const struct alterd_result *r) { return r->changes; }

int64_t alterd_last_insert_rowid(const struct alterd_result *r) { return r->rowid; }
