/*
 * Several statements that change one table, one after the other, which become one change:
 *
 *     ALTER TABLE t ADD c TEXT;  UPDATE t SET c = lower(a);  CREATE UNIQUE INDEX t_c ON t(c);  DROP INDEX t_a;
 *
 * with what takes no time beside them: tables that are new and their indexes, views, triggers. Pure. Whether what the
 * later ones say still means the same without the earlier ones is the plan's to see
 * (plan_series.c). ALTER TABLE alone, of which there may be several, is alter_parse.h's.
 */
#ifndef ALTERD_MIGRATE_SERIES_H
#define ALTERD_MIGRATE_SERIES_H

#include <stdbool.h>

#include "daemon/migrate/script_kind.h"
#include "daemon/migrate/statement.h"

/* More become too large a change to be worth it. */
#define SERIES_MAX 100

struct series {
	const char *table; /* unquoted */
	size_t n;
	struct statement *at; /* ALTER, UPDATE, CREATE INDEX, DROP INDEX; the table of the last is not known here */
	size_t nobjects;
	struct statement *objects; /* run at the end as they stand */
};

/* True if the script is one, in *ret. Statements that are passed over count for nothing. */
bool series_read(struct pool *pool, const struct script *script, const struct script_kind *kinds, struct series *ret);

#endif
