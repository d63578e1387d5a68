/*
 * A connection: bytes in, cut into lines; replies out, gathered and sent with few system calls; and what of both is
 * bounded. It knows the session above it only through the session_of_connection_* functions of session.h.
 */
#ifndef ALTERD_SERVER_CONNECTION_H
#define ALTERD_SERVER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/lib/list.h"
#include "proto/buf.h"
#include "proto/frame.h"

struct server;

struct connection {
	uv_pipe_t pipe;
	struct server *server;
	int fd;       /* the pipe's */
	bool reading; /* uv_read_start is in force */
	bool more;    /* `frame` may hold a whole line not taken yet */
	bool eof;     /* the client sends no more */
	bool closing; /* uv_close was called */
	bool writing; /* `write` and `sending` are libuv's */
	struct frame frame;
	uint64_t half_since_ms; /* since when a half line is being held; 0 = none */
	size_t charged;         /* bytes of the half line in the server's input budget */
	struct buf out;         /* replies not yet handed to libuv */
	struct buf sending;     /* what uv_write is sending */
	uv_write_t write;
	struct list_node dirty; /* in server->dirty: `out` waits for the end of this turn of the loop */
	uint64_t put;           /* bytes of output ever */
	uint64_t answered;      /* of them, up to the end of the last answer; behind it are events */
	size_t counted;         /* of our output, in the server's sum */
	size_t send_seen;       /* output bytes at `send_since_ms` */
	uint64_t send_since_ms; /* since when the client has taken nothing while output waits; 0 = nothing waits */
};

/* Takes `fd`. Returns 0, or -1: then `fd` is closed, and connection_close() must be called all the same. */
int connection_open(struct connection *c, struct server *server, int fd);
/* Closes; session_of_connection_closed() follows. May be called twice. */
void connection_close(struct connection *c);
/* Frees what is left when the handle has closed. */
void connection_release(struct connection *c);

/* Reads or does not. */
void connection_reading(struct connection *c, bool wanted);
/* Appends a reply, to be sent at the end of this turn of the loop. Moves the bytes out of `reply` where it can. */
void connection_send(struct connection *c, struct buf *reply);
/* The same for what nobody waits for: an event. */
void connection_tell(struct connection *c, struct buf *line);
/* Sends what has been gathered by all connections. */
void connection_flush_all(struct server *server);
/* Bytes of replies the client has not taken yet. */
size_t connection_output(const struct connection *c);

enum connection_take {
	TAKE_NONE,     /* no whole line is there */
	TAKE_LINE,     /* *ret_line: borrowed until the next byte is read */
	TAKE_TOO_LONG, /* the line passes the limit and is being skipped */
	TAKE_BUSY,     /* the line is long, and too many long ones are held already: it is being skipped */
	TAKE_FAILED,   /* no memory */
};
enum connection_take connection_take(struct connection *c, char **ret_line, size_t *ret_len);

/* True if a half line is older than `limit_ms`. */
bool connection_half_overdue(const struct connection *c, uint64_t now_ms, uint64_t limit_ms);
/*
 * True if output has been waiting for `limit_ms` and the client took nothing of it. Called now and then. Where all of
 * it is events nobody is kept waiting, and it is not overdue.
 */
bool connection_send_overdue(struct connection *c, uint64_t now_ms, uint64_t limit_ms);

#endif
