/* Reading the schema, and comparing two of it. */
#include "daemon/migrate/schema_watch.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/history.h"
#include "daemon/store/changes.h"
#include "daemon/store/engine.h"

/* FNV-1a. Each text is ended, so that no two rows make the same bytes. */
static uint64_t digest_text(uint64_t h, const unsigned char *text)
{
	for (; text && *text; text++)
		h = (h ^ *text) * UINT64_C(0x100000001b3);
	return (h ^ 0xff) * UINT64_C(0x100000001b3);
}

/* --- the reader's part --- */

static int read_objects(struct seen_schema *seen, struct db *db, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct seen_table *t = NULL;
	int rc = db_prepare(
		db,
		"SELECT tbl_name,type,name,sql FROM main.sqlite_schema"
		" WHERE tbl_name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\'"
		" AND tbl_name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY tbl_name,type,name",
		&stmt, err);

	if (rc != 0)
		return -1;
	while ((rc = db_step(db, stmt, err)) == 1) {
		const char *table = (const char *)sqlite3_column_text(stmt, 0);

		if (!t || strcmp(t->name, table ? table : "") != 0) {
			seen->at = pool_grow(&seen->pool, seen->at, seen->n, sizeof *seen->at);
			t = &seen->at[seen->n++];
			*t = (struct seen_table){pool_str(&seen->pool, table ? table : ""),
						 UINT64_C(0xcbf29ce484222325)};
		}
		for (int i = 1; i <= 3; i++)
			t->digest = digest_text(t->digest, sqlite3_column_text(stmt, i));
	}
	db_done(db, stmt);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct seen_table *)a)->name, ((const struct seen_table *)b)->name);
}

static int look(struct seen_schema *seen, struct db *db, struct error *err)
{
	struct pool pool = {0};
	struct history history = {0};
	int rc = history_read(&pool, db_handle(db), &history, err);

	seen->version = history.version;
	pool_free(&pool);
	if (rc == 0)
		rc = db_int(db, &seen->cookie, err, "PRAGMA main.schema_version");
	if (rc == 0)
		rc = read_objects(seen, db, err);
	/* SQLite's own order is another where the database is not UTF-8. */
	if (rc == 0 && seen->n > 1)
		qsort(seen->at, seen->n, sizeof *seen->at, by_name);
	return rc;
}

static void look_run(struct job *job, struct db *db)
{
	struct schema_watch *w = CONTAINER_OF(job, struct schema_watch, job);

	w->ran = true;
	w->rc = -1;
	if (db_begin(db, &w->err) == 0) {
		w->rc = look(&w->next, db, &w->err);
		db_rollback(db);
	}
}

/* --- the loop's part --- */

static void forget(struct seen_schema *seen)
{
	pool_free(&seen->pool);
	*seen = (struct seen_schema){0};
}

struct names {
	const char *at[SCHEMA_TABLES_MAX];
	size_t n;
	bool more;
};

static void add(struct names *names, const char *name)
{
	if (names->n == SCHEMA_TABLES_MAX || strlen(name) > CHANGES_NAME_MAX)
		names->more = true;
	else
		names->at[names->n++] = name;
}

/* Both are in the same order. */
static void compare(const struct seen_schema *a, const struct seen_schema *b, struct names *ret)
{
	size_t i = 0, k = 0;

	while (i < a->n || k < b->n) {
		int order = i == a->n ? 1 : k == b->n ? -1 : strcmp(a->at[i].name, b->at[k].name);

		if (order != 0 || a->at[i].digest != b->at[k].digest)
			add(ret, order < 0 ? a->at[i].name : b->at[k].name);
		i += order <= 0;
		k += order >= 0;
	}
}

static void tell(struct schema_watch *w)
{
	struct names names = {0};

	compare(&w->last, &w->next, &names);
	if (names.n == 0 && !names.more && w->last.version == w->next.version)
		return;
	struct schema_change change = {.version = w->next.version,
				       .before = w->last.version,
				       .cookie = w->next.cookie,
				       .n = names.n,
				       .tables = names.at,
				       .more = names.more};
	w->changed(w->arg, &change);
}

static void take(struct schema_watch *w)
{
	bool first = !w->known;

	if (!first)
		tell(w);
	forget(&w->last);
	w->last = w->next;
	w->next = (struct seen_schema){0};
	w->known = true;
	if (first)
		w->seen(w->arg);
}

static void look_done(struct mail *mail)
{
	struct schema_watch *w = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct schema_watch, job);

	w->busy = false;
	if (w->on && w->ran && w->rc == 0) {
		take(w);
	} else if (w->on) {
		log_warning("migrate", "the schema cannot be looked at: %s; it is tried again",
			    error_is_set(&w->err) ? w->err.message : "no connection for reading could be opened");
	}
	forget(&w->next);
	error_clear(&w->err);
	if (w->on && w->again)
		schema_watch_look(w);
	w->idle(w->arg);
}

void schema_watch_init(struct schema_watch *w, struct store *s) { *w = (struct schema_watch){.s = s}; }

void schema_watch_look(struct schema_watch *w)
{
	if (!w->on)
		return;
	w->again = w->busy;
	if (w->busy)
		return;
	w->busy = true;
	w->ran = false;
	w->job = (struct job){
		.mail = {.deliver = look_done}, .run = look_run, .class = JOB_BACKGROUND, .deadline_ns = CLOCK_NEVER};
	store_submit_reader(w->s, &w->job);
}

void schema_watch_set(struct schema_watch *w, bool on)
{
	bool was = w->on;

	w->on = on;
	if (!on) {
		w->known = w->again = false;
		forget(&w->last);
	} else if (!w->known && (!w->busy || !was)) {
		/* A look that was out for somebody else began before this one asked; another does no harm. */
		schema_watch_look(w);
	}
}

void schema_watch_free(struct schema_watch *w)
{
	INVARIANT(!w->busy);
	forget(&w->last);
	forget(&w->next);
	error_clear(&w->err);
}
