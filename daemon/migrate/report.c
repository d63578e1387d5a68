/* Records as JSON. */
#include "daemon/migrate/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/clock.h"
#include "proto/response.h"

static enum phase shown_phase(const struct record *r)
{
	enum phase p = r->p.phase;
	if (p == PHASE_ABORT || (p == PHASE_END && r->error_code))
		return r->p.failed_in;
	return p;
}

/* What has ended but is not yet written down as ended still counts as running: nothing is told that a crash takes back.
 */
static const char *shown_state(const struct record *r, bool live)
{
	if (live && r->state != JOB_RUNNING && r->state != JOB_QUEUED)
		return job_state_name(JOB_RUNNING);
	bool open = r->state == JOB_RUNNING || r->state == JOB_QUEUED;
	return open && r->control.paused ? "paused" : job_state_name(r->state);
}

static bool swapped(const struct record *r) { return r->p.swap_us >= 0; }

static int64_t rows_total(const struct record *r)
{
	return r->p.rows_total > r->p.rows_done ? r->p.rows_total : r->p.rows_done;
}

double report_percent(const struct record *r)
{
	if (swapped(r) || r->state == JOB_DONE)
		return 100;
	int64_t total = rows_total(r);
	double percent = total > 0                     ? 100.0 * (double)r->p.rows_done / (double)total
			 : r->p.phase > PHASE_BACKFILL ? 99.9
						       : 0;
	return percent > 99.9 ? 99.9 : percent;
}

static double elapsed_s(const struct record *r)
{
	if (!r->started_ms)
		return 0;
	int64_t to = r->ended_ms ? r->ended_ms : clock_wall_ms();
	return to > r->started_ms ? (double)(to - r->started_ms) / 1000.0 : 0;
}

static void id(struct buf *out, const char *key, const struct record *r)
{
	char text[32];
	snprintf(text, sizeof(text), "m%lld", (long long)r->id);
	jw_str(out, key, text);
}

/* What it is a change of: a version of a run, or a table alone. */
static void title(struct buf *out, const struct record *r)
{
	if (r->run.steps) {
		jw_int(out, "version", r->run.version);
		jw_str(out, "name", r->name ? r->name : "");
		jw_str(out, "direction", r->run.down ? "down" : "up");
	} else {
		jw_null(out, "version");
		jw_str(out, "name", "alter");
	}
	jw_str(out, "table", *r->table ? r->table : NULL);
}

static void times(struct buf *out, const struct record *r)
{
	jw_real(out, "longest_hold_ms", (double)r->p.longest_hold_us / 1000.0, 3);
	jw_real(out, "longest_wait_ms", (double)r->p.longest_wait_us / 1000.0, 3);
	if (swapped(r)) {
		jw_real(out, "swap_ms", (double)r->p.swap_us / 1000.0, 3);
		jw_int(out, "verified_rows", r->p.verified_rows);
	}
}

/* Statements done of a version that is run in pieces. */
static int64_t statements_done(const struct record *r) { return swapped(r) ? r->run.done_behind : r->run.done_before; }

/* The job has failed, or was aborted, behind the first pieces of a version. */
static bool leaves_partial(const struct record *r)
{
	return r->error_code && statements_done(r) > 0 && statements_done(r) < r->run.done_total;
}

static void partial(struct buf *out, const struct record *r)
{
	jw_open(out, '{');
	jw_int(out, "done", statements_done(r));
	jw_int(out, "total", r->run.done_total);
	jw_close(out, '}');
}

static void failure(struct buf *out, const struct record *r)
{
	if (!r->error_code)
		return;
	jw_str(out, "error", r->error_text);
	jw_str(out, "error_name", r->error_name);
	if (leaves_partial(r)) {
		jw_key(out, "partial");
		partial(out, r);
	}
	jw_json(out, "rows", r->error_rows ? r->error_rows : "[]");
	jw_int(out, "count", r->error_count);
}

static void start_time(struct buf *out, const struct record *r)
{
	char text[32];
	if (!r->started_ms) {
		jw_null(out, "started");
		return;
	}
	clock_format(r->started_ms, 0, text);
	jw_str(out, "started", text);
}

void report_partial(struct buf *out, int64_t version, int64_t done, int64_t total)
{
	jw_open(out, '{');
	jw_int(out, "version", version);
	jw_str(out, "state", "partial");
	jw_int(out, "done", done);
	jw_int(out, "total", total);
	jw_close(out, '}');
}

/* Who asked, and who consented to what was lost, as far as that is known. */
static void people(struct buf *out, const struct record *r)
{
	jw_str(out, "applied_by", r->applied_by);
	jw_str(out, "consented_by", r->consented_by);
}

void report_job(struct buf *out, const struct record *r, const struct report_live *live)
{
	jw_open(out, '{');
	id(out, "id", r);
	id(out, "job", r);
	title(out, r);
	if (r->run.steps) {
		jw_int(out, "from", r->run.from_version);
		jw_int(out, "to", r->run.to_version);
		jw_int(out, "step", r->run.step + 1);
		jw_int(out, "steps", r->run.steps);
	}
	jw_str(out, "strategy", r->strategy);
	jw_str(out, "state", shown_state(r, live != NULL));
	jw_str(out, "phase", phase_wire(shown_phase(r)));
	jw_int(out, "rows_done", r->p.rows_done);
	jw_int(out, "rows_total", rows_total(r));
	jw_bool(out, "rows_exact", r->p.rows_exact != 0);
	jw_real(out, "percent", report_percent(r), 1);
	jw_real(out, "rows_per_s", live ? live->rows_per_s : 0, 0);
	if (live && live->eta_s >= 0)
		jw_int(out, "eta_s", live->eta_s);
	else
		jw_null(out, "eta_s");
	jw_str(out, "throttled", live ? live->throttled : NULL);
	jw_bool(out, "throttled_by_hand", live && live->by_hand);
	jw_int(out, "batch_rows", live ? live->batch_rows : r->control.batch_rows);
	jw_int(out, "duty_percent", live ? live->duty_percent : r->control.duty_percent);
	jw_int(out, "changes_applied", r->p.changes_applied);
	jw_int(out, "restarts", r->p.restarts);
	start_time(out, r);
	jw_real(out, "elapsed_s", elapsed_s(r), 1);
	jw_bool(out, "postponed_cutover", r->control.postpone != 0 && !swapped(r));
	times(out, r);
	if (r->ended_ms)
		jw_int(out, "took_ms", (int64_t)(elapsed_s(r) * 1000));
	failure(out, r);
	jw_close(out, '}');
}

/* Offending rows are left out: they may be large, and migrate.status has them. */
void report_event(struct buf *out, const struct record *r, const struct report_live *live)
{
	jw_open(out, '{');
	id(out, "job", r);
	jw_str(out, "state", shown_state(r, live != NULL));
	jw_str(out, "phase", phase_wire(shown_phase(r)));
	jw_real(out, "percent", report_percent(r), 1);
	if (live && live->eta_s >= 0)
		jw_int(out, "eta_s", live->eta_s);
	else
		jw_null(out, "eta_s");
	jw_str(out, "throttled", live ? live->throttled : NULL);
	title(out, r);
	jw_int(out, "rows_done", r->p.rows_done);
	jw_int(out, "rows_total", rows_total(r));
	jw_real(out, "rows_per_s", live ? live->rows_per_s : 0, 0);
	if (r->ended_ms) {
		times(out, r);
		jw_int(out, "took_ms", (int64_t)(elapsed_s(r) * 1000));
	}
	if (r->error_code) {
		jw_str(out, "error", r->error_text);
		jw_str(out, "error_name", r->error_name);
		jw_int(out, "count", r->error_count);
	}
	jw_close(out, '}');
}

void report_history(struct buf *out, const struct record *r)
{
	jw_open(out, '{');
	id(out, "job", r);
	title(out, r);
	jw_str(out, "strategy", r->strategy);
	jw_str(out, "sql", r->sql);
	people(out, r);
	jw_str(out, "state", shown_state(r, false));
	jw_str(out, "phase", phase_wire(shown_phase(r)));
	start_time(out, r);
	jw_int(out, "took_ms", (int64_t)(elapsed_s(r) * 1000));
	jw_int(out, "rows", r->p.rows_done);
	jw_int(out, "rows_done", r->p.rows_done);
	jw_int(out, "rows_total", rows_total(r));
	jw_real(out, "percent", report_percent(r), 1);
	times(out, r);
	if (!r->error_code)
		jw_null(out, "error");
	failure(out, r);
	jw_close(out, '}');
}

/* A version's error begins with its file, and the line where there is one. */
static void place(const struct record *r, struct error *err)
{
	size_t n = r->file ? strlen(r->file) : 0;

	if (r->run.steps == 0 || n == 0)
		return;
	error_add_str(err, "file", r->file);
	if (!r->error_text || strncmp(r->error_text, r->file, n) != 0 || r->error_text[n] != ':')
		return;
	long long line = strtoll(r->error_text + n + 1, NULL, 10);
	if (line > 0)
		error_add_int(err, "line", line);
}

void report_error(const struct record *r, struct error *err)
{
	char job[32];

	error_set(err, r->state == JOB_ABORTED ? ERRC_ABORTED : ERRC_FAILED_MIGRATION, "%s",
		  r->error_text ? r->error_text : "the migration failed");
	snprintf(job, sizeof(job), "m%lld", (long long)r->id);
	error_add_str(err, "job", job);
	error_add_str(err, "state", job_state_name(r->state));
	error_add_str(err, "phase", phase_wire(shown_phase(r)));
	place(r, err);
	if (leaves_partial(r)) {
		struct buf text = {0};
		partial(&text, r);
		error_add_json(err, "partial", buf_cstr(&text));
		buf_free(&text);
	}
	error_add_json(err, "rows", r->error_rows ? r->error_rows : "[]");
	error_add_int(err, "count", r->error_count);
}

void report_line(char *out, size_t size, const struct record *r, const struct report_live *live)
{
	if (live && live->eta_s >= 0)
		snprintf(out, size, "m%lld %s %s %.1f%%, %.0f rows/s, ETA %lld s", (long long)r->id, r->table,
			 phase_wire(shown_phase(r)), report_percent(r), live->rows_per_s, (long long)live->eta_s);
	else
		snprintf(out, size, "m%lld %s %s %.1f%%", (long long)r->id, r->table, phase_wire(shown_phase(r)),
			 report_percent(r));
}
