/*
 * A cursor: a result that did not fit one page. It keeps the statement and its connection, and with them a snapshot;
 * or, for the rows of a RETURNING, the rest of the rows themselves.
 */
#ifndef ALTERD_STORE_CURSOR_H
#define ALTERD_STORE_CURSOR_H

#include "daemon/store/internal.h"

/* Cursors a session may have open. */
#define CURSORS_MAX 16

struct sql_cursor {
	struct list_node node; /* in its session */
	char name[24];
	struct db *db;        /* NULL: the rows are in `rows` */
	bool owns_db;         /* the connection is this cursor's alone, not a transaction's */
	sqlite3_stmt *stmt;   /* owned */
	bool on_row;          /* stands on a row not yet sent */
	struct buf rows;      /* rest of a RETURNING: each row as a size_t length and its JSON */
	size_t at;            /* next row in `rows` */
	uint64_t text_hash;   /* of the client's text */
	uint64_t deadline_ns; /* end of its life */
	uint64_t idle_ns;     /* end of the present pause */
};

#endif
