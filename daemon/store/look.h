/*
 * Looking a database through while it is served: every page, row and index (integrity_check) and every foreign key,
 * on a connection of its own.
 *
 * One snapshot keeps the log from beginning anew for as long as it is open. So the file is looked at as a whole only
 * while it is small, or when that was asked for, and table by table, each in a snapshot of its own, where it is not, or
 * where the log has become too long meanwhile. Table by table says nothing of pages that belong to no table, or to
 * two, and nothing of the list of free pages.
 */
#ifndef ALTERD_STORE_LOOK_H
#define ALTERD_STORE_LOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/job.h"
#include "daemon/store/store.h"
#include "proto/buf.h"
#include "proto/error.h"

/* What is told one by one; the rest is counted. */
#define LOOK_FINDINGS_MAX 100

struct look_order {
	struct store *store;
	const char *table;    /* that one alone; NULL: all */
	bool quick;           /* quick_check: indexes are not compared with their tables; and no foreign keys */
	bool whole;           /* as a whole, however large it is */
	atomic_int *stop;     /* enum stop_reason; set by another thread */
	atomic_int *permille; /* of the tables, for who looks on */
};

struct looked {
	bool whole;       /* pages that belong to no table, and free ones, were looked at too */
	int64_t tables;   /* that were looked at */
	int64_t findings; /* how many there are; beyond LOOK_FINDINGS_MAX of a table SQLite stops looking */
	int64_t skipped;  /* tables that were given up */
	struct buf told;  /* JSON array of {"table","rowid","kind","message"}; table and rowid may be null */
	struct buf names; /* JSON array of the names of those given up */
};

/*
 * Blocks for as long as it takes; on a thread that is neither the loop nor a lane. What is wrong with the database is
 * no error but a finding. Errors: NOT_FOUND (the table), SQLITE_INTERRUPT, SQLite's. The caller frees `told` and
 * `names`, whatever came of it.
 */
int look_through(const struct look_order *o, struct looked *ret, struct error *err);

#endif
