/* Statements with values: the request of query and exec. */
#include <math.h>
#include <string.h>

#include "client/lib/conn.h"
#include "proto/response.h"
#include "proto/value.h"

/* The daemon's answer to a statement that ran out of its own time needs a moment to arrive. */
#define STATEMENT_GRACE_MS 1000

int statement_wait_ms(const struct alterd_conn *c)
{
	int64_t own = (int64_t)c->statement_timeout_ms + STATEMENT_GRACE_MS;

	if (c->timeout_ms < 0 || c->statement_timeout_ms == 0 || own <= c->timeout_ms)
		return c->timeout_ms;
	return own > INT32_MAX ? INT32_MAX : (int)own;
}

void write_statement_timeout(struct alterd_conn *c)
{
	if (c->statement_timeout_ms > 0)
		jw_int(&c->out, "timeout_ms", c->statement_timeout_ms);
}

static int write_bind(struct alterd_conn *c, const struct alterd_value *v, size_t i)
{
	struct buf *out = &c->out;

	switch (v->type) {
	case ALTERD_NULL:
		value_write_null(out);
		return 0;
	case ALTERD_INT:
		value_write_int(out, v->i, INT64_AUTO);
		return 0;
	case ALTERD_REAL:
		if (isnan(v->r))
			return conn_fail(c, ALTERD_E_MISUSE, "value %zu is NaN, which SQLite cannot hold", i + 1);
		value_write_real(out, v->r);
		return 0;
	case ALTERD_TEXT:
	case ALTERD_BLOB:
		if (!v->s.p && v->s.n > 0)
			return conn_fail(c, ALTERD_E_MISUSE, "value %zu has a length but no bytes", i + 1);
		if (v->type == ALTERD_TEXT)
			value_write_text(out, v->s.p ? v->s.p : "", v->s.n);
		else
			value_write_blob(out, v->s.p ? v->s.p : "", v->s.n);
		return 0;
	}
	return conn_fail(c, ALTERD_E_MISUSE, "value %zu has no known type (%d)", i + 1, (int)v->type);
}

int write_binds(struct alterd_conn *c, const char *const *names, const struct alterd_value *binds, size_t n)
{
	struct buf *out = &c->out;

	if (n == 0)
		return 0;
	if (!binds)
		return conn_fail(c, ALTERD_E_MISUSE, "%zu values announced, none given", n);
	jw_key(out, "bind");
	jw_open(out, names ? '{' : '[');
	for (size_t i = 0; i < n; i++) {
		if (names && !names[i])
			return conn_fail(c, ALTERD_E_MISUSE, "value %zu has no name", i + 1);
		if (i > 0)
			buf_putc(out, ',');
		if (names) {
			json_write_string(out, names[i], strlen(names[i]));
			buf_putc(out, ':');
		}
		if (write_bind(c, &binds[i], i) != 0)
			return -1;
	}
	jw_close(out, names ? '}' : ']');
	return 0;
}

static int run(struct alterd_conn *c, const char *method, const char *sql, const char *const *names,
	       const struct alterd_value *binds, size_t n, struct reply *ret)
{
	int64_t id = wire_begin(c, method);
	struct buf *out = &c->out;

	if (id < 0)
		return -1;
	if (!sql)
		return conn_fail(c, ALTERD_E_MISUSE, "no SQL given");
	jw_key(out, "params");
	jw_open(out, '{');
	jw_str(out, "sql", sql);
	if (write_binds(c, names, binds, n) != 0)
		return -1;
	write_statement_timeout(c);
	jw_close(out, '}');
	return wire_finish(c, id, statement_wait_ms(c), ret);
}

int alterd_query_named(struct alterd_conn *c, const char *sql, const char *const *names,
		       const struct alterd_value *binds, size_t n, struct alterd_result **ret)
{
	struct reply reply = {0};

	if (run(c, "query", sql, names, binds, n, &reply) != 0)
		return -1;
	return result_new(c, &reply, ret);
}

int alterd_query(struct alterd_conn *c, const char *sql, const struct alterd_value *binds, size_t n,
		 struct alterd_result **ret)
{
	return alterd_query_named(c, sql, NULL, binds, n, ret);
}

/* Rows of RETURNING that nobody reads may hold a cursor open on the other side. */
static int drop_rows(struct alterd_conn *c, const struct reply *reply)
{
	struct alterd_result *r;

	if (!reply->cursor.at)
		return 0;
	if (result_new(c, reply, &r) != 0)
		return -1;
	alterd_result_free(r);
	return 0;
}

int alterd_exec_named(struct alterd_conn *c, const char *sql, const char *const *names,
		      const struct alterd_value *binds, size_t n, int64_t *ret_changes, int64_t *ret_rowid)
{
	struct reply reply = {0};

	if (run(c, "exec", sql, names, binds, n, &reply) != 0 || drop_rows(c, &reply) != 0)
		return -1;
	if (ret_changes)
		*ret_changes = reply.changes;
	if (ret_rowid)
		*ret_rowid = reply.rowid;
	return 0;
}

int alterd_exec(struct alterd_conn *c, const char *sql, const struct alterd_value *binds, size_t n,
		int64_t *ret_changes, int64_t *ret_rowid)
{
	return alterd_exec_named(c, sql, NULL, binds, n, ret_changes, ret_rowid);
}
