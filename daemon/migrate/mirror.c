/*
 * Another tool's table, kept in step; see mirror.h. What each tool writes:
 *
 *     dbmate          the digits of the file's name; gone with the version
 *     goose           a row a version; gone with it
 *     golang-migrate  one row, the version the schema has; none before the first
 *     sqlx            with the SHA-384 of the file, which it compares
 *     diesel          the folder's name up to the first _, without -
 *     flyway          with a CRC-32 over the file's lines, which it compares
 *
 * refinery compares a hash of its own making, which is not written here.
 */
#include "daemon/migrate/mirror.h"

#include <string.h>

#include "daemon/migrate/adopt.h"
#include "daemon/migrate/digest.h"

struct mirror {
	struct db *db;
	struct pool *pool;
	const struct run_step *step;
	const char *applied_by;
	struct error *err;
};

/* What stands between the first `from` (NULL: the beginning) and the end of the name, without the ending. */
static const char *words(struct mirror *m, const char *from)
{
	static const char *const endings[] = {".up.sql", ".sql"};
	const char *p = strstr(m->step->file, from);
	char *text = p ? pool_dup(m->pool, p + strlen(from), strlen(p + strlen(from))) : pool_dup(m->pool, "", 0);
	size_t n = strlen(text);

	for (size_t i = 0; i < 2; i++) {
		size_t e = strlen(endings[i]);
		if (n >= e && strcmp(text + n - e, endings[i]) == 0) {
			text[n - e] = '\0';
			break;
		}
	}
	for (char *c = text; *c; c++)
		*c = *c == '_' ? ' ' : *c;
	return text;
}

static int up_dbmate(struct mirror *m)
{
	const char *file = m->step->file;

	return db_exec(m->db, m->err, "INSERT OR REPLACE INTO main.schema_migrations(version) VALUES(%.*Q)",
		       (int)strspn(file, "0123456789"), file);
}

static int up_goose(struct mirror *m)
{
	return db_exec(m->db, m->err, "INSERT INTO main.goose_db_version(version_id,is_applied) VALUES(%lld,1)",
		       (long long)m->step->version);
}

/* Up and down. */
static int golang(struct mirror *m)
{
	if (db_exec(m->db, m->err, "DELETE FROM main.schema_migrations") != 0)
		return -1;
	return m->step->after < 1
		       ? 0
		       : db_exec(m->db, m->err, "INSERT INTO main.schema_migrations(version,dirty) VALUES(%lld,0)",
				 (long long)m->step->after);
}

static int up_sqlx(struct mirror *m)
{
	char checksum[DIGEST_SHA384_TEXT];

	digest_sha384(m->step->sql, strlen(m->step->sql), checksum);
	return db_exec(m->db, m->err,
		       "INSERT OR REPLACE INTO main._sqlx_migrations(version,description,installed_on,success,checksum,"
		       "execution_time) VALUES(%lld,%Q,CURRENT_TIMESTAMP,1,x'%s',0)",
		       (long long)m->step->version, words(m, "_"), checksum);
}

static int up_diesel(struct mirror *m)
{
	const char *file = m->step->file;
	char *version = pool_dup(m->pool, file, strcspn(file, "_/"));
	size_t n = 0;

	for (const char *p = version; *p; p++)
		if (*p != '-')
			version[n++] = *p;
	version[n] = '\0';
	return db_exec(m->db, m->err,
		       "INSERT OR REPLACE INTO main.__diesel_schema_migrations(version,run_on)"
		       " VALUES(%Q,CURRENT_TIMESTAMP)",
		       version);
}

/* CRC-32 (the usual one) of the lines, as Java reads them: their ends do not count. As a signed number. */
static int32_t crc_of_lines(const char *text)
{
	uint32_t crc = UINT32_MAX;

	for (const char *p = text; *p; p++) {
		if (*p == '\r' || *p == '\n')
			continue;
		crc ^= (unsigned char)*p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
	}
	return (int32_t)~crc;
}

static int up_flyway(struct mirror *m)
{
	const char *file = m->step->file, *end = strstr(file, "__");
	const char *version = end && end > file ? pool_dup(m->pool, file + 1, (size_t)(end - file - 1)) : "";

	return db_exec(m->db, m->err,
		       "INSERT INTO main.flyway_schema_history(installed_rank,version,description,type,script,checksum,"
		       "installed_by,installed_on,execution_time,success) SELECT ifnull(max(installed_rank),0)+1,%Q,%Q,"
		       "'SQL',%Q,%d,%Q,strftime('%%Y-%%m-%%d %%H:%%M:%%f','now'),0,1 FROM main.flyway_schema_history",
		       version, words(m, "__"), file, (int)crc_of_lines(m->step->sql),
		       m->applied_by ? m->applied_by : "");
}

/* Versions of several parts are not alterd's. */
#define FLYWAY_NUMBER " version GLOB '[0-9]*' AND version NOT GLOB '*[^0-9]*' AND CAST(version AS INTEGER)"

/* `down` NULL: `up` does both. sqlx knows its files by their bytes, not by a form (compared below). */
static const struct tool {
	const char *name;
	int (*up)(struct mirror *m);
	const char *down;          /* of the version */
	enum folder_format format; /* its own; AUTO: any */
} tools[] = {
	{"dbmate", up_dbmate, "DELETE FROM main.schema_migrations WHERE CAST(version AS INTEGER)=%lld", FOLDER_DBMATE},
	{"goose", up_goose, "DELETE FROM main.goose_db_version WHERE version_id=%lld", FOLDER_GOOSE},
	{"golang-migrate", golang, NULL, FOLDER_GOLANG_MIGRATE},
	{"sqlx", up_sqlx, "DELETE FROM main._sqlx_migrations WHERE version=%lld", FOLDER_AUTO},
	{"diesel", up_diesel,
	 "DELETE FROM main.__diesel_schema_migrations WHERE"
	 " CAST(replace(replace(version,'-',''),'_','') AS INTEGER)=%lld",
	 FOLDER_DIESEL},
	{"flyway", up_flyway, "DELETE FROM main.flyway_schema_history WHERE" FLYWAY_NUMBER "=%lld", FOLDER_FLYWAY},
};

static const struct tool *tool_named(const char *name)
{
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (strcmp(tools[i].name, name) == 0)
			return &tools[i];
	return NULL;
}

static int cannot(const char *tool, const char *why, struct error *err)
{
	return error_set(err, ERRC_MIGRATION_INVALID,
			 "migrate.mirror_history is on, and the history of %s cannot be kept in step: %s", tool, why);
}

/* To the tool these files are its own: else it could not go on with them. */
static bool takes(const struct tool *t, const struct folder *folder)
{
	char checksum[DIGEST_SHA384_TEXT];

	if (t->format != FOLDER_AUTO)
		return folder->format == t->format;
	for (size_t i = 0; i < folder->n; i++) {
		const struct version *v = &folder->at[i];
		const char *text = v->up.text ? v->up.text : "";
		digest_sha384(text, strlen(text), checksum);
		if (strcmp(checksum, v->sqlx_checksum) != 0)
			return false;
	}
	return true;
}

/* The tool whose table is kept in step, *ret NULL if there is none; refused where its rows cannot be written. */
static int find_tool(struct db *db, bool schema, const char **ret_name, const struct tool **ret, struct error *err)
{
	*ret = NULL;
	if (adopt_tool(db_handle(db), ret_name, err) != 0)
		return -1;
	if (!*ret_name)
		return 0;
	*ret = tool_named(*ret_name);
	if (!*ret)
		return cannot(*ret_name, "the checksums it compares are its own", err);
	return schema ? cannot(*ret_name, "a dump has none of its rows", err) : 0;
}

int mirror_may_follow(struct db *db, const struct folder *folder, bool schema, struct error *err)
{
	const char *name;
	const struct tool *t;

	if (find_tool(db, schema, &name, &t, err) != 0)
		return -1;
	if (!t)
		return 0;
	/* Going down needs no files. */
	if (!folder || folder->n == 0 || takes(t, folder))
		return 0;
	return cannot(name, "the files are of another form than its own", err);
}

int mirror_version(struct db *db, struct pool *pool, const struct run_step *step, const char *applied_by,
		   struct error *err)
{
	struct mirror m = {.db = db, .pool = pool, .step = step, .applied_by = applied_by, .err = err};
	struct error why = {0};
	const char *name;
	const struct tool *t;

	if (find_tool(db, step->schema, &name, &t, err) != 0)
		return -1;
	if (!t)
		return 0;
	m.err = &why;
	int rc = step->down && t->down ? db_exec(db, &why, t->down, (long long)step->version) : t->up(&m);
	/* Disk full and the like are themselves; the rest is the table's shape. */
	bool shape = why.code > 0 && ((why.code & 0xff) == SQLITE_ERROR || (why.code & 0xff) == SQLITE_CONSTRAINT);
	if (rc != 0 && !shape)
		error_move(err, &why);
	else if (rc != 0)
		(void)cannot(name, why.message, err);
	error_clear(&why);
	return rc;
}

int mirror_checksum(struct db *db, const struct version *v, struct error *err)
{
	const char *name;

	if (adopt_tool(db_handle(db), &name, err) != 0)
		return -1;
	if (name && strcmp(name, "sqlx") == 0)
		return db_exec(db, err, "UPDATE main._sqlx_migrations SET checksum=x'%s' WHERE version=%lld",
			       v->sqlx_checksum, (long long)v->number);
	if (name && strcmp(name, "flyway") == 0)
		return db_exec(db, err, "UPDATE main.flyway_schema_history SET checksum=%d WHERE" FLYWAY_NUMBER "=%lld",
			       (int)crc_of_lines(v->up.text ? v->up.text : ""), (long long)v->number);
	return 0;
}
