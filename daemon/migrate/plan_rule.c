/*
 * What the rows must satisfy that neither a column's type nor the shadow itself looks after, and whether that is all
 * there is to do.
 *
 * A foreign key that is new, or whose own columns get other values, is a rule: the shadow has no foreign keys. Rules
 * are conditions over rows of the source; where they look up another table (or this one), a key that goes from there
 * makes them be asked again (plan_watch).
 *
 * A change that leaves every value and every index as it is needs no copy: the table's text in sqlite_schema is
 * exchanged, at once, or after a look at the rows.
 */
#include <string.h>
#include <strings.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/ddl.h"
#include "daemon/migrate/plan_internal.h"

static void add_rule(struct planning *p, struct plan_rule rule)
{
	struct plan *plan = p->plan;
	plan->rules = pool_grow(p->pool, plan->rules, plan->nrules, sizeof(rule));
	plan->rules[plan->nrules++] = rule;
}

static const struct plan_column *column_of(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->ncolumns; i++)
		if (strcasecmp(plan->columns[i].name, name) == 0)
			return &plan->columns[i];
	return NULL;
}

static const struct column_map *map_of(const struct planning *p, const char *name)
{
	for (size_t i = 0; i < p->nmap; i++)
		if (strcasecmp(p->map[i].name, name) == 0)
			return &p->map[i];
	return NULL;
}

/* One foreign key of the target: n rows of its list. */
struct foreign {
	const struct schema_fk *at;
	size_t n;
	bool self;
	const struct schema_table *parent;
	const char **keys; /* columns of the parent as it stands */
};

static bool self_reference(const struct planning *p, const struct schema_fk *fk)
{
	return strcasecmp(fk->parent, p->source->name) == 0;
}

/* The source had it already, over the same columns. */
static bool known(const struct planning *p, const struct foreign *f)
{
	const struct schema_table *s = p->source;

	for (size_t i = 0; i + f->n <= s->nparents; i++) {
		bool same = true;
		for (size_t k = 0; same && k < f->n; k++) {
			const struct schema_fk *a = &s->parents[i + k], *b = &f->at[k];
			const struct column_map *from = map_of(p, b->from),
						*to = f->self && b->to ? map_of(p, b->to) : NULL;
			const char *wanted = to && to->source >= 0 ? s->columns[to->source].name : b->to;
			same = a->id == s->parents[i].id && strcasecmp(a->parent, b->parent) == 0 && from &&
			       from->source >= 0 && strcasecmp(s->columns[from->source].name, a->from) == 0 &&
			       (a->to && wanted ? strcasecmp(a->to, wanted) == 0 : !a->to && !wanted);
		}
		bool whole = i + f->n == s->nparents || s->parents[i + f->n].id != s->parents[i].id;
		bool begins = i == 0 || s->parents[i - 1].id != s->parents[i].id;
		if (same && whole && begins)
			return true;
	}
	return false;
}

/* True if a column of the child has other values than before. */
static bool mapped(const struct planning *p, const struct foreign *f)
{
	for (size_t k = 0; k < f->n; k++) {
		const struct plan_column *c = column_of(p->plan, f->at[k].from);
		if (c && c->mapped)
			return true;
	}
	return false;
}

/* What is referred to, by the names it has now. */
static int find_keys(struct planning *p, struct foreign *f)
{
	struct schema_table *parent = NULL;
	size_t n = 0;

	f->self = self_reference(p, f->at);
	if (f->self)
		f->parent = p->source;
	else if (schema_read(p->pool, p->db, f->at->parent, &parent, p->err) == 0)
		f->parent = parent;
	else
		return error_set(p->err, ERRC_MIGRATION_INVALID, "a foreign key refers to %.100s, which is no table",
				 f->at->parent);
	f->keys = plan_primary_columns(p->pool, f->parent, &n);
	if (f->at->to) {
		f->keys = pool_alloc(p->pool, (f->n + 1) * sizeof(*f->keys));
		for (n = 0; n < f->n; n++) {
			const struct column_map *m = f->self ? map_of(p, f->at[n].to) : NULL;
			f->keys[n] = m && m->source >= 0 ? p->source->columns[m->source].name : f->at[n].to;
		}
	}
	if (n == f->n && plan_unique_columns(f->parent, f->keys, n))
		return 0;
	return error_set(p->err, ERRC_MIGRATION_INVALID,
			 "a foreign key refers to columns of %.100s that are neither its key nor unique",
			 f->parent->name);
}

/* In what collation the parent finds a key's part. */
static const char *collation_of(struct planning *p, const struct foreign *f, size_t k)
{
	const struct schema_table *t = f->parent;

	for (size_t i = 0; i <= t->nindexes; i++) {
		const struct schema_index *x = i < t->nindexes ? &t->indexes[i] : &t->primary;
		if (!x->unique || x->partial || x->nuser != f->n)
			continue;
		for (size_t j = 0; j < x->nuser; j++)
			if (x->keys[j].column >= 0 && strcasecmp(t->columns[x->keys[j].column].name, f->keys[k]) == 0)
				return quote_name(p->pool, x->keys[j].collation);
	}
	return "\"BINARY\"";
}

static int add_watch(struct planning *p, const struct foreign *f)
{
	struct plan *plan = p->plan;
	const struct schema_table *t = f->parent;
	struct plan_watch w = {.table = t->name, .without_rowid = t->without_rowid, .n = f->n};

	if (plan->nwatches == PLAN_WATCH_MAX)
		return error_set(p->err, ERRC_MIGRATION_INVALID, "more than %d foreign keys at a time", PLAN_WATCH_MAX);
	w.declared = pool_alloc(p->pool, (f->n + 1) * sizeof(*w.declared));
	w.stored = pool_alloc(p->pool, (f->n + 1) * sizeof(*w.stored));
	for (size_t k = 0; k < f->n; k++) {
		w.declared[k] = w.stored[k] = schema_find_column(t, f->keys[k]);
		for (int i = 0; i < w.declared[k]; i++)
			w.stored[k] -= t->columns[i].hidden == 2;
	}
	w.rowid = f->n == 1 && t->alias >= 0 && w.declared[0] == t->alias;
	plan->watches = pool_grow(p->pool, plan->watches, plan->nwatches, sizeof(w));
	plan->watches[plan->nwatches++] = w;
	return 0;
}

/* What the child's column is of a row of the source; NULL: only the target knows. */
static const char *child_value(struct planning *p, const char *name)
{
	const struct plan_column *c = column_of(p->plan, name);
	const struct column_map *m = map_of(p, name);

	if (c)
		return c->lenient;
	/* Not copied: the rowid, or a generated column. */
	if (m && m->source >= 0)
		return quote_name(p->pool, p->source->columns[m->source].name);
	return p->plan->copy_rowid && p->plan->shadow_key.columns[0] >= 0 &&
			       strcasecmp(quote_name(p->pool, name),
					  quote_name(p->pool, p->map[p->plan->shadow_key.columns[0]].name)) == 0
		       ? p->plan->source_key.names[0]
		       : NULL;
}

/*
 * As SQLite looks a parent up: by the parent's type and collation. A + takes the child's own type out of the
 * comparison. The child's values are a row of their own, so that no name in them can be the parent's.
 */
static int foreign_rule(struct planning *p, const struct foreign *f)
{
	const char *values = "", *there = "", *equal = "", *first = NULL;

	CHECK(f->keys);
	for (size_t k = 0; k < f->n; k++) {
		const char *value = child_value(p, f->at[k].from);
		if (!value)
			return error_set(
				p->err, ERRC_MIGRATION_INVALID,
				"column %.100s is new and generated: a foreign key over it is not yet possible",
				f->at[k].from);
		first = first ? first : value;
		values = pool_printf(p->pool, "%s%s%s AS x%zu", values, k ? "," : "", value, k);
		there = pool_printf(p->pool, "%sv.x%zu IS NOT NULL AND ", there, k);
		equal = pool_printf(p->pool, "%s%sp.%s COLLATE %s=+v.x%zu", equal, k ? " AND " : "",
				    quote_name(p->pool, f->keys[k]), collation_of(p, f, k), k);
	}
	add_rule(p, (struct plan_rule){
			    .bad = pool_printf(p->pool,
					       "EXISTS(SELECT 1 FROM (SELECT %s) v WHERE %sNOT EXISTS(SELECT 1 FROM "
					       "main.%s p WHERE %s))",
					       values, there, quote_name(p->pool, f->parent->name), equal),
			    .value = first,
			    .column = f->at->from,
			    .reason = "FOREIGN KEY"});
	return add_watch(p, f);
}

/* Both ends in this table, and both change: the rows to compare with do not exist yet. */
static int both_ends(struct planning *p, const struct foreign *f)
{
	for (size_t k = 0; f->self && k < f->n; k++) {
		for (size_t i = 0; i < p->nmap; i++) {
			const struct plan_column *c = column_of(p->plan, p->map[i].name);
			if (p->map[i].source >= 0 && c && c->mapped &&
			    strcasecmp(p->source->columns[p->map[i].source].name, f->keys[k]) == 0)
				return error_set(
					p->err, ERRC_MIGRATION_INVALID,
					"column %.100s and the foreign key that refers to it change together: one "
					"after the other, please",
					c->name);
		}
	}
	return 0;
}

int plan_rules(struct planning *p, const struct schema_table *target)
{
	for (size_t i = 0; i < target->nparents;) {
		struct foreign f = {.at = &target->parents[i], .n = 1};
		while (i + f.n < target->nparents && target->parents[i + f.n].id == f.at->id)
			f.n++;
		i += f.n;
		f.self = self_reference(p, f.at);
		if (known(p, &f) && !mapped(p, &f))
			continue;
		if (find_keys(p, &f) != 0 || both_ends(p, &f) != 0 || foreign_rule(p, &f) != 0)
			return -1;
	}
	return 0;
}

/* --- without a copy --- */

static bool numeric(enum affinity a) { return a == AFFINITY_INTEGER || a == AFFINITY_NUMERIC; }

static bool same_columns(const struct planning *p, const struct schema_table *t)
{
	const struct schema_table *s = p->source;

	if (p->nmap != s->ncolumns || s->alias != t->alias || s->without_rowid != t->without_rowid)
		return false;
	for (size_t i = 0; i < p->nmap; i++) {
		const struct schema_column *a = &s->columns[i], *b = &t->columns[i];
		if (p->map[i].source != (int)i || p->map[i].using || a->hidden != b->hidden ||
		    (a->affinity != b->affinity && !(numeric(a->affinity) && numeric(b->affinity))))
			return false;
		/* What is generated is looked at by the copy alone. */
		if (a->hidden && (a->notnull != b->notnull || s->strict != t->strict))
			return false;
	}
	return true;
}

static bool same_index(const struct schema_index *a, const struct schema_index *b)
{
	if (a->unique != b->unique || a->partial != b->partial || a->nkeys != b->nkeys || a->nuser != b->nuser)
		return false;
	for (size_t i = 0; i < a->nkeys; i++)
		if (a->keys[i].column != b->keys[i].column || a->keys[i].desc != b->keys[i].desc ||
		    strcasecmp(a->keys[i].collation, b->keys[i].collation) != 0)
			return false;
	return true;
}

static bool same_indexes(const struct schema_table *a, const struct schema_table *b)
{
	if (a->nindexes != b->nindexes || (a->without_rowid && !same_index(&a->primary, &b->primary)))
		return false;
	for (size_t i = 0; i < a->nindexes; i++) {
		bool found = false;
		for (size_t k = 0; k < b->nindexes; k++)
			found = found || (strcasecmp(a->indexes[i].name, b->indexes[k].name) == 0 &&
					  same_index(&a->indexes[i], &b->indexes[k]));
		if (!found)
			return false;
	}
	return true;
}

static bool has_check(const struct ddl *d, const char *text)
{
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->items[i].n; k++) {
			const struct ddl_constraint *c = &d->items[i].constraints[k];
			if (c->kind == DDL_CHECK && strcmp(token_text(d->pool, &d->t, c->key, c->to), text) == 0)
				return true;
		}
	return false;
}

/* The condition can be asked of the table as it is. */
static bool compiles(struct planning *p, const char *bad)
{
	sqlite3_stmt *stmt = NULL;
	const char *sql = pool_printf(p->pool, "SELECT %s FROM main.%s", bad, quote_name(p->pool, p->source->name));
	bool ok = trial_ok(p, sqlite3_prepare_v2(p->db, sql, -1, &stmt, NULL));
	sqlite3_finalize(stmt);
	return ok;
}

/* A CHECK that is new becomes a rule. False: only a copy can try it. */
static bool check_rule(struct planning *p, const struct ddl *d, const struct ddl_constraint *c)
{
	size_t open = c->key + 1, close = token_close(&d->t, open);
	const char *text = token_text(p->pool, &d->t, open + 1, close);
	const char *expr = p->plan->nrenames ? plan_old_names(p, text) : text;
	struct plan_rule rule = {.bad = pool_printf(p->pool, "((\n%s\n) IS FALSE)", expr), .reason = "CHECK"};

	rule.constraint = c->name ? pool_str(p->pool, c->name) : text;
	if (close >= d->t.n || !compiles(p, rule.bad))
		return false;
	add_rule(p, rule);
	return true;
}

static bool check_rules(struct planning *p)
{
	struct pool scratch = {0};
	struct error none = {0};
	struct ddl before, after;
	bool ok = ddl_parse(&scratch, p->source->sql, &before, &none) == 0 &&
		  ddl_parse(&scratch, p->sql, &after, &none) == 0;

	for (size_t i = 0; ok && i < after.n; i++)
		for (size_t k = 0; ok && k < after.items[i].n; k++) {
			const struct ddl_constraint *c = &after.items[i].constraints[k];
			if (c->kind == DDL_CHECK && !has_check(&before, token_text(&scratch, &after.t, c->key, c->to)))
				ok = check_rule(p, &after, c);
		}
	error_clear(&none);
	pool_free(&scratch);
	return ok;
}

void plan_in_place(struct planning *p, const struct schema_table *target)
{
	struct plan *plan = p->plan;
	size_t nrules = plan->nrules;

	if (plan->data || plan->filter || p->must_copy || plan->ndropped || plan->nconsent ||
	    !same_columns(p, target) || !same_indexes(p->source, target) || !check_rules(p)) {
		plan->nrules = nrules;
		return;
	}
	bool look = plan->nrules > 0;
	for (size_t i = 0; i < plan->ncolumns; i++)
		look = look || plan->columns[i].check_null || plan->columns[i].refuse;
	plan->strategy = look ? STRATEGY_CHECK : STRATEGY_INSTANT;
	plan->shadow = plan->key_map = NULL;
}
