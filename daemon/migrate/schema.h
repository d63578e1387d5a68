/*
 * A table as it stands in a database: what the plan reads, what the swap compares with.
 *
 * Works on any connection, on the thread that has it: a lane's, or a scratch database. Reads only. Call inside a
 * transaction where several answers must belong together.
 */
#ifndef ALTERD_MIGRATE_SCHEMA_H
#define ALTERD_MIGRATE_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/migrate/pool.h"
#include "proto/error.h"

/* What a declared type does to a value stored. */
enum affinity { AFFINITY_BLOB, AFFINITY_TEXT, AFFINITY_NUMERIC, AFFINITY_INTEGER, AFFINITY_REAL };

struct schema_column {
	const char *name;
	const char *type; /* as declared, "" if none */
	const char *dflt; /* the default's text, NULL if none */
	enum affinity affinity;
	bool notnull;
	int pk;                /* place in the primary key from 1; 0: not in it */
	const char *collation; /* as it compares; of a column of the primary key, else NULL */
	int hidden;            /* 0 ordinary, 2 generated virtual, 3 generated stored */
};

/* One column of an index's b-tree. */
struct schema_key {
	int column; /* of the table; -1 rowid, -2 expression */
	const char *collation;
	bool desc;
};

struct schema_index {
	const char *name;
	const char *sql; /* NULL: made by a UNIQUE or PRIMARY KEY */
	char origin;     /* 'c' CREATE INDEX, 'u' UNIQUE, 'p' PRIMARY KEY */
	bool unique, partial;
	size_t nkeys; /* all columns of the b-tree, the rowid at the end included */
	size_t nuser; /* those of them that are the index's own key */
	struct schema_key *keys;
};

struct schema_trigger {
	const char *name, *sql;
};

/* One column of one foreign key. */
struct schema_fk {
	const char *child, *from; /* table and column that refer */
	const char *parent, *to;  /* what they refer to; `to` NULL: the primary key */
	int id;                   /* of the child's foreign keys: columns of one have the same, and follow each other */
};

struct schema_table {
	const char *name;
	const char *sql;
	const char *rowid; /* a name that means the rowid; NULL: none does */
	int alias;         /* the column that is the rowid (INTEGER PRIMARY KEY); -1: none */
	bool without_rowid, strict;
	size_t ncolumns, nindexes, ntriggers;
	struct schema_column *columns; /* as declared, hidden ones included */
	struct schema_index *indexes;  /* in the order of sqlite_schema */
	struct schema_trigger *triggers;
	size_t nparents, nchildren;
	struct schema_fk *parents;   /* foreign keys of this table */
	struct schema_fk *children;  /* foreign keys of all tables (this one too) that refer to it */
	struct schema_index primary; /* of a WITHOUT ROWID table: the columns of the table's own b-tree; no name */
	const char *fingerprint;     /* text of its rows in sqlite_schema: the same text = nobody changed it */
};

/* Reads main."name" (found without regard to case). Errors: NOT_FOUND; MIGRATION_INVALID for what is no table. */
int schema_read(struct pool *pool, sqlite3 *db, const char *name, struct schema_table **ret, struct error *err);

/* The fingerprint alone; *ret is the pool's, "" if there is no such table. */
int schema_fingerprint(struct pool *pool, sqlite3 *db, const char *name, const char **ret, struct error *err);

/* Index of the column of that name; -1 if there is none. */
int schema_find_column(const struct schema_table *t, const char *name);
enum affinity schema_affinity(const char *type);
const char *affinity_name(enum affinity a);

/*
 * Plain queries on a connection, for this room: prepares, binds the texts (NULL-terminated list), calls `row` for each.
 * row returns 0 to go on.
 */
int schema_each(sqlite3 *db, struct error *err, int (*row)(void *arg, sqlite3_stmt *stmt), void *arg, const char *sql,
		const char *const *texts);
/* For schema_each(): sets the bool that arg points to. */
int schema_row_exists(void *arg, sqlite3_stmt *stmt);
/* Runs statements; SQLite's error into err. */
int schema_exec(sqlite3 *db, const char *sql, struct error *err);
/* "name" in double quotes. */
char *quote_name(struct pool *pool, const char *name);
/* 'text' in single quotes. */
char *quote_text(struct pool *pool, const char *text);

#endif
