/*
 * What the statements of a script are to one that runs them in transactions of its own: which are passed over, which
 * are refused, and which belong to a rebuild written by hand. Pure.
 */
#ifndef ALTERD_MIGRATE_SCRIPT_KIND_H
#define ALTERD_MIGRATE_SCRIPT_KIND_H

#include <stdbool.h>

#include "daemon/migrate/script.h"

enum script_what {
	SCRIPT_OTHER,
	SCRIPT_PASSED_OVER, /* BEGIN, COMMIT, PRAGMA foreign_keys and the like: seen to already, `why` says how */
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
	bool begins, commits; /* what is passed over is BEGIN; is COMMIT or END */
	bool temp;            /* makes something in TEMP */
	bool unless_there;    /* CREATE TABLE IF NOT EXISTS */
	bool in_main;         /* DROP TABLE main.x: not the one in TEMP */
	/* INSERT .. SELECT, CREATE TABLE .. AS: rows of one table go into another. NULL: no such. */
	const char *copy_to, *copy_from;
	/* DROP: the table's name, or that of the table it was renamed from, is given to another one by the script.
	 * RENAME: the name it takes was another table's, or the one it leaves is taken by another. */
	bool rebuilds;
	const char *by_way_of; /* DROP that rebuilds: the table where the rows are meanwhile; NULL: none such */
	bool own;              /* DROP of a table that the script itself has made */
};

/* `vacuums`: VACUUM is passed over, since the file is not meant to be one transaction. Else it is refused. */
int script_kinds(struct pool *pool, const struct script *script, bool vacuums, struct script_kind **ret,
		 struct error *err);
/*
 * The statement is planned even where it is one of several that run in one transaction. Of ALTER TABLE: where SQLite
 * does not take it (`compiles` false), and DROP COLUMN, which SQLite refuses as soon as an index knows the column.
 */
bool script_wants_plan(const struct script_kind *kind, bool compiles);
/*
 * Statement `at` drops a table whose name goes to another one: which of the table's `n` columns are not taken
 * along? A statement that copies rows out of the table, and one that brings them back, names the column or has a star.
 * Into ret[n].
 */
int script_left_out(struct pool *pool, const struct script *script, const struct script_kind *kinds, size_t at,
		    const char *const *columns, size_t n, bool *ret, struct error *err);
/* Statement i belongs to a rebuild: the first and the last statement that have to do with its tables. */
void script_rebuild_span(const struct script_kind *kinds, size_t n, size_t i, size_t *ret_first, size_t *ret_last);

/*
 * The script as one text that can be run online, passing over what is passed over: it holds one statement, or changes
 * of one table alone (series.h), or a rebuild written by hand (byhand.h). NULL: it is none of these. `line` is where it
 * begins. Several: of statements that are not passed over there is more than one.
 */
bool script_is_several(const struct script *script, const struct script_kind *kinds);
const char *script_as_one(struct pool *pool, const struct script *script, const struct script_kind *kinds,
			  int64_t *ret_line);

#endif
