/*
 * A session: one client, its requests first in first out, one statement in flight at a time.
 *
 *     OPEN ----------> ENDING ----------> CLOSED ----> freed
 *      |  (half-closed and all answered,    ^   (when the statement in flight has come back, SQL_END has
 *      |   hello refused, killed, drained)  |    rolled back what was open, and the handle has closed)
 *      +------------------------------------+
 *        (the client is gone)
 *
 * OPEN takes requests. ENDING takes none; what runs is answered, then the connection closes. CLOSED answers nothing.
 */
#ifndef ALTERD_SERVER_SESSION_H
#define ALTERD_SERVER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/lib/list.h"
#include "daemon/migrate/migrator.h"
#include "daemon/server/connection.h"
#include "daemon/server/events.h"
#include "daemon/server/peer.h"
#include "daemon/store/sql.h"
#include "proto/request.h"

struct session;

/* A request on its way. Recycled, so that a statement costs no allocation but its request's own. */
struct slot {
	struct list_node node; /* in session->line, session->aside or server->spare */
	struct session *session;
	struct request *request; /* NULL: it could not be decoded, or was refused; sql.err is its answer */
	struct reqid id;         /* to answer under; its string lives in the request or in id_text */
	char *id_text;           /* owned */
	bool notification;       /* never answered */
	bool first;              /* the session's first request */
	bool late;               /* came while the daemon drains */
	bool undecodable;        /* sql.err tells why */
	bool unwanted;           /* its session was closed before it was decoded */
	bool waits;              /* it waits for the migrator (`wait`), not for a lane (`sql`) */
	bool in_force;           /* waits, but its answer stands already: see handle_migrate_control() */
	const char *text;        /* its line, while it is decoded; the connection's */
	size_t bytes;            /* of its line */
	size_t charged;          /* in the server's input budget */
	uint64_t deadline_ms;    /* when a wait for the migrator is given up; 0 = never */
	struct sql_job sql;      /* err: of any kind of request */
	struct migrator_wait wait;
	struct buf reply; /* the envelope's head, then the result */
};

enum session_state { SESSION_OPEN, SESSION_ENDING, SESSION_CLOSED };

struct session {
	struct connection connection;
	struct list_node node; /* in server->sessions */
	struct server *server;
	enum session_state state;
	uint64_t ending_by_ms; /* ENDING: closed at this time, flushed or not */
	struct peer peer;
	enum role role;    /* as [access] has it now; the lane sees it from the next statement on */
	enum role counted; /* under which admit.c counts it */
	char client[128];  /* hello.client, cut; "" if it told none */
	uint64_t since_ms;
	uint64_t requests;      /* lines taken */
	struct sql_session sql; /* the lane's while `running` or `keeping` is in flight */
	struct list line;       /* slots waiting, oldest first */
	size_t line_bytes;      /* of the slots in `line` */
	struct slot *running;   /* the statement in flight */
	struct slot *decoding;  /* a long line in hand, decoded beside the loop; no other is taken meanwhile */
	struct event_box events;
	struct list aside;   /* control requests whose answer takes its time (migrate.abort) */
	struct sql_job keep; /* SQL_SWEEP and SQL_END */
	bool keeping;        /* `keep` is in flight */
	bool ended;          /* SQL_END is done or was not needed */
	bool choked;         /* too much output waits: nothing is taken or started */
	bool turning;        /* inside session_turn() */
	bool handle_closed;  /* the connection's handle is closed */
	/* sql.tx and the cursors as they were between jobs; what `sessions` shows while a job is in flight. */
	enum tx_state tx;
	uint64_t tx_since_ms;
	size_t cursors;
};

/* Takes a connected descriptor. */
void session_open(struct server *server, int fd);

/* Does all that can be done now: starts statements, takes lines, reads or stops reading, ends. May free the session. */
void session_turn(struct session *s);
/* The client is gone, or is to be: closes at once, `why` stops what runs. */
void session_close(struct session *s, enum stop_reason why);
/* No more requests; what runs is answered; then it closes, at the latest in `limit_ms`. Drops what waits in line. */
void session_end(struct session *s, uint64_t limit_ms);
/* An administrator ends it: what runs is stopped and answered. */
void session_kill(struct session *s);
/* The daemon ends: whatever is unanswered is answered SHUTTING_DOWN or stopped. */
void session_shutdown(struct session *s);
/* Now and then: what has lasted too long, and who has left. May free the session. */
void session_sweep(struct session *s);

/* Nothing in flight or in line, no transaction. */
bool session_quiet(const struct session *s);
/* Requests in line and in flight. */
size_t session_in_flight(const struct session *s);
struct session *session_by_name(struct server *server, const char *name);
/* A write transaction's time was up while its session was idle. */
void session_expired(void *server, uint64_t tx_serial, const char *text);
/* Copies what `sessions` shows of sql_session; between jobs. */
void session_note(struct session *s);

/* From connection.c. */
void session_of_connection_turn(struct connection *c);
void session_of_connection_gone(struct connection *c);
void session_of_connection_closed(struct connection *c);

#endif
