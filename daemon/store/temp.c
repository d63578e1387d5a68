/* TEMP objects of a migration: the writer's connection has them for one transaction. */
#include "daemon/lib/check.h"
#include "daemon/store/internal.h"

void db_allow_temp(struct db *db, bool on)
{
	PRE(db->writer);
	db->temp = on;
}

/* Triggers and views first; a virtual table takes the tables along that it keeps its own in. */
static int next_one(struct db *db, char **ret_sql, struct error *err)
{
	sqlite3_stmt *stmt;

	*ret_sql = NULL;
	if (db_prepare(db,
		       "SELECT type,name FROM temp.sqlite_schema WHERE type IN ('trigger','view','table')"
		       " AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
		       " ORDER BY type<>'trigger',type<>'view',sql NOT LIKE 'CREATE VIRTUAL%' LIMIT 1",
		       &stmt, err))
		return -1;
	int rc = db_step(db, stmt, err);
	if (rc == 1) {
		*ret_sql = sqlite3_mprintf("DROP %s temp.\"%w\"", sqlite3_column_text(stmt, 0),
					   sqlite3_column_text(stmt, 1));
		if (!*ret_sql)
			rc = error_from_sqlite(err, SQLITE_NOMEM, -1, NULL, "out of memory");
	}
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

int db_drop_temp(struct db *db, struct error *err)
{
	char *sql;

	PRE(db->writer && db_in_transaction(db));
	db_forget_statements(db);
	while (next_one(db, &sql, err) == 0) {
		if (!sql)
			return 0;
		int rc = db_exec(db, err, "%s", sql);
		sqlite3_free(sql);
		if (rc != 0)
			return -1;
	}
	return -1;
}
