/*
 * By what a row is found in source and shadow.
 *
 * The source's key is its rowid, or the PRIMARY KEY of a table WITHOUT ROWID (or whose rowid has no name). The shadow's
 * has the same values where that can be. Where it cannot - another column becomes the rowid or the PRIMARY KEY - a
 * table, the key map, says for each key of the source which row of the shadow came of it.
 */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/plan_internal.h"
#include "proto/buf.h"

/* RETIRING and ABORT empty and drop what has a name like this. */
#define KEY_MAP_NAME "%s_o_keys"

/* The shadow's automatic index that answers to one of the target. */
static const char *shadow_index(struct planning *p, const char *name)
{
	size_t n = strlen("sqlite_autoindex_") + strlen(p->source->name);
	return pool_printf(p->pool, "INDEXED BY %s",
			   quote_name(p->pool, pool_printf(p->pool, "sqlite_autoindex_%s%s", p->plan->shadow,
							   strlen(name) > n ? name + n : "")));
}

/* The rowid is the same in both: no column takes its place, or one that is the rowid already. */
static bool rowid_stays(const struct planning *p, const struct schema_table *target)
{
	if (!p->plan->source_key.rowid || !target->rowid)
		return false;
	if (target->alias < 0)
		return true;
	const struct column_map *m = &p->map[target->alias];
	if (m->using)
		return false;
	/* A new INTEGER PRIMARY KEY numbers the rows as they were numbered all along. */
	return m->source < 0 ? !target->columns[target->alias].dflt : m->source == p->source->alias;
}

static int shadow_key(struct planning *p, const struct schema_table *target, struct rowkey_shape *ret)
{
	const struct schema_index *x = target->without_rowid ? &target->primary : NULL;

	for (size_t i = 0; !x && i < target->nindexes; i++)
		if (target->indexes[i].origin == 'p')
			x = &target->indexes[i];
	if (rowid_stays(p, target)) {
		rowkey_of_column(p->pool, target->rowid, target->alias, ret);
	} else if (target->alias >= 0) {
		rowkey_of_column(p->pool, target->columns[target->alias].name, target->alias, ret);
		ret->rowid = false;
	} else if (x) {
		rowkey_of_index(p->pool, target, x, ret);
		ret->access = x->name ? shadow_index(p, x->name) : "NOT INDEXED";
	} else {
		return error_set(
			p->err, ERRC_MIGRATION_INVALID,
			"%.200s would have neither a PRIMARY KEY nor the rowid it has: DROP WITHOUT ROWID first, "
			"then drop the key",
			p->source->name);
	}
	return 0;
}

static bool numeric(enum affinity a) { return a == AFFINITY_INTEGER || a == AFFINITY_NUMERIC; }

/* Part i of both keys: the same column, stored and compared the same way. */
static bool same_part(const struct planning *p, const struct schema_table *target, size_t i)
{
	const struct rowkey_shape *a = &p->plan->source_key, *b = &p->plan->shadow_key;
	const struct column_map *m = &p->map[b->columns[i]];
	enum affinity to = target->columns[b->columns[i]].affinity;

	if (m->using || m->source < 0 || m->source != a->columns[i] || a->desc[i] != b->desc[i])
		return false;
	enum affinity from = p->source->columns[m->source].affinity;
	return (from == to || (numeric(from) && numeric(to))) &&
	       (a->rowid || strcasecmp(a->collations[i], b->collations[i]) == 0);
}

static bool same_key(const struct planning *p, const struct schema_table *target)
{
	const struct rowkey_shape *a = &p->plan->source_key, *b = &p->plan->shadow_key;

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same_part(p, target, i))
			return false;
	return true;
}

/* The map's own key: the source's values in the source's order. */
static void map_shape(struct planning *p, struct rowkey_shape *ret)
{
	struct pool *pool = p->pool;

	*ret = p->plan->source_key;
	ret->access = "NOT INDEXED";
	ret->names = pool_alloc(pool, (ret->n + 1) * sizeof(*ret->names));
	ret->plain = pool_alloc(pool, ret->n + 1);
	for (size_t i = 0; i < ret->n; i++) {
		ret->names[i] = pool_printf(pool, "k%zu", i);
		ret->plain[i] = true;
	}
}

static int plan_key_map(struct planning *p, const struct schema_table *target)
{
	struct plan *plan = p->plan;
	struct buf columns = {0}, keys = {0};

	map_shape(p, &plan->map_key);
	for (size_t i = 0; i < plan->map_key.n; i++) {
		buf_printf(&columns, "k%zu COLLATE %s,", i, plan->map_key.collations[i]);
		buf_printf(&keys, "%sk%zu%s", i ? "," : "", i, plan->map_key.desc[i] ? " DESC" : "");
	}
	for (size_t i = 0; i < plan->shadow_key.n; i++) {
		const struct schema_column *c = &target->columns[plan->shadow_key.columns[i]];
		buf_printf(&columns, "k%zu,", plan->map_key.n + i);
		/* A NULL would be a row nobody finds again. */
		if (!c->notnull && plan->shadow_key.columns[i] != target->alias) {
			buf_free(&columns);
			buf_free(&keys);
			return error_set(
				p->err, ERRC_MIGRATION_INVALID,
				"column %.100s may be NULL and would be all that rows are known by: say SET NOT "
				"NULL as well",
				c->name);
		}
	}
	plan->key_map = pool_printf(p->pool, KEY_MAP_NAME, plan->shadow);
	plan->key_map_sql = pool_printf(p->pool, "CREATE TABLE main.%s(%sPRIMARY KEY(%s)) WITHOUT ROWID",
					quote_name(p->pool, plan->key_map), buf_cstr(&columns), buf_cstr(&keys));
	buf_free(&columns);
	buf_free(&keys);
	return 0;
}

int plan_keys(struct planning *p, const struct schema_table *target)
{
	struct plan *plan = p->plan;

	if (shadow_key(p, target, &plan->shadow_key) != 0)
		return -1;
	plan->copy_rowid = rowid_stays(p, target);
	if (plan->copy_rowid || same_key(p, target))
		return 0;
	return plan_key_map(p, target);
}

/* --- what children refer to --- */

static bool listed(const struct schema_table *t, const struct schema_key *keys, size_t nkeys, const char *const *names,
		   size_t n)
{
	size_t found = 0;
	for (size_t i = 0; i < nkeys; i++)
		for (size_t k = 0; k < n; k++)
			found += keys[i].column >= 0 && strcasecmp(t->columns[keys[i].column].name, names[k]) == 0;
	return nkeys == n && found == n;
}

/* True if the table keeps these columns unique: its rowid, its key, or an index. */
bool plan_unique_columns(const struct schema_table *t, const char *const *names, size_t n)
{
	if (n == 1 && t->alias >= 0 && strcasecmp(t->columns[t->alias].name, names[0]) == 0)
		return true;
	if (t->without_rowid && listed(t, t->primary.keys, t->primary.nuser, names, n))
		return true;
	for (size_t i = 0; i < t->nindexes; i++)
		if (t->indexes[i].unique && !t->indexes[i].partial &&
		    listed(t, t->indexes[i].keys, t->indexes[i].nuser, names, n))
			return true;
	return false;
}

/* The primary key's columns in their order; *ret_n of them. */
const char **plan_primary_columns(struct pool *pool, const struct schema_table *t, size_t *ret_n)
{
	const char **names = pool_alloc(pool, (t->ncolumns + 1) * sizeof(*names));
	*ret_n = 0;
	for (size_t i = 0; i < t->ncolumns; i++) {
		if (t->columns[i].pk > 0) {
			names[t->columns[i].pk - 1] = t->columns[i].name;
			++*ret_n;
		}
	}
	return names;
}

/* One foreign key of a child, from its first column on. Its other columns follow it. */
static int check_child(struct planning *p, const struct schema_table *target, size_t first)
{
	const struct schema_fk *fk = &p->source->children[first];
	const char **names = NULL;
	size_t n = 0, nprimary = 0, columns = 0;
	const char **primary = plan_primary_columns(p->pool, target, &nprimary);

	for (size_t i = first; i < p->source->nchildren; i++) {
		const struct schema_fk *f = &p->source->children[i];
		if (f->id != fk->id || strcmp(f->child, fk->child) != 0)
			break;
		columns++;
		if (!f->to)
			continue;
		const char *name = f->to;
		int source = schema_find_column(p->source, f->to);
		for (size_t k = 0; k < p->nmap; k++)
			if (source >= 0 && p->map[k].source == source)
				name = p->map[k].name;
		names = pool_grow(p->pool, names, n, sizeof(*names));
		names[n++] = name;
	}
	if (n == 0 ? nprimary == columns && plan_unique_columns(target, primary, nprimary)
		   : plan_unique_columns(target, names, n))
		return 0;
	return error_set(p->err, ERRC_MIGRATION_INVALID,
			 "the foreign key of %.100s refers to columns of %.100s that would no longer be unique",
			 fk->child, p->source->name);
}

int plan_check_parent_keys(struct planning *p, const struct schema_table *target)
{
	for (size_t i = 0; i < p->source->nchildren; i++) {
		const struct schema_fk *f = &p->source->children[i], *before = i ? f - 1 : NULL;
		if (before && before->id == f->id && strcmp(before->child, f->child) == 0)
			continue;
		if (check_child(p, target, i) != 0)
			return -1;
	}
	return 0;
}

/* --- after a restart --- */

int plan_resume(struct pool *pool, sqlite3 *db, const char *table, const char *shadow, struct plan **ret,
		struct error *err)
{
	struct plan *plan = pool_alloc(pool, sizeof(*plan));
	struct schema_table *copy = NULL, *map = NULL;
	struct error none = {0};

	if (schema_read(pool, db, table, &plan->source, err) != 0 || schema_read(pool, db, shadow, &copy, err) != 0)
		return -1;
	plan->table = plan->source->name;
	plan->shadow = shadow;
	rowkey_of_table(pool, plan->source, &plan->source_key);
	rowkey_of_table(pool, copy, &plan->shadow_key);
	if (plan->source_key.n == 0)
		return error_set(err, ERRC_FAILED_MIGRATION, "the rows of %.200s can no longer be told apart", table);
	const char *name = pool_printf(pool, KEY_MAP_NAME, shadow);
	if (schema_read(pool, db, name, &map, &none) == 0)
		plan->key_map = name;
	else if (none.code != errc_code(ERRC_NOT_FOUND))
		return error_move(err, &none), -1;
	error_clear(&none);
	*ret = plan;
	return 0;
}
