/*
 * CREATE INDEX beside live writes, without a copy of the table: what its states share.
 *
 *   WATCH -> SORT -> CATCH_UP -> COMPARE -> CATCH_UP -> ADOPT -> END
 *
 * A sidecar (index_build.h) is filled in order from short snapshots, while the watch (index_watch.h) logs each row that
 * clients change, with the entry the index would have had for it before. Whatever version of a row the reader has met,
 * it is either the present one or in the log. So for each row in the log: all entries it had are deleted from the
 * sidecar, and the present one goes in. That is done in slices when the sidecar is full, and for the last few in the
 * transaction that makes it the index.
 *
 * The log is in memory and temporary files: after a crash all begins anew.
 */
#ifndef ALTERD_MIGRATE_LIVE_INDEX_H
#define ALTERD_MIGRATE_LIVE_INDEX_H

#include "daemon/migrate/index_log.h"
#include "daemon/migrate/index_spec.h"
#include "daemon/migrate/index_watch.h"
#include "daemon/migrate/migration.h"

/* Rows that may repeat a UNIQUE key, kept by rowid until that is known. */
#define LIVE_SUSPECTS_MAX 200

struct live_compare;

struct live_index {
	const struct index_spec *spec; /* of migration.index */
	const struct index_target *target;
	struct index_log *log;
	struct index_watch *watch;
	struct index_log_cursor applied; /* what is before this is in the sidecar */
	bool compared;
	struct live_compare *compare; /* COMPARE under way; owned */

	int64_t suspects[LIVE_SUSPECTS_MAX]; /* UNIQUE: rows that had the key of another one when last looked at */
	size_t nsuspects;
	bool more_suspects; /* they did not all fit */
	uint64_t repeated;  /* how many there were when it was compared */

	const char *delete_sql, *insert_sql[2], *twin_sql; /* insert: into the sidecar, into the imposter */
	struct key_value *values;                          /* room for one entry */
	struct buf scratch, norm, tail;
};

/* Of migration.index, which was opened in the same transaction. The watch is not started yet. */
int live_new(struct migration *m, struct db *db, struct error *err);
/* The job's state is that of its index. */
bool live_is(const struct migration *m);

/* Applies the log until the turn is over. *ret_left: some of it remains. In a transaction, which must not fail. */
int live_apply(struct migration *m, struct db *db, bool *ret_left, struct error *err);
/* A row whose key another one has. */
void live_suspect(struct live_index *live, int64_t rowid);
/*
 * With all of the log applied: the suspects of a UNIQUE index that do repeat a key fail the migration (-1, with the
 * rows named), the others are cleared.
 */
int live_settle(struct migration *m, struct db *db, struct error *err);
/* The log has lost something: begins anew, or fails where that has been tried. In a transaction, which ends. */
enum step_outcome live_lost(struct migration *m, struct db *db, struct error *err);

/*
 * A piece of reading the table for COMPARE, beside SORT, on a reader lane; m->step_rows 0: it is done. One that needs
 * to begin again leaves that to COMPARE. `m` may be a copy that shares `live`.
 */
int live_compare_ahead(struct migration *m, struct db *db, struct error *err);
void live_compare_free(struct live_compare *c);

#endif
