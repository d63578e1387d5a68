/* What upkeep.c and upkeep_steps.c share. */
#ifndef ALTERD_MIGRATE_UPKEEP_INTERNAL_H
#define ALTERD_MIGRATE_UPKEEP_INTERNAL_H

#include <pthread.h>

#include "daemon/migrate/migrator_internal.h"
#include "daemon/migrate/upkeep.h"
#include "daemon/store/look.h"

/* Entries of an index that analyze looks at. */
#define UPKEEP_SAMPLE_ROWS 1000

struct upkeep_task {
	struct job job; /* a step on the writer; its mail is the way back of the thread, too */
	struct upkeep *u;
	struct migrator_wait *w; /* NULL: the client is gone */
	enum op op;
	char *table; /* owned; NULL: all */
	bool quick, whole;
	uint64_t begun_ns, hold_ns, longest_ns;
	atomic_int stop, permille;
	bool full; /* the store's synchronous */
	bool over; /* no more steps */
	bool ran;  /* run() was called */
	struct error err;
	/* check */
	pthread_t thread;
	bool threaded;
	struct looked looked;
	/* analyze: indexes, and tables without one, to be looked at; owned */
	char **names;
	size_t nnames, done;
	bool listed, told; /* the names are read; the statistics are in force for every connection */
	/* shrink */
	int64_t mode, page_bytes, free_before, free_now;
	bool measured;
};

/* One step on the writer. -1 with t->err. It leaves no transaction open. */
int upkeep_analyze_step(struct upkeep_task *t, struct db *db);
int upkeep_shrink_step(struct upkeep_task *t, struct db *db);
/* The result object. */
void upkeep_answer(struct upkeep_task *t, struct buf *out);

#endif
