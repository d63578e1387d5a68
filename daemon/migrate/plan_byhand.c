/*
 * A rebuild written by hand as a plan: the same source, target and mapping as of a change that was asked for by ALTER
 * TABLE.
 *
 * What the statements make of the schema SQLite tells: they are run in the schema without its rows (world.h). Then only
 * one table may be another one, by the name it had; its indexes and triggers, and views, are what they are then. The
 * values come out of the one INSERT .. SELECT, stored as it stores them. Whatever does not fit is refused, and the
 * caller runs the statements as they stand.
 */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/hand.h"

int hand_refuse(struct hand *h, const char *why)
{
	return error_set(h->p->err, ERRC_MIGRATION_INVALID, "a rebuild that is not run online: %s", why);
}

/* Statements [from, to) in the scratch schema, as the exact way runs them. */
static int rehearse(struct hand *h, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct script_kind *k = &h->kinds[i];
		if (k->what == SCRIPT_PASSED_OVER)
			continue;
		bool legacy = k->what == SCRIPT_RENAME_TABLE && k->rebuilds;
		if (!trial_ok(h->p,
			      sqlite3_exec(h->db,
					   legacy ? "PRAGMA legacy_alter_table=ON" : "PRAGMA legacy_alter_table=OFF",
					   NULL, NULL, NULL)) ||
		    !trial_ok(h->p, sqlite3_exec(h->db, h->script->at[i].sql, NULL, NULL, NULL)))
			return hand_refuse(h, sqlite3_errmsg(h->db));
	}
	return 0;
}

/* The name that FROM had before the script: renamed away, or its own. */
static const char *first_name(const struct hand *h)
{
	const char *name = h->words.from;

	for (size_t i = h->words.copy; i-- > 0;)
		if (h->kinds[i].what == SCRIPT_RENAME_TABLE && strcasecmp(h->kinds[i].other, name) == 0)
			name = h->kinds[i].name;
	return name;
}

/* The name that INTO has in the end. */
static const char *last_name(const struct hand *h)
{
	const char *name = h->words.into;

	for (size_t i = h->words.copy + 1; i < h->script->n; i++)
		if (h->kinds[i].what == SCRIPT_RENAME_TABLE && strcasecmp(h->kinds[i].name, name) == 0)
			name = h->kinds[i].other;
	return name;
}

/* The script creates a table of that name, before statement `end`. */
static bool creates(const struct hand *h, const char *name, size_t end)
{
	for (size_t i = 0; i < end; i++)
		if (h->kinds[i].what == SCRIPT_CREATE_TABLE && strcasecmp(h->kinds[i].name, name) == 0)
			return true;
	return false;
}

/* INTO is what the script creates, and nobody's triggers fire where rows go in. */
static int check_into(struct hand *h)
{
	struct listing now;

	if (!creates(h, h->words.into, h->words.copy))
		return hand_refuse(h, "the rows do not go into the table that is created");
	if (listing_read(h->p->pool, h->db, &now, h->p->err) != 0)
		return -1;
	for (size_t i = 0; i < now.n; i++)
		if (strcmp(now.at[i].type, "trigger") == 0 && strcasecmp(now.at[i].table, h->words.into) == 0)
			return hand_refuse(h, "a trigger would fire for each row");
	return 0;
}

/* A table that the script creates beside the rebuild; empty then. */
bool hand_is_new(const struct hand *h, const char *table)
{
	return !listing_find(&h->before, "table", table) && creates(h, table, h->script->n);
}

/* Of the table itself, of one that is new, and views: what the script may leave otherwise than it found it. */
static bool may_differ(const struct hand *h, const struct listed *o)
{
	bool table = strcmp(o->type, "table") == 0, index = strcmp(o->type, "index") == 0;

	return !(table || index) || strcasecmp(o->table, h->p->source->name) == 0 || hand_is_new(h, o->table);
}

bool hand_same(const struct listed *a, const struct listed *b)
{
	return a && b && strcmp(a->name, b->name) == 0 && strcmp(a->sql, b->sql) == 0;
}

/* One table is another one by the same name; no other table or index that was there has gone or changed. */
static int check_world(struct hand *h)
{
	const struct listing *sides[2] = {&h->before, &h->after};

	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < sides[k]->n; i++) {
			const struct listed *o = &sides[k]->at[i];
			if (!may_differ(h, o) && !hand_same(o, listing_find(sides[1 - k], o->type, o->name)))
				return hand_refuse(h,
						   pool_printf(h->p->pool, "%s %s changes as well", o->type, o->name));
		}
	/* What the engine has made is not in this world: the script has made it. */
	bool reserved = false;
	if (schema_each(h->db, h->p->err, schema_row_exists, &reserved,
			"SELECT 1 FROM main.sqlite_schema WHERE name LIKE '\\_alterd\\_%' ESCAPE '\\'", NULL) != 0)
		return -1;
	if (reserved)
		return hand_refuse(h, "a name that is reserved");
	const struct listed *table = listing_find(&h->after, "table", h->p->source->name);
	if (!table || strcmp(table->name, h->p->source->name) != 0)
		return hand_refuse(h, "the table would be called otherwise");
	return 0;
}

static int look(struct hand *h)
{
	struct planning *p = h->p;

	size_t missing = 0;

	if (scratch_open(&h->db, true, p->err) != 0 || scratch_mirror(p->db, h->db, &missing, p->err) != 0 ||
	    listing_read(p->pool, h->db, &h->before, p->err) != 0 || rehearse(h, 0, h->words.copy) != 0 ||
	    check_into(h) != 0 || rehearse(h, h->words.copy, h->script->n) != 0 ||
	    listing_read(p->pool, h->db, &h->after, p->err) != 0)
		return -1;
	if (strcasecmp(last_name(h), p->source->name) != 0)
		return hand_refuse(h, "the new table does not take the name of the old one");
	if (check_world(h) != 0 || schema_read(p->pool, h->db, p->source->name, &h->target, p->err) != 0)
		return -1;
	p->sql = pool_str(p->pool, h->target->sql);
	return 0;
}

static int make(struct hand *h)
{
	struct planning *p = h->p;

	if (plan_source(p, first_name(h)) != 0 || plan_rows(p) != 0 || look(h) != 0 || hand_map(h) != 0 ||
	    plan_choose_shadow(p) != 0 || hand_indexes(h) != 0)
		return -1;
	p->plan->byhand = true;
	hand_objects(h);
	if (plan_rebuild(p) != 0)
		return -1;
	hand_warn(h);
	p->renamed = h->db;
	h->db = NULL;
	return hand_broken(p);
}

int plan_byhand(struct planning *p, const struct script *script, const struct script_kind *kinds, bool *ret_not)
{
	struct hand h = {.p = p, .script = script, .kinds = kinds};

	*ret_not = !byhand_read(p->pool, script, kinds, &h.words);
	if (*ret_not)
		return 0;
	int rc = make(&h);
	sqlite3_close(h.db);
	return rc;
}
