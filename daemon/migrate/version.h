/*
 * A run of migration files, version by version: what the steps of a migration do for it.
 *
 * A version whose file holds one statement, or changes of one table alone, is run as migrate.alter would run it. Any
 * other is run exact: all of its statements in one transaction, as SQLite would (exact.c). Either way the transaction
 * that makes it visible also writes it into the history. Lanes.
 */
#ifndef ALTERD_MIGRATE_VERSION_H
#define ALTERD_MIGRATE_VERSION_H

#include "daemon/migrate/migration.h"
#include "daemon/migrate/script.h"
#include "daemon/migrate/steps.h"

/* PLAN, before the plan: reads the version's script, and whether it is to be run exact, into m->version. */
int version_find(struct migration *m, struct db *db, struct error *err);
/* Frees what is in m->version. Any thread that has `m`. */
void version_forget(struct version_found *v);
/* PLAN, behind the plan: NEEDS_FORCE if it loses data without consent. */
int version_consent(struct migration *m, struct db *db, struct error *err);
/* In the transaction that makes the version visible: its line in the history. */
int version_record(struct migration *m, struct db *db, struct error *err);

/* SQLite takes the text as it is; looked at without running it. If not *ret_why is SQLite's reason. */
bool version_compiles(struct db *db, struct pool *pool, const char *sql, const char **ret_why);

/* A statement's place before the error's text: "0013_split_name.sql:7: ..". */
void version_place(struct error *err, const struct run_step *step, int64_t line);

#endif
