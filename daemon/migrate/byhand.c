/* The words of a rebuild written by hand; see byhand.h. */
#include "daemon/migrate/byhand.h"

#include <string.h>
#include <strings.h>

#include "daemon/migrate/tokenize.h"

/* What may stand in such a script. */
enum part { PART_NONE, PART_CREATE, PART_COPY, PART_DROP, PART_RENAME, PART_OBJECT };

struct reading {
	struct pool *pool;
	struct tokens t; /* of the statement in hand */
	size_t at;
	const char *alias; /* of FROM; NULL: none */
	struct byhand *out;
};

static bool take(struct reading *r, const char *word)
{
	bool there = token_is(&r->t, r->at, word);
	r->at += there;
	return there;
}

/* [main.]name */
static const char *take_name(struct reading *r)
{
	if (token_is(&r->t, r->at, "main") && token_punct(&r->t, r->at + 1, '.'))
		r->at += 2;
	return token_name(&r->t, r->at) ? token_unquote(r->pool, &r->t, r->at++) : NULL;
}

static bool is_object(const struct tokens *t)
{
	static const char *const kinds[] = {"INDEX", "UNIQUE", "TRIGGER", "VIEW"};
	bool object = false;

	if (!token_is(t, 0, "CREATE") && !token_is(t, 0, "DROP"))
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		object = object || token_is(t, 1, kinds[i]);
	return object;
}

static enum part part_of(const struct script_kind *k, const struct tokens *t)
{
	switch (k->what) {
	case SCRIPT_CREATE_TABLE:
		/* CREATE TABLE .. AS SELECT has no columns of its own. */
		for (size_t i = 0; i < t->n && !token_punct(t, i, '('); i++)
			if (token_is(t, i, "AS"))
				return PART_NONE;
		return PART_CREATE;
	case SCRIPT_DROP_TABLE:
		return PART_DROP;
	case SCRIPT_RENAME_TABLE:
		return PART_RENAME;
	default:
		break;
	}
	if (token_is(t, 0, "INSERT") && token_is(t, 1, "INTO"))
		return PART_COPY;
	return is_object(t) ? PART_OBJECT : PART_NONE;
}

/* (a, b, c) */
static bool read_columns(struct reading *r)
{
	struct byhand *out = r->out;

	if (!token_punct(&r->t, r->at, '('))
		return true;
	do {
		r->at++;
		if (!token_name(&r->t, r->at))
			return false;
		out->columns = pool_grow(r->pool, out->columns, out->ncolumns, sizeof(*out->columns));
		out->columns[out->ncolumns++] = token_unquote(r->pool, &r->t, r->at++);
	} while (token_punct(&r->t, r->at, ','));
	return token_punct(&r->t, r->at++, ')');
}

/* Token i is FROM's name or alias, before a dot. */
static bool qualifies(const struct reading *r, size_t i)
{
	if (!token_name(&r->t, i) || !token_punct(&r->t, i + 1, '.') || (i > 0 && token_punct(&r->t, i - 1, '.')))
		return false;
	const char *name = token_unquote(r->pool, &r->t, i);
	return strcasecmp(name, r->alias ? r->alias : r->out->from) == 0;
}

/* Tokens [from, to) without FROM's name before a column, with the gaps between them as they are. */
static const char *value_text(struct reading *r, size_t from, size_t to)
{
	const char *text = "";

	for (size_t i = from; i < to; i++) {
		if (qualifies(r, i)) {
			i++;
			continue;
		}
		size_t next = i + 1;
		while (next < to && !qualifies(r, next))
			next++;
		const char *gap = *text ? " " : "";
		text = pool_printf(r->pool, "%s%s%s", text, gap, token_text(r->pool, &r->t, i, next));
		i = next - 1;
	}
	return text;
}

/* One value of the SELECT: tokens [from, to), which may end with AS and a name. */
static bool add_value(struct reading *r, size_t from, size_t to)
{
	struct byhand *out = r->out;
	const char *text = NULL;

	if (to >= from + 3 && token_is(&r->t, to - 2, "AS") && token_name(&r->t, to - 1))
		to -= 2;
	if (to <= from)
		return false;
	bool star = token_punct(&r->t, to - 1, '*') && (to == from + 1 || (to == from + 3 && qualifies(r, from)));
	if (!star)
		text = value_text(r, from, to);
	out->values = pool_grow(r->pool, out->values, out->nvalues, sizeof(*out->values));
	out->values[out->nvalues++] = text;
	return star || *text;
}

/* The first of these words outside of parentheses from token i on; n if there is none. */
static size_t find_word(const struct tokens *t, size_t i, const char *word)
{
	for (; i < t->n && !token_is(t, i, word); i++)
		if (token_punct(t, i, '('))
			i = token_close(t, i);
	return i < t->n ? i : t->n;
}

static bool read_values(struct reading *r, size_t from, size_t to)
{
	size_t begin = from;

	for (size_t i = from; i < to; i++) {
		if (token_punct(&r->t, i, '('))
			i = token_close(&r->t, i);
		if (!token_punct(&r->t, i, ','))
			continue;
		if (!add_value(r, begin, i))
			return false;
		begin = i + 1;
	}
	return add_value(r, begin, to);
}

/* t [[AS] a] [ORDER BY ..]: all rows of one table. */
static bool read_from(struct reading *r)
{
	r->out->from = take_name(r);
	if (!r->out->from)
		return false;
	bool as = take(r, "AS");
	if (as || (token_name(&r->t, r->at) && !token_is(&r->t, r->at, "ORDER"))) {
		r->alias = token_name(&r->t, r->at) ? token_unquote(r->pool, &r->t, r->at++) : NULL;
		if (!r->alias)
			return false;
	}
	if (r->at == r->t.n)
		return true;
	/* Rows that are known by their keys may be copied in any order. */
	return take(r, "ORDER") && take(r, "BY") && find_word(&r->t, r->at, "LIMIT") == r->t.n &&
	       find_word(&r->t, r->at, "UNION") == r->t.n;
}

/* INSERT INTO n [(..)] SELECT .. FROM t */
static bool read_copy(struct reading *r)
{
	r->at = 2;
	r->out->into = take_name(r);
	if (!r->out->into || !read_columns(r) || !take(r, "SELECT") || token_is(&r->t, r->at, "DISTINCT"))
		return false;
	size_t values = r->at, from = find_word(&r->t, r->at, "FROM");
	r->at = from + 1;
	return from < r->t.n && read_from(r) && read_values(r, values, from);
}

bool byhand_read(struct pool *pool, const struct script *script, const struct script_kind *kinds, struct byhand *ret)
{
	struct reading r = {.pool = pool, .out = ret};
	size_t parts[PART_OBJECT + 1] = {0};
	struct error none = {0};

	*ret = (struct byhand){0};
	for (size_t i = 0; i < script->n; i++) {
		if (kinds[i].what == SCRIPT_PASSED_OVER)
			continue;
		bool read = tokenize(pool, script->at[i].sql, strlen(script->at[i].sql), &r.t, &none) == 0;
		error_clear(&none);
		enum part part = read ? part_of(&kinds[i], &r.t) : PART_NONE;
		parts[part]++;
		if (part == PART_COPY)
			ret->copy = i;
		if (part == PART_NONE || (part == PART_COPY && (parts[part] > 1 || !read_copy(&r))))
			return false;
	}
	return parts[PART_CREATE] > 0 && parts[PART_COPY] == 1 && parts[PART_DROP] > 0 && parts[PART_RENAME] > 0;
}
