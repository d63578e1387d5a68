/*
 * Backups, on the loop's side: what clients ask of them, and the one before a run of migration files.
 *
 * Two threads do the work, for all of it blocks: one makes copies, one after the other; one lists, reads and deletes.
 * They are started when first needed. All functions: loop thread.
 */
#ifndef ALTERD_MIGRATE_BACKUPS_H
#define ALTERD_MIGRATE_BACKUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/migrate/migrator.h"

struct backups;

/* What a killed daemon has left in the folder is taken away. `config`: the parts about backups are read. */
struct backups *backups_open(struct store *s, const struct migrator_config *config);
void backups_reconfigure(struct backups *b, const struct migrator_config *config);
/* Stops what is under way. Once backups_busy() is false, which the callbacks given here tell, it may be freed. */
void backups_stop(struct backups *b, void (*idle)(void *arg), void *arg);
bool backups_busy(const struct backups *b);
void backups_free(struct backups *b); /* NULL is fine */

/* backup, backup.list, backup.read, backup.delete. */
void backups_request(struct backups *b, const struct request *request, struct migrator_wait *w);
/* The client is gone: `done` is not called any more, and a copy that nobody waits for is given up. */
void backups_forget(struct backups *b, const struct migrator_wait *w);

/*
 * The backup before a run that begins with `version`. `ended` is called once, later, with the error or none. It is
 * given up by backups_before_stop(); `ended` is called all the same.
 */
struct backup_task;
struct backup_task *backups_before(struct backups *b, int64_t version, void (*ended)(void *arg, struct error *err),
				   void *arg);
void backups_before_stop(struct backup_task *t);
/* Thousandths of the copy that are there. */
int backups_permille(struct backup_task *t);

#endif
