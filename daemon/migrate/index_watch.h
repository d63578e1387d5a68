/*
 * Watches a table of which an index is built beside live writes: each row that a statement on the writer changes goes
 * into the index_log, with the entry that the index would have for the row as it was.
 *
 * That entry is worked out by SQLite itself, in a database in memory with the same table: expressions, WHERE, generated
 * columns and affinities mean there what they mean in the file. Tables with a rowid only.
 */
#ifndef ALTERD_MIGRATE_INDEX_WATCH_H
#define ALTERD_MIGRATE_INDEX_WATCH_H

#include <sqlite3.h>

#include "daemon/migrate/index_log.h"
#include "daemon/migrate/index_spec.h"
#include "daemon/migrate/schema.h"
#include "daemon/store/engine.h"
#include "proto/error.h"

struct index_watch;

/* Why changes of such a table cannot be watched; NULL: they can. */
const char *index_watch_unfit(const struct schema_table *table);

/* `spec` must outlive it; its first target is the index. `table` is only read. Any lane. */
int index_watch_new(const struct index_spec *spec, const struct schema_table *table, struct index_log *log,
		    struct index_watch **ret, struct error *err);
void index_watch_free(struct index_watch *w); /* NULL is fine. Not while it observes. */

/* Writer lane, in a job: from here on every change is logged, up to index_watch_stop(). */
void index_watch_start(struct index_watch *w, struct db *db);
void index_watch_stop(struct index_watch *w, struct db *db); /* NULL is fine */

#endif
