/* What a rebuild written by hand does not take along, of a script that runs exact; see script_kind.h. */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/script_kind.h"
#include "daemon/migrate/tokenize.h"

static bool names(struct pool *pool, const struct tokens *t, size_t i, const char *name)
{
	return token_name(t, i) && strcasecmp(token_unquote(pool, t, i), name) == 0;
}

static bool mentions(struct pool *pool, const struct tokens *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (names(pool, t, i, name))
			return true;
	return false;
}

/* A star that stands for columns, and is no product. */
static bool has_star(const struct tokens *t)
{
	for (size_t i = 1; i < t->n; i++)
		if (token_punct(t, i, '*') &&
		    (token_is(t, i - 1, "SELECT") || token_is(t, i - 1, "DISTINCT") || token_is(t, i - 1, "ALL") ||
		     token_punct(t, i - 1, ',') || token_punct(t, i - 1, '.')))
			return true;
	return false;
}

/* The part of the statement that is read: behind the list of columns that are written. */
static void skip_list(struct tokens *t)
{
	size_t i = 0;

	while (i < t->n && !token_is(t, i, "SELECT") && !token_is(t, i, "WITH"))
		i++;
	t->at += i;
	t->n -= i;
}

struct columns {
	struct pool *pool;
	const char *const *names;
	size_t n;
};

/* Statements [from, to) that read the table: what they take along is not left out. Marks those that are in ret[n]. */
static int mark_left(const struct columns *k, const struct script *script, const struct script_kind *kinds, size_t from,
		     size_t to, const char *table, bool *ret, struct error *err)
{
	bool *left = pool_alloc(k->pool, k->n + 1);

	memset(left, true, k->n);
	for (size_t i = from; i < to; i++) {
		struct tokens t;
		if (!kinds[i].copy_to)
			continue;
		if (tokenize(k->pool, script->at[i].sql, strlen(script->at[i].sql), &t, err) != 0)
			return -1;
		skip_list(&t);
		if (!mentions(k->pool, &t, table))
			continue;
		bool all = has_star(&t);
		for (size_t c = 0; c < k->n; c++)
			left[c] = left[c] && !all && !mentions(k->pool, &t, k->names[c]);
	}
	for (size_t c = 0; c < k->n; c++)
		ret[c] = ret[c] || left[c];
	return 0;
}

int script_left_out(struct pool *pool, const struct script *script, const struct script_kind *kinds, size_t at,
		    const char *const *columns, size_t n, bool *ret, struct error *err)
{
	struct columns k = {pool, columns, n};
	const char *way = kinds[at].by_way_of;

	memset(ret, false, n);
	if (mark_left(&k, script, kinds, 0, at, kinds[at].name, ret, err) != 0)
		return -1;
	return way ? mark_left(&k, script, kinds, at + 1, script->n, way, ret, err) : 0;
}
