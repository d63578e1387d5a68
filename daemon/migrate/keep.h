/*
 * Does a value keep its value when a column's affinity changes?
 *
 * SQLite converts by affinity where it can and keeps the value as it is where it cannot. A migration converts a
 * well-formed number that keeps its value ('12', '12.50', ' 12 ') and refuses the rest: leading zeros, digits a double
 * does not hold, text that is no number.
 *
 * SQL functions, registered on a lane's connection when first needed:
 *   _alterd_keep(value, affinity, strict)  the value as a column of that affinity stores it; with strict <> 0 a value
 * that would not keep its value is an error (SQLITE_MISMATCH) _alterd_lossy(value, affinity)         1 if it would not
 * keep its value, else 0 The affinity is enum affinity's number.
 */
#ifndef ALTERD_MIGRATE_KEEP_H
#define ALTERD_MIGRATE_KEEP_H

#include <sqlite3.h>

#include "proto/error.h"

/* Makes the functions known to this connection; cheap when they are already. */
int keep_register(sqlite3 *db, struct error *err);

#endif
