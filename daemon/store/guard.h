/*
 * The guard: what a client's SQL may do. Authoriser, limits, progress handler, and bounded stand-ins for SQL functions
 * whose run time nothing else can stop.
 */
#ifndef ALTERD_STORE_GUARD_H
#define ALTERD_STORE_GUARD_H

#include "daemon/store/db.h"

/*
 * True if the text holds a name that begins with _alterd_. For DDL, where the authoriser is not told every name: the
 * new one of a RENAME, what a view reads, what a trigger's body touches.
 */
bool guard_names_own(const char *sql);

/* Installs all of it on a fresh connection, before anything is prepared on it. */
int guard_install(struct db *db, struct error *err);

/* The SQL functions of functions.c. */
int functions_install(struct db *db);

#endif
