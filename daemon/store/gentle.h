/* Long work on a thread of its own, beside clients: it rests as long as it works, and can be stopped. */
#ifndef ALTERD_STORE_GENTLE_H
#define ALTERD_STORE_GENTLE_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/store.h"

struct gentle {
	sqlite3_io_methods methods; /* first: what SQLite calls; see gentle_attach() */
	const sqlite3_io_methods *plain;
	struct store *store;                   /* whose clients are minded; NULL: nobody's */
	atomic_int *stop;                      /* enum stop_reason, set by any thread; NULL: it is never stopped */
	bool always;                           /* rest also where no store tells of clients */
	bool snapshot;                         /* one of the store's file is open: no rest while its log is too long */
	bool (*enough)(const struct store *s); /* with a snapshot: it is given up once this is so; NULL: never */
	bool gave_up;                          /* so it was */
	uint64_t worked_ns;                    /* since when there was no rest; clock_now_ns() to begin with */
};

/* As long a rest as was worked, if there may be somebody to work for. */
void gentle_rest(struct gentle *g);
/* Before a snapshot is opened: a log that is too long is given so long to begin anew. */
void gentle_wait_for_log(struct gentle *g, uint64_t most_ns);
/* True once it is to end: stopped, or given up. */
bool gentle_over(struct gentle *g);
/*
 * Rests, and the end, also inside of SQLite's long calls: at each page that is read from the main database file, and
 * each thousand steps of a statement. `g` lives until the connection is closed. Returns SQLite's code.
 */
int gentle_attach(struct gentle *g, sqlite3 *handle);

#endif
