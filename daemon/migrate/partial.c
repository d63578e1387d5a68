/* The SQL of _alterd_partial and _alterd_ran. */
#include "daemon/migrate/partial.h"

#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/digest.h"
#include "daemon/migrate/schema.h"

int partial_create(struct db *db, struct error *err)
{
	return db_exec(db, err,
		       "CREATE TABLE IF NOT EXISTS main._alterd_partial(version INTEGER NOT NULL PRIMARY KEY,"
		       " done INTEGER NOT NULL, total INTEGER NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL,"
		       " checksum TEXT NOT NULL, down_sql TEXT, ran_at TEXT NOT NULL, ran_by TEXT, consented_by TEXT,"
		       " took_ms INTEGER NOT NULL) WITHOUT ROWID;"
		       "CREATE TABLE IF NOT EXISTS main._alterd_ran(version INTEGER NOT NULL, seq INTEGER NOT NULL,"
		       " sha256 TEXT NOT NULL, PRIMARY KEY(version,seq)) WITHOUT ROWID");
}

struct reading {
	struct pool *pool;
	struct partial *out;
	int64_t n;
};

static int row_partial(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;
	const char *text[7] = {0};

	for (int i = 0; i < 7; i++)
		text[i] = pool_str(r->pool, (const char *)sqlite3_column_text(stmt, i + 4));
	*r->out = (struct partial){.version = sqlite3_column_int64(stmt, 0),
				   .done = sqlite3_column_int64(stmt, 1),
				   .total = sqlite3_column_int64(stmt, 2),
				   .took_ms = sqlite3_column_int64(stmt, 3),
				   .name = text[0],
				   .file = text[1],
				   .checksum = text[2],
				   .down_sql = text[3],
				   .ran_at = text[4],
				   .ran_by = text[5],
				   .consented_by = text[6]};
	return 0;
}

static int row_ran(void *arg, sqlite3_stmt *stmt)
{
	struct reading *r = arg;

	if (r->n < r->out->done)
		r->out->sha256[r->n++] = pool_str(r->pool, (const char *)sqlite3_column_text(stmt, 0));
	return 0;
}

int partial_read(struct pool *pool, sqlite3 *handle, bool statements, struct partial *ret, struct error *err)
{
	struct partial p = {0};
	struct reading r = {.pool = pool, .out = &p};

	if (schema_each(handle, err, row_partial, &r,
			"SELECT version,done,total,took_ms,name,file,checksum,down_sql,ran_at,ran_by,consented_by FROM"
			" main._alterd_partial ORDER BY version DESC",
			NULL) != 0)
		return -1;
	if (statements)
		p.sha256 = pool_alloc(pool, ((size_t)p.done + 1) * sizeof(*p.sha256));
	if (statements && p.version &&
	    schema_each(handle, err, row_ran, &r,
			"SELECT sha256 FROM main._alterd_ran WHERE version=(SELECT min(version) FROM"
			" main._alterd_partial) ORDER BY seq",
			NULL) != 0)
		return -1;
	if (statements && r.n != p.done)
		return error_set(err, ERRC_INTERNAL,
				 "the catalog does not know the statements of version %lld that ran",
				 (long long)p.version);
	*ret = p;
	return 0;
}

static int add_statements(struct db *db, struct pool *pool, const struct run_step *piece, struct error *err)
{
	struct script script;
	char sum[DIGEST_SHA256_TEXT];

	if (script_split(pool, piece->sql, strlen(piece->sql), piece->line, &script, err) != 0)
		return -1;
	for (size_t i = 0; i < script.n; i++) {
		digest_sha256(script.at[i].sql, strlen(script.at[i].sql), sum);
		if (db_exec(db, err, "INSERT INTO main._alterd_ran VALUES(%lld,%lld,%Q)", (long long)piece->version,
			    (long long)piece->before + (long long)i, sum) != 0)
			return -1;
	}
	return 0;
}

int partial_advance(struct db *db, struct pool *pool, const struct run_step *piece, const struct partial *all,
		    struct error *err)
{
	if (add_statements(db, pool, piece, err) != 0)
		return -1;
	return db_exec(
		db, err,
		"INSERT INTO main._alterd_partial(version,done,total,name,file,checksum,down_sql,"
		"ran_at,ran_by,consented_by,took_ms) VALUES(%lld,%lld,%lld,%Q,%Q,%Q,%Q,%Q,%Q,%Q,%lld)"
		" ON CONFLICT(version) DO UPDATE SET done=excluded.done,total=excluded.total,ran_at=excluded.ran_at,"
		"ran_by=excluded.ran_by,consented_by=excluded.consented_by,took_ms=excluded.took_ms,"
		"down_sql=iif(excluded.checksum='',down_sql,excluded.down_sql),"
		"checksum=iif(excluded.checksum='',checksum,excluded.checksum)",
		(long long)piece->version, (long long)piece->behind, (long long)piece->total, piece->name, piece->file,
		piece->checksum ? piece->checksum : "", piece->down_sql, all->ran_at, all->ran_by, all->consented_by,
		(long long)all->took_ms);
}

int partial_forget(struct db *db, int64_t version, struct error *err)
{
	return db_exec(db, err,
		       "DELETE FROM main._alterd_partial WHERE version=%lld;"
		       "DELETE FROM main._alterd_ran WHERE version=%lld",
		       (long long)version, (long long)version);
}

int partial_check(const struct partial *p, const char *file, const struct script *script, struct error *err)
{
	char sum[DIGEST_SHA256_TEXT];

	PRE(script->n == 0 || script->at);
	for (int64_t i = 0; i < p->done; i++) {
		const struct script_statement *s = (size_t)i < script->n ? &script->at[i] : NULL;
		if (s)
			digest_sha256(s->sql, strlen(s->sql), sum);
		if (s && strcmp(sum, p->sha256[i]) == 0)
			continue;
		int64_t line = s ? s->line : script->n > 0 ? script->at[script->n - 1].line : 1;
		error_set(err, ERRC_CHECKSUM_MISMATCH,
			  "%.120s:%lld: statement %lld of version %lld is another than the one that has run: the first "
			  "%lld must stay as they were, or say with resolve what the version counts as",
			  file, (long long)line, (long long)i + 1, (long long)p->version, (long long)p->done);
		error_add_str(err, "file", file);
		error_add_int(err, "line", line);
		return -1;
	}
	return 0;
}
