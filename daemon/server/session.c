/*
 * A session's course. session_turn() is the one place that decides what happens next; everything else changes some
 * state and calls it. It is not re-entered: a call from inside returns at once and the loop outside goes round again.
 */
#include "daemon/server/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/server/admit.h"
#include "daemon/server/denial.h"
#include "daemon/server/internal.h"
#include "daemon/server/line.h"
#include "proto/response.h"

void session_open(struct server *server, int fd)
{
	struct error err = {0};
	struct peer peer;

	if (peer_read(fd, &peer) != 0) {
		log_warning("server", "a client's credentials cannot be read (%s); it is turned away", strerror(errno));
		(void)close(fd);
		return;
	}
	enum role role = peer_role(&server->config.access, fd, &peer);
	if (admit_check(server, &peer, role, &err) != 0) {
		if (role == ROLE_NONE)
			denial_note(server, &peer, NULL, "access", &err);
		admit_turn_away(server, fd, &err);
		error_clear(&err);
		return;
	}
	struct session *s = xcalloc(1, sizeof *s);
	s->server = server;
	s->peer = peer;
	s->role = role;
	s->since_ms = uv_now(server->loop);
	list_init(&s->line);
	list_init(&s->aside);
	event_box_init(&s->events);
	sql_session_init(&s->sql, ++server->sessions_made);
	list_push(&server->sessions, &s->node);
	admit_count(s);
	server->stats.sessions_total += role != ROLE_NONE;
	if (connection_open(&s->connection, server, fd) != 0) {
		log_error("server", "s%" PRIu64 ": its connection cannot be set up; it is turned away", s->sql.id);
		session_close(s, STOP_GONE);
		return;
	}
	if (role == ROLE_NONE && s->connection.frame.limit > STRANGER_LINE_BYTES)
		s->connection.frame.limit = STRANGER_LINE_BYTES;
	log_debug("server", "s%" PRIu64 ": connected, uid %lu, pid %ld, role %s", s->sql.id, (unsigned long)s->peer.uid,
		  (long)s->peer.pid, peer_role_name(s->role));
	events_of_session(s, "opened");
	session_turn(s);
}

static void session_free(struct session *s)
{
	struct server *server = s->server;

	INVARIANT(list_empty(&s->line) && list_empty(&s->aside) && !s->running && !s->keeping && !s->decoding);
	log_debug("server", "s%" PRIu64 ": ended after %" PRIu64 " requests", s->sql.id, s->requests);
	list_remove(&server->sessions, &s->node);
	admit_uncount(s);
	connection_release(&s->connection);
	error_clear(&s->keep.err);
	free(s);
	server_shutdown_check(server);
}

void session_note(struct session *s)
{
	if (s->tx != s->sql.tx)
		s->tx_since_ms = uv_now(s->server->loop);
	s->tx = s->sql.tx;
	s->cursors = s->sql.cursors.count;
}

static void on_kept(struct sql_job *job)
{
	struct session *s = CONTAINER_OF(job, struct session, keep);

	s->keeping = false;
	error_clear(&job->err);
	session_note(s);
	session_turn(s);
}

static void keep(struct session *s, enum sql_kind kind)
{
	PRE((!s->running || s->running->waits) && !s->keeping);
	s->keeping = true;
	s->keep = (struct sql_job){
		.job = {.class = JOB_CLIENT, .deadline_ns = CLOCK_NEVER},
		.kind = kind,
		.session = &s->sql,
		.done = on_kept,
	};
	sql_submit(s->server->store, &s->keep);
}

/* Hysteresis between the two marks, and a fair share where all connections together hold too much. */
static void choke(struct session *s)
{
	const struct config *config = &s->server->config;
	size_t out = connection_output(&s->connection);
	bool crowd = s->server->output_bytes > OUTPUT_TOTAL_MAX && out > OUTPUT_SHARE_BYTES;

	if (out >= (size_t)config->server_output_high || crowd) {
		s->server->stats.output_paused_total += !s->choked;
		s->choked = true;
	} else if (out < (size_t)config->server_output_low) {
		s->choked = false;
	}
}

static bool full(const struct session *s)
{
	struct line_limits limits = {(size_t)s->server->config.server_in_flight, QUEUED_BYTES_MAX};
	const struct list_node *n = list_first(&s->line);
	size_t first = n ? LIST_ENTRY(n, const struct slot, node)->bytes : 0;

	return line_full(&limits, s->running ? 1 : 0, s->line.count, s->line_bytes, first);
}

/* Starts a statement, or what must come before it. False if there is nothing to start now. */
static bool start_next(struct session *s)
{
	if (s->state == SESSION_CLOSED || s->keeping || (s->running && !s->running->waits))
		return false;
	/* Here the session is nobody's but the loop's. A cursor is expired also while its owner waits for a migration.
	 */
	if (sql_session_open(&s->sql) && sql_session_due(&s->sql, clock_now_ns())) {
		keep(s, SQL_SWEEP);
		return false;
	}
	if (s->running || s->choked || list_empty(&s->line))
		return false;
	line_start(s);
	return true;
}

static bool take_next(struct session *s)
{
	char *line;
	size_t len;

	if (s->state != SESSION_OPEN || s->server->state >= SERVER_STOPPING)
		return false;
	if (!s->connection.more || s->decoding || s->choked || full(s))
		return false;
	switch (connection_take(&s->connection, &line, &len)) {
	case TAKE_NONE:
		return false;
	case TAKE_LINE:
		line_take(s, line, len);
		return true;
	case TAKE_TOO_LONG:
		line_refuse(s, ERRC_LINE_TOO_LONG, "the line is longer than server.line_limit");
		return true;
	case TAKE_BUSY:
		line_refuse(s, ERRC_BUSY, "too many long requests at once");
		return true;
	case TAKE_FAILED:
		break;
	}
	log_error("server", "s%" PRIu64 ": no memory for its request; the connection is closed", s->sql.id);
	session_close(s, STOP_GONE);
	return false;
}

static bool nothing_left(const struct session *s)
{
	return !s->running && !s->keeping && !s->decoding && list_empty(&s->line) && list_empty(&s->aside);
}

/* Closed: waits for what is in flight, lets the store roll back and close what was open, goes when the handle has. */
static bool unwind(struct session *s)
{
	if (s->running || s->keeping || s->decoding)
		return false;
	if (!s->ended) {
		s->ended = true;
		if (sql_session_open(&s->sql)) {
			keep(s, SQL_END);
			return false;
		}
	}
	if (!s->handle_closed)
		return false;
	session_free(s);
	return true;
}

static bool wants_input(const struct session *s)
{
	return s->state == SESSION_OPEN && !s->connection.more && !s->decoding && !s->choked && !full(s);
}

/* Brings reading in line with the state, and ends what has come to its end. True if that freed the session. */
static bool settle(struct session *s)
{
	struct connection *c = &s->connection;
	/* Who is subscribed may send no more and still wants to hear. */
	bool deaf = list_empty(&s->events.subscriptions);
	bool last = (c->eof && !c->more && deaf) || s->server->state >= SERVER_STOPPING;

	if (s->state == SESSION_OPEN && last && nothing_left(s))
		session_end(s, c->eof ? (uint64_t)s->server->config.server_send_time : LAST_ANSWER_MS);
	if (s->state == SESSION_ENDING && nothing_left(s) && connection_output(c) == 0)
		session_close(s, STOP_GONE);
	if (s->state != SESSION_CLOSED) {
		s->server->stats.reading_paused_total += c->reading && full(s);
		connection_reading(c, wants_input(s));
	}
	return s->state == SESSION_CLOSED && unwind(s);
}

void session_turn(struct session *s)
{
	if (s->turning)
		return;
	s->turning = true;
	do {
		if (s->state != SESSION_CLOSED) {
			events_pump(s);
			choke(s);
		}
	} while (start_next(s) || take_next(s));
	if (!settle(s))
		s->turning = false;
}

void session_end(struct session *s, uint64_t limit_ms)
{
	if (s->state != SESSION_OPEN)
		return;
	s->state = SESSION_ENDING;
	s->ending_by_ms = uv_now(s->server->loop) + limit_ms;
	line_drop(s);
}

static void forget_waits(struct session *s)
{
	struct list_node *n;

	while ((n = list_pop(&s->aside)) != NULL) {
		struct slot *slot = LIST_ENTRY(n, struct slot, node);

		slot_forget(slot);
		slot_free(slot);
	}
	if (s->running && s->running->waits) {
		slot_forget(s->running);
		slot_free(s->running);
		s->running = NULL;
	}
}

void session_close(struct session *s, enum stop_reason why)
{
	if (s->state == SESSION_CLOSED)
		return;
	s->state = SESSION_CLOSED;
	connection_close(&s->connection);
	line_drop(s);
	forget_waits(s);
	events_drop(s);
	events_of_session(s, "closed");
	if (s->running)
		store_stop(s->server->store, &s->running->sql.job, why);
	session_turn(s);
}

void session_kill(struct session *s)
{
	struct list_node *n;

	s->server->stats.killed_total++;
	session_end(s, LAST_ANSWER_MS);
	while ((n = list_first(&s->aside)) != NULL)
		slot_give_up(LIST_ENTRY(n, struct slot, node), "kill");
	if (s->running && s->running->waits)
		slot_give_up(s->running, "kill");
	else if (s->running)
		store_stop(s->server->store, &s->running->sql.job, STOP_KILL);
	session_turn(s);
}
