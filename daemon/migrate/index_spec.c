/*
 * Reading the specification behind index_spec.h, and the statements made of it.
 *
 * A sidecar is a WITHOUT ROWID table of untyped columns whose primary key is all of them, in the index's order and
 * collations: its b-tree is the index's, byte for byte. A column of REAL affinity is REAL there too, because SQLite
 * stores an integral REAL as an integer in such an index.
 */
#include "daemon/migrate/index_spec.h"

#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/index_feed.h"
#include "daemon/migrate/rowkey.h"
#include "daemon/migrate/tokenize.h"
#include "daemon/store/engine.h"

/* What reading needs all along. */
struct reading {
	struct pool *pool;
	sqlite3 *scratch;
	struct index_spec *spec;
	const char **values; /* expressions of the scan's row */
	size_t value_count;
	struct error *err;
};

static int scratch_error(struct reading *r, const char *doing)
{
	int code = sqlite3_extended_errcode(r->scratch);

	/* What passes is no reason to take the index for one that cannot be read. */
	if (code == SQLITE_NOMEM)
		return error_set_sqlite(r->err, code, "SQLITE_NOMEM", "%s: %s", doing, sqlite3_errmsg(r->scratch));
	return error_set(r->err, ERRC_INTERNAL, "%s: %s", doing, sqlite3_errmsg(r->scratch));
}

static int prepare(struct reading *r, sqlite3_stmt **ret, const char *sql, const char *argument)
{
	if (sqlite3_prepare_v2(r->scratch, sql, -1, ret, NULL) != SQLITE_OK ||
	    (argument && sqlite3_bind_text(*ret, 1, argument, -1, SQLITE_STATIC) != SQLITE_OK))
		return scratch_error(r, "reading an index");
	return 0;
}

/* 1: a row, 0: there is none left, -1: an error, which must not pass for the end of the rows. */
static int next_row(struct reading *r, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : scratch_error(r, "reading an index");
}

static const char *quoted(struct pool *pool, const char *name)
{
	struct buf b = {0};

	sql_quote_name(&b, name);
	return pool_take(pool, &b);
}

static const char *column_text(struct reading *r, sqlite3_stmt *stmt, int column)
{
	return pool_str(r->pool, (const char *)sqlite3_column_text(stmt, column));
}

/* The number of an expression in the scan's row; the same text is evaluated once. */
static size_t value_number(struct reading *r, const char *expression)
{
	for (size_t i = 0; i < r->value_count; i++)
		if (strcmp(r->values[i], expression) == 0)
			return i;
	r->values = pool_grow(r->pool, r->values, r->value_count, sizeof(*r->values));
	r->values[r->value_count] = expression;
	return r->value_count++;
}

/* One text from the scratch database, NULL if there is no row or it is NULL. */
static int one_text(struct reading *r, const char *sql, const char *argument, const char **ret)
{
	sqlite3_stmt *stmt = NULL;
	int result = prepare(r, &stmt, sql, argument);

	*ret = NULL;
	if (result == 0)
		result = next_row(r, stmt);
	if (result == 1)
		*ret = column_text(r, stmt, 0);
	sqlite3_finalize(stmt);
	return result < 0 ? -1 : 0;
}

/* True when the expression compiles alone; what follows it cannot be told from an order word by looking alone. */
static bool expression_compiles(struct reading *r, const char *expression)
{
	sqlite3_stmt *stmt = NULL;
	struct buf b = {0};

	buf_printf(&b, "SELECT (%s\n) FROM ", expression);
	sql_quote_name(&b, r->spec->table);
	bool ok = sqlite3_prepare_v2(r->scratch, buf_cstr(&b), -1, &stmt, NULL) == SQLITE_OK;
	sqlite3_finalize(stmt);
	buf_free(&b);
	return ok;
}

/* Text of one part of the column list, without the ASC or DESC behind it. */
static const char *part_text(struct reading *r, const struct tokens *t, size_t from, size_t to)
{
	if (to - from > 1 && (token_is(t, to - 1, "ASC") || token_is(t, to - 1, "DESC"))) {
		const char *shorter = token_text(r->pool, t, from, to - 1);
		/* A column may be called asc or desc: then the shorter text is no expression. */
		if (expression_compiles(r, shorter))
			return shorter;
	}
	return token_text(r->pool, t, from, to);
}

/* CREATE [UNIQUE] INDEX name ON table ( parts ) [WHERE expression]: the text of part `which`, or of WHERE (NULL: none).
 */
static int index_part(struct reading *r, const char *sql, size_t which, bool where, const char **ret)
{
	struct tokens t;
	size_t open = 0, part = 0;

	if (tokenize(r->pool, sql, strlen(sql), &t, r->err) != 0)
		return -1;
	while (open < t.n && !token_punct(&t, open, '('))
		open++;
	size_t close = token_close(&t, open);
	if (close >= t.n)
		return error_set(r->err, ERRC_INTERNAL, "cannot read the index: %s", sql);
	if (where) {
		*ret = token_is(&t, close + 1, "WHERE") ? token_text(r->pool, &t, close + 2, t.n) : NULL;
		return 0;
	}
	size_t from = open + 1;
	for (size_t i = from; i <= close; i++) {
		if (token_punct(&t, i, '(')) {
			i = token_close(&t, i);
			continue;
		}
		if (i < close && !token_punct(&t, i, ','))
			continue;
		if (part++ == which) {
			*ret = part_text(r, &t, from, i);
			return 0;
		}
		from = i + 1;
	}
	return error_set(r->err, ERRC_INTERNAL, "cannot read column %zu of the index: %s", which, sql);
}

/* SQLite's rule for a declared type, as far as it concerns REAL. */
static int column_is_real(struct reading *r, int cid, bool *ret)
{
	sqlite3_stmt *stmt = NULL;
	int result = prepare(r, &stmt,
			     "SELECT 1 FROM pragma_table_xinfo(?1) WHERE cid = ?2 AND type NOT LIKE '%INT%' AND"
			     " type NOT LIKE '%CHAR%' AND type NOT LIKE '%CLOB%' AND type NOT LIKE '%TEXT%' AND"
			     " type NOT LIKE '%BLOB%' AND"
			     " (type LIKE '%REAL%' OR type LIKE '%FLOA%' OR type LIKE '%DOUB%')",
			     r->spec->table);

	if (result == 0) {
		sqlite3_bind_int(stmt, 2, cid);
		result = next_row(r, stmt);
		*ret = result == 1;
	}
	sqlite3_finalize(stmt);
	return result < 0 ? -1 : 0;
}

/* A row of index_xinfo: seqno, cid, name, desc, coll, key. */
static int read_column(struct reading *r, struct index_target *t, sqlite3_stmt *stmt)
{
	size_t at = t->count;
	int cid = sqlite3_column_int(stmt, 1);
	const char *name = column_text(r, stmt, 2), *collation = (const char *)sqlite3_column_text(stmt, 4);
	struct key_column *c;

	t->columns = pool_grow(r->pool, t->columns, at, sizeof(*t->columns));
	t->column_names = pool_grow(r->pool, t->column_names, at, sizeof(*t->column_names));
	t->values = pool_grow(r->pool, t->values, at, sizeof(*t->values));
	c = &t->columns[at];
	*c = (struct key_column){.desc = sqlite3_column_int(stmt, 3) != 0};
	if (!key_collation_by_name(collation, &c->collation))
		return error_set(r->err, ERRC_INTERNAL, "index %s uses the collation %s", t->name, collation);
	if (sqlite3_column_int(stmt, 5))
		t->key_count = at + 1;
	if (cid == -1) {
		t->column_names[at] = "rowid";
		t->values[at] = 0;
	} else if (cid == -2) {
		if (index_part(r, t->sql, at, false, &name) != 0)
			return -1;
		t->column_names[at] = name;
		t->values[at] = value_number(r, name);
	} else {
		if (column_is_real(r, cid, &c->real) != 0)
			return -1;
		t->column_names[at] = name;
		t->values[at] = value_number(r, quoted(r->pool, name));
	}
	t->count++;
	return 0;
}

static void add_columns(struct buf *b, const struct index_target *t)
{
	for (size_t i = 0; i < t->count; i++)
		buf_printf(b, "%sk%zu", i > 0 ? "," : "", i);
}

/* The CREATE TABLE as SQLite keeps it: `CREATE TABLE ` and the text from the name on. */
static const char *sidecar_sql(struct pool *pool, const struct index_target *t, const char *name)
{
	static const char *const collations[] = {
		[KEY_BINARY] = "", [KEY_NOCASE] = " COLLATE NOCASE", [KEY_RTRIM] = " COLLATE RTRIM"};
	struct buf b = {0};

	buf_puts(&b, "CREATE TABLE ");
	sql_quote_name(&b, name);
	buf_putc(&b, '(');
	for (size_t i = 0; i < t->count; i++)
		buf_printf(&b, "k%zu%s%s,", i, t->columns[i].real ? " REAL" : "", collations[t->columns[i].collation]);
	buf_puts(&b, "PRIMARY KEY(");
	for (size_t i = 0; i < t->count; i++)
		buf_printf(&b, "%sk%zu%s", i > 0 ? "," : "", i, t->columns[i].desc ? " DESC" : "");
	buf_puts(&b, ")) WITHOUT ROWID");
	return pool_take(pool, &b);
}

static const char *insert_sql(struct pool *pool, const struct index_target *t, const char *name)
{
	struct buf b = {0};

	buf_puts(&b, "INSERT OR ABORT INTO main.");
	sql_quote_name(&b, name);
	buf_putc(&b, '(');
	add_columns(&b, t);
	buf_puts(&b, ") SELECT ");
	add_columns(&b, t);
	buf_printf(&b, " FROM %s(?1)", feed_name(t->count));
	return pool_take(pool, &b);
}

static void make_statements(struct reading *r, struct index_target *t, size_t number)
{
	struct buf b = {0};

	t->sidecar = pool_printf(r->pool, "%s%zu_%s", INDEX_SIDECAR_PREFIX, number, r->spec->table);
	t->imposter = pool_printf(r->pool, "_alterd_imposter_%zu_%s", number, r->spec->table);
	t->sidecar_sql = sidecar_sql(r->pool, t, t->sidecar);
	t->imposter_sql = sidecar_sql(r->pool, t, t->imposter);
	t->insert_sql[0] = insert_sql(r->pool, t, t->sidecar);
	t->insert_sql[1] = insert_sql(r->pool, t, t->imposter);
	buf_puts(&b, "SELECT ");
	add_columns(&b, t);
	buf_puts(&b, " FROM main.");
	sql_quote_name(&b, t->sidecar);
	for (size_t i = 0; i < t->count; i++)
		buf_printf(&b, "%sk%zu%s", i > 0 ? "," : " ORDER BY ", i, t->columns[i].desc ? "" : " DESC");
	buf_puts(&b, " LIMIT 1");
	t->last_sql = pool_take(r->pool, &b);
}

static int read_index(struct reading *r, const char *name, bool unique)
{
	struct index_spec *spec = r->spec;
	sqlite3_stmt *stmt = NULL;
	int result;

	spec->targets = pool_grow(r->pool, spec->targets, spec->count, sizeof(*spec->targets));
	struct index_target *t = &spec->targets[spec->count];
	*t = (struct index_target){.name = name, .unique = unique};
	result = one_text(r, "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?1", name, &t->sql);
	if (result == 0)
		result = prepare(r, &stmt, "SELECT * FROM pragma_index_xinfo(?1) ORDER BY seqno", name);
	while (result == 0 && (result = next_row(r, stmt)) == 1)
		result = read_column(r, t, stmt);
	sqlite3_finalize(stmt);
	if (result == 0 && t->sql) {
		const char *where = NULL;
		result = index_part(r, t->sql, 0, true, &where);
		if (result == 0 && where)
			t->condition = value_number(r, pool_printf(r->pool, "(%s\n) IS TRUE", where));
	}
	if (result == 0 && !feed_name(t->count))
		result = error_set(r->err, ERRC_INTERNAL, "index %s has %zu columns", name, t->count);
	if (result == 0)
		make_statements(r, t, spec->count++);
	return result;
}

static bool listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (sqlite3_stricmp(names[i], name) == 0)
			return true;
	return false;
}

/* All indexes but those the table has, and the primary key of a WITHOUT ROWID table, which is the table itself. */
static int read_indexes(struct reading *r, const struct index_source *source)
{
	sqlite3_stmt *stmt = NULL;
	int result = prepare(r, &stmt, "SELECT name, \"unique\", origin FROM pragma_index_list(?1) ORDER BY seq DESC",
			     r->spec->table);

	while (result == 0 && (result = next_row(r, stmt)) == 1) {
		const char *name = column_text(r, stmt, 0), *origin = (const char *)sqlite3_column_text(stmt, 2);
		bool skip = listed(source->have, source->have_count, name) ||
			    (r->spec->without_rowid && strcmp(origin, "pk") == 0);
		result = skip ? 0 : read_index(r, name, sqlite3_column_int(stmt, 1) != 0);
	}
	sqlite3_finalize(stmt);
	return result;
}

/* All of the table. NOT INDEXED: the way is the table, whatever the planner thinks. */
static const char *whole(struct reading *r)
{
	return pool_printf(r->pool, "main.%s NOT INDEXED", quote_name(r->pool, r->spec->table));
}

/* The rowid's name: one of the three that no column has, else the column that is the rowid. */
static int read_rowid_cursor(struct reading *r)
{
	static const char sql[] =
		"SELECT name FROM (SELECT 'rowid' AS name UNION ALL SELECT '_rowid_' UNION ALL SELECT 'oid'"
		" UNION ALL SELECT '\"' || replace(name, '\"', '\"\"') || '\"' FROM pragma_table_xinfo(?1)"
		"  WHERE pk = 1 AND type = 'INTEGER' COLLATE NOCASE AND NOT EXISTS"
		"   (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk'))"
		" WHERE lower(name) NOT IN (SELECT lower(name) FROM pragma_table_xinfo(?1)) LIMIT 1";
	const char *name;

	if (one_text(r, sql, r->spec->table, &name) != 0)
		return -1;
	if (!name)
		return error_set(r->err, ERRC_INTERNAL, "the rowid of %s cannot be named", r->spec->table);
	value_number(r, name);
	r->spec->cursor_count = 1;
	r->spec->scan_sql[0] = pool_printf(r->pool, "%s ORDER BY %s", whole(r), name);
	r->spec->scan_sql[1] = pool_printf(r->pool, "%s WHERE %s > ?1 ORDER BY %s", whole(r), name, name);
	r->spec->one_sql = pool_printf(r->pool, "%s WHERE %s = ?1", whole(r), name);
	return 0;
}

/* The primary key, compared and ordered by its own collations. */
static int read_key_cursor(struct reading *r)
{
	struct schema_table *t = NULL;
	struct rowkey_shape key;
	struct rowkey_rows rows;

	if (schema_read(r->pool, r->scratch, r->spec->table, &t, r->err) != 0)
		return -1;
	rowkey_of_table(r->pool, t, &key);
	for (size_t i = 0; i < key.n; i++)
		if (value_number(r, key.names[i]) != i)
			return error_set(r->err, ERRC_INTERNAL, "the primary key of %s names a column twice",
					 r->spec->table);
	r->spec->cursor_count = key.n;
	const char *order = rowkey_order(r->pool, &key, "", false);
	rowkey_behind(r->pool, &key, quote_name(r->pool, r->spec->table), NULL, 1, &rows);
	r->spec->scan_sql[0] = pool_printf(r->pool, "%s ORDER BY %s", whole(r), order);
	r->spec->scan_sql[1] = pool_printf(r->pool, "%s WHERE %s%s", rows.from, rows.where, rows.order);
	return 0;
}

/* Puts the values in front of the cursor's part. */
static const char *scan(struct reading *r, const char *rest)
{
	struct buf b = {0};

	buf_puts(&b, "SELECT ");
	for (size_t i = 0; i < r->value_count; i++)
		buf_printf(&b, "%s%s\n", i > 0 ? "," : "", r->values[i]);
	buf_printf(&b, " FROM %s", rest);
	return pool_take(r->pool, &b);
}

static void finish_scan(struct reading *r)
{
	r->spec->scan_sql[0] = scan(r, r->spec->scan_sql[0]);
	r->spec->scan_sql[1] = scan(r, r->spec->scan_sql[1]);
	if (r->spec->one_sql)
		r->spec->one_sql = scan(r, r->spec->one_sql);
}

static int run_scratch(struct reading *r, const struct index_source *source)
{
	if (sqlite3_exec(r->scratch, source->table_sql, NULL, NULL, NULL) != SQLITE_OK)
		return scratch_error(r, "reading the table");
	for (size_t i = 0; i < source->count; i++)
		if (sqlite3_exec(r->scratch, source->sql[i], NULL, NULL, NULL) != SQLITE_OK)
			return scratch_error(r, "reading an index");
	return 0;
}

static int read_all(struct reading *r, const struct index_source *source)
{
	const char *without;

	if (one_text(r, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
		     r->spec->table, &r->spec->table_sql) != 0 ||
	    one_text(r, "SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE AND wr",
		     r->spec->table, &without) != 0)
		return -1;
	r->spec->without_rowid = without != NULL;
	if ((without ? read_key_cursor(r) : read_rowid_cursor(r)) != 0 || read_indexes(r, source) != 0)
		return -1;
	finish_scan(r);
	return 0;
}

int index_spec_read(struct pool *pool, const struct index_source *source, struct index_spec *ret, struct error *err)
{
	struct index_spec spec = {.table = pool_str(pool, source->table)};
	struct reading r = {.pool = pool, .spec = &spec, .err = err};
	int result = -1;

	if (sqlite3_open_v2(":memory:", &r.scratch, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		error_set_sqlite(err, SQLITE_NOMEM, "SQLITE_NOMEM", "no scratch database for reading indexes");
	else if (run_scratch(&r, source) == 0)
		result = read_all(&r, source);
	sqlite3_close(r.scratch);
	if (result == 0)
		*ret = spec;
	return result;
}
