/*
 * Trying things in a scratch database: SQLite itself says whether a text means what the plan takes it for.
 */
#include <string.h>
#include <strings.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/keep.h"
#include "daemon/migrate/plan_internal.h"
#include "proto/buf.h"

bool trial_ok(struct planning *p, int code)
{
	p->no_memory = p->no_memory || (code & 0xff) == SQLITE_NOMEM;
	return code == SQLITE_OK;
}

/* An error is one line: what stands between words becomes one blank. */
static void one_line(struct buf *out, const char *text)
{
	static const char blanks[] = " \t\r\n\f\v";

	text += strspn(text, blanks);
	while (*text) {
		size_t n = strcspn(text, blanks);
		buf_add(out, text, n);
		text += n + strspn(text + n, blanks);
		if (*text)
			buf_putc(out, ' ');
	}
}

static int invalid(sqlite3 *db, const char *what, struct error *err)
{
	struct buf line = {0};
	const char *said = sqlite3_errmsg(db), *tail = strstr(said, " in index expressions");

	if ((sqlite3_errcode(db) & 0xff) == SQLITE_NOMEM)
		return error_set_sqlite(err, SQLITE_NOMEM, "SQLITE_NOMEM", "out of memory");
	one_line(&line, what);
	/* That it was tried as an index is nobody's business. */
	int rc = error_set(err, ERRC_MIGRATION_INVALID, "%.200s: %.*s", buf_cstr(&line),
			   tail ? (int)(tail - said) : (int)strlen(said), said);
	buf_free(&line);
	return rc;
}

/* An untyped table with the source's column names, and one index over the expression: SQLite refuses what is not pure.
 */
static int probe(struct planning *p, const char *expr, struct error *err)
{
	struct buf sql = {0};
	sqlite3 *db = NULL;

	if (scratch_open(&db, false, err) != 0) {
		p->no_memory = true;
		return -1;
	}
	buf_puts(&sql, "CREATE TABLE probe(");
	for (size_t i = 0; i < p->source->ncolumns; i++)
		buf_printf(&sql, "%s%s", i ? "," : "", quote_name(p->pool, p->source->columns[i].name));
	buf_printf(&sql, "); CREATE INDEX probe_x ON probe((%s)); INSERT INTO probe DEFAULT VALUES;", expr);
	int rc = 0;
	if (!trial_ok(p, sqlite3_exec(db, buf_cstr(&sql), NULL, NULL, NULL)))
		rc = invalid(db, expr, err);
	buf_free(&sql);
	sqlite3_close(db);
	return rc;
}

int try_expression(struct planning *p, const char *expr, struct error *err)
{
	/* Newlines around it: a comment in the expression must not swallow what follows. */
	return probe(p, pool_printf(p->pool, "\n%s\n", expr), err);
}

static int literal(void *arg, sqlite3_stmt *stmt)
{
	struct planning *p = ((void **)arg)[0];
	((const char **)arg)[1] = pool_str(p->pool, (const char *)sqlite3_column_text(stmt, 0));
	return 0;
}

int try_default(struct planning *p, const struct schema_column *c, const char **ret, struct error *err)
{
	sqlite3 *db = NULL;
	void *arg[2] = {p, NULL};
	bool call = strchr(c->dflt, '(') || strncasecmp(c->dflt, "current_", 8) == 0;

	*ret = NULL;
	if (call) {
		struct error why = {0};
		int rc = probe(p, c->dflt, &why);
		error_clear(&why);
		if (rc != 0)
			return 0;
	}
	if (scratch_open(&db, true, err) != 0)
		return -1;
	/* A word that stands alone is a string, and an expression stands in parentheses, which the pragma leaves out.
	 */
	int rc = SQLITE_ERROR;
	for (int alone = !call; alone >= 0 && rc != SQLITE_OK; alone--)
		rc = sqlite3_exec(db,
				  pool_printf(p->pool,
					      "CREATE TABLE d(x %s DEFAULT %s%s%s); INSERT INTO d DEFAULT VALUES",
					      c->type, alone ? "" : "(", c->dflt, alone ? "" : ")"),
				  NULL, NULL, NULL);
	if (!trial_ok(p, rc))
		rc = invalid(db, c->dflt, err);
	else
		rc = schema_each(db, err, literal, arg, "SELECT quote(x) FROM d", NULL);
	sqlite3_close(db);
	if (rc == 0)
		*ret = arg[1];
	return rc;
}

struct dependents {
	struct planning *p;
	sqlite3 *db;
	size_t n;
	struct dependent *at;
};

/* type, name, tbl_name, sql: tables and views are made, in order; views and triggers are listed. */
static int row_object(void *arg, sqlite3_stmt *stmt)
{
	struct dependents *d = arg;
	struct pool *pool = d->p->pool;
	struct dependent o = {
		.type = pool_str(pool, (const char *)sqlite3_column_text(stmt, 0)),
		.name = pool_str(pool, (const char *)sqlite3_column_text(stmt, 1)),
		.table = pool_str(pool, (const char *)sqlite3_column_text(stmt, 2)),
		.sql = pool_str(pool, (const char *)sqlite3_column_text(stmt, 3)),
	};
	bool mine = strcmp(o.type, "table") == 0 && strcasecmp(o.name, d->p->source->name) == 0;
	if (strcmp(o.type, "trigger") != 0)
		/* What cannot be made alone (a virtual table's own tables) is left out, before and after alike. */
		(void)trial_ok(d->p, sqlite3_exec(d->db, mine ? d->p->sql : o.sql, NULL, NULL, NULL));
	if (strcmp(o.type, "table") != 0) {
		d->at = pool_grow(pool, d->at, d->n, sizeof(o));
		d->at[d->n++] = o;
	}
	return 0;
}

static bool works(struct planning *p, sqlite3 *db, const struct dependent *o)
{
	return dependent_works(p->pool, db, o, &p->no_memory);
}

static const struct dependent *same_object(const struct dependents *d, const struct dependent *o)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->at[i].type, o->type) == 0 && strcmp(d->at[i].name, o->name) == 0)
			return &d->at[i];
	return NULL;
}

/* Both worlds, then each object in each. */
static int compare(struct planning *p, bool dqs, bool *ret_all)
{
	struct dependents before = {.p = p}, after = {.p = p};
	const char *sql =
		"SELECT type,name,tbl_name,sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND type IN"
		" ('table','view','trigger') AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\'"
		" ORDER BY type='trigger', rowid";
	char *target = p->sql;
	int rc = -1;

	p->sql = (char *)(uintptr_t)p->source->sql;
	if (scratch_open(&before.db, dqs, p->err) != 0 ||
	    schema_each(p->db, p->err, row_object, &before, sql, NULL) != 0)
		goto done;
	p->sql = target;
	if (scratch_open(&after.db, dqs, p->err) != 0 ||
	    schema_each(p->renamed ? p->renamed : p->db, p->err, row_object, &after, sql, NULL) != 0)
		goto done;
	rc = 0;
	for (size_t i = 0; rc == 0 && i < before.n; i++) {
		const struct dependent *now = same_object(&after, &before.at[i]);
		/* A dropped table takes its own triggers along. */
		if (!*target && before.at[i].table && strcasecmp(before.at[i].table, p->source->name) == 0)
			continue;
		if (!works(p, before.db, &before.at[i]))
			*ret_all = false;
		else if (now && !works(p, after.db, now))
			rc = error_set(p->err, ERRC_MIGRATION_INVALID,
				       "%s %.200s would no longer work: it uses what is dropped", before.at[i].type,
				       before.at[i].name);
	}
done:
	p->sql = target;
	sqlite3_close(before.db);
	sqlite3_close(after.db);
	return rc;
}

int try_dependents(struct planning *p)
{
	bool all = true;
	/* Where "x" may be a string, a dropped column x would silently become one: so first without. */
	if (compare(p, false, &all) != 0)
		return -1;
	return all ? 0 : compare(p, true, &all);
}
