/*
 * Statistics of statements: what jobs bring back is added up by text; and what the server asks of it. On the loop: no
 * lane takes a lock for it, and a statement that is known costs some additions.
 */
#include <stdlib.h>

#include "daemon/store/internal.h"

/* What a run must go through on average to be worth an index: rows of tables, or instructions of one that sorts. */
#define COSTLY_SCAN_STEPS 64
#define COSTLY_SORT_STEPS 1000
/* Of a batch: bytes of texts not seen lately that are taken apart; the rest is counted as others. */
#define BATCH_BYTES_MAX 65536

void sql_forget_figures(struct sql_job *job)
{
	job->ran = (struct figures){0};
	free(job->batch);
	job->batch = NULL;
}

static void note(struct store *s, const struct sql_job *job, const struct figures *f, struct statement *e,
		 const char *sql, size_t n)
{
	uint64_t slow_ns = (uint64_t)store_get_config(s)->slow_ms * NS_PER_MS;

	if (e)
		statements_add(e, f);
	if (slow_ns && f->max_ns >= slow_ns)
		slow_log_write(s, job, f, e, sql, n);
}

static void note_statement(struct store *s, struct sql_job *job, const struct class_known *known)
{
	const char *sql = job->params->sql;
	size_t n = job->params->sql_len;
	uint64_t raw = known ? known->hash : hash_bytes(sql, n);
	struct figures *f = &job->ran;

	f->ns = f->max_ns = job->job.ended_ns - job->job.started_ns;
	note(s, job, f, statements_get(&s->statements, raw, sql, n, job->type, !(known && known->names)), sql, n);
}

/* A page of a cursor belongs to the run that opened it. */
static void note_page(struct store *s, struct sql_job *job)
{
	struct statement *e = statements_seen(&s->statements, job->text_hash);

	if (!e)
		return;
	job->ran.ns = job->ran.max_ns = job->job.ended_ns - job->job.started_ns;
	note(s, job, &job->ran, e, "", 0);
}

static void note_batch(struct store *s, struct sql_job *job)
{
	struct statements *all = &s->statements;
	size_t bytes = 0;

	all->others += job->batch->others;
	for (size_t i = 0; i < job->batch->n; i++) {
		const struct figures_text *t = &job->batch->at[i];
		struct statement *e = statements_seen(all, t->hash);
		if (!e && (bytes += t->n) <= BATCH_BYTES_MAX)
			e = statements_get(all, t->hash, t->sql, t->n, t->type, true);
		if (!e)
			all->others += t->f.calls;
		note(s, job, &t->f, e, t->sql, t->n);
	}
	free(job->batch);
	job->batch = NULL;
}

void statistics_note(struct store *s, struct sql_job *job, struct class_known *known)
{
	if (job->batch)
		note_batch(s, job);
	else if (job->ran.calls)
		note_statement(s, job, known);
	else if (job->text_hash)
		note_page(s, job);
}

/* --- asked by the server --- */

int store_statements(const struct store *s, const char *by, int64_t limit, struct buf *out, struct error *err)
{
	int order;

	if (!statements_order(by, &order))
		return error_set(err, ERRC_INVALID_PARAMS, "by: \"%.40s\" is not one of " STATEMENTS_ORDERS, by);
	if (limit > STORE_STATEMENTS_SHOWN)
		limit = STORE_STATEMENTS_SHOWN;
	statements_write(&s->statements, order, (size_t)limit, out);
	return 0;
}

void store_statements_reset(struct store *s) { statements_reset(&s->statements); }

static bool is_costly(const struct statement *e)
{
	const struct figures *f = &e->f;

	if (!e->sample || f->calls == 0 || (e->type != SQL_TYPE_READ && e->type != SQL_TYPE_WRITE))
		return false;
	return f->scan_steps / f->calls >= COSTLY_SCAN_STEPS || f->auto_rows > 0 ||
	       (f->sorts > 0 && f->vm_steps / f->calls >= COSTLY_SORT_STEPS);
}

size_t store_costly(const struct store *s, size_t limit, struct store_costly **ret)
{
	const struct statements *all = &s->statements;
	const struct statement **top = xcalloc(all->count + 1, sizeof *top);
	int order = 0;
	size_t n = 0;

	(void)statements_order("time", &order);
	size_t there = statements_top(all, order, all->count, top);
	*ret = xcalloc(limit + 1, sizeof **ret);
	for (size_t i = 0; i < there && n < limit; i++) {
		const struct statement *e = top[i];
		if (!is_costly(e))
			continue;
		(*ret)[n++] = (struct store_costly){
			.sql = xstrdup(e->sample),
			.text = xstrdup(e->text),
			.calls = e->f.calls,
			.scan_steps = e->f.scan_steps,
			.sorts = e->f.sorts,
			.auto_rows = e->f.auto_rows,
			.ns = e->f.ns,
		};
	}
	free(top);
	return n;
}

void store_costly_free(struct store_costly *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].sql);
		free(list[i].text);
	}
	free(list);
}
