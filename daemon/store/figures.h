/*
 * What a lane notes of the statements it has run, for the loop to add up by their texts.
 *
 * A lane knows what a run has cost, the loop keeps the sums: a job takes its figures back with it, so that no lock is
 * needed for them. A job that is run again (a group that could not be committed) begins with empty ones.
 */
#ifndef ALTERD_STORE_FIGURES_H
#define ALTERD_STORE_FIGURES_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Different texts of a batch whose figures are kept apart; the rest is counted in `others`. */
#define FIGURES_TEXTS_MAX 64

struct figures {
	int64_t calls;      /* runs that were begun: good ones and bad ones */
	int64_t errors;     /* of them, those that failed */
	uint64_t ns;        /* their time on a lane: without waiting, without the commit */
	uint64_t max_ns;    /* of one of them */
	int64_t rows;       /* that were answered */
	int64_t changes;    /* rows changed */
	int64_t scans;      /* runs that went through a whole table, or all of an index */
	int64_t scan_steps; /* rows gone over in doing so */
	int64_t sorts;      /* sorted without an index */
	int64_t auto_rows;  /* rows put into indexes made for one run */
	int64_t vm_steps;   /* instructions of SQLite's machine: work, whatever the clock says */
};

struct figures_text {
	const char *sql; /* the request's; not terminated */
	size_t n;
	uint64_t hash;
	int type; /* enum sql_type */
	struct figures f;
};

/* Of a batch: by text, each once. */
struct figures_batch {
	size_t n;
	int64_t others; /* runs of texts there was no room for */
	struct figures_text at[FIGURES_TEXTS_MAX];
};

/* After a run: what SQLite has counted for the statement since the last time. */
void figures_take(struct figures *f, sqlite3_stmt *stmt);
void figures_add(struct figures *to, const struct figures *from);
/* Of one statement of a batch. *b is made where it is NULL; without memory nothing is noted. */
void figures_add_text(struct figures_batch **b, const struct figures_text *t);

#endif
