/*
 * Indexes that would help the statements seen. Private to advise*.c.
 *
 *     advise.c        the course of a request; what is told        advise_ideas.c  which columns a statement asks by
 *     advise_try.c    which index SQLite would use                 advise_indexes.c  indexes that are there for nothing
 *
 * All of it on databases in memory that have the schema and the statistics (sqlite_stat1), and no rows: an index is
 * made there, and kept only if the plan uses it and goes through less, or sorts less. Nothing is made in the database
 * itself.
 */
#ifndef ALTERD_MIGRATE_ADVISE_H
#define ALTERD_MIGRATE_ADVISE_H

#include "daemon/migrate/pool.h"
#include "daemon/migrate/schema.h"
#include "proto/buf.h"

#define IDEA_COLUMNS_MAX 6
#define IDEAS_MAX 16

/* Columns of a table that an index might have. */
struct idea {
	const struct schema_table *table;
	size_t n;
	int column[IDEA_COLUMNS_MAX];
	bool desc[IDEA_COLUMNS_MAX];
	const char *collation[IDEA_COLUMNS_MAX]; /* NULL: the column's own */
};

struct ideas {
	struct pool *pool;
	size_t ntables;
	struct schema_table **tables;
	sqlite3 *real;   /* the schema and its statistics; must outlive this */
	sqlite3 *asking; /* tables that note how they are asked */
	size_t n;
	struct idea at[IDEAS_MAX];
};

/* Reads the tables of `real`, and makes those that note in a database of their own. */
int ideas_open(struct ideas *i, struct pool *pool, sqlite3 *real, struct error *err);
void ideas_close(struct ideas *i);
/* Fills `at` with what the statement asks by. None where it cannot be prepared there. */
void ideas_of(struct ideas *i, const char *sql);

/* What a plan does that an index might spare. */
struct plan_cost {
	int scans, sorts, autos; /* tables gone through; sorted; indexes made for one run */
};

struct advice {
	bool planned;                   /* the statement could be prepared */
	struct plan_cost before, after; /* as it is; with the indexes */
	size_t n;                       /* indexes that help; each makes the plan better by itself */
	const char *create[IDEAS_MAX];  /* their CREATE INDEX */
};

/* Tries the ideas in `real`, and leaves it as it was. */
void advise_try(struct pool *pool, sqlite3 *real, const struct ideas *ideas, const char *sql, struct advice *ret);

/* Indexes whose key another one begins with: appends [{"index","table","covered_by","drop"},..]. */
void advise_redundant(struct pool *pool, const struct ideas *ideas, struct buf *out);

#endif
