/*
 * What the statements of a script are to one that runs them in a transaction of its own: which are passed over, which
 * are refused, and which belong to a rebuild written by hand. Pure.
 */
#ifndef ALTERD_MIGRATE_SCRIPT_KIND_H
#define ALTERD_MIGRATE_SCRIPT_KIND_H

#include <stdbool.h>

#include "daemon/migrate/script.h"

enum script_what {
	SCRIPT_OTHER,
	SCRIPT_PASSED_OVER, /* BEGIN, COMMIT, PRAGMA foreign_keys and the like: seen to already */
	SCRIPT_REFUSED,     /* `why` */
	SCRIPT_CREATE_TABLE,
	SCRIPT_DROP_TABLE,
	SCRIPT_RENAME_TABLE, /* `name` to `other` */
	SCRIPT_DROP_COLUMN,  /* `other` of `name` */
	SCRIPT_ALTER,        /* any other change of the table `name` */
};

struct script_kind {
	enum script_what what;
	const char *name, *other; /* unquoted; NULL where it has none */
	const char *why;
	/* DROP: the table's name, or that of the table it was renamed from, is given to another one by the script.
	 * RENAME: the name it takes was another table's, or the one it leaves is taken by another. */
	bool rebuilds;
};

int script_kinds(struct pool *pool, const struct script *script, struct script_kind **ret, struct error *err);

/*
 * The script as one text that can be run online, passing over what is passed over: it holds one statement, or changes
 * of one table alone (series.h), or a rebuild written by hand (byhand.h). NULL: it is none of these. `line` is where it
 * begins.
 */
const char *script_as_one(struct pool *pool, const struct script *script, const struct script_kind *kinds,
			  int64_t *ret_line);

#endif
