/*
 * The daemon's end, step by step.
 *
 *     RUNNING --signal--> DRAINING --all quiet, server.drain over, or a second signal--> STOPPING
 *             --no session left--> CLOSING --the migrator has ended its step--> the loop ends
 */
#include <inttypes.h>

#include "daemon/lib/log.h"
#include "daemon/server/internal.h"
#include "daemon/server/session.h"

static void each_session(struct server *server, void (*what)(struct session *))
{
	struct list_node *n, *next;

	for (n = list_first(&server->sessions); n; n = next) {
		next = list_next(&server->sessions, n);
		what(LIST_ENTRY(n, struct session, node));
	}
}

static bool all_quiet(const struct server *server)
{
	for (struct list_node *n = list_first(&server->sessions); n; n = list_next(&server->sessions, n)) {
		if (!session_quiet(LIST_ENTRY(n, const struct session, node)))
			return false;
	}
	return true;
}

static void on_migrator_closed(void *arg)
{
	struct server *server = arg;

	server->migrator = NULL;
	uv_stop(server->loop);
}

static void enter_closing(struct server *server)
{
	server->state = SERVER_CLOSING;
	metrics_socket_close(&server->metrics);
	migrator_close(server->migrator, on_migrator_closed, server);
}

static void close_hard(struct session *s) { session_close(s, STOP_SHUTDOWN); }

static void enter_stopping(struct server *server)
{
	server->state = SERVER_STOPPING;
	server->drain_by_ms = uv_now(server->loop) + 2 * (uint64_t)LAST_ANSWER_MS;
	store_drain(server->store);
	each_session(server, session_shutdown);
}

void server_shut_down(struct server *server)
{
	if (server->state == SERVER_RUNNING) {
		log_event(LOG_LEVEL_INFO, "server", LOG_FIELDS(.event = LOG_EVENT_STOPPING),
			  "stopping: letting %zu sessions end what they are at, for %" PRId64 " ms at most",
			  server->sessions.count, server->config.server_drain);
		/* server.drain may be more than the unit's TimeoutStopSec. */
		notify_send(&server->notify, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
			    ((uint64_t)server->config.server_drain + NOTIFY_PATIENCE_MS) * 1000);
		listener_stop(&server->listener);
		server->state = SERVER_DRAINING;
		server->drain_by_ms = uv_now(server->loop) + (uint64_t)server->config.server_drain;
	} else if (server->state == SERVER_DRAINING) {
		log_info("server", "stopping: told twice, so what still runs is stopped now");
		server->drain_by_ms = uv_now(server->loop);
	}
	server_shutdown_check(server);
}

/*
 * The steps are taken by a timer that is due at once, never from inside: a session that has just ended may be in the
 * middle of its own code, or of a walk through all sessions.
 */
void server_shutdown_check(struct server *server)
{
	if (server->state == SERVER_DRAINING || server->state == SERVER_STOPPING)
		(void)uv_timer_start(&server->sweep, server->on_sweep, 0, SWEEP_MS);
}

void server_shutdown_step(struct server *server)
{
	uint64_t now = uv_now(server->loop);

	if (server->state == SERVER_DRAINING && (all_quiet(server) || now >= server->drain_by_ms))
		enter_stopping(server);
	else if (server->state == SERVER_STOPPING && now >= server->drain_by_ms)
		each_session(server, close_hard);
	if (server->state == SERVER_STOPPING && list_empty(&server->sessions))
		enter_closing(server);
}
