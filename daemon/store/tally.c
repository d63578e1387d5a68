/*
 * Counts in levels: one for each open savepoint, a statement's own included. Each holds what was changed since it was
 * opened; to release it adds that to the one below, to roll back drops it.
 */
#include "daemon/store/tally.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/internal.h"

/* Savepoints within each other that are told apart; what is undone of deeper ones is told all the same. */
#define LEVELS_MAX 10000
/* Memory of tables' names kept for the next transaction. */
#define NAMES_KEPT 64

static void *grow(void *p, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *q = realloc(p, more * size);

	CHECK(q != NULL);
	*cap = more;
	return q;
}

/* --- counting --- */

/* The table's number; SIZE_MAX if it is one too many. */
static size_t number_of(struct tally *t, const char *table)
{
	if (strlen(table) > CHANGES_NAME_MAX)
		return SIZE_MAX;
	for (size_t i = t->nnames; i-- > 0;)
		if (strcmp(t->names[i], table) == 0)
			return i;
	if (t->nnames == CHANGES_TABLES_MAX)
		return SIZE_MAX;
	if (t->nnames == t->names_cap)
		t->names = grow(t->names, &t->names_cap, sizeof *t->names);
	t->names[t->nnames] = xstrdup(table);
	return t->nnames++;
}

/* The table's counts among those from `from` on; appended if there are none. */
static struct tally_count *count_of(struct tally *t, size_t from, size_t table)
{
	for (size_t i = t->ncounts; i-- > from;)
		if (t->counts[i].table == table)
			return &t->counts[i];
	if (t->ncounts == t->counts_cap)
		t->counts = grow(t->counts, &t->counts_cap, sizeof *t->counts);
	t->counts[t->ncounts] = (struct tally_count){.table = table};
	return &t->counts[t->ncounts++];
}

void tally_row(struct tally *t, int op, const char *table)
{
	size_t from = t->depth ? t->starts[t->depth - 1] : 0;
	struct tally_count *last = t->ncounts > from ? &t->counts[t->ncounts - 1] : NULL;

	if (sqlite3_strnicmp(table, "sqlite_", 7) == 0)
		return;
	if (!last || strcmp(t->names[last->table], table) != 0) {
		size_t number = number_of(t, table);
		if (number == SIZE_MAX) {
			t->more = true;
			return;
		}
		last = count_of(t, from, number);
	}
	if (op == SQLITE_INSERT)
		last->inserted++;
	else if (op == SQLITE_DELETE)
		last->deleted++;
	else
		last->updated++;
}

static void drop_counts(struct tally *t)
{
	for (size_t i = 0; i < t->nnames; i++)
		free(t->names[i]);
	if (t->names_cap > NAMES_KEPT) {
		free(t->names);
		t->names = NULL;
		t->names_cap = 0;
	}
	t->nnames = t->ncounts = 0;
	for (size_t i = 0; i < t->depth; i++)
		t->starts[i] = 0;
	t->more = false;
}

/* Savepoint `n` is the innermost from here on, and empty. */
static void open_level(struct tally *t, size_t n)
{
	if (n >= LEVELS_MAX)
		return;
	while (t->starts_cap <= n)
		t->starts = grow(t->starts, &t->starts_cap, sizeof *t->starts);
	while (t->depth <= n)
		t->starts[t->depth++] = t->ncounts;
	t->depth = n + 1;
	t->starts[n] = t->ncounts;
}

/* Savepoint `n` and those within it are part of what is around them. */
static void release_level(struct tally *t, size_t n)
{
	if (n >= t->depth)
		return;
	size_t at = t->starts[n], end = t->ncounts, from = n ? t->starts[n - 1] : 0;

	t->depth = n;
	t->ncounts = at;
	/* What is read stands behind what is written, or just there. */
	for (size_t i = at; i < end; i++) {
		struct tally_count c = t->counts[i], *to = count_of(t, from, c.table);
		to->inserted += c.inserted;
		to->updated += c.updated;
		to->deleted += c.deleted;
	}
}

static void undo_level(struct tally *t, size_t n)
{
	if (n >= t->depth)
		return;
	t->ncounts = t->starts[n];
	t->depth = n + 1;
}

void tally_part(struct tally *t)
{
	struct mail *mail;

	if (!t->counting)
		return;
	if (t->depth > 0)
		release_level(t, 0);
	mail = changes_mail(t);
	if (mail)
		list_push(&t->parts, &mail->node);
	drop_counts(t);
}

/* --- the virtual table --- */

struct tally_vtab {
	sqlite3_vtab base; /* first: what SQLite knows of it */
	struct tally *tally;
};

static struct tally *tally_of(sqlite3_vtab *v) { return ((struct tally_vtab *)(void *)v)->tally; }

static int on_connect(sqlite3 *handle, void *arg, int argc, const char *const *argv, sqlite3_vtab **ret, char **err)
{
	struct tally_vtab *v = sqlite3_malloc(sizeof *v);

	(void)argc, (void)argv, (void)err;
	if (!v)
		return SQLITE_NOMEM;
	*v = (struct tally_vtab){.tally = arg};
	*ret = &v->base;
	return sqlite3_declare_vtab(handle, "CREATE TABLE x(one)");
}

static int on_disconnect(sqlite3_vtab *v)
{
	sqlite3_free(v);
	return SQLITE_OK;
}

/* It is never read. */
static int on_best_index(sqlite3_vtab *v, sqlite3_index_info *info)
{
	(void)v, (void)info;
	return SQLITE_CONSTRAINT;
}

static int on_open(sqlite3_vtab *v, sqlite3_vtab_cursor **ret)
{
	(void)v, (void)ret;
	return SQLITE_ERROR;
}

static int on_update(sqlite3_vtab *v, int argc, sqlite3_value **argv, sqlite3_int64 *ret_rowid)
{
	(void)argc, (void)argv;
	tally_of(v)->counting = true;
	*ret_rowid = 1;
	return SQLITE_OK;
}

static int on_begin(sqlite3_vtab *v)
{
	struct tally *t = tally_of(v);

	INVARIANT(t->ncounts == 0 && list_empty(&t->parts));
	t->depth = 0;
	return SQLITE_OK;
}

static int on_savepoint(sqlite3_vtab *v, int n)
{
	open_level(tally_of(v), (size_t)n);
	return SQLITE_OK;
}

static int on_release(sqlite3_vtab *v, int n)
{
	release_level(tally_of(v), (size_t)n);
	return SQLITE_OK;
}

static int on_rollback_to(sqlite3_vtab *v, int n)
{
	undo_level(tally_of(v), (size_t)n);
	return SQLITE_OK;
}

/* The transaction is in the log, and synced if that was asked for. */
static int on_commit(sqlite3_vtab *v)
{
	struct tally *t = tally_of(v);

	tally_part(t);
	t->counting = false;
	t->depth = 0;
	changes_post(t);
	return SQLITE_OK;
}

static void drop_parts(struct tally *t)
{
	for (struct list_node *n; (n = list_pop(&t->parts));)
		free(LIST_ENTRY(n, struct mail, node));
}

static int on_rollback(sqlite3_vtab *v)
{
	struct tally *t = tally_of(v);

	t->depth = 0;
	drop_counts(t);
	drop_parts(t);
	t->counting = false;
	return SQLITE_OK;
}

int tally_install(struct tally *t, struct store *s, sqlite3 *handle)
{
	/* Without xCreate it is there by its name, and cannot be made or dropped. */
	static const sqlite3_module module = {
		.iVersion = 2,
		.xConnect = on_connect,
		.xDisconnect = on_disconnect,
		.xBestIndex = on_best_index,
		.xOpen = on_open,
		.xUpdate = on_update,
		.xBegin = on_begin,
		.xCommit = on_commit,
		.xRollback = on_rollback,
		.xSavepoint = on_savepoint,
		.xRelease = on_release,
		.xRollbackTo = on_rollback_to,
	};

	*t = (struct tally){.store = s};
	list_init(&t->parts);
	return sqlite3_create_module(handle, "_alterd_tally", &module, t);
}

void tally_free(struct tally *t)
{
	if (!t->store)
		return;
	drop_counts(t);
	drop_parts(t);
	free(t->names);
	free(t->counts);
	free(t->starts);
}

/* --- transactions --- */

int tally_begin(struct db *db, bool savepoint, struct error *err)
{
	struct tally *t = &db->tally;
	int64_t last = 0;

	t->bottom = 0;
	if (!t->wanted)
		return 0;
	if (db_run(db, "INSERT INTO _alterd_tally VALUES(1)", err))
		return -1;
	if (!savepoint)
		return 0;
	/* A mark inside the first savepoint, and of the transaction: gone if that savepoint is rolled back to. */
	if (db_int(db, &last, err, "SELECT x FROM temp._alterd_mark") ||
	    db_exec(db, err, "UPDATE temp._alterd_mark SET x=%lld", (long long)last + 1))
		return -1;
	t->bottom = last + 1;
	return 0;
}

void tally_rolled_back_to(struct db *db)
{
	struct tally *t = &db->tally;
	struct error ignored = {0};
	int64_t mark = 0;

	if (!t->counting || !t->bottom)
		return;
	int rc = db_int(db, &mark, &ignored, "SELECT x FROM temp._alterd_mark");
	if (rc == 0 && mark != t->bottom) {
		t->depth = 0;
		drop_counts(t);
		rc = db_exec(db, &ignored, "UPDATE temp._alterd_mark SET x=%lld", (long long)t->bottom);
	}
	/* Without memory for that: rather told too much than nothing. */
	if (rc != 0)
		t->more = true;
	error_clear(&ignored);
}
