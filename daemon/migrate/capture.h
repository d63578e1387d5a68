/*
 * Capture: the key of every row of the source that a statement changes behind the copy goes into the dirty-key log, in
 * the transaction of that statement. By the store's observer (sqlite3_preupdate_hook).
 *
 * Lives on the writer lane: all functions there, inside a job.
 *
 * Keys are kept in memory for one statement only. A statement that changes more than CAPTURE_KEYS_MAX rowids is logged
 * as every rowid between the least and the greatest one, read from source and shadow: more than needed, never less.
 * Keys that are no rowids have no such range: beyond CAPTURE_BYTES_MAX of them the log says that it is not whole
 * (`lost`), and the copy starts over.
 */
#ifndef ALTERD_MIGRATE_CAPTURE_H
#define ALTERD_MIGRATE_CAPTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/migrate/plan.h"
#include "daemon/store/engine.h"

#define CAPTURE_KEYS_MAX 65536
#define CAPTURE_BYTES_MAX ((size_t)32 << 20)
/* What `gone` is in the row of the log that says: not whole. */
#define CAPTURE_LOST 2

/* How the value of a key's part, as SQLite's hook gives it, stands to that of the row. */
enum capture_part {
	CAPTURE_AS_IS,
	CAPTURE_REAL,   /* a REAL, also where it comes as an integer */
	CAPTURE_WHOLE,  /* an old one that is whole was an integer, though it comes as a REAL */
	CAPTURE_EITHER, /* the same, but it may have been a REAL as well */
};

struct capture_watch {
	char *table; /* owned; so are the arrays */
	bool rowid, without_rowid;
	size_t n;
	int *declared, *stored;
};

struct capture {
	struct observer observer;
	int64_t job;
	char *table;     /* owned; the source's name, NULL while capture is off */
	char *range_sql; /* owned; logs the rowids between ?2 and ?3 */
	bool any;        /* something was copied: rowids up to `border` are captured; other keys always are */
	int64_t border;
	bool purged_first; /* changed rows go from the shadow, and wait there to be copied again */
	int64_t *keys;     /* changed by the statement that runs */
	size_t n;
	bool ranged; /* more than CAPTURE_KEYS_MAX: keys are void, the range counts */
	int64_t low, high;

	/* Where the key is no rowid: its columns as the hook counts them, and the keys one behind the other. */
	size_t nparts;
	int *declared, *stored;   /* owned; place among all columns, and among those that are stored */
	enum capture_part *kinds; /* owned */
	bool without_rowid;
	struct buf parts; /* owned; each with its length before it */
	size_t bytes_max; /* CAPTURE_BYTES_MAX, less in tests */
	bool overflow;    /* the statement that runs changed too much */
	size_t nwatches;
	struct capture_watch *watches; /* owned; keys of other tables */
	atomic_ulong watched;          /* how many of them went or became others */
	bool lost;                     /* some statement did: the log is not whole */
};

void capture_init(struct capture *c);
/* The observer is installed; of rowids nothing is captured before the border moves. */
void capture_start(struct capture *c, struct db *db, int64_t job, const struct plan *plan);
/* Keys up to `border` are captured from now on; any = false: none. Call after the commit that moved the cursor. */
void capture_border(struct capture *c, bool any, int64_t border);
/* Counts keys of the plan's watches that go, or become others, beside what capture does. */
void capture_watch(struct capture *c, const struct plan *plan);
/* How many that were. On any thread. */
unsigned long capture_watched(const struct capture *c);
void capture_stop(struct capture *c, struct db *db);
void capture_free(struct capture *c);

#endif
