/*
 * Subscriptions, and the way of an event to those who want it.
 *
 * A source (the store's commits, the migrator, the log, sessions) is listened to while somebody wants its topic. An
 * event goes straight into the connection's output while little waits there; else into the session's queue, where those
 * that are alike become one once it is full. So a client that does not read costs a bounded amount of memory, and
 * nobody waits for it. How many events it has lost the next one tells.
 *
 * Loop thread, but for the log's listener.
 */
#ifndef ALTERD_SERVER_EVENTS_H
#define ALTERD_SERVER_EVENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lib/list.h"
#include "daemon/migrate/migrator.h"
#include "daemon/server/event.h"
#include "proto/topic.h"

/* Subscriptions of a session, at most. */
#define SUBSCRIPTIONS_MAX 16
/* Events go into the output while less than this waits there: an answer behind them does not wait long. */
#define EVENT_OUTPUT_BYTES ((size_t)32 * 1024)
/* Memory of a session's queue, beside its length (server.event_queue). */
#define EVENT_QUEUE_BYTES ((size_t)256 * 1024)
/* Log lines on their way to the loop, at most. */
#define LOG_PENDING_MAX 256

struct server;
struct session;
struct slot;

struct subscription {
	struct list_node node; /* in the session's box */
	struct list_node all;  /* in server->events.subscriptions */
	struct session *session;
	uint64_t number; /* "e<number>" */
	unsigned topics;
	size_t ntables; /* of CHANGES: 0 = all */
	char **tables;  /* owned */
};

/* A session's part. */
struct event_box {
	struct list subscriptions;
	struct list queue; /* struct event, oldest first */
	size_t bytes;      /* of the queue */
	uint64_t made;     /* subscriptions ever */
};

/* The server's part. */
struct events {
	struct list subscriptions; /* all, active */
	struct list waiting;       /* slots (their wait) of subscribe, until their sources are listened to */
	unsigned listening;        /* topics whose sources are */
	uint64_t seq;              /* of the last event */
	uint64_t total, lost_total;
	struct migrator_listener listener;
	atomic_int log_pending;
	atomic_uint_fast64_t log_lost;
};

void events_init(struct server *server);
void event_box_init(struct event_box *box);

/* subscribe: answered, with the present state, once nothing that happens from here on is missed. */
void events_subscribe(struct slot *slot);
/* False if the session has no such subscription. What waits of it in the queue is dropped. */
bool events_unsubscribe(struct session *s, const char *name);
/* A waiting subscribe is given up. False if `wait` is none of them. */
bool events_forget(struct server *server, const struct migrator_wait *wait);
/* The session is closed. */
void events_drop(struct session *s);
/* There may be room in the session's output again. */
void events_pump(struct session *s);
/* Now and then: what a source could not do at once is tried again. */
void events_sweep(struct server *server);

/* An event of a topic that has a JSON object to tell. `lost`: how many before it are gone already. */
void events_publish(struct server *server, enum topic topic, const char *type, const char *data, uint64_t lost);
void events_publish_changes(struct server *server, const struct changes *changes);
void events_publish_schema(struct server *server, const struct schema_change *change);
/* Answers those whose sources have begun. */
void events_ready(struct server *server);

/* event_sources.c: listens to the sources of these topics, and to no others. */
void event_sources_listen(struct server *server, unsigned topics);
/* True if all that happens to these topics is told by now. */
bool event_sources_ready(struct server *server, unsigned topics);
/* A session has come, or gone. */
void events_of_session(const struct session *s, const char *type);

#endif
