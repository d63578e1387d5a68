/*
 * The versions a run of migration files goes through, as they are kept in the file (_alterd_step): after kill -9 the
 * run goes on without the folder it came from. Rows of a run are forgotten with its end.
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
	int64_t after;        /* the schema's version once it is done */
	const char *name;     /* of the version */
	const char *file;     /* where `sql` comes from */
	int64_t line;         /* of the file: where `sql` begins */
	const char *sql;      /* the script */
	const char *checksum; /* up: of the file */
	const char *down_sql; /* up: what undoes it, for the history; NULL: nothing does */
	bool exact, online;   /* the file says so: that way, or not at all */
	bool schema;          /* `sql` is a dump, which brings its versions along (file_schema.c) */
	bool allow_data_loss; /* the file, or who asked, consents */
	int64_t batch_rows;   /* 0: not said */
};

int steps_create(struct db *db, struct error *err);
/* Inside a transaction. */
int steps_add(struct db *db, int64_t job, int64_t seq, const struct run_step *step, struct error *err);
int steps_trim(struct db *db, struct error *err);
/* Text of *ret is the pool's. */
int steps_read(struct db *db, int64_t job, int64_t seq, struct pool *pool, struct run_step *ret, struct error *err);

#endif
