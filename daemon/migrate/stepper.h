/*
 * One step of a migration: the table of phases, and what every step does before and after.
 */
#ifndef ALTERD_MIGRATE_STEPPER_H
#define ALTERD_MIGRATE_STEPPER_H

#include <stdbool.h>

#include "daemon/migrate/migration.h"

/* True if the next step of the migration belongs on the writer lane, false: on a reader lane. Between steps. */
bool migration_on_writer(const struct migration *m);
/* It is comparing, in snapshots of a reader. */
bool migration_compares(const struct migration *m);

/* Takes one step, on the lane migration_on_writer() names. */
enum step_outcome migration_step(struct migration *m, struct db *db, struct error *err);

#endif
