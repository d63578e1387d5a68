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

/* Takes a row in: its value is column `i` of stmt, or NULL without one. */
void offenders_take(struct migration *m, const struct rowkey *key, const char *column, sqlite3_stmt *stmt, int i,
		    const char *reason, const char *constraint);
/* A key for people: 7, or ('a', 5). */
void offenders_write_key(const struct migration *m, const struct rowkey *key, struct buf *out);
/* A row was refused with `why`: finds out which column and takes it in. Inside a transaction. */
int offenders_add(struct migration *m, struct db *db, const struct rowkey *key, const struct error *why,
		  struct error *err);
/* Duplicates in the shadow for a unique index that cannot be built. */
int offenders_duplicates(struct migration *m, struct db *db, const char *index_name, struct error *err);
/* The error of a migration that fails for its rows. Returns -1. */
int offenders_error(const struct migration *m, struct error *err);

#endif
