/* The SQL of _alterd_step. */
#include "daemon/migrate/steps.h"

/* In the column `exact`: 0 whichever is best, 1 exact. */
#define STEP_ONLINE 2
#define STEP_SCHEMA 3

int steps_create(struct db *db, struct error *err)
{
	return db_exec(
		db, err,
		"CREATE TABLE IF NOT EXISTS main._alterd_step(job INTEGER NOT NULL, seq INTEGER NOT NULL,"
		" version INTEGER NOT NULL, down INTEGER NOT NULL, after INTEGER NOT NULL, name TEXT NOT NULL,"
		" file TEXT NOT NULL, line INTEGER NOT NULL, sql TEXT NOT NULL, checksum TEXT NOT NULL, down_sql TEXT,"
		" exact INTEGER NOT NULL, allow_data_loss INTEGER NOT NULL, batch_rows INTEGER NOT NULL,"
		" consent TEXT, no_transaction INTEGER NOT NULL DEFAULT 0, done_before INTEGER NOT NULL DEFAULT 0,"
		" done_behind INTEGER NOT NULL DEFAULT 0, done_total INTEGER NOT NULL DEFAULT 0,"
		" PRIMARY KEY(job,seq)) WITHOUT ROWID");
}

int steps_upgrade(struct db *db, struct error *err)
{
	return db_exec(db, err,
		       "ALTER TABLE main._alterd_step ADD consent TEXT;"
		       "ALTER TABLE main._alterd_step ADD no_transaction INTEGER NOT NULL DEFAULT 0;"
		       "ALTER TABLE main._alterd_step ADD done_before INTEGER NOT NULL DEFAULT 0;"
		       "ALTER TABLE main._alterd_step ADD done_behind INTEGER NOT NULL DEFAULT 0;"
		       "ALTER TABLE main._alterd_step ADD done_total INTEGER NOT NULL DEFAULT 0");
}

int steps_add(struct db *db, int64_t job, int64_t seq, const struct run_step *step, struct error *err)
{
	return db_exec(db, err,
		       "INSERT INTO main._alterd_step(job,seq,version,down,after,name,file,line,sql,checksum,down_sql,"
		       "exact,allow_data_loss,batch_rows,consent,no_transaction,done_before,done_behind,done_total)"
		       " VALUES(%lld,%lld,%lld,%d,%lld,%Q,%Q,%lld,%Q,%Q,%Q,%d,%d,%lld,%Q,%d,%lld,%lld,%lld)",
		       (long long)job, (long long)seq, (long long)step->version, step->down, (long long)step->after,
		       step->name, step->file, (long long)step->line, step->sql, step->checksum ? step->checksum : "",
		       step->down_sql,
		       step->schema   ? STEP_SCHEMA
		       : step->online ? STEP_ONLINE
				      : step->exact,
		       step->allow_data_loss, (long long)step->batch_rows, step->consent, step->no_transaction,
		       (long long)step->before, (long long)step->behind, (long long)step->total);
}

int steps_trim(struct db *db, struct error *err)
{
	return db_exec(db, err,
		       "DELETE FROM main._alterd_step WHERE job NOT IN"
		       " (SELECT id FROM main._alterd_job WHERE state IN ('queued','running'))");
}

static const char *text(struct pool *pool, sqlite3_stmt *stmt, int i)
{
	return pool_str(pool, (const char *)sqlite3_column_text(stmt, i));
}

int steps_read(struct db *db, int64_t job, int64_t seq, struct pool *pool, struct run_step *ret, struct error *err)
{
	sqlite3_stmt *stmt = NULL;

	if (db_prepare(
		    db,
		    "SELECT version,down,after,line,exact,allow_data_loss,batch_rows,name,file,sql,checksum,down_sql,"
		    "consent,no_transaction,done_before,done_behind,done_total"
		    " FROM main._alterd_step WHERE job=?1 AND seq=?2",
		    &stmt, err) != 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, job);
	sqlite3_bind_int64(stmt, 2, seq);
	int rc = db_step(db, stmt, err);
	if (rc == 1)
		*ret = (struct run_step){
			.version = sqlite3_column_int64(stmt, 0),
			.down = sqlite3_column_int(stmt, 1) != 0,
			.after = sqlite3_column_int64(stmt, 2),
			.line = sqlite3_column_int64(stmt, 3),
			.exact = sqlite3_column_int(stmt, 4) == 1 || sqlite3_column_int(stmt, 4) == STEP_SCHEMA,
			.schema = sqlite3_column_int(stmt, 4) == STEP_SCHEMA,
			.online = sqlite3_column_int(stmt, 4) == STEP_ONLINE,
			.allow_data_loss = sqlite3_column_int(stmt, 5) != 0,
			.batch_rows = sqlite3_column_int64(stmt, 6),
			.name = text(pool, stmt, 7),
			.file = text(pool, stmt, 8),
			.sql = text(pool, stmt, 9),
			.checksum = text(pool, stmt, 10),
			.down_sql = text(pool, stmt, 11),
			.consent = text(pool, stmt, 12),
			.no_transaction = sqlite3_column_int(stmt, 13) != 0,
			.before = sqlite3_column_int64(stmt, 14),
			.behind = sqlite3_column_int64(stmt, 15),
			.total = sqlite3_column_int64(stmt, 16),
		};
	db_done(db, stmt);
	if (rc == 0)
		return error_set(err, ERRC_INTERNAL, "step %lld of m%lld is missing", (long long)seq, (long long)job);
	return rc == 1 ? 0 : -1;
}
