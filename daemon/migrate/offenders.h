/*
 * Rows that the new table cannot hold: up to OFFENDERS_NAMED of them by name, all of them by count.
 */
#ifndef ALTERD_MIGRATE_OFFENDERS_H
#define ALTERD_MIGRATE_OFFENDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/migrate/pool.h"
#include "daemon/migrate/rowkey.h"
#include "proto/buf.h"
#include "proto/error.h"

#define OFFENDERS_NAMED 10

struct migration;
struct db;

struct offenders {
	int64_t count;
	int named;
	struct buf rows; /* JSON objects, comma-separated; owned */
	char first[200]; /* the first one in words */
};

void offenders_free(struct offenders *o);

/* Looks at the rows behind `from` (NULL: from the first) up to `to` for what is to be refused. On any lane. */
int offenders_check(struct migration *m, struct db *db, const struct rowkey *from, const struct rowkey *to,
		    struct error *err);
/* A key for people: 7, or ('a', 5). */
void offenders_write_key(const struct migration *m, const struct rowkey *key, struct buf *out);
/* A row was refused with `why`: finds out which column and takes it in. Inside a transaction. */
int offenders_add(struct migration *m, struct db *db, const struct rowkey *key, const struct error *why,
		  struct error *err);
/* Duplicates in the shadow for a unique index that cannot be built. */
int offenders_duplicates(struct migration *m, struct db *db, const char *index_name, struct error *err);
/* The error of a migration that fails for its rows. Returns -1. */
int offenders_error(const struct migration *m, struct error *err);
/* SQL that is true for a row of the source that has something to refuse; NULL if nothing can be. */
const char *offenders_condition(struct migration *m, struct pool *pool);

#endif
