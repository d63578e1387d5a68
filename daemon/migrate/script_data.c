/* Rows by the words of a statement; see script_data.h. */
#include "daemon/migrate/script_data.h"

#include <string.h>
#include <strings.h>

#include "daemon/migrate/tokenize.h"

/* Index behind the parenthesis that i opens; at most n. */
static size_t behind(const struct tokens *t, size_t i)
{
	size_t close = token_close(t, i);

	return close < t->n ? close + 1 : t->n;
}

/* The first token from i on that is `word` outside of parentheses; n if there is none. */
static size_t find(const struct tokens *t, size_t i, const char *word)
{
	while (i < t->n && !token_is(t, i, word))
		i = token_punct(t, i, '(') ? behind(t, i) : i + 1;
	return i;
}

/* [main.]name at i; *ret_next: behind it. */
static const char *name_at(struct pool *pool, const struct tokens *t, size_t i, size_t *ret_next)
{
	if (token_punct(t, i + 1, '.'))
		i += 2;
	*ret_next = i + 1;
	return token_name(t, i) ? token_unquote(pool, t, i) : NULL;
}

static int64_t count_values(const struct tokens *t, size_t i)
{
	int64_t n = 0;

	if (!token_is(t, i, "VALUES"))
		return 0;
	for (i++; token_punct(t, i, '('); n++) {
		i = behind(t, i);
		i += token_punct(t, i, ',') ? 1 : 0;
	}
	return n;
}

static void take_names(struct pool *pool, const struct tokens *t, size_t i, struct script_data *ret)
{
	for (; i < t->n; i++) {
		if (t->at[i].kind != TOKEN_WORD && t->at[i].kind != TOKEN_QUOTED)
			continue;
		ret->names = pool_grow(pool, ret->names, ret->nnames, sizeof(*ret->names));
		ret->names[ret->nnames++] = token_unquote(pool, t, i);
	}
}

static void insert(struct pool *pool, const struct tokens *t, size_t i, struct script_data *ret)
{
	size_t into = find(t, i, "INTO"), next = 0;

	ret->what = DATA_INSERT;
	ret->table = name_at(pool, t, into + 1, &next);
	if (token_is(t, next, "AS"))
		next += 2;
	if (token_punct(t, next, '('))
		next = behind(t, next);
	ret->values = count_values(t, next);
	ret->generates = ret->values == 0;
	take_names(pool, t, 0, ret);
}

static void change(struct pool *pool, const struct tokens *t, size_t i, struct script_data *ret)
{
	size_t next = 0;
	bool drops = token_is(t, i, "DELETE");

	ret->what = drops ? DATA_DELETE : DATA_UPDATE;
	i = drops ? i + 2 : token_is(t, i + 1, "OR") ? i + 3 : i + 1;
	ret->table = name_at(pool, t, i, &next);
	ret->all = drops && find(t, next, "WHERE") == t->n && find(t, next, "LIMIT") == t->n;
	take_names(pool, t, next, ret);
}

static void create(struct pool *pool, const struct tokens *t, struct script_data *ret)
{
	size_t i = find(t, 0, "TABLE") + 1, next = 0;

	while (token_is(t, i, "IF") || token_is(t, i, "NOT") || token_is(t, i, "EXISTS"))
		i++;
	const char *name = name_at(pool, t, i, &next);
	if (!name || !token_is(t, next, "AS"))
		return;
	ret->what = DATA_INSERT;
	ret->generates = true;
	ret->table = name;
	ret->empty_sql = pool_printf(pool, "%s SELECT * FROM (%s\n) LIMIT 0", token_text(pool, t, 0, next + 1),
				     token_text(pool, t, next + 1, t->n));
	take_names(pool, t, next, ret);
}

void script_data(struct pool *pool, const char *sql, struct script_data *ret)
{
	struct tokens t;
	struct error none = {0};
	size_t i = 0;

	*ret = (struct script_data){0};
	if (tokenize(pool, sql, strlen(sql), &t, &none) != 0) {
		error_clear(&none);
		return;
	}
	/* WITH a AS (..), b AS (..) comes before what is done. */
	if (token_is(&t, 0, "WITH"))
		while (i < t.n && !token_is(&t, i, "INSERT") && !token_is(&t, i, "REPLACE") &&
		       !token_is(&t, i, "UPDATE") && !token_is(&t, i, "DELETE") && !token_is(&t, i, "SELECT"))
			i = token_punct(&t, i, '(') ? behind(&t, i) : i + 1;
	if (token_is(&t, i, "INSERT") || token_is(&t, i, "REPLACE"))
		insert(pool, &t, i, ret);
	else if (token_is(&t, i, "UPDATE") || token_is(&t, i, "DELETE"))
		change(pool, &t, i, ret);
	else if (token_is(&t, 0, "CREATE") && find(&t, 0, "TABLE") <= 2)
		create(pool, &t, ret);
	if (!ret->table)
		ret->what = DATA_NONE;
}

const char *script_added_column(struct pool *pool, const char *sql)
{
	struct tokens t;
	struct error none = {0};
	size_t next = 0;

	if (tokenize(pool, sql, strlen(sql), &t, &none) != 0 || !token_is(&t, 1, "TABLE")) {
		error_clear(&none);
		return NULL;
	}
	(void)name_at(pool, &t, 2, &next);
	if (!token_is(&t, next, "ADD"))
		return NULL;
	next += token_is(&t, next + 1, "COLUMN") ? 2 : 1;
	return token_text(pool, &t, next, t.n);
}

bool script_names(struct pool *pool, const char *sql, const char *table)
{
	struct tokens t;
	struct error none = {0};
	bool found = false;

	if (tokenize(pool, sql, strlen(sql), &t, &none) != 0) {
		error_clear(&none);
		return false;
	}
	for (size_t i = 0; i < t.n && !found; i++)
		found = (t.at[i].kind == TOKEN_WORD || t.at[i].kind == TOKEN_QUOTED) &&
			strcasecmp(token_unquote(pool, &t, i), table) == 0;
	return found;
}
