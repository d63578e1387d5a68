/* Ending the jobs in a copy; see backup_settle.h. Phases and columns are those of record.h and catalog.c. */
#include "daemon/migrate/backup_settle.h"

#include <stdbool.h>

#include "daemon/lib/clock.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/history.h"
#include "daemon/store/codes.h"

#define ENDED_TEXT "it was under way when the backup was made that this database comes from"

static int failed(sqlite3 *copy, struct error *err)
{
	return error_from_sqlite(err, sqlite3_extended_errcode(copy), -1, "settling the copy", sqlite3_errmsg(copy));
}

static int ask(sqlite3 *copy, const char *sql, int64_t *ret, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(copy, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : failed(copy, err);
}

/* Tables of this version of alterd: those of another are left to it. */
static int has_catalog(sqlite3 *copy, bool *ret, struct error *err)
{
	int64_t have = 0, format = 0;
	int rc = ask(copy, "SELECT count(*) FROM sqlite_schema WHERE name='_alterd_meta'", &have, err);

	if (rc == 0 && have)
		rc = ask(copy, "SELECT value FROM _alterd_meta WHERE key='format'", &format, err);
	*ret = format == CATALOG_FORMAT;
	return rc;
}

static int run(sqlite3 *copy, char *sql, struct error *err)
{
	int rc = sql ? sqlite3_exec(copy, sql, NULL, NULL, NULL) : SQLITE_NOMEM;

	sqlite3_free(sql);
	return rc == SQLITE_OK ? 0 : failed(copy, err);
}

static int end_jobs(sqlite3 *copy, struct error *err)
{
	long long now = (long long)clock_wall_ms();

	/* Nothing but their rows is there of these. */
	int rc = run(copy,
		     sqlite3_mprintf("UPDATE _alterd_job SET state='aborted',failed_in=phase,phase='end',paused=0,"
				     "ended_ms=%lld,error_code=%d,error_name=%Q,error_text=%Q WHERE state='queued' OR "
				     "(state='running' AND error_code=0 AND shadow IS NULL AND fingerprint IS NULL AND "
				     "phase NOT IN ('retire','abort','end'))",
				     now, errc_code(ERRC_ABORTED), errc_name(ERRC_ABORTED), ENDED_TEXT),
		     err);
	/* The start of the daemon goes on with the abort, as after a crash in it. */
	if (rc == 0)
		rc = run(copy,
			 sqlite3_mprintf("UPDATE _alterd_job SET failed_in=phase,phase='abort',collecting=0,"
					 "error_code=%d,error_name=%Q,error_text=%Q WHERE state='running' AND "
					 "error_code=0 AND phase NOT IN ('retire','abort','end')",
					 errc_code(ERRC_ABORTED), errc_name(ERRC_ABORTED), ENDED_TEXT),
			 err);
	if (rc == 0)
		rc = run(copy,
			 sqlite3_mprintf("UPDATE _alterd_job SET steps=step+1,to_version=\"after\" WHERE "
					 "state='running' AND error_code=0 AND steps>step+1"),
			 err);
	/* Paused stays paused over a restart; this one only has to clear up. */
	return rc == 0 ? run(copy, sqlite3_mprintf("UPDATE _alterd_job SET paused=0,postpone=0 WHERE state='running'"),
			     err)
		       : -1;
}

static int read_version(sqlite3 *copy, int64_t *ret, struct error *err)
{
	struct pool pool = {0};
	struct history history = {0};
	int rc = history_read(&pool, copy, &history, err);

	*ret = history.version;
	pool_free(&pool);
	return rc;
}

int backup_settle(sqlite3 *copy, int64_t *ret_version, struct error *err)
{
	bool catalog = false;

	if (sqlite3_exec(copy, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return failed(copy, err);
	if (has_catalog(copy, &catalog, err) != 0 || (catalog && end_jobs(copy, err) != 0) ||
	    read_version(copy, ret_version, err) != 0)
		return -1;
	return sqlite3_exec(copy, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(copy, err);
}
