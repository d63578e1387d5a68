/* What is done to a copy of the database before it counts as a backup. */
#ifndef ALTERD_MIGRATE_BACKUP_SETTLE_H
#define ALTERD_MIGRATE_BACKUP_SETTLE_H

#include <sqlite3.h>
#include <stdint.h>

#include "proto/error.h"

/*
 * Ends the jobs that were under way: a daemon that is given the copy must not go on with what was wanted of the
 * original then, above all not with the very run the backup was made before. What is not swapped yet is aborted, and
 * what it has made goes with the daemon's start; what is swapped is ended, and nothing follows it.
 *
 * *ret_version is the schema's version in the copy.
 */
int backup_settle(sqlite3 *copy, int64_t *ret_version, struct error *err);

#endif
