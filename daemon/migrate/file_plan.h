/*
 * What a plan says of a statement or of a version, and how that is written. Shared by file_plan.c (the order of work),
 * file_outlook.c (figures and words) and file_pace.c (how long things take).
 */
#ifndef ALTERD_MIGRATE_FILE_PLAN_H
#define ALTERD_MIGRATE_FILE_PLAN_H

#include "daemon/migrate/file_task.h"
#include "daemon/migrate/file_world.h"

/* The hold of an online change, where none was measured yet. */
#define ONLINE_HOLD_MS 5

/* What is known of how long a strategy takes. */
struct pace {
	bool measured;      /* by jobs of this database; else what a common machine does */
	int64_t rows_per_s; /* 0: it does not depend on the rows */
	int64_t longest_ms; /* that it held the writer at once */
};

/* By the last jobs in the catalog that ran this way; a built-in figure where there are none. */
int pace_read(sqlite3 *db, const char *strategy, struct pace *ret, struct error *err);

/* What a change of a table touches. */
struct touched {
	const char *type, *name, *column; /* column: of a foreign key; NULL else */
};

struct outlook {
	const char *strategy; /* NULL: not known */
	const char *table;
	int64_t rows, needs_bytes, hold_ms, expected_ms;
	bool measured; /* expected_ms and hold_ms are told by jobs of this database */
	bool destructive;
	bool fails; /* the run would end here */
	size_t nwarnings, ntouched;
	const char **warnings;
	struct touched *touched;
};

/* Says it once. */
void outlook_warn(struct pool *pool, struct outlook *o, const char *text);
/* Indexes, triggers, views and foreign keys that hang on the outlook's table, in this schema. */
int outlook_touches(struct pool *pool, sqlite3 *db, struct outlook *o, struct error *err);
/* The heavier one is the version's; times and warnings gather. `whole`: it stands for the statements before it, too. */
void outlook_sum(struct pool *pool, struct outlook *all, const struct outlook *o, bool whole);
/* The keys of one, without brackets. */
void outlook_write(struct buf *out, const struct outlook *o, bool reversible);

#endif
