/* The log's index as it stands in shared memory: how long the log is, and how much of it is in the database file. */
#ifndef ALTERD_STORE_WAL_INDEX_H
#define ALTERD_STORE_WAL_INDEX_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct wal_index {
	uint32_t commits; /* moves by one with each commit, whoever makes it; wraps around */
	uint32_t frames;  /* in the log, up to the last commit */
	uint32_t copied;  /* of them in the database file */
};

/*
 * Of the database that `handle` has open, without a lock: the moment's truth, but for the thread in whose write
 * transaction nothing moves. False where there is no log, or one this code does not know.
 */
bool wal_index_read(sqlite3 *handle, struct wal_index *ret);

/*
 * Within a write transaction that changes nothing else: whoever reads the index next, in any process, finds it broken
 * and makes it anew from the log, as after a crash. Snapshots that are open stay.
 */
void wal_index_spoil(sqlite3 *handle);

#endif
