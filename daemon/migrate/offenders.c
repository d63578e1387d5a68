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

/* Takes one in: value is column `i` of stmt, or NULL without a statement. */
static void take(struct offenders *o, int64_t rowid, const char *column, sqlite3_stmt *stmt, int i, const char *reason,
		 const char *constraint)
{
	o->count++;
	if (o->count == 1)
		snprintf(o->first, sizeof(o->first), "%s: row %lld%s%s", reason, (long long)rowid,
			 column ? ", column " : "", column ? column : "");
	if (o->named == OFFENDERS_NAMED)
		return;
	o->named++;
	if (o->rows.len)
		buf_putc(&o->rows, ',');
	jw_open(&o->rows, '{');
	jw_key(&o->rows, "rowid");
	value_write_int(&o->rows, rowid, INT64_AUTO);
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

	error_set(err, ERRC_FAILED_MIGRATION, "%lld row%s of %.100s cannot be held by the new table (%s)",
		  (long long)o->count, o->count == 1 ? "" : "s", m->r->table, o->first);
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

const char *offenders_condition(struct migration *m, struct pool *pool)
{
	const char **parts = NULL;
	size_t n = 0;

	for (size_t i = 0; i < m->plan->ncolumns; i++) {
		const struct plan_column *c = &m->plan->columns[i];
		for (int type = 0; type < 2; type++) {
			if (!(type ? c->refuse != NULL : c->check_null))
				continue;
			parts = pool_grow(pool, parts, n, sizeof(*parts));
			parts[n++] = type ? c->refuse : null_condition(pool, c);
		}
	}
	return n ? plan_join(pool, parts, n, "+") : NULL;
}

/* One column's one reason over a range. */
static int check_one(struct migration *m, struct db *db, const struct plan_column *c, bool type, const char *range,
		     int64_t from, int64_t to, struct error *err)
{
	struct pool pool = {0};
	sqlite3_stmt *stmt = NULL;
	const char *sql = pool_printf(&pool, "SELECT %s,%s FROM main.%s NOT INDEXED WHERE %s AND %s",
				      quote_name(&pool, m->plan->source_rowid), c->raw,
				      quote_name(&pool, m->plan->table), range,
				      type ? c->refuse : null_condition(&pool, c));
	int rc = db_prepare(db, sql, &stmt, err);
	if (rc == 0) {
		sqlite3_bind_int64(stmt, 1, from);
		sqlite3_bind_int64(stmt, 2, to);
	}
	while (rc == 0 && (rc = db_step(db, stmt, err)) == 1) {
		take(&m->offenders, sqlite3_column_int64(stmt, 0), c->name, stmt, 1, type ? "TYPE" : "NOT NULL", NULL);
		rc = 0;
	}
	db_done(db, stmt);
	pool_free(&pool);
	return rc;
}

int offenders_check(struct migration *m, struct db *db, bool first, int64_t from, int64_t to, struct error *err)
{
	struct pool pool = {0};
	char *rowid = quote_name(&pool, m->plan->source_rowid);
	const char *range = pool_printf(&pool, "%s%s?1 AND %s<=?2", rowid, first ? ">=" : ">", rowid);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->plan->ncolumns; i++) {
		const struct plan_column *c = &m->plan->columns[i];
		if (c->check_null)
			rc = check_one(m, db, c, false, range, from, to, err);
		if (rc == 0 && c->refuse)
			rc = check_one(m, db, c, true, range, from, to, err);
	}
	pool_free(&pool);
	return rc;
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

/* The column whose value would be lost, found by asking for each. */
static const struct plan_column *lossy_column(struct migration *m, struct db *db, struct pool *pool, int64_t rowid)
{
	const struct plan_column *found = NULL;
	for (size_t i = 0; !found && i < m->plan->ncolumns; i++) {
		const struct plan_column *c = &m->plan->columns[i];
		struct error none = {0};
		int64_t lossy = 0;
		if (c->refuse &&
		    db_int(db, &lossy, &none, "SELECT %s FROM main.%s WHERE %s=%lld", c->refuse,
			   quote_name(pool, m->plan->table), quote_name(pool, m->plan->source_rowid),
			   (long long)rowid) == 0 &&
		    lossy)
			found = c;
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

int offenders_add(struct migration *m, struct db *db, int64_t rowid, const struct error *why, struct error *err)
{
	struct pool pool = {0};
	sqlite3_stmt *stmt = NULL;
	const char *what = NULL, *reason = reason_of(why->code);
	const char *name = failed_column(&pool, why->message, &what);
	bool check = strcmp(reason, "CHECK") == 0;
	const struct plan_column *c = (why->code & 0xff) == SQLITE_MISMATCH ? lossy_column(m, db, &pool, rowid)
				      : check                               ? NULL
									    : plan_column(m, name);
	int rc = 0;

	if (m->offenders.named == OFFENDERS_NAMED) {
		m->offenders.count++;
	} else if (!c) {
		take(&m->offenders, rowid, check ? NULL : name, NULL, 0, reason, check ? what : NULL);
	} else {
		const char *sql = pool_printf(&pool, "SELECT %s FROM main.%s WHERE %s=?1", c->raw,
					      quote_name(&pool, m->plan->table),
					      quote_name(&pool, m->plan->source_rowid));
		rc = db_prepare(db, sql, &stmt, err);
		if (rc == 0) {
			sqlite3_bind_int64(stmt, 1, rowid);
			rc = db_step(db, stmt, err);
		}
		if (rc >= 0)
			take(&m->offenders, rowid, c->name, rc == 1 ? stmt : NULL, 0, reason, NULL);
		db_done(db, stmt);
	}
	pool_free(&pool);
	return rc < 0 ? -1 : 0;
}

int offenders_duplicates(struct migration *m, struct db *db, const char *index_name, struct error *err)
{
	struct pool pool = {0};
	const struct schema_index *x = NULL;
	struct buf keys = {0}, where = {0};
	sqlite3_stmt *stmt = NULL;
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
	if (!x || !nameable) {
		m->offenders.count = 1;
		snprintf(m->offenders.first, sizeof(m->offenders.first), "UNIQUE: index %.100s", index_name);
	} else {
		const char *shadow = quote_name(&pool, m->plan->shadow),
			   *rowid = quote_name(&pool, m->plan->shadow_rowid);
		const char *sql = pool_printf(
			&pool, "SELECT max(%s),%s FROM main.%s WHERE %s GROUP BY %s HAVING count(*)>1", rowid,
			quote_name(&pool, column), shadow, buf_cstr(&where), buf_cstr(&keys));
		rc = db_prepare(db, sql, &stmt, err);
		while (rc == 0 && (rc = db_step(db, stmt, err)) == 1) {
			take(&m->offenders, sqlite3_column_int64(stmt, 0), column, stmt, 1, "UNIQUE", NULL);
			rc = 0;
		}
		db_done(db, stmt);
	}
	buf_free(&keys);
	buf_free(&where);
	pool_free(&pool);
	return rc;
}
