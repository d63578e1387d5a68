/* The daemon at a glance, its counters, its protocol, its configuration. */
#include "daemon/lib/histogram.h"
#include "daemon/lib/log.h"
#include "daemon/server/handlers.h"
#include "proto/response.h"

static double ms_of(uint64_t ns) { return (double)ns / 1e6; }

static double uptime_s(const struct server *server)
{
	return (double)(uv_now(server->loop) - server->started_ms) / 1000;
}

/* Those that are connected; a closed one that still waits for its job is nobody's, and a stranger has none. */
int64_t server_count_sessions(const struct server *server)
{
	int64_t n = 0;

	for (struct list_node *l = list_first(&server->sessions); l; l = list_next(&server->sessions, l)) {
		const struct session *s = LIST_ENTRY(l, const struct session, node);

		n += s->state != SESSION_CLOSED && s->role != ROLE_NONE;
	}
	return n;
}

static void write_times(struct buf *out, const char *key, uint64_t p50_ns, uint64_t p99_ns, uint64_t max_ns)
{
	jw_key(out, key);
	jw_open(out, '{');
	jw_real(out, "p50", ms_of(p50_ns), 3);
	jw_real(out, "p99", ms_of(p99_ns), 3);
	jw_real(out, "max", ms_of(max_ns), 3);
	jw_close(out, '}');
}

/* The last ten seconds of it. */
static void write_span(struct buf *out, const char *key, const struct window *w)
{
	struct window_times t = window_span(w);

	write_times(out, key, t.p50_ns, t.p99_ns, t.max_ns);
}

int handle_status(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	struct server *server = s->server;
	struct store_stats st;

	(void)r;
	(void)err;
	store_stats(server->store, &st);
	jw_open(out, '{');
	jw_str(out, "server", "alterd/" ALTERD_VERSION);
	jw_real(out, "uptime_s", uptime_s(server), 1);
	jw_str(out, "database", server->config.store_database);
	jw_str(out, "state", server->state == SERVER_RUNNING ? "running" : "draining");
	jw_int(out, "version", migrator_version(server->migrator));
	jw_json(out, "pending", migrator_pending(server->migrator));
	jw_key(out, "problems");
	migrator_problems(server->migrator, out);
	jw_key(out, "job");
	migrator_job(server->migrator, out);
	jw_key(out, "writer");
	jw_open(out, '{');
	jw_int(out, "queue", st.writer_queue);
	write_times(out, "wait_ms", st.wait_p50_ns, st.wait_p99_ns, st.wait_max_ns);
	write_span(out, "wait_ms_10s", &server->recent.wait);
	jw_close(out, '}');
	jw_int(out, "sessions", server_count_sessions(server));
	jw_int(out, "wal_bytes", st.wal_bytes);
	jw_int(out, "db_bytes", st.db_bytes);
	jw_str(out, "wal_problem", store_wal_problem(server->store));
	jw_key(out, "upkeep");
	migrator_upkeep_state(server->migrator, out);
	jw_close(out, '}');
	return 0;
}

static void write_histogram(struct buf *out, const char *key, const struct histogram *h)
{
	write_times(out, key, histogram_quantile(h, .5), histogram_quantile(h, .99), histogram_max(h));
}

/* Limits that were met, and what they bound. */
static void write_limits(const struct server *server, const struct store_stats *st, struct buf *out)
{
	const struct stats *s = &server->stats;

	jw_key(out, "stopped_total");
	jw_open(out, '{');
	for (int why = STOP_CANCEL; why <= STOP_SHUTDOWN; why++)
		jw_int(out, server_stop_word((enum stop_reason)why), (int64_t)st->stopped_total[why]);
	jw_close(out, '}');
	jw_int(out, "pinned_refused_total", (int64_t)st->pinned_refused_total);
	jw_int(out, "wal_expired_total", (int64_t)st->wal_expired_total);
	jw_int(out, "memory_bytes", st->memory_bytes);
	jw_int(out, "memory_peak_bytes", st->memory_peak_bytes);
	jw_int(out, "statement_texts", st->statement_texts);
	jw_int(out, "statements_evicted_total", (int64_t)st->statements_evicted_total);
	jw_int(out, "slow_statements_total", st->slow_total);
	jw_int(out, "slow_statements_untold_total", st->slow_untold_total);
	jw_int(out, "reading_paused_total", (int64_t)s->reading_paused_total);
	jw_int(out, "output_paused_total", (int64_t)s->output_paused_total);
	jw_int(out, "scrapes_total", (int64_t)s->scrapes_total);
	jw_int(out, "scrapes_refused_total", (int64_t)s->scrapes_refused_total);
	jw_int(out, "log_fallbacks_total", (int64_t)log_fallbacks());
}

static void write_store_stats(const struct store_stats *st, struct buf *out)
{
	jw_int(out, "writer_queue", st->writer_queue);
	write_times(out, "writer_wait_ms", st->wait_p50_ns, st->wait_p99_ns, st->wait_max_ns);
	write_times(out, "writer_hold_ms", st->hold_p50_ns, st->hold_p99_ns, st->hold_max_ns);
	write_times(out, "query_ms", st->query_p50_ns, st->query_p99_ns, st->query_max_ns);
	jw_int(out, "db_bytes", st->db_bytes);
	jw_int(out, "wal_bytes", st->wal_bytes);
	jw_int(out, "freelist_pages", st->freelist_pages);
	jw_real(out, "oldest_reader_s", st->oldest_reader_s, 3);
	jw_int(out, "checkpoints_total", (int64_t)st->checkpoints_total);
	jw_int(out, "checkpoint_blocked_total", (int64_t)st->checkpoint_blocked_total);
	jw_int(out, "tx_expired_total", (int64_t)st->tx_expired_total);
	jw_int(out, "cursor_expired_total", (int64_t)st->cursor_expired_total);
	jw_int(out, "busy_total", (int64_t)st->busy_total);
	jw_int(out, "groups_total", (int64_t)st->groups_total);
	jw_int(out, "reader_lanes", st->reader_lanes);
	jw_int(out, "readers_busy", st->readers_busy);
	jw_int(out, "pinned", st->pinned);
	jw_str(out, "throttled", st->throttled);
}

int handle_stats(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	struct server *server = s->server;
	struct store_stats st;

	(void)r;
	(void)err;
	store_stats(server->store, &st);
	jw_open(out, '{');
	jw_real(out, "uptime_s", uptime_s(server), 1);
	jw_int(out, "sessions", server_count_sessions(server));
	jw_int(out, "queries_total", (int64_t)st.queries_total);
	jw_int(out, "quick_reads_total", (int64_t)st.quick_reads_total);
	jw_int(out, "writes_total", (int64_t)st.writes_total);
	jw_key(out, "errors_total");
	stats_write_errors(&server->stats, out);
	write_store_stats(&st, out);
	write_span(out, "writer_wait_ms_10s", &server->recent.wait);
	write_span(out, "query_ms_10s", &server->recent.query);
	jw_int(out, "requests_total", (int64_t)server->stats.requests_total);
	jw_int(out, "sessions_total", (int64_t)server->stats.sessions_total);
	jw_int(out, "sessions_refused_total", (int64_t)server->stats.sessions_refused_total);
	jw_int(out, "denied_total", (int64_t)server->stats.denied_total);
	jw_int(out, "killed_total", (int64_t)server->stats.killed_total);
	jw_int(out, "slow_readers_total", (int64_t)server->stats.slow_readers_total);
	jw_int(out, "skipped_lines_total", (int64_t)server->stats.skipped_lines_total);
	jw_int(out, "subscriptions", (int64_t)server->events.subscriptions.count);
	jw_int(out, "events_total", (int64_t)server->events.total);
	jw_int(out, "events_lost_total", (int64_t)server->events.lost_total);
	jw_int(out, "input_bytes", (int64_t)server->input_charged);
	jw_int(out, "output_bytes", (int64_t)server->output_bytes);
	write_histogram(out, "write_ms", store_times(server->store, STORE_TIMES_WRITE));
	write_histogram(out, "commit_ms", store_times(server->store, STORE_TIMES_COMMIT));
	write_histogram(out, "sync_ms", store_times(server->store, STORE_TIMES_SYNC));
	write_limits(server, &st, out);
	jw_close(out, '}');
	return 0;
}

int handle_stats_recent(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	(void)r;
	(void)err;
	recent_write(&s->server->recent, store_client_wait_ns(s->server->store), out);
	return 0;
}

int handle_discover(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	(void)s;
	(void)r;
	(void)err;
	discover_write(out, ALTERD_VERSION);
	return 0;
}

int handle_config_show(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	const struct server *server = s->server;

	(void)r;
	(void)err;
	config_write(&server->config, server->has_wanted ? &server->wanted : NULL, out);
	return 0;
}

int handle_config_reload(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	struct buf changed = {0}, needs_restart = {0};

	(void)r;
	if (server_reload(s->server, &changed, &needs_restart, err) != 0)
		return -1;
	jw_open(out, '{');
	jw_json(out, "changed", buf_cstr(&changed));
	jw_json(out, "needs_restart", buf_cstr(&needs_restart));
	jw_close(out, '}');
	buf_free(&changed);
	buf_free(&needs_restart);
	return 0;
}
