/*
 * Reading a table by SQLite's own pragmas: what they say is what holds, whatever the text looks like.
 */
#include "daemon/migrate/schema.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/lib/check.h"
#include "proto/buf.h"

static int failed(sqlite3 *db, struct error *err)
{
	return error_set_sqlite(err, sqlite3_extended_errcode(db), "SQLITE_ERROR", "%s", sqlite3_errmsg(db));
}

int schema_each(sqlite3 *db, struct error *err, int (*row)(void *arg, sqlite3_stmt *stmt), void *arg, const char *sql,
		const char *const *texts)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	for (int i = 0; rc == SQLITE_OK && texts && texts[i]; i++)
		rc = sqlite3_bind_text(stmt, i + 1, texts[i], -1, SQLITE_STATIC);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW && row(arg, stmt) != 0)
			rc = SQLITE_DONE;
	}
	int out = rc == SQLITE_DONE ? 0 : failed(db, err);
	sqlite3_finalize(stmt);
	return out;
}

int schema_row_exists(void *arg, sqlite3_stmt *stmt)
{
	(void)stmt;
	*(bool *)arg = true;
	return 0;
}

int schema_exec(sqlite3 *db, const char *sql, struct error *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(db, err);
}

static char *quote(struct pool *pool, const char *text, char mark)
{
	size_t n = strlen(text), marks = 0;
	for (size_t i = 0; i < n; i++)
		marks += text[i] == mark;
	char *out = pool_alloc(pool, n + marks + 3), *at = out;
	*at++ = mark;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == mark)
			*at++ = mark;
		*at++ = text[i];
	}
	*at = mark;
	return out;
}

char *quote_name(struct pool *pool, const char *name) { return quote(pool, name, '"'); }
char *quote_text(struct pool *pool, const char *text) { return quote(pool, text, '\''); }

static bool has(const char *upper, const char *word) { return strstr(upper, word) != NULL; }

enum affinity schema_affinity(const char *type)
{
	char upper[256];
	size_t n = strlen(type) < sizeof(upper) ? strlen(type) : sizeof(upper) - 1;
	for (size_t i = 0; i < n; i++)
		upper[i] = (char)(type[i] >= 'a' && type[i] <= 'z' ? type[i] - 32 : type[i]);
	upper[n] = '\0';
	if (has(upper, "INT"))
		return AFFINITY_INTEGER;
	if (has(upper, "CHAR") || has(upper, "CLOB") || has(upper, "TEXT"))
		return AFFINITY_TEXT;
	if (n == 0 || has(upper, "BLOB"))
		return AFFINITY_BLOB;
	if (has(upper, "REAL") || has(upper, "FLOA") || has(upper, "DOUB"))
		return AFFINITY_REAL;
	return AFFINITY_NUMERIC;
}

const char *affinity_name(enum affinity a)
{
	static const char *const names[] = {"BLOB", "TEXT", "NUMERIC", "INTEGER", "REAL"};
	return names[a];
}

int schema_find_column(const struct schema_table *t, const char *name)
{
	for (size_t i = 0; i < t->ncolumns; i++)
		if (strcasecmp(t->columns[i].name, name) == 0)
			return (int)i;
	return -1;
}

struct reading {
	struct pool *pool;
	struct schema_table *t;
	char kind[16];
	struct buf text;
	bool found;
};

static const char *text(struct reading *r, sqlite3_stmt *stmt, int i)
{
	return pool_str(r->pool, (const char *)sqlite3_column_text(stmt, i));
}

/* name, type, wr, strict, sql */
static int row_table(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;
	r->found = true;
	r->t->name = text(r, stmt, 0);
	snprintf(r->kind, sizeof(r->kind), "%s", (const char *)sqlite3_column_text(stmt, 1));
	r->t->without_rowid = sqlite3_column_int(stmt, 2) != 0;
	r->t->strict = sqlite3_column_int(stmt, 3) != 0;
	r->t->sql = text(r, stmt, 4);
	return 0;
}

/* name, type, notnull, dflt_value, pk, hidden */
static int row_column(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;
	struct schema_column c = {
		.name = text(r, stmt, 0),
		.type = text(r, stmt, 1),
		.notnull = sqlite3_column_int(stmt, 2) != 0,
		.dflt = text(r, stmt, 3),
		.pk = sqlite3_column_int(stmt, 4),
		.hidden = sqlite3_column_int(stmt, 5),
	};
	c.type = c.type ? c.type : "";
	c.affinity = r->t->strict && strcasecmp(c.type, "ANY") == 0 ? AFFINITY_BLOB : schema_affinity(c.type);
	r->t->columns = pool_grow(r->pool, r->t->columns, r->t->ncolumns, sizeof(c));
	r->t->columns[r->t->ncolumns++] = c;
	return 0;
}

/* name, unique, origin, partial, sql */
static int row_index(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;
	struct schema_index x = {
		.name = text(r, stmt, 0),
		.unique = sqlite3_column_int(stmt, 1) != 0,
		.origin = sqlite3_column_text(stmt, 2) ? (char)sqlite3_column_text(stmt, 2)[0] : 'c',
		.partial = sqlite3_column_int(stmt, 3) != 0,
		.sql = text(r, stmt, 4),
	};
	r->t->indexes = pool_grow(r->pool, r->t->indexes, r->t->nindexes, sizeof(x));
	r->t->indexes[r->t->nindexes++] = x;
	return 0;
}

/* cid, coll, desc, key */
static int row_key(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;
	struct schema_index *x = &r->t->indexes[r->t->nindexes - 1];
	struct schema_key k = {
		.column = sqlite3_column_int(stmt, 0),
		.collation = text(r, stmt, 1),
		.desc = sqlite3_column_int(stmt, 2) != 0,
	};
	x->keys = pool_grow(r->pool, x->keys, x->nkeys, sizeof(k));
	x->keys[x->nkeys++] = k;
	x->nuser += sqlite3_column_int(stmt, 3) != 0;
	return 0;
}

static int row_trigger(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;
	struct schema_table *t = r->t;
	t->triggers = pool_grow(r->pool, t->triggers, t->ntriggers, sizeof(*t->triggers));
	t->triggers[t->ntriggers++] = (struct schema_trigger){.name = text(r, stmt, 0), .sql = text(r, stmt, 1)};
	return 0;
}

/* child, from, parent, to, id */
static struct schema_fk fk(struct reading *r, sqlite3_stmt *stmt)
{
	return (struct schema_fk){.child = text(r, stmt, 0),
				  .from = text(r, stmt, 1),
				  .parent = text(r, stmt, 2),
				  .to = text(r, stmt, 3),
				  .id = sqlite3_column_int(stmt, 4)};
}

static int row_parent(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;
	r->t->parents = pool_grow(r->pool, r->t->parents, r->t->nparents, sizeof(*r->t->parents));
	r->t->parents[r->t->nparents++] = fk(r, stmt);
	return 0;
}

static int row_child(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;
	r->t->children = pool_grow(r->pool, r->t->children, r->t->nchildren, sizeof(*r->t->children));
	r->t->children[r->t->nchildren++] = fk(r, stmt);
	return 0;
}

static int row_append(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;
	buf_puts(&r->text, (const char *)sqlite3_column_text(stmt, 0));
	buf_putc(&r->text, '\n');
	return 0;
}

int schema_fingerprint(struct pool *pool, sqlite3 *db, const char *name, const char **ret, struct error *err)
{
	struct reading r = {.pool = pool};
	const char *texts[] = {name, NULL};

	int rc = schema_each(db, err, row_append, &r,
			     "SELECT type||' '||name||' '||ifnull(sql,'') FROM main.sqlite_schema"
			     " WHERE lower(tbl_name)=lower(?1) AND type IN ('table','index','trigger') ORDER BY rowid",
			     texts);
	if (rc == 0)
		*ret = pool_str(pool, buf_cstr(&r.text));
	buf_free(&r.text);
	return rc;
}

/* The b-tree that a WITHOUT ROWID table is. */
static int read_primary(struct reading *r, sqlite3 *db, struct error *err)
{
	const char *texts[] = {r->t->name, NULL};
	struct schema_index x = {.origin = 'p', .unique = true};
	struct schema_table list = {.indexes = &x, .nindexes = 1};
	struct reading keys = {.pool = r->pool, .t = &list};

	if (!r->t->without_rowid)
		return 0;
	if (schema_each(db, err, row_key, &keys,
			"SELECT cid,coll,\"desc\",\"key\" FROM pragma_index_xinfo(?1,'main') ORDER BY seqno",
			texts) != 0)
		return -1;
	r->t->primary = x;
	return 0;
}

static int read_collations(struct reading *r, sqlite3 *db, struct error *err)
{
	const char *collation = NULL;

	for (size_t i = 0; i < r->t->ncolumns; i++) {
		struct schema_column *c = &r->t->columns[i];
		if (c->pk == 0)
			continue;
		if (sqlite3_table_column_metadata(db, "main", r->t->name, c->name, NULL, &collation, NULL, NULL,
						  NULL) != SQLITE_OK)
			return failed(db, err);
		c->collation = pool_str(r->pool, collation);
	}
	return 0;
}

/* A name that means the rowid and is no column's. */
static void find_rowid(struct schema_table *t)
{
	static const char *const names[] = {"rowid", "_rowid_", "oid"};

	t->alias = -1;
	if (t->without_rowid)
		return;
	int pk = -1, npk = 0;
	bool pk_index = false;
	for (size_t i = 0; i < t->nindexes; i++)
		pk_index = pk_index || t->indexes[i].origin == 'p';
	for (size_t i = 0; i < t->ncolumns; i++) {
		if (t->columns[i].pk) {
			pk = (int)i;
			npk++;
		}
	}
	/* An alias is the one primary key that needs no index of its own. */
	if (npk == 1 && !pk_index)
		t->alias = pk;
	for (size_t i = 0; !t->rowid && i < 3; i++)
		if (schema_find_column(t, names[i]) < 0)
			t->rowid = names[i];
	if (!t->rowid && t->alias >= 0)
		t->rowid = t->columns[t->alias].name;
}

static int read_table_row(struct reading *r, sqlite3 *db, const char *name, struct error *err)
{
	const char *texts[] = {name, NULL};
	if (schema_each(db, err, row_table, r,
			"SELECT l.name,l.type,l.wr,l.strict,(SELECT s.sql FROM main.sqlite_schema s WHERE s.name=l.name"
			" AND s.type IN ('table','view')) FROM pragma_table_list(?1) l WHERE l.schema='main'",
			texts) != 0)
		return -1;
	if (!r->found)
		return error_set(err, ERRC_NOT_FOUND, "no such table: %.200s", name);
	if (strcmp(r->kind, "table") != 0 || !r->t->sql)
		return error_set(err, ERRC_MIGRATION_INVALID,
				 "%.200s is a %s%s, which cannot be changed by ALTER TABLE", name, r->kind,
				 strcmp(r->kind, "view") == 0 ? "" : " table");
	return 0;
}

static int read_indexes(struct reading *r, sqlite3 *db, struct error *err)
{
	const char *texts[] = {r->t->name, NULL};
	struct schema_table list = {0};
	struct reading names = {.pool = r->pool, .t = &list};

	if (schema_each(db, err, row_index, &names,
			"SELECT l.name,l.\"unique\",l.origin,l.partial,s.sql FROM pragma_index_list(?1,'main') l"
			" JOIN main.sqlite_schema s ON s.name=l.name AND s.type='index' ORDER BY s.rowid",
			texts) != 0)
		return -1;
	for (size_t i = 0; i < list.nindexes; i++) {
		const char *index[] = {list.indexes[i].name, NULL};
		r->t->indexes = pool_grow(r->pool, r->t->indexes, r->t->nindexes, sizeof(*r->t->indexes));
		r->t->indexes[r->t->nindexes++] = list.indexes[i];
		if (schema_each(db, err, row_key, r,
				"SELECT cid,coll,\"desc\",\"key\" FROM pragma_index_xinfo(?1,'main') ORDER BY seqno",
				index) != 0)
			return -1;
	}
	return 0;
}

static int read_rest(struct reading *r, sqlite3 *db, struct error *err)
{
	const char *texts[] = {r->t->name, NULL};

	if (schema_each(
		    db, err, row_column, r,
		    "SELECT name,type,\"notnull\",dflt_value,pk,hidden FROM pragma_table_xinfo(?1,'main') ORDER BY cid",
		    texts) != 0 ||
	    read_collations(r, db, err) != 0 || read_indexes(r, db, err) != 0 || read_primary(r, db, err) != 0)
		return -1;
	if (schema_each(db, err, row_trigger, r,
			"SELECT name,sql FROM main.sqlite_schema WHERE type='trigger' AND lower(tbl_name)=lower(?1) "
			"ORDER BY rowid",
			texts) != 0)
		return -1;
	if (schema_each(
		    db, err, row_parent, r,
		    "SELECT ?1,\"from\",\"table\",\"to\",id FROM pragma_foreign_key_list(?1,'main') ORDER BY id,seq",
		    texts) != 0)
		return -1;
	return schema_each(db, err, row_child, r,
			   "SELECT m.name,f.\"from\",f.\"table\",f.\"to\",f.id FROM main.sqlite_schema m"
			   " JOIN pragma_foreign_key_list(m.name,'main') f"
			   " WHERE m.type='table' AND lower(f.\"table\")=lower(?1) ORDER BY m.rowid,f.id,f.seq",
			   texts);
}

int schema_read(struct pool *pool, sqlite3 *db, const char *name, struct schema_table **ret, struct error *err)
{
	struct schema_table *t = pool_alloc(pool, sizeof(*t));
	struct reading r = {.pool = pool, .t = t};

	if (read_table_row(&r, db, name, err) != 0 || read_rest(&r, db, err) != 0)
		return -1;
	find_rowid(t);
	if (schema_fingerprint(pool, db, t->name, &t->fingerprint, err) != 0)
		return -1;
	*ret = t;
	return 0;
}
