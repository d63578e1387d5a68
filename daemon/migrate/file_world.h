/*
 * The schema a statement of a run will meet: the live one in a scratch database, without its rows, changed by what
 * comes before in the run. How many rows a table has stands beside. Nothing is written to the live database.
 *
 * On a reader lane, inside a snapshot.
 */
#ifndef ALTERD_MIGRATE_FILE_WORLD_H
#define ALTERD_MIGRATE_FILE_WORLD_H

#include "daemon/migrate/plan.h"
#include "daemon/migrate/scratch.h"
#include "daemon/migrate/script_data.h"
#include "daemon/migrate/script_kind.h"
#include "daemon/store/engine.h"

/* What is known of a table. */
struct fact {
	const char *name; /* it has by now */
	const char *live; /* it has in the database; NULL: it is made by the run */
	bool rows_known, bytes_known;
	int64_t rows;  /* estimated where the run writes some */
	int64_t bytes; /* indexes included */
};

/* How a view or trigger does: as it stands, only because "x" may be a string, or not at all. */
enum doing { DOES_NOT, DOES_QUOTED, DOES };

struct doer {
	struct dependent o;
	enum doing how;
};

struct world {
	struct pool *pool; /* all that is remembered */
	struct db *live;
	sqlite3 *db;    /* the scratch database */
	size_t missing; /* objects that cannot be made in it */
	bool opened;    /* tables that come from here on are the run's */
	size_t nfacts;
	struct fact **facts;
	size_t ndoers;
	struct pool doers_pool;
	struct doer *doers; /* of that pool; as they were when world_doers() was last called */
	const char *denied; /* why the guard refuses the statement that was just tried; NULL: it does not */
	bool guarded;       /* the statement at work is one of the script */
	int64_t steps;      /* of SQLite's machine that the statement at work has taken */
	struct error err;   /* of a look at the live database; sticks */
};

int world_open(struct world *w, struct pool *pool, struct db *live, struct error *err);
void world_close(struct world *w);

void world_add(struct world *w, struct fact fact);
/* The table by its name now; NULL: there is none. Rows and bytes are looked up when they are asked for. */
struct fact *world_table(struct world *w, const char *name);
int64_t world_rows(void *world, const char *table);
int64_t world_bytes(struct world *w, const char *table);
/* True if the column may hold a value: asked of the live table where that can be, else if there are rows. */
bool world_holds(struct world *w, const char *table, const char *column);

/* Statement i drops a table that is made anew: a column that may hold values and is not taken along; NULL: there is
 * none. On failure w->err is set. */
const char *world_leaves_out(struct world *w, const struct script *script, const struct script_kind *kinds, size_t i);

/* What a change that is run online, resp. one statement run as it is, leaves behind. On failure nothing has changed. */
int world_apply_plan(struct world *w, const struct plan *plan, struct error *err);
int world_apply(struct world *w, const struct script_kind *kind, const char *sql, struct error *err);
/* A version is over: its TEMP objects go. */
int world_end(struct world *w, struct error *err);
/* Rows after the statement. Its schema is applied. */
void world_learn(struct world *w, const struct script_kind *kind, const struct script_data *data);
/* Of a statement that reads other tables: how many rows, and the bytes of the largest. */
int64_t world_reads(struct world *w, const struct script_data *data, int64_t *ret_bytes);

/* SQLite compiles the statement on the scratch schema, with "x" a string or never one. */
bool world_compiles(struct world *w, const char *sql, bool dqs);

/*
 * Looks at views and triggers anew, and says by `tell` what has become of those that were there the last time. All that
 * is needed for it is of `scrap`.
 */
int world_doers(struct world *w, struct pool *scrap, void (*tell)(void *arg, const char *text), void *arg,
		struct error *err);

#endif
