/* What a script drops and who consents to it. Lanes. */
#ifndef ALTERD_MIGRATE_CONSENT_H
#define ALTERD_MIGRATE_CONSENT_H

#include "daemon/migrate/schema.h"
#include "daemon/migrate/script_kind.h"
#include "daemon/migrate/steps.h"

/*
 * NEEDS_FORCE where statement i drops a table that has rows, or a column that holds a value; of a table that a rebuild
 * drops, a column that it does not take along. What is not there loses nothing. Reads the table in the transaction that
 * is open.
 */
int consent_needed(struct db *db, struct pool *pool, const struct script *script, const struct script_kind *kinds,
		   size_t i, struct error *err);
/* The same for all statements of a step without consent, with their place; the schema is what it is before the run. */
int consent_ahead(struct db *db, struct pool *pool, const struct run_step *step, struct error *err);
/*
 * Statement i drops a table that is made anew: the table as it stands on `db`, and for each of its columns whether no
 * statement takes it along.
 */
int consent_left_out(struct pool *pool, sqlite3 *db, const struct script *script, const struct script_kind *kinds,
		     size_t i, struct schema_table **ret, bool **ret_out, struct error *err);

#endif
