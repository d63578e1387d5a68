/*
 * Keys: what a row is found by, in source and shadow alike, is a list of columns. For most tables it is one, the rowid;
 * for a WITHOUT ROWID table those of its PRIMARY KEY.
 *
 * A shape says which columns, in what order and collation; a key is the values of one row. In the dirty-key log a rowid
 * stands as an integer, any other key as a BLOB that holds the values one behind the other, so that values that differ
 * in anything are different keys.
 */
#ifndef ALTERD_MIGRATE_ROWKEY_H
#define ALTERD_MIGRATE_ROWKEY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/migrate/pool.h"
#include "daemon/migrate/schema.h"
#include "proto/buf.h"

struct rowkey_shape {
	bool rowid; /* one part that is an integer, always */
	size_t n;
	const char **names;      /* quoted */
	const char **collations; /* quoted */
	bool *plain;             /* it is compared so by its name alone */
	bool *desc;
	int *columns;       /* of the table; NULL for a rowid that is no column */
	const char *access; /* NOT INDEXED, or INDEXED BY where the key's order is that of an index */
};

struct rowkey {
	int64_t rowid;    /* of a shape that says rowid */
	struct buf parts; /* of any other; owned */
};

/* The key of main."t" as a source: its rowid, or the columns that stand for it. *ret->n is 0: it has none. */
void rowkey_of_table(struct pool *pool, const struct schema_table *t, struct rowkey_shape *ret);
/* One column, a rowid's name or an alias, compared as an integer. */
void rowkey_of_column(struct pool *pool, const char *name, int column, struct rowkey_shape *ret);
/* The key's columns of an index, resp. of a WITHOUT ROWID table itself. */
void rowkey_of_index(struct pool *pool, const struct schema_table *t, const struct schema_index *x,
		     struct rowkey_shape *ret);

/* SQL over a shape; `prefix` is "" or "alias.". Parameters are numbered from `first`, one a part. */
const char *rowkey_list(struct pool *pool, const struct rowkey_shape *s, const char *prefix);
const char *rowkey_order(struct pool *pool, const struct rowkey_shape *s, const char *prefix, bool backwards);
const char *rowkey_equals(struct pool *pool, const struct rowkey_shape *s, const char *prefix, size_t first);
/*
 * The end of the run that begins with part `from`: parts that go in one direction and are compared as their columns
 * are. SQLite looks such up together, as a row value.
 */
size_t rowkey_run(const struct rowkey_shape *s, size_t from);
/* The rows that have a key's parts before `from`, and stand so to it by that run, in the index's order. */
enum rowkey_side { ROWKEY_BEFORE, ROWKEY_UNTIL, ROWKEY_BEHIND };
const char *rowkey_bound(struct pool *pool, const struct rowkey_shape *s, const char *prefix, size_t first, size_t from,
			 enum rowkey_side side);

/*
 * What is behind a key in main."table" (quoted), in the key's order: "SELECT .. FROM `from` WHERE `where` `order`".
 * Where the whole key is one run it is a range; else a range for each run, one behind the other, which is a subquery
 * with the table's columns. So the first row is found at once, whatever the key is like.
 */
struct rowkey_rows {
	const char *from, *where, *order; /* the last with a blank before it, or empty */
};
void rowkey_behind(struct pool *pool, const struct rowkey_shape *s, const char *table, const char *alias, size_t first,
		   struct rowkey_rows *ret);
/* A condition: up to a key. Of several runs the first is looked up. */
const char *rowkey_until(struct pool *pool, const struct rowkey_shape *s, size_t first);
/* A SELECT of -1, 0 or 1: how the key in the first n parameters stands to that in the next n. */
const char *rowkey_compare(struct pool *pool, const struct rowkey_shape *s);

/* Takes the values of columns from `i` of the row that stmt is on. */
void rowkey_read(struct rowkey *k, const struct rowkey_shape *s, sqlite3_stmt *stmt, int i);
void rowkey_bind(const struct rowkey *k, const struct rowkey_shape *s, sqlite3_stmt *stmt, int i);
/* As the log has it: one value. */
void rowkey_log_read(struct rowkey *k, const struct rowkey_shape *s, sqlite3_stmt *stmt, int i);
void rowkey_log_bind(const struct rowkey *k, const struct rowkey_shape *s, sqlite3_stmt *stmt, int i);
bool rowkey_same(const struct rowkey *a, const struct rowkey *b, const struct rowkey_shape *s);
void rowkey_copy(struct rowkey *to, const struct rowkey *from);
void rowkey_free(struct rowkey *k);

/* Adds one value to the parts of a key. */
void rowkey_add(struct buf *parts, sqlite3_value *v);
void rowkey_add_int(struct buf *parts, int64_t i);
void rowkey_add_real(struct buf *parts, double r);
/* Calls `each` for every value of a key that is not a rowid, for showing it. */
struct rowkey_part {
	int type; /* SQLITE_INTEGER .. */
	int64_t i;
	double r;
	const char *data; /* text or BLOB; not terminated */
	size_t n;
};
/* Reads the part at *at and moves on; false behind the last. */
bool rowkey_next_part(const struct buf *parts, size_t *at, struct rowkey_part *ret);

#endif
