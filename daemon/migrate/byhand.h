/*
 * A rebuild written by hand: the statements that tools generate, and SQLite's documentation tells, to change a table in
 * a way that ALTER TABLE does not know.
 *
 *     CREATE TABLE new (..); INSERT INTO new SELECT .. FROM t; DROP TABLE t; ALTER TABLE new RENAME TO t;
 *     ALTER TABLE t RENAME TO old; CREATE TABLE t (..); INSERT INTO t SELECT .. FROM old; DROP TABLE old;
 *
 * with what may stand around them: indexes, triggers, views, tables that are new. Pure: by their words alone, names do
 * not count. Whether they fit the schema, and each other, is the plan's to say (plan_byhand.c).
 */
#ifndef ALTERD_MIGRATE_BYHAND_H
#define ALTERD_MIGRATE_BYHAND_H

#include <stdbool.h>

#include "daemon/migrate/script_kind.h"

struct byhand {
	const char *into, *from; /* tables of the INSERT .. SELECT, unquoted, by the names they have then */
	size_t copy;             /* the statement that it is */
	size_t ncolumns;
	const char **columns; /* of INTO, unquoted; none: all that are not generated, in their order */
	size_t nvalues;
	const char **values; /* expressions over a row of FROM, without its name before a column; NULL: "*" */
};

/* True if the script is one, in *ret. Statements that are passed over count for nothing. */
bool byhand_read(struct pool *pool, const struct script *script, const struct script_kind *kinds, struct byhand *ret);

#endif
