/*
 * A script taken apart into statements, each with its place in the file.
 *
 * Pure. A statement ends at its semicolon, a trigger's body at the END that closes it; the last one needs none. What
 * stands between statements (comments, blanks, empty statements) belongs to none.
 */
#ifndef ALTERD_MIGRATE_SCRIPT_H
#define ALTERD_MIGRATE_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/migrate/pool.h"
#include "proto/error.h"

struct script_statement {
	const char *sql; /* of the pool; without the semicolon behind it and the comments around it */
	int64_t line;    /* of the file, from 1: where its first token stands */
};

struct script {
	size_t n;
	struct script_statement *at;
};

/* Statements of a script at most. */
#define SCRIPT_STATEMENTS_MAX 100000

/*
 * Splits text whose first line is line `first_line` of its file. MIGRATION_INVALID with data.line for what cannot be
 * tokens of SQLite, a statement that begins a trigger and does not end it, or too many.
 */
int script_split(struct pool *pool, const char *text, size_t len, int64_t first_line, struct script *ret,
		 struct error *err);

#endif
