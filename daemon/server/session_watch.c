/*
 * Watching over sessions: what has lasted too long, who has left without a word, who is still busy when the daemon
 * ends. One timer does it for all of them; no request has a timer of its own.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/server/admit.h"
#include "daemon/server/internal.h"
#include "daemon/server/line.h"
#include "daemon/server/session.h"

static struct session *session_of(struct connection *c) { return CONTAINER_OF(c, struct session, connection); }

void session_of_connection_turn(struct connection *c) { session_turn(session_of(c)); }

void session_of_connection_gone(struct connection *c) { session_close(session_of(c), STOP_GONE); }

void session_of_connection_closed(struct connection *c)
{
	struct session *s = session_of(c);

	s->handle_closed = true;
	session_turn(s);
}

bool session_quiet(const struct session *s)
{
	if (s->running && !s->running->waits)
		return false;
	return !s->keeping && !s->decoding && list_empty(&s->line) && s->tx != TX_READ && s->tx != TX_WRITE;
}

size_t session_in_flight(const struct session *s)
{
	return s->line.count + s->aside.count + (s->running ? 1 : 0) + (s->decoding ? 1 : 0);
}

struct session *session_by_name(struct server *server, const char *name)
{
	char *end;
	uint64_t id;

	if (name[0] != 's' || name[1] < '1' || name[1] > '9')
		return NULL;
	id = strtoull(name + 1, &end, 10);
	if (*end)
		return NULL;
	for (struct list_node *n = list_first(&server->sessions); n; n = list_next(&server->sessions, n)) {
		struct session *s = LIST_ENTRY(n, struct session, node);

		if (s->sql.id == id && s->state != SESSION_CLOSED)
			return s;
	}
	return NULL;
}

void session_expired(void *arg, uint64_t tx_serial, const char *text)
{
	struct server *server = arg;

	for (struct list_node *n = list_first(&server->sessions); n; n = list_next(&server->sessions, n)) {
		struct session *s = LIST_ENTRY(n, struct session, node);

		/* With a job in flight the session is the lane's, and the lane tells it. */
		if ((s->running && !s->running->waits) || s->keeping || s->sql.tx_serial != tx_serial)
			continue;
		sql_session_expire(&s->sql, tx_serial, text);
		session_note(s);
		server_shutdown_check(server);
		return;
	}
}

void session_shutdown(struct session *s)
{
	struct list_node *n;

	if (s->state == SESSION_CLOSED)
		return;
	while ((n = list_first(&s->aside)) != NULL)
		slot_give_up(LIST_ENTRY(n, struct slot, node), "shutdown");
	if (s->running && s->running->waits)
		slot_give_up(s->running, "shutdown");
	else if (s->running)
		store_stop(s->server->store, &s->running->sql.job, STOP_SHUTDOWN);
	/* Those in line are refused one by one as they would start, and when none is left the session ends. */
	session_turn(s);
}

/* Closes a session that has used up the time it had. True if it did. */
static bool overdue(struct session *s, uint64_t now_ms)
{
	const struct config *config = &s->server->config;
	struct connection *c = &s->connection;

	if (s->state == SESSION_ENDING && now_ms >= s->ending_by_ms) {
		session_close(s, STOP_GONE);
		return true;
	}
	if (connection_send_overdue(c, now_ms, (uint64_t)config->server_send_time)) {
		log_event(LOG_LEVEL_WARNING, "server", LOG_FIELDS(.event = LOG_EVENT_SLOW_READER, .session = s->sql.id),
			  "s%" PRIu64 ": took nothing of %zu bytes of answers for %" PRId64 " ms; it is closed",
			  s->sql.id, connection_output(c), config->server_send_time);
		s->server->stats.slow_readers_total++;
		session_close(s, STOP_GONE);
		return true;
	}
	/* While it is read the loop hears of a client that leaves; else somebody has to look. */
	if (!c->reading && peer_state(c->fd) == PEER_GONE) {
		session_close(s, STOP_GONE);
		return true;
	}
	return false;
}

static void give_up_wait(struct slot *slot, uint64_t now_ms)
{
	if (slot && slot->waits && slot->deadline_ms != 0 && now_ms >= slot->deadline_ms)
		slot_give_up(slot, "timeout");
}

void session_sweep(struct session *s)
{
	uint64_t now_ms = uv_now(s->server->loop);
	struct list_node *n, *next;

	if (s->state == SESSION_CLOSED || overdue(s, now_ms))
		return;
	/* It has asked nothing yet, and is told all the same. */
	if (s->role == ROLE_NONE && s->state == SESSION_OPEN && now_ms - s->since_ms >= STRANGER_MS)
		line_refuse(s, ERRC_DENIED, "");
	if (connection_half_overdue(&s->connection, now_ms, (uint64_t)s->server->config.server_line_time)) {
		line_refuse(s, ERRC_INVALID_REQUEST, "half a line, and its end did not come in server.line_time");
		/* The answer has its turn behind those in line; then the connection closes, as if the client had. */
		connection_reading(&s->connection, false);
		s->connection.eof = true;
	}
	for (n = list_first(&s->aside); n; n = next) {
		next = list_next(&s->aside, n);
		give_up_wait(LIST_ENTRY(n, struct slot, node), now_ms);
	}
	give_up_wait(s->running, now_ms);
	session_turn(s);
}
