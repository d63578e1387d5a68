/*
 * Putting a backup in a database's place, while no daemon has it: `alterd --restore`.
 *
 * The backup is copied beside the database and the copy checked, all of it, before anything is touched. What was there
 * is kept: the database under a dated name, and its log or journal beside it, for SQLite would take them for the new
 * file's. At each moment, a power cut included, there is the old database or the new one, whole, and the old one's log
 * is never lost; see restore.c for the order.
 */
#ifndef ALTERD_MIGRATE_RESTORE_H
#define ALTERD_MIGRATE_RESTORE_H

#include <stdint.h>

#include "proto/buf.h"
#include "proto/error.h"

struct restored {
	int64_t bytes, version; /* the schema's version */
	struct buf kept;        /* path of what was there; empty: nothing was. Owned */
};

/*
 * Blocks. `reserve`: bytes that stay free on the disk. On failure nothing has changed, and *ret_exit is the sysexits
 * code to leave with: 65 no sound database, 66 no such file, 75 a daemon owns the database, 74, 77.
 */
int restore_backup(const char *backup, const char *database, int64_t reserve, struct restored *ret, int *ret_exit,
		   struct error *err);

#endif
