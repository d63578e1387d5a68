/*
 * The virtual table behind index_feed.h. It has three widths, so that an ordinary index does not pay for 2000 columns.
 */
#include "daemon/migrate/index_feed.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"

#define POINTER_TYPE "alterd-index-feed"

static const struct width {
	const char *name;
	int columns;
} widths[] = {
	{"_alterd_index_feed_8", 8},
	{"_alterd_index_feed_64", 64},
	{"_alterd_index_feed_2000", FEED_COLUMNS_MAX - 1},
};

#define WIDTHS (sizeof(widths) / sizeof(widths[0]))

struct feed_table {
	sqlite3_vtab base; /* first: SQLite's part */
	int columns;
};

struct feed_cursor {
	sqlite3_vtab_cursor base; /* first: SQLite's part */
	struct feed *feed;
	struct key_ref key;
	bool eof;
};

static int feed_connect(sqlite3 *handle, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret,
			char **message)
{
	const struct width *width = aux;
	struct buf sql = {0};
	(void)argc, (void)argv, (void)message;

	buf_puts(&sql, "CREATE TABLE x(");
	for (int i = 0; i < width->columns; i++)
		buf_printf(&sql, "k%d,", i);
	buf_puts(&sql, "feed HIDDEN)");
	int rc = sqlite3_declare_vtab(handle, buf_cstr(&sql));
	buf_free(&sql);
	if (rc != SQLITE_OK)
		return rc;
	struct feed_table *table = xcalloc(1, sizeof(*table));
	table->columns = width->columns;
	*ret = &table->base;
	return SQLITE_OK;
}

static int feed_disconnect(sqlite3_vtab *base)
{
	free(CONTAINER_OF(base, struct feed_table, base));
	return SQLITE_OK;
}

/* There is one plan: the feed given by equality with the hidden column. */
static int feed_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct feed_table *table = CONTAINER_OF(base, struct feed_table, base);

	for (int i = 0; i < info->nConstraint; i++) {
		if (!info->aConstraint[i].usable || info->aConstraint[i].iColumn != table->columns ||
		    info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		info->aConstraintUsage[i].argvIndex = 1;
		info->aConstraintUsage[i].omit = 1;
		info->estimatedCost = 1;
		return SQLITE_OK;
	}
	return SQLITE_CONSTRAINT;
}

static int feed_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct feed_cursor *cursor = xcalloc(1, sizeof(*cursor));
	(void)base;

	*ret = &cursor->base;
	return SQLITE_OK;
}

static int feed_close(sqlite3_vtab_cursor *base)
{
	free(CONTAINER_OF(base, struct feed_cursor, base));
	return SQLITE_OK;
}

static int feed_next(sqlite3_vtab_cursor *base)
{
	struct feed_cursor *cursor = CONTAINER_OF(base, struct feed_cursor, base);
	struct feed *feed = cursor->feed;

	cursor->eof = feed->next(feed, &cursor->key) == 0;
	if (cursor->eof)
		return SQLITE_OK;
	feed->rows++;
	return key_parse(&cursor->key, feed->columns, feed->count, &feed->scratch, feed->values) == 0 ? SQLITE_OK
												      : SQLITE_NOMEM;
}

static int feed_filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv)
{
	struct feed_cursor *cursor = CONTAINER_OF(base, struct feed_cursor, base);
	(void)plan, (void)text;

	cursor->feed = argc == 1 ? sqlite3_value_pointer(argv[0], POINTER_TYPE) : NULL;
	if (!cursor->feed) {
		cursor->eof = true;
		return SQLITE_OK;
	}
	return feed_next(base);
}

static int feed_eof(sqlite3_vtab_cursor *base) { return CONTAINER_OF(base, struct feed_cursor, base)->eof; }

/* The bytes stay where they are until SQLite has made its record of them, so nothing is copied. */
static int feed_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
	const struct feed *feed = CONTAINER_OF(base, struct feed_cursor, base)->feed;

	if (column < 0 || (size_t)column >= feed->count)
		return SQLITE_OK;
	const struct key_value *v = &feed->values[column];
	switch (v->type) {
	case SQLITE_INTEGER:
		sqlite3_result_int64(context, v->integer);
		break;
	case SQLITE_FLOAT:
		sqlite3_result_double(context, v->real);
		break;
	case SQLITE_TEXT:
		sqlite3_result_text64(context, v->data, v->n, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case SQLITE_BLOB:
		sqlite3_result_blob64(context, v->data, v->n, SQLITE_STATIC);
		break;
	default:
		break;
	}
	return SQLITE_OK;
}

static int feed_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)CONTAINER_OF(base, struct feed_cursor, base)->feed->rows;
	return SQLITE_OK;
}

/* Without xCreate the table exists by its module's name alone. */
static const sqlite3_module feed_module = {
	.xConnect = feed_connect,
	.xBestIndex = feed_best_index,
	.xDisconnect = feed_disconnect,
	.xOpen = feed_open,
	.xClose = feed_close,
	.xFilter = feed_filter,
	.xNext = feed_next,
	.xEof = feed_eof,
	.xColumn = feed_column,
	.xRowid = feed_rowid,
};

int feed_register(sqlite3 *handle, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	bool known = sqlite3_prepare_v2(handle, "SELECT 1 FROM pragma_module_list WHERE name = '_alterd_index_feed_8'",
					-1, &stmt, NULL) == SQLITE_OK &&
		     sqlite3_step(stmt) == SQLITE_ROW;

	sqlite3_finalize(stmt);
	for (size_t i = 0; !known && i < WIDTHS; i++)
		if (sqlite3_create_module_v2(handle, widths[i].name, &feed_module, (void *)(uintptr_t)&widths[i],
					     NULL) != SQLITE_OK)
			return error_set(err, ERRC_INTERNAL, "cannot make the index feed: %s", sqlite3_errmsg(handle));
	return 0;
}

const char *feed_name(size_t count)
{
	for (size_t i = 0; i < WIDTHS; i++)
		if (count <= (size_t)widths[i].columns)
			return widths[i].name;
	return NULL;
}

int feed_bind(sqlite3_stmt *stmt, int parameter, struct feed *feed)
{
	return sqlite3_bind_pointer(stmt, parameter, feed, POINTER_TYPE, NULL);
}
