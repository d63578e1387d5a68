/* The rules of [access] as data: adding, matching, comparing. Looking names up is in access_names.c. */
#include "config/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"

void access_free(struct access *a)
{
	for (size_t i = 0; i < a->count; i++) {
		free(a->rules[i].name);
		free(a->rules[i].file);
	}
	free(a->rules);
	*a = (struct access){0};
}

void access_begin_file(struct access *a) { a->sources++; }

/* --- adding --- */

static void trim(const char **text, size_t *n)
{
	while (*n > 0 && strchr(" \t\r", (*text)[0])) {
		++*text;
		--*n;
	}
	while (*n > 0 && strchr(" \t\r", (*text)[*n - 1]))
		--*n;
}

/* All digits: the id itself. False if it is none; what is beyond all ids becomes UINT32_MAX, which is no id. */
static bool read_id(const char *text, size_t n, uint32_t *ret)
{
	uint64_t id = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		id = id * 10 + (uint64_t)(text[i] - '0');
		if (id > UINT32_MAX)
			id = UINT32_MAX;
	}
	*ret = (uint32_t)id;
	return n > 0;
}

static int refuse(char *why, size_t size, const char *text)
{
	(void)snprintf(why, size, "%s", text);
	return -1;
}

static int read_name(const char *text, size_t n, struct access_rule *rule, char *why, size_t why_size)
{
	bool group = n > 0 && text[0] == '@';
	const char *name = text + (group ? 1 : 0);
	size_t len = n - (group ? 1 : 0);

	if (len == 0)
		return refuse(why, why_size, "there is no name before the =");
	if (n > ACCESS_NAME_MAX)
		return refuse(why, why_size, "the name is longer than 256 bytes");
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return refuse(why, why_size, "the name holds a control character");
	}
	/* As a line of the file it would be something else. */
	if (strchr("#;[@ \t", name[0]) || strchr("#;[", text[0]))
		return refuse(why, why_size, "a name does not begin so");
	rule->kind = group ? ACCESS_GROUP : len == 1 && name[0] == '*' ? ACCESS_ANYONE : ACCESS_USER;
	if (group && len == 1 && name[0] == '*')
		return refuse(why, why_size, "@* is no group; everybody is *");
	rule->known = read_id(name, len, &rule->id) || rule->kind == ACCESS_ANYONE;
	if (rule->known && rule->kind != ACCESS_ANYONE && rule->id == UINT32_MAX)
		return refuse(why, why_size, "this number is no user's and no group's");
	return 0;
}

/* Where the next rule of this source goes: behind its others, before those of the sources read earlier. */
static size_t place_of(const struct access *a, int source)
{
	size_t i = 0;

	while (source != ACCESS_COMMAND_LINE && i < a->count && a->rules[i].source == ACCESS_COMMAND_LINE)
		i++;
	while (i < a->count && a->rules[i].source == source)
		i++;
	return i;
}

static struct access_rule *find(struct access *a, const char *name, size_t n)
{
	for (size_t i = 0; i < a->count; i++) {
		struct access_rule *r = &a->rules[i];

		if (strlen(r->name) == n && memcmp(r->name, name, n) == 0)
			return r;
	}
	return NULL;
}

static void take_out(struct access *a, struct access_rule *r)
{
	free(r->name);
	free(r->file);
	memmove(r, r + 1, (size_t)(a->rules + --a->count - r) * sizeof *r);
}

static void insert(struct access *a, size_t at, struct access_rule rule)
{
	struct access_rule *grown = realloc(a->rules, (a->count + 1) * sizeof *grown);

	CHECK(grown);
	a->rules = grown;
	memmove(grown + at + 1, grown + at, (a->count - at) * sizeof *grown);
	grown[at] = rule;
	a->count++;
}

int access_add(struct access *a, const char *name, size_t name_len, const char *role, size_t role_len,
	       struct access_place place, char *why, size_t why_size)
{
	const char *file = place.file;
	struct access_rule rule = {.source = file ? a->sources : ACCESS_COMMAND_LINE, .line = place.line};
	struct access_rule *there;

	trim(&name, &name_len);
	trim(&role, &role_len);
	if (read_name(name, name_len, &rule, why, why_size) != 0)
		return -1;
	if (role_by_name(role, role_len, &rule.role) != 0) {
		(void)snprintf(why, why_size, "\"%.*s\" is no role: none, ro, rw, migrate or admin",
			       (int)(role_len < 64 ? role_len : 64), role);
		return -1;
	}
	there = find(a, name, name_len);
	if (there && there->source == rule.source && file) {
		(void)snprintf(why, why_size, "this name stands in line %d already", there->line);
		return -1;
	}
	if (there && there->source == ACCESS_COMMAND_LINE) {
		if (!file)
			there->role = rule.role;
		return 0;
	}
	/* What an earlier file says of the same name comes to nothing: each name stands in the list once. */
	if (there)
		take_out(a, there);
	if (a->count >= ACCESS_RULES_MAX)
		return refuse(why, why_size, "there are more than 1000 rules; use groups");
	rule.name = xmalloc(name_len + 1);
	memcpy(rule.name, name, name_len);
	rule.name[name_len] = '\0';
	rule.file = file ? xstrdup(file) : NULL;
	insert(a, place_of(a, rule.source), rule);
	return 0;
}

/* --- matching --- */

static bool among(gid_t gid, const gid_t *groups, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool fits(const struct access_rule *r, uid_t uid, gid_t gid, const gid_t *groups, size_t ngroups)
{
	switch (r->kind) {
	case ACCESS_ANYONE:
		return true;
	case ACCESS_USER:
		return r->known && r->id == uid;
	case ACCESS_GROUP:
		return r->known && (r->id == gid || among((gid_t)r->id, groups, ngroups));
	}
	return false;
}

enum role access_role(const struct access *a, uid_t uid, gid_t gid, const gid_t *groups, size_t ngroups, uid_t self)
{
	for (size_t i = 0; i < a->count; i++)
		if (fits(&a->rules[i], uid, gid, groups, ngroups))
			return a->rules[i].role;
	if (uid == 0 || uid == self)
		return ROLE_ADMIN;
	return a->count == 0 ? ROLE_RW : ROLE_NONE;
}

bool access_asks_for_groups(const struct access *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->rules[i].kind == ACCESS_GROUP && a->rules[i].known)
			return true;
	return false;
}

/* --- as a whole --- */

bool access_equal(const struct access *a, const struct access *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->rules[i].role != b->rules[i].role || strcmp(a->rules[i].name, b->rules[i].name) != 0)
			return false;
	return true;
}

void access_copy(struct access *to, const struct access *from)
{
	struct access copy = {.count = from->count, .sources = from->sources};

	if (from->count > 0)
		copy.rules = xcalloc(from->count, sizeof *copy.rules);
	for (size_t i = 0; i < from->count; i++) {
		copy.rules[i] = from->rules[i];
		copy.rules[i].name = xstrdup(from->rules[i].name);
		copy.rules[i].file = from->rules[i].file ? xstrdup(from->rules[i].file) : NULL;
	}
	access_free(to);
	*to = copy;
}

void access_format(const struct access *a, struct buf *out)
{
	for (size_t i = 0; i < a->count; i++)
		buf_printf(out, "%s = %s\n", a->rules[i].name, role_name(a->rules[i].role));
}
