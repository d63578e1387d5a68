/*
 * alterd_migrations: which versions are applied, in the database itself, so that a backup holds both. It is an ordinary
 * table that clients may read. With each version it keeps what undoes it: a rollback works when the folder no more has
 * the file.
 */
#ifndef ALTERD_MIGRATE_HISTORY_H
#define ALTERD_MIGRATE_HISTORY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/migrate/pool.h"
#include "daemon/store/engine.h"
#include "proto/error.h"

#define HISTORY_TABLE "alterd_migrations"

/* A version that is applied. */
struct applied {
	int64_t version;
	const char *name;       /* "" where it has none */
	const char *checksum;   /* SHA-256 of its file, hex; NULL: not known */
	const char *applied_at; /* "2026-03-01T10:00:00.123Z" */
	int64_t took_ms;
	const char *applied_by;   /* user; NULL: not known */
	const char *tool;         /* "alterd", or whose history it was taken from */
	const char *down_sql;     /* NULL: nothing undoes it */
	const char *consented_by; /* to the loss of data it meant: a user, or its file; NULL: it lost none */
};

struct history {
	bool exists;     /* there is such a table */
	int64_t version; /* the greatest one applied; without any PRAGMA user_version, else 0 */
	bool known;      /* the versions, or that there are none, are those of another tool (adopt.h) */
	bool empty;      /* nothing but alterd's own tables is in the database */
	size_t n;
	struct applied *at; /* in the order they were applied in */
};

/* Any lane; inside a transaction. Text is the pool's. */
int history_read(struct pool *pool, sqlite3 *handle, struct history *ret, struct error *err);
const struct applied *history_find(const struct history *h, int64_t version);

/* WRONG_STATE if there are tables or versions: a dump cannot come then. */
int history_must_be_fresh(const struct history *h, struct error *err);

/*
 * Writer; inside a transaction. The table is made where it is missing, and gets the column for who consented where an
 * older version of alterd has made it. user_version follows where it fits.
 */
int history_add(struct db *db, const struct applied *a, struct error *err);
int history_remove(struct db *db, int64_t version, struct error *err);
/* Dates the lines that a dump has brought, in their order; MIGRATION_INVALID if it brought none. */
int history_date(struct db *db, struct pool *pool, const char *applied_by, struct error *err);
int history_set_checksum(struct db *db, int64_t version, const char *checksum, struct error *err);

#endif
