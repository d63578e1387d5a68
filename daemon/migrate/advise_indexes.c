/* Indexes that are there for nothing: another one begins with their columns. */
#include <string.h>

#include "daemon/migrate/advise.h"
#include "proto/response.h"

static bool same_key(const struct schema_key *a, const struct schema_key *b)
{
	return a->column >= 0 && a->column == b->column && a->desc == b->desc &&
	       sqlite3_stricmp(a->collation ? a->collation : "BINARY", b->collation ? b->collation : "BINARY") == 0;
}

/* Whatever `a` finds, `b` finds in the same order. One that is UNIQUE holds a rule, and stays. */
static bool covers(const struct schema_index *b, const struct schema_index *a)
{
	bool equal = a->nuser == b->nuser;

	if (a == b || a->origin != 'c' || a->partial || b->partial || a->nuser > b->nuser)
		return false;
	if (a->unique && !(equal && b->unique))
		return false;
	for (size_t k = 0; k < a->nuser; k++)
		if (!same_key(&a->keys[k], &b->keys[k]))
			return false;
	/* Of two that are the same, one is told: that which came later. */
	return !equal || b->origin != 'c' || (b->unique && !a->unique) || a > b;
}

void advise_redundant(struct pool *pool, const struct ideas *ideas, struct buf *out)
{
	jw_open(out, '[');
	for (size_t t = 0; t < ideas->ntables; t++) {
		const struct schema_table *table = ideas->tables[t];
		for (size_t a = 0; a < table->nindexes; a++)
			for (size_t b = 0; b < table->nindexes; b++) {
				if (!covers(&table->indexes[b], &table->indexes[a]))
					continue;
				jw_open(out, '{');
				jw_str(out, "index", table->indexes[a].name);
				jw_str(out, "table", table->name);
				jw_str(out, "covered_by", table->indexes[b].name);
				jw_str(out, "drop",
				       pool_printf(pool, "DROP INDEX %s", quote_name(pool, table->indexes[a].name)));
				jw_close(out, '}');
				break;
			}
	}
	jw_close(out, ']');
}
