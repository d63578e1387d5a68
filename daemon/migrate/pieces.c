/* Statements glued together to pieces. */
#include "daemon/migrate/pieces.h"

#include <string.h>

#include "daemon/migrate/script_kind.h"

struct cutting {
	struct pool *pool;
	const char *file;
	const struct script *script;
	struct script_kind *kinds;
	bool *glued;    /* the statement belongs to the piece of the one before it */
	bool *together; /* it is in a transaction with others by the file's own will */
	struct error *err;
};

static int fault(struct cutting *c, size_t i, const char *what)
{
	int64_t line = c->script->at[i].line;

	error_set(c->err, ERRC_MIGRATION_INVALID, "%.120s:%lld: %.300s", c->file, (long long)line, what);
	error_add_str(c->err, "file", c->file);
	error_add_int(c->err, "line", line);
	return -1;
}

static void glue(struct cutting *c, size_t first, size_t last)
{
	for (size_t i = first; i <= last; i++) {
		c->glued[i] = c->glued[i] || i > first;
		c->together[i] = true;
	}
}

/* From BEGIN to COMMIT. */
static int transactions(struct cutting *c)
{
	size_t begin = SIZE_MAX;

	for (size_t i = 0; i < c->script->n; i++) {
		const struct script_kind *k = &c->kinds[i];
		if (k->begins && begin != SIZE_MAX)
			return fault(c, i, "BEGIN within a transaction");
		if (k->commits && begin == SIZE_MAX)
			return fault(c, i, "COMMIT without BEGIN");
		if (k->begins)
			begin = i;
		if (!k->commits)
			continue;
		glue(c, begin, i);
		begin = SIZE_MAX;
	}
	return begin == SIZE_MAX ? 0 : fault(c, begin, "BEGIN without COMMIT");
}

static void rebuilds(struct cutting *c)
{
	size_t first, last;

	for (size_t i = 0; i < c->script->n; i++) {
		if (!c->kinds[i].rebuilds)
			continue;
		script_rebuild_span(c->kinds, c->script->n, i, &first, &last);
		glue(c, first, last);
	}
}

static int check(struct cutting *c)
{
	for (size_t i = 0; i < c->script->n; i++) {
		if (c->kinds[i].what == SCRIPT_REFUSED)
			return fault(c, i, c->kinds[i].why);
		if (c->kinds[i].temp && !c->together[i])
			return fault(c, i,
				     "without a transaction TEMP objects are gone at the end of their statement: put "
				     "BEGIN and COMMIT around what uses them");
	}
	return 0;
}

/* The statements as a text in which each stands in its line. */
static struct piece take(struct pool *pool, const struct script *script, size_t from, size_t to)
{
	struct piece p = {.from = from, .n = to - from, .line = from < to ? script->at[from].line : 1};
	struct buf text = {0};
	int64_t line = p.line;

	for (size_t i = from; i < to; i++) {
		for (; line < script->at[i].line; line++)
			buf_putc(&text, '\n');
		for (const char *c = script->at[i].sql; *c; c++)
			line += *c == '\n';
		buf_printf(&text, "%s%s", script->at[i].sql, i + 1 < to ? ";" : "");
	}
	p.sql = pool_take(pool, &text);
	return p;
}

struct piece pieces_rest(struct pool *pool, const struct script *script, size_t from)
{
	return take(pool, script, from, script->n > from ? script->n : from);
}

/* What is passed over takes no piece of its own. */
static bool goes_along(const struct cutting *c, size_t i)
{
	return c->kinds[i].what == SCRIPT_PASSED_OVER && !c->together[i];
}

int pieces_make(struct pool *pool, const char *file, const struct script *script, size_t from, struct pieces *ret,
		struct error *err)
{
	struct pieces out = {0};
	struct cutting c = {.pool = pool, .file = file, .script = script, .err = err};

	if (script_kinds(pool, script, true, &c.kinds, err) != 0)
		return -1;
	c.glued = pool_alloc(pool, script->n + 1);
	c.together = pool_alloc(pool, script->n + 1);
	if (transactions(&c) != 0)
		return -1;
	rebuilds(&c);
	if (check(&c) != 0)
		return -1;
	for (size_t i = from, end; i < script->n; i = end) {
		/* Nothing but what is passed over so far: the next statement belongs to it. */
		bool light = true;
		for (end = i; end < script->n; end++) {
			bool along = goes_along(&c, end);
			if (end > i && !along && !c.glued[end] && !light)
				break;
			light = light && along;
		}
		out.at = pool_grow(pool, out.at, out.n, sizeof(*out.at));
		out.at[out.n++] = take(pool, script, i, end);
	}
	*ret = out;
	return 0;
}
