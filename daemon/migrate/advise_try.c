/* Which of the ideas SQLite would use: all are made, the plan is looked at, and what does not make it better goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/advise.h"

#define TRIED "_alterd_idea_"

static int badness(const struct plan_cost *c) { return c->scans + c->sorts + 2 * c->autos; }

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* A line of EXPLAIN QUERY PLAN. What is computed on the way (a subquery, constants) has no index. */
static void count_line(const char *line, struct plan_cost *c, bool *used)
{
	if (begins(line, "SCAN ") && !begins(line, "SCAN (") && !begins(line, "SCAN CONSTANT"))
		c->scans++;
	else if (begins(line, "USE TEMP B-TREE"))
		c->sorts++;
	else if (strstr(line, "AUTOMATIC"))
		c->autos++;
	for (const char *at = strstr(line, TRIED); used && at; at = strstr(at + 1, TRIED)) {
		char *end;
		unsigned long n = strtoul(at + strlen(TRIED), &end, 10);
		if (end > at + strlen(TRIED) && n < IDEAS_MAX)
			used[n] = true;
	}
}

/* False: it cannot be prepared. `used` (IDEAS_MAX of them, or NULL): which ideas the plan uses. */
static bool explain(struct pool *pool, sqlite3 *db, const char *sql, struct plan_cost *ret, bool *used)
{
	sqlite3_stmt *stmt = NULL;

	*ret = (struct plan_cost){0};
	if (sqlite3_prepare_v2(db, pool_printf(pool, "EXPLAIN QUERY PLAN %s", sql), -1, &stmt, NULL) != SQLITE_OK)
		return false;
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(stmt, 3);
		if (line)
			count_line(line, ret, used);
	}
	sqlite3_finalize(stmt);
	return true;
}

/* A name as one would write it. */
static const char *name_text(struct pool *pool, const char *name)
{
	bool plain = *name != '\0' && !(*name >= '0' && *name <= '9');

	for (const char *p = name; *p; p++)
		plain = plain &&
			(*p == '_' || (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'));
	return plain && !sqlite3_keyword_check(name, (int)strlen(name)) ? name : quote_name(pool, name);
}

/* CREATE INDEX <name> ON t(a, b DESC). */
static const char *create_text(struct pool *pool, const char *name, const struct idea *i)
{
	struct buf text = {0};

	buf_printf(&text, "CREATE INDEX %s ON %s(", name_text(pool, name), name_text(pool, i->table->name));
	for (size_t k = 0; k < i->n; k++) {
		buf_printf(&text, "%s%s", k ? ", " : "", name_text(pool, i->table->columns[i->column[k]].name));
		if (i->collation[k])
			buf_printf(&text, " COLLATE %s", name_text(pool, i->collation[k]));
		if (i->desc[k])
			buf_puts(&text, " DESC");
	}
	buf_putc(&text, ')');
	return pool_take(pool, &text);
}

/* table_column_column, and a number behind it where there is such a name. */
static const char *free_name(struct pool *pool, sqlite3 *db, const struct idea *i)
{
	struct buf name = {0};
	bool taken = true;

	buf_puts(&name, i->table->name);
	for (size_t k = 0; k < i->n; k++)
		buf_printf(&name, "_%s", i->table->columns[i->column[k]].name);
	const char *base = pool_take(pool, &name), *out = base;
	for (int n = 2; taken && n < 100; n++) {
		const char *texts[] = {out, NULL};
		struct error none = {0};
		taken = false;
		(void)schema_each(db, &none, schema_row_exists, &taken,
				  "SELECT 1 FROM main.sqlite_schema WHERE lower(name)=lower(?1)", texts);
		error_clear(&none);
		if (taken)
			out = pool_printf(pool, "%s_%d", base, n);
	}
	return out;
}

static const char *tried_name(struct pool *pool, size_t k) { return pool_printf(pool, TRIED "%zu", k); }

static void drop(struct pool *pool, sqlite3 *db, size_t k)
{
	(void)sqlite3_exec(db, pool_printf(pool, "DROP INDEX IF EXISTS main.%s", tried_name(pool, k)), NULL, NULL,
			   NULL);
}

static bool make(struct pool *pool, sqlite3 *db, size_t k, const struct idea *i)
{
	return sqlite3_exec(db, create_text(pool, tried_name(pool, k), i), NULL, NULL, NULL) == SQLITE_OK;
}

/* Drops what the plan does not need: each that is left makes it better, and so do all of them together. */
static void thin_out(struct pool *pool, sqlite3 *db, const struct ideas *ideas, const char *sql, bool *kept,
		     struct plan_cost *best)
{
	for (size_t n = ideas->n; n > 0; n--) {
		size_t k = n - 1;
		struct plan_cost without;
		bool used[IDEAS_MAX] = {false};
		if (!kept[k])
			continue;
		drop(pool, db, k);
		/* From the last on: an index with less columns is the cheaper one, and came first. */
		if (explain(pool, db, sql, &without, used) && badness(&without) <= badness(best)) {
			kept[k] = false;
			*best = without;
		} else if (!make(pool, db, k, &ideas->at[k])) {
			kept[k] = false;
		}
	}
}

void advise_try(struct pool *pool, sqlite3 *real, const struct ideas *ideas, const char *sql, struct advice *ret)
{
	bool made[IDEAS_MAX] = {false}, kept[IDEAS_MAX] = {false};
	struct plan_cost before, all;

	*ret = (struct advice){0};
	ret->planned = explain(pool, real, sql, &before, NULL);
	ret->before = ret->after = before;
	if (!ret->planned)
		return;
	for (size_t k = 0; k < ideas->n; k++)
		made[k] = make(pool, real, k, &ideas->at[k]);
	if (explain(pool, real, sql, &all, kept) && badness(&all) < badness(&before)) {
		for (size_t k = 0; k < ideas->n; k++)
			if (made[k] && !kept[k])
				drop(pool, real, k);
		if (explain(pool, real, sql, &all, NULL) && badness(&all) < badness(&before)) {
			thin_out(pool, real, ideas, sql, kept, &all);
			ret->after = all;
			for (size_t k = 0; k < ideas->n; k++)
				if (made[k] && kept[k])
					ret->create[ret->n++] = create_text(pool, free_name(pool, real, &ideas->at[k]),
									    &ideas->at[k]);
		}
	}
	for (size_t k = 0; k < ideas->n; k++)
		drop(pool, real, k);
}
