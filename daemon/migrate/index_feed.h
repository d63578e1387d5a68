/*
 * Sorted keys as a table: `INSERT INTO .. SELECT k0, k1, .. FROM _alterd_index_feed_8(?1)` pulls rows straight out of a
 * batch of keys, at a third of the cost of binding and stepping each. ?1 is a struct feed, by sqlite3_bind_pointer().
 *
 * An eponymous virtual table, since the name begins with _alterd_ out of the clients' reach. Thread of the connection.
 */
#ifndef ALTERD_MIGRATE_INDEX_FEED_H
#define ALTERD_MIGRATE_INDEX_FEED_H

#include <sqlite3.h>
#include <stddef.h>

#include "daemon/migrate/index_key.h"
#include "proto/buf.h"
#include "proto/error.h"

/* SQLite's own limit on the columns of a table; an index has at most one more. */
#define FEED_COLUMNS_MAX 2000

struct feed {
	const struct key_column *columns;
	size_t count;
	/* 1 and a key that stays valid until the next call, 0 when the turn is over or nothing is left. */
	int (*next)(struct feed *feed, struct key_ref *ret);
	struct key_value *values; /* room for `count`; the row */
	struct buf scratch;       /* owned by the caller, freed after use */
	uint64_t rows;            /* given out */
};

/* Makes the feeds known to the connection; done already is fine. */
int feed_register(sqlite3 *handle, struct error *err);
/* Name of the narrowest feed with `count` columns; NULL if there is none. */
const char *feed_name(size_t count);
int feed_bind(sqlite3_stmt *stmt, int parameter, struct feed *feed);

#endif
