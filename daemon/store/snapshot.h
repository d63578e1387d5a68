/*
 * A copy of a whole database as one snapshot has it, made by a process that need not own the file.
 *
 * Any thread; blocks until it is done. The source is only read, through a connection of its own: it stands for as long
 * as a reader's snapshot does, so its log cannot begin anew meanwhile. The copy is made a few pages at a time with
 * pauses as long as the work, and written to the disk as it grows, so that others who sync theirs do not wait for it.
 */
#ifndef ALTERD_STORE_SNAPSHOT_H
#define ALTERD_STORE_SNAPSHOT_H

#include <stdint.h>

#include "proto/error.h"

/*
 * `to` must not be there; only its owner can read it. On failure it may be there in part. SQLITE_FULL: less than
 * `reserve_bytes` would be left free.
 */
int snapshot_copy(const char *from, const char *to, int64_t reserve_bytes, int64_t *ret_bytes, struct error *err);

/* Removes a copy and all that SQLite and the store may have made beside it; what is not there is no failure. */
void snapshot_remove(const char *path);
/* What it removes: the path's endings, the first one empty; ended by NULL. */
extern const char *const snapshot_tails[];

#endif
