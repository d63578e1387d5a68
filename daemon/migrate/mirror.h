/*
 * migrate.mirror_history: the table of the tool whose history alterd has taken over is kept in step, so that one can go
 * back to that tool. Its rows are written as the tool writes them, by the transaction that records the version.
 */
#ifndef ALTERD_MIGRATE_MIRROR_H
#define ALTERD_MIGRATE_MIRROR_H

#include "daemon/migrate/folder.h"
#include "daemon/migrate/steps.h"

/*
 * Whether what the run does can be written in the table that is there: MIGRATION_INVALID if not. `folder` NULL: there
 * is none. `schema`: the run begins with a dump. Any lane, inside a transaction.
 */
int mirror_may_follow(struct db *db, const struct folder *folder, bool schema, struct error *err);
/* Writer; in the transaction that accepts a changed file: its checksum, where the tool compares one. */
int mirror_checksum(struct db *db, const struct version *v, struct error *err);

/* Writer; in the transaction that records the version, behind the history's own line. */
int mirror_version(struct db *db, struct pool *pool, const struct run_step *step, const char *applied_by,
		   struct error *err);

#endif
