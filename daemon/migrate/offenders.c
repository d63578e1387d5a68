/*
 * Naming rows. Each offender costs a few statements, and after OFFENDERS_NAMED of them only counting goes on.
 */
#include "daemon/migrate/offenders.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/migrate/migration.h"
#include "proto/response.h"
#include "proto/value.h"

/* Longest text or BLOB shown of a value. */
#define VALUE_SHOWN 200

void offenders_free(struct offenders *o)
{
	buf_free(&o->rows);
	*o = (struct offenders){0};
}

static void write_value(struct buf *out, sqlite3_stmt *stmt, int i)
{
	int n = sqlite3_column_bytes(stmt, i);
	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		value_write_int(out, sqlite3_column_int64(stmt, i), INT64_AUTO);
		break;
	case SQLITE_FLOAT:
		value_write_real(out, sqlite3_column_double(stmt, i));
		break;
	case SQLITE_TEXT: {
		const char *text = (const char *)sqlite3_column_text(stmt, i);
		/* Cut where a character begins. */
		if (n > VALUE_SHOWN)
			for (n = VALUE_SHOWN; n > VALUE_SHOWN - 4 && ((unsigned char)text[n] & 0xc0) == 0x80;)
				n--;
		value_write_text(out, text, (size_t)n);
		break;
	}
	case SQLITE_BLOB:
		value_write_blob(out, sqlite3_column_blob(stmt, i), (size_t)(n > VALUE_SHOWN ? VALUE_SHOWN : n));
		break;
	default:
		value_write_null(out);
	}
}

/* One part of a key as JSON. */
static void write_part(struct buf *out, const struct rowkey_part *p)
{
	size_t n = p->n > VALUE_SHOWN ? VALUE_SHOWN : p->n;

	switch (p->type) {
	case SQLITE_INTEGER:
		value_write_int(out, p->i, INT64_AUTO);
		break;
	case SQLITE_FLOAT:
		value_write_real(out, p->r);
		break;
	case SQLITE_TEXT:
		while (n < p->n && n > VALUE_SHOWN - 4 && ((unsigned char)p->data[n] & 0xc0) == 0x80)
			n--;
		value_write_text(out, p->data, n);
		break;
	case SQLITE_BLOB:
		value_write_blob(out, p->data, n);
		break;
	default:
		value_write_null(out);
	}
}

static void write_parts(const struct rowkey *key, struct buf *out)
{
	struct rowkey_part p;
	for (size_t at = 0, n = 0; rowkey_next_part(&key->parts, &at, &p); n++) {
		if (n)
			buf_putc(out, ',');
		write_part(out, &p);
	}
}

void offenders_write_key(const struct migration *m, const struct rowkey *key, struct buf *out)
{
	if (m->plan->source_key.rowid)
		buf_printf(out, "%lld", (long long)key->rowid);
	else
		write_parts(key, out);
}

/* Takes one in: value is column `i` of stmt, or NULL without a statement. */
void offenders_take(struct migration *m, const struct rowkey *key, const char *column, sqlite3_stmt *stmt, int i,
		    const char *reason, const char *constraint)
{
	struct offenders *o = &m->offenders;
	struct buf row = {0};

	o->count++;
	offenders_write_key(m, key, &row);
	if (o->count == 1)
		snprintf(o->first, sizeof(o->first), "%s: row %.100s%s%s", reason, buf_cstr(&row),
			 column ? ", column " : "", column ? column : "");
	buf_free(&row);
	if (o->named == OFFENDERS_NAMED)
		return;
	o->named++;
	if (o->rows.len)
		buf_putc(&o->rows, ',');
	jw_open(&o->rows, '{');
	jw_key(&o->rows, "rowid");
	if (m->plan->source_key.rowid) {
		value_write_int(&o->rows, key->rowid, INT64_AUTO);
	} else {
		value_write_null(&o->rows);
		jw_key(&o->rows, "key");
		buf_putc(&o->rows, '[');
		write_parts(key, &o->rows);
		buf_putc(&o->rows, ']');
	}
	jw_str(&o->rows, "column", column);
	jw_key(&o->rows, "value");
	if (stmt)
		write_value(&o->rows, stmt, i);
	else
		value_write_null(&o->rows);
	jw_str(&o->rows, "reason", reason);
	if (constraint)
		jw_str(&o->rows, "constraint", constraint);
	jw_close(&o->rows, '}');
}

int offenders_error(const struct migration *m, struct error *err)
{
	struct buf rows = {0};
	const struct offenders *o = &m->offenders;

	error_set(err, ERRC_FAILED_MIGRATION, "%lld row%s of %.100s %s (%s)", (long long)o->count,
		  o->count == 1 ? "" : "s", m->plan->table,
		  m->live ? "repeat a key" : "cannot be held by the new table", o->first);
	buf_putc(&rows, '[');
	buf_add(&rows, o->rows.data, o->rows.len);
	buf_putc(&rows, ']');
	error_add_json(err, "rows", buf_cstr(&rows));
	error_add_int(err, "count", o->count);
	buf_free(&rows);
	return -1;
}

static char *null_condition(struct pool *pool, const struct plan_column *c)
{
	return pool_printf(pool, "(%s) IS NULL", c->raw);
}

/* The part of SQLite's message behind ": ", and of that the first column's name. */
static const char *failed_column(struct pool *pool, const char *message, const char **ret_what)
{
	/* "cannot store TEXT value in INT column t.a" is what a STRICT table says. */
	const char *what = strstr(message, " failed: "), *column = strstr(message, " column ");
	*ret_what = what ? what + 9 : NULL;
	if (!what && !column)
		return NULL;
	what = what ? what + 9 : column + 8;
	size_t n = strcspn(what, ",");
	const char *dot = memrchr(what, '.', n);
	return dot ? pool_dup(pool, dot + 1, n - (size_t)(dot + 1 - what)) : NULL;
}

static const struct plan_column *plan_column(const struct migration *m, const char *name)
{
	for (size_t i = 0; name && i < m->plan->ncolumns; i++)
		if (strcasecmp(m->plan->columns[i].name, name) == 0)
			return &m->plan->columns[i];
	return NULL;
}

/* SELECT `what` of the row; *ret_stmt stands on it, if it is there. Returns what db_step() does. */
static int select_row(struct migration *m, struct db *db, struct pool *pool, const char *what, const struct rowkey *key,
		      sqlite3_stmt **ret_stmt, struct error *err)
{
	const struct rowkey_shape *shape = &m->plan->source_key;
	const char *sql = pool_printf(pool, "SELECT %s FROM main.%s %s WHERE %s", what,
				      quote_name(pool, m->plan->table), shape->access,
				      rowkey_equals(pool, shape, "", 1));

	if (db_prepare(db, sql, ret_stmt, err) != 0)
		return -1;
	rowkey_bind(key, shape, *ret_stmt, 1);
	return db_step(db, *ret_stmt, err);
}

/* The column whose value would be lost, or is NULL where the rowid would be, found by asking for each. */
static const struct plan_column *lossy_column(struct migration *m, struct db *db, struct pool *pool,
					      const struct rowkey *key, bool *ret_null)
{
	const struct plan_column *found = NULL;
	for (size_t i = 0; !found && i < m->plan->ncolumns; i++) {
		const struct plan_column *c = &m->plan->columns[i];
		struct error none = {0};
		sqlite3_stmt *stmt = NULL;
		const char *what = pool_printf(pool, "%s,%s", c->check_null ? null_condition(pool, c) : "0",
					       c->refuse ? c->refuse : "0");
		if (select_row(m, db, pool, what, key, &stmt, &none) == 1 &&
		    (sqlite3_column_int(stmt, 0) || sqlite3_column_int(stmt, 1))) {
			*ret_null = sqlite3_column_int(stmt, 0) != 0;
			found = c;
		}
		db_done(db, stmt);
		error_clear(&none);
	}
	return found;
}

static const char *reason_of(int code)
{
	switch (code) {
	case SQLITE_CONSTRAINT_NOTNULL:
		return "NOT NULL";
	case SQLITE_CONSTRAINT_CHECK:
		return "CHECK";
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return "FOREIGN KEY";
	case SQLITE_CONSTRAINT_DATATYPE:
		return "TYPE";
	default:
		return (code & 0xff) == SQLITE_MISMATCH ? "TYPE" : "UNIQUE";
	}
}

int offenders_add(struct migration *m, struct db *db, const struct rowkey *key, const struct error *why,
		  struct error *err)
{
	struct pool pool = {0};
	sqlite3_stmt *stmt = NULL;
	const char *what = NULL, *reason = reason_of(why->code);
	const char *name = failed_column(&pool, why->message, &what);
	bool check = strcmp(reason, "CHECK") == 0, null = false;
	const struct plan_column *c = (why->code & 0xff) == SQLITE_MISMATCH ? lossy_column(m, db, &pool, key, &null)
				      : check                               ? NULL
									    : plan_column(m, name);
	int rc = 0;

	reason = null ? "NOT NULL" : reason;
	if (m->offenders.named == OFFENDERS_NAMED) {
		m->offenders.count++;
	} else if (!c) {
		offenders_take(m, key, check ? NULL : name, NULL, 0, reason, check ? what : NULL);
	} else {
		rc = select_row(m, db, &pool, c->raw, key, &stmt, err);
		if (rc >= 0)
			offenders_take(m, key, c->name, rc == 1 ? stmt : NULL, 0, reason, NULL);
		db_done(db, stmt);
	}
	pool_free(&pool);
	return rc < 0 ? -1 : 0;
}

/* All rows of the shadow but the first of each kind. */
static int name_duplicates(struct migration *m, struct db *db, struct pool *pool, const char *column, const char *keys,
			   const char *where, struct error *err)
{
	const struct rowkey_shape *shape = &m->plan->shadow_key;
	struct rowkey key = {0};
	sqlite3_stmt *stmt = NULL;
	const char *list = rowkey_list(pool, shape, ""), *name = quote_name(pool, column);
	const char *sql = pool_printf(pool,
				      "SELECT * FROM (SELECT %s,%s,row_number() OVER (PARTITION BY %s ORDER BY %s) AS"
				      " _alterd_n FROM main.%s WHERE %s) WHERE _alterd_n>1",
				      list, name, keys, rowkey_order(pool, shape, "", false),
				      quote_name(pool, m->plan->shadow), where);
	int rc = db_prepare(db, sql, &stmt, err);

	while (rc == 0 && (rc = db_step(db, stmt, err)) == 1) {
		rowkey_read(&key, &m->plan->source_key, stmt, 0);
		offenders_take(m, &key, column, stmt, (int)shape->n, "UNIQUE", NULL);
		rc = 0;
	}
	db_done(db, stmt);
	rowkey_free(&key);
	return rc;
}

int offenders_duplicates(struct migration *m, struct db *db, const char *index_name, struct error *err)
{
	struct pool pool = {0};
	const struct schema_index *x = NULL;
	struct buf keys = {0}, where = {0};
	bool nameable = true;

	for (size_t i = 0; i < m->plan->source->nindexes; i++)
		if (strcmp(m->plan->source->indexes[i].name, index_name) == 0)
			x = &m->plan->source->indexes[i];
	const char *column = NULL;
	for (size_t k = 0; x && k < x->nuser; k++) {
		nameable = nameable && x->keys[k].column >= 0 && !x->partial;
		if (nameable) {
			column = column ? column : m->plan->source->columns[x->keys[k].column].name;
			buf_printf(&keys, "%s%s COLLATE %s", k ? "," : "",
				   quote_name(&pool, m->plan->source->columns[x->keys[k].column].name),
				   quote_name(&pool, x->keys[k].collation));
			/* NULLs are never equal to each other. */
			buf_printf(&where, "%s%s IS NOT NULL", k ? " AND " : "",
				   quote_name(&pool, m->plan->source->columns[x->keys[k].column].name));
		}
	}
	int rc = 0;
	/* With a key map the shadow's keys are others than those by which rows are known. */
	if (!x || !nameable || m->plan->key_map) {
		m->offenders.count = 1;
		snprintf(m->offenders.first, sizeof(m->offenders.first), "UNIQUE: index %.100s", index_name);
	} else {
		rc = name_duplicates(m, db, &pool, column, buf_cstr(&keys), buf_cstr(&where), err);
	}
	buf_free(&keys);
	buf_free(&where);
	pool_free(&pool);
	return rc;
}
