/*
 * A private alterd, and what a database holds, read and compared: for validate and dump.
 *
 *     scratch.c  the daemon's life        snapshot.c  schema and rows of a database; what differs between two
 *     sqltext.c  do two texts of CREATE mean the same?
 */
#ifndef ALTERD_CTL_SCRATCH_H
#define ALTERD_CTL_SCRATCH_H

#include <sys/types.h>

#include "client/ctl/ctl.h"

/* ---- scratch.c ---- */

struct scratch {
	char folder[108]; /* "": none */
	pid_t pid;
	struct alterd_conn *conn;
};

/*
 * Starts one with an empty database and connects. 0, or an exit code with the reason told and nothing left. From the
 * first one on Ctrl-C, SIGTERM and SIGHUP no more end this program: calls fail, and scratch_interrupted() is set.
 */
int scratch_start(struct ctl *c, struct scratch *s);
/* Ends it and removes its folder. A zeroed or stopped one is fine. */
void scratch_stop(struct scratch *s);
/* The exit code of a signal that came; 0: none. */
int scratch_interrupted(void);
/* The connection's error is told, unless a signal is the reason. Returns the exit code. */
int scratch_failed(const struct ctl *c, struct scratch *s);

/* ---- snapshot.c ---- */

struct snapshot_object {
	char *type, *name, *sql;
	bool without_rowid, virtual_table;
};

/* A column's values, all of its rows one after the other. */
struct snapshot_column {
	char *name;
	struct buf cells;
};

struct snapshot_rows {
	const char *table; /* an object's name */
	int64_t n;
	int ncolumns;
	struct snapshot_column *columns;
};

struct snapshot {
	size_t n, nrows;
	struct snapshot_object *at; /* tables, virtual tables, indexes, views, triggers, each by name */
	struct snapshot_rows *rows;
};

/*
 * The schema, without what is alterd's or SQLite's own, and without the tables that a virtual table keeps for itself;
 * with `rows` all rows of all tables. -1: the connection's error says why.
 */
int snapshot_read(struct alterd_conn *conn, bool rows, struct snapshot *ret);
void snapshot_free(struct snapshot *s);

/* How two schemas relate. */
enum likeness { SAME, OTHER_ORDER, DIFFERENT };

/* Appends what differs in words; columns that stand in another order are no difference, but told. */
enum likeness snapshot_compare(const struct snapshot *a, const struct snapshot *b, struct buf *out);
/* The next table or column, from *at on (0 first), whose rows differ; "user" or "user.age" in `out`. False: none. */
bool snapshot_rows_differ(const struct snapshot *a, const struct snapshot *b, size_t *at, struct buf *out);

/* ---- sqltext.c ---- */

/* Compares by tokens: blanks, comments, case of words and quotes around names do not count. */
enum likeness sql_compare(const char *a, const char *b);

#endif
