/* The names in [access]: who they are, and what of the list can never come true. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/access.h"
#include "daemon/lib/check.h"
#include "daemon/lib/log.h"

/* What an entry's text may take: a group's is as long as all its members' names. */
#define ENTRY_BYTES 4096
#define ENTRY_BYTES_MAX (4u << 20)

/* 0 and *ret; ENOENT if there is no such name; another errno if that could not be found out. */
static int look_up(enum access_kind kind, const char *name, char *text, size_t size, uint32_t *ret)
{
	struct passwd user, *user_found = NULL;
	struct group group, *group_found = NULL;
	int rc;

	if (kind == ACCESS_USER) {
		rc = getpwnam_r(name, &user, text, size, &user_found);
		if (user_found)
			*ret = (uint32_t)user.pw_uid;
	} else {
		rc = getgrnam_r(name, &group, text, size, &group_found);
		if (group_found)
			*ret = (uint32_t)group.gr_gid;
	}
	if (user_found || group_found)
		return 0;
	/* Some sources of names say "not there" by an error of their own. */
	return rc == 0 || rc == ESRCH || rc == EBADF || rc == EPERM ? ENOENT : rc;
}

static int find(struct access_rule *r)
{
	const char *name = r->name + (r->kind == ACCESS_GROUP ? 1 : 0);
	int rc = ERANGE;

	for (size_t size = ENTRY_BYTES; rc == ERANGE && size <= ENTRY_BYTES_MAX; size *= 4) {
		char *text = xmalloc(size);
		rc = look_up(r->kind, name, text, size, &r->id);
		free(text);
	}
	r->known = rc == 0;
	return rc;
}

static bool is_number(const struct access_rule *r)
{
	const char *name = r->name + (r->kind == ACCESS_GROUP ? 1 : 0);

	return name[strspn(name, "0123456789")] == '\0';
}

static void warn(const struct access_rule *r, const char *what, const char *why)
{
	if (r->file)
		log_warning("config", "%s:%d: access.%s: %s%s%s", r->file, r->line, r->name, what, *why ? ": " : "",
			    why);
	else
		log_warning("config", "--set: access.%s: %s%s%s", r->name, what, *why ? ": " : "", why);
}

static void resolve(struct access_rule *r)
{
	const char *kind = r->kind == ACCESS_USER ? "user" : "group";
	char what[64];

	if (r->kind == ACCESS_ANYONE || is_number(r))
		return;
	int rc = find(r);
	if (rc == 0)
		return;
	(void)snprintf(what, sizeof what,
		       rc == ENOENT ? "there is no such %s; the rule fits nobody"
				    : "the %s cannot be looked up; the rule fits nobody",
		       kind);
	warn(r, what, rc == ENOENT ? "" : strerrordesc_np(rc));
}

/* Behind a `*` of its own file no rule is ever looked at. (A drop-in's `*` is meant to end what the file says.) */
static void tell_unreached(const struct access *a)
{
	for (size_t i = 1; i < a->count; i++) {
		if (a->rules[i - 1].kind != ACCESS_ANYONE || a->rules[i].source != a->rules[i - 1].source)
			continue;
		warn(&a->rules[i], "* stands before it: neither it nor what follows is ever reached", "");
	}
}

static void tell_no_admin(const struct access *a)
{
	uid_t self = geteuid();
	bool some = access_role(a, 0, 0, NULL, 0, self) == ROLE_ADMIN ||
		    access_role(a, self, getegid(), NULL, 0, self) == ROLE_ADMIN;

	for (size_t i = 0; i < a->count && !some; i++)
		some = a->rules[i].role == ROLE_ADMIN && a->rules[i].known;
	if (!some)
		log_warning("config", "[access] leaves nobody the role admin");
}

void access_resolve(struct access *a)
{
	for (size_t i = 0; i < a->count; i++)
		resolve(&a->rules[i]);
	tell_unreached(a);
	tell_no_admin(a);
}
