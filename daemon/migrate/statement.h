/*
 * What a text given to migrate.alter is: which statement, of which object.
 *
 * Pure. ALTER TABLE goes to alter_parse.h, of which there may be several; every other kind stands alone. An UPDATE or
 * DELETE of a whole table comes out as actions of an `alter`: for the plan it is a rebuild whose mapping holds the new
 * values. Whether a statement is possible is the plan's to say.
 */
#ifndef ALTERD_MIGRATE_STATEMENT_H
#define ALTERD_MIGRATE_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/migrate/alter_parse.h"
#include "daemon/migrate/pool.h"
#include "proto/error.h"

enum statement_kind {
	STATEMENT_ALTER,
	STATEMENT_CREATE_INDEX,
	STATEMENT_CREATE_TABLE,
	STATEMENT_CREATE_VIEW,
	STATEMENT_CREATE_TRIGGER,
	STATEMENT_DROP_INDEX,
	STATEMENT_DROP_TABLE,
	STATEMENT_DROP_VIEW,
	STATEMENT_DROP_TRIGGER,
	STATEMENT_DATA, /* UPDATE or DELETE */
};

struct statement {
	enum statement_kind kind;
	const char *sql;    /* the text, without the semicolon behind it */
	const char *name;   /* of what is created or dropped, unquoted; else NULL */
	const char *table;  /* CREATE INDEX: the table's name, unquoted; else NULL */
	bool if_exists;     /* IF EXISTS, IF NOT EXISTS */
	bool unique;        /* CREATE UNIQUE INDEX */
	struct alter alter; /* ALTER and DATA */
};

/* Errors: MIGRATION_INVALID with the place or the reason. All memory of *ret is the pool's. */
int statement_parse(struct pool *pool, const char *sql, struct statement *ret, struct error *err);

#endif
