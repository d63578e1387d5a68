/*
 * A look at the daemon as text:
 *
 *     database  /var/lib/alterd/app.db   version 12   latest 15   pending 3
 *     daemon    running   up 2h 13m   sessions 5   alterd/1.0.0
 *     writer    queue 0   wait in the last 10 s: p50 0.1 ms  p99 4.2 ms  longest 31.0 ms
 *     size      70.0 MiB   wal 3.9 MiB
 *      [X]   12  add_city ..
 *     next: alterctl status --watch  |  alterctl pause
 *
 * Pure: reads answers, writes text.
 */
#include <inttypes.h>
#include <string.h>

#include "client/ctl/status.h"

/* Columns of a line's title. */
#define TITLE_WIDTH 10

int64_t status_pending(const struct doc_node *status)
{
	const struct doc_node *pending = doc_get(status, "pending");

	return doc_type(pending) == DOC_ARRAY ? (int64_t)doc_count(pending) : doc_int(pending, 0);
}

const struct doc_node *status_partial(const struct doc_node *status)
{
	const struct doc_node *problems = doc_get(status, "problems");

	for (size_t i = 0; i < doc_count(problems); i++)
		if (strcmp(doc_str(doc_get(doc_at(problems, i), "state"), ""), "partial") == 0)
			return doc_at(problems, i);
	return NULL;
}

void status_ended(struct buf *out, const struct progress *p)
{
	progress_title(out, p);
	buf_printf(out, "  %s", p->state);
	if (*p->table) {
		buf_puts(out, "  ");
		text_safe(out, p->table, strlen(p->table));
	}
}

const char *status_error(const struct doc_node *job)
{
	return doc_str(doc_get(job, "error.message"), doc_str(doc_get(job, "error"), NULL));
}

static void add_ended_job(struct buf *out, const struct doc_node *job, const struct progress *p)
{
	const char *error = status_error(job);

	status_ended(out, p);
	if (error) {
		buf_puts(out, "  ");
		text_safe(out, error, strlen(error));
	}
}

static void add_job(struct buf *out, const struct doc_node *job, int width)
{
	struct progress p;

	buf_puts(out, "job       ");
	if (!progress_read(job, &p))
		buf_puts(out, "none yet");
	else if (!progress_ended(&p))
		progress_line(out, &p, width > TITLE_WIDTH ? width - TITLE_WIDTH : 0);
	else
		add_ended_job(out, job, &p);
	buf_putc(out, '\n');
}

static void add_partial(struct buf *out, const struct doc_node *partial)
{
	buf_printf(out, "problem   version %" PRId64 "  partial %" PRId64 "/%" PRId64 "\n",
		   doc_int(doc_get(partial, "version"), 0), doc_int(doc_get(partial, "done"), 0),
		   doc_int(doc_get(partial, "total"), 0));
}

/* What a job that has not ended asks for. After the swap there is nothing to give up any more. */
static void add_next_of_job(struct buf *out, const struct progress *p)
{
	if (strcmp(p->state, "paused") == 0 && strcmp(p->phase, "retiring") == 0)
		buf_puts(out, "next: alterctl resume\n");
	else if (strcmp(p->state, "paused") == 0)
		buf_puts(out, "next: alterctl resume  |  alterctl abort\n");
	else if (p->postponed && strcmp(p->phase, "ready") == 0)
		buf_puts(out, "next: alterctl cutover  |  alterctl abort\n");
	else
		buf_puts(out, "next: alterctl status --watch  |  alterctl pause\n");
}

static void add_next(struct buf *out, const struct doc_node *status)
{
	const struct doc_node *partial = status_partial(status);
	struct progress p;
	bool known = progress_read(doc_get(status, "job"), &p);

	if (known && !progress_ended(&p))
		add_next_of_job(out, &p);
	else if (partial)
		buf_printf(out,
			   "next: mend its file, then alterctl up  |  alterctl resolve %" PRId64
			   " --applied or --not-applied\n",
			   doc_int(doc_get(partial, "version"), 0));
	else if (known && strcmp(p.state, "failed") == 0)
		buf_puts(out, "next: alterctl history\n");
	else if (status_pending(status) > 0)
		buf_puts(out, "next: alterctl plan  |  alterctl up\n");
}

static void add_database(struct buf *out, const struct doc_node *s, const struct doc_node *list)
{
	const char *database = doc_str(doc_get(s, "database"), "?");
	int64_t latest = doc_int(doc_get(list, "latest"), 0);

	buf_puts(out, "database  ");
	text_safe(out, database, strlen(database));
	buf_printf(out, "   version %" PRId64, doc_int(doc_get(s, "version"), 0));
	if (latest > 0)
		buf_printf(out, "   latest %" PRId64, latest);
	buf_printf(out, "   pending %" PRId64 "\n", status_pending(s));
}

static void add_daemon(struct buf *out, const struct doc_node *s)
{
	/* Since the start, from a daemon that knows no better. */
	const struct doc_node *recent = doc_get(s, "writer.wait_ms_10s");
	const struct doc_node *wait = recent ? recent : doc_get(s, "writer.wait_ms");

	buf_printf(out, "daemon    %s   up ", doc_str(doc_get(s, "state"), "?"));
	text_seconds(out, doc_real(doc_get(s, "uptime_s"), 0));
	buf_printf(out, "   sessions %" PRId64 "   %s\n", doc_int(doc_get(s, "sessions"), 0),
		   doc_str(doc_get(s, "server"), ""));
	buf_printf(out, "writer    queue %" PRId64 "   wait %sp50 %.1f ms  p99 %.1f ms  longest %.1f ms\n",
		   doc_int(doc_get(s, "writer.queue"), 0), recent ? "in the last 10 s: " : "",
		   doc_real(doc_get(wait, "p50"), 0), doc_real(doc_get(wait, "p99"), 0),
		   doc_real(doc_get(wait, "max"), 0));
	buf_puts(out, "size      ");
	text_bytes(out, doc_int(doc_get(s, "db_bytes"), 0));
	buf_puts(out, "   wal ");
	text_bytes(out, doc_int(doc_get(s, "wal_bytes"), 0));
	buf_putc(out, '\n');
	if (doc_str(doc_get(s, "wal_problem"), NULL))
		buf_printf(out, "problem   %s\n", doc_str(doc_get(s, "wal_problem"), ""));
	if (doc_get(s, "upkeep.what"))
		buf_printf(out, "upkeep    %s %.1f%%\n", doc_str(doc_get(s, "upkeep.what"), "?"),
			   doc_real(doc_get(s, "upkeep.percent"), 0));
}

/* It has a line of its own: not if its file came with the run, and the daemon has no folder. */
static bool listed(const struct doc_node *list, const struct doc_node *partial)
{
	const struct doc_node *rows = doc_get(list, "migrations");

	for (size_t i = 0; i < doc_count(rows); i++)
		if (doc_int(doc_get(doc_at(rows, i), "version"), -1) == doc_int(doc_get(partial, "version"), -2))
			return true;
	return false;
}

void status_text(struct buf *out, const struct doc_node *status, const struct doc_node *list,
		 const struct doc_node *plan, int width)
{
	const struct doc_node *job = doc_get(status, "job");
	struct buf versions = {0};

	add_database(out, status, list);
	add_daemon(out, status);
	if (!status_list(&versions, list, plan, job, width))
		add_job(out, job, width);
	if (status_partial(status) && !listed(list, status_partial(status)))
		add_partial(out, status_partial(status));
	buf_add(out, buf_cstr(&versions), versions.len);
	add_next(out, status);
	buf_free(&versions);
}
