/*
 * Statements: preparing (the daemon's own, and clients' under the guard), stepping, giving back to the cache.
 */
#include <stdarg.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/guard.h"
#include "daemon/store/internal.h"

/* Most computing a client's statement may take to prepare; looked at where the authoriser is called. */
#define PREPARE_NS (250 * NS_PER_MS)
/* Times that a statement is prepared once more because the schema changed under it; the end of a change is several. */
#define PREPARE_TRIES 20

/*
 * What the statement is depends on its text alone, never on the schema: a DROP TABLE IF EXISTS of a table that is not
 * there compiles to nothing and counts as read-only, but the same text is not a read the next time.
 */
static void mark_type(struct stmt_known *known, struct db *db)
{
	struct guard_facts *f = &db->facts;

	if (sqlite3_stmt_isexplain(known->stmt))
		f->type = SQL_TYPE_READ;
	else if (f->tx != SQL_TYPE_UNKNOWN)
		f->type = f->tx;
	else if (f->ddl || !(f->reads || f->writes))
		f->type = SQL_TYPE_DDL;
	else
		/*
		 * A virtual table that is opened on the way prepares writes of its own: a SELECT stays a read. And some
		 * PRAGMAs count as writes because they could: without a value they only tell.
		 */
		f->type = (f->writes && !f->reads) ||
					  (!sqlite3_stmt_readonly(known->stmt) && !(f->pragma && !f->writes))
				  ? SQL_TYPE_WRITE
				  : SQL_TYPE_READ;
	f->ddl = f->type == SQL_TYPE_DDL;
	known->type = f->type;
	known->calls_changes = f->calls_changes;
	known->keeps_schema = f->keeps_schema;
	known->simple = f->type == SQL_TYPE_READ && !f->involved;
}

/* The first byte that is not blank, not a comment and not ';'. */
static const char *skip_blanks(const char *p)
{
	for (; *p; p++) {
		if (p[0] == '-' && p[1] == '-') {
			for (; p[1] && p[1] != '\n'; p++)
				;
		} else if (p[0] == '/' && p[1] == '*') {
			const char *end = strstr(p + 2, "*/");
			if (!end)
				return p + strlen(p);
			p = end + 1;
		} else if (!strchr(" \t\r\n\f;", *p)) {
			break;
		}
	}
	return p;
}

/*
 * SQLite finds some errors in a schema that another connection has changed since, without looking whether it has
 * ("table t has 3 columns but 2 values were supplied"). A statement that is run does look: after it the schema is the
 * present one. And where it looks it tries only once more ("no such table: t", SQLITE_SCHEMA): a table with a virtual
 * table in its triggers takes so long to prepare that the schema may have changed again.
 */
static int prepare_again(struct db *db, const char *sql, size_t n, sqlite3_stmt **ret, const char **ret_tail)
{
	struct error ignored = {0};

	db_own(db, "SELECT 1 FROM main.sqlite_schema LIMIT 1", &ignored);
	error_clear(&ignored);
	db->facts = (struct guard_facts){.until_ns = db->facts.until_ns, .cpu_ns = db->facts.cpu_ns};
	return sqlite3_prepare_v3(db->handle, sql, (int)n + 1, 0, ret, ret_tail);
}

bool db_prepare_is_long(const struct db *db) { return clock_cpu_ns() - db->facts.cpu_ns > PREPARE_NS; }

static int prepare_guarded(struct db *db, const char *sql, size_t n, struct stmt_known *ret, const char **ret_tail,
			   struct error *err)
{
	error_clear(&db->facts.denied);
	db->facts = (struct guard_facts){.until_ns = clock_now_ns() + PREPARE_NS, .cpu_ns = clock_cpu_ns()};
	*ret = (struct stmt_known){.type = SQL_TYPE_EMPTY};
	if (n > (size_t)sqlite3_limit(db->handle, SQLITE_LIMIT_SQL_LENGTH, -1))
		return error_from_sqlite(err, SQLITE_TOOBIG, -1, NULL, "statement too long");
	int rc = sqlite3_prepare_v3(db->handle, sql, (int)n + 1, 0, &ret->stmt, ret_tail);
	for (int i = 0; i < PREPARE_TRIES && (rc == SQLITE_SCHEMA || (rc == SQLITE_ERROR && i == 0)) &&
			!error_is_set(&db->facts.denied);
	     i++)
		rc = prepare_again(db, sql, n, &ret->stmt, ret_tail);
	if (rc != SQLITE_OK)
		return db_error(db, NULL, err);
	db->facts.was_long = clock_now_ns() > db->facts.until_ns && db_prepare_is_long(db);
	/* From here on the statement may be prepared again by SQLite, whenever the schema has changed. */
	db->facts.until_ns = CLOCK_NEVER;
	if (!ret->stmt)
		return 0;
	mark_type(ret, db);
	if (db->facts.ddl && guard_names_own(sqlite3_sql(ret->stmt))) {
		sqlite3_finalize(ret->stmt);
		return error_set(err, ERRC_DENIED, "names beginning with _alterd_ belong to the daemon");
	}
	/* VACUUM asks the authoriser only once it runs: it attaches a database then. */
	if (!db->facts.asked && sqlite3_strnicmp(skip_blanks(sql), "VACUUM", 6) == 0) {
		sqlite3_finalize(ret->stmt);
		return error_set(err, ERRC_DENIED, "ATTACH, DETACH and VACUUM are not allowed");
	}
	return 0;
}

int db_prepare_client(struct db *db, const char *sql, size_t n, sqlite3_stmt **ret, enum sql_type *ret_type,
		      struct error *err)
{
	struct stmt_known known = stmt_cache_take(&db->cache, sql, n, true);
	const char *tail = "";

	db->guarded = true;
	if (known.stmt) {
		error_clear(&db->facts.denied);
		db->facts = (struct guard_facts){
			.until_ns = CLOCK_NEVER,
			.calls_changes = known.calls_changes,
			.keeps_schema = known.keeps_schema,
			.involved = !known.simple,
			/* db_done() puts it back under this: a BEGIN must not come out as a read the next time. */
			.type = (enum sql_type)known.type,
		};
	} else if (prepare_guarded(db, sql, n, &known, &tail, err)) {
		db->guarded = false;
		return -1;
	} else if (known.stmt && *skip_blanks(tail)) {
		sqlite3_finalize(known.stmt);
		db->guarded = false;
		return error_set(err, ERRC_INVALID_PARAMS, "more than one statement: send them with batch {script}");
	}
	if (!known.stmt)
		db->guarded = false;
	*ret = known.stmt;
	*ret_type = (enum sql_type)known.type;
	return 0;
}

int db_prepare_script(struct db *db, const char *sql, size_t n, sqlite3_stmt **ret, enum sql_type *ret_type,
		      const char **ret_tail, struct error *err)
{
	struct stmt_known known;

	db->guarded = true;
	int rc = prepare_guarded(db, sql, n, &known, ret_tail, err);
	if (rc || !known.stmt)
		db->guarded = false;
	if (rc)
		return -1;
	*ret = known.stmt;
	*ret_type = (enum sql_type)known.type;
	return 0;
}

int db_prepare(struct db *db, const char *sql, sqlite3_stmt **ret, struct error *err)
{
	struct stmt_known known = stmt_cache_take(&db->cache, sql, strlen(sql), false);

	PRE(!db->guarded);
	if (!known.stmt && sqlite3_prepare_v3(db->handle, sql, -1, 0, &known.stmt, NULL) != SQLITE_OK)
		return db_error(db, NULL, err);
	CHECK(known.stmt != NULL);
	*ret = known.stmt;
	return 0;
}

int db_step(struct db *db, sqlite3_stmt *stmt, struct error *err)
{
	int rc = sqlite3_step(stmt);

	pulse_beat();
	/* The same where SQLite prepares again a statement that is kept: it says so before it has done anything. */
	for (int i = 0; i < PREPARE_TRIES && rc == SQLITE_SCHEMA; i++) {
		sqlite3_reset(stmt);
		rc = sqlite3_step(stmt);
	}
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : db_error(db, NULL, err);
}

bool db_shows_program(sqlite3_stmt *stmt) { return sqlite3_stmt_isexplain(stmt) == 1; }

void db_done(struct db *db, sqlite3_stmt *stmt)
{
	bool guarded = db->guarded;

	db->guarded = false;
	if (!stmt)
		return;
	sqlite3_reset(stmt);
	/*
	 * DDL is prepared anew each time: a cached one would not ask the guard whether a migration is running. EXPLAIN
	 * too: it tells the names of tables from the schema it was prepared with, and does not look whether that is
	 * there still.
	 */
	if (db->no_cache || (guarded && db->facts.ddl) || db_shows_program(stmt)) {
		sqlite3_finalize(stmt);
		return;
	}
	sqlite3_clear_bindings(stmt);
	struct stmt_known known = {.stmt = stmt};
	if (guarded) {
		known.type = db->facts.type;
		known.calls_changes = db->facts.calls_changes;
		known.keeps_schema = db->facts.keeps_schema;
		known.simple = db->facts.type == SQL_TYPE_READ && !db->facts.involved;
	}
	stmt_cache_put(&db->cache, known, guarded);
}

int db_run(struct db *db, const char *sql, struct error *err)
{
	sqlite3_stmt *stmt;

	if (db_prepare(db, sql, &stmt, err))
		return -1;
	int rc;
	while ((rc = db_step(db, stmt, err)) == 1)
		;
	db_done(db, stmt);
	return rc;
}

int db_own(struct db *db, const char *sql, struct error *err)
{
	bool guarded = db->guarded;

	db->guarded = false;
	int rc = db_run(db, sql, err);
	db->guarded = guarded;
	return rc;
}

void db_undo_to(struct db *db, const char *sql)
{
	struct error ignored = {0};

	if (db_own(db, sql, &ignored) != 0)
		db_rollback(db);
	error_clear(&ignored);
}

void db_release(struct db *db, const char *sql)
{
	struct error ignored = {0};

	if (db_in_transaction(db))
		db_own(db, sql, &ignored);
	error_clear(&ignored);
}

int db_exec(struct db *db, struct error *err, const char *format, ...)
{
	va_list args;

	PRE(!db->guarded);
	va_start(args, format);
	char *sql = sqlite3_vmprintf(format, args);
	va_end(args);
	if (!sql)
		return error_from_sqlite(err, SQLITE_NOMEM, -1, NULL, "out of memory");
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	return rc == SQLITE_OK ? 0 : db_error(db, NULL, err);
}

int db_int(struct db *db, int64_t *ret, struct error *err, const char *format, ...)
{
	va_list args;
	sqlite3_stmt *stmt = NULL;

	va_start(args, format);
	char *sql = sqlite3_vmprintf(format, args);
	va_end(args);
	if (!sql)
		return error_from_sqlite(err, SQLITE_NOMEM, -1, NULL, "out of memory");
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL) == SQLITE_OK ? db_step(db, stmt, err)
										   : db_error(db, NULL, err);
	if (rc == 1)
		*ret = sqlite3_column_int64(stmt, 0);
	else if (rc == 0)
		error_set(err, ERRC_INTERNAL, "no row: %s", sql);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	return rc == 1 ? 0 : -1;
}

int db_exec_guarded(struct db *db, const char *sql, struct error *err)
{
	enum sql_type type;
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (db_prepare_client(db, sql, strlen(sql), &stmt, &type, err) != 0)
		return -1;
	if (!stmt)
		return 0;
	while ((rc = db_step(db, stmt, err)) == 1)
		;
	db_done(db, stmt);
	return rc;
}
