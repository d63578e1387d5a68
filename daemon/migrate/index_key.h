/*
 * Index keys as bytes that memcmp() puts in the index's own order.
 *
 * A key is `norm`, the ordered part, and `tail`, which holds what the ordered part does not tell (the case of NOCASE
 * text, the blanks RTRIM ignores, REAL or INTEGER of an integral number), so that the very values come back. No norm is
 * a prefix of another one of the same index: columns end by themselves and the last column is the rowid.
 *
 * The order decides only in which order keys are appended, and which neighbours are duplicates of a UNIQUE; where an
 * entry goes in the b-tree is SQLite's own decision. All functions: any thread; UTF-8 databases only.
 */
#ifndef ALTERD_MIGRATE_INDEX_KEY_H
#define ALTERD_MIGRATE_INDEX_KEY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"

enum key_collation { KEY_BINARY, KEY_NOCASE, KEY_RTRIM };

struct key_column {
	enum key_collation collation;
	bool desc;
	bool real; /* stored under REAL affinity: whether an integral number was REAL need not be kept */
};

/* One value; `data` is borrowed. */
struct key_value {
	int type; /* SQLITE_INTEGER .. SQLITE_NULL */
	int64_t integer;
	double real;
	const void *data; /* text or blob */
	size_t n;
};

/* A key inside a record made by key_write(); all pointers borrowed from the record. */
struct key_ref {
	const uint8_t *norm, *tail;
	size_t norm_n, tail_n;
	size_t unique_n; /* length of the part of norm that a UNIQUE index compares; 0: never equal to another (NULL) */
	size_t total;    /* bytes of the whole record */
};

/* False for a collation that SQLite does not bring along. */
bool key_collation_by_name(const char *name, enum key_collation *ret);

/* Column `column` of the statement's row; valid until its next step. */
void key_value_get(sqlite3_stmt *stmt, int column, struct key_value *ret);

/* Appends one value, which is number `at` of the key, to both parts. A failure is the buffers' sticky one. */
void key_add(struct buf *norm, struct buf *tail, size_t at, const struct key_column *column, const struct key_value *v);

/*
 * Takes a key apart again into `count` values. Text and blobs point into the key or into `scratch`, whose old content
 * is dropped. -1: the bytes are not a key of such columns, or no memory.
 */
int key_parse(const struct key_ref *key, const struct key_column *columns, size_t count, struct buf *scratch,
	      struct key_value *ret);

/* Length prefixes, then both parts: what lies in memory, in run files and in batches. */
#define KEY_HEADER_MAX 15
size_t key_write_size(const struct key_ref *key);
/* Returns the bytes written, at most key_write_size(). */
size_t key_write(uint8_t *out, const struct key_ref *key);
/* False while fewer than a whole record lie between `at` and `end`. */
bool key_read(const uint8_t *at, const uint8_t *end, struct key_ref *ret);

/* memcmp order of the norms. */
int key_compare(const struct key_ref *a, const struct key_ref *b);

#endif
