/*
 * The exposition: each family once, with # HELP and # TYPE before its samples. Names keep to base units (seconds,
 * bytes) and end in _total where they only grow.
 */
#include "daemon/server/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/lib/histogram.h"
#include "daemon/lib/log.h"
#include "daemon/server/internal.h"
#include "daemon/server/session.h"
#include "proto/utf8.h"

void metrics_label(struct buf *out, const char *value)
{
	const uint8_t *p = (const uint8_t *)value;
	size_t left = strlen(value);

	buf_putc(out, '"');
	while (left > 0) {
		unsigned n = *p < 0x80 ? 1 : utf8_sequence(p, left);

		if (*p == '\\' || *p == '"')
			buf_printf(out, "\\%c", *p);
		else if (*p == '\n')
			buf_puts(out, "\\n");
		else if (n == 0)
			buf_puts(out, "\xef\xbf\xbd");
		else
			buf_add(out, p, n);
		n = n ? n : 1;
		p += n;
		left -= n;
	}
	buf_putc(out, '"');
}

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP alterd_%s %s\n# TYPE alterd_%s %s\n", name, help, name, type);
}

/* A family of one sample. */
static void whole(struct buf *out, const char *name, const char *type, const char *help, int64_t v)
{
	family(out, name, type, help);
	buf_printf(out, "alterd_%s %" PRId64 "\n", name, v);
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t v)
{
	whole(out, name, "counter", help, (int64_t)v);
}

static void gauge(struct buf *out, const char *name, const char *help, int64_t v)
{
	whole(out, name, "gauge", help, v);
}

static void seconds(struct buf *out, const char *name, const char *help, double v)
{
	family(out, name, "gauge", help);
	buf_printf(out, "alterd_%s %.3f\n", name, v);
}

/* One of several samples of a family. */
static void sample(struct buf *out, const char *name, const char *label, const char *value, uint64_t v)
{
	buf_printf(out, "alterd_%s{%s=", name, label);
	metrics_label(out, value);
	buf_printf(out, "} %" PRIu64 "\n", v);
}

static void histogram(struct buf *out, const char *name, const char *help, const struct histogram *h)
{
	struct histogram_snapshot s;

	histogram_snapshot(h, &s);
	family(out, name, "histogram", help);
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++)
		buf_printf(out, "alterd_%s_bucket{le=\"%.6f\"} %" PRIu64 "\n", name,
			   (double)(UINT64_C(1) << (HISTOGRAM_FIRST_BOUND + i)) / 1e6, s.below[i]);
	buf_printf(out, "alterd_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, s.count);
	buf_printf(out, "alterd_%s_sum %.9f\n", name, (double)s.sum_ns / 1e9);
	buf_printf(out, "alterd_%s_count %" PRIu64 "\n", name, s.count);
}

static void write_daemon(struct server *server, struct buf *out)
{
	const struct stats *st = &server->stats;

	family(out, "build_info", "gauge", "Versions of the daemon and of SQLite; always 1.");
	buf_puts(out, "alterd_build_info{version=");
	metrics_label(out, ALTERD_VERSION);
	buf_puts(out, ",sqlite=");
	metrics_label(out, store_sqlite_version());
	buf_puts(out, "} 1\n");
	gauge(out, "up", "1 while the daemon takes requests, 0 while it ends.", server->state == SERVER_RUNNING);
	seconds(out, "uptime_seconds", "Time since the start.",
		(double)(uv_now(server->loop) - server->started_ms) / 1000);
	gauge(out, "sessions", "Clients connected.", server_count_sessions(server));
	gauge(out, "sessions_max", "Clients at once, at most (server.sessions).", server->config.server_sessions);
	counter(out, "sessions_total", "Clients that came.", st->sessions_total);
	counter(out, "sessions_refused_total", "Clients turned away: too many, or no descriptor left.",
		st->sessions_refused_total);
	counter(out, "sessions_killed_total", "Sessions ended by an administrator.", st->killed_total);
	counter(out, "slow_readers_total", "Clients closed because they took none of their answers.",
		st->slow_readers_total);
	counter(out, "requests_total", "Requests taken.", st->requests_total);
	counter(out, "skipped_lines_total", "Requests that were too long, or refused by the input budget.",
		st->skipped_lines_total);
	counter(out, "reading_paused_total", "Times a client was not read on: too much of its own in flight.",
		st->reading_paused_total);
	counter(out, "output_paused_total", "Times a client was not served on: too many answers not taken.",
		st->output_paused_total);
	gauge(out, "input_bytes", "Long requests held.", (int64_t)server->input_charged);
	gauge(out, "output_bytes", "Answers not taken yet.", (int64_t)server->output_bytes);
	counter(out, "log_fallbacks_total", "Log entries that the journal did not take.", log_fallbacks());
	counter(out, "scrapes_total", "Requests on the metrics socket.", st->scrapes_total);
	counter(out, "scrapes_refused_total", "Of them, those not answered with metrics.", st->scrapes_refused_total);
	family(out, "errors_total", "counter", "Errors answered, by name.");
	metrics_write_errors(st, out);
}

static void write_reasons(const struct store_stats *st, struct buf *out)
{
	family(out, "requests_stopped_total", "counter", "Requests stopped before their end, by the reason.");
	for (int why = STOP_CANCEL; why <= STOP_SHUTDOWN; why++)
		sample(out, "requests_stopped_total", "reason", server_stop_word((enum stop_reason)why),
		       st->stopped_total[why]);
}

static void write_statements(struct server *server, const struct store_stats *st, struct buf *out)
{
	struct store *s = server->store;

	family(out, "queries_total", "counter", "Statements and other work for clients, by what it is.");
	sample(out, "queries_total", "kind", "read", st->queries_total);
	sample(out, "queries_total", "kind", "write", st->writes_total);
	counter(out, "quick_reads_total", "Of the reads, those the loop did itself.", st->quick_reads_total);
	histogram(out, "query_duration_seconds", "Time of reads, without waiting.", store_times(s, STORE_TIMES_QUERY));
	histogram(out, "write_duration_seconds", "Time of clients' work on the writer, without waiting and commit.",
		  store_times(s, STORE_TIMES_WRITE));
	histogram(out, "commit_duration_seconds", "Time of commits of clients' writes.",
		  store_times(s, STORE_TIMES_COMMIT));
	counter(out, "commits_total", "Commits that carried clients' writes.", st->groups_total);
	write_reasons(st, out);
	counter(out, "tx_expired_total", "Transactions whose time was up.", st->tx_expired_total);
	counter(out, "cursor_expired_total", "Cursors whose time was up.", st->cursor_expired_total);
	counter(out, "busy_total", "Requests that had no turn in time, or found the queue full.", st->busy_total);
	counter(out, "pinned_refused_total", "Cursors and read transactions refused (store.pinned_max).",
		st->pinned_refused_total);
	gauge(out, "statement_texts", "Texts whose statistics are kept.", st->statement_texts);
	counter(out, "statement_texts_evicted_total", "Texts that had to go for others (store.statements).",
		st->statements_evicted_total);
	counter(out, "slow_statements_total", "Statements that took longer than log.slow.", (uint64_t)st->slow_total);
	counter(out, "slow_statements_untold_total", "Of them, those the log was spared.",
		(uint64_t)st->slow_untold_total);
}

static void write_store(struct server *server, const struct store_stats *st, struct buf *out)
{
	struct store *s = server->store;

	gauge(out, "writer_queue_length", "Writes waiting for their turn.", st->writer_queue);
	gauge(out, "writer_queue_max", "Writes waiting, at most (store.queue).", server->config.store_queue);
	histogram(out, "writer_wait_seconds", "Time clients' work waited for the writer.",
		  store_times(s, STORE_TIMES_WAIT));
	histogram(out, "writer_hold_seconds", "Time pieces of background work had the writer.",
		  store_times(s, STORE_TIMES_HOLD));
	histogram(out, "writer_sync_seconds", "Time of syncs the writer waited for: the disk's.",
		  store_times(s, STORE_TIMES_SYNC));
	gauge(out, "reader_lanes", "Reader threads.", st->reader_lanes);
	gauge(out, "readers_busy", "Of them, those at work.", st->readers_busy);
	gauge(out, "pinned_connections", "Connections held by cursors and read transactions.", st->pinned);
	gauge(out, "db_bytes", "Size of the database file.", st->db_bytes);
	gauge(out, "wal_bytes", "Size of the write-ahead log.", st->wal_bytes);
	gauge(out, "wal_cap_bytes", "Size of the log above which background work waits (store.wal_cap).",
	      server->config.store_wal_cap);
	gauge(out, "freelist_pages", "Pages of the file that are free.", st->freelist_pages);
	gauge(out, "memory_bytes", "Memory of SQLite.", st->memory_bytes);
	gauge(out, "memory_peak_bytes", "The most it has been.", st->memory_peak_bytes);
	seconds(out, "oldest_reader_seconds", "Age of the oldest snapshot of a cursor or read transaction.",
		st->oldest_reader_s);
	family(out, "checkpoints_total", "counter", "Runs that copied the log back, by how they ended.");
	sample(out, "checkpoints_total", "result", "ok", st->checkpoints_total - st->checkpoint_blocked_total);
	sample(out, "checkpoints_total", "result", "blocked", st->checkpoint_blocked_total);
	counter(out, "wal_expired_total", "Looks at a log above store.wal_hard_cap that had a reader expired.",
		st->wal_expired_total);
}

static void write_migration(struct server *server, struct buf *out)
{
	struct migrator_figures m;
	char version[32];

	migrator_figures(server->migrator, &m);
	gauge(out, "migration_version", "Version of the schema.", m.version);
	gauge(out, "migrations_pending", "Versions of the daemon's folder that are pending.", m.pending);
	gauge(out, "migration_jobs_queued", "Jobs waiting for the running one.", m.queued);
	family(out, "migration_jobs_total", "counter", "Jobs that ended, by how.");
	sample(out, "migration_jobs_total", "state", "done", m.done_total);
	sample(out, "migration_jobs_total", "state", "failed", m.failed_total);
	sample(out, "migration_jobs_total", "state", "aborted", m.aborted_total);
	counter(out, "migration_rows_total", "Rows that jobs went through.", (uint64_t)m.rows_total);
	gauge(out, "migration_running", "1 while there is a job.", m.running);
	gauge(out, "migration_paused", "1 while it is paused.", m.running && m.paused);
	if (!m.running)
		return;
	(void)snprintf(version, sizeof version, "%" PRId64, m.job_version);
	family(out, "migration_progress_ratio", "gauge",
	       "How far the job is, from 0 to 1; version 0: an ad hoc change.");
	buf_puts(out, "alterd_migration_progress_ratio{version=");
	metrics_label(out, version);
	buf_puts(out, ",table=");
	metrics_label(out, m.table);
	buf_printf(out, "} %.3f\n", m.progress);
	if (m.eta_s >= 0)
		gauge(out, "migration_eta_seconds", "Time the phase will take yet; missing: unknown.", m.eta_s);
	if (m.throttled) {
		family(out, "migration_throttled", "gauge", "1 with the reason why the job does not go at full speed.");
		sample(out, "migration_throttled", "reason", m.throttled, 1);
	}
}

void metrics_write(struct server *server, struct buf *out)
{
	struct store_stats st;

	store_stats(server->store, &st);
	write_daemon(server, out);
	write_statements(server, &st, out);
	write_store(server, &st, out);
	if (server->migrator)
		write_migration(server, out);
}
