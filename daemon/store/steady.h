/*
 * A handle of the database file whose writes go to the disk bit by bit while clients are at work. See steady.c.
 */
#ifndef ALTERD_STORE_STEADY_H
#define ALTERD_STORE_STEADY_H

#include <sqlite3.h>
#include <stdint.h>

struct store;

struct steady {
	sqlite3_io_methods methods;      /* first: what SQLite calls */
	const sqlite3_io_methods *plain; /* what is called instead */
	const struct store *store;
	int64_t unsynced; /* bytes written since the last sync */
};

/*
 * Puts itself between SQLite and the main database file of a connection that has it open. `st` must live until the
 * connection is closed, and is the thread's that uses it. Returns SQLite's code.
 */
int steady_attach(struct steady *st, const struct store *s, sqlite3 *handle);

#endif
