/*
 * The plan of a change: a source, a target and the mapping of columns between them. What the engine works from.
 *
 * The engine knows nothing of old and new: it copies the `expr` of each column from the source into the target, row by
 * row in the order of the source's key, compares them the same way, and exchanges the two tables' places.
 */
#ifndef ALTERD_MIGRATE_PLAN_H
#define ALTERD_MIGRATE_PLAN_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/migrate/alter_parse.h"
#include "daemon/migrate/pool.h"
#include "daemon/migrate/rowkey.h"
#include "daemon/migrate/schema.h"
#include "proto/error.h"

enum strategy {
	STRATEGY_NONE,    /* the table is as asked for already */
	STRATEGY_INSTANT, /* SQLite does it without touching the rows: `instant_sql` */
	STRATEGY_CHECK,   /* the table's text is exchanged after a look at the rows: `rules`, and what columns refuse */
	STRATEGY_REBUILD,
	STRATEGY_INDEX, /* an index is built beside the live table: `index_sql` */
	STRATEGY_DROP,  /* `dropped_name` vanishes, and is emptied behind the clients' backs */
};

/* A column of the target that is written, and how the value comes about from a source row. */
struct plan_column {
	const char *name;
	const char *raw;  /* SQL expression over the source, before the column's type has its say */
	const char *expr; /* the same as it is stored: raw, or raw inside _alterd_keep(); an error where it is lost */
	const char *lenient; /* the same where a lost value is no error: for comparing */
	const char *refuse;  /* condition over the source: its type cannot hold the value; NULL: holds every one */
	enum affinity affinity;
	bool check_null; /* the target says NOT NULL and raw may be NULL */
	bool mapped;     /* not simply the source's column */
};

/* What rows of the source must satisfy besides; see plan_rule.c. */
struct plan_rule {
	const char *bad;    /* condition: the row does not; never NULL */
	const char *value;  /* expression that is shown of such a row; NULL: nothing */
	const char *column; /* NULL: no one column */
	const char *reason;
	const char *constraint; /* its name or text; NULL where the column says enough */
};

/* Keys of a table that rules look up: one that goes, or becomes another, makes them be asked again. */
struct plan_watch {
	const char *table;
	bool rowid; /* the key is the rowid */
	bool without_rowid;
	size_t n;
	int *declared, *stored; /* the key's columns as the hook counts them; see capture.c */
};

#define PLAN_WATCH_MAX 16

/* An index of the target. It is built on the shadow under another name and takes its own at the swap. */
struct plan_index {
	const char *name;
	const char *sql; /* its CREATE INDEX after the swap */
	bool fresh;      /* the table has none of that name and text: the shadow's takes the name */
	const char *shadow_name;
	const char *shadow_sql;
	bool unique;
};

struct plan {
	enum strategy strategy;
	const char *table;       /* in its real spelling */
	const char *shadow;      /* name of the shadow table */
	const char *instant_sql; /* INSTANT: statements; NULL: `target_sql` takes the place of the table's text */

	struct schema_table *source;
	const char *target_sql; /* the table's CREATE statement after the swap */
	const char *shadow_sql; /* the shadow's: without REFERENCES, AUTOINCREMENT and secondary indexes */
	const char *bare_sql; /* the same without UNIQUE and PRIMARY KEY indexes, for building them; NULL: cannot be */
	struct rowkey_shape source_key; /* finds a row of the source: wherever a key is kept, its values are these */
	struct rowkey_shape shadow_key; /* finds a row of the shadow: by the same values, unless there is a key map */
	bool copy_rowid;                /* the shadow's rowid is the source's */
	const char *key_map;            /* a table: the source's key -> the shadow's; NULL: they are the same */
	const char *key_map_sql;
	struct rowkey_shape map_key; /* the source's key in the map: k0 and on; the shadow's follows */
	size_t ncolumns;
	struct plan_column *columns; /* in the target's order; generated columns and the rowid's alias left out */
	size_t nindexes;
	struct plan_index *indexes;
	size_t ndropped;
	const char **dropped; /* indexes of the source that the target has no more */
	bool drops_sequence;  /* AUTOINCREMENT goes: its high-water mark as well */
	bool unique;          /* the shadow itself refuses duplicates: it has a UNIQUE or PRIMARY KEY index */

	size_t nrules, nwatches;
	struct plan_rule *rules;
	struct plan_watch *watches;

	/* Run in the swap's transaction: columns before the exchange, the table behind it. */
	size_t nrenames;
	const char **renames;
	const char *rename_to, *rename_sql; /* NULL: the table keeps its name */

	/* Run at the end of the swap's transaction: views and triggers that go, then those that come. */
	bool byhand; /* a rebuild written by hand */
	size_t nobjects;
	const char **objects;

	size_t nconsent;
	const char **consent; /* dropped columns: values in them need allow_data_loss */
	size_t nwarnings;
	const char **warnings;

	const char *filter;       /* rows of the source for which this holds are in the target; NULL: all */
	bool data;                /* REBUILD for an UPDATE or DELETE: what changes is the rows, not the table */
	const char *index_name;   /* INDEX */
	const char *index_sql;    /* INDEX: the CREATE INDEX */
	const char *dropped_name; /* DROP */
	bool dropped_index;       /* DROP: an index, else a table */
};

struct plan_options {
	bool allow_data_loss;
	const char *shadow; /* name for the shadow, unquoted; NULL: chosen */
	/* How many rows a table has; NULL: it is asked. Of a schema without its rows, only somebody else can tell. */
	int64_t (*rows)(void *arg, const char *table);
	void *rows_arg;
};

/*
 * Reads the table as it stands on `db` (a reader lane's connection, or a test's) and says what to do, or refuses:
 * MIGRATION_INVALID with the reason, NOT_FOUND. Never writes. All memory is the pool's.
 */
int plan_make(struct pool *pool, sqlite3 *db, const struct alter *alter, const struct plan_options *options,
	      struct plan **ret, struct error *err);

/* The same for any text that migrate.alter takes (statement.h). */
int plan_statement(struct pool *pool, sqlite3 *db, const char *sql, const struct plan_options *options,
		   struct plan **ret, struct error *err);
/* Of a rebuild that is under way: what capture needs to know. */
int plan_resume(struct pool *pool, sqlite3 *db, const char *table, const char *shadow, struct plan **ret,
		struct error *err);
/* The strategy's name on the wire. */
const char *plan_strategy(const struct plan *plan);
/* The target refuses duplicates, by itself or by an index of its own. */
bool plan_anything_unique(const struct plan *plan);

/* A dropped column that holds a value, or a dropped table that has rows; NULL if there is none. Reads the table. */
int plan_consent(struct pool *pool, sqlite3 *db, const struct plan *plan, const char **ret, struct error *err);

/* "(a AND b) AND (c AND d)": joins conditions as a balanced tree, whose depth stays small for 2000 of them. */
char *plan_join(struct pool *pool, const char *const *parts, size_t n, const char *operator);

#endif
