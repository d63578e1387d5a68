/*
 * describe and schema: what a statement is, what the database holds.
 */
#include "daemon/store/internal.h"
#include "proto/response.h"
#include "proto/value.h"

static void columns(struct buf *out, sqlite3_stmt *stmt)
{
	jw_key(out, "columns");
	jw_open(out, '[');
	for (int i = 0; i < sqlite3_column_count(stmt); i++) {
		jw_open(out, '{');
		jw_str(out, "name", sqlite3_column_name(stmt, i));
		jw_str(out, "type", sqlite3_column_decltype(stmt, i));
		jw_close(out, '}');
	}
	jw_close(out, ']');
}

static void parameters(struct buf *out, sqlite3_stmt *stmt)
{
	jw_key(out, "parameters");
	jw_open(out, '[');
	for (int i = 1; i <= sqlite3_bind_parameter_count(stmt); i++)
		jw_str(out, NULL, sqlite3_bind_parameter_name(stmt, i));
	jw_close(out, ']');
}

int sql_describe(struct db *db, struct sql_job *job)
{
	sqlite3_stmt *stmt;
	enum sql_type type;

	if (db_prepare_client(db, job->params->sql, job->params->sql_len, &stmt, &type, &job->err))
		return -1;
	if (!stmt)
		return error_set(&job->err, ERRC_INVALID_PARAMS, "there is no statement in this text");
	jw_open(job->out, '{');
	columns(job->out, stmt);
	parameters(job->out, stmt);
	jw_bool(job->out, "readonly", type == SQL_TYPE_READ);
	jw_close(job->out, '}');
	db_done(db, stmt);
	return 0;
}

static void text_member(struct buf *out, const char *key, sqlite3_stmt *stmt, int i)
{
	jw_key(out, key);
	json_write_string(out, (const char *)sqlite3_column_text(stmt, i), (size_t)sqlite3_column_bytes(stmt, i));
}

int sql_schema(struct db *db, struct sql_job *job)
{
	static const char sql[] =
		"SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL"
		" AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\'"
		" AND tbl_name NOT LIKE '\\_alterd\\_%' ESCAPE '\\'"
		" AND tbl_name NOT LIKE '\\_litestream\\_%' ESCAPE '\\'"
		" AND (?1 IS NULL OR tbl_name = ?1 COLLATE NOCASE) ORDER BY rowid";
	const char *table = params_has(job->params, PARAM_TABLE) ? job->params->table : NULL;
	int64_t most = store_get_config(job->store)->value_bytes;
	sqlite3_stmt *stmt;
	int rc;

	if (db_prepare(db, sql, &stmt, &job->err))
		return -1;
	if (table)
		sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	jw_open(job->out, '{');
	jw_key(job->out, "schema");
	jw_open(job->out, '[');
	size_t start = job->out->len;
	while ((rc = db_step(db, stmt, &job->err)) == 1) {
		jw_open(job->out, '{');
		text_member(job->out, "type", stmt, 0);
		text_member(job->out, "name", stmt, 1);
		text_member(job->out, "table", stmt, 2);
		text_member(job->out, "sql", stmt, 3);
		jw_close(job->out, '}');
		if ((int64_t)(job->out->len - job->out_start) > most) {
			rc = error_set_sqlite(&job->err, SQLITE_TOOBIG, "SQLITE_TOOBIG",
					      "the schema is too large for one answer");
			break;
		}
	}
	db_done(db, stmt);
	if (rc == 0 && table && job->out->len == start)
		rc = error_set(&job->err, ERRC_NOT_FOUND, "no table %.100s", table);
	jw_close(job->out, ']');
	jw_close(job->out, '}');
	return rc;
}
