/* Transactions, batches, and any method by its name. */
#include <string.h>

#include "client/lib/conn.h"
#include "client/lib/jread.h"
#include "proto/response.h"

/* A method without parameters whose result says nothing more. */
static int simple(struct alterd_conn *c, const char *method)
{
	int64_t id = wire_begin(c, method);
	struct reply reply;

	return id < 0 ? -1 : wire_finish(c, id, c->timeout_ms, &reply);
}

int alterd_begin(struct alterd_conn *c, const char *mode, int64_t wait_ms, int64_t max_ms)
{
	int64_t id = wire_begin(c, "begin");
	struct reply reply;

	if (id < 0)
		return -1;
	jw_key(&c->out, "params");
	jw_open(&c->out, '{');
	jw_str(&c->out, "mode", mode ? mode : "immediate");
	if (wait_ms > 0)
		jw_int(&c->out, "wait_ms", wait_ms);
	if (max_ms > 0)
		jw_int(&c->out, "max_ms", max_ms);
	jw_close(&c->out, '}');
	return wire_finish(c, id, c->timeout_ms, &reply);
}

int alterd_commit(struct alterd_conn *c) { return simple(c, "commit"); }

int alterd_rollback(struct alterd_conn *c) { return simple(c, "rollback"); }

static int write_step(struct alterd_conn *c, const struct alterd_statement *s)
{
	struct buf *out = &c->out;

	if (!s->sql)
		return conn_fail(c, ALTERD_E_MISUSE, "a step of the batch has no SQL");
	jw_open(out, '{');
	jw_str(out, "sql", s->sql);
	if (write_binds(c, s->names, s->binds, s->n) != 0)
		return -1;
	if (s->expect_changes >= 0)
		jw_int(out, "expect_changes", s->expect_changes);
	jw_close(out, '}');
	return 0;
}

/* Reads [{"changes":1},...] into n numbers. */
static int read_changes(struct alterd_conn *c, char *p, size_t n, int64_t *ret)
{
	int end = 0;

	if (*p++ != '[')
		return conn_broken(c, ALTERD_E_PROTOCOL, "the daemon sent a batch's answer without results");
	for (size_t i = 0; i < n; i++) {
		char *changes;

		p = jr_next(p, ']', &end);
		if (!p || end)
			return conn_broken(c, ALTERD_E_PROTOCOL, "the daemon answered %zu steps of %zu", i, n);
		ret[i] = 0;
		changes = jr_member(p, "changes");
		if (changes)
			jr_int(changes, &ret[i]);
		p = jr_skip(p);
		if (!p)
			return conn_broken(c, ALTERD_E_PROTOCOL,
					   "the daemon sent a batch's answer that cannot be read");
	}
	return 0;
}

int alterd_batch(struct alterd_conn *c, const struct alterd_statement *statements, size_t n, int64_t *ret_changes)
{
	int64_t id = wire_begin(c, "batch");
	struct buf *out = &c->out;
	struct reply reply;

	if (id < 0)
		return -1;
	jw_key(out, "params");
	jw_open(out, '{');
	jw_key(out, "statements");
	jw_open(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (write_step(c, &statements[i]) != 0)
			return -1;
	}
	jw_close(out, ']');
	write_statement_timeout(c);
	jw_close(out, '}');
	if (wire_finish(c, id, statement_wait_ms(c), &reply) != 0)
		return -1;
	if (!ret_changes || n == 0)
		return 0;
	return read_changes(c, reply.line + reply.results.at, n, ret_changes);
}

int alterd_script(struct alterd_conn *c, const char *sql)
{
	int64_t id = wire_begin(c, "batch");
	struct reply reply;

	if (id < 0)
		return -1;
	if (!sql)
		return conn_fail(c, ALTERD_E_MISUSE, "no SQL given");
	jw_key(&c->out, "params");
	jw_open(&c->out, '{');
	jw_str(&c->out, "script", sql);
	write_statement_timeout(c);
	jw_close(&c->out, '}');
	return wire_finish(c, id, statement_wait_ms(c), &reply);
}

int alterd_call(struct alterd_conn *c, const char *method, const char *params, const char **ret_result)
{
	int64_t id = wire_begin(c, method);
	struct reply reply;

	if (id < 0)
		return -1;
	/* A line break would cut the request in two; between JSON's tokens, the only place for one, a blank is the
	 * same. */
	if (params) {
		jw_json(&c->out, "params", params);
		for (char *p = c->out.failed ? NULL : c->out.data; p && p < c->out.data + c->out.len; p++) {
			if (*p == '\n' || *p == '\r')
				*p = ' ';
		}
	}
	if (wire_finish(c, id, c->timeout_ms, &reply) != 0)
		return -1;
	if (ret_result) {
		/* What stands behind the result is not looked at any more. */
		reply.line[reply.result.at + reply.result.n] = '\0';
		*ret_result = reply.line + reply.result.at;
	}
	return 0;
}
