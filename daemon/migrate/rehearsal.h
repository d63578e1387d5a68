/*
 * migrate.plan with `try`: the run is rehearsed on a copy of the database, by a process of its own.
 *
 * That process is alterd itself, started as `alterd --rehearse COPY` with the lowest priority the system has. It makes
 * the copy by one snapshot, opens it as a daemon opens its database, without a socket, runs the versions one by one,
 * tells on its standard output what came of them, and removes the copy. Whatever it does to memory, disk or itself, the
 * daemon's own connections have no part in it; and to stop it is to kill it. There is one at a time.
 *
 *     stdin:   "<pid of the daemon> <bytes> <bytes>\n", the settings as alterd.conf text, a request: migrate.up or down
 *              with its files and `steps`, the number of versions
 *     stdout:  "copied <bytes> <ms>\n", then "done\n" and a JSON object; or "error <code> <name>\n" and a text
 */
#ifndef ALTERD_MIGRATE_REHEARSAL_H
#define ALTERD_MIGRATE_REHEARSAL_H

#include "daemon/migrate/migrator.h"

/* The copy's path: beside the database, or in the folder that is configured. Caller frees. */
char *rehearsal_path(const char *database, const char *folder);

/* --- the daemon's side; loop --- */

struct file_task;
struct rehearsal;

/*
 * Begins with the task's run. `ended` is called once, with the task's err set or its answer gone on with `"try":{..}`,
 * when process and copy are gone. -1: it cannot begin, the task's err says why, `ended` is not called.
 */
int rehearsal_start(struct file_task *t, void (*ended)(struct file_task *t));
/* Ends it early; `ended` comes as ever. */
void rehearsal_stop(struct rehearsal *r);
/* Removes what a daemon that was killed has left. */
void rehearsal_clean(const struct migrator *m);

/* --- the other process --- */

/*
 * Runs `request`, version by version, on the store's database, whose loop it runs. A JSON object is appended to `out`;
 * -1 if that cannot be, with err set.
 */
int rehearse(struct store *s, uv_loop_t *loop, const struct migrator_config *config, const struct request *request,
	     struct buf *out, struct error *err);

#endif
