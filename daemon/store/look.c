/* Looking a database through; see look.h. */
#include "daemon/store/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/gentle.h"
#include "daemon/store/internal.h"
#include "proto/response.h"

/* Up to this many bytes the file is looked at as a whole: a second or so. */
#define WHOLE_BYTES_MAX ((int64_t)256 << 20)
/* How long a log that is large already may take to begin anew before a table's snapshot is opened. */
#define LOG_WAIT_NS (500 * NS_PER_MS)
/* Bytes of a message that are told. */
#define MESSAGE_MAX 300

struct table {
	char *name;
	bool without_rowid;
};

struct lines {
	char **at;
	size_t n;
};

struct looking {
	const struct look_order *o;
	struct looked *ret;
	struct error *err;
	sqlite3 *handle;
	struct gentle gentle;
	struct table *tables;
	size_t ntables;
	struct lines whole; /* what was found of the file as a whole */
	struct lines told;  /* broken pages that were told of a table */
};

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* Room for one more of `n`. */
static void *grown(void *at, size_t n, size_t size)
{
	void *more = reallocarray(at, n + 1, size);

	CHECK(more != NULL);
	return more;
}

static void keep(struct lines *l, const char *text)
{
	if (l->n >= LOOK_FINDINGS_MAX)
		return;
	l->at = grown(l->at, l->n, sizeof *l->at);
	l->at[l->n++] = xstrdup(text);
}

static bool kept(const struct lines *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->at[i], text) == 0)
			return true;
	return false;
}

static void forget(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->at[i]);
	free(l->at);
}

/* --- findings --- */

static void tell(struct looking *k, const char *table, const int64_t *rowid, const char *kind, const char *message)
{
	struct buf *out = &k->ret->told;
	char text[MESSAGE_MAX + 1];

	if (k->ret->findings++ >= LOOK_FINDINGS_MAX)
		return;
	snprintf(text, sizeof text, "%s", message);
	jw_open(out, '{');
	jw_str(out, "table", table);
	if (rowid)
		jw_int(out, "rowid", *rowid);
	else
		jw_null(out, "rowid");
	jw_str(out, "kind", kind);
	jw_str(out, "message", text);
	jw_close(out, '}');
}

static const char *kind_of(const char *line)
{
	if (strstr(line, " missing from index ") || begins(line, "wrong # of entries in index "))
		return "INDEX";
	if (begins(line, "non-unique entry in index "))
		return "UNIQUE";
	if (begins(line, "NULL value in "))
		return "NOT NULL";
	if (begins(line, "CHECK constraint failed in "))
		return "CHECK";
	return strstr(line, " value in ") ? "TYPE" : "PAGE";
}

/* The check numbers the rows of a table from 1, in their order: the rowid is looked up. False: it has none. */
static bool rowid_of(struct looking *k, const struct table *t, const char *line, int64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	bool found = false;
	char *end;

	if (t->without_rowid || !begins(line, "row "))
		return false;
	long long nth = strtoll(line + strlen("row "), &end, 10);
	if (nth < 1 || !begins(end, " missing from index "))
		return false;
	char *sql = sqlite3_mprintf("SELECT rowid FROM main.\"%w\" NOT INDEXED ORDER BY rowid LIMIT 1 OFFSET %lld",
				    t->name, nth - 1);
	if (sql && sqlite3_prepare_v2(k->handle, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_INTEGER) {
		*ret = sqlite3_column_int64(stmt, 0);
		found = true;
	}
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	return found;
}

/* SQLite looks at the list of free pages with whatever table comes first in the file. */
static bool is_of_no_table(const char *line)
{
	return begins(line, "Main freelist: ") || begins(line, "Freelist: ") || strstr(line, " is never used");
}

/* One line of the check. t NULL: of the file as a whole, kept until it is known which table says the same. */
static void take_line(struct looking *k, const struct table *t, const char *line)
{
	int64_t rowid;

	/* An index that a migration is building stands in the file as a table, and may hold NULLs. */
	if (!*line || strcmp(line, "ok") == 0 || begins(line, "*** in database ") ||
	    begins(line, "NULL value in _alterd_"))
		return;
	if (!t || is_of_no_table(line)) {
		if (!kept(&k->whole, line))
			keep(&k->whole, line);
		return;
	}
	const char *kind = kind_of(line);
	if (strcmp(kind, "PAGE") == 0)
		keep(&k->told, line);
	bool has = rowid_of(k, t, line, &rowid);
	tell(k, t->name, has ? &rowid : NULL, kind, line);
}

static void take_lines(struct looking *k, const struct table *t, const char *text)
{
	char *copy = xstrdup(text), *rest = copy;

	for (char *line; (line = strsep(&rest, "\n"));)
		take_line(k, t, line);
	free(copy);
}

/* --- one snapshot --- */

/* SQLite could not go on. 0: that was a finding, or the snapshot was given up. */
static int ended_early(struct looking *k, const struct table *t)
{
	int code = sqlite3_extended_errcode(k->handle);
	const char *message = sqlite3_errmsg(k->handle);

	if (k->o->stop && atomic_load(k->o->stop) != STOP_NONE)
		return error_stopped(k->err, (enum stop_reason)atomic_load(k->o->stop));
	if (k->gentle.gave_up)
		return 0;
	if ((code & 255) != SQLITE_CORRUPT && (code & 255) != SQLITE_NOTADB && (code & 255) != SQLITE_ERROR)
		return error_from_sqlite(k->err, code, -1, "looking the database through", message);
	/* Tables may go while others are looked at. */
	if (!begins(message, "no such table"))
		tell(k, t ? t->name : NULL, NULL, "PAGE", message);
	return 0;
}

static int begin(struct looking *k, bool (*enough)(const struct store *s))
{
	k->gentle.gave_up = false;
	gentle_wait_for_log(&k->gentle, LOG_WAIT_NS);
	k->gentle.enough = enough;
	k->gentle.snapshot = true;
	atomic_store(&k->o->store->look_since_ns, clock_now_ns());
	return sqlite3_exec(k->handle, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) == SQLITE_OK ? 0
														   : -1;
}

static void end(struct looking *k)
{
	k->gentle.snapshot = false;
	(void)sqlite3_exec(k->handle, "ROLLBACK", NULL, NULL, NULL);
	atomic_store(&k->o->store->look_since_ns, 0);
}

static int check(struct looking *k, const struct table *t)
{
	sqlite3_stmt *stmt = NULL;
	const char *what = k->o->quick ? "quick_check" : "integrity_check";
	char *sql = t ? sqlite3_mprintf("PRAGMA main.%s(%Q)", what, t->name) : sqlite3_mprintf("PRAGMA main.%s", what);
	int rc = sql ? sqlite3_prepare_v2(k->handle, sql, -1, &stmt, NULL) : SQLITE_NOMEM;

	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);
		/* What the check says of pages that were not read because it was to end is nothing. */
		if (text && !gentle_over(&k->gentle))
			take_lines(k, t, text);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_reset(stmt);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	return rc == SQLITE_OK && !gentle_over(&k->gentle) ? 0 : ended_early(k, t);
}

static int foreign_keys(struct looking *k, const struct table *t)
{
	sqlite3_stmt *stmt = NULL;
	struct buf message = {0};

	if (k->o->quick || k->gentle.gave_up || begins(t->name, "_alterd_") || begins(t->name, "sqlite_"))
		return 0;
	char *sql = sqlite3_mprintf("PRAGMA main.foreign_key_check(%Q)", t->name);
	int rc = sql ? sqlite3_prepare_v2(k->handle, sql, -1, &stmt, NULL) : SQLITE_NOMEM;
	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		int64_t rowid = sqlite3_column_int64(stmt, 1);
		buf_truncate(&message, 0);
		buf_printf(&message, "refers to no row of %s", (const char *)sqlite3_column_text(stmt, 2));
		tell(k, t->name, sqlite3_column_type(stmt, 1) == SQLITE_NULL ? NULL : &rowid, "FOREIGN KEY",
		     buf_cstr(&message));
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_reset(stmt);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	buf_free(&message);
	/* A parent that is not there is what rows refer to; so it is the table itself that has gone. */
	bool gone = begins(sqlite3_errmsg(k->handle), "no such table");
	if (rc != SQLITE_OK && (rc & 255) == SQLITE_ERROR && !gone && !gentle_over(&k->gentle)) {
		/* The parent's columns are no key. */
		tell(k, t->name, NULL, "FOREIGN KEY", sqlite3_errmsg(k->handle));
		return 0;
	}
	return rc == SQLITE_OK && !gentle_over(&k->gentle) ? 0 : ended_early(k, t);
}

/* --- all of it --- */

static int read_tables(struct looking *k)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(k->handle,
				    "SELECT name,wr FROM pragma_table_list WHERE schema='main' AND type IN"
				    " ('table','shadow') AND (?1 IS NULL OR name=?1 COLLATE NOCASE) ORDER BY name",
				    -1, &stmt, NULL);

	if (rc == SQLITE_OK && k->o->table)
		sqlite3_bind_text(stmt, 1, k->o->table, -1, SQLITE_STATIC);
	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		k->tables = grown(k->tables, k->ntables, sizeof *k->tables);
		k->tables[k->ntables++] = (struct table){
			.name = xstrdup((const char *)sqlite3_column_text(stmt, 0)),
			.without_rowid = sqlite3_column_int(stmt, 1) != 0,
		};
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_reset(stmt);
	sqlite3_finalize(stmt);
	if (rc != SQLITE_OK)
		return ended_early(k, NULL);
	if (k->ntables == 0 && k->o->table && k->ret->findings == 0)
		return error_set(k->err, ERRC_NOT_FOUND, "no table %.100s", k->o->table);
	return 0;
}

/* 0 where it cannot be read, of which the check will have more to say. */
static int64_t file_bytes(const struct looking *k)
{
	sqlite3_stmt *stmt = NULL;
	int64_t bytes = 0;

	if (sqlite3_prepare_v2(k->handle, "SELECT page_count*page_size FROM pragma_page_count,pragma_page_size", -1,
			       &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		bytes = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return bytes;
}

/* As a whole, where that is in its place. *ret_sound: nothing more is to be said of any table's pages and indexes. */
static int look_at_file(struct looking *k, bool *ret_sound)
{
	*ret_sound = false;
	if (k->o->table || (!k->o->whole && file_bytes(k) > WHOLE_BYTES_MAX))
		return 0;
	int rc = begin(k, k->o->whole ? store_wal_overflows : store_wal_outruns);
	rc = rc == 0 ? check(k, NULL) : ended_early(k, NULL);
	k->ret->whole = rc == 0 && !k->gentle.gave_up;
	*ret_sound = k->ret->whole && k->whole.n == 0 && k->ret->findings == 0;
	end(k);
	return rc;
}

static int look_at_table(struct looking *k, const struct table *t, bool sound)
{
	PRE(t);
	int rc = begin(k, store_wal_overflows);

	rc = rc != 0 ? ended_early(k, t) : sound ? 0 : check(k, t);
	if (rc == 0)
		rc = foreign_keys(k, t);
	end(k);
	if (rc == 0 && k->gentle.gave_up) {
		k->ret->skipped++;
		jw_str(&k->ret->names, NULL, t->name);
	} else if (rc == 0) {
		k->ret->tables++;
	}
	return rc;
}

static int look(struct looking *k)
{
	bool sound = false;
	int rc = read_tables(k);

	if (rc == 0)
		rc = look_at_file(k, &sound);
	for (size_t i = 0; rc == 0 && i < k->ntables; i++) {
		rc = look_at_table(k, &k->tables[i], sound);
		if (k->o->permille)
			atomic_store(k->o->permille, (int)((i + 1) * 1000 / k->ntables));
	}
	/* Pages of no table, or of two. What concerns rows and indexes was told by their tables. */
	for (size_t i = 0; rc == 0 && i < k->whole.n; i++)
		if (strcmp(kind_of(k->whole.at[i]), "PAGE") == 0 && !kept(&k->told, k->whole.at[i]))
			tell(k, NULL, NULL, "PAGE", k->whole.at[i]);
	return rc;
}

static int open_connection(struct looking *k)
{
	if (sqlite3_open_v2(store_get_config(k->o->store)->path, &k->handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
			    NULL) == SQLITE_OK &&
	    sqlite3_extended_result_codes(k->handle, 1) == SQLITE_OK &&
	    sqlite3_busy_timeout(k->handle, DB_BUSY_MS) == SQLITE_OK &&
	    sqlite3_exec(k->handle, "PRAGMA cache_size=-2048", NULL, NULL, NULL) == SQLITE_OK &&
	    gentle_attach(&k->gentle, k->handle) == SQLITE_OK)
		return 0;
	return error_from_sqlite(k->err, k->handle ? sqlite3_extended_errcode(k->handle) : SQLITE_NOMEM, -1,
				 "opening the database", k->handle ? sqlite3_errmsg(k->handle) : "out of memory");
}

int look_through(const struct look_order *o, struct looked *ret, struct error *err)
{
	struct looking k = {.o = o,
			    .ret = ret,
			    .err = err,
			    .gentle = {.store = o->store, .stop = o->stop, .worked_ns = clock_now_ns()}};

	*ret = (struct looked){0};
	jw_open(&ret->told, '[');
	jw_open(&ret->names, '[');
	int rc = open_connection(&k);
	if (rc == 0)
		rc = look(&k);
	jw_close(&ret->told, ']');
	jw_close(&ret->names, ']');
	sqlite3_close(k.handle);
	for (size_t i = 0; i < k.ntables; i++)
		free(k.tables[i].name);
	free(k.tables);
	forget(&k.whole);
	forget(&k.told);
	return rc;
}
