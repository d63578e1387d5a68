/*
 * Applying dirty keys: delete them ALL from the shadow, and only then copy them again.
 *
 * In that order the shadow is, without the logged keys, an exact image of the source; so a conflict on the way back in
 * is a real one, never two rows that have just exchanged their unique values. Keys are purged (gone = 1) in slices and
 * copied again in slices, but no key is copied while another still waits to be purged. Where nothing in the shadow is
 * unique there are no conflicts, and each key is deleted and copied in one go.
 */
#include "daemon/migrate/migration.h"

/* Keys between two looks at the clock. */
#define KEYS_A_LOOK 32

int dirty_any(struct migration *m, struct db *db, bool gone, bool *ret, struct error *err)
{
	int64_t any = 0;
	if (db_int(db, &any, err, "SELECT EXISTS(SELECT 1 FROM main._alterd_dirty WHERE job=%lld%s)",
		   (long long)m->r->id, gone ? "" : " AND gone=0") != 0)
		return -1;
	*ret = any != 0;
	return 0;
}

int dirty_count(struct migration *m, struct db *db, int64_t limit, int64_t *ret, struct error *err)
{
	return db_int(db, ret, err, "SELECT count(*) FROM (SELECT 1 FROM main._alterd_dirty WHERE job=%lld LIMIT %lld)",
		      (long long)m->r->id, (long long)limit);
}

int dirty_has(struct migration *m, struct db *db, const struct rowkey *key, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(db, "SELECT 1 FROM main._alterd_dirty WHERE job=?1 AND gone IN (0,1) AND key=?2 LIMIT 1",
			    &stmt, err);

	if (rc == 0) {
		sqlite3_bind_int64(stmt, 1, m->r->id);
		rowkey_log_bind(key, &m->plan->source_key, stmt, 2);
		rc = db_step(db, stmt, err);
	}
	db_done(db, stmt);
	return rc;
}

/* Reads the next keys. Returns how many, -1 on failure. */
static int next_keys(struct migration *m, struct db *db, int gone, struct rowkey *keys, int max, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int n = 0,
	    rc = db_prepare(db, "SELECT key FROM main._alterd_dirty WHERE job=?1 AND gone=?2 LIMIT ?3", &stmt, err);

	if (rc == 0) {
		sqlite3_bind_int64(stmt, 1, m->r->id);
		sqlite3_bind_int(stmt, 2, gone);
		sqlite3_bind_int(stmt, 3, max);
	}
	while (rc == 0 && (rc = db_step(db, stmt, err)) == 1) {
		rowkey_log_read(&keys[n++], &m->plan->source_key, stmt, 0);
		rc = 0;
	}
	db_done(db, stmt);
	return rc != 0 ? -1 : n;
}

int run_key(struct migration *m, struct db *db, const char *sql, const struct rowkey *key, struct error *err)
{
	sqlite3_stmt *stmt = NULL;

	if (!sql)
		return 0;
	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	rowkey_bind(key, &m->plan->source_key, stmt, 1);
	int rc = db_step(db, stmt, err);
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

/* Runs a statement on the log whose parameter 1 is a key and 2 the job. */
static int run_log(struct migration *m, struct db *db, const char *sql, const struct rowkey *key, struct error *err)
{
	sqlite3_stmt *stmt = NULL;

	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	rowkey_log_bind(key, &m->plan->source_key, stmt, 1);
	sqlite3_bind_int64(stmt, 2, m->r->id);
	int rc = db_step(db, stmt, err);
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

static int delete_key(struct migration *m, struct db *db, const struct rowkey *key, struct error *err)
{
	return run_key(m, db, m->texts.delete_one, key, err) != 0 || run_key(m, db, m->texts.unmap_one, key, err) != 0
		       ? -1
		       : 0;
}

static int purge_one(struct migration *m, struct db *db, const struct rowkey *key, struct error *err)
{
	/* Without a shadow there is nothing to purge: the row is looked at again, and that is all. */
	if (!m->plan->shadow) {
		m->next.changes_applied++;
		return rules_check_key(m, db, key, false, err) != 0 ||
				       run_log(m, db,
					       "DELETE FROM main._alterd_dirty WHERE job=?2 AND gone=0 AND key=?1", key,
					       err) != 0
			       ? -1
			       : 0;
	}
	if (delete_key(m, db, key, err) != 0 ||
	    run_log(m, db, "INSERT OR IGNORE INTO main._alterd_dirty(job,gone,key) VALUES(?2,1,?1)", key, err) != 0 ||
	    run_log(m, db, "DELETE FROM main._alterd_dirty WHERE job=?2 AND gone=0 AND key=?1", key, err) != 0)
		return -1;
	return 0;
}

int copy_key(struct migration *m, struct db *db, const struct rowkey *key, struct error *err)
{
	return run_key(m, db, m->texts.copy_one, key, err) != 0 || run_key(m, db, m->texts.map_one, key, err) != 0 ? -1
														   : 0;
}

/* Copies the row, compares it, and takes the key out of the log. */
static int copy_logged(struct migration *m, struct db *db, const struct rowkey *key, const char *forget,
		       struct error *err)
{
	struct error why = {0};

	if (copy_key(m, db, key, &why) != 0) {
		/* A row that came during the run and does not fit: it is named before the migration fails. */
		if (offending(&why) && offenders_add(m, db, key, &why, err) == 0)
			offenders_error(m, err);
		else if (!error_is_set(err))
			error_move(err, &why);
		error_clear(&why);
		return -1;
	}
	if (verify_key(m, db, key, err) != 0 || rules_check_key(m, db, key, true, err) != 0 ||
	    run_log(m, db, forget, key, err) != 0)
		return -1;
	m->next.changes_applied++;
	return 0;
}

static int recopy_one(struct migration *m, struct db *db, const struct rowkey *key, struct error *err)
{
	/*
	 * A rowid behind the copy has not come back since it was purged. Other keys are captured ahead of the copy as
	 * well, which then met them; and two that are written differently can be the same row ('a', 'A').
	 */
	if (!m->plan->source_key.rowid && delete_key(m, db, key, err) != 0)
		return -1;
	return copy_logged(m, db, key, "DELETE FROM main._alterd_dirty WHERE job=?2 AND gone=1 AND key=?1", err);
}

/* Both at once. */
static int apply_one(struct migration *m, struct db *db, const struct rowkey *key, struct error *err)
{
	if (delete_key(m, db, key, err) != 0)
		return -1;
	return copy_logged(m, db, key, "DELETE FROM main._alterd_dirty WHERE job=?2 AND gone=0 AND key=?1", err);
}

static int each_key(struct migration *m, struct db *db, int gone,
		    int (*apply)(struct migration *m, struct db *db, const struct rowkey *key, struct error *err),
		    bool *ret_left, struct error *err)
{
	struct rowkey keys[KEYS_A_LOOK] = {0};
	int64_t done = 0;
	int n = 0, rc = 0;

	do {
		n = next_keys(m, db, gone, keys, KEYS_A_LOOK, err);
		for (int i = 0; rc == 0 && i < n; i++)
			rc = apply(m, db, &keys[i], err);
		done += n;
	} while (rc == 0 && n == KEYS_A_LOOK && !db_turn_over(db, m->allow.hold_ns));
	for (size_t i = 0; i < KEYS_A_LOOK; i++)
		rowkey_free(&keys[i]);
	if (rc != 0 || n < 0)
		return -1;
	m->step_rows += done;
	*ret_left = n == KEYS_A_LOOK;
	return 0;
}

int dirty_purge(struct migration *m, struct db *db, bool *ret_left, struct error *err)
{
	if (each_key(m, db, 0, !m->plan->shadow || plan_anything_unique(m->plan) ? purge_one : apply_one, ret_left,
		     err) != 0)
		return -1;
	m->dirty_left = *ret_left ? READY_KEYS + 1 : 0;
	return 0;
}

int dirty_recopy(struct migration *m, struct db *db, bool *ret_left, struct error *err)
{
	return each_key(m, db, 1, recopy_one, ret_left, err);
}
