/*
 * The observer, and the scratch table in which the row before the change stands for as long as it is asked about.
 *
 * sqlite3_preupdate_old() counts columns as they are stored, without virtual ones. For a column that was added after
 * the row was written, SQLite 3.40 answers with a NULL of its own instead of the column's default: it is known by its
 * address, which sqlite3_column_value() gives away for a column that does not exist. Later versions answer the default.
 */
#include "daemon/migrate/index_watch.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/index_state.h"

struct index_watch {
	struct observer observer;
	struct pool pool;
	const struct index_spec *spec;
	struct index_log *log;
	const char *table;
	sqlite3 *scratch;
	sqlite3_stmt *insert, *entry, *clear;
	const sqlite3_value *absent; /* what stands for a column that a row is too short for */
	size_t n;                    /* columns that are written */
	int *stored;                 /* of each: its number in the stored row */
	sqlite3_value **defaults;    /* of each: NULL if it has none */
	bool *used;                  /* of each: the index may depend on it */
	bool choosy;                 /* an UPDATE that leaves those alone leaves the index alone */
	struct buf norm, tail;
};

static int scratch_failed(struct index_watch *w, const char *what, struct error *err)
{
	return error_set(err, ERRC_INTERNAL, "%s in a scratch database: %s", what, sqlite3_errmsg(w->scratch));
}

static bool put_row(struct index_watch *w, sqlite3 *handle, int64_t rowid)
{
	sqlite3_value *v = NULL;

	sqlite3_bind_int64(w->insert, 1, rowid);
	for (size_t i = 0; i < w->n; i++) {
		if (sqlite3_preupdate_old(handle, w->stored[i], &v) != SQLITE_OK)
			return false;
		if (v == w->absent && w->defaults[i])
			v = w->defaults[i];
		if (sqlite3_bind_value(w->insert, (int)i + 2, v) != SQLITE_OK)
			return false;
	}
	bool fine = sqlite3_step(w->insert) == SQLITE_DONE;
	sqlite3_reset(w->insert);
	return fine;
}

/* Logs the entry of the row that stands in the scratch table. */
static bool log_row(struct index_watch *w, int64_t rowid)
{
	const struct index_target *t = &w->spec->targets[0];
	size_t unique_n = 0;
	bool null = false, fine = false;

	sqlite3_bind_int64(w->entry, 1, rowid);
	if (sqlite3_step(w->entry) == SQLITE_ROW) {
		fine = true;
		if (t->condition > 0 && !sqlite3_column_int(w->entry, (int)t->condition)) {
			index_log_add(w->log, rowid, NULL);
		} else {
			index_entry(t, w->entry, t->values, &w->norm, &w->tail, &null, &unique_n);
			struct key_ref key = {.norm = (const uint8_t *)w->norm.data,
					      .norm_n = w->norm.len,
					      .tail = (const uint8_t *)w->tail.data,
					      .tail_n = w->tail.len,
					      .unique_n = unique_n};
			fine = !w->norm.failed && !w->tail.failed;
			if (fine)
				index_log_add(w->log, rowid, &key);
		}
	}
	sqlite3_reset(w->entry);
	return fine;
}

static bool same_value(sqlite3_value *a, sqlite3_value *b)
{
	int type = sqlite3_value_type(a);

	if (type != sqlite3_value_type(b))
		return false;
	switch (type) {
	case SQLITE_NULL:
		return true;
	case SQLITE_INTEGER:
		return sqlite3_value_int64(a) == sqlite3_value_int64(b);
	case SQLITE_FLOAT: {
		double x = sqlite3_value_double(a), y = sqlite3_value_double(b);
		uint64_t bits_x, bits_y; /* -0.0 is another value than 0.0 */
		memcpy(&bits_x, &x, sizeof(x));
		memcpy(&bits_y, &y, sizeof(y));
		return bits_x == bits_y;
	}
	default: {
		const void *x = sqlite3_value_blob(a), *y = sqlite3_value_blob(b);
		int n = sqlite3_value_bytes(a);
		return n == sqlite3_value_bytes(b) && (n == 0 || memcmp(x, y, (size_t)n) == 0);
	}
	}
}

/* Nothing that the index may depend on is changed. */
static bool untouched(struct index_watch *w, sqlite3 *handle)
{
	sqlite3_value *before = NULL, *after = NULL;

	for (size_t i = 0; i < w->n; i++) {
		if (!w->used[i])
			continue;
		if (sqlite3_preupdate_old(handle, w->stored[i], &before) != SQLITE_OK ||
		    sqlite3_preupdate_new(handle, w->stored[i], &after) != SQLITE_OK || before == w->absent ||
		    !same_value(before, after))
			return false;
	}
	return true;
}

static void row(void *arg, sqlite3 *handle, int op, const char *table, int64_t old_rowid, int64_t new_rowid)
{
	struct index_watch *w = arg;

	if (sqlite3_stricmp(table, w->table) != 0 || index_log_lost(w->log))
		return;
	if (op == SQLITE_UPDATE && old_rowid == new_rowid && w->choosy && untouched(w, handle))
		return;
	if (op != SQLITE_INSERT) {
		bool fine = put_row(w, handle, old_rowid) && log_row(w, old_rowid);
		if (sqlite3_step(w->clear) != SQLITE_DONE || !fine)
			index_log_lose(w->log, "a row that a client changed cannot be read");
		sqlite3_reset(w->clear);
		sqlite3_clear_bindings(w->insert);
	}
	if (op == SQLITE_INSERT || new_rowid != old_rowid)
		index_log_add(w->log, new_rowid, NULL);
}

/*
 * With virtual columns, SQLite takes the number of a stored column for that of a declared one when it looks whether the
 * value is the rowid, or an integer that stands for a REAL. That does harm only where the two are not alike.
 */
const char *index_watch_unfit(const struct schema_table *t)
{
	size_t stored = 0;

	if (t->without_rowid)
		return "the table is WITHOUT ROWID";
	if (!t->rowid)
		return "its rowid has no name";
	for (size_t i = 0; i < t->ncolumns; i++) {
		if (t->columns[i].hidden == 2)
			continue;
		bool taken = (int)stored == t->alias ||
			     (t->columns[stored].affinity == AFFINITY_REAL && t->columns[i].affinity != AFFINITY_REAL);
		if (stored != i && t->columns[i].hidden == 0 && taken)
			return "a VIRTUAL column stands before others, and SQLite does not tell what changes in such a "
			       "row";
		stored++;
	}
	return NULL;
}

/* Which columns an index of plain columns depends on; any may be in an expression, or in WHERE. */
static void find_used(struct index_watch *w, const struct schema_table *t)
{
	const struct index_target *x = &w->spec->targets[0];
	bool all = x->condition > 0;
	size_t at = 0;

	w->choosy = true;
	for (size_t k = 0; k < x->key_count; k++)
		all = all || schema_find_column(t, x->column_names[k]) < 0;
	for (size_t i = 0; i < t->ncolumns; i++) {
		const struct schema_column *c = &t->columns[i];
		w->choosy = w->choosy && c->hidden == 0;
		if (c->hidden != 0 || (int)i == t->alias)
			continue;
		w->used[at] = all;
		for (size_t k = 0; k < x->key_count; k++)
			w->used[at] = w->used[at] || schema_find_column(t, x->column_names[k]) == (int)i;
		at++;
	}
}

/* Columns that are written, and INSERT with the rowid in front. */
static void read_columns(struct index_watch *w, const struct schema_table *t, const char **ret_insert)
{
	struct buf names = {0}, marks = {0};
	int stored = 0;

	w->stored = pool_alloc(&w->pool, t->ncolumns * sizeof(*w->stored));
	w->defaults = pool_alloc(&w->pool, t->ncolumns * sizeof(sqlite3_value *));
	w->used = pool_alloc(&w->pool, t->ncolumns * sizeof(*w->used));
	buf_puts(&names, quote_name(&w->pool, t->rowid));
	for (size_t i = 0; i < t->ncolumns; i++) {
		const struct schema_column *c = &t->columns[i];
		if (c->hidden == 2)
			continue;
		if (c->hidden == 0 && (int)i != t->alias) {
			w->stored[w->n++] = stored;
			buf_printf(&names, ",%s", quote_name(&w->pool, c->name));
			buf_puts(&marks, ",?");
		}
		stored++;
	}
	*ret_insert = pool_printf(&w->pool, "INSERT INTO main.%s(%s) VALUES(?%s)", quote_name(&w->pool, t->name),
				  buf_cstr(&names), buf_cstr(&marks));
	buf_free(&names);
	buf_free(&marks);
}

/*
 * The value a column has in a row from before it was added. Found out by adding it: SQLite makes 2 of DEFAULT 2.0 then,
 * and 2.0 when a row is inserted. NULL for a default that no column can be added with. -1: memory is short.
 */
static int added_default(struct index_watch *w, const struct schema_column *c, sqlite3_value **ret)
{
	sqlite3_stmt *stmt = NULL;
	/* Parentheses are not part of the default's text: an expression needs them, and "x" for a string must not. */
	const char *bare = pool_printf(&w->pool, "ALTER TABLE d ADD COLUMN c %s DEFAULT %s", c->type, c->dflt);
	const char *add = pool_printf(&w->pool, "ALTER TABLE d ADD COLUMN c %s DEFAULT (%s\n)", c->type, c->dflt);

	int rc = sqlite3_exec(w->scratch, "SAVEPOINT d; CREATE TABLE d(x); INSERT INTO d VALUES(1)", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(w->scratch, bare, NULL, NULL, NULL);
	if (rc == SQLITE_ERROR)
		rc = sqlite3_exec(w->scratch, add, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(w->scratch, "SELECT c FROM d", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW && !(*ret = sqlite3_value_dup(sqlite3_column_value(stmt, 0))))
		rc = SQLITE_NOMEM;
	sqlite3_finalize(stmt);
	(void)sqlite3_exec(w->scratch, "ROLLBACK TO d; RELEASE d", NULL, NULL, NULL);
	return rc == SQLITE_NOMEM ? -1 : 0;
}

static int read_defaults(struct index_watch *w, const struct schema_table *t)
{
	size_t at = 0;
	int rc = 0;

	for (size_t i = 0; i < t->ncolumns && rc == 0; i++) {
		const struct schema_column *c = &t->columns[i];
		if (c->hidden != 0 || (int)i == t->alias)
			continue;
		if (c->dflt)
			rc = added_default(w, c, &w->defaults[at]);
		at++;
	}
	return rc;
}

static int open_scratch(struct index_watch *w, const struct schema_table *t, struct error *err)
{
	const char *insert;

	if (sqlite3_open_v2(":memory:", &w->scratch, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return error_set_sqlite(err, SQLITE_NOMEM, "SQLITE_NOMEM", "no scratch database for watching a table");
	read_columns(w, t, &insert);
	find_used(w, t);
	if (read_defaults(w, t) != 0)
		return error_set_sqlite(err, SQLITE_NOMEM, "SQLITE_NOMEM", "out of memory");
	if (sqlite3_exec(w->scratch, "PRAGMA ignore_check_constraints=ON", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(w->scratch, w->spec->table_sql, NULL, NULL, NULL) != SQLITE_OK)
		return scratch_failed(w, "making the table", err);
	const char *clear = pool_printf(&w->pool, "DELETE FROM main.%s", quote_name(&w->pool, t->name));
	if (sqlite3_prepare_v3(w->scratch, insert, -1, SQLITE_PREPARE_PERSISTENT, &w->insert, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v3(w->scratch, w->spec->one_sql, -1, SQLITE_PREPARE_PERSISTENT, &w->entry, NULL) !=
		    SQLITE_OK ||
	    sqlite3_prepare_v3(w->scratch, clear, -1, SQLITE_PREPARE_PERSISTENT, &w->clear, NULL) != SQLITE_OK)
		return scratch_failed(w, "preparing", err);
	w->absent = sqlite3_column_value(w->entry, -1);
	return 0;
}

int index_watch_new(const struct index_spec *spec, const struct schema_table *table, struct index_log *log,
		    struct index_watch **ret, struct error *err)
{
	PRE(spec->count == 1 && spec->one_sql);
	if (index_watch_unfit(table))
		return error_set(err, ERRC_MIGRATION_INVALID, "%.100s: %s", table->name, index_watch_unfit(table));
	struct index_watch *w = xcalloc(1, sizeof(*w));

	w->observer = (struct observer){.arg = w, .row = row};
	w->spec = spec;
	w->log = log;
	w->table = pool_str(&w->pool, table->name);
	if (open_scratch(w, table, err) != 0) {
		index_watch_free(w);
		return -1;
	}
	*ret = w;
	return 0;
}

void index_watch_free(struct index_watch *w)
{
	if (!w)
		return;
	sqlite3_finalize(w->insert);
	sqlite3_finalize(w->entry);
	sqlite3_finalize(w->clear);
	for (size_t i = 0; i < w->n; i++)
		sqlite3_value_free(w->defaults[i]);
	sqlite3_close(w->scratch);
	buf_free(&w->norm);
	buf_free(&w->tail);
	pool_free(&w->pool);
	free(w);
}

void index_watch_start(struct index_watch *w, struct db *db) { db_observe(db, &w->observer); }

void index_watch_stop(struct index_watch *w, struct db *db)
{
	if (w)
		db_observe(db, NULL);
}
