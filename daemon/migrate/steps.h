/*
 * What a run of migration files goes through, as it is kept in the file (_alterd_step): after kill -9 the run goes on
 * without the folder it came from. Rows of a run are forgotten with its end.
 *
 * A step is a version. One whose file asks not to be one transaction has a step for each of its pieces (pieces.h).
 */
#ifndef ALTERD_MIGRATE_STEPS_H
#define ALTERD_MIGRATE_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/migrate/pool.h"
#include "daemon/store/engine.h"
#include "proto/error.h"

struct run_step {
	int64_t version;
	bool down;
	int64_t after;        /* the schema's version once it is done; of a piece that is not the last: as before */
	const char *name;     /* of the version */
	const char *file;     /* where `sql` comes from */
	int64_t line;         /* of the file: where `sql` begins */
	const char *sql;      /* the script */
	const char *checksum; /* up: of the file; of pieces, the first and the last alone have it, and what undoes it */
	const char *down_sql; /* up: what undoes it, for the history; NULL: nothing does */
	bool exact, online;   /* the file says so: that way, or not at all */
	bool schema;          /* `sql` is a dump, which brings its versions along (file_schema.c) */
	bool allow_data_loss; /* the file, or who asked, consents */
	int64_t batch_rows;   /* 0: not said */
	const char *consent;  /* who consents: a user, or the file; NULL: nobody */
	bool no_transaction;  /* the file asks not to be one transaction */
	/* Of a piece: how many of the file's statements are done before it, with it, and are there. Else 0. */
	int64_t before, behind, total;
};

/* VACUUM is passed over: what undoes a version is one transaction, whatever the file says, and needs none either. */
static inline bool step_vacuums(const struct run_step *s) { return s->no_transaction || s->down; }
/* It is a piece, and others come behind it. */
static inline bool step_is_partial(const struct run_step *s) { return s->behind < s->total; }

int steps_create(struct db *db, struct error *err);
/* What format 2 of the catalog did not have. */
int steps_upgrade(struct db *db, struct error *err);
/* Inside a transaction. */
int steps_add(struct db *db, int64_t job, int64_t seq, const struct run_step *step, struct error *err);
int steps_trim(struct db *db, struct error *err);
/* Text of *ret is the pool's. */
int steps_read(struct db *db, int64_t job, int64_t seq, struct pool *pool, struct run_step *ret, struct error *err);

#endif
