/* The observer that fills the dirty-key log. */
#include "daemon/migrate/capture.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"

static void add(struct capture *c, int64_t key)
{
	if (!c->any || key > c->border)
		return; /* the copy will meet it */
	if (c->n == 0 && !c->ranged) {
		c->low = c->high = key;
	} else {
		c->low = key < c->low ? key : c->low;
		c->high = key > c->high ? key : c->high;
	}
	if (c->n == CAPTURE_KEYS_MAX)
		c->ranged = true;
	else
		c->keys[c->n++] = key;
}

/* Inside the hook: no SQL here. */
static void row(void *arg, sqlite3 *handle, int op, const char *table, int64_t old_rowid, int64_t new_rowid)
{
	struct capture *c = arg;

	(void)handle;
	if (!c->table || sqlite3_stricmp(table, c->table) != 0)
		return;
	if (op != SQLITE_INSERT)
		add(c, old_rowid);
	if (op == SQLITE_INSERT || (op == SQLITE_UPDATE && new_rowid != old_rowid))
		add(c, new_rowid);
}

static int log_range(struct capture *c, struct db *db, struct error *err)
{
	sqlite3_stmt *stmt = NULL;

	if (db_prepare(db, c->range_sql, &stmt, err) != 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, c->job);
	sqlite3_bind_int64(stmt, 2, c->low);
	sqlite3_bind_int64(stmt, 3, c->high);
	int rc = db_step(db, stmt, err);
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

static int flush(void *arg, struct db *db, struct error *err)
{
	struct capture *c = arg;
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (c->ranged) {
		rc = log_range(c, db, err);
	} else if (c->n > 0) {
		rc = db_prepare(db, "INSERT OR IGNORE INTO main._alterd_dirty(job,gone,key) VALUES(?1,0,?2)", &stmt,
				err);
		for (size_t i = 0; rc == 0 && i < c->n; i++) {
			if (i > 0 && c->keys[i] == c->keys[i - 1])
				continue;
			sqlite3_bind_int64(stmt, 1, c->job);
			sqlite3_bind_int64(stmt, 2, c->keys[i]);
			rc = db_step(db, stmt, err);
			sqlite3_reset(stmt);
		}
		db_done(db, stmt);
	}
	c->n = 0;
	c->ranged = false;
	return rc < 0 ? -1 : 0;
}

static void rolled_back(void *arg)
{
	struct capture *c = arg;
	c->n = 0;
	c->ranged = false;
}

void capture_init(struct capture *c)
{
	*c = (struct capture){.observer = {.arg = c, .row = row, .flush = flush, .rolled_back = rolled_back}};
}

void capture_start(struct capture *c, struct db *db, int64_t job, const char *table, const char *quoted_source_rowid,
		   const char *quoted_shadow, const char *quoted_shadow_rowid)
{
	struct buf quoted = {0}, sql = {0};

	capture_stop(c, db);
	sql_quote_name(&quoted, table);
	buf_printf(&sql,
		   "INSERT OR IGNORE INTO main._alterd_dirty(job,gone,key)"
		   " SELECT ?1,0,%s FROM main.%s NOT INDEXED WHERE %s BETWEEN ?2 AND ?3 UNION ALL"
		   " SELECT ?1,0,%s FROM main.%s NOT INDEXED WHERE %s BETWEEN ?2 AND ?3",
		   quoted_source_rowid, buf_cstr(&quoted), quoted_source_rowid, quoted_shadow_rowid, quoted_shadow,
		   quoted_shadow_rowid);
	c->job = job;
	c->table = xstrdup(table);
	c->range_sql = xstrdup(buf_cstr(&sql));
	c->keys = xmalloc(CAPTURE_KEYS_MAX * sizeof(*c->keys));
	buf_free(&sql);
	buf_free(&quoted);
	db_observe(db, &c->observer);
}

void capture_border(struct capture *c, bool any, int64_t border)
{
	c->any = any;
	c->border = border;
}

void capture_stop(struct capture *c, struct db *db)
{
	db_observe(db, NULL);
	capture_free(c);
}

void capture_free(struct capture *c)
{
	free(c->table);
	free(c->range_sql);
	free(c->keys);
	capture_init(c);
}
