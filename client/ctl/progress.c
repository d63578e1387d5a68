/*
 * A migration job as one line:
 *
 *     m7 alter  copying expenses  [########------------]  41.2%  412k/~1.0M  58k/s  ETA 10s   (throttled: writer busy)
 *
 * Pure: reads a job object, writes text. What does not fit the width is left out from the least telling end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/ctl.h"

#define BAR_CELLS 20
#define SHORT_BAR_CELLS 10
/* Shown at most before the job is done: "100 %" that goes on for minutes is worse than no number. */
#define PERCENT_BEFORE_DONE 99.9

static int64_t number(const struct doc_node *job, const char *key) { return doc_int(doc_get(job, key), -1); }

static const char *text(const struct doc_node *job, const char *key, const char *fallback)
{
	return doc_str(doc_get(job, key), fallback);
}

bool progress_read(const struct doc_node *job, struct progress *ret)
{
	const struct doc_node *throttled = doc_get(job, "throttled");

	if (doc_type(job) != DOC_OBJECT)
		return false;
	*ret = (struct progress){
		.id = text(job, "id", text(job, "job", "")),
		.state = text(job, "state", ""),
		.phase = text(job, "phase", ""),
		.table = text(job, "table", ""),
		.name = text(job, "name", ""),
		.throttled = doc_str(throttled, NULL),
		.reason = text(job, "paused_reason", text(job, "reason", NULL)),
		.version = number(job, "version"),
		.rows_done = number(job, "rows_done"),
		.rows_total = number(job, "rows_total"),
		.rows_per_s = (int64_t)doc_real(doc_get(job, "rows_per_s"), -1),
		.percent = doc_real(doc_get(job, "percent"), -1),
		.eta_s = doc_real(doc_get(job, "eta_s"), -1),
		.exact = doc_bool(doc_get(job, "rows_exact"), false),
		.postponed = doc_bool(doc_get(job, "postponed_cutover"), false),
	};
	return true;
}

bool progress_ended(const struct progress *p)
{
	return strcmp(p->state, "done") == 0 || strcmp(p->state, "failed") == 0 || strcmp(p->state, "aborted") == 0;
}

void progress_title(struct buf *out, const struct progress *p)
{
	if (p->version >= 0)
		buf_printf(out, "%" PRId64 " ", p->version);
	else
		buf_printf(out, "%s ", p->id);
	if (*p->name)
		text_safe(out, p->name, strlen(p->name));
	else
		buf_puts(out, "alter");
}

void progress_doing(struct buf *out, const struct progress *p)
{
	static const struct {
		const char *phase, *words;
	} words[] = {
		{"preparing", "preparing"},       {"backfilling", "copying"}, {"indexing", "building the indexes of"},
		{"verifying", "verifying"},       {"ready", "ready to swap"}, {"swapping", "swapping"},
		{"retiring", "emptying the old"},
	};
	const char *verb = *p->phase ? p->phase : p->state;

	if (progress_ended(p) || strcmp(p->state, "queued") == 0)
		verb = p->state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && verb == p->phase; i++) {
		if (strcmp(p->phase, words[i].phase) == 0)
			verb = words[i].words;
	}
	buf_puts(out, verb);
	if (*p->table) {
		buf_putc(out, ' ');
		text_safe(out, p->table, strlen(p->table));
	}
}

double progress_percent(const struct progress *p)
{
	double v = p->percent;

	if (strcmp(p->state, "done") == 0)
		return 100;
	if (v > PERCENT_BEFORE_DONE)
		v = PERCENT_BEFORE_DONE;
	return v < 0 ? 0 : v;
}

static void bar(struct buf *out, double percent, int cells)
{
	int full = (int)(percent * cells / 100);

	buf_puts(out, "  [");
	for (int i = 0; i < cells; i++)
		buf_putc(out, i < full ? '#' : '-');
	buf_putc(out, ']');
}

/* Before the rows are counted there is nothing to tell. */
bool progress_counted(const struct progress *p) { return p->rows_done > 0 || (p->rows_done == 0 && p->rows_total > 0); }

void progress_rows(struct buf *out, const struct progress *p)
{
	text_count(out, p->rows_done);
	if (p->rows_total < 0)
		return;
	buf_puts(out, p->exact ? "/" : "/~");
	text_count(out, p->rows_total);
}

static void pace(struct buf *out, const struct progress *p, const char *unit)
{
	if (strcmp(p->state, "running") != 0)
		return;
	if (p->rows_per_s > 0) {
		buf_puts(out, "  ");
		text_count(out, p->rows_per_s);
		buf_puts(out, unit);
	}
	if (p->eta_s >= 0) {
		buf_puts(out, "  ETA ");
		text_seconds(out, p->eta_s);
	}
}

void progress_remark(struct buf *out, const struct progress *p)
{
	const char *why = NULL, *word = NULL;

	if (strcmp(p->state, "paused") == 0) {
		word = "paused";
		why = p->reason ? p->reason : p->throttled;
	} else if (p->postponed && strcmp(p->phase, "ready") == 0) {
		word = "waiting for alterctl cutover";
	} else if (p->throttled) {
		word = "throttled";
		why = p->throttled;
	}
	if (!word)
		return;
	buf_puts(out, word);
	if (why && *why) {
		buf_puts(out, ": ");
		text_safe(out, why, strlen(why));
	}
}

static void in_brackets(struct buf *out, const struct progress *p)
{
	struct buf text = {0};

	progress_remark(&text, p);
	if (text.len > 0)
		buf_printf(out, "   (%s)", buf_cstr(&text));
	buf_free(&text);
}

static bool too_wide(struct buf *b, int width) { return width > 0 && text_width(buf_cstr(b), b->len) > width; }

/* The line with a bar of so many cells, 0: without. */
static void compose(struct buf *out, const struct progress *p, int bar_cells)
{
	progress_title(out, p);
	buf_puts(out, "  ");
	progress_doing(out, p);
	if (bar_cells > 0)
		bar(out, progress_percent(p), bar_cells);
	buf_printf(out, "  %4.1f%%", progress_percent(p));
	if (progress_counted(p)) {
		buf_puts(out, "  ");
		progress_rows(out, p);
	}
	pace(out, p, "/s");
	in_brackets(out, p);
}

void progress_line(struct buf *out, const struct progress *p, int width)
{
	static const int bars[] = {BAR_CELLS, SHORT_BAR_CELLS, 0};
	struct buf line = {0};

	for (size_t i = 0; i < 3 && (i == 0 || too_wide(&line, width)); i++) {
		buf_reset(&line, line.cap);
		compose(&line, p, bars[i]);
	}
	if (too_wide(&line, width))
		buf_truncate(&line, text_fit(buf_cstr(&line), line.len, width));
	buf_add(out, buf_cstr(&line), line.len);
	buf_free(&line);
}

void progress_words(struct buf *out, const struct progress *p, int width)
{
	size_t at = out->len;

	progress_doing(out, p);
	if (strcmp(p->state, "queued") != 0)
		buf_printf(out, " %.1f%%", progress_percent(p));
	if (progress_counted(p)) {
		buf_puts(out, " (");
		progress_rows(out, p);
		buf_putc(out, ')');
	}
	pace(out, p, " rows/s");
	in_brackets(out, p);
	text_cut(out, at, width);
}
