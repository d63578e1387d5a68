/*
 * alterd's own tables in the database file. Written on the writer lane, in the transaction of the data they describe.
 *
 *   _alterd_meta(key, value)       'format': CATALOG_FORMAT. Another number is another version's and is not touched.
 *   _alterd_job(..)                one row a job; columns = struct record; the last CATALOG_JOBS_MAX ended ones are
 * kept.
 *   _alterd_step(job, seq, ..)     the versions that a run of migration files goes through, each with its SQL; steps.h.
 *   _alterd_partial(version, ..), _alterd_ran(version, seq, sha256)  versions of which a part has run; partial.h.
 *   _alterd_dirty(job, gone, key)  the dirty-key log: rowids changed behind the copy. gone = 0: the shadow still
 * has its old row; 1: that row is deleted and the key waits to be copied again. No declared types: a key is stored as
 * it is. WITHOUT ROWID, as all of them: last_insert_rowid() of a client is left alone.
 */
#ifndef ALTERD_MIGRATE_CATALOG_H
#define ALTERD_MIGRATE_CATALOG_H

#include <stdint.h>

#include "daemon/migrate/record.h"
#include "daemon/store/engine.h"
#include "proto/error.h"

#define CATALOG_FORMAT 3
#define CATALOG_JOBS_MAX 1000

/*
 * Makes the tables where they are missing, brings those of formats 1 and 2 up to date, refuses another. A transaction
 * itself.
 */
int catalog_open(struct db *db, struct error *err);
/* Calls `each` for every job, oldest first; the record is handed over (free with record_free). */
int catalog_load(struct db *db, void (*each)(void *arg, struct record *r), void *arg, struct error *err);
/* Inside a transaction: a new job (r->id is set), all of a job, its progress alone, its controls alone. */
int catalog_insert(struct db *db, struct record *r, struct error *err);
int catalog_save(struct db *db, const struct record *r, struct error *err);
int catalog_progress(struct db *db, int64_t id, const struct progress *p, struct error *err);
int catalog_control(struct db *db, int64_t id, const struct control *c, struct error *err);
/* Forgets the oldest ended jobs beyond CATALOG_JOBS_MAX. */
int catalog_trim(struct db *db, struct error *err);

#endif
