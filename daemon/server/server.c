/* Putting the daemon together, running its loop, taking it apart in the reverse order. */
#include "daemon/server/server.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/server/admit.h"
#include "daemon/server/denial.h"
#include "daemon/server/internal.h"
#include "daemon/server/line.h"
#include "daemon/server/session.h"
#include "daemon/store/sql.h"
#include "proto/response.h"

/* Descriptors the daemon needs beside one for each session. */
#define SPARE_FDS 64
/* Descriptors of one connection to the database: file, WAL, shared memory, a temporary file or two. */
#define FDS_PER_DB 5
/* Opening may mean recovering a long WAL, closing means a checkpoint: both may outlast systemd's usual patience. */
#define LONG_PIECE_US UINT64_C(600000000)

static void on_accepted(void *arg, int fd) { session_open(arg, fd); }

static void on_refused(void *arg, int fd)
{
	struct error err = {0};

	(void)error_set(&err, ERRC_TOO_MANY, "the daemon has no file descriptor left for another session");
	admit_turn_away(arg, fd, &err);
	error_clear(&err);
}

static void on_sweep(uv_timer_t *timer)
{
	struct server *server = timer->data;
	struct list_node *n, *next;

	for (n = list_first(&server->sessions); n; n = next) {
		next = list_next(&server->sessions, n);
		session_sweep(LIST_ENTRY(n, struct session, node));
	}
	recent_look(&server->recent, server->store, uv_now(server->loop), server->stats.statements_total,
		    server->stats.errors_total);
	denial_sweep(server);
	events_sweep(server);
	metrics_socket_sweep(&server->metrics);
	server_shutdown_step(server);
}

/* "version 12, m7 user backfilling 41.2%, 58200 rows/s, ETA 10 s". */
static void tell_status(struct server *server)
{
	char line[240];
	int n;

	if (!server->migrator)
		return;
	n = snprintf(line, sizeof line, "%sversion %" PRId64, server->state == SERVER_RUNNING ? "" : "stopping, ",
		     migrator_version(server->migrator));
	migrator_line(server->migrator, line + n + 2, sizeof line - (size_t)n - 2);
	if (line[n + 2])
		memcpy(line + n, ", ", 2);
	notify_status(&server->notify, line);
}

static void on_notify(uv_timer_t *timer)
{
	struct server *server = timer->data;
	uint64_t now = uv_now(server->loop), pulse = store_pulse(server->store);

	notify_watchdog(&server->notify, now, pulse);
	/* What a start or a stop waits for is the writer: a migration, a transaction that is being ended. */
	if (!server->serves || server->state != SERVER_RUNNING)
		notify_patience(&server->notify, now, pulse);
	tell_status(server);
}

static void on_flush_before(uv_prepare_t *handle)
{
	struct server *server = handle->data;
	bool again = true;

	connection_flush_all(server);
	while (again && server->store && store_linger(server->store, &again))
		connection_flush_all(server);
}

static void on_answers(void *arg) { connection_flush_all(arg); }
static void on_flush_after(uv_check_t *handle) { connection_flush_all(handle->data); }

static void on_signal(uv_signal_t *handle, int signum)
{
	struct server *server = handle->data;
	struct buf changed = {0}, needs_restart = {0};
	struct error err = {0};

	if (signum != SIGHUP) {
		server_shut_down(server);
		return;
	}
	/* Success and failure are both in the log already. */
	(void)server_reload(server, &changed, &needs_restart, &err);
	buf_free(&changed);
	buf_free(&needs_restart);
	error_clear(&err);
}

static void start_handles(struct server *server)
{
	static const int signums[] = {SIGTERM, SIGINT, SIGHUP};
	uv_loop_t *loop = server->loop;

	CHECK(uv_timer_init(loop, &server->sweep) == 0 && uv_timer_init(loop, &server->notify_timer) == 0);
	CHECK(uv_prepare_init(loop, &server->flush_before) == 0 && uv_check_init(loop, &server->flush_after) == 0);
	server->sweep.data = server->notify_timer.data = server->flush_before.data = server->flush_after.data = server;
	CHECK(uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS) == 0);
	if (server->notify.fd >= 0)
		CHECK(uv_timer_start(&server->notify_timer, on_notify, 0, notify_every(&server->notify, NOTIFY_MS)) ==
		      0);
	CHECK(uv_prepare_start(&server->flush_before, on_flush_before) == 0);
	CHECK(uv_check_start(&server->flush_after, on_flush_after) == 0);
	for (size_t i = 0; i < 3; i++) {
		CHECK(uv_signal_init(loop, &server->signals[i]) == 0);
		server->signals[i].data = server;
		CHECK(uv_signal_start(&server->signals[i], on_signal, signums[i]) == 0);
	}
}

static void stop_handles(struct server *server)
{
	uv_close((uv_handle_t *)&server->sweep, NULL);
	uv_close((uv_handle_t *)&server->notify_timer, NULL);
	uv_close((uv_handle_t *)&server->flush_before, NULL);
	uv_close((uv_handle_t *)&server->flush_after, NULL);
	for (size_t i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&server->signals[i], NULL);
}

/* The soft limit is a courtesy to select(2), which is not used here; the hard one is the admin's word. */
static void raise_fd_limit(const struct config *c)
{
	rlim_t want = (rlim_t)(c->server_sessions + SPARE_FDS +
			       FDS_PER_DB * (c->store_readers_max + c->store_pinned_max + 4));
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
		return;
	limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < want)
		log_warning("server", "only %" PRIu64 " file descriptors, %" PRIu64 " may be needed: raise LimitNOFILE",
			    (uint64_t)limit.rlim_cur, (uint64_t)want);
}

/* The database and what works on it. */
static int open_database(struct server *server, int *ret_exit, struct error *err)
{
	struct store_config store;
	struct migrator_config migrator;

	server_store_config(&server->config, &store);
	server_migrator_settings(server, &migrator);
	notify_send(&server->notify, "EXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=opening the database", LONG_PIECE_US);
	if (store_open(&store, server->loop, &server->store, ret_exit, err) != 0)
		return -1;
	sql_on_expired(server->store, session_expired, server);
	store_on_answers(server->store, on_answers, server);
	*ret_exit = EX_SOFTWARE;
	if (migrator_open(server->store, server->loop, &migrator, &server->migrator, err) == 0)
		return 0;
	store_close(server->store);
	return -1;
}

static int open_listener(struct server *server, int passed_fd, int *ret_exit, struct error *err)
{
	const struct config *c = &server->config;

	server->listener.accepted = on_accepted;
	server->listener.refused = on_refused;
	server->listener.arg = server;
	if (passed_fd >= 0)
		listener_adopt(&server->listener, passed_fd);
	else if (listener_bind(&server->listener, c->server_socket, (mode_t)c->server_socket_mode,
			       (int)c->server_backlog, ret_exit, err) != 0)
		return -1;
	if (listener_start(&server->listener, server->loop) == 0) {
		if (metrics_socket_open(server, ret_exit, err) == 0)
			return 0;
		listener_stop(&server->listener);
		return -1;
	}
	listener_stop(&server->listener);
	*ret_exit = EX_OSERR;
	return error_set(err, ERRC_INTERNAL, "the listening socket cannot be watched");
}

/* Blocks until the migrator has ended its step: the way out when the listener could not be opened. */
static void close_migrator(struct server *server)
{
	server_shut_down(server);
	(void)uv_run(server->loop, UV_RUN_DEFAULT);
}

static void serve(struct server *server, bool passed)
{
	const struct config *c = &server->config;

	log_event(LOG_LEVEL_INFO, "server", LOG_FIELDS(.event = LOG_EVENT_STARTED),
		  "alterd " ALTERD_VERSION " (SQLite %s) serves %s on %s, schema version %" PRId64,
		  store_sqlite_version(), c->store_database, passed ? "the socket systemd passed" : c->server_socket,
		  migrator_version(server->migrator));
	server->serves = true;
	notify_send(&server->notify, "READY=1");
	tell_status(server);
	(void)uv_run(server->loop, UV_RUN_DEFAULT);
}

static void migrated(void *arg) { *(bool *)arg = true; }

/* A new database is served once its schema is there; one that clients know is served meanwhile. */
static void migrate_at_start(struct server *server)
{
	static bool done;

	if (strcmp(server->config.migrate_on_start, "up") != 0)
		return;
	notify_status(&server->notify, "migrating");
	done = !migrator_fresh(server->migrator);
	migrator_start_up(server->migrator, migrated, &done);
	while (!done && server->state == SERVER_RUNNING)
		(void)uv_run(server->loop, UV_RUN_ONCE);
}

static int run(struct server *server, int passed_fd, struct error *err)
{
	int exit_code = EX_SOFTWARE;

	if (passed_fd < 0 && listener_probe(server->config.server_socket, &exit_code, err) != 0)
		return exit_code;
	if (open_database(server, &exit_code, err) != 0)
		return exit_code;
	server->started_ms = uv_now(server->loop);
	start_handles(server);
	migrate_at_start(server);
	if (server->state != SERVER_RUNNING) {
		(void)uv_run(server->loop, UV_RUN_DEFAULT);
		exit_code = EX_OK;
	} else if (open_listener(server, passed_fd, &exit_code, err) == 0) {
		serve(server, passed_fd >= 0);
		exit_code = EX_OK;
	} else {
		close_migrator(server);
	}
	INVARIANT(!server->migrator && list_empty(&server->sessions));
	notify_send(&server->notify, "EXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=closing the database", LONG_PIECE_US);
	store_close(server->store);
	stop_handles(server);
	return exit_code;
}

int server_run(const struct server_options *options, struct config *config)
{
	struct server server = {.options = options, .config = *config, .on_sweep = on_sweep};
	struct error err = {0};
	uv_loop_t loop;
	int passed_fd, exit_code;

	server.listener.fd = server.listener.reserve = -1;
	list_init(&server.sessions);
	list_init(&server.dirty);
	list_init(&server.spare);
	beside_init(&server.beside, &server);
	events_init(&server);
	notify_open(&server.notify);
	passed_fd = notify_listen_fd();
	if (passed_fd == -2) {
		log_error("server", "LISTEN_FDS: one listening Unix stream socket is expected");
		exit_code = EX_CONFIG;
		goto out;
	}
	/* A client that left and a file size limit are errors of the call that meets them, not the daemon's end. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	raise_fd_limit(&server.config);
	server.read_buffer = xmalloc(READ_BYTES);
	CHECK(uv_loop_init(&loop) == 0);
	server.loop = &loop;
	exit_code = run(&server, passed_fd, &err);
	if (error_is_set(&err))
		log_event(LOG_LEVEL_ERROR, "server", LOG_FIELDS(.event = LOG_EVENT_FAILED), "%s", err.message);
	else
		log_event(LOG_LEVEL_INFO, "server", LOG_FIELDS(.event = LOG_EVENT_STOPPED), "stopped");
	/* What was closed last still has its callbacks to come. */
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&loop) != 0)
		log_error("server", "the loop still holds handles at the end");
	slots_free_spare(&server);
	users_free(&server.users);
	free(server.read_buffer);
out:
	buf_free(&server.settings);
	notify_close(&server.notify);
	config_free(&server.config);
	config_free(&server.wanted);
	return exit_code;
}
