/*
 * The versions of a status: the last that were applied, what is under way, what is pending and how it would be done.
 *
 *      [X]   12  add_city     2026-02-01 10:00  1.2s
 *      [>]   13  split_name   copying user 41.2% (412k/~1.0M)  58k rows/s  ETA 10s
 *      [ ]   14  drop_legacy  rebuild user (~1.0M rows), data loss on up
 *
 * `alterctl list` has them all, and every problem.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/status.h"

#define APPLIED_SHOWN 3
#define PENDING_SHOWN 10
#define NAME_WIDEST 32

struct rows {
	const struct doc_node *migrations, *problems, *plan;
	struct progress job;
	bool running, job_shown;
	bool folder;       /* the daemon has one: a version without a file is told */
	size_t first, end; /* of the migrations, what is shown */
	size_t left_out;   /* pending ones behind them */
	int version_width, name_width, width;
};

static const char *state_of(const struct doc_node *row) { return doc_str(doc_get(row, "state"), ""); }

static bool applied(const struct doc_node *row) { return strcmp(state_of(row), "applied") == 0; }

static int64_t version_of(const struct doc_node *row) { return doc_int(doc_get(row, "version"), -1); }

static const struct doc_node *by_version(const struct doc_node *list, int64_t version)
{
	for (size_t i = 0; i < doc_count(list); i++)
		if (version_of(doc_at(list, i)) == version)
			return doc_at(list, i);
	return NULL;
}

/* The lines that are shown: some before the first that is not applied, some behind it. */
static void choose(struct rows *r)
{
	size_t n = doc_count(r->migrations), pending = 0, first = n;

	for (size_t i = 0; i < n; i++) {
		const struct doc_node *row = doc_at(r->migrations, i);

		if (applied(row) && !(r->running && version_of(row) == r->job.version))
			continue;
		first = first == n ? i : first;
		if (pending++ < PENDING_SHOWN)
			r->end = i + 1;
		else
			r->left_out++;
	}
	r->end = first == n ? n : r->end;
	r->first = first > APPLIED_SHOWN ? first - APPLIED_SHOWN : 0;
}

static void measure(struct rows *r)
{
	for (size_t i = r->first; i < r->end; i++) {
		const char *name = doc_str(doc_get(doc_at(r->migrations, i), "name"), "");
		char digits[24];
		int n = snprintf(digits, sizeof(digits), "%" PRId64, version_of(doc_at(r->migrations, i)));
		int width = text_width(name, strlen(name));

		r->version_width = n > r->version_width ? n : r->version_width;
		r->name_width = width > r->name_width ? width : r->name_width;
	}
	if (r->name_width > NAME_WIDEST)
		r->name_width = NAME_WIDEST;
}

/* How a pending version would be done, from its step of the plan. */
static void add_plan(struct buf *out, const struct doc_node *step)
{
	const char *strategy = doc_str(doc_get(step, "strategy"), NULL), *table = doc_str(doc_get(step, "table"), NULL);
	int64_t rows = doc_int(doc_get(step, "rows"), 0);

	if (doc_bool(doc_get(step, "fails"), false)) {
		buf_puts(out, "would fail: alterctl plan");
		return;
	}
	if (!strategy)
		return;
	text_flat(out, strategy);
	if (table && strcmp(strategy, "instant") != 0) {
		buf_putc(out, ' ');
		text_flat(out, table);
		if (rows > 0) {
			buf_puts(out, " (~");
			text_count(out, rows);
			buf_puts(out, rows == 1 ? " row)" : " rows)");
		}
	}
	if (doc_bool(doc_get(step, "destructive"), false))
		buf_puts(out, ", data loss on up");
	if (!doc_bool(doc_get(step, "reversible"), true))
		buf_puts(out, ", no way back");
}

static void add_problem(struct buf *out, const struct doc_node *p)
{
	text_flat(out, state_of(p));
	if (doc_get(p, "total"))
		buf_printf(out, " %" PRId64 "/%" PRId64, doc_int(doc_get(p, "done"), 0),
			   doc_int(doc_get(p, "total"), 0));
}

static char mark_of(const struct rows *r, const struct doc_node *row, const struct doc_node *problem)
{
	if (r->running && version_of(row) == r->job.version)
		return '>';
	if (problem)
		return strcmp(state_of(problem), "no file") == 0 ? '?' : '!';
	if (!applied(row))
		return ' ';
	return !r->folder || doc_bool(doc_get(row, "file"), true) ? 'X' : '?';
}

static void add_row(struct buf *out, struct rows *r, const struct doc_node *row)
{
	const struct doc_node *problem = by_version(r->problems, version_of(row));
	char mark = mark_of(r, row, problem);
	size_t line = out->len, at;

	buf_printf(out, " [%c]  %*" PRId64 "  ", mark, r->version_width, version_of(row));
	at = out->len;
	text_flat(out, doc_str(doc_get(row, "name"), ""));
	text_cut(out, at, r->name_width);
	text_pad(out, at, r->name_width);
	buf_puts(out, "  ");
	if (mark == '>') {
		int left = r->width - text_width(out->data + line, out->len - line);

		r->job_shown = true;
		progress_words(out, &r->job, r->width ? (left > 1 ? left : 1) : 0);
	} else if (applied(row)) {
		text_time(out, doc_str(doc_get(row, "applied_at"), ""));
		buf_puts(out, "  ");
		text_took(out, doc_real(doc_get(row, "took_ms"), -1));
	} else if (!problem) {
		add_plan(out, by_version(doc_get(r->plan, "steps"), version_of(row)));
	}
	if (problem && mark != '>') {
		buf_puts(out, applied(row) ? "  " : "");
		add_problem(out, problem);
	}
	while (out->len > line && out->data[out->len - 1] == ' ')
		buf_truncate(out, out->len - 1);
	text_cut(out, line, r->width);
	buf_putc(out, '\n');
}

/* What was applied long ago, but for what is wrong with it. */
static void add_before(struct buf *out, struct rows *r)
{
	size_t wrong = 0, quiet = 0;

	for (size_t i = 0; i < r->first; i++) {
		const struct doc_node *row = doc_at(r->migrations, i);

		if (mark_of(r, row, by_version(r->problems, version_of(row))) == 'X' || wrong == PENDING_SHOWN) {
			quiet++;
		} else {
			wrong++;
			add_row(out, r, row);
		}
	}
	if (quiet > 0)
		buf_printf(out, " ...  %zu before: alterctl list\n", quiet);
}

bool status_list(struct buf *out, const struct doc_node *list, const struct doc_node *plan, const struct doc_node *job,
		 int width)
{
	struct rows r = {
		.migrations = doc_get(list, "migrations"),
		.problems = doc_get(list, "problems"),
		.plan = plan,
		.folder = doc_get(list, "format") != NULL,
		.width = width,
	};

	r.running = progress_read(job, &r.job) && !progress_ended(&r.job) && r.job.version >= 0;
	choose(&r);
	measure(&r);
	add_before(out, &r);
	for (size_t i = r.first; i < r.end; i++)
		add_row(out, &r, doc_at(r.migrations, i));
	if (r.left_out > 0)
		buf_printf(out, " ...  %zu more pending: alterctl list\n", r.left_out);
	return r.job_shown;
}
