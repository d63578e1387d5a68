/* What is known of the tables of a plan's scratch schema: their names, rows and bytes; see file_world.h. */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/consent.h"
#include "daemon/migrate/file_world.h"
#include "daemon/migrate/schema.h"

void world_add(struct world *w, struct fact fact)
{
	struct fact *f = pool_alloc(w->pool, sizeof(*f));

	*f = fact;
	w->facts = pool_grow(w->pool, w->facts, w->nfacts, sizeof(*w->facts));
	w->facts[w->nfacts++] = f;
}

struct fact *world_table(struct world *w, const char *name)
{
	for (size_t i = 0; name && i < w->nfacts; i++)
		if (strcasecmp(w->facts[i]->name, name) == 0)
			return w->facts[i];
	return NULL;
}

static void forget(struct world *w, const char *name)
{
	for (size_t i = 0; i < w->nfacts; i++)
		if (strcasecmp(w->facts[i]->name, name) == 0) {
			memmove(w->facts + i, w->facts + i + 1, (w->nfacts - i - 1) * sizeof(*w->facts));
			w->nfacts--;
			return;
		}
}

static int64_t ask(struct world *w, const char *format, const char *name)
{
	int64_t n = 0;

	if (!error_is_set(&w->err))
		(void)db_int(w->live, &n, &w->err, format, name);
	return n;
}

int64_t world_rows(void *world, const char *table)
{
	struct world *w = world;
	struct fact *f = world_table(w, table);

	if (f && f->live && !f->rows_known) {
		f->rows_known = true;
		/* A virtual table's rows are its own business. */
		if (ask(w, "SELECT count(*) FROM main.sqlite_schema WHERE type='table' AND rootpage>0 AND name=%Q",
			f->live))
			f->rows += ask(w, "SELECT count(*) FROM main.\"%w\"", f->live);
	}
	return f ? f->rows : 0;
}

int64_t world_bytes(struct world *w, const char *table)
{
	struct fact *f = world_table(w, table);

	if (f && f->live && !f->bytes_known) {
		f->bytes_known = true;
		f->bytes += ask(w,
				"SELECT ifnull(sum(pgsize),0) FROM dbstat('main',1) WHERE name IN (SELECT name FROM"
				" main.sqlite_schema WHERE tbl_name=%Q COLLATE NOCASE)",
				f->live);
	}
	return f ? f->bytes : 0;
}

bool world_holds(struct world *w, const char *table, const char *column)
{
	struct fact *f = world_table(w, table);
	int64_t there = 0, holds = 0;

	if (!f || world_rows(w, table) == 0)
		return false;
	if (f->live && !error_is_set(&w->err))
		(void)db_int(w->live, &there, &w->err,
			     "SELECT count(*) FROM pragma_table_xinfo(%Q,'main') WHERE name=%Q COLLATE NOCASE", f->live,
			     column);
	if (!there)
		return true;
	(void)db_int(w->live, &holds, &w->err, "SELECT EXISTS(SELECT 1 FROM main.\"%w\" WHERE \"%w\" IS NOT NULL)",
		     f->live, column);
	return holds != 0;
}

const char *world_leaves_out(struct world *w, const struct script *script, const struct script_kind *kinds, size_t i)
{
	struct schema_table *t = NULL;
	struct error why = {0};
	bool *out = NULL;

	if (consent_left_out(w->pool, w->db, script, kinds, i, &t, &out, &why) != 0) {
		/* What is not there loses nothing. */
		if (why.code == errc_code(ERRC_NOT_FOUND))
			error_clear(&why);
		else
			error_move(&w->err, &why);
		return NULL;
	}
	for (size_t c = 0; c < t->ncolumns; c++)
		if (out[c] && world_holds(w, t->name, t->columns[c].name))
			return t->columns[c].name;
	return NULL;
}

int64_t world_reads(struct world *w, const struct script_data *data, int64_t *ret_bytes)
{
	int64_t rows = data->values, bytes = 0;

	for (size_t i = 0; i < data->nnames; i++) {
		const char *name = data->names[i];
		if (!world_table(w, name) || strcasecmp(name, data->table) == 0)
			continue;
		int64_t n = world_rows(w, name), b = world_bytes(w, name);
		rows = n > rows ? n : rows;
		bytes = b > bytes ? b : bytes;
	}
	*ret_bytes = bytes;
	return rows;
}

static bool reads_table(struct world *w, const struct script_data *data)
{
	for (size_t i = 0; i < data->nnames; i++)
		if (strcasecmp(data->names[i], data->table) != 0 && world_table(w, data->names[i]))
			return true;
	return false;
}

void world_learn(struct world *w, const struct script_kind *k, const struct script_data *data)
{
	struct fact *f = NULL;
	int64_t bytes = 0;

	if (k->what == SCRIPT_DROP_TABLE) {
		/* It may have been one in TEMP, of the same name. */
		if (sqlite3_table_column_metadata(w->db, "main", k->name, NULL, NULL, NULL, NULL, NULL, NULL) !=
		    SQLITE_OK)
			forget(w, k->name);
	} else if (k->what == SCRIPT_CREATE_TABLE && !world_table(w, k->name)) {
		world_add(w, (struct fact){.name = pool_str(w->pool, k->name)});
	}
	if (data->what == DATA_NONE || (f = world_table(w, data->table)) == NULL)
		return;
	if (data->what == DATA_INSERT) {
		int64_t rows = world_reads(w, data, &bytes);
		f->rows = world_rows(w, f->name) + rows;
		f->bytes = world_bytes(w, f->name) + bytes;
		/* What counts on its own, and reads no table, makes nobody knows how many: so one. */
		if (f->rows == 0 && data->generates && !reads_table(w, data))
			f->rows = 1;
	} else if (data->what == DATA_DELETE && data->all) {
		f->rows_known = f->bytes_known = true;
		f->rows = f->bytes = 0;
	}
}
