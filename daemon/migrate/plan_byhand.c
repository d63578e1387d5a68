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

#include "daemon/migrate/byhand.h"
#include "daemon/migrate/plan_internal.h"
#include "daemon/migrate/world.h"

struct hand {
	struct planning *p;
	const struct script *script;
	const struct script_kind *kinds;
	struct byhand words;
	sqlite3 *db; /* the schema as the statements leave it */
	struct world before, after;
	struct schema_table *target;
};

static int refuse(struct hand *h, const char *why)
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
			return refuse(h, sqlite3_errmsg(h->db));
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

/* INTO is what the script creates, and nobody's triggers fire where rows go in. */
static int check_into(struct hand *h)
{
	bool created = false;

	for (size_t i = 0; i < h->words.copy; i++)
		created = created ||
			  (h->kinds[i].what == SCRIPT_CREATE_TABLE && strcasecmp(h->kinds[i].name, h->words.into) == 0);
	if (!created)
		return refuse(h, "the rows do not go into the table that is created");
	struct world now;
	if (world_read(h->p->pool, h->db, &now, h->p->err) != 0)
		return -1;
	for (size_t i = 0; i < now.n; i++)
		if (strcmp(now.at[i].type, "trigger") == 0 && strcasecmp(now.at[i].table, h->words.into) == 0)
			return refuse(h, "a trigger would fire for each row");
	return 0;
}

/* Of the table itself, and views: what the script may leave otherwise than it found it. */
static bool may_differ(const struct hand *h, const struct world_object *o)
{
	bool table = strcmp(o->type, "table") == 0, index = strcmp(o->type, "index") == 0;

	return !(table || index) || strcasecmp(o->table, h->p->source->name) == 0;
}

static bool same(const struct world_object *a, const struct world_object *b)
{
	return a && b && strcmp(a->name, b->name) == 0 && strcmp(a->sql, b->sql) == 0;
}

/* One table is another one by the same name; no other table or index has come, gone or changed. */
static int check_world(struct hand *h)
{
	const struct world *sides[2] = {&h->before, &h->after};

	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < sides[k]->n; i++) {
			const struct world_object *o = &sides[k]->at[i];
			if (!may_differ(h, o) && !same(o, world_find(sides[1 - k], o->type, o->name)))
				return refuse(h, pool_printf(h->p->pool, "%s %s changes as well", o->type, o->name));
		}
	/* What the engine has made is not in this world: the script has made it. */
	bool reserved = false;
	if (schema_each(h->db, h->p->err, schema_row_exists, &reserved,
			"SELECT 1 FROM main.sqlite_schema WHERE name LIKE '\\_alterd\\_%' ESCAPE '\\'", NULL) != 0)
		return -1;
	if (reserved)
		return refuse(h, "a name that is reserved");
	const struct world_object *table = world_find(&h->after, "table", h->p->source->name);
	if (!table || strcmp(table->name, h->p->source->name) != 0)
		return refuse(h, "the table would be called otherwise");
	return 0;
}

static int look(struct hand *h)
{
	struct planning *p = h->p;

	if (world_open(p->pool, p->db, &h->db, p->err) != 0 || world_read(p->pool, h->db, &h->before, p->err) != 0 ||
	    rehearse(h, 0, h->words.copy) != 0 || check_into(h) != 0 || rehearse(h, h->words.copy, h->script->n) != 0 ||
	    world_read(p->pool, h->db, &h->after, p->err) != 0)
		return -1;
	if (strcasecmp(last_name(h), p->source->name) != 0)
		return refuse(h, "the new table does not take the name of the old one");
	if (check_world(h) != 0 || schema_read(p->pool, h->db, p->source->name, &h->target, p->err) != 0)
		return -1;
	p->sql = pool_str(p->pool, h->target->sql);
	return 0;
}

/* --- the values --- */

/* The words "*" stands for: each column. */
static void spread(struct hand *h)
{
	struct byhand *w = &h->words;
	const struct schema_table *s = h->p->source;
	const char **values = NULL;
	size_t n = 0;

	for (size_t i = 0; i < w->nvalues; i++)
		for (size_t c = 0; c < (w->values[i] ? 1 : s->ncolumns); c++) {
			values = pool_grow(h->p->pool, values, n, sizeof(*values));
			values[n++] = w->values[i] ? w->values[i] : quote_name(h->p->pool, s->columns[c].name);
		}
	w->values = values;
	w->nvalues = n;
}

/* The value for a column of the target; NULL: it takes its default. */
static const char *value_of(const struct hand *h, size_t column)
{
	const struct schema_table *t = h->target;
	size_t at = 0;

	for (size_t i = 0; i < h->words.ncolumns; i++)
		if (strcasecmp(h->words.columns[i], t->columns[column].name) == 0)
			return h->words.values[i];
	if (h->words.ncolumns > 0)
		return NULL;
	for (size_t i = 0; i < column; i++)
		at += t->columns[i].hidden == 0;
	return h->words.values[at];
}

/* The column of the source that the value is and nothing else; -1: it is more than that. */
static int plain_column(struct hand *h, const char *value)
{
	struct tokens t;

	if (tokenize(h->p->pool, value, strlen(value), &t, h->p->err) != 0) {
		error_clear(h->p->err);
		return -1;
	}
	if (t.n != 1 || (t.at[0].kind != TOKEN_WORD && t.at[0].kind != TOKEN_QUOTED))
		return -1;
	return schema_find_column(h->p->source, token_unquote(h->p->pool, &t, 0));
}

static bool is_text(struct hand *h, const char *value)
{
	struct tokens t;
	bool text = tokenize(h->p->pool, value, strlen(value), &t, h->p->err) == 0 && t.n == 1 &&
		    t.at[0].kind == TOKEN_STRING;

	error_clear(h->p->err);
	return text;
}

static const char *collation(struct hand *h, sqlite3 *db, const char *column)
{
	const char *name = NULL;

	(void)trial_ok(h->p, sqlite3_table_column_metadata(db, "main", h->p->source->name, column, NULL, &name, NULL,
							   NULL, NULL));
	return name ? name : "BINARY";
}

static bool numeric(enum affinity a) { return a == AFFINITY_INTEGER || a == AFFINITY_NUMERIC; }

/* One column: where its value comes from, and what of foreign keys and keys has to stay right. */
static int map_column(struct hand *h, size_t i, struct column_map *m)
{
	struct planning *p = h->p;
	const struct schema_column *c = &h->target->columns[i];
	const char *value = c->hidden ? NULL : value_of(h, i);

	*m = (struct column_map){.name = c->name, .source = -1, .plain = true};
	p->must_copy = p->must_copy || c->hidden;
	if (value)
		m->source = plain_column(h, value);
	bool keyless = (int)i == h->target->alias &&
		       (m->source < 0 || !(m->source == p->source->alias || p->source->columns[m->source].notnull));
	if (keyless)
		return refuse(h, "its rows would be numbered anew");
	if (!value)
		return 0;
	if (m->source < 0) {
		/* A string that stands alone would be taken for a column's name. */
		m->using = is_text(h, value) ? pool_printf(p->pool, "''||%s", value) : value;
		return plan_pure(p, m->using);
	}
	const struct schema_column *from = &p->source->columns[m->source];
	bool collates = strcasecmp(collation(h, p->db, from->name), collation(h, h->db, c->name)) != 0;
	p->must_copy = p->must_copy || collates;
	bool changes = collates || strcasecmp(from->name, c->name) != 0 ||
		       (from->affinity != c->affinity && !(numeric(from->affinity) && numeric(c->affinity)));
	/* Values that turn into others are not refused here: whatever refers to them must not be there. */
	return changes ? plan_check_references(p, m->source, NULL, true, c->affinity) : 0;
}

/* A column that no value uses goes with the old table. */
static int find_dropped(struct hand *h)
{
	struct planning *p = h->p;
	struct plan *plan = p->plan;

	for (size_t c = 0; c < p->source->ncolumns; c++) {
		bool used = p->source->columns[c].hidden != 0;
		for (size_t i = 0; i < h->words.nvalues && !used; i++) {
			struct ddl words = {.pool = p->pool};
			if (tokenize(p->pool, h->words.values[i], strlen(h->words.values[i]), &words.t, p->err) != 0)
				return -1;
			used = ddl_mentions(&words, 0, words.t.n, p->source->columns[c].name);
		}
		if (used)
			continue;
		plan->consent = pool_grow(p->pool, plan->consent, plan->nconsent, sizeof(*plan->consent));
		plan->consent[plan->nconsent++] = p->source->columns[c].name;
		if (plan_check_references(p, (int)c, NULL, true, AFFINITY_BLOB) != 0)
			return -1;
	}
	return 0;
}

static int autoincrement(struct planning *p, const char *sql, bool *ret)
{
	struct ddl d;

	if (ddl_parse(p->pool, sql, &d, p->err) != 0)
		return -1;
	for (size_t i = 0; i < d.n; i++) {
		const struct ddl_constraint *key = ddl_find(&d.items[i], DDL_PRIMARY_KEY);
		*ret = *ret || (key && key->autoincrement);
	}
	return 0;
}

static int map_columns(struct hand *h)
{
	struct planning *p = h->p;

	spread(h);
	for (size_t i = 0; i < h->words.ncolumns; i++)
		if (schema_find_column(h->target, h->words.columns[i]) < 0)
			return refuse(h, "it sets the rowid");
	p->nmap = h->target->ncolumns;
	p->map = pool_alloc(p->pool, (p->nmap + 1) * sizeof(*p->map));
	for (size_t i = 0; i < p->nmap; i++)
		if (map_column(h, i, &p->map[i]) != 0)
			return -1;
	bool counted = false, counts = false;
	if (autoincrement(p, p->source->sql, &counted) != 0 || autoincrement(p, p->sql, &counts) != 0)
		return -1;
	if (counts && !counted)
		return refuse(h, "AUTOINCREMENT is added");
	p->plan->drops_sequence = counted && !counts;
	p->must_copy = p->must_copy || p->plan->drops_sequence;
	return find_dropped(h);
}

/* --- indexes, triggers, views --- */

static int find_indexes(struct hand *h)
{
	struct planning *p = h->p;
	struct plan *plan = p->plan;
	const struct schema_table *s = p->source, *t = h->target;

	for (size_t i = 0; i < s->nindexes; i++) {
		const struct world_object *now = world_find(&h->after, "index", s->indexes[i].name);
		bool kept = now && s->indexes[i].sql && strcmp(now->name, s->indexes[i].name) == 0 &&
			    strcmp(now->sql, s->indexes[i].sql) == 0;
		if (kept && plan_add_index(p, s->indexes[i].name, s->indexes[i].unique, now->sql, i, false) != 0)
			return -1;
		if (kept || !s->indexes[i].sql)
			continue;
		plan->dropped = pool_grow(p->pool, plan->dropped, plan->ndropped, sizeof(*plan->dropped));
		plan->dropped[plan->ndropped++] = s->indexes[i].name;
	}
	for (size_t i = 0; i < t->nindexes; i++) {
		const struct schema_index *x = &t->indexes[i];
		bool kept = !x->sql;
		for (size_t k = 0; k < plan->nindexes; k++)
			kept = kept || strcmp(plan->indexes[k].name, x->name) == 0;
		if (!kept && plan_add_index(p, x->name, x->unique, x->sql, s->nindexes + i, true) != 0)
			return -1;
	}
	return 0;
}

static void add_object(struct hand *h, const char *sql)
{
	struct plan *plan = h->p->plan;

	plan->objects = pool_grow(h->p->pool, plan->objects, plan->nobjects, sizeof(*plan->objects));
	plan->objects[plan->nobjects++] = sql;
}

/*
 * A trigger is made anew if it is another one, if its view is, or if it is of the table: so that those of the table
 * fire in the order in which the script leaves them.
 */
static bool stays(const struct hand *h, const struct world_object *o)
{
	const struct world_object *then = world_find(&h->before, o->type, o->name),
				  *now = world_find(&h->after, o->type, o->name);

	if (!same(then, now))
		return false;
	if (strcmp(o->type, "trigger") != 0)
		return true;
	const struct world_object *view = world_find(&h->before, "view", o->table);
	return strcasecmp(o->table, h->p->source->name) != 0 &&
	       (!view || same(view, world_find(&h->after, "view", o->table)));
}

static void find_objects(struct hand *h)
{
	static const char *const types[] = {"TRIGGER", "VIEW"};
	struct pool *pool = h->p->pool;

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < h->before.n; i++) {
			const struct world_object *o = &h->before.at[i];
			if (strcasecmp(o->type, types[k]) == 0 && !stays(h, o))
				add_object(h,
					   pool_printf(pool, "DROP %s main.%s", types[k], quote_name(pool, o->name)));
		}
	for (size_t k = 2; k-- > 0;)
		for (size_t i = 0; i < h->after.n; i++) {
			const struct world_object *o = &h->after.at[i];
			if (strcasecmp(o->type, types[k]) == 0 && !stays(h, o))
				add_object(h, o->sql);
		}
}

static void add_warning(struct planning *p, const char *text)
{
	struct plan *plan = p->plan;

	plan->warnings = pool_grow(p->pool, plan->warnings, plan->nwarnings, sizeof(*plan->warnings));
	plan->warnings[plan->nwarnings++] = text;
}

/* A view that breaks is the script's own doing, as it is where SQLite runs it. */
static int warn_broken(struct planning *p)
{
	if (try_dependents(p) == 0)
		return 0;
	if (p->err->code != errc_code(ERRC_MIGRATION_INVALID))
		return -1;
	add_warning(p, pool_str(p->pool, p->err->message));
	error_clear(p->err);
	return 0;
}

/* What goes without being made again is told: nobody may have meant it. */
static void warn(struct hand *h)
{
	for (size_t i = 0; i < h->before.n; i++) {
		const struct world_object *o = &h->before.at[i];
		if (!world_find(&h->after, o->type, o->name))
			add_warning(h->p, pool_printf(h->p->pool, "%s %s goes with the old table and is not made again",
						      o->type, o->name));
	}
}

/* --- together --- */

static int make(struct hand *h)
{
	struct planning *p = h->p;

	if (plan_source(p, first_name(h)) != 0 || plan_rows(p) != 0 || look(h) != 0 || map_columns(h) != 0 ||
	    plan_choose_shadow(p) != 0 || find_indexes(h) != 0)
		return -1;
	find_objects(h);
	if (plan_rebuild(p) != 0)
		return -1;
	warn(h);
	p->renamed = h->db;
	h->db = NULL;
	return warn_broken(p);
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
