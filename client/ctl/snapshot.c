/* What a database holds, and what differs between two; see scratch.h. */
#include <stdlib.h>
#include <string.h>

#include "client/ctl/scratch.h"

/*
 * alterd_migrations differs by its times, and is no part of what migrations make. The tables behind a virtual table
 * come with it. The pragma reads the whole schema each time it is asked: once is enough.
 */
static const char objects_sql[] =
	"WITH l AS MATERIALIZED (SELECT name, wr, type FROM pragma_table_list WHERE schema='main')"
	" SELECT s.type, s.name, s.sql, ifnull(l.wr,0), ifnull(l.type,'')='virtual' FROM sqlite_schema s"
	" LEFT JOIN l ON l.name=s.name AND s.type='table'"
	" WHERE s.sql IS NOT NULL AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND s.name NOT LIKE '\\_alterd\\_%'"
	" ESCAPE '\\' AND s.name NOT LIKE '\\_litestream\\_%' ESCAPE '\\' AND s.tbl_name<>'alterd_migrations' AND "
	"ifnull(l.type,'')<>'shadow' ORDER BY CASE s.type WHEN"
	" 'table' THEN ifnull(l.type,'')='virtual' WHEN 'index' THEN 2 WHEN 'view' THEN 3 ELSE 4 END, s.name";

static char *copy(const char *text) { return must(strdup(text ? text : "")); }

static int read_objects(struct alterd_conn *conn, struct snapshot *s)
{
	struct alterd_result *r = NULL;
	int rc = alterd_query(conn, objects_sql, NULL, 0, &r);

	while (rc == 0 && (rc = alterd_step(r)) == 1) {
		s->at = must(realloc(s->at, (s->n + 1) * sizeof(*s->at)));
		s->at[s->n++] = (struct snapshot_object){
			.type = copy(alterd_cell_text(r, 0)),
			.name = copy(alterd_cell_text(r, 1)),
			.sql = copy(alterd_cell_text(r, 2)),
			.without_rowid = alterd_cell_int(r, 3) != 0,
			.virtual_table = alterd_cell_int(r, 4) != 0,
		};
		rc = 0;
	}
	alterd_result_free(r);
	return rc;
}

/* Its type counts, and where it ends. */
static void add_cell(struct buf *out, const struct alterd_value *v)
{
	buf_printf(out, "%d", (int)v->type);
	switch (v->type) {
	case ALTERD_INT:
		buf_add(out, &v->i, sizeof(v->i));
		break;
	case ALTERD_REAL:
		buf_add(out, &v->r, sizeof(v->r));
		break;
	case ALTERD_TEXT:
	case ALTERD_BLOB:
		buf_add(out, &v->s.n, sizeof(v->s.n));
		buf_add(out, v->s.p, v->s.n);
		break;
	default:
		break;
	}
}

static void take_row(struct snapshot_rows *rows, struct alterd_result *r)
{
	const struct alterd_value *row = alterd_row(r);

	rows->n++;
	for (int i = 0; i < rows->ncolumns; i++)
		add_cell(&rows->columns[i].cells, &row[i]);
}

static int read_rows(struct alterd_conn *conn, struct snapshot *s, const struct snapshot_object *o)
{
	struct alterd_result *r = NULL;
	struct snapshot_rows *rows;
	struct buf sql = {0};
	int rc;

	buf_puts(&sql, "SELECT * FROM \"");
	for (const char *p = o->name; *p; p++)
		buf_printf(&sql, *p == '"' ? "\"\"" : "%c", *p);
	buf_puts(&sql, o->without_rowid ? "\"" : "\" ORDER BY rowid");
	rc = alterd_query(conn, buf_cstr(&sql), NULL, 0, &r);
	buf_free(&sql);
	if (rc != 0) {
		alterd_result_free(r);
		return rc;
	}
	s->rows = must(realloc(s->rows, (s->nrows + 1) * sizeof(*s->rows)));
	rows = &s->rows[s->nrows++];
	*rows = (struct snapshot_rows){.table = o->name, .ncolumns = alterd_columns(r)};
	rows->columns = must(calloc((size_t)rows->ncolumns + 1, sizeof(*rows->columns)));
	for (int i = 0; i < rows->ncolumns; i++)
		rows->columns[i].name = copy(alterd_column_name(r, i));
	while ((rc = alterd_step(r)) == 1)
		take_row(rows, r);
	alterd_result_free(r);
	return rc;
}

int snapshot_read(struct alterd_conn *conn, bool rows, struct snapshot *ret)
{
	struct snapshot s = {0};
	int rc = read_objects(conn, &s);

	for (size_t i = 0; rows && rc == 0 && i < s.n; i++)
		if (strcmp(s.at[i].type, "table") == 0)
			rc = read_rows(conn, &s, &s.at[i]);
	if (rc == 0)
		*ret = s;
	else
		snapshot_free(&s);
	return rc;
}

void snapshot_free(struct snapshot *s)
{
	for (size_t i = 0; i < s->nrows; i++) {
		for (int k = 0; k < s->rows[i].ncolumns; k++) {
			free(s->rows[i].columns[k].name);
			buf_free(&s->rows[i].columns[k].cells);
		}
		free(s->rows[i].columns);
	}
	for (size_t i = 0; i < s->n; i++) {
		free(s->at[i].type);
		free(s->at[i].name);
		free(s->at[i].sql);
	}
	free(s->rows);
	free(s->at);
	*s = (struct snapshot){0};
}

/* `guess`: where it stands unless the two differ before it. */
static const struct snapshot_object *find(const struct snapshot *s, const struct snapshot_object *o, size_t guess)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct snapshot_object *at = &s->at[(guess + i) % s->n];
		if (strcmp(at->name, o->name) == 0 && strcmp(at->type, o->type) == 0)
			return at;
	}
	return NULL;
}

static void tell(struct buf *out, const struct snapshot_object *o, const char *what)
{
	buf_printf(out, "%s%s %s %s", out->len ? ", " : "", o->type, o->name, what);
}

enum likeness snapshot_compare(const struct snapshot *a, const struct snapshot *b, struct buf *out)
{
	enum likeness all = SAME;

	for (size_t i = 0; i < a->n; i++) {
		const struct snapshot_object *other = find(b, &a->at[i], i);
		enum likeness like = other ? sql_compare(a->at[i].sql, other->sql) : DIFFERENT;
		if (!other)
			tell(out, &a->at[i], "is missing");
		else if (like == DIFFERENT)
			tell(out, &a->at[i], "is another");
		else if (like == OTHER_ORDER)
			tell(out, &a->at[i], "has its columns in another order");
		all = like > all ? like : all;
	}
	for (size_t i = 0; i < b->n; i++) {
		if (find(a, &b->at[i], i))
			continue;
		tell(out, &b->at[i], "is left over");
		all = DIFFERENT;
	}
	return all;
}

static const struct snapshot_rows *rows_of(const struct snapshot *s, const char *table)
{
	for (size_t i = 0; i < s->nrows; i++)
		if (strcmp(s->rows[i].table, table) == 0)
			return &s->rows[i];
	return NULL;
}

static bool same_cells(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

bool snapshot_rows_differ(const struct snapshot *a, const struct snapshot *b, size_t *at, struct buf *out)
{
	size_t place = 0;

	buf_reset(out, 4096);
	for (size_t i = 0; i < a->nrows; i++) {
		const struct snapshot_rows *x = &a->rows[i], *y = rows_of(b, x->table);
		/* Another schema is told elsewhere. */
		if (!y || y->ncolumns != x->ncolumns)
			continue;
		for (int k = 0; k < x->ncolumns || k == 0; k++, place++) {
			bool differ = x->n != y->n ? k == 0
						   : k < x->ncolumns &&
							     !same_cells(&x->columns[k].cells, &y->columns[k].cells);
			if (place < *at || !differ)
				continue;
			*at = place + 1;
			buf_printf(out, x->n != y->n ? "%s" : "%s.%s", x->table, x->columns[k].name);
			return true;
		}
	}
	return false;
}
