/* The SQL of a rebuild, made of the plan. */
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/migration.h"

static const char *joined(struct pool *pool, const struct plan *plan, int what)
{
	struct buf out = {0};

	for (size_t i = 0; i < plan->ncolumns; i++) {
		const struct plan_column *c = &plan->columns[i];
		const char *text = what == 0 ? quote_name(pool, c->name) : what == 1 ? c->expr : c->lenient;
		buf_printf(&out, "%s%s", i ? "," : "", text);
	}
	return pool_take(pool, &out);
}

/* "a,b" where either may be empty. */
static const char *both(struct pool *pool, const char *a, const char *b)
{
	return pool_printf(pool, "%s%s%s", a, *a && *b ? "," : "", b);
}

struct writing {
	struct pool *pool;
	const struct plan *plan;
	const struct rowkey_shape *key;
	const char *table;                 /* the source's name, quoted */
	const char *source, *shadow, *map; /* main."t" with what says how it is read */
	size_t n;                          /* parts of the key */
};

/* `head` over a range of the source: all of it, behind a key, or one row; of those the rows that `filter` lets pass. */
static void ranges(struct writing *w, const char *head, const char *filter, const char **first, const char **next,
		   const char **one)
{
	const char *from = pool_printf(w->pool, "%s FROM %s", head, w->source);
	const char *order = rowkey_order(w->pool, w->key, "", false);
	const char *where = filter ? pool_printf(w->pool, "(%s) AND ", filter) : "";
	struct rowkey_rows rows;

	rowkey_behind(w->pool, w->key, w->table, NULL, 1, &rows);
	*first = pool_printf(w->pool, "%s WHERE %s1 ORDER BY %s LIMIT ?%zu", from, where, order, w->n + 1);
	*next = pool_printf(w->pool, "%s FROM %s WHERE %s%s%s LIMIT ?%zu", head, rows.from, where, rows.where,
			    rows.order, w->n + 1);
	*one = pool_printf(w->pool, "%s WHERE %s%s", from, where, rowkey_equals(w->pool, w->key, "", 1));
}

/* A LIMIT would count the rows that stay: those that go are passed over in one go, however many. So the rows are
 * counted first; rowids can then be taken up to the last one's, of other keys the same number is looked at again. */
static void copying_filtered(struct writing *w, const char *copy, struct texts *t)
{
	struct pool *pool = w->pool;
	const char *filter = w->plan->filter, *all, *behind, *unused;

	ranges(w, pool_printf(pool, "SELECT %s", rowkey_list(pool, w->key, "")), NULL, &t->seen_first, &t->seen_next,
	       &unused);
	if (w->key->rowid) {
		const char *key = w->key->names[0];
		const char *stay = pool_printf(pool, "%s FROM %s WHERE (%s)", copy, w->source, filter);
		t->copy_first = pool_printf(pool, "%s AND %s<=?2 ORDER BY %s", stay, key, key);
		t->copy_next = pool_printf(pool, "%s AND %s>?1 AND %s<=?2 ORDER BY %s", stay, key, key, key);
		return;
	}
	ranges(w, "SELECT *", NULL, &all, &behind, &unused);
	t->copy_first = pool_printf(pool, "%s FROM (%s) AS %s WHERE (%s)", copy, all, w->table, filter);
	t->copy_next = pool_printf(pool, "%s FROM (%s) AS %s WHERE (%s)", copy, behind, w->table, filter);
}

static void copying(struct writing *w, struct texts *t)
{
	struct pool *pool = w->pool;
	const struct plan *plan = w->plan;
	const char *to = plan->copy_rowid ? plan->shadow_key.names[0] : "",
		   *from = plan->copy_rowid ? plan->source_key.names[0] : "";
	const char *copy = pool_printf(pool, "INSERT OR ABORT INTO main.%s(%s) SELECT %s",
				       quote_name(pool, plan->shadow), both(pool, to, joined(pool, plan, 0)),
				       both(pool, from, joined(pool, plan, 1)));

	ranges(w, copy, plan->filter, &t->copy_first, &t->copy_next, &t->copy_one);
	if (plan->filter)
		copying_filtered(w, copy, t);
}

static const struct plan_column *column_of(const struct plan *plan, struct pool *pool, const char *quoted)
{
	for (size_t i = 0; i < plan->ncolumns; i++)
		if (strcmp(quote_name(pool, plan->columns[i].name), quoted) == 0)
			return &plan->columns[i];
	return NULL;
}

/* The key map is filled beside the shadow, and leads from a key to the shadow's row. */
static void mapping(struct writing *w, struct texts *t)
{
	struct pool *pool = w->pool;
	const struct plan *plan = w->plan;
	const char *columns = rowkey_list(pool, &plan->map_key, ""), *values = rowkey_list(pool, w->key, "");
	const char *where = "";

	for (size_t i = 0; i < plan->shadow_key.n; i++) {
		const struct plan_column *c = column_of(plan, pool, plan->shadow_key.names[i]);
		CHECK(c);
		columns = pool_printf(pool, "%s,k%zu", columns, w->n + i);
		values = pool_printf(pool, "%s,%s", values, c->lenient);
		where = pool_printf(pool, "%s%s%s COLLATE %s=(SELECT k%zu FROM %s WHERE %s)", where, i ? " AND " : "",
				    plan->shadow_key.names[i], plan->shadow_key.collations[i], w->n + i, w->map,
				    rowkey_equals(pool, &plan->map_key, "", 1));
	}
	ranges(w,
	       pool_printf(pool, "INSERT OR ABORT INTO main.%s(%s) SELECT %s", quote_name(pool, plan->key_map), columns,
			   values),
	       plan->filter, &t->map_first, &t->map_next, &t->map_one);
	t->delete_one = pool_printf(pool, "DELETE FROM %s WHERE %s", w->shadow, where);
	t->unmap_one = pool_printf(pool, "DELETE FROM %s WHERE %s", w->map, rowkey_equals(pool, &plan->map_key, "", 1));
}

/* The shadow in the order of the source's keys: by itself, or found through the key map. */
static void shadow_side(struct writing *w, struct texts *t)
{
	struct pool *pool = w->pool;
	const struct plan *plan = w->plan;
	const struct rowkey_shape *key = plan->key_map ? &plan->map_key : &plan->shadow_key;
	const char *table = quote_name(pool, plan->key_map ? plan->key_map : plan->shadow);
	const char *alias = plan->key_map ? "m." : "", *join = "", *with = "";
	const char *head = pool_printf(pool, "SELECT %s",
				       both(pool, rowkey_list(pool, key, alias), joined(pool, plan, 0)));
	struct rowkey_rows rows;

	for (size_t i = 0; plan->key_map && i < plan->shadow_key.n; i++)
		join = pool_printf(pool, "%ss.%s COLLATE %s=m.k%zu AND ", join, plan->shadow_key.names[i],
				   plan->shadow_key.collations[i], w->n + i);
	if (plan->key_map)
		with = pool_printf(pool, " CROSS JOIN main.%s s %s", quote_name(pool, plan->shadow),
				   plan->shadow_key.access);
	const char *all = pool_printf(pool, "%s FROM main.%s %s%s%s WHERE %s", head, table, plan->key_map ? "m " : "",
				      key->access, with, join);
	rowkey_behind(pool, key, table, plan->key_map ? "m" : NULL, 1, &rows);
	t->shadow_first = pool_printf(pool, "%s1 ORDER BY %s", all, rowkey_order(pool, key, alias, false));
	t->shadow_next = pool_printf(pool, "%s FROM %s%s WHERE %s%s%s", head, rows.from, with, join, rows.where,
				     rows.order);
	t->shadow_one = pool_printf(pool, "%s%s", all, rowkey_equals(pool, key, alias, 1));
	t->last_key = pool_printf(pool, "SELECT %s FROM %s ORDER BY %s LIMIT 1", rowkey_list(pool, key, ""),
				  plan->key_map ? w->map : w->shadow, rowkey_order(pool, key, "", true));
}

void texts_make(struct migration *m)
{
	struct pool *pool = &m->pool;
	const struct plan *plan = m->plan;
	struct texts *t = &m->texts;
	const char *unused = NULL;
	struct writing w = {.pool = pool,
			    .plan = plan,
			    .key = &plan->source_key,
			    .table = quote_name(pool, plan->table),
			    .n = plan->source_key.n};

	*t = (struct texts){0};
	w.source = pool_printf(pool, "main.%s %s", w.table, plan->source_key.access);
	w.shadow = pool_printf(pool, "main.%s %s", quote_name(pool, plan->shadow), plan->shadow_key.access);
	copying(&w, t);
	if (plan->key_map) {
		w.map = pool_printf(pool, "main.%s", quote_name(pool, plan->key_map));
		mapping(&w, t);
	} else {
		t->delete_one = pool_printf(pool, "DELETE FROM %s WHERE %s", w.shadow,
					    rowkey_equals(pool, &plan->shadow_key, "", 1));
	}
	ranges(&w, pool_printf(pool, "SELECT %s", both(pool, rowkey_list(pool, w.key, ""), joined(pool, plan, 2))),
	       plan->filter, &t->source_first, &t->source_next, &t->source_one);
	shadow_side(&w, t);
	ranges(&w, pool_printf(pool, "SELECT %s", rowkey_list(pool, w.key, "")), plan->filter, &t->keys_first,
	       &t->keys_next, &unused);
	t->compare = rowkey_compare(pool, w.key);
}
