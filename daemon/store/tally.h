/*
 * The counts of the open transaction, on the writer's connection. Private to the store; the writer lane alone.
 *
 * SQLite does not say by a hook what it takes back: a statement that fails takes its rows back under ON CONFLICT ABORT
 * and keeps them under FAIL, and savepoints nest. But it says so to every virtual table that takes part in the
 * transaction. So there is one that holds nothing but these counts, and joins each transaction that is counted.
 */
#ifndef ALTERD_STORE_TALLY_H
#define ALTERD_STORE_TALLY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lib/list.h"
#include "proto/error.h"

struct db;
struct store;

struct tally_count {
	size_t table; /* in names */
	int64_t inserted, updated, deleted;
};

struct tally {
	struct store *store;
	bool wanted;   /* transactions that begin from here on are counted */
	bool counting; /* the open one is */
	char **names;  /* owned; the tables changed since the last part */
	size_t nnames, names_cap;
	struct tally_count *counts; /* owned; those of a savepoint behind those of the one around it */
	size_t ncounts, counts_cap;
	size_t *starts; /* owned; of each open savepoint: where its counts begin */
	size_t depth, starts_cap;
	bool more;
	struct list parts; /* struct commit_mail: jobs that are done in the open transaction */
	int64_t bottom;    /* of a transaction that began with a savepoint: see tally_begin() */
};

/* Makes the virtual table; returns SQLite's code. tally_free() after the connection is closed. */
int tally_install(struct tally *t, struct store *s, sqlite3 *handle);
void tally_free(struct tally *t);

/*
 * A client's transaction has just begun; `savepoint`: with SAVEPOINT, which ROLLBACK TO can undo as a whole without
 * SQLite telling virtual tables. -1: it cannot be counted for want of memory, and must not be gone on with.
 */
int tally_begin(struct db *db, bool savepoint, struct error *err);
/* After a client's ROLLBACK TO. */
void tally_rolled_back_to(struct db *db);
/* In the preupdate hook, while `counting`. */
void tally_row(struct tally *t, int op, const char *table);
/* What has been counted since the last part is one client's; the next begins. */
void tally_part(struct tally *t);

#endif
