/* The envelope of a reply: one pass over the line finds the parts that the calls need. */
#include <string.h>

#include "client/lib/conn.h"
#include "client/lib/jread.h"

static bool is(const char *key, size_t n, const char *name) { return n == strlen(name) && memcmp(key, name, n) == 0; }

static void put(struct span *span, const char *line, const char *from, const char *to)
{
	span->at = (size_t)(from - line);
	span->n = (size_t)(to - from);
}

static void member(struct reply *r, const char *key, size_t n, char *value, const char *end)
{
	if (is(key, n, "rows"))
		put(&r->rows, r->line, value, end);
	else if (is(key, n, "columns"))
		put(&r->columns, r->line, value, end);
	else if (is(key, n, "cursor"))
		put(&r->cursor, r->line, value, end);
	else if (is(key, n, "results"))
		put(&r->results, r->line, value, end);
	else if (is(key, n, "done"))
		r->done = *value == 't';
	else if (is(key, n, "changes"))
		jr_int(value, &r->changes);
	else if (is(key, n, "last_insert_rowid"))
		jr_int(value, &r->rowid);
}

/* Passes over the result, noting the members of an object on the way. */
static char *result(struct reply *r, char *p)
{
	int end;

	if (*p != '{')
		return jr_skip(p);
	p++;
	for (;;) {
		const char *key;
		char *value;
		size_t n;

		p = jr_next(p, '}', &end);
		if (!p || end)
			return p;
		value = jr_key(p, &key, &n);
		p = value ? jr_skip(value) : NULL;
		if (!p)
			return NULL;
		member(r, key, n, value, p);
	}
}

static void id(struct reply *r, char *value)
{
	if (*value == 'n')
		r->id_kind = REPLY_NULL_ID;
	else
		r->id_kind = jr_int(value, &r->id) ? REPLY_INT_ID : REPLY_OTHER_ID;
}

int reply_parse(char *line, size_t len, struct reply *ret)
{
	struct reply r = {.line = line, .len = len, .done = true};
	char *p = jr_space(line);
	int end;

	if (*p != '{')
		return -1;
	p++;
	for (;;) {
		const char *key;
		char *value;
		size_t n;

		p = jr_next(p, '}', &end);
		if (!p)
			return -1;
		if (end)
			break;
		value = jr_key(p, &key, &n);
		if (!value)
			return -1;
		p = is(key, n, "result") ? result(&r, value) : jr_skip(value);
		if (!p)
			return -1;
		if (is(key, n, "result"))
			put(&r.result, line, value, p);
		else if (is(key, n, "error"))
			put(&r.error, line, value, p);
		else if (is(key, n, "params"))
			put(&r.params, line, value, p);
		else if (is(key, n, "id"))
			id(&r, value);
	}
	if (*jr_space(p) != '\0' || (size_t)(jr_space(p) - line) != len)
		return -1;
	*ret = r;
	return 0;
}
