/*
 * What indexes a table is to have, read from the only one who knows for certain: SQLite.
 *
 * The table's CREATE TABLE and the CREATE INDEX statements are run in a scratch database in memory; columns,
 * collations, order, appended rowid or primary key columns, automatic indexes and the canonical text come from there.
 * Only the text of expressions and of WHERE is cut out of the statement. Pure but for that scratch database; any
 * thread.
 */
#ifndef ALTERD_MIGRATE_INDEX_SPEC_H
#define ALTERD_MIGRATE_INDEX_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/migrate/index_key.h"
#include "daemon/migrate/pool.h"
#include "proto/error.h"

/* One index. */
struct index_target {
	const char *name; /* its final name; sqlite_autoindex_.. for a PRIMARY KEY or UNIQUE of the table */
	const char *sql;  /* as SQLite would store it; NULL for an automatic index */
	bool unique;
	size_t key_count;           /* columns that make it unique */
	size_t count;               /* columns of an entry: the rowid or the primary key's rest included */
	struct key_column *columns; /* of an entry */
	const char **column_names;  /* of an entry: the table's column or the expression's text */
	size_t *values;             /* of an entry: number of the value in the scan's row */
	size_t condition;           /* partial: number of the value that tells whether a row is in it; else 0 */
	const char *sidecar;        /* name of the table that holds its entries until it is adopted */
	const char *sidecar_sql;    /* CREATE TABLE of it, as SQLite stores it */
	const char *imposter;       /* name of the imposter over the same b-tree, and its CREATE TABLE */
	const char *imposter_sql;
	const char *insert_sql[2]; /* INSERT .. SELECT from the feed, into the sidecar and into the imposter */
	const char *last_sql;      /* SELECT of the last entry of the sidecar */
};

struct index_spec {
	const char *table;
	const char *table_sql; /* final CREATE TABLE of it, as SQLite stores it */
	size_t count;
	struct index_target *targets;
	size_t cursor_count; /* first values of the scan's row: the rowid, or the primary key WITHOUT ROWID */
	bool without_rowid;
	const char *scan_sql[2]; /* from the start; behind a cursor, which is bound to ?1.. */
	const char *one_sql;     /* the row with the rowid ?1; NULL WITHOUT ROWID */
};

#define INDEX_SIDECAR_PREFIX "_alterd_index_"

/* A table as it is to be, and what it has of that. */
struct index_source {
	const char *table, *table_sql; /* its name, and CREATE TABLE of it */
	const char *const *sql;        /* `count` CREATE INDEX statements */
	size_t count;
	const char *const *have; /* names of indexes the table has already */
	size_t have_count;
};

/*
 * Reads the indexes that the source's CREATE TABLE implies and those of its CREATE INDEX statements, but for those the
 * table has already. All text is of the pool. Fails for what cannot
 * be built here: a collation that is not built in, a rowid that cannot be named, mixed orders in the primary key of a
 * WITHOUT ROWID table; the caller leaves such a table to CREATE INDEX.
 */
int index_spec_read(struct pool *pool, const struct index_source *source, struct index_spec *ret, struct error *err);

#endif
