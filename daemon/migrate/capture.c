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

/* From here on a double does not tell which integer it was made of. */
#define WHOLE_MAX 9007199254740992.0
/* Untyped parts of one key that may have been integers; all ways to read them are logged. */
#define EITHER_MAX 4

/*
 * A value as the row has it. SQLite makes a REAL of an old value, or does not, by the type of another column: that
 * whose number in the table is this one's in the record. *either: how many so far may have been integers; those whose
 * bit is in `mask` are taken for one.
 */
static void add_value(struct capture *c, size_t i, sqlite3_value *v, bool old, unsigned mask, unsigned *either)
{
	int type = sqlite3_value_type(v);
	enum capture_part part = c->kinds[i];
	double r = type == SQLITE_FLOAT ? sqlite3_value_double(v) : 0;
	bool number = type == SQLITE_FLOAT && old && part >= CAPTURE_WHOLE && r >= -2 * 4611686018427387904.0 &&
		      r <= 2 * 4611686018427387904.0;

	if (type == SQLITE_INTEGER && part == CAPTURE_REAL) {
		rowkey_add_real(&c->parts, (double)sqlite3_value_int64(v));
		return;
	}
	if (number && (r <= -WHOLE_MAX || r >= WHOLE_MAX)) {
		c->overflow = true;
	} else if (number && r == (double)(int64_t)r) {
		bool whole = part == CAPTURE_WHOLE || (mask >> *either & 1);
		*either += part == CAPTURE_EITHER;
		if (whole) {
			rowkey_add_int(&c->parts, (int64_t)r);
			return;
		}
	}
	rowkey_add(&c->parts, v);
}

/* One key of columns, as the row is (or was). `update`: the new values of an UPDATE, which are counted differently. */
static unsigned add_key(struct capture *c, sqlite3 *handle, bool new, bool update, unsigned mask)
{
	/* The hook counts the columns that are stored; but all of them in a WITHOUT ROWID table, except for these. */
	const int *at = c->without_rowid && !update ? c->declared : c->stored;
	size_t start = c->parts.len;
	uint32_t n = 0;
	unsigned either = 0;

	buf_add(&c->parts, &n, sizeof(n));
	for (size_t i = 0; i < c->nparts; i++) {
		sqlite3_value *v = NULL;
		int rc = new ? sqlite3_preupdate_new(handle, at[i], &v) : sqlite3_preupdate_old(handle, at[i], &v);
		if (rc != SQLITE_OK || !v)
			c->overflow = true;
		else
			add_value(c, i, v, !new, mask, &either);
	}
	n = (uint32_t)(c->parts.len - start - sizeof(n));
	if (c->parts.failed || c->parts.len > c->bytes_max || either > EITHER_MAX)
		c->overflow = true;
	else
		memcpy(c->parts.data + start, &n, sizeof(n));
	return either;
}

static void add_parts(struct capture *c, sqlite3 *handle, bool new, bool update)
{
	unsigned either = c->overflow ? 0 : add_key(c, handle, new, update, 0);

	for (unsigned mask = 1; !c->overflow && mask < 1U << either; mask++)
		(void)add_key(c, handle, new, update, mask);
}

static bool same_value(sqlite3_value *a, sqlite3_value *b)
{
	int type = sqlite3_value_type(a);

	if (type != sqlite3_value_type(b))
		return false;
	if (type == SQLITE_INTEGER)
		return sqlite3_value_int64(a) == sqlite3_value_int64(b);
	if (type == SQLITE_FLOAT)
		return sqlite3_value_double(a) == sqlite3_value_double(b);
	const void *p = sqlite3_value_blob(a), *q = sqlite3_value_blob(b);
	int n = sqlite3_value_bytes(a);
	return n == sqlite3_value_bytes(b) && (n == 0 || memcmp(p, q, (size_t)n) == 0);
}

/* An UPDATE leaves the watched key as it is. */
static bool key_stays(const struct capture_watch *w, sqlite3 *handle, int64_t old_rowid, int64_t new_rowid)
{
	if (w->rowid)
		return old_rowid == new_rowid;
	for (size_t i = 0; i < w->n; i++) {
		sqlite3_value *a = NULL, *b = NULL;
		if (sqlite3_preupdate_old(handle, w->without_rowid ? w->declared[i] : w->stored[i], &a) != SQLITE_OK ||
		    sqlite3_preupdate_new(handle, w->stored[i], &b) != SQLITE_OK || !a || !b || !same_value(a, b))
			return false;
	}
	return true;
}

static void look_out(struct capture *c, sqlite3 *handle, int op, const char *table, int64_t old_rowid,
		     int64_t new_rowid)
{
	for (size_t i = 0; i < c->nwatches && op != SQLITE_INSERT; i++)
		if (sqlite3_stricmp(table, c->watches[i].table) == 0 &&
		    !(op == SQLITE_UPDATE && key_stays(&c->watches[i], handle, old_rowid, new_rowid)))
			atomic_fetch_add(&c->watched, 1);
}

/* Inside the hook: no SQL here. */
static void row(void *arg, sqlite3 *handle, int op, const char *table, int64_t old_rowid, int64_t new_rowid)
{
	struct capture *c = arg;

	if (c->nwatches)
		look_out(c, handle, op, table, old_rowid, new_rowid);
	if (!c->table || sqlite3_stricmp(table, c->table) != 0)
		return;
	if (c->nparts) {
		if (op != SQLITE_INSERT)
			add_parts(c, handle, false, false);
		if (op != SQLITE_DELETE)
			add_parts(c, handle, true, op == SQLITE_UPDATE);
		return;
	}
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

static void forget(struct capture *c)
{
	c->n = 0;
	c->ranged = false;
	buf_reset(&c->parts, 65536);
	c->overflow = false;
}

#define LOG "INSERT OR IGNORE INTO main._alterd_dirty(job,gone,key) "

/*
 * A rowid that is gone from the shadow stays away until it is copied again, as it is then: changed once more it needs
 * no second entry, which would have it purged again, for ever where a row is changed all the time.
 */
static int log_rowids(struct capture *c, struct db *db, struct error *err)
{
	const char *sql = c->purged_first ? LOG "SELECT ?1,0,?2 WHERE NOT EXISTS (SELECT 1 FROM main._alterd_dirty"
						" WHERE job=?1 AND gone=1 AND key=?2)"
					  : LOG "VALUES(?1,0,?2)";
	sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(db, sql, &stmt, err);

	for (size_t i = 0; rc == 0 && i < c->n; i++) {
		if (i > 0 && c->keys[i] == c->keys[i - 1])
			continue;
		sqlite3_bind_int64(stmt, 1, c->job);
		sqlite3_bind_int64(stmt, 2, c->keys[i]);
		rc = db_step(db, stmt, err);
		sqlite3_reset(stmt);
	}
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

/* Other keys are logged ahead of the copy as well, which brings what was purged back. */
static int log_parts(struct capture *c, struct db *db, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(db, LOG "VALUES(?1,0,?2)", &stmt, err);

	for (size_t at = 0; rc == 0 && at < c->parts.len;) {
		uint32_t n = 0;
		memcpy(&n, c->parts.data + at, sizeof(n));
		at += sizeof(n);
		sqlite3_bind_int64(stmt, 1, c->job);
		sqlite3_bind_blob64(stmt, 2, c->parts.data + at, n, SQLITE_STATIC);
		rc = db_step(db, stmt, err);
		sqlite3_reset(stmt);
		at += n;
	}
	db_done(db, stmt);
	return rc < 0 ? -1 : 0;
}

static int log_lost(struct capture *c, struct db *db, struct error *err)
{
	c->lost = true;
	return db_exec(db, err, LOG "VALUES(%lld,%d,0)", (long long)c->job, CAPTURE_LOST);
}

static int flush(void *arg, struct db *db, struct error *err)
{
	struct capture *c = arg;
	int rc = 0;

	if (c->overflow)
		rc = log_lost(c, db, err);
	else if (c->parts.len > 0)
		rc = log_parts(c, db, err);
	else if (c->ranged)
		rc = log_range(c, db, err);
	else if (c->n > 0)
		rc = log_rowids(c, db, err);
	forget(c);
	return rc;
}

static void rolled_back(void *arg) { forget(arg); }

void capture_init(struct capture *c)
{
	*c = (struct capture){.observer = {.arg = c, .row = row, .flush = flush, .rolled_back = rolled_back},
			      .bytes_max = CAPTURE_BYTES_MAX};
}

/* What is to be mended in the values of a part of the key; `place`: the number by which SQLite looks for its type. */
static enum capture_part kind_of(const struct schema_table *t, int column, int place)
{
	enum affinity a = t->columns[column].affinity;

	if (a == AFFINITY_REAL)
		return CAPTURE_REAL;
	if (place < 0 || (size_t)place >= t->ncolumns || t->columns[place].affinity != AFFINITY_REAL ||
	    a == AFFINITY_TEXT)
		return CAPTURE_AS_IS;
	return a == AFFINITY_BLOB ? CAPTURE_EITHER : CAPTURE_WHOLE;
}

/* Where the hook finds the parts of the key. */
static void find_parts(struct capture *c, const struct plan *plan)
{
	const struct rowkey_shape *key = &plan->source_key;

	c->nparts = key->n;
	c->without_rowid = plan->source->without_rowid;
	c->declared = xcalloc(key->n, sizeof(*c->declared));
	c->stored = xcalloc(key->n, sizeof(*c->stored));
	c->kinds = xcalloc(key->n, sizeof(*c->kinds));
	for (size_t i = 0; i < key->n; i++) {
		c->declared[i] = c->stored[i] = key->columns[i];
		for (int k = 0; k < key->columns[i]; k++)
			c->stored[i] -= plan->source->columns[k].hidden == 2;
		c->kinds[i] = kind_of(plan->source, key->columns[i],
				      c->without_rowid ? plan->source->columns[key->columns[i]].pk - 1 : c->stored[i]);
	}
}

static void make_range_sql(struct capture *c, const struct plan *plan)
{
	struct buf source = {0}, copy = {0}, sql = {0};
	/* Without a shadow the source is asked twice. */
	const char *a = plan->source_key.names[0], *b = plan->key_map  ? "k0"
							: plan->shadow ? plan->shadow_key.names[0]
								       : a;

	sql_quote_name(&source, plan->table);
	sql_quote_name(&copy, plan->key_map ? plan->key_map : plan->shadow ? plan->shadow : plan->table);
	buf_printf(&sql,
		   LOG "SELECT ?1,0,%s FROM main.%s NOT INDEXED WHERE %s BETWEEN ?2 AND ?3 UNION ALL"
		       " SELECT ?1,0,%s FROM main.%s NOT INDEXED WHERE %s BETWEEN ?2 AND ?3",
		   a, buf_cstr(&source), a, b, buf_cstr(&copy), b);
	c->range_sql = xstrdup(buf_cstr(&sql));
	buf_free(&sql);
	buf_free(&copy);
	buf_free(&source);
}

void capture_start(struct capture *c, struct db *db, int64_t job, const struct plan *plan)
{
	capture_stop(c, db);
	c->job = job;
	c->table = xstrdup(plan->table);
	c->purged_first = plan->shadow && plan_anything_unique(plan);
	if (plan->source_key.rowid) {
		make_range_sql(c, plan);
		c->keys = xmalloc(CAPTURE_KEYS_MAX * sizeof(*c->keys));
	} else {
		find_parts(c, plan);
	}
	db_observe(db, &c->observer);
}

static int *copy_ints(const int *from, size_t n)
{
	int *to = xcalloc(n, sizeof(*to));
	memcpy(to, from, n * sizeof(*to));
	return to;
}

static void forget_watches(struct capture *c)
{
	for (size_t i = 0; i < c->nwatches; i++) {
		free(c->watches[i].table);
		free(c->watches[i].declared);
		free(c->watches[i].stored);
	}
	free(c->watches);
	c->watches = NULL;
	c->nwatches = 0;
}

void capture_watch(struct capture *c, const struct plan *plan)
{
	forget_watches(c);
	c->watches = xcalloc(plan->nwatches, sizeof(*c->watches));
	for (size_t i = 0; i < plan->nwatches; i++) {
		const struct plan_watch *w = &plan->watches[i];
		c->watches[i] = (struct capture_watch){.table = xstrdup(w->table),
						       .rowid = w->rowid,
						       .without_rowid = w->without_rowid,
						       .n = w->n,
						       .declared = copy_ints(w->declared, w->n),
						       .stored = copy_ints(w->stored, w->n)};
	}
	c->nwatches = plan->nwatches;
}

unsigned long capture_watched(const struct capture *c) { return atomic_load(&c->watched); }

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
	free(c->declared);
	free(c->stored);
	free(c->kinds);
	buf_free(&c->parts);
	size_t bytes_max = c->bytes_max;
	forget_watches(c);
	capture_init(c);
	c->bytes_max = bytes_max;
}
