/* Scratch databases; see scratch.h. */
#include "daemon/migrate/scratch.h"

#include <string.h>

#include "daemon/migrate/schema.h"

void scratch_dqs(sqlite3 *db, bool on)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, on, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, on, NULL);
}

int scratch_open(sqlite3 **ret, bool dqs, struct error *err)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(":memory:", &db) != SQLITE_OK) {
		int rc = error_set_sqlite(err, SQLITE_NOMEM, "SQLITE_NOMEM", "cannot open a scratch database");
		sqlite3_close(db);
		return rc;
	}
	sqlite3_extended_result_codes(db, 1);
	/* Whoever may read may have files planned, and this function takes a value for an address. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
	scratch_dqs(db, dqs);
	*ret = db;
	return 0;
}

static bool is_nomem(int code) { return (code & 0xff) == SQLITE_NOMEM; }

struct mirror {
	sqlite3 *to;
	size_t missing;
	bool no_memory;
};

static int row_make(void *arg, sqlite3_stmt *stmt)
{
	struct mirror *m = arg;
	int code = sqlite3_exec(m->to, (const char *)sqlite3_column_text(stmt, 0), NULL, NULL, NULL);

	m->no_memory = m->no_memory || is_nomem(code);
	/* The tables of a virtual table were made with it. */
	m->missing += code != SQLITE_OK && !sqlite3_column_int(stmt, 1);
	return 0;
}

static int row_encoding(void *arg, sqlite3_stmt *stmt)
{
	char sql[64];

	sqlite3_snprintf(sizeof(sql), sql, "PRAGMA encoding=%Q", (const char *)sqlite3_column_text(stmt, 0));
	(void)sqlite3_exec(arg, sql, NULL, NULL, NULL);
	return 0;
}

int scratch_mirror(sqlite3 *from, sqlite3 *to, size_t *ret_missing, struct error *err)
{
	struct mirror m = {.to = to};
	/* Virtual tables first: their own tables must not be there yet. Triggers last: they look for their table. */
	static const char objects[] =
		"SELECT sql,name IN (SELECT name FROM pragma_table_list WHERE type='shadow')"
		" FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
		" AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\'"
		" ORDER BY type='trigger', type='view', sql NOT LIKE 'CREATE VIRTUAL%', rowid";

	if (schema_each(from, err, row_encoding, to, "SELECT encoding FROM pragma_encoding", NULL) != 0 ||
	    schema_each(from, err, row_make, &m, objects, NULL) != 0)
		return -1;
	if (m.no_memory)
		return error_set_sqlite(err, SQLITE_NOMEM, "SQLITE_NOMEM", "out of memory");
	*ret_missing = m.missing;
	return 0;
}

/* --- what depends on tables --- */

struct trying {
	struct pool *pool;
	sqlite3 *db;
	bool *no_memory;
};

static bool ok(struct trying *t, int code)
{
	*t->no_memory = *t->no_memory || is_nomem(code);
	return code == SQLITE_OK;
}

static bool prepares(struct trying *t, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	bool fine = ok(t, sqlite3_prepare_v2(t->db, sql, -1, &stmt, NULL));

	sqlite3_finalize(stmt);
	return fine;
}

/* A list of names, each quoted. */
struct names {
	struct pool *pool;
	size_t n;
	const char **at;
};

static int row_name(void *arg, sqlite3_stmt *stmt)
{
	struct names *l = arg;

	l->at = pool_grow(l->pool, l->at, l->n, sizeof(*l->at));
	l->at[l->n++] = quote_name(l->pool, (const char *)sqlite3_column_text(stmt, 0));
	return 0;
}

/* The trigger alone stands on its table. */
static bool stands_alone(struct trying *t, const struct dependent *o)
{
	struct names triggers = {.pool = t->pool};
	struct error none = {0};
	const char *texts[] = {o->table, NULL};
	bool fine = schema_each(t->db, &none, row_name, &triggers,
				"SELECT name FROM main.sqlite_schema WHERE type='trigger' AND "
				"lower(tbl_name)=lower(?1)",
				texts) == 0;

	(void)ok(t, (int)none.code);
	error_clear(&none);
	for (size_t i = 0; fine && i < triggers.n; i++)
		fine = ok(t, sqlite3_exec(t->db, pool_printf(t->pool, "DROP TRIGGER main.%s", triggers.at[i]), NULL,
					  NULL, NULL));
	return fine && ok(t, sqlite3_exec(t->db, o->sql, NULL, NULL, NULL));
}

/* Compiles every statement that would fire the trigger: its body is compiled with it. */
static bool fires(struct trying *t, const struct dependent *o)
{
	struct pool *pool = t->pool;
	char *table = quote_name(pool, o->table);
	struct names columns = {.pool = pool};
	struct error none = {0};
	const char *texts[] = {o->table, NULL};
	bool fine = prepares(t, pool_printf(pool, "INSERT INTO %s DEFAULT VALUES", table)) &&
		    prepares(t, pool_printf(pool, "DELETE FROM %s", table));

	if (fine)
		(void)schema_each(t->db, &none, row_name, &columns,
				  "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden=0", texts);
	for (size_t i = 0; fine && i < columns.n; i++)
		fine = prepares(t, pool_printf(pool, "UPDATE %s SET %s=NULL", table, columns.at[i]));
	(void)ok(t, (int)none.code);
	error_clear(&none);
	return fine;
}

bool dependent_works(struct pool *pool, sqlite3 *db, const struct dependent *o, bool *no_memory)
{
	struct trying t = {.pool = pool, .db = db, .no_memory = no_memory};

	if (strcmp(o->type, "view") == 0)
		return prepares(&t, pool_printf(pool, "SELECT * FROM %s", quote_name(pool, o->name)));
	bool fine = ok(&t, sqlite3_exec(db, "SAVEPOINT one", NULL, NULL, NULL)) && stands_alone(&t, o) && fires(&t, o);
	(void)sqlite3_exec(db, "ROLLBACK TO one; RELEASE one", NULL, NULL, NULL);
	return fine;
}
