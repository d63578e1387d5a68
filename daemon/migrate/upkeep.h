/*
 * Upkeep of the database, on the loop's side: check, analyze, shrink. One of them at a time.
 *
 * check reads on a thread of its own (daemon/store/look.h). analyze and shrink are jobs of the writer, each as long as
 * a migration's step may be, between which clients write. Beside a migration they do not run: they are refused while
 * one is under way, and end where one begins; what they have done until then stays. All functions: loop thread.
 */
#ifndef ALTERD_MIGRATE_UPKEEP_H
#define ALTERD_MIGRATE_UPKEEP_H

#include <stdbool.h>

#include "daemon/migrate/migrator.h"

struct upkeep;

struct upkeep *upkeep_open(struct migrator *m);
/* check, analyze, shrink. */
void upkeep_request(struct upkeep *u, const struct request *request, struct migrator_wait *w);
/* The client is gone: `done` is not called any more, and what it has asked for is given up. */
void upkeep_forget(struct upkeep *u, const struct migrator_wait *w);
/* Ends what is under way. Once upkeep_busy() is false, for which the migrator is pumped, it may be freed. */
void upkeep_stop(struct upkeep *u);
bool upkeep_busy(const struct upkeep *u);
void upkeep_free(struct upkeep *u); /* NULL is fine */
/* What is under way, as a JSON object, or null. */
void upkeep_write(const struct upkeep *u, struct buf *out);

#endif
