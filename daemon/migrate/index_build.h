/*
 * Building the indexes of a shadow table online: the writer is held for a slice at a time, whatever the table's size.
 *
 * The entries of each index are collected from the table, sorted (index_sort.h), and appended in order to a sidecar: a
 * WITHOUT ROWID table whose b-tree is the index's. At the end a schema edit turns each sidecar into the index; from
 * there SQLite maintains it. Entries with a NULL go in through an imposter table over the sidecar's b-tree, since
 * SQLite holds the primary key of a WITHOUT ROWID table to be NOT NULL; where it can, writing goes through the sidecar
 * itself.
 *
 *   open ---> read* (reader lane) ----> adopt        read and fill go on until index_build_needs() is 0;
 *                 fill* (writer lane) ^              one of each may run at the same time
 *
 * The database meanwhile: the table has none of these indexes, so nobody reads or maintains a half-built one. There are
 * tables _alterd_index_<n>_<table>; until adoption `integrity_check` finds NULLs in them that should not be there, and
 * nothing else. The table must not change between open and adopt: the rebuild keeps its dirty keys back. After a crash
 * the same open() goes on where the sidecars end (the table is scanned again), or index_build_abandon() removes them.
 *
 * PRIMARY KEY and UNIQUE of the table itself are built the same way if the table was made without them: give the final
 * CREATE TABLE as `table_sql`; adopt puts it in place. The two must agree in everything that decides how rows are
 * stored.
 *
 * Memory: `memory_bytes` for all together, but at least a few KiB per memory_bytes of keys, and room for the longest
 * key. Temporary files, unlinked from the start, hold what does not fit.
 *
 * Not built here, refused by open with an error: databases that are not UTF-8, collations that are not SQLite's own,
 * WITHOUT ROWID tables whose primary key mixes ASC and DESC. The caller uses CREATE INDEX for them.
 */
#ifndef ALTERD_MIGRATE_INDEX_BUILD_H
#define ALTERD_MIGRATE_INDEX_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/engine.h"
#include "proto/buf.h"
#include "proto/error.h"

struct index_build;

/* Copied by open. */
struct index_build_config {
	const char *table;      /* of main: filled, and not changing from now on */
	const char *table_sql;  /* final CREATE TABLE of it under this name; NULL: as it is */
	const char *const *sql; /* CREATE INDEX statements on it; those it has already (by name) are left out */
	size_t count;
	bool growing;         /* rows are still appended, in the order of their rowids, until index_build_grown() */
	int64_t memory_bytes; /* 0: INDEX_MEMORY_DEFAULT; below INDEX_MEMORY_LEAST is raised to it */
	const char *temp_dir; /* folder for temporary files; NULL: $TMPDIR, else /tmp */
	bool live;            /* the table may change: see live_index.h */
};

#define INDEX_MEMORY_DEFAULT ((int64_t)64 << 20)
#define INDEX_MEMORY_LEAST ((int64_t)4 << 20)
/* Offenders kept by name. */
#define INDEX_OFFENDERS_MAX 10

/* True if this SQLite and this database can do it (an imposter is tried in memory). Any lane. */
bool index_build_available(struct db *db);

/*
 * Writer lane, inside the caller's transaction, which may also note in the catalog that building began. Creates the
 * sidecars; those of an earlier open() with the same table and statements are taken up where they end.
 */
int index_build_open(struct db *db, const struct index_build_config *config, struct index_build **ret,
		     struct error *err);

enum { INDEX_NEEDS_READER = 1, INDEX_NEEDS_WRITER = 2 };
/* What there is to do, as bits; 0: ready for adopt, or failed (the error was returned then). Any thread. */
unsigned index_build_needs(struct index_build *b);

/* `growing` ends: no row comes any more. Any thread. */
void index_build_grown(struct index_build *b);
/* True if index_build_read() has failed for good. Any thread. */
bool index_build_failed(struct index_build *b);

/*
 * Reader lane, outside of a snapshot: one bounded piece of scanning, sorting or merging. A statement is open for
 * 2 ms or 1000 rows at most; sorting a memory full takes longer, without a snapshot. -1 on failure: after SQLite's
 * errors (interrupted, ..) the piece can be tried again; a key found twice in a UNIQUE index (FAILED_MIGRATION, see
 * index_build_offenders) and a failure to sort are final, and needs() is 0 then.
 */
int index_build_read(struct index_build *b, struct db *db, struct error *err);

/*
 * Writer lane, outside of a transaction: one slice, a transaction of its own, over when db_turn_over(db, budget_ns) or
 * a little earlier, so that the commit fits in. On failure nothing of it is kept and it can be tried again. How durable
 * the commit is, is the caller's choice (db_set_full).
 */
int index_build_fill(struct index_build *b, struct db *db, uint64_t budget_ns, struct error *err);

/*
 * Writer lane, inside the caller's transaction, with needs() 0 and nothing failed. The sidecars become the indexes, the
 * table's SQL the final one. On failure the caller rolls back; the sidecars are as they were.
 */
int index_build_adopt(struct index_build *b, struct db *db, struct error *err);

/* Frees the memory and temporary files, not the sidecars. Not while a read or fill runs. Accepts NULL. */
void index_build_free(struct index_build *b);

/*
 * Writer lane, outside of a transaction: removes sidecars of `table`, a slice at a time; *ret_more tells whether to
 * call again. Needs no struct index_build, so that it also cleans up behind a crash; no other one of the table may be
 * in use.
 */
int index_build_abandon(struct db *db, const char *table, uint64_t budget_ns, bool *ret_more, struct error *err);

/* True if sidecars of `table` are there: a build was begun and neither adopted nor abandoned. Any lane. */
int index_build_begun(struct db *db, const char *table, bool *ret, struct error *err);

struct index_build_progress {
	uint64_t rows;          /* of the table, scanned */
	uint64_t keys;          /* entries of all indexes; grows while scanning */
	uint64_t keys_done;     /* of these, in the sidecars, those of an earlier open included */
	uint64_t spilled_bytes; /* written to temporary files */
	uint64_t memory_bytes;  /* taken for sorting now */
	bool scanned;           /* `keys` is final */
};
/* Any thread. */
void index_build_progress(struct index_build *b, struct index_build_progress *ret);

/*
 * After FAILED_MIGRATION: the rows whose key a row before them has (by rowid), the first INDEX_OFFENDERS_MAX of them as
 * a JSON array of {"rowid","column","value","reason":"UNIQUE"} without its brackets, and how many there are in all.
 * rowid is missing WITHOUT ROWID; column and value are those of the index's first column, a long value cut short.
 */
void index_build_offenders(struct index_build *b, struct buf *out, uint64_t *ret_count);
/* After the same: the index, NULL where it is behind a PRIMARY KEY or UNIQUE of the table itself; and its columns. */
const char *index_build_repeated(struct index_build *b, struct buf *columns);

#endif
