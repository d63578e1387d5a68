/*
 * Emptying, from the front and in slices, a b-tree of keys: an index's, or that of a table WITHOUT ROWID, which stands
 * in the file as a table WITHOUT ROWID with the columns k0, k1, .. The first of them are its key.
 */
#ifndef ALTERD_MIGRATE_SHRINK_H
#define ALTERD_MIGRATE_SHRINK_H

#include <stdint.h>

#include "daemon/migrate/pool.h"
#include "daemon/store/engine.h"
#include "proto/error.h"

struct shrink {
	const char *last_sql; /* the key of the ?1st row */
	size_t nkey, nranges; /* its parts; and of what is before it, or it: */
	const char **range_sql;
	size_t ncolumns;
	const char *first_sql; /* the first row; and one row by all its values */
	const char *one_sql;
};

/* Reads what the table is like. All memory is the pool's. Any lane. */
int shrink_open(struct pool *pool, struct db *db, const char *table, struct shrink *ret, struct error *err);

/* Deletes up to `rows` rows, NULLs and all; *ret_deleted 0: it is empty. Writer lane, in a transaction. */
int shrink_rows(struct db *db, const struct shrink *s, int64_t rows, int64_t *ret_deleted, struct error *err);

#endif
