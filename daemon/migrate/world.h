/*
 * A schema without its rows, in memory: statements are run in it to see what they make of it.
 */
#ifndef ALTERD_MIGRATE_WORLD_H
#define ALTERD_MIGRATE_WORLD_H

#include <sqlite3.h>
#include <stddef.h>

#include "daemon/migrate/pool.h"
#include "proto/error.h"

struct world_object {
	const char *type, *name, *table, *sql;
};

struct world {
	size_t n;
	struct world_object *at; /* in the order of sqlite_schema; what SQLite makes by itself is left out */
};

/*
 * A database with the schema of `from`, foreign keys off. What cannot be made alone (a virtual table's own tables) is
 * left out. Caller closes it, also after an error.
 */
int world_open(struct pool *pool, sqlite3 *from, sqlite3 **ret, struct error *err);
/* What stands in it. All memory is the pool's. */
int world_read(struct pool *pool, sqlite3 *db, struct world *ret, struct error *err);
/* The object of that type and name, without regard to case; NULL if there is none. */
const struct world_object *world_find(const struct world *w, const char *type, const char *name);

#endif
