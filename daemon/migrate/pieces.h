/*
 * What a version whose file asks not to be one transaction is run as: pieces, each a transaction, or an online change,
 * of its own. Pure.
 *
 * A piece is one statement; or what stands from the file's own BEGIN to its COMMIT; or a rebuild written by hand, from
 * its first statement to its last: nobody is to see half of it. What is passed over (PRAGMA, VACUUM) goes with the
 * piece before it, at the beginning with the one behind it.
 */
#ifndef ALTERD_MIGRATE_PIECES_H
#define ALTERD_MIGRATE_PIECES_H

#include "daemon/migrate/script.h"

struct piece {
	size_t from, n;  /* statements of the script */
	const char *sql; /* theirs, with line breaks between them as many as in the file */
	int64_t line;    /* of the file: where `sql` begins */
};

struct pieces {
	size_t n;
	struct piece *at;
};

/*
 * The statements from `from` on. MIGRATION_INVALID, by file and line: what has no place in a migration at all, BEGIN
 * and COMMIT that are not pairs, TEMP objects outside of them: they would be gone before the next statement.
 */
int pieces_make(struct pool *pool, const char *file, const struct script *script, size_t from, struct pieces *ret,
		struct error *err);
/* All of them as one piece. */
struct piece pieces_rest(struct pool *pool, const struct script *script, size_t from);

#endif
