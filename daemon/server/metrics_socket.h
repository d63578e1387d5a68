/*
 * The metrics socket: GET /metrics over HTTP/1.0 on a Unix socket of its own, for whoever has no right to the database.
 *
 * It takes little from the loop, whoever comes: so many connections at once, so many a second, a request of so many
 * bytes in so much time; and text that is a tenth of a second old is given again. Further clients wait at the door.
 */
#ifndef ALTERD_SERVER_METRICS_SOCKET_H
#define ALTERD_SERVER_METRICS_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/lib/list.h"
#include "daemon/server/listener.h"
#include "proto/buf.h"
#include "proto/error.h"

/* Connections at once, and those taken between two sweeps (SWEEP_MS). */
#define SCRAPES_MAX 8
#define SCRAPES_A_SWEEP 8
/* Bytes of a request's head, and how long it may take from the connection to the answer taken. */
#define SCRAPE_HEAD_BYTES 4096
#define SCRAPE_MS 2000
/* Text younger than this is given again. */
#define SCRAPE_FRESH_MS 100

struct server;

struct metrics_socket {
	struct server *server;
	struct listener listener;
	bool open;
	struct list scrapes; /* struct scrape */
	int left;            /* connections that may be taken until the next sweep */
	struct buf text;     /* what was answered last */
	uint64_t text_ms;    /* when it was made */
};

/* Binds and listens where server.metrics_socket names a path. Errors as of listener_bind(). */
int metrics_socket_open(struct server *server, int *ret_exit, struct error *err);
/* Now and then: ends what has lasted too long, lets others in. */
void metrics_socket_sweep(struct metrics_socket *m);
/* Takes no more; closes what is open. May be called twice, and where it was never opened. */
void metrics_socket_close(struct metrics_socket *m);

/* What a request's head asks for, as the status of the answer: 200, 400, 404, 405. Pure. */
int metrics_socket_status(const char *head, size_t n, bool *ret_body);

#endif
