/*
 * The mapping of columns: how each value of the target comes about from a row of the source, and what the target cannot
 * hold.
 */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/plan_internal.h"

/* What the mapping of an added column is where no USING says it. */
static int default_raw(struct planning *p, const struct schema_column *c, const char **ret)
{
	if (!c->dflt) {
		if (c->notnull && p->rows)
			return error_set(
				p->err, ERRC_MIGRATION_INVALID,
				"column %.100s is NOT NULL and has no default: say USING for the rows there are",
				c->name);
		*ret = "NULL";
		return 0;
	}
	if (try_default(p, c, ret, p->err) != 0)
		return -1;
	if (!*ret)
		return error_set(p->err, ERRC_MIGRATION_INVALID,
				 "the default of column %.100s is not constant: say USING for the rows there are",
				 c->name);
	return 0;
}

static bool numeric_pair(enum affinity a, enum affinity b)
{
	return (a == AFFINITY_INTEGER || a == AFFINITY_NUMERIC) && (b == AFFINITY_INTEGER || b == AFFINITY_NUMERIC);
}

/* The types a column of a STRICT table takes, as typeof() names them. NULL: every one. */
static const char *strict_types(const struct schema_column *c)
{
	if (strcasecmp(c->type, "ANY") == 0)
		return NULL;
	switch (c->affinity) {
	case AFFINITY_INTEGER:
		return "'integer','null'";
	case AFFINITY_REAL:
		return "'real','integer','null'";
	case AFFINITY_TEXT:
		return "'text','null'";
	default:
		return "'blob','null'";
	}
}

/* How raw is stored, and what its type cannot hold. `convert`: affinity has something to do. */
static void set_conversion(struct planning *p, const struct schema_table *target, const struct schema_column *c,
			   const struct schema_column *from, bool using, bool convert, struct plan_column *out)
{
	/* A default that is added is what SQLite makes of it. */
	bool careful = convert && (from || using) && !p->options->allow_data_loss;
	const char *kept = convert ? pool_printf(p->pool, "_alterd_keep(%s,%d,0)", out->raw, (int)c->affinity)
				   : out->raw;

	out->expr = out->lenient = kept;
	if (careful) {
		out->expr = pool_printf(p->pool, "_alterd_keep(%s,%d,1)", out->raw, (int)c->affinity);
		out->refuse = pool_printf(p->pool, "_alterd_lossy(%s,%d)", out->raw, (int)c->affinity);
	}
	/* ANY outside of a STRICT table is NUMERIC: what is no number stays what it is, and nobody asked for a type. */
	if (careful && !using && p->source->strict && !target->strict && strcasecmp(from->type, "ANY") == 0 &&
	    strcasecmp(c->type, "ANY") == 0) {
		out->refuse = pool_printf(p->pool, "(%s AND typeof(%s) IN ('integer','real'))", out->refuse, kept);
		out->expr = pool_printf(p->pool, "CASE WHEN %s THEN _alterd_keep(%s,%d,1) ELSE %s END", out->refuse,
					out->raw, (int)c->affinity, kept);
	}
	const char *types = target->strict ? strict_types(c) : NULL;
	if (types) {
		const char *wrong = pool_printf(p->pool, "typeof(%s) NOT IN (%s)", kept, types);
		out->refuse = out->refuse ? pool_printf(p->pool, "(%s OR %s)", out->refuse, wrong) : wrong;
	}
}

/* USING sees the old row; where columns are renamed beside it, by their new names as well. */
static int try_using(struct planning *p, const char **expr)
{
	struct error none = {0};
	const char *old = p->plan->nrenames ? plan_old_names(p, *expr) : *expr;

	if (old != *expr && try_expression(p, *expr, &none) != 0 && try_expression(p, old, p->err) == 0) {
		error_clear(&none);
		*expr = old;
		return 0;
	}
	error_clear(&none);
	error_clear(p->err);
	return try_expression(p, *expr, p->err);
}

static int map_column(struct planning *p, const struct schema_table *target, size_t i)
{
	const struct column_map *m = &p->map[i];
	const struct schema_column *c = &target->columns[i];
	struct plan_column out = {.name = c->name, .affinity = c->affinity};
	const struct schema_column *from = m->source >= 0 ? &p->source->columns[m->source] : NULL;
	bool convert = true;

	if (m->using) {
		const char *using = m->using;
		if (try_using(p, &using) != 0)
			return -1;
		out.raw = pool_printf(p->pool, "(\n%s\n)", using);
		out.mapped = true;
	} else if (from) {
		out.raw = quote_name(p->pool, from->name);
		convert = from->affinity != c->affinity && !numeric_pair(from->affinity, c->affinity);
		out.mapped = convert;
	} else {
		if (default_raw(p, c, &out.raw) != 0)
			return -1;
		out.mapped = true;
	}
	convert = convert && c->affinity != AFFINITY_BLOB;
	set_conversion(p, target, c, m->plain ? NULL : from, m->using && !m->plain, convert, &out);
	/* A key that is new has no NULLs; one that is there may have them, as SQLite lets it. */
	bool alias = (int)i == target->alias, key = c->pk && !(from && from->pk);
	out.check_null = (c->notnull || alias || key) && (m->using || !from || !from->notnull);
	if (alias) {
		/* NULL would be given a number: a BLOB is refused, in the same way as other values that are none. */
		out.expr = pool_printf(p->pool, "ifnull(%s,x'')", out.expr);
		out.refuse = pool_printf(p->pool, "typeof(%s) NOT IN ('integer','null')", out.lenient);
	}
	p->plan->columns = pool_grow(p->pool, p->plan->columns, p->plan->ncolumns, sizeof(out));
	p->plan->columns[p->plan->ncolumns++] = out;
	return 0;
}

int plan_map_columns(struct planning *p, const struct schema_table *target)
{
	struct plan *plan = p->plan;

	if (target->ncolumns != p->nmap)
		return error_set(p->err, ERRC_MIGRATION_INVALID,
				 "the changed table does not have the columns it should");
	for (size_t i = 0; i < p->nmap; i++) {
		const struct schema_column *c = &target->columns[i];
		if (strcasecmp(p->map[i].name, c->name) != 0)
			return error_set(p->err, ERRC_MIGRATION_INVALID,
					 "the changed table has its columns in another order");
	}
	if (plan_keys(p, target) != 0)
		return -1;
	for (size_t i = 0; i < p->nmap; i++) {
		/* The rowid is copied as such. */
		if (target->columns[i].hidden != 0 || (plan->copy_rowid && (int)i == target->alias))
			continue;
		if (map_column(p, target, i) != 0)
			return -1;
	}
	return plan_check_parent_keys(p, target);
}
