/*
 * The ALTER TABLE text of a migration -> a list of actions. PostgreSQL's forms and SQLite's own, several to a
 * statement.
 *
 * Pure. What is understood here need not be possible: that is the plan's to say.
 */
#ifndef ALTERD_MIGRATE_ALTER_PARSE_H
#define ALTERD_MIGRATE_ALTER_PARSE_H

#include <stddef.h>

#include "daemon/migrate/pool.h"
#include "proto/error.h"

enum action_kind {
	ACTION_TYPE, /* ALTER [COLUMN] name TYPE text [USING expr] */
	ACTION_SET_NOT_NULL,
	ACTION_DROP_NOT_NULL,
	ACTION_SET_DEFAULT, /* text: the expression */
	ACTION_DROP_DEFAULT,
	ACTION_SET_COLLATE, /* text: the collation's name, as written */
	ACTION_ADD_COLUMN,  /* text: the definition without the name [USING expr] */
	ACTION_DROP_COLUMN,
	ACTION_RENAME_COLUMN,    /* text: the new name, unquoted */
	ACTION_RENAME_TABLE,     /* text: the new name, unquoted */
	ACTION_ADD_CONSTRAINT,   /* text: the whole constraint */
	ACTION_DROP_CONSTRAINT,  /* name: the constraint's */
	ACTION_DROP_PRIMARY_KEY, /* whatever its name */
	ACTION_SET_STRICT,
	ACTION_DROP_STRICT,
	ACTION_SET_WITHOUT_ROWID,
	ACTION_DROP_WITHOUT_ROWID,
	/* Of UPDATE and DELETE, which are parsed in statement.c. */
	ACTION_UPDATE, /* name: the column; text: its new value; using: WHERE, NULL if there is none */
	ACTION_DELETE, /* text: WHERE, NULL if there is none */
};

struct action {
	enum action_kind kind;
	const char *name;        /* column or constraint, unquoted; NULL where there is none */
	const char *text;        /* see above; NULL where there is none */
	const char *using;       /* expression, NULL if there is none */
	const char *quoted_name; /* ADD COLUMN: the name as it was written */
};

struct alter {
	const char *table; /* unquoted */
	size_t n;
	struct action *actions; /* in the order of the text */
};

/* Most actions of one migrate.alter. */
#define ALTER_ACTIONS_MAX 256

/*
 * Parses one or more ALTER TABLE statements, all of one table (a limit of this version). Errors: MIGRATION_INVALID with
 * the place. All memory of *ret is the pool's.
 */
int alter_parse(struct pool *pool, const char *sql, size_t len, struct alter *ret, struct error *err);

#endif
