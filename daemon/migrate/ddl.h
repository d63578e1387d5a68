/*
 * CREATE TABLE text taken apart and edited, with everything that is not edited kept byte for byte.
 *
 * Pure. The text comes out of sqlite_schema, so SQLite has accepted it; what comes out of an edit is tried by the plan
 * in a scratch database before it is used.
 */
#ifndef ALTERD_MIGRATE_DDL_H
#define ALTERD_MIGRATE_DDL_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/migrate/pool.h"
#include "daemon/migrate/tokenize.h"
#include "proto/error.h"

enum ddl_constraint_kind {
	DDL_PRIMARY_KEY,
	DDL_NOT_NULL,
	DDL_NULL,
	DDL_UNIQUE,
	DDL_CHECK,
	DDL_DEFAULT,
	DDL_COLLATE,
	DDL_REFERENCES, /* of a column; or FOREIGN KEY of the table */
	DDL_GENERATED,
};

/* A constraint of a column or of the table: tokens [from, to), its CONSTRAINT name included. */
struct ddl_constraint {
	enum ddl_constraint_kind kind;
	const char *name; /* CONSTRAINT name, unquoted; NULL if there is none */
	size_t from, to;
	size_t key;           /* the token behind CONSTRAINT name */
	size_t autoincrement; /* PRIMARY KEY: index of the AUTOINCREMENT token, 0 if there is none */
};

/* A column definition, or a part between commas that holds table constraints: tokens [from, to). */
struct ddl_item {
	size_t from, to;
	const char *name; /* column: unquoted; NULL for table constraints */
	size_t type_to;   /* column: type is [from + 1, type_to) */
	size_t n;
	struct ddl_constraint *constraints;
};

struct ddl {
	struct pool *pool;
	struct tokens t;
	size_t name;        /* the token that is the table's name (the last part of it) */
	size_t open, close; /* the parentheses around the items */
	size_t n;
	struct ddl_item *items;
	bool without_rowid, strict;
};

/* Takes a CREATE TABLE text apart. `sql` must outlive *ret. */
int ddl_parse(struct pool *pool, const char *sql, struct ddl *ret, struct error *err);

/* The column of that name; NULL if there is none. */
struct ddl_item *ddl_column(const struct ddl *d, const char *name);
/* Number of columns. */
size_t ddl_columns(const struct ddl *d);
const struct ddl_constraint *ddl_find(const struct ddl_item *item, enum ddl_constraint_kind kind);

/* Each returns new text of the pool; the argument stays as it was. */
char *ddl_set_type(const struct ddl *d, const struct ddl_item *column, const char *type);
/* Adds a constraint's text behind the column's type (before its other constraints) resp. removes all of one kind. */
char *ddl_add_constraint(const struct ddl *d, const struct ddl_item *column, const char *text);
char *ddl_drop_constraints(const struct ddl *d, const struct ddl_item *column, enum ddl_constraint_kind kind);
/* Replaces the text of a constraint behind its name. */
char *ddl_set_constraint(const struct ddl *d, const struct ddl_constraint *c, const char *text);
/* Adds a column behind the last one. */
char *ddl_add_column(const struct ddl *d, const char *definition);
char *ddl_drop_column(const struct ddl *d, const struct ddl_item *column);
/* The same table under another name, without REFERENCES and AUTOINCREMENT: what a shadow is made with. */
char *ddl_shadow(const struct ddl *d, const char *quoted_name);
/* The same without UNIQUE, and without PRIMARY KEY unless it is to be kept. */
char *ddl_bare_shadow(const struct ddl *d, const char *quoted_name, bool keep_key);
/* The table's options behind the parenthesis, anew. */
char *ddl_set_options(const struct ddl *d, bool without_rowid, bool strict);
/* Adds a table constraint at the end; takes one away (of a column or of the table). */
char *ddl_add_part(const struct ddl *d, const char *text);
char *ddl_drop_part(const struct ddl *d, const struct ddl_item *item, const struct ddl_constraint *c);
/* A CREATE INDEX text as it is stored, for another table under another name. NULL with err if it cannot be read. */
char *ddl_shadow_index(struct pool *pool, const char *sql, const char *table, const char *quoted_index,
		       const char *quoted_table, struct error *err);
/* Unquoted names in the column list of a table constraint (PRIMARY KEY, UNIQUE, FOREIGN KEY); *ret_n of them. */
const char **ddl_constraint_columns(const struct ddl *d, const struct ddl_constraint *c, size_t *ret_n);
/* True if the words of tokens [from, to) hold this name (outside of strings): a cautious "uses it". */
bool ddl_mentions(const struct ddl *d, size_t from, size_t to, const char *name);

#endif
