/*
 * One action of ALTER TABLE on the CREATE TABLE text. What this version cannot do yet is refused here, with the reason.
 */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/ddl.h"
#include "daemon/migrate/plan_internal.h"

static int refuse_column(struct planning *p, const char *name, const char *why)
{
	return error_set(p->err, ERRC_MIGRATION_INVALID, "column %.100s of %.100s %s", name, p->source->name, why);
}

static struct column_map *find_map(struct planning *p, const char *name)
{
	for (size_t i = 0; i < p->nmap; i++)
		if (strcasecmp(p->map[i].name, name) == 0)
			return &p->map[i];
	return NULL;
}

/* A child's values are those of the parent: what becomes of them is the same, too. */
static int check_referred(struct planning *p, const struct schema_fk *f, const struct schema_column *c,
			  enum affinity to)
{
	struct schema_table *child = NULL;

	if (schema_read(p->pool, p->db, f->child, &child, p->err) != 0)
		return -1;
	int at = schema_find_column(child, f->from);
	enum affinity a = at >= 0 ? child->columns[at].affinity : AFFINITY_BLOB, b = c->affinity;
	bool numeric = (a == AFFINITY_INTEGER || a == AFFINITY_NUMERIC) &&
		       (b == AFFINITY_INTEGER || b == AFFINITY_NUMERIC);
	/* Text that becomes the number it shows is found by the text as well as by the number. */
	bool shown = b == AFFINITY_TEXT && !p->options->allow_data_loss &&
		     (to == AFFINITY_INTEGER || to == AFFINITY_NUMERIC || to == AFFINITY_REAL);
	if (a == b || numeric || shown)
		return 0;
	return error_set(
		p->err, ERRC_MIGRATION_INVALID,
		"column %.100s of %.100s is referred to by %.100s(%.100s), which has another type: change that first",
		c->name, p->source->name, f->child, f->from);
}

/* True if foreign keys refer to the column. */
static bool is_referred(const struct planning *p, const struct schema_column *c, size_t i)
{
	const struct schema_fk *f = &p->source->children[i];
	/* Without a name it is the primary key, whose parts follow each other in both. */
	size_t first = i;
	while (first > 0 && f[0].id == p->source->children[first - 1].id &&
	       strcmp(f->child, p->source->children[first - 1].child) == 0)
		first--;
	return f->to ? strcasecmp(f->to, c->name) == 0 : c->pk == (int)(i - first) + 1;
}

int plan_check_references(struct planning *p, int source, const char *using, bool collate, enum affinity to)
{
	const struct schema_table *t = p->source;

	for (size_t i = 0; source >= 0 && i < t->nchildren; i++) {
		const struct schema_column *c = &t->columns[source];
		if (!is_referred(p, c, i))
			continue;
		if (using || collate)
			return error_set(p->err, ERRC_MIGRATION_INVALID,
					 "column %.100s of %.100s is referred to by a foreign key of %.100s: %s",
					 c->name, t->name, t->children[i].child,
					 using ? "it takes no USING" : "it keeps its collation");
		if (check_referred(p, &t->children[i], c, to) != 0)
			return -1;
	}
	return 0;
}

static void take(struct planning *p, char *sql)
{
	p->sql = pool_str(p->pool, sql); /* the edit's text lives in a pool of its own */
	p->changed = true;
}

static bool same_type(struct pool *pool, const struct ddl *d, const struct ddl_item *it, const char *type)
{
	return strcasecmp(token_text(pool, &d->t, it->from + 1, it->type_to), type) == 0;
}

/* A new type is words, with a pair of sizes at most: no constraints hide in it. */
static int check_type_text(struct planning *p, struct pool *pool, const char *type)
{
	struct tokens t;
	if (tokenize(pool, type, strlen(type), &t, p->err) != 0)
		return -1;
	size_t i = 0;
	while (i < t.n && (t.at[i].kind == TOKEN_WORD || t.at[i].kind == TOKEN_QUOTED)) {
		static const char *const no[] = {"NOT",        "NULL",      "DEFAULT", "CHECK",
						 "UNIQUE",     "PRIMARY",   "COLLATE", "REFERENCES",
						 "CONSTRAINT", "GENERATED", "AS"};
		for (size_t k = 0; k < sizeof(no) / sizeof(no[0]); k++)
			if (token_is(&t, i, no[k]))
				return error_set(p->err, ERRC_MIGRATION_INVALID, "%s cannot stand in a TYPE", no[k]);
		i++;
	}
	if (i > 0 && token_punct(&t, i, '('))
		i = token_close(&t, i) + 1;
	return i == t.n ? 0 : error_set(p->err, ERRC_MIGRATION_INVALID, "\"%.100s\" is not a type", type);
}

static int set_type(struct planning *p, const struct action *a, struct ddl *d, struct ddl_item *it,
		    struct column_map *m)
{
	if (check_type_text(p, d->pool, a->text) != 0)
		return -1;
	if (ddl_find(it, DDL_GENERATED) && a->using)
		return refuse_column(p, a->name, "is generated: it takes no USING");
	if ((a->using || m->source < 0 || schema_affinity(a->text) != p->source->columns[m->source].affinity) &&
	    plan_check_references(p, m->source, a->using, false, schema_affinity(a->text)) != 0)
		return -1;
	if (a->using)
		m->using = a->using;
	if (a->using || !same_type(d->pool, d, it, a->text))
		take(p, ddl_set_type(d, it, a->text));
	return 0;
}

static int set_not_null(struct planning *p, const struct action *a, struct ddl *d, struct ddl_item *it)
{
	(void)a;
	if (ddl_find(it, DDL_NOT_NULL))
		return 0;
	char *sql = ddl_drop_constraints(d, it, DDL_NULL);
	struct ddl again;
	if (ddl_parse(d->pool, sql, &again, p->err) != 0)
		return -1;
	const struct ddl_item *same = ddl_column(&again, it->name);
	if (same)
		take(p, ddl_add_constraint(&again, same, "NOT NULL"));
	return 0;
}

static int drop_kind(struct planning *p, struct ddl *d, struct ddl_item *it, enum ddl_constraint_kind kind)
{
	if (ddl_find(it, kind))
		take(p, ddl_drop_constraints(d, it, kind));
	return 0;
}

static int set_default(struct planning *p, const struct action *a, struct ddl *d, struct ddl_item *it)
{
	const struct ddl_constraint *old = ddl_find(it, DDL_DEFAULT);
	struct tokens t;

	if (ddl_find(it, DDL_GENERATED))
		return refuse_column(p, a->name, "is generated: it takes no DEFAULT");
	if (tokenize(d->pool, a->text, strlen(a->text), &t, p->err) != 0)
		return -1;
	/* SQLite takes a literal or an expression in parentheses; PostgreSQL any expression. */
	bool sign = token_punct(&t, 0, '-') || token_punct(&t, 0, '+');
	bool plain = (t.n == (sign ? 2U : 1U) && t.at[t.n - 1].kind != TOKEN_PUNCT) ||
		     (token_punct(&t, 0, '(') && token_close(&t, 0) == t.n - 1);
	char *text = pool_printf(d->pool, plain ? "DEFAULT %s" : "DEFAULT (%s)", a->text);
	if (old && strcmp(token_text(d->pool, &d->t, old->key, old->to), text) == 0)
		return 0;
	take(p, old ? ddl_set_constraint(d, old, text) : ddl_add_constraint(d, it, text));
	return 0;
}

static int set_collate(struct planning *p, const struct action *a, struct ddl *d, struct ddl_item *it,
		       const struct column_map *m)
{
	const struct ddl_constraint *old = ddl_find(it, DDL_COLLATE);
	struct tokens t;

	if (tokenize(d->pool, a->text, strlen(a->text), &t, p->err) != 0)
		return -1;
	if (t.n != 1 || !token_name(&t, 0))
		return error_set(p->err, ERRC_MIGRATION_INVALID, "\"%.100s\" is not a collation", a->text);
	char *text = pool_printf(d->pool, "COLLATE %s", a->text);
	if (old && strcasecmp(token_text(d->pool, &d->t, old->key, old->to), text) == 0)
		return 0;
	if (plan_check_references(p, m->source, NULL, true, AFFINITY_BLOB) != 0)
		return -1;
	p->must_copy = true;
	take(p, old ? ddl_set_constraint(d, old, text) : ddl_add_constraint(d, it, text));
	return 0;
}

static int add_column(struct planning *p, const struct action *a, struct ddl *d)
{
	if (find_map(p, a->name))
		return refuse_column(p, a->name, "exists already");
	char *definition = pool_printf(d->pool, "%s %s", a->quoted_name, a->text);
	struct ddl again;
	if (ddl_parse(d->pool, ddl_add_column(d, definition), &again, p->err) != 0)
		return -1;
	struct ddl_item *it = ddl_column(&again, a->name);
	if (!it || ddl_columns(&again) != p->nmap + 1)
		return error_set(p->err, ERRC_MIGRATION_INVALID, "\"%.100s\" is not one column", definition);
	const struct ddl_constraint *key = ddl_find(it, DDL_PRIMARY_KEY);
	if (key && key->autoincrement)
		return refuse_column(p, a->name, "cannot get an AUTOINCREMENT: not yet possible");
	if (ddl_find(it, DDL_GENERATED) && a->using)
		return refuse_column(p, a->name, "is generated: it takes no USING");
	take(p, ddl_add_column(d, definition));
	p->map = pool_grow(p->pool, p->map, p->nmap, sizeof(*p->map));
	p->map[p->nmap++] = (struct column_map){.name = a->name, .source = -1, .using = a->using, .added = true};
	return 0;
}

/* Refuses to drop what other parts of the table use. A UNIQUE over the column goes with it, as its index does. */
static int drop_users(struct planning *p, const struct action *a, struct ddl *d, const struct ddl_item *column)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct ddl_item *it = &d->items[i];
		for (size_t k = 0; k < it->n && it != column; k++) {
			const struct ddl_constraint *c = &it->constraints[k];
			if (c->kind == DDL_GENERATED && plan_part_uses(p, d, c->from, c->to, a->name))
				return error_set(p->err, ERRC_MIGRATION_INVALID,
						 "column %.100s is used by the generated column %.100s", a->name,
						 it->name);
			if (c->kind == DDL_CHECK && plan_part_uses(p, d, c->from, c->to, a->name))
				return error_set(p->err, ERRC_MIGRATION_INVALID, "column %.100s is used by %s%.300s",
						 a->name, c->name ? "constraint " : "",
						 c->name ? c->name : token_text(d->pool, &d->t, c->key, c->to));
			if (it->name ||
			    (c->kind != DDL_UNIQUE && c->kind != DDL_REFERENCES && c->kind != DDL_PRIMARY_KEY))
				continue;
			size_t n = 0;
			const char **names = ddl_constraint_columns(d, c, &n);
			for (size_t j = 0; j < n; j++)
				if (c->kind != DDL_UNIQUE && strcasecmp(names[j], a->name) == 0)
					return refuse_column(p, a->name,
							     c->kind == DDL_REFERENCES ? "is part of a foreign key"
										       : "is part of the primary key");
		}
	}
	return 0;
}

/* A UNIQUE that has the column among its own. */
static bool is_over(const struct ddl *d, const struct ddl_constraint *c, const char *name)
{
	size_t n = 0;
	const char **names = c->kind == DDL_UNIQUE ? ddl_constraint_columns(d, c, &n) : NULL;

	for (size_t j = 0; j < n; j++)
		if (strcasecmp(names[j], name) == 0)
			return true;
	return false;
}

/* The table's own UNIQUE over the column; NULL if there is none. */
static const struct ddl_constraint *unique_over(const struct ddl *d, const char *name, const struct ddl_item **ret_item)
{
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->items[i].n && !d->items[i].name; k++)
			if (is_over(d, &d->items[i].constraints[k], name)) {
				*ret_item = &d->items[i];
				return &d->items[i].constraints[k];
			}
	return NULL;
}

static int drop_column(struct planning *p, const struct action *a, struct ddl *d, struct ddl_item *it,
		       struct column_map *m)
{
	const struct schema_table *t = p->source;

	if (p->nmap == 1)
		return refuse_column(p, a->name, "is the only one: it cannot be dropped");
	if (ddl_find(it, DDL_PRIMARY_KEY))
		return refuse_column(p, a->name, "is part of the primary key");
	for (size_t i = 0; m->source >= 0 && i < t->nchildren; i++)
		if (t->children[i].to && strcasecmp(t->children[i].to, t->columns[m->source].name) == 0)
			return error_set(p->err, ERRC_MIGRATION_INVALID,
					 "column %.100s is referenced by a foreign key of %.100s", a->name,
					 t->children[i].child);
	if (drop_users(p, a, d, it) != 0)
		return -1;
	struct ddl rest;
	if (ddl_parse(d->pool, ddl_drop_column(d, it), &rest, p->err) != 0)
		return -1;
	const struct ddl_item *holder = NULL;
	for (const struct ddl_constraint *c; (c = unique_over(&rest, a->name, &holder));)
		if (ddl_parse(d->pool, ddl_drop_part(&rest, holder, c), &rest, p->err) != 0)
			return -1;
	take(p, pool_dup(d->pool, rest.t.text, rest.t.at[rest.t.n].end));
	if (m->source >= 0 && t->columns[m->source].hidden == 0) {
		struct plan *plan = p->plan;
		plan->consent = pool_grow(p->pool, plan->consent, plan->nconsent, sizeof(*plan->consent));
		plan->consent[plan->nconsent++] = t->columns[m->source].name;
	}
	size_t at = (size_t)(m - p->map);
	memmove(m, m + 1, (p->nmap - at - 1) * sizeof(*m));
	p->nmap--;
	return 0;
}

static int add_constraint(struct planning *p, const struct action *a, struct ddl *d)
{
	struct ddl again;
	size_t before = ddl_columns(d);

	if (ddl_parse(d->pool, ddl_add_part(d, a->text), &again, p->err) != 0)
		return -1;
	const struct ddl_item *it = &again.items[again.n - 1];
	if (it->name || ddl_columns(&again) != before || it->n != 1)
		return error_set(p->err, ERRC_MIGRATION_INVALID, "\"%.100s\" is not one constraint", a->text);
	if (ddl_mentions(&again, it->constraints[0].from, it->constraints[0].to, "AUTOINCREMENT"))
		return error_set(p->err, ERRC_MIGRATION_INVALID, "adding AUTOINCREMENT is not yet possible");
	take(p, ddl_add_part(d, a->text));
	return 0;
}

/* The first constraint of that name, for DROP PRIMARY KEY that one; and how many there are: SQLite allows it twice. */
static size_t find_constraint(const struct ddl *d, const struct action *a, const struct ddl_item **ret_item,
			      const struct ddl_constraint **ret)
{
	size_t found = 0;

	for (size_t i = 0; i < d->n; i++) {
		for (size_t k = 0; k < d->items[i].n; k++) {
			const struct ddl_constraint *c = &d->items[i].constraints[k];
			if (a->kind == ACTION_DROP_PRIMARY_KEY ? c->kind != DDL_PRIMARY_KEY
							       : !c->name || strcasecmp(c->name, a->name) != 0)
				continue;
			if (found++ == 0) {
				*ret_item = &d->items[i];
				*ret = c;
			}
		}
	}
	return found;
}

static int drop_constraint(struct planning *p, const struct action *a, struct ddl *d)
{
	const struct ddl_item *item = NULL;
	const struct ddl_constraint *c = NULL;
	size_t found = find_constraint(d, a, &item, &c);
	const char *name = a->name ? a->name : "PRIMARY KEY";

	if (found == 0)
		return error_set(p->err, ERRC_MIGRATION_INVALID, "no constraint %.100s in %.100s", name,
				 p->source->name);
	if (found > 1)
		return error_set(p->err, ERRC_MIGRATION_INVALID, "%zu constraints of %.100s have the name %.100s",
				 found, p->source->name, name);
	if (c->kind == DDL_GENERATED)
		return error_set(p->err, ERRC_MIGRATION_INVALID,
				 "dropping constraint %.100s is not yet possible in this version", name);
	p->plan->drops_sequence = p->plan->drops_sequence || (c->kind == DDL_PRIMARY_KEY && c->autoincrement);
	take(p, ddl_drop_part(d, item, c));
	return 0;
}

static int edit_column(struct planning *p, const struct action *a, struct ddl *d)
{
	struct ddl_item *it = ddl_column(d, a->name);
	struct column_map *m = find_map(p, a->name);
	if (!it || !m)
		return error_set(p->err, ERRC_MIGRATION_INVALID, "no such column: %.100s of %.100s", a->name,
				 p->source->name);
	switch (a->kind) {
	case ACTION_TYPE:
		return set_type(p, a, d, it, m);
	case ACTION_SET_NOT_NULL:
		return set_not_null(p, a, d, it);
	case ACTION_DROP_NOT_NULL:
		return drop_kind(p, d, it, DDL_NOT_NULL);
	case ACTION_SET_DEFAULT:
		return set_default(p, a, d, it);
	case ACTION_DROP_DEFAULT:
		return drop_kind(p, d, it, DDL_DEFAULT);
	case ACTION_SET_COLLATE:
		return set_collate(p, a, d, it, m);
	default:
		return drop_column(p, a, d, it, m);
	}
}

static int edit(struct planning *p, const struct action *a, struct ddl *d)
{
	switch (a->kind) {
	case ACTION_ADD_COLUMN:
		return add_column(p, a, d);
	case ACTION_ADD_CONSTRAINT:
		return add_constraint(p, a, d);
	case ACTION_DROP_CONSTRAINT:
	case ACTION_DROP_PRIMARY_KEY:
		return drop_constraint(p, a, d);
	case ACTION_UPDATE:
		return plan_update(p, a);
	case ACTION_DELETE:
		return plan_delete(p, a);
	case ACTION_RENAME_COLUMN:
	case ACTION_RENAME_TABLE:
		return plan_rename(p, a);
	case ACTION_SET_STRICT:
	case ACTION_DROP_STRICT:
		if (d->strict != (a->kind == ACTION_SET_STRICT))
			take(p, ddl_set_options(d, d->without_rowid, !d->strict));
		return 0;
	case ACTION_SET_WITHOUT_ROWID:
	case ACTION_DROP_WITHOUT_ROWID:
		if (d->without_rowid != (a->kind == ACTION_SET_WITHOUT_ROWID))
			take(p, ddl_set_options(d, !d->without_rowid, d->strict));
		return 0;
	default:
		return edit_column(p, a, d);
	}
}

int plan_edit(struct planning *p, const struct action *a)
{
	struct pool scratch = {0};
	struct ddl d;

	int rc = ddl_parse(&scratch, p->sql, &d, p->err);
	if (rc == 0)
		rc = edit(p, a, &d);
	pool_free(&scratch);
	return rc;
}
