/* Shapes and keys. */
#include "daemon/migrate/rowkey.h"

#include <string.h>
#include <strings.h>

#include "daemon/lib/check.h"

/* --- shapes --- */

static void make(struct pool *pool, struct rowkey_shape *s, size_t n)
{
	*s = (struct rowkey_shape){.n = n, .access = "NOT INDEXED"};
	s->names = pool_alloc(pool, (n + 1) * sizeof(*s->names));
	s->collations = pool_alloc(pool, (n + 1) * sizeof(*s->collations));
	s->plain = pool_alloc(pool, n + 1);
	s->desc = pool_alloc(pool, n + 1);
	s->columns = pool_alloc(pool, (n + 1) * sizeof(*s->columns));
}

void rowkey_of_column(struct pool *pool, const char *name, int column, struct rowkey_shape *ret)
{
	make(pool, ret, 1);
	ret->rowid = true;
	ret->names[0] = quote_name(pool, name);
	ret->collations[0] = "\"BINARY\"";
	ret->plain[0] = true;
	ret->columns[0] = column;
}

void rowkey_of_index(struct pool *pool, const struct schema_table *t, const struct schema_index *x,
		     struct rowkey_shape *ret)
{
	make(pool, ret, x->nuser);
	if (x->name)
		ret->access = pool_printf(pool, "INDEXED BY %s", quote_name(pool, x->name));
	for (size_t i = 0; i < x->nuser; i++) {
		PRE(x->keys[i].column >= 0);
		const struct schema_column *c = &t->columns[x->keys[i].column];
		ret->names[i] = quote_name(pool, c->name);
		ret->plain[i] = c->collation && strcasecmp(c->collation, x->keys[i].collation) == 0;
		ret->collations[i] = quote_name(pool, x->keys[i].collation);
		ret->desc[i] = x->keys[i].desc;
		ret->columns[i] = x->keys[i].column;
	}
}

/* A table whose rowid has no name: its PRIMARY KEY will do where no part of it can be NULL. */
static const struct schema_index *primary_index(const struct schema_table *t)
{
	for (size_t i = 0; i < t->nindexes; i++) {
		const struct schema_index *x = &t->indexes[i];
		bool usable = x->origin == 'p';
		for (size_t k = 0; usable && k < x->nuser; k++)
			usable = t->columns[x->keys[k].column].notnull;
		if (usable)
			return x;
	}
	return NULL;
}

void rowkey_of_table(struct pool *pool, const struct schema_table *t, struct rowkey_shape *ret)
{
	const struct schema_index *x = t->without_rowid ? &t->primary : primary_index(t);

	*ret = (struct rowkey_shape){0};
	if (t->rowid)
		rowkey_of_column(pool, t->rowid, t->alias, ret);
	else if (x)
		rowkey_of_index(pool, t, x, ret);
}

/* --- SQL --- */

const char *rowkey_list(struct pool *pool, const struct rowkey_shape *s, const char *prefix)
{
	const char *out = "";
	for (size_t i = 0; i < s->n; i++)
		out = pool_printf(pool, "%s%s%s%s", out, i ? "," : "", prefix, s->names[i]);
	return out;
}

/* A part as it is compared. An integer has no collation. */
static const char *part(struct pool *pool, const struct rowkey_shape *s, const char *prefix, size_t i)
{
	if (s->rowid)
		return pool_printf(pool, "%s%s", prefix, s->names[i]);
	return pool_printf(pool, "%s%s COLLATE %s", prefix, s->names[i], s->collations[i]);
}

const char *rowkey_order(struct pool *pool, const struct rowkey_shape *s, const char *prefix, bool backwards)
{
	const char *out = "";
	for (size_t i = 0; i < s->n; i++)
		out = pool_printf(pool, "%s%s%s%s", out, i ? "," : "", part(pool, s, prefix, i),
				  s->desc[i] != backwards ? " DESC" : "");
	return out;
}

const char *rowkey_equals(struct pool *pool, const struct rowkey_shape *s, const char *prefix, size_t first)
{
	const char *out = "";
	for (size_t i = 0; i < s->n; i++)
		out = pool_printf(pool, "%s%s%s=?%zu", out, i ? " AND " : "", part(pool, s, prefix, i), first + i);
	return out;
}

size_t rowkey_run(const struct rowkey_shape *s, size_t from)
{
	size_t to = from + 1;

	while (s->plain[from] && to < s->n && s->plain[to] && s->desc[to] == s->desc[from])
		to++;
	return to;
}

/* (a,b)>(?1,?2) */
static const char *run_bound(struct pool *pool, const struct rowkey_shape *s, const char *prefix, size_t first,
			     size_t from, enum rowkey_side side)
{
	size_t to = rowkey_run(s, from);
	bool behind = side == ROWKEY_BEHIND, equal = side == ROWKEY_UNTIL;
	const char *than = behind != s->desc[from] ? ">" : "<", *or_equal = equal ? "=" : "", *marks = "";

	if (to == from + 1)
		return pool_printf(pool, "%s%s%s?%zu", part(pool, s, prefix, from), than, or_equal, first + from);
	const struct rowkey_shape run = {.n = to - from, .names = s->names + from};
	for (size_t i = from; i < to; i++)
		marks = pool_printf(pool, "%s%s?%zu", marks, i > from ? "," : "", first + i);
	return pool_printf(pool, "(%s)%s%s(%s)", rowkey_list(pool, &run, prefix), than, or_equal, marks);
}

const char *rowkey_bound(struct pool *pool, const struct rowkey_shape *s, const char *prefix, size_t first, size_t from,
			 enum rowkey_side side)
{
	struct rowkey_shape before = *s;

	before.n = from;
	return pool_printf(pool, "%s%s%s", rowkey_equals(pool, &before, prefix, first), from ? " AND " : "",
			   run_bound(pool, s, prefix, first, from, side));
}

/* One part of the table behind the other: first what has most of the key's parts in common. */
static const char *runs_behind(struct pool *pool, const struct rowkey_shape *s, const char *table, size_t first)
{
	const char *order = rowkey_order(pool, s, "", false), *out = NULL;

	for (size_t from = 0; from < s->n; from = rowkey_run(s, from)) {
		const char *rows = pool_printf(pool, "SELECT * FROM (SELECT * FROM main.%s %s WHERE %s ORDER BY %s)",
					       table, s->access, rowkey_bound(pool, s, "", first, from, ROWKEY_BEHIND),
					       order);
		out = out ? pool_printf(pool, "%s UNION ALL %s", rows, out) : rows;
	}
	return out;
}

void rowkey_behind(struct pool *pool, const struct rowkey_shape *s, const char *table, const char *alias, size_t first,
		   struct rowkey_rows *ret)
{
	const char *prefix = alias ? pool_printf(pool, "%s.", alias) : "";
	const char *as = alias ? pool_printf(pool, " AS %s", alias) : "";

	if (rowkey_run(s, 0) < s->n) {
		*ret = (struct rowkey_rows){.from = pool_printf(pool, "(%s) AS %s", runs_behind(pool, s, table, first),
								alias ? alias : table),
					    .where = "1",
					    .order = ""};
		return;
	}
	*ret = (struct rowkey_rows){.from = pool_printf(pool, "main.%s%s %s", table, as, s->access),
				    .where = rowkey_bound(pool, s, prefix, first, 0, ROWKEY_BEHIND),
				    .order = pool_printf(pool, " ORDER BY %s", rowkey_order(pool, s, prefix, false))};
}

/* (a>?1 OR (a=?1 AND (b<?2 OR ..))): each part in its own direction and collation. */
static const char *part_by_part(struct pool *pool, const struct rowkey_shape *s, size_t first)
{
	const char *out = NULL;
	for (size_t i = s->n; i-- > 0;) {
		const char *p = part(pool, s, "", i), *than = s->desc[i] ? "<" : ">";
		out = out ? pool_printf(pool, "(%s%s?%zu OR (%s=?%zu AND %s))", p, than, first + i, p, first + i, out)
			  : pool_printf(pool, "%s%s?%zu", p, than, first + i);
	}
	return out;
}

/* A + keeps the planner from what is to be asked of each row alone. */
const char *rowkey_until(struct pool *pool, const struct rowkey_shape *s, size_t first)
{
	const char *head = rowkey_bound(pool, s, "", first, 0, ROWKEY_UNTIL);

	if (rowkey_run(s, 0) == s->n)
		return head;
	return pool_printf(pool, "%s AND NOT +%s", head, part_by_part(pool, s, first));
}

const char *rowkey_compare(struct pool *pool, const struct rowkey_shape *s)
{
	const char *out = "0";
	for (size_t i = s->n; i-- > 0;)
		out = pool_printf(
			pool, "CASE WHEN ?%zu=?%zu COLLATE %s THEN %s WHEN ?%zu<?%zu COLLATE %s THEN %d ELSE %d END",
			i + 1, s->n + i + 1, s->collations[i], out, i + 1, s->n + i + 1, s->collations[i],
			s->desc[i] ? 1 : -1, s->desc[i] ? -1 : 1);
	return pool_printf(pool, "SELECT %s", out);
}

/* --- values --- */

/* Bytes a key keeps for the next values. */
#define ROWKEY_KEPT 4096

void rowkey_add_int(struct buf *parts, int64_t i)
{
	buf_putc(parts, SQLITE_INTEGER);
	buf_add(parts, &i, sizeof(i));
}

void rowkey_add_real(struct buf *parts, double r)
{
	buf_putc(parts, SQLITE_FLOAT);
	buf_add(parts, &r, sizeof(r));
}

void rowkey_add(struct buf *parts, sqlite3_value *v)
{
	char type = (char)sqlite3_value_type(v);
	uint32_t n;

	switch (type) {
	case SQLITE_INTEGER:
		rowkey_add_int(parts, sqlite3_value_int64(v));
		break;
	case SQLITE_FLOAT:
		rowkey_add_real(parts, sqlite3_value_double(v));
		break;
	case SQLITE_NULL:
		buf_putc(parts, type);
		break;
	case SQLITE_TEXT:
	case SQLITE_BLOB: {
		buf_putc(parts, type);
		const void *data = type == SQLITE_TEXT ? (const void *)sqlite3_value_text(v) : sqlite3_value_blob(v);
		n = (uint32_t)sqlite3_value_bytes(v);
		buf_add(parts, &n, sizeof(n));
		if (n)
			buf_add(parts, data, n);
		break;
	}
	}
}

static void take(const struct buf *parts, size_t *at, void *to, size_t n)
{
	CHECK(parts->len - *at >= n);
	memcpy(to, parts->data + *at, n);
	*at += n;
}

bool rowkey_next_part(const struct buf *parts, size_t *at, struct rowkey_part *ret)
{
	char type = 0;
	uint32_t n = 0;

	if (*at >= parts->len)
		return false;
	take(parts, at, &type, 1);
	*ret = (struct rowkey_part){.type = type};
	if (type == SQLITE_INTEGER) {
		take(parts, at, &ret->i, sizeof(ret->i));
	} else if (type == SQLITE_FLOAT) {
		take(parts, at, &ret->r, sizeof(ret->r));
	} else if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
		take(parts, at, &n, sizeof(n));
		CHECK(parts->len - *at >= n);
		ret->data = parts->data + *at;
		ret->n = n;
		*at += n;
	}
	return true;
}

void rowkey_read(struct rowkey *k, const struct rowkey_shape *s, sqlite3_stmt *stmt, int i)
{
	if (s->rowid) {
		k->rowid = sqlite3_column_int64(stmt, i);
		return;
	}
	buf_reset(&k->parts, ROWKEY_KEPT);
	for (size_t p = 0; p < s->n; p++)
		rowkey_add(&k->parts, sqlite3_column_value(stmt, i + (int)p));
}

void rowkey_bind(const struct rowkey *k, const struct rowkey_shape *s, sqlite3_stmt *stmt, int i)
{
	struct rowkey_part p;
	size_t at = 0;

	if (s->rowid) {
		sqlite3_bind_int64(stmt, i, k->rowid);
		return;
	}
	for (; rowkey_next_part(&k->parts, &at, &p); i++) {
		switch (p.type) {
		case SQLITE_INTEGER:
			sqlite3_bind_int64(stmt, i, p.i);
			break;
		case SQLITE_FLOAT:
			sqlite3_bind_double(stmt, i, p.r);
			break;
		case SQLITE_TEXT:
			sqlite3_bind_text64(stmt, i, p.data, p.n, SQLITE_TRANSIENT, SQLITE_UTF8);
			break;
		case SQLITE_BLOB:
			sqlite3_bind_blob64(stmt, i, p.n ? p.data : "", p.n, SQLITE_TRANSIENT);
			break;
		}
	}
}

void rowkey_log_read(struct rowkey *k, const struct rowkey_shape *s, sqlite3_stmt *stmt, int i)
{
	if (s->rowid) {
		k->rowid = sqlite3_column_int64(stmt, i);
		return;
	}
	const void *data = sqlite3_column_blob(stmt, i);
	buf_reset(&k->parts, ROWKEY_KEPT);
	if (data)
		buf_add(&k->parts, data, (size_t)sqlite3_column_bytes(stmt, i));
}

void rowkey_log_bind(const struct rowkey *k, const struct rowkey_shape *s, sqlite3_stmt *stmt, int i)
{
	if (s->rowid)
		sqlite3_bind_int64(stmt, i, k->rowid);
	else
		sqlite3_bind_blob64(stmt, i, k->parts.data, k->parts.len, SQLITE_TRANSIENT);
}

bool rowkey_same(const struct rowkey *a, const struct rowkey *b, const struct rowkey_shape *s)
{
	if (s->rowid)
		return a->rowid == b->rowid;
	return a->parts.len == b->parts.len && memcmp(a->parts.data, b->parts.data, a->parts.len) == 0;
}

void rowkey_copy(struct rowkey *to, const struct rowkey *from)
{
	to->rowid = from->rowid;
	buf_reset(&to->parts, ROWKEY_KEPT);
	if (from->parts.len)
		buf_add(&to->parts, from->parts.data, from->parts.len);
}

void rowkey_free(struct rowkey *k)
{
	buf_free(&k->parts);
	*k = (struct rowkey){0};
}
