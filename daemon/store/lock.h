/*
 * The instance lock: one daemon to a database. It is on a file of its own (<database>.alterd-lock), for opening and
 * closing the database file outside of SQLite would drop SQLite's locks.
 */
#ifndef ALTERD_STORE_LOCK_H
#define ALTERD_STORE_LOCK_H

#include "proto/error.h"

/*
 * Takes it for the file at `path`, which need not exist yet. Closing *ret_fd gives it back. On failure *ret_exit is the
 * sysexits code to leave with: 75 held by another process, 77, 74.
 */
int store_lock(const char *path, int *ret_fd, int *ret_exit, struct error *err);

#endif
