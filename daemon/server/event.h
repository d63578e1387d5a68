/*
 * One event on its way to one subscription: what it tells, and how two that are alike become one.
 */
#ifndef ALTERD_SERVER_EVENT_H
#define ALTERD_SERVER_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lib/list.h"
#include "daemon/store/changes.h"
#include "proto/buf.h"
#include "proto/topic.h"

struct subscription;

struct event {
	struct list_node node; /* in the session's queue */
	struct subscription *sub;
	enum topic topic;
	const char *type; /* static */
	uint64_t seq;
	int64_t wall_ms;
	uint64_t lost;   /* events before it, of the same subscription and topic, that it stands for or that are gone */
	size_t bytes;    /* of memory, roughly */
	struct buf data; /* a JSON object; not of CHANGES and SCHEMA, which have: */
	uint64_t commits;                /* CHANGES: how many transactions */
	int64_t version, before, cookie; /* SCHEMA: as in struct schema_change */
	size_t ntables, cap;
	struct change *tables; /* owned, names too */
	bool more;
};

struct event *event_new(enum topic topic, const char *type);
void event_free(struct event *e); /* NULL is fine */
/* Adds to the table's counts; above CHANGES_TABLES_MAX tables: `more`. */
void event_add(struct event *e, const struct change *change);
/*
 * The newer of two of one subscription and topic takes the older one's place, and is freed: the counts are added up, of
 * the schema all tables are told; of the others the newer counts. `into` tells that one was lost.
 */
void event_merge(struct event *into, struct event *newer);
/* Appends the whole line. */
void event_write(const struct event *e, const char *subscription, struct buf *out);

#endif
