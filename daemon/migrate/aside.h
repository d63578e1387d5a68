/*
 * Pieces of work that run on a reader lane beside a step on the writer. See aside.c, and migrator_aside.c for when.
 */
#ifndef ALTERD_MIGRATE_ASIDE_H
#define ALTERD_MIGRATE_ASIDE_H

#include "daemon/migrate/migration.h"

enum aside_kind { ASIDE_INDEX, ASIDE_VERIFY, ASIDE_COUNT };

/*
 * One piece, bounded in time. `m` is a migration of its own, that shares record, plan, texts and index build with the
 * one whose steps run meanwhile, and nothing else. m->step_rows: rows compared.
 */
int aside_step(struct migration *m, enum aside_kind kind, struct db *db, struct error *err);

#endif
