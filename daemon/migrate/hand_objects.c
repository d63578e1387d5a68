/* A rebuild written by hand: the indexes, triggers and views that are there in the end, and what is not. */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/hand.h"

int hand_indexes(struct hand *h)
{
	struct planning *p = h->p;
	struct plan *plan = p->plan;
	const struct schema_table *s = p->source, *t = h->target;

	for (size_t i = 0; i < s->nindexes; i++) {
		const struct listed *now = listing_find(&h->after, "index", s->indexes[i].name);
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
static bool stays(const struct hand *h, const struct listed *o)
{
	const struct listed *then = listing_find(&h->before, o->type, o->name),
			    *now = listing_find(&h->after, o->type, o->name);

	if (!hand_same(then, now))
		return false;
	if (strcmp(o->type, "trigger") != 0)
		return true;
	const struct listed *view = listing_find(&h->before, "view", o->table);
	return strcasecmp(o->table, h->p->source->name) != 0 &&
	       (!view || hand_same(view, listing_find(&h->after, "view", o->table)));
}

void hand_objects(struct hand *h)
{
	static const char *const types[] = {"TRIGGER", "VIEW"};
	struct pool *pool = h->p->pool;

	for (size_t i = 0; i < h->after.n; i++) {
		const struct listed *o = &h->after.at[i];
		bool table = strcmp(o->type, "table") == 0 || strcmp(o->type, "index") == 0;
		if (table && hand_is_new(h, o->table))
			add_object(h, o->sql);
	}

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < h->before.n; i++) {
			const struct listed *o = &h->before.at[i];
			if (strcasecmp(o->type, types[k]) == 0 && !stays(h, o))
				add_object(h,
					   pool_printf(pool, "DROP %s main.%s", types[k], quote_name(pool, o->name)));
		}
	for (size_t k = 2; k-- > 0;)
		for (size_t i = 0; i < h->after.n; i++) {
			const struct listed *o = &h->after.at[i];
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
int hand_broken(struct planning *p)
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
void hand_warn(struct hand *h)
{
	for (size_t i = 0; i < h->before.n; i++) {
		const struct listed *o = &h->before.at[i];
		if (!listing_find(&h->after, o->type, o->name))
			add_warning(h->p, pool_printf(h->p->pool, "%s %s goes with the old table and is not made again",
						      o->type, o->name));
	}
}
