/*
 * Rows into JSON: pages bounded by rows and bytes, straight from the statement into the reply.
 */
#ifndef ALTERD_STORE_PAGE_H
#define ALTERD_STORE_PAGE_H

#include <sqlite3.h>

#include "daemon/store/db.h"
#include "proto/value.h"

struct page_limits {
	int64_t rows, bytes;
	enum int64_mode int64;
};

/* Columns' names as "columns":[..] and, if asked, their declared types as "types":[..]. After the first step. */
void page_columns(struct buf *out, sqlite3_stmt *stmt, bool types);

/* The row the statement stands on, as [..]. */
void page_row(struct buf *out, sqlite3_stmt *stmt, enum int64_mode int64);

/*
 * Writes "rows":[..] from the row the statement stands on (*on_row) or the next. *on_row on return: it stands on a row
 * that did not fit, so there is more. A single row above the byte limit is the error SQLITE_TOOBIG.
 */
int page_rows(struct buf *out, struct db *db, sqlite3_stmt *stmt, const struct page_limits *limits, bool *on_row,
	      struct error *err);

/* True if the row, whose JSON is above the limit, is not above it by what its values weigh. */
bool page_row_fits_alone(sqlite3_stmt *stmt, int64_t limit);

/* The error for a row of `bytes` that does not fit; names its largest column. Returns -1. */
int page_row_too_big(sqlite3_stmt *stmt, size_t bytes, int64_t limit, struct error *err);

#endif
