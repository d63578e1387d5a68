/* A rebuild written by hand: what the values of the new table are. */
#include <string.h>
#include <strings.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/hand.h"

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

	PRE(h->words.values);
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
		return hand_refuse(h, "its rows would be numbered anew");
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

int hand_map(struct hand *h)
{
	struct planning *p = h->p;

	spread(h);
	for (size_t i = 0; i < h->words.ncolumns; i++)
		if (schema_find_column(h->target, h->words.columns[i]) < 0)
			return hand_refuse(h, "it sets the rowid");
	p->nmap = h->target->ncolumns;
	p->map = pool_alloc(p->pool, (p->nmap + 1) * sizeof(*p->map));
	for (size_t i = 0; i < p->nmap; i++)
		if (map_column(h, i, &p->map[i]) != 0)
			return -1;
	bool counted = false, counts = false;
	if (autoincrement(p, p->source->sql, &counted) != 0 || autoincrement(p, p->sql, &counts) != 0)
		return -1;
	if (counts && !counted)
		return hand_refuse(h, "AUTOINCREMENT is added");
	p->plan->drops_sequence = counted && !counts;
	p->must_copy = p->must_copy || p->plan->drops_sequence;
	return find_dropped(h);
}
