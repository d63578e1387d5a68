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
	bool vacuums;
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
		return (struct script_kind){.what = SCRIPT_PASSED_OVER,
					    .why = "it is passed over: the daemon keeps its own settings, and looks at "
						   "foreign keys at the end of each transaction"};
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

static size_t behind_if(const struct tokens *t, size_t i)
{
	while (token_is(t, i, "IF") || token_is(t, i, "NOT") || token_is(t, i, "EXISTS"))
		i++;
	return i;
}

/* The table behind the first FROM from i on. */
static const char *source_of(struct looking *l, size_t i)
{
	while (i < l->t.n && !token_is(&l->t, i, "FROM"))
		i++;
	return name_at(l, i + 1, &i);
}

static struct script_kind drop(struct looking *l)
{
	size_t i = behind_if(&l->t, 2);
	bool in_main = token_punct(&l->t, i + 1, '.') && strcasecmp(token_unquote(l->pool, &l->t, i), "main") == 0;
	const char *name = name_at(l, i, &i);

	return (struct script_kind){.what = name ? SCRIPT_DROP_TABLE : SCRIPT_OTHER, .name = name, .in_main = in_main};
}

static struct script_kind create(struct looking *l)
{
	bool temp = token_is(&l->t, 1, "TEMP") || token_is(&l->t, 1, "TEMPORARY");
	size_t at = temp ? 2 : 1, i = behind_if(&l->t, at + 1);
	bool table = token_is(&l->t, at, "TABLE");

	if (token_is(&l->t, at, "UNIQUE") || token_is(&l->t, at, "VIRTUAL"))
		i = behind_if(&l->t, at + 2);
	temp = temp || (token_is(&l->t, i, "temp") && token_punct(&l->t, i + 1, '.'));
	const char *name = name_at(l, i, &i);
	if (!table || !name)
		return (struct script_kind){.what = SCRIPT_OTHER, .temp = temp};
	bool copies = token_is(&l->t, i, "AS");
	return (struct script_kind){.what = SCRIPT_CREATE_TABLE,
				    .name = name,
				    .temp = temp,
				    .unless_there = token_is(&l->t, at + 1, "IF"),
				    .copy_to = copies ? name : NULL,
				    .copy_from = copies ? source_of(l, i) : NULL};
}

/* The table that INSERT, REPLACE, UPDATE or DELETE at 0 writes; *ret_next: behind it. */
static const char *written(struct looking *l, size_t *ret_next)
{
	size_t i = token_is(&l->t, 1, "OR") ? 3 : 1;

	if (token_is(&l->t, i, "INTO") || token_is(&l->t, i, "FROM"))
		i++;
	return name_at(l, i, ret_next);
}

static struct script_kind data(struct looking *l)
{
	static const char *const schemas[] = {"sqlite_schema", "sqlite_master", "sqlite_temp_schema",
					      "sqlite_temp_master"};
	size_t i = 0;
	const char *name = written(l, &i);

	for (size_t k = 0; name && k < sizeof(schemas) / sizeof(schemas[0]); k++)
		if (strcasecmp(name, schemas[k]) == 0)
			return (struct script_kind){
				.what = SCRIPT_REFUSED,
				.why = pool_printf(l->pool, "%s is not to be written: say it in SQL (CREATE, ALTER)",
						   name)};
	bool inserts = token_is(&l->t, 0, "INSERT") || token_is(&l->t, 0, "REPLACE");
	const char *from = name && inserts ? source_of(l, i) : NULL;
	return (struct script_kind){.what = SCRIPT_OTHER, .copy_to = from ? name : NULL, .copy_from = from};
}

static struct script_kind vacuum(struct looking *l)
{
	return l->vacuums && !token_is(&l->t, 1, "INTO") && !token_is(&l->t, 2, "INTO")
		       ? (struct script_kind){.what = SCRIPT_PASSED_OVER,
					      .why = "it is passed over: free pages stay in the file, for new rows"}
		       : (struct script_kind){.what = SCRIPT_REFUSED, .why = "VACUUM cannot be part of a migration"};
}

static struct script_kind kind_of(struct looking *l)
{
	static const char *const refused[] = {"ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", NULL};
	static const char *const writes[] = {"INSERT", "REPLACE", "UPDATE", "DELETE", NULL};
	bool begins = token_is(&l->t, 0, "BEGIN"), commits = token_is(&l->t, 0, "COMMIT") || token_is(&l->t, 0, "END");

	if (begins || commits)
		return (struct script_kind){.what = SCRIPT_PASSED_OVER,
					    .begins = begins,
					    .commits = commits,
					    .why = "BEGIN to COMMIT is one transaction"};
	if (token_is(&l->t, 0, "VACUUM"))
		return vacuum(l);
	if (is_one_of(&l->t, 0, refused))
		return (struct script_kind){.what = SCRIPT_REFUSED,
					    .why = pool_printf(l->pool, "%s cannot be part of a migration",
							       token_text(l->pool, &l->t, 0, 1))};
	if (token_is(&l->t, 0, "PRAGMA"))
		return pragma(l);
	if (token_is(&l->t, 0, "ALTER"))
		return alter(l);
	if (token_is(&l->t, 0, "CREATE"))
		return create(l);
	if (token_is(&l->t, 0, "DROP") && token_is(&l->t, 1, "TABLE"))
		return drop(l);
	if (is_one_of(&l->t, 0, writes))
		return data(l);
	return (struct script_kind){.what = SCRIPT_OTHER};
}

/* The script gives the name to a table, at statement `from` or behind it. */
static bool given(const struct script_kind *k, size_t n, size_t from, const char *name)
{
	for (size_t i = from; i < n; i++)
		if ((k[i].what == SCRIPT_CREATE_TABLE && !k[i].temp && strcasecmp(k[i].name, name) == 0) ||
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

static bool copies(const struct script_kind *k, const char *from, const char *to)
{
	return k->copy_from && strcasecmp(k->copy_from, from) == 0 && (!to || strcasecmp(k->copy_to, to) == 0);
}

/* The rows of the table that is dropped at i went to another table, and come back from it; NULL: they do not. */
static const char *by_way_of(const struct script_kind *k, size_t n, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (!copies(&k[j], k[i].name, NULL) || strcasecmp(k[j].copy_to, k[i].name) == 0)
			continue;
		for (size_t b = i + 1; b < n; b++)
			if (copies(&k[b], k[j].copy_to, k[i].name) && given(k, b, i + 1, k[i].name))
				return k[j].copy_to;
	}
	return NULL;
}

/* The script has made the table that is dropped at i, and it still has that name. */
static bool made_before(const struct script_kind *k, size_t i)
{
	const char *name = k[i].name;
	bool in_main = k[i].in_main;

	while (i-- > 0) {
		bool same = k[i].name && strcasecmp(k[i].name, name) == 0;
		if (same && k[i].what == SCRIPT_CREATE_TABLE)
			return !k[i].unless_there && !(k[i].temp && in_main);
		if ((same && (k[i].what == SCRIPT_DROP_TABLE || k[i].what == SCRIPT_RENAME_TABLE)) ||
		    (k[i].what == SCRIPT_RENAME_TABLE && strcasecmp(k[i].other, name) == 0))
			return false;
	}
	return false;
}

static void find_rebuilds(struct script_kind *k, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (k[i].what == SCRIPT_DROP_TABLE) {
			k[i].own = made_before(k, i);
			k[i].by_way_of = by_way_of(k, n, i);
			const char *was = old_name(k, i, k[i].name);
			bool renamed_to = false;
			for (size_t j = i + 1; j < n; j++)
				renamed_to = renamed_to || (k[j].what == SCRIPT_RENAME_TABLE &&
							    strcasecmp(k[j].other, k[i].name) == 0);
			k[i].rebuilds = renamed_to || (was && given(k, n, 0, was)) || k[i].by_way_of;
		} else if (k[i].what == SCRIPT_RENAME_TABLE) {
			k[i].rebuilds = given(k, n, i + 1, k[i].name) || dropped_before(k, i, k[i].other) ||
					old_name(k, i, k[i].other) != NULL;
		}
	}
}

static bool has_to_do(const struct script_kind *k, const char *name)
{
	bool moves = k->what == SCRIPT_CREATE_TABLE || k->what == SCRIPT_DROP_TABLE || k->what == SCRIPT_RENAME_TABLE;
	const char *names[] = {moves ? k->name : NULL, moves ? k->other : NULL, k->copy_to, k->copy_from};

	for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] && strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

void script_rebuild_span(const struct script_kind *kinds, size_t n, size_t i, size_t *ret_first, size_t *ret_last)
{
	const struct script_kind *k = &kinds[i];
	const char *other = k->what == SCRIPT_RENAME_TABLE ? k->other : k->by_way_of;

	*ret_first = *ret_last = i;
	for (size_t j = 0; j < n; j++) {
		if (!has_to_do(&kinds[j], k->name) && !has_to_do(&kinds[j], other))
			continue;
		*ret_first = j < *ret_first ? j : *ret_first;
		*ret_last = j > *ret_last ? j : *ret_last;
	}
}

int script_kinds(struct pool *pool, const struct script *script, bool vacuums, struct script_kind **ret,
		 struct error *err)
{
	struct script_kind *k = pool_alloc(pool, (script->n + 1) * sizeof(*k));

	for (size_t i = 0; i < script->n; i++) {
		struct looking l = {.pool = pool, .vacuums = vacuums};
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

bool script_wants_plan(const struct script_kind *k, bool compiles)
{
	return k->what == SCRIPT_DROP_COLUMN || (changes_table(k) && !compiles);
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

bool script_is_several(const struct script *script, const struct script_kind *kinds)
{
	size_t n = 0;

	for (size_t i = 0; i < script->n; i++)
		n += kinds[i].what != SCRIPT_PASSED_OVER;
	return n > 1;
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
