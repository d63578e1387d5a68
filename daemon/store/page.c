/* Rows into JSON, straight from the statement into the reply. */
#include "daemon/store/page.h"

#include <string.h>

#include "daemon/store/codes.h"
#include "proto/response.h"

void page_columns(struct buf *out, sqlite3_stmt *stmt, bool types)
{
	int n = sqlite3_column_count(stmt);

	jw_key(out, "columns");
	jw_open(out, '[');
	for (int i = 0; i < n; i++)
		jw_str(out, NULL, sqlite3_column_name(stmt, i));
	jw_close(out, ']');
	if (!types)
		return;
	jw_key(out, "types");
	jw_open(out, '[');
	for (int i = 0; i < n; i++)
		jw_str(out, NULL, sqlite3_column_decltype(stmt, i));
	jw_close(out, ']');
}

static void cell(struct buf *out, sqlite3_stmt *stmt, int i, enum int64_mode int64)
{
	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		value_write_int(out, sqlite3_column_int64(stmt, i), int64);
		break;
	case SQLITE_FLOAT:
		value_write_real(out, sqlite3_column_double(stmt, i));
		break;
	case SQLITE_TEXT: {
		const char *p = (const char *)sqlite3_column_text(stmt, i);
		value_write_text(out, p ? p : "", (size_t)sqlite3_column_bytes(stmt, i));
		break;
	}
	case SQLITE_BLOB: {
		const void *p = sqlite3_column_blob(stmt, i);
		value_write_blob(out, p ? p : "", (size_t)sqlite3_column_bytes(stmt, i));
		break;
	}
	default:
		value_write_null(out);
	}
}

void page_row(struct buf *out, sqlite3_stmt *stmt, enum int64_mode int64)
{
	int n = sqlite3_data_count(stmt);

	buf_putc(out, '[');
	for (int i = 0; i < n; i++) {
		if (i)
			buf_putc(out, ',');
		cell(out, stmt, i, int64);
	}
	buf_putc(out, ']');
}

/* What the row's values weigh, before they are written as JSON. */
static int64_t row_weight(sqlite3_stmt *stmt)
{
	int64_t n = 0;

	for (int i = 0; i < sqlite3_data_count(stmt); i++)
		n += sqlite3_column_bytes(stmt, i);
	return n;
}

bool page_row_fits_alone(sqlite3_stmt *stmt, int64_t limit) { return row_weight(stmt) <= limit + limit / 16; }

int page_row_too_big(sqlite3_stmt *stmt, size_t bytes, int64_t limit, struct error *err)
{
	int largest = 0;

	for (int i = 1; i < sqlite3_data_count(stmt); i++)
		if (sqlite3_column_bytes(stmt, i) > sqlite3_column_bytes(stmt, largest))
			largest = i;
	error_set_sqlite(err, SQLITE_TOOBIG, sqlite_code_name(SQLITE_TOOBIG),
			 "a row of %zu bytes is above the limit of %lld; its largest column is %s with %d bytes", bytes,
			 (long long)limit, sqlite3_column_name(stmt, largest), sqlite3_column_bytes(stmt, largest));
	error_add_str(err, "column", sqlite3_column_name(stmt, largest));
	error_add_int(err, "bytes", sqlite3_column_bytes(stmt, largest));
	return -1;
}

int page_rows(struct buf *out, struct db *db, sqlite3_stmt *stmt, const struct page_limits *limits, bool *on_row,
	      struct error *err)
{
	int64_t rows = 0;

	jw_key(out, "rows");
	buf_putc(out, '[');
	size_t start = out->len;
	for (;; *on_row = false) {
		int rc = *on_row ? 1 : db_step(db, stmt, err);
		if (rc <= 0) {
			*on_row = false;
			buf_putc(out, ']');
			return rc;
		}
		size_t before = out->len;
		if (rows == limits->rows)
			break;
		if (rows)
			buf_putc(out, ',');
		size_t row_start = out->len;
		page_row(out, stmt, limits->int64);
		if (out->failed)
			return error_from_sqlite(err, SQLITE_NOMEM, -1, NULL, "out of memory");
		if ((int64_t)(out->len - start) > limits->bytes) {
			if (rows > 0) {
				buf_truncate(out, before);
				break;
			}
			/* A page of its own, if the row is at the limit and only base64 or escapes have made it longer.
			 */
			if (!page_row_fits_alone(stmt, limits->bytes))
				return page_row_too_big(stmt, out->len - row_start, limits->bytes, err);
		}
		rows++;
		db->rows++;
	}
	*on_row = true;
	buf_putc(out, ']');
	return 0;
}
