/*
 * The schema as it was when somebody looked, and what is different since: by comparison, so that it does not matter who
 * changed it and how. Looking is a reader's job of one snapshot. Loop, but for the job's run().
 */
#ifndef ALTERD_MIGRATE_SCHEMA_WATCH_H
#define ALTERD_MIGRATE_SCHEMA_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/migrate/pool.h"
#include "daemon/migrate/tell.h"
#include "daemon/store/job.h"
#include "daemon/store/store.h"
#include "proto/error.h"

struct seen_table {
	const char *name;
	uint64_t digest; /* of all that belongs to the table: types, names, SQL */
};

struct seen_schema {
	struct pool pool;
	size_t n;
	struct seen_table *at; /* by name, in strcmp's order */
	int64_t version, cookie;
};

struct schema_watch {
	struct store *s;
	struct job job;
	bool on;          /* somebody wants to know */
	bool known;       /* `last` is */
	bool busy, again; /* a look is out; another must follow */
	bool ran;         /* that look's run() was called; the lane's */
	int rc;           /* and what came of it */
	struct error err;
	struct seen_schema last, next; /* `next` is the lane's while busy */
	void *arg;
	void (*changed)(void *arg, const struct schema_change *change);
	void (*seen)(void *arg);
	void (*idle)(void *arg); /* a look has come back */
};

void schema_watch_init(struct schema_watch *w, struct store *s);
/* On: looks, where it is not known. Off: forgets. */
void schema_watch_set(struct schema_watch *w, bool on);
/* Something may have changed. */
void schema_watch_look(struct schema_watch *w);
/* Nothing may be busy any more. */
void schema_watch_free(struct schema_watch *w);

#endif
