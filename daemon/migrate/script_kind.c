/* Kinds of statements by their first words, and what the statements of a script are to each other. */
#include "daemon/migrate/script_kind.h"

#include <string.h>
#include <strings.h>

#include "daemon/migrate/byhand.h"
#include "daemon/migrate/series.h"
#include "daemon/migrate/tokenize.h"
#include "proto/buf.h"

struct looking {
	struct pool *pool;
	struct tokens t;
};

/* [main.]name at i; *ret_next: behind it. NULL: no name. */
static const char *name_at(struct looking *l, size_t i, size_t *ret_next)
{
	if (!token_name(&l->t, i))
		return NULL;
	if (token_punct(&l->t, i + 1, '.') && token_name(&l->t, i + 2))
		i += 2;
	*ret_next = i + 1;
	return token_unquote(l->pool, &l->t, i);
}

static bool is_one_of(const struct tokens *t, size_t i, const char *const *words)
{
	for (; *words; words++)
		if (token_is(t, i, *words))
			return true;
	return false;
}

static struct script_kind pragma(struct looking *l)
{
	static const char *const passed_over[] = {
		"foreign_keys",       "defer_foreign_keys", "legacy_alter_table",
		"foreign_key_check",  "integrity_check",    "quick_check",
		"journal_mode",       "synchronous",        "locking_mode",
		"temp_store",         "cache_size",         "busy_timeout",
		"recursive_triggers", "user_version",       "ignore_check_constraints",
		"page_size",          "mmap_size",          "encoding",
		"auto_vacuum",        "secure_delete",      NULL};
	size_t at = token_punct(&l->t, 2, '.') ? 3 : 1;

	if (is_one_of(&l->t, at, passed_over))
		return (struct script_kind){.what = SCRIPT_PASSED_OVER};
	return (struct script_kind){.what = SCRIPT_REFUSED,
				    .why = pool_printf(l->pool, "PRAGMA %s has no place in a migration",
						       token_text(l->pool, &l->t, at, at < l->t.n ? at + 1 : at))};
}

static struct script_kind alter(struct looking *l)
{
	size_t i = 0;
	const char *table = token_is(&l->t, 1, "TABLE") ? name_at(l, 2, &i) : NULL, *other = NULL;

	if (table && token_is(&l->t, i, "RENAME") && token_is(&l->t, i + 1, "TO"))
		other = name_at(l, i + 2, &i);
	if (other)
		return (struct script_kind){.what = SCRIPT_RENAME_TABLE, .name = table, .other = other};
	if (table && token_is(&l->t, i, "DROP"))
		other = name_at(l, token_is(&l->t, i + 1, "COLUMN") ? i + 2 : i + 1, &i);
	if (other)
		return (struct script_kind){.what = SCRIPT_DROP_COLUMN, .name = table, .other = other};
	return (struct script_kind){.what = table ? SCRIPT_ALTER : SCRIPT_OTHER, .name = table};
}

static struct script_kind table(struct looking *l, enum script_what what)
{
	size_t i = 2;

	while (token_is(&l->t, i, "IF") || token_is(&l->t, i, "NOT") || token_is(&l->t, i, "EXISTS"))
		i++;
	const char *name = name_at(l, i, &i);
	return name ? (struct script_kind){.what = what, .name = name} : (struct script_kind){.what = SCRIPT_OTHER};
}

static struct script_kind kind_of(struct looking *l)
{
	static const char *const frame[] = {"BEGIN", "COMMIT", "END", NULL};
	static const char *const refused[] = {"ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "VACUUM", NULL};

	if (is_one_of(&l->t, 0, frame))
		return (struct script_kind){.what = SCRIPT_PASSED_OVER};
	if (is_one_of(&l->t, 0, refused))
		return (struct script_kind){.what = SCRIPT_REFUSED,
					    .why = pool_printf(l->pool, "%s cannot be part of a migration",
							       token_text(l->pool, &l->t, 0, 1))};
	if (token_is(&l->t, 0, "PRAGMA"))
		return pragma(l);
	if (token_is(&l->t, 0, "ALTER"))
		return alter(l);
	if (token_is(&l->t, 0, "CREATE") && token_is(&l->t, 1, "TABLE"))
		return table(l, SCRIPT_CREATE_TABLE);
	if (token_is(&l->t, 0, "DROP") && token_is(&l->t, 1, "TABLE"))
		return table(l, SCRIPT_DROP_TABLE);
	return (struct script_kind){.what = SCRIPT_OTHER};
}

/* The script gives the name to a table, at statement `from` or behind it. */
static bool given(const struct script_kind *k, size_t n, size_t from, const char *name)
{
	for (size_t i = from; i < n; i++)
		if ((k[i].what == SCRIPT_CREATE_TABLE && strcasecmp(k[i].name, name) == 0) ||
		    (k[i].what == SCRIPT_RENAME_TABLE && strcasecmp(k[i].other, name) == 0))
			return true;
	return false;
}

/* The name that a table had before the script renamed it to `name`; NULL: it did not. */
static const char *old_name(const struct script_kind *k, size_t i, const char *name)
{
	while (i-- > 0)
		if (k[i].what == SCRIPT_RENAME_TABLE && strcasecmp(k[i].other, name) == 0)
			return k[i].name;
	return NULL;
}

static bool dropped_before(const struct script_kind *k, size_t i, const char *name)
{
	while (i-- > 0)
		if (k[i].what == SCRIPT_DROP_TABLE && strcasecmp(k[i].name, name) == 0)
			return true;
	return false;
}

static void find_rebuilds(struct script_kind *k, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (k[i].what == SCRIPT_DROP_TABLE) {
			const char *was = old_name(k, i, k[i].name);
			bool renamed_to = false;
			for (size_t j = i + 1; j < n; j++)
				renamed_to = renamed_to || (k[j].what == SCRIPT_RENAME_TABLE &&
							    strcasecmp(k[j].other, k[i].name) == 0);
			k[i].rebuilds = renamed_to || (was && given(k, n, 0, was));
		} else if (k[i].what == SCRIPT_RENAME_TABLE) {
			k[i].rebuilds = given(k, n, i + 1, k[i].name) || dropped_before(k, i, k[i].other) ||
					old_name(k, i, k[i].other) != NULL;
		}
	}
}

int script_kinds(struct pool *pool, const struct script *script, struct script_kind **ret, struct error *err)
{
	struct script_kind *k = pool_alloc(pool, (script->n + 1) * sizeof(*k));

	for (size_t i = 0; i < script->n; i++) {
		struct looking l = {.pool = pool};
		if (tokenize(pool, script->at[i].sql, strlen(script->at[i].sql), &l.t, err) != 0)
			return -1;
		k[i] = kind_of(&l);
	}
	find_rebuilds(k, script->n);
	*ret = k;
	return 0;
}

static bool changes_table(const struct script_kind *k)
{
	return k->what == SCRIPT_ALTER || k->what == SCRIPT_DROP_COLUMN || k->what == SCRIPT_RENAME_TABLE;
}

/* All statements that are not passed over, as one text. */
static const char *join(struct pool *pool, const struct script *script, const struct script_kind *kinds)
{
	struct buf text = {0};

	for (size_t i = 0; i < script->n; i++)
		if (kinds[i].what != SCRIPT_PASSED_OVER)
			buf_printf(&text, "%s%s", text.len > 0 ? ";\n" : "", script->at[i].sql);
	return pool_take(pool, &text);
}

const char *script_as_one(struct pool *pool, const struct script *script, const struct script_kind *kinds,
			  int64_t *ret_line)
{
	const char *table = NULL;
	struct byhand byhand;
	struct series series;
	bool alters = true;
	size_t n = 0;

	for (size_t i = 0; i < script->n; i++) {
		const struct script_kind *k = &kinds[i];
		if (k->what == SCRIPT_PASSED_OVER)
			continue;
		/* By the name it has by then. */
		alters = alters && changes_table(k) && (!table || strcasecmp(table, k->name) == 0);
		table = k->what == SCRIPT_RENAME_TABLE ? k->other : k->name;
		if (n++ == 0)
			*ret_line = script->at[i].line;
	}
	if (n == 0 || (n > 1 && !alters && !byhand_read(pool, script, kinds, &byhand) &&
		       !series_read(pool, script, kinds, &series)))
		return NULL;
	return join(pool, script, kinds);
}
