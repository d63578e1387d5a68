/*
 * Work on snapshots that goes on beside the writer's steps, so that two cores are at work: the scan for the indexes and
 * the sorting follow the copy, and so does the comparison.
 *
 * True of the database when a piece begins: the shadow holds the source's rows up to the cursor in the catalog, but for
 * those the dirty-key log names. Nothing is written. What was compared here VERIFYING need not compare again: a change
 * of such a row is in the log, and the row is compared when it is copied again. For CREATE INDEX beside live writes the
 * table itself is scanned, and read for the comparison, see live_compare.c.
 *
 * A piece never fails the job by itself: where rows differ it stops, and VERIFYING, which finds the same, says so.
 */
#include "daemon/migrate/aside.h"

#include "daemon/lib/fault.h"
#include "daemon/migrate/keep.h"
#include "daemon/migrate/live_index.h"

/* How far the copy has got in the snapshot that is open. *ret_any false: nowhere, or rows that do not fit are being
 * counted, which the shadow lacks. */
static int copied_up_to(struct migration *m, struct db *db, bool *ret_any, int64_t *ret_cursor, struct error *err)
{
	sqlite3_stmt *stmt = NULL;

	if (db_prepare(db, "SELECT has_cursor AND NOT collecting,\"cursor\" FROM main._alterd_job WHERE id=?1", &stmt,
		       err) != 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, m->r->id);
	int row = db_step(db, stmt, err);
	*ret_any = row > 0 && sqlite3_column_int(stmt, 0) != 0;
	*ret_cursor = row > 0 ? sqlite3_column_int64(stmt, 1) : 0;
	db_done(db, stmt);
	return row < 0 ? -1 : 0;
}

static int compare(struct migration *m, struct db *db, struct error *err)
{
	bool any = false;
	int64_t cursor = 0;

	if (db_begin(db, err) != 0)
		return -1;
	int rc = copied_up_to(m, db, &any, &cursor, err);
	if (rc == 0 && any)
		rc = verify_up_to(m, db, cursor, err);
	db_rollback(db);
	return rc;
}

int aside_step(struct migration *m, enum aside_kind kind, struct db *db, struct error *err)
{
	int64_t one = 0;

	m->step_rows = 0;
	FAULT_SCOPE(true);
	/* The schema is looked at first, as in stepper.c. */
	int rc = keep_register(db_handle(db), err);
	if (rc == 0)
		rc = db_int(db, &one, err, "SELECT 1 FROM main.sqlite_schema LIMIT 1");
	if (rc == 0)
		rc = kind == ASIDE_INDEX ? index_build_read(m->index, db, err)
		     : m->live           ? live_compare_ahead(m, db, err)
					 : compare(m, db, err);
	FAULT_SCOPE(false);
	return rc;
}
