/* clang-format off */
/*
 * libalterd: talk to an alterd daemon. Blocking calls over one Unix socket; a connection is a session.
 *
 *     struct alterd_conn *c;
 *     struct alterd_result *r;
 *     struct alterd_value age = alterd_int(30);
 *
 *     if (alterd_connect(NULL, &c) != 0 ||
 *         alterd_query(c, "SELECT id, name FROM user WHERE age > ?", &age, 1, &r) != 0) {
 *         fprintf(stderr, "%s\n", alterd_error_message(c));
 *         alterd_close(c);
 *         return 1;
 *     }
 *     while (alterd_step(r) == 1)
 *         printf("%lld %s\n", (long long)alterd_cell_int(r, 0), alterd_cell_text(r, 1));
 *     alterd_result_free(r);
 *     alterd_close(c);
 *
 * Returns. Functions that can fail return 0 or -1 (alterd_step: 1, 0 or -1). After a failure alterd_error_*() of the
 * connection tell what happened; a success leaves them as they were. Outputs (`ret_x`) are written only on success and
 * may be NULL where it says so.
 *
 * Ownership. Handles are freed by their owner: alterd_close(), alterd_result_free(). All other pointers handed out are
 * borrowed, and each function says until when. What is passed in is copied or sent before the call returns; nothing of
 * it is kept.
 *
 * Threads. A connection and its results belong to one thread at a time. alterd_cancel() is the exception: it may be
 * called from another thread while a call runs. Different connections do not know of each other. No function here may
 * be called from a signal handler. A connection must not be used on both sides of a fork().
 *
 * Signals. A call that is interrupted by a signal goes on. SIGPIPE is never raised.
 *
 * ABI. Handles are opaque; the structs and enums that are not only grow at the end of an enum. Every function that is
 * not inline is exported.
 */
/* clang-format on */
#ifndef ALTERD_H
#define ALTERD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ALTERD_API __attribute__((visibility("default")))

struct alterd_conn;
struct alterd_result;

/* ---- Values ---- */

enum alterd_type { ALTERD_NULL, ALTERD_INT, ALTERD_REAL, ALTERD_TEXT, ALTERD_BLOB };

struct alterd_bytes {
	const char *p; /* may be NULL only when n is 0 */
	size_t n;      /* bytes, a NUL at the end not counted */
};

/* A value to bind, or a cell of a row. */
struct alterd_value {
	enum alterd_type type;
	union {
		int64_t i;             /* ALTERD_INT */
		double r;              /* ALTERD_REAL; infinities are values, NaN cannot be bound */
		struct alterd_bytes s; /* ALTERD_TEXT (UTF-8, any bytes are carried) and ALTERD_BLOB */
	};
};

static inline struct alterd_value alterd_null(void)
{
	struct alterd_value v;
	v.type = ALTERD_NULL;
	v.i = 0;
	return v;
}

static inline struct alterd_value alterd_int(int64_t i)
{
	struct alterd_value v;
	v.type = ALTERD_INT;
	v.i = i;
	return v;
}

static inline struct alterd_value alterd_real(double r)
{
	struct alterd_value v;
	v.type = ALTERD_REAL;
	v.r = r;
	return v;
}

/* The bytes are borrowed: they must live until the call that binds them has returned. */
static inline struct alterd_value alterd_text_n(const char *p, size_t n)
{
	struct alterd_value v;
	v.type = ALTERD_TEXT;
	v.s.p = p;
	v.s.n = n;
	return v;
}

/* NULL binds as NULL. */
static inline struct alterd_value alterd_text(const char *p) { return p ? alterd_text_n(p, strlen(p)) : alterd_null(); }

static inline struct alterd_value alterd_blob(const void *p, size_t n)
{
	struct alterd_value v;
	v.type = ALTERD_BLOB;
	v.s.p = (const char *)p;
	v.s.n = n;
	return v;
}

/* ---- Errors ---- */

/*
 * Codes of failures that the library finds itself. All others come from the daemon: -32700 to -32000 as the protocol
 * lists them, positive ones are SQLite's extended result codes. The name says the same in a word ("SQLITE_BUSY").
 */
enum alterd_code {
	ALTERD_E_NO_MEMORY = -1,
	ALTERD_E_UNREACHABLE = -2, /* no socket, or nobody listens there */
	ALTERD_E_REFUSED = -3,     /* the socket's file mode keeps this user out */
	ALTERD_E_CLOSED = -4,      /* the daemon hung up, or the connection failed; this handle is of no more use */
	ALTERD_E_TIMEOUT = -5,     /* no answer within alterd_set_timeout(); whether the request was done is unknown */
	ALTERD_E_PROTOCOL = -6,    /* the daemon sent something that is no reply; this handle is of no more use */
	ALTERD_E_MISUSE = -7 /* an argument that cannot be: a NaN, a NULL name, a result after its connection closed */
};

/* The last failure of this connection. Strings are borrowed, valid until the next call with the connection. */
ALTERD_API int alterd_error_code(const struct alterd_conn *c);            /* 0: nothing failed yet */
ALTERD_API const char *alterd_error_name(const struct alterd_conn *c);    /* "" if nothing failed yet */
ALTERD_API const char *alterd_error_message(const struct alterd_conn *c); /* for a person; never NULL */
ALTERD_API int alterd_error_retryable(const struct alterd_conn *c);       /* 1: the same call may succeed later */
/* The error's `data` as the daemon sent it, JSON text; "" if there is none. */
ALTERD_API const char *alterd_error_data(const struct alterd_conn *c);
/* Which step of alterd_batch() failed, from 0; -1 if the error does not say. */
ALTERD_API int alterd_error_statement(const struct alterd_conn *c);

/* ---- Connection ---- */

/*
 * Connects to the daemon. `path` NULL or "": $ALTERD_SOCKET if set; else /run/alterd/alterd.sock if it exists; else
 * $XDG_RUNTIME_DIR/alterd/alterd.sock. Always sets *ret, also on failure, so that the error can be read from it; the
 * caller closes it either way. Only where there is no memory *ret is NULL (the error functions accept that).
 */
ALTERD_API int alterd_connect(const char *path, struct alterd_conn **ret);

/*
 * Takes over a connected stream socket instead (a socketpair in a test, one that was passed on). Takes `fd`: it is
 * closed with the connection, or here on failure.
 */
ALTERD_API int alterd_connect_fd(int fd, struct alterd_conn **ret);

/*
 * Hangs up and frees. The daemon rolls back an open transaction and closes cursors. Results of the connection may be
 * freed afterwards, but not stepped. Accepts NULL. Do not call it while alterd_cancel() may run.
 */
ALTERD_API void alterd_close(struct alterd_conn *c);

/* The socket, for poll(). Borrowed: do not read, write or close it. -1 if not connected. */
ALTERD_API int alterd_fd(const struct alterd_conn *c);
/* The path of the socket; "" for alterd_connect_fd(). Borrowed, as long as the connection. */
ALTERD_API const char *alterd_path(const struct alterd_conn *c);

/*
 * How long a call waits for the daemon, in milliseconds; -1 (the default) for ever, 0 is an error. A call that runs out
 * fails with ALTERD_E_TIMEOUT, and the daemon is told to give the request up. The connection stays usable, but what
 * became of the request is unknown: inside a transaction it is best to close.
 */
ALTERD_API int alterd_set_timeout(struct alterd_conn *c, int timeout_ms);
/*
 * How long the daemon lets a statement run (query, exec, batch, fetch), in milliseconds; 0 (the default): as configured
 * there. A statement past it fails with SQLITE_INTERRUPT and is undone, so that its fate is known.
 */
ALTERD_API int alterd_set_statement_timeout(struct alterd_conn *c, int timeout_ms);

enum { ALTERD_READONLY = 1 }; /* alterd_hello: refuse every write of this session */

/*
 * Introduces the client; optional, but if made then first. `client` ("billing/2.3", may be NULL) shows in the daemon's
 * session list and log. `expect_version` >= 0 fails with VERSION_MISMATCH unless the schema has that version.
 */
ALTERD_API int alterd_hello(struct alterd_conn *c, const char *client, int flags, int64_t expect_version);
/* What hello answered; "" before. Borrowed, until the next hello or close. */
ALTERD_API const char *alterd_server(const struct alterd_conn *c);  /* "alterd/1.0.0" */
ALTERD_API const char *alterd_session(const struct alterd_conn *c); /* "s42" */
ALTERD_API const char *alterd_role(const struct alterd_conn *c);    /* "ro", "rw", "migrate", "admin" */

/* ---- Statements ---- */

/*
 * Runs one statement and hands out its rows. binds[0..n-1] are for ?, ?1, ?2...; n may be 0. The caller frees *ret.
 * For a write without rows the result has no columns.
 */
ALTERD_API int alterd_query(struct alterd_conn *c, const char *sql, const struct alterd_value *binds, size_t n,
			    struct alterd_result **ret);
/* The same with names[0..n-1] for the binds: "a", ":a", "@a" or "$a". */
ALTERD_API int alterd_query_named(struct alterd_conn *c, const char *sql, const char *const *names,
				  const struct alterd_value *binds, size_t n, struct alterd_result **ret);

/*
 * Runs one statement for its effect; rows it returns are dropped. *ret_changes: rows it changed; *ret_rowid: rowid of
 * its INSERT, else 0. Both may be NULL.
 */
ALTERD_API int alterd_exec(struct alterd_conn *c, const char *sql, const struct alterd_value *binds, size_t n,
			   int64_t *ret_changes, int64_t *ret_rowid);
ALTERD_API int alterd_exec_named(struct alterd_conn *c, const char *sql, const char *const *names,
				 const struct alterd_value *binds, size_t n, int64_t *ret_changes, int64_t *ret_rowid);

/*
 * Transactions. `mode` is "immediate" (NULL means it) or "read". wait_ms: how long to wait for the turn to write,
 * max_ms: how long the transaction may last; 0 takes the daemon's own. Past its time the daemon rolls back and every
 * statement answers TX_EXPIRED until alterd_rollback().
 */
ALTERD_API int alterd_begin(struct alterd_conn *c, const char *mode, int64_t wait_ms, int64_t max_ms);
ALTERD_API int alterd_commit(struct alterd_conn *c);
ALTERD_API int alterd_rollback(struct alterd_conn *c);

/* A step of a batch. */
struct alterd_statement {
	const char *sql;
	const struct alterd_value *binds;
	size_t n;                 /* of binds (and names) */
	const char *const *names; /* NULL: positional */
	int64_t expect_changes;   /* the batch fails unless the step changes so many rows; -1: any */
};

/*
 * Runs n statements as one transaction in one round trip: all or nothing. changes[0..n-1], if not NULL, get the rows
 * each step changed. alterd_error_statement() tells which one failed.
 */
ALTERD_API int alterd_batch(struct alterd_conn *c, const struct alterd_statement *statements, size_t n,
			    int64_t *ret_changes);
/* The same for SQL text of several statements, without values. */
ALTERD_API int alterd_script(struct alterd_conn *c, const char *sql);

/* ---- Results ---- */

/* The next row: 1 there is one, 0 the end, -1 failed (errors as the connection's). Further pages come by themselves. */
ALTERD_API int alterd_step(struct alterd_result *r);

ALTERD_API int alterd_columns(const struct alterd_result *r);
/* Borrowed, as long as the result; NULL if there is no such column. */
ALTERD_API const char *alterd_column_name(const struct alterd_result *r, int column);

/* The present row, alterd_columns() values. Text is NUL-terminated. Borrowed until the next step; NULL without a row.
 */
ALTERD_API const struct alterd_value *alterd_row(const struct alterd_result *r);

/*
 * A cell of the present row, by its value: an INTEGER as a REAL and a whole REAL as an INTEGER are given, anything else
 * is 0, 0.0 or NULL. alterd_cell_text() gives TEXT and BLOB bytes as they are, NUL-terminated, for numbers NULL.
 */
ALTERD_API enum alterd_type alterd_cell_type(const struct alterd_result *r, int column);
ALTERD_API int64_t alterd_cell_int(const struct alterd_result *r, int column);
ALTERD_API double alterd_cell_real(const struct alterd_result *r, int column);
ALTERD_API const char *alterd_cell_text(const struct alterd_result *r, int column);
ALTERD_API size_t alterd_cell_bytes(const struct alterd_result *r, int column);

/* For a write: rows it changed, and the rowid of its INSERT (else 0). */
ALTERD_API int64_t alterd_changes(const struct alterd_result *r);
ALTERD_API int64_t alterd_last_insert_rowid(const struct alterd_result *r);

/* Frees it; a cursor that is still open is closed (an error in that is not told). Accepts NULL. */
ALTERD_API void alterd_result_free(struct alterd_result *r);

/* ---- Events ---- */

/* Room for the name of a subscription. */
#define ALTERD_NAME_BYTES 32

struct alterd_event;

/*
 * Asks to be told what happens, from now on, as events on this connection. topics[0..n-1]: "migration", "schema",
 * "changes", and for administrators "log" and "session". tables[0..ntables-1]: of "changes" these tables alone; 0: all.
 * ret_name gets the subscription's name. *ret_result: the daemon's answer, JSON text, with the present state that the
 * events go on from: {"subscription":..,"seq":..,"state":{"version":..,"job":..}}; borrowed until the next call with
 * the connection. Both may be NULL. With "changes" it waits for the end of a transaction that is open.
 */
ALTERD_API int alterd_subscribe(struct alterd_conn *c, const char *const *topics, size_t n, const char *const *tables,
				size_t ntables, char ret_name[ALTERD_NAME_BYTES], const char **ret_result);
/* Ends one. Events of it that were not taken yet are gone. */
ALTERD_API int alterd_unsubscribe(struct alterd_conn *c, const char *name);

/*
 * The next event of any subscription of the connection, in the order they came: 1 and *ret, 0 if none comes within
 * timeout_ms (0: only looks, -1: waits for ever), -1 failed. The event is borrowed until the next alterd_next_event()
 * or alterd_close(). Other calls may be made in between: events that come meanwhile are kept, the newest 1024 of them.
 * To wait for other things as well poll() alterd_fd(), and take events until there is none before each poll().
 */
ALTERD_API int alterd_next_event(struct alterd_conn *c, int timeout_ms, const struct alterd_event **ret);

/* Borrowed, as long as the event. */
ALTERD_API const char *alterd_event_subscription(const struct alterd_event *e); /* "e1" */
ALTERD_API int64_t alterd_event_seq(const struct alterd_event *e);              /* grows, with gaps */
ALTERD_API const char *alterd_event_topic(const struct alterd_event *e);
ALTERD_API const char *alterd_event_type(const struct alterd_event *e); /* "commit", "changed", "progress", "done".. */
ALTERD_API const char *alterd_event_time(const struct alterd_event *e); /* "2026-03-01T10:00:07.120Z" */
ALTERD_API const char *alterd_event_data(const struct alterd_event *e); /* JSON object as the daemon sent it */
/* How many before it did not come by themselves, because they were not read in time. Counts of rows are added up. */
ALTERD_API int64_t alterd_event_lost(const struct alterd_event *e);

/*
 * Waits until the schema's version is `version` or a greater one: 1 with *ret_version (may be NULL), 0 when timeout_ms
 * is over (-1: for ever), -1 failed. Told by the daemon, not asked for again and again. Other subscriptions' events are
 * kept.
 */
ALTERD_API int alterd_wait_version(struct alterd_conn *c, int64_t version, int timeout_ms, int64_t *ret_version);

/* ---- Anything else ---- */

/*
 * Calls a method by its name. `params` is a JSON object as text, NULL for none. *ret_result is the result's JSON text,
 * byte for byte as the daemon sent it, NUL-terminated; borrowed until the next call with the connection. May be NULL.
 */
ALTERD_API int alterd_call(struct alterd_conn *c, const char *method, const char *params, const char **ret_result);

/*
 * Asks the daemon to give up the call that is running on this connection in another thread. That call then returns, as
 * a rule with SQLITE_INTERRUPT; it may as well have succeeded a moment before. 0: asked, or nothing was running. -1:
 * could not be sent. Does not touch the error of the connection.
 */
ALTERD_API int alterd_cancel(struct alterd_conn *c);

/* Version of the library, "1.0.0". */
ALTERD_API const char *alterd_version(void);

#ifdef __cplusplus
}
#endif

#endif
