/*
 * A look at the daemon as a screen:
 *
 *     alterd  /var/lib/alterd/app.db   version 12   pending 3
 *     running   up 2h 13m   sessions 5   alterd/1.0.0
 *
 *     13 split_name  copying user
 *     [################------------------------]  41.2%
 *     412k/~1.0M rows   58k rows/s   ETA 10s   12s so far
 *     throttled: writer wait 31ms > 20ms
 *     changes applied 381   rows a batch 500   duty 60%
 *
 *     clients           now       peak  the last minute
 *     statements/s    1,203      1,410  ▂▂▃▃▅█▆▅▅▅
 *     errors/s            0          0  ▁▁▁▁▁▁▁▁▁▁
 *     wait p50       0.1 ms     0.2 ms  ..
 *     wait p99, longest likewise
 *     writer queue 0   wal 3.9 MiB   db 70.0 MiB
 *
 *     q quit  p pause
 *
 * Each line has a rank. Where the terminal has too few rows the least telling lines are left out, whole. Pure.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/ctl/status.h"

#define LINES_MAX 32
#define LABEL_WIDTH 13
#define FIGURE_WIDTH 11
/* Below this the peak is left out, for the graph's sake. */
#define PEAK_FROM 60
#define BAR_WIDEST 72
#define ERROR_LINES 4
/* " 100.0%", and a blank before it. */
#define PERCENT_WIDTH 8

enum paint { PLAIN, BOLD, DIM, GREEN, YELLOW, RED };

static const char *const colors[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m"};

struct line {
	struct buf text;
	int rank; /* 1: stays longest */
	enum paint paint;
};

struct page {
	const struct watch_view *v;
	struct line lines[LINES_MAX];
	size_t n;
	int columns;
};

/* A new line; the buffer is its text. */
static struct buf *line(struct page *p, int rank, enum paint paint)
{
	struct line *l = &p->lines[p->n < LINES_MAX ? p->n++ : LINES_MAX - 1];

	l->rank = rank;
	l->paint = paint;
	return &l->text;
}

/* ---- the head ---- */

static void add_head(struct page *p)
{
	const struct doc_node *s = p->v->status;
	const char *database = doc_str(doc_get(s, "database"), p->v->socket), *slash = strrchr(database, '/');
	struct buf *out = line(p, 1, BOLD);
	struct buf tail = {0};

	buf_printf(&tail, "   version %" PRId64 "   pending %" PRId64, doc_int(doc_get(s, "version"), 0),
		   status_pending(s));
	buf_puts(out, "alterd  ");
	/* The name alone where the whole path would push the rest away. */
	if (slash && text_width(database, strlen(database)) + 8 + (int)tail.len > p->columns)
		database = slash + 1;
	text_safe(out, database, strlen(database));
	buf_add(out, tail.data, tail.len);
	buf_free(&tail);

	out = line(p, 7, p->v->lost ? RED : DIM);
	if (p->v->lost) {
		p->lines[p->n - 1].rank = 1;
		buf_puts(out, "reconnecting ...  ");
		text_flat(out, p->v->lost);
		return;
	}
	buf_printf(out, "%s   up ", doc_str(doc_get(s, "state"), "?"));
	text_seconds(out, doc_real(doc_get(s, "uptime_s"), 0));
	buf_printf(out, "   sessions %" PRId64 "   %s", doc_int(doc_get(s, "sessions"), 0),
		   doc_str(doc_get(s, "server"), ""));
}

/* ---- the job ---- */

static enum paint paint_of(const struct progress *j)
{
	if (strcmp(j->state, "failed") == 0)
		return RED;
	return strcmp(j->state, "running") == 0 ? GREEN : YELLOW;
}

static void add_bar(struct page *p, const struct progress *j)
{
	struct buf *out = line(p, 2, paint_of(j));
	int columns = p->columns - PERCENT_WIDTH;

	graph_bar(out, progress_percent(j), columns > BAR_WIDEST ? BAR_WIDEST : columns, p->v->utf8);
	buf_printf(out, " %5.1f%%", progress_percent(j));
}

static void add_pace(struct page *p, const struct doc_node *job, const struct progress *j)
{
	struct buf *out = line(p, 3, PLAIN);
	bool narrow = p->columns < PEAK_FROM;
	const char *gap = narrow ? "  " : "   ";

	if (progress_counted(j)) {
		progress_rows(out, j);
		buf_printf(out, "%s%s", narrow ? "" : " rows", gap);
	}
	if (j->rows_per_s > 0) {
		text_count(out, j->rows_per_s);
		buf_printf(out, "%s%s", narrow ? "/s" : " rows/s", gap);
	}
	buf_puts(out, "ETA ");
	if (j->eta_s >= 0)
		text_seconds(out, j->eta_s);
	else
		buf_putc(out, '-');
	buf_puts(out, gap);
	text_seconds(out, doc_real(doc_get(job, "elapsed_s"), 0));
	buf_puts(out, " so far");
}

/* Why it waits: always a line, so that what is below stays where it is. */
static void add_reason(struct page *p, const struct doc_node *job, const struct progress *j)
{
	struct buf text = {0};

	progress_remark(&text, j);
	if (text.len == 0 && doc_bool(doc_get(job, "throttled_by_hand"), false))
		buf_puts(&text, "throttled by hand");
	struct buf *out = line(p, text.len > 0 ? 4 : 9, YELLOW);
	buf_add(out, buf_cstr(&text), text.len);
	buf_free(&text);
}

static void add_running(struct page *p, const struct doc_node *job, const struct progress *j)
{
	struct buf *out = line(p, 2, BOLD);

	progress_title(out, j);
	buf_puts(out, "  ");
	progress_doing(out, j);
	if (doc_int(doc_get(job, "steps"), 1) > 1)
		buf_printf(out, "   (%" PRId64 " of %" PRId64 ")", doc_int(doc_get(job, "step"), 1),
			   doc_int(doc_get(job, "steps"), 1));
	add_bar(p, j);
	add_pace(p, job, j);
	add_reason(p, job, j);
	out = line(p, 8, DIM);
	buf_printf(out, "changes applied %" PRId64 "   rows a batch %" PRId64 "   duty %" PRId64 "%%",
		   doc_int(doc_get(job, "changes_applied"), 0), doc_int(doc_get(job, "batch_rows"), 0),
		   doc_int(doc_get(job, "duty_percent"), 0));
}

/* Why it failed, over as many lines as it takes, up to some. */
static void add_error(struct page *p, const char *error)
{
	struct buf text = {0};
	const char *at;

	text_flat(&text, error);
	at = buf_cstr(&text);
	for (int i = 0; i < ERROR_LINES && *at; i++) {
		size_t n = text_fit(at, strlen(at), p->columns), blank = n;

		while (at[n] && blank > 0 && at[blank] != ' ')
			blank--;
		/* A word that is longer than a line is cut where the line ends. */
		if (at[n] && blank > 0)
			n = blank;
		if (n == 0)
			break;
		buf_add(line(p, i == 0 ? 2 : 3, RED), at, n);
		at += n + (at[n] == ' ');
	}
	buf_free(&text);
}

static void add_ended(struct page *p, const struct doc_node *job, const struct progress *j)
{
	struct buf *out = line(p, 2, strcmp(j->state, "failed") == 0 ? RED : PLAIN);

	status_ended(out, j);
	buf_puts(out, "   took ");
	text_took(out, doc_real(doc_get(job, "took_ms"), 0));
	if (doc_real(doc_get(job, "swap_ms"), -1) >= 0)
		buf_printf(out, "   swap %.1f ms", doc_real(doc_get(job, "swap_ms"), 0));
	if (status_error(job))
		add_error(p, status_error(job));
}

static void add_change(struct page *p)
{
	const struct doc_node *job = doc_get(p->v->status, "job");
	struct progress j;
	struct buf *out;

	if (!progress_read(job, &j)) {
		out = line(p, 2, DIM);
		buf_puts(out, "no migration has run yet");
	} else if (!progress_ended(&j)) {
		add_running(p, job, &j);
	} else {
		add_ended(p, job, &j);
	}
}

/* ---- the clients ---- */

static void add_figure(struct buf *out, double v, const char *unit)
{
	struct buf text = {0};

	if (*unit)
		buf_printf(&text, v < 100 ? "%.1f %s" : "%.0f %s", v, unit);
	else
		text_number(&text, (int64_t)(v + 0.5));
	for (int n = FIGURE_WIDTH - (int)text.len; n > 0; n--)
		buf_putc(out, ' ');
	buf_puts(out, buf_cstr(&text));
	buf_free(&text);
}

static void add_graph(struct page *p, int rank, const char *label, const struct doc_node *numbers, const char *unit)
{
	double now = graph_last(numbers);
	bool peaks = p->columns >= PEAK_FROM;
	int left = p->columns - LABEL_WIDTH - (peaks ? 2 : 1) * FIGURE_WIDTH - 2;
	bool errors = strcmp(label, "errors/s") == 0;
	struct buf *out = line(p, rank, errors && graph_peak(numbers) > 0 ? RED : PLAIN);

	buf_printf(out, "%-*s", LABEL_WIDTH, label);
	add_figure(out, now, unit);
	if (peaks)
		add_figure(out, graph_peak(numbers), unit);
	buf_puts(out, "  ");
	graph_row(out, numbers, left > 60 ? 60 : left, p->v->utf8);
}

static void add_clients(struct page *p)
{
	const struct doc_node *r = p->v->recent, *s = p->v->status;
	struct buf *out;

	if (r) {
		out = line(p, 8, DIM);
		if (p->columns >= PEAK_FROM)
			buf_printf(out, "%-*s%*s%*s  the last minute", LABEL_WIDTH, "clients", FIGURE_WIDTH, "now",
				   FIGURE_WIDTH, "peak");
		else
			buf_printf(out, "%-*s%*s  the last minute", LABEL_WIDTH, "clients", FIGURE_WIDTH, "now");
		add_graph(p, 4, "statements/s", doc_get(r, "statements_per_s"), "");
		add_graph(p, 6, "errors/s", doc_get(r, "errors_per_s"), "");
		add_graph(p, 7, "wait p50", doc_get(r, "writer_wait_ms.p50"), "ms");
		add_graph(p, 5, "wait p99", doc_get(r, "writer_wait_ms.p99"), "ms");
		add_graph(p, 4, "wait longest", doc_get(r, "writer_wait_ms.max"), "ms");
		add_graph(p, 8, "reads p99", doc_get(r, "query_ms.p99"), "ms");
	}
	out = line(p, 5, PLAIN);
	buf_printf(out, "queue %" PRId64 "   wal ", doc_int(doc_get(s, "writer.queue"), 0));
	text_bytes(out, doc_int(doc_get(s, "wal_bytes"), 0));
	buf_puts(out, "   db ");
	text_bytes(out, doc_int(doc_get(s, "db_bytes"), 0));
	if (doc_real(doc_get(r, "waiting_ms"), 0) >= 1000) {
		p->lines[p->n - 1].paint = YELLOW;
		buf_puts(out, "   a client waits since ");
		text_seconds(out, doc_real(doc_get(r, "waiting_ms"), 0) / 1000);
	}
}

/* ---- the foot ---- */

static void add_foot(struct page *p)
{
	const struct watch_view *v = p->v;
	struct progress j;
	bool open = progress_read(doc_get(v->status, "job"), &j) && !progress_ended(&j) && !v->lost;
	struct buf *out = line(p, 1, v->question || v->notice ? BOLD : DIM);

	if (v->question) {
		buf_printf(out, "%s  y/n", v->question);
		return;
	}
	if (v->notice) {
		text_flat(out, v->notice);
		return;
	}
	buf_puts(out, v->keys ? "q quit" : "Ctrl-C quits");
	if (v->keys && v->may_control && open)
		buf_puts(out, strcmp(j.state, "paused") == 0 ? "  r resume" : "  p pause");
	buf_printf(out, "   every %g s", v->interval_s);
}

/* ---- fitting ---- */

/* Takes out the lines of the greatest rank until there are at most `rows`; of one rank the lowest first. */
static void fit(struct page *p, int rows)
{
	while ((int)p->n > rows && p->n > 1) {
		size_t worst = 0;

		for (size_t i = 0; i < p->n; i++)
			if (p->lines[i].rank >= p->lines[worst].rank)
				worst = i;
		buf_free(&p->lines[worst].text);
		memmove(&p->lines[worst], &p->lines[worst + 1], (p->n - worst - 1) * sizeof(p->lines[0]));
		p->n--;
	}
}

static void print(struct page *p, struct buf *out, int rows)
{
	for (size_t i = 0; i < p->n; i++) {
		struct line *l = &p->lines[i];
		size_t n = text_fit(buf_cstr(&l->text), l->text.len, p->columns);
		bool paints = p->v->color && l->paint != PLAIN;

		/* The foot stands in the last row. */
		for (int gap = i + 1 == p->n ? rows - (int)p->n : 0; gap > 0; gap--)
			buf_putc(out, '\n');
		buf_puts(out, paints ? colors[l->paint] : "");
		buf_add(out, buf_cstr(&l->text), n);
		buf_puts(out, paints ? "\033[0m" : "");
		buf_puts(out, i + 1 < p->n ? "\n" : "");
		buf_free(&l->text);
	}
}

void watch_screen(struct buf *out, const struct watch_view *v, int rows, int columns)
{
	struct page p = {.v = v, .columns = columns};

	add_head(&p);
	if (v->status) {
		line(&p, 10, PLAIN);
		add_change(&p);
		line(&p, 10, PLAIN);
		add_clients(&p);
	}
	add_foot(&p);
	fit(&p, rows);
	print(&p, out, rows);
}

void watch_line(struct buf *out, const struct watch_view *v)
{
	const struct doc_node *job = doc_get(v->status, "job"), *r = v->recent;
	time_t now = time(NULL);
	struct tm t;
	char clock[16];
	struct progress j;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &t));
	buf_printf(out, "%s  ", clock);
	if (!progress_read(job, &j))
		buf_printf(out, "version %" PRId64, doc_int(doc_get(v->status, "version"), 0));
	else if (!progress_ended(&j))
		progress_line(out, &j, 0);
	else
		status_ended(out, &j);
	if (r) {
		buf_printf(out, "   %.0f statements/s  %.0f errors/s  wait p99 %.1f  longest %.1f ms",
			   graph_last(doc_get(r, "statements_per_s")), graph_last(doc_get(r, "errors_per_s")),
			   graph_last(doc_get(r, "writer_wait_ms.p99")), graph_last(doc_get(r, "writer_wait_ms.max")));
	}
	buf_putc(out, '\n');
}
