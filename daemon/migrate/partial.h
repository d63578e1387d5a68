/*
 * Versions of which a part has run, in the file itself: their file asks not to be one transaction, and a statement has
 * failed, or the run was aborted, between two of its pieces. Written in the transaction of the piece.
 *
 *   _alterd_partial(version, name, ..)     how far it is, and what its line in the history will say of it.
 *   _alterd_ran(version, seq, sha256)      the statements that have run: a mended file must begin with them.
 */
#ifndef ALTERD_MIGRATE_PARTIAL_H
#define ALTERD_MIGRATE_PARTIAL_H

#include "daemon/migrate/folder.h"
#include "daemon/migrate/steps.h"

struct partial {
	int64_t version; /* 0: there is none */
	int64_t done, total;
	const char *name, *file;
	const char *checksum;     /* of the file, when it ran last */
	const char *down_sql;     /* as the file had it then; NULL: nothing undoes it */
	const char *ran_at;       /* its last piece */
	const char *ran_by;       /* NULL: not known */
	const char *consented_by; /* to a loss of data; NULL: none */
	int64_t took_ms;          /* all pieces together */
	const char **sha256;      /* of each statement that is done; NULL where it was not asked for */
};

int partial_create(struct db *db, struct error *err);
/*
 * Any lane. The partial version; there is never more than one, since no other is run before it. Text is the pool's.
 * Without `statements` sha256 is not read.
 */
int partial_read(struct pool *pool, sqlite3 *handle, bool statements, struct partial *ret, struct error *err);
/* Writer; in the transaction of the piece: it is done. `all` is what partial_read() would say of it from now on. */
int partial_advance(struct db *db, struct pool *pool, const struct run_step *piece, const struct partial *all,
		    struct error *err);
int partial_forget(struct db *db, int64_t version, struct error *err);

/* CHECKSUM_MISMATCH, by file and line, if the script does not begin with the statements that have run. */
int partial_check(const struct partial *p, const char *file, const struct script *script, struct error *err);

#endif
