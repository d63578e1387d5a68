/*
 * Who may do what: the section [access], an ordered list of rules `name = role`.
 *
 * A name is a user's, `@` and a group's, a number (uid, or gid behind `@`), or `*` for everybody. The first rule that
 * fits a client decides. Rules of one file, and those of the command line, stay in the order written; what is read
 * later comes first, so that a drop-in or --set wins over the file as everywhere else.
 *
 * Without any rule root and the daemon's own user are admin and everybody else is rw. With rules, whom none of them
 * fits is none; but root and the daemon's own user are admin even so, unless a rule says otherwise.
 */
#ifndef ALTERD_CONFIG_ACCESS_H
#define ALTERD_CONFIG_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/buf.h"
#include "proto/op.h"

#define ACCESS_RULES_MAX 1000
#define ACCESS_NAME_MAX 256
/* The source of what --set says; files count from 1. */
#define ACCESS_COMMAND_LINE 0

enum access_kind { ACCESS_USER, ACCESS_GROUP, ACCESS_ANYONE };

struct access_rule {
	char *name; /* as written, the @ included */
	enum access_kind kind;
	enum role role;
	bool known;  /* `id` is what the name stands for; access_resolve() finds out */
	uint32_t id; /* uid or gid */
	int source;  /* of which file, ACCESS_COMMAND_LINE for none */
	char *file;  /* NULL: the command line */
	int line;
};

/* All zero: no rules. */
struct access {
	struct access_rule *rules;
	size_t count;
	int sources; /* files read so far */
};

void access_free(struct access *a);

/* Another file is read from here on. */
void access_begin_file(struct access *a);
/* Where a rule stands; file NULL: on the command line. */
struct access_place {
	const char *file;
	int line;
};
/*
 * Adds `name = role`; neither text needs a NUL, both are trimmed. On the command line a name said again takes the new
 * role. On failure `why` says what is wrong.
 */
int access_add(struct access *a, const char *name, size_t name_len, const char *role, size_t role_len,
	       struct access_place place, char *why, size_t why_size);

/*
 * Looks up the names of users and groups; may wait for whoever knows them. A rule whose name nobody knows fits nobody,
 * and is told in the log with its place; so are rules that nothing can reach, and a list that leaves no admin.
 */
void access_resolve(struct access *a);

/* The role of a client; `groups` are its supplementary ones. `self` is the user the daemon runs as. */
enum role access_role(const struct access *a, uid_t uid, gid_t gid, const gid_t *groups, size_t ngroups, uid_t self);
/* True if the supplementary groups can make a difference. */
bool access_asks_for_groups(const struct access *a);

/* The same names with the same roles in the same order. */
bool access_equal(const struct access *a, const struct access *b);
void access_copy(struct access *to, const struct access *from);
/* As alterd.conf text, without the section's name. */
void access_format(const struct access *a, struct buf *out);

#endif
