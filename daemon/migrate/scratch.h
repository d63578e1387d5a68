/*
 * Scratch databases: in memory, for trying what SQLite makes of a text or a schema. No file is touched.
 */
#ifndef ALTERD_MIGRATE_SCRATCH_H
#define ALTERD_MIGRATE_SCRATCH_H

#include <sqlite3.h>
#include <stdbool.h>

#include "daemon/migrate/pool.h"
#include "proto/error.h"

/* A new one in which nothing is what it should not be: foreign keys off, "x" is a string only with `dqs`. */
int scratch_open(sqlite3 **ret, bool dqs, struct error *err);
/* Whether "x" may be a string from here on. */
void scratch_dqs(sqlite3 *db, bool on);

/*
 * Makes the tables, indexes, views and triggers of `from` in `to`, without rows; SQLite's and alterd's own left out.
 * What cannot be made there (its module or a function is missing) is passed over and counted in *ret_missing.
 */
int scratch_mirror(sqlite3 *from, sqlite3 *to, size_t *ret_missing, struct error *err);

/* A view or a trigger. */
struct dependent {
	const char *type, *name, *table, *sql;
};

/*
 * True if it can be used: the view is prepared, and every statement that would fire the trigger, which alone stands on
 * its table meanwhile. *no_memory is set if it was memory that failed.
 */
bool dependent_works(struct pool *pool, sqlite3 *db, const struct dependent *o, bool *no_memory);

#endif
