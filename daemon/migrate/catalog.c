/* The catalog's SQL, all of it. */
#include "daemon/migrate/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/fault.h"
#include "daemon/migrate/partial.h"
#include "daemon/migrate/steps.h"

/* Integer columns of a job that are its progress; in the order they are bound. */
#define PROGRESS_MAP(X)                                                                                                \
	X(has_cursor)                                                                                                  \
	X(cursor)                                                                                                      \
	X(collecting)                                                                                                  \
	X(indexes)                                                                                                     \
	X(rows_done)                                                                                                   \
	X(rows_total)                                                                                                  \
	X(rows_exact)                                                                                                  \
	X(verified_rows)                                                                                               \
	X(changes_applied)                                                                                             \
	X(restarts)                                                                                                    \
	X(longest_hold_us)                                                                                             \
	X(longest_wait_us)                                                                                             \
	X(swap_us)                                                                                                     \
	X(run_ms)

#define TEXT_MAP(X)                                                                                                    \
	X(table)                                                                                                       \
	X(sql)                                                                                                         \
	X(strategy)                                                                                                    \
	X(shadow)                                                                                                      \
	X(fingerprint)                                                                                                 \
	X(error_name)                                                                                                  \
	X(error_text)                                                                                                  \
	X(error_rows)                                                                                                  \
	NEW_TEXT_MAP(X)

/* What format 1 did not have. */
#define NEW_TEXT_MAP(X)                                                                                                \
	X(name)                                                                                                        \
	X(file)                                                                                                        \
	X(applied_by)                                                                                                  \
	NEWER_TEXT_MAP(X)

/* What format 2 did not have. */
#define NEWER_TEXT_MAP(X) X(consented_by)

#define NEWER_RUN_MAP(X)                                                                                               \
	X(consented)                                                                                                   \
	X(done_before)                                                                                                 \
	X(done_behind)                                                                                                 \
	X(done_total)

#define RUN_MAP(X)                                                                                                     \
	X(steps)                                                                                                       \
	X(step)                                                                                                        \
	X(from_version)                                                                                                \
	X(to_version)                                                                                                  \
	X(version)                                                                                                     \
	X(down)                                                                                                        \
	X(after)                                                                                                       \
	X(file_batch)                                                                                                  \
	NEWER_RUN_MAP(X)

#define PLAIN_MAP(X)                                                                                                   \
	X(allow_data_loss)                                                                                             \
	X(queued_ms)                                                                                                   \
	X(started_ms)                                                                                                  \
	X(ended_ms)                                                                                                    \
	X(error_code)                                                                                                  \
	X(error_count)

#define CONTROL_MAP(X)                                                                                                 \
	X(paused)                                                                                                      \
	X(postpone)                                                                                                    \
	X(batch_rows)                                                                                                  \
	X(duty_percent)

#define COLUMN(name) ",\"" #name "\""

static const char create_sql[] =
	"CREATE TABLE IF NOT EXISTS main._alterd_meta(key TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS main._alterd_dirty(job,gone,key,PRIMARY KEY(job,gone,key)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS main._alterd_job(id INTEGER NOT NULL PRIMARY KEY, state TEXT NOT NULL, phase TEXT "
	"NOT NULL,"
	" failed_in TEXT NOT NULL"
#define X(name) COLUMN(name) " TEXT"
	TEXT_MAP(X)
#undef X
#define X(name) COLUMN(name) " INTEGER NOT NULL"
		PLAIN_MAP(X) CONTROL_MAP(X) PROGRESS_MAP(X) RUN_MAP(X)
#undef X
			") WITHOUT ROWID;";

#define ADD_TEXT(name)                                                                                                 \
	"ALTER TABLE main._alterd_job ADD"                                                                             \
	" "                                                                                                            \
	"\"" #name "\" TEXT;"
#define ADD_INTEGER(name) "ALTER TABLE main._alterd_job ADD \"" #name "\" INTEGER NOT NULL DEFAULT 0;"

static const char from_1_sql[] = NEW_TEXT_MAP(ADD_TEXT) RUN_MAP(ADD_INTEGER);
static const char from_2_sql[] = NEWER_TEXT_MAP(ADD_TEXT) NEWER_RUN_MAP(ADD_INTEGER);

static int upgrade(struct db *db, int64_t format, struct error *err)
{
	if (db_begin(db, err) == 0 && db_exec(db, err, "%s", format == 1 ? from_1_sql : from_2_sql) == 0 &&
	    (format == 1 ? steps_create : steps_upgrade)(db, err) == 0 && partial_create(db, err) == 0 &&
	    db_exec(db, err, "UPDATE main._alterd_meta SET value=%d WHERE key='format'", CATALOG_FORMAT) == 0 &&
	    db_commit(db, err) == 0)
		return 0;
	db_rollback(db);
	return -1;
}

static int check_format(struct db *db, struct error *err)
{
	int64_t format = 0;
	struct error none = {0};

	if (db_int(db, &format, &none, "SELECT value FROM main._alterd_meta WHERE key='format'") != 0)
		format = 0;
	error_clear(&none);
	if (format == 1 || format == 2)
		return upgrade(db, format, err);
	if (format == CATALOG_FORMAT)
		return 0;
	return error_set(err, ERRC_INTERNAL,
			 "the tables of alterd in this file have format %lld, this version knows %d: run the version "
			 "that wrote them",
			 (long long)format, CATALOG_FORMAT);
}

int catalog_open(struct db *db, struct error *err)
{
	int64_t have = 0;

	if (db_int(db, &have, err, "SELECT count(*) FROM main.sqlite_schema WHERE name='_alterd_meta'") != 0)
		return -1;
	if (have)
		return check_format(db, err);
	if (db_begin(db, err) != 0)
		return -1;
	if (db_exec(db, err, "%s", create_sql) != 0 || steps_create(db, err) != 0 || partial_create(db, err) != 0 ||
	    db_exec(db, err, "INSERT INTO main._alterd_meta VALUES('format',%d)", CATALOG_FORMAT) != 0 ||
	    db_commit(db, err) != 0) {
		db_rollback(db);
		return -1;
	}
	return 0;
}

static void take_text(char **field, sqlite3_stmt *stmt, int i)
{
	record_set(field, (const char *)sqlite3_column_text(stmt, i));
}

static struct record *read_job(sqlite3_stmt *stmt, struct error *err)
{
	struct record *r = record_new();
	int i = 0;

	r->id = sqlite3_column_int64(stmt, i++);
	r->state = job_state_by_name((const char *)sqlite3_column_text(stmt, i++));
	r->p.phase = phase_by_name((const char *)sqlite3_column_text(stmt, i++));
	r->p.failed_in = phase_by_name((const char *)sqlite3_column_text(stmt, i++));
#define X(name) take_text(&r->name, stmt, i++);
	TEXT_MAP(X)
#undef X
#define X(name) r->name = sqlite3_column_int64(stmt, i++);
	PLAIN_MAP(X)
#undef X
#define X(name) r->control.name = sqlite3_column_int64(stmt, i++);
	CONTROL_MAP(X)
#undef X
#define X(name) r->p.name = sqlite3_column_int64(stmt, i++);
	PROGRESS_MAP(X)
#undef X
#define X(name) r->run.name = sqlite3_column_int64(stmt, i++);
	RUN_MAP(X)
#undef X
	if (r->state < JOB_STATE_COUNT && r->p.phase < PHASE_COUNT && r->p.failed_in < PHASE_COUNT && r->table &&
	    r->sql)
		return r;
	error_set(err, ERRC_INTERNAL, "job m%lld in the catalog cannot be read", (long long)r->id);
	record_free(r);
	return NULL;
}

int catalog_load(struct db *db, void (*each)(void *arg, struct record *r), void *arg, struct error *err)
{
	static const char sql[] = "SELECT id,state,phase,failed_in"
#define X(name) COLUMN(name)
		TEXT_MAP(X) PLAIN_MAP(X) CONTROL_MAP(X) PROGRESS_MAP(X) RUN_MAP(X)
#undef X
			" FROM main._alterd_job ORDER BY id";
	sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(db, sql, &stmt, err);

	while (rc == 0 && (rc = db_step(db, stmt, err)) == 1) {
		struct record *r = read_job(stmt, err);
		rc = r ? 0 : -1;
		if (r)
			each(arg, r);
	}
	db_done(db, stmt);
	return rc;
}

static int step_once(struct db *db, sqlite3_stmt *stmt, struct error *err)
{
	int rc = db_step(db, stmt, err);
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

static int bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
	return text ? sqlite3_bind_text(stmt, i, text, -1, SQLITE_TRANSIENT) : sqlite3_bind_null(stmt, i);
}

/* Writes all columns of the row. */
int catalog_save(struct db *db, const struct record *r, struct error *err)
{
	static const char sql[] = "INSERT OR REPLACE INTO main._alterd_job(id,state,phase,failed_in"
#define X(name) COLUMN(name)
		TEXT_MAP(X) PLAIN_MAP(X) CONTROL_MAP(X) PROGRESS_MAP(X) RUN_MAP(X) ") VALUES(?,?,?,?"
#undef X
#define X(name) ",?"
		TEXT_MAP(X) PLAIN_MAP(X) CONTROL_MAP(X) PROGRESS_MAP(X) RUN_MAP(X)
#undef X
			")";
	sqlite3_stmt *stmt = NULL;
	int i = 1;

	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	sqlite3_bind_int64(stmt, i++, r->id);
	bind_text(stmt, i++, job_state_name(r->state));
	bind_text(stmt, i++, phase_name(r->p.phase));
	bind_text(stmt, i++, phase_name(r->p.failed_in));
#define X(name) bind_text(stmt, i++, r->name);
	TEXT_MAP(X)
#undef X
#define X(name) sqlite3_bind_int64(stmt, i++, r->name);
	PLAIN_MAP(X)
#undef X
#define X(name) sqlite3_bind_int64(stmt, i++, r->control.name);
	CONTROL_MAP(X)
#undef X
#define X(name) sqlite3_bind_int64(stmt, i++, r->p.name);
	PROGRESS_MAP(X)
#undef X
#define X(name) sqlite3_bind_int64(stmt, i++, r->run.name);
	RUN_MAP(X)
#undef X
	return step_once(db, stmt, err);
}

int catalog_insert(struct db *db, struct record *r, struct error *err)
{
	int64_t id = 0;
	if (db_int(db, &id, err, "SELECT ifnull(max(id),0)+1 FROM main._alterd_job") != 0)
		return -1;
	r->id = id;
	return catalog_save(db, r, err);
}

int catalog_progress(struct db *db, int64_t id, const struct progress *p, struct error *err)
{
	static const char sql[] = "UPDATE main._alterd_job SET phase=?,failed_in=?"
#define X(name) COLUMN(name) "=?"
		PROGRESS_MAP(X)
#undef X
			" WHERE id=?";
	sqlite3_stmt *stmt = NULL;
	int i = 1;

	if (FAULT("catalog-progress"))
		return error_set_sqlite(err, SQLITE_IOERR, "SQLITE_IOERR", "fault point catalog-progress");
	if (db_prepare(db, sql, &stmt, err) != 0)
		return -1;
	bind_text(stmt, i++, phase_name(p->phase));
	bind_text(stmt, i++, phase_name(p->failed_in));
#define X(name) sqlite3_bind_int64(stmt, i++, p->name);
	PROGRESS_MAP(X)
#undef X
	sqlite3_bind_int64(stmt, i++, id);
	return step_once(db, stmt, err);
}

int catalog_control(struct db *db, int64_t id, const struct control *c, struct error *err)
{
	return db_exec(
		db, err,
		"UPDATE main._alterd_job SET paused=%lld,postpone=%lld,batch_rows=%lld,duty_percent=%lld WHERE id=%lld",
		(long long)c->paused, (long long)c->postpone, (long long)c->batch_rows, (long long)c->duty_percent,
		(long long)id);
}

int catalog_trim(struct db *db, struct error *err)
{
	return steps_trim(db, err) != 0
		       ? -1
		       : db_exec(db, err,
				 "DELETE FROM main._alterd_job WHERE state IN ('done','failed','aborted') AND id NOT IN"
				 " (SELECT id FROM main._alterd_job ORDER BY id DESC LIMIT %d)",
				 CATALOG_JOBS_MAX);
}
