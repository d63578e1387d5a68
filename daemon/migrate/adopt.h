/*
 * The history that another tool has kept in the database, taken over when alterd has none of its own: an existing
 * folder and an existing database go on where they are.
 */
#ifndef ALTERD_MIGRATE_ADOPT_H
#define ALTERD_MIGRATE_ADOPT_H

#include "daemon/migrate/folder.h"
#include "daemon/migrate/history.h"

/*
 * Looks for dbmate's, goose's, golang-migrate's, sqlx', diesel's, flyway's and refinery's table, else at PRAGMA
 * user_version, and puts the versions it finds into `history`, which must be without any. `folder` may be NULL. A
 * version that its tool left half done is WRONG_STATE. Any lane, inside a transaction; writes nothing.
 */
int adopt(struct pool *pool, sqlite3 *handle, const struct folder *folder, struct history *history, struct error *err);

/* The tool whose table is in the database, by its name; NULL: none is. Any lane, inside a transaction. */
int adopt_tool(sqlite3 *handle, const char **ret, struct error *err);

#endif
