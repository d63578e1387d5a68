/*
 * Which versions a run goes through: a folder and a history compared. Pure; refuses what would have to be undone later.
 */
#ifndef ALTERD_MIGRATE_RUN_H
#define ALTERD_MIGRATE_RUN_H

#include "daemon/migrate/folder.h"
#include "daemon/migrate/history.h"
#include "daemon/migrate/partial.h"
#include "daemon/migrate/steps.h"

enum run_kind { RUN_UP, RUN_DOWN, RUN_TO };

struct run_options {
	enum run_kind kind;
	bool has_to;
	int64_t to;    /* the version to end at */
	int64_t steps; /* how many; 0: all of them up, one down */
	bool allow_data_loss, allow_out_of_order;
	const char *user; /* who asks */
};

struct run {
	int64_t from, to;
	size_t n;
	struct run_step *at;
};

/*
 * `folder` NULL: there is none, which is fine for going down. `partial`: the version of which a part has run, which
 * goes on before any other is run. Errors: CHECKSUM_MISMATCH, OUT_OF_ORDER, NO_DOWN, NOT_FOUND (a version neither
 * applied nor in the folder), MIGRATION_INVALID (a database with tables and no history: baseline first; what has no
 * place in a file), WRONG_STATE (down while a version is partial), each naming version and file.
 */
int run_make(struct pool *pool, const struct folder *folder, const struct history *history,
	     const struct partial *partial, const struct run_options *options, struct run *ret, struct error *err);

/* True if the version's file is another than the one that was applied. */
bool run_changed(const struct version *v, const struct applied *a);
/* True if the version comes before one that is applied. */
bool run_out_of_order(const struct folder *folder, const struct history *history, const struct version *v);

#endif
