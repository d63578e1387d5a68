/*
 * What stands in a schema: to see what statements made of a scratch one.
 */
#ifndef ALTERD_MIGRATE_LISTING_H
#define ALTERD_MIGRATE_LISTING_H

#include <sqlite3.h>
#include <stddef.h>

#include "daemon/migrate/pool.h"
#include "proto/error.h"

struct listed {
	const char *type, *name, *table, *sql;
};

struct listing {
	size_t n;
	struct listed *at; /* in the order of sqlite_schema; what SQLite makes by itself, and alterd, is left out */
};

/* All memory is the pool's. */
int listing_read(struct pool *pool, sqlite3 *db, struct listing *ret, struct error *err);
/* The object of that type and name, without regard to case; NULL if there is none. */
const struct listed *listing_find(const struct listing *l, const char *type, const char *name);

#endif
