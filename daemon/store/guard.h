/*
 * The guard: what a client's SQL may do. Authoriser, limits, progress handler, and bounded stand-ins for SQL functions
 * whose run time nothing else can stop.
 */
#ifndef ALTERD_STORE_GUARD_H
#define ALTERD_STORE_GUARD_H

#include "daemon/store/db.h"

/* Installs all of it on a fresh connection, before anything is prepared on it. */
int guard_install(struct db *db, struct error *err);

/* The SQL functions of functions.c. */
int functions_install(struct db *db);

#endif
