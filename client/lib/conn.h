/*
 * Inside libalterd: a connection, the reply to a request, and how the files below share the work.
 *
 *     connect.c  paths, the socket, hello        wire.c    one request out, its reply in
 *     reply.c    the envelope of a reply         call.c    begin, commit, batch, script, call
 *     query.c    query, exec, encoding of binds  result.c  rows and pages
 *     jread.c    JSON text, read in place        failure.c the connection's last error
 *     events.c   subscriptions and their events
 */
#ifndef ALTERD_CLIENT_CONN_H
#define ALTERD_CLIENT_CONN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "client/alterd.h"
#include "proto/buf.h"
#include "proto/frame.h"

/* Longest reply that is taken. The daemon's own limit is 16 MiB unless configured larger. */
#define REPLY_BYTES_MAX ((size_t)64 << 20)
/* Bytes asked of the socket at once. */
#define READ_BYTES 65536
/* Memory of a request or page that is kept for the next one. */
#define KEEP_BYTES ((size_t)256 << 10)

struct failure {
	int code; /* 0: none */
	bool retryable;
	int statement; /* step of a batch, -1 */
	char name[64];
	char message[1024];
	struct buf data;
};

struct alterd_conn {
	int fd;           /* -1: not connected */
	atomic_bool dead; /* the stream is broken; nothing can be sent or understood any more */
	int timeout_ms;
	int statement_timeout_ms;
	_Atomic int64_t last_id;   /* ids are unique on the connection, cancels included */
	_Atomic int64_t in_flight; /* id of the request that is waited for; 0: none */
	pthread_mutex_t send_lock; /* held for a whole line: a cancel from another thread must not land inside one */
	struct frame in;
	struct buf out; /* the request being written */
	struct failure failure;
	struct alterd_result *results; /* all that are alive, so that closing can cut them off */
	struct alterd_event *events;   /* come and not yet handed out, oldest first */
	struct alterd_event **events_end;
	size_t nevents, events_bytes;
	int64_t events_lost;         /* dropped since the last one was handed out */
	struct alterd_event *event;  /* the one handed out; NULL: none */
	struct alterd_result *spare; /* one freed result with its memory, for the next query */
	char path[108];
	char server[64], session[32], role[16];
	char chunk[READ_BYTES];
};

/* ---- failure.c ---- */

/* Records the error of the last call. All return -1. */
int conn_fail(struct alterd_conn *c, enum alterd_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, and the connection is of no more use. */
int conn_broken(struct alterd_conn *c, enum alterd_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* An error object of the daemon (JSON text, decoded in place). */
int conn_fail_reply(struct alterd_conn *c, char *error);

/* ---- reply.c ---- */

struct span {
	size_t at; /* offset in the line; 0: absent (a line begins with '{') */
	size_t n;
};

/* Where the parts of a reply are in its line. */
struct reply {
	char *line; /* borrowed from the connection until the next request; NUL-terminated */
	size_t len;
	enum { REPLY_NO_ID, REPLY_NULL_ID, REPLY_INT_ID, REPLY_OTHER_ID } id_kind; /* NO_ID: a notification */
	int64_t id;
	struct span result, error, params; /* params: of a notification */
	/* Members of the result, if it is an object and has them. */
	struct span columns, rows, cursor, results;
	bool done; /* true if absent: nothing more to fetch */
	int64_t changes, rowid;
};

/* Finds the parts. Changes nothing in the line. -1: not a JSON object. */
int reply_parse(char *line, size_t len, struct reply *ret);

/* ---- wire.c ---- */

/* Begins a request in c->out: everything up to its parameters. Returns its id, or -1 if the connection is dead. */
int64_t wire_begin(struct alterd_conn *c, const char *method);
/* Ends it, sends it and waits for its reply. 0: *ret holds a result. -1: failed, the error is recorded. */
int wire_finish(struct alterd_conn *c, int64_t id, int timeout_ms, struct reply *ret);

/* Waits for an event, and keeps it: 1 there is one, 0 none came in time (-1: waits for ever), -1 failed. */
int wire_listen(struct alterd_conn *c, int timeout_ms);
/* A moment from now on, and what is left until then; -1 for ever. */
int64_t wire_deadline(int timeout_ms);
int wire_left_ms(int64_t deadline);

/* ---- events.c ---- */

/* Keeps a notification that is an event. -1: out of memory. */
int events_keep(struct alterd_conn *c, const struct reply *reply);
void events_free(struct alterd_conn *c);

/* ---- query.c ---- */

/* Appends `"bind":...` to a request; nothing for n = 0. -1: a value cannot be sent. */
int write_binds(struct alterd_conn *c, const char *const *names, const struct alterd_value *binds, size_t n);
/* How long to wait for a statement: the daemon's own limit on it must be heard first. */
int statement_wait_ms(const struct alterd_conn *c);
/* Appends `,"timeout_ms":..` if a statement timeout is set. */
void write_statement_timeout(struct alterd_conn *c);

/* ---- result.c ---- */

/* Takes a copy of the reply. */
int result_new(struct alterd_conn *c, const struct reply *reply, struct alterd_result **ret);
/* The connection closes: its results can only be freed from now on. */
void results_detach(struct alterd_conn *c);

#endif
