/*
 * How many rows a statement of a script leaves where, told from its words. Pure, and no more than an estimate: what
 * conditions leave out and joins multiply is not known.
 */
#ifndef ALTERD_MIGRATE_SCRIPT_DATA_H
#define ALTERD_MIGRATE_SCRIPT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/migrate/pool.h"

enum data_what {
	DATA_NONE,   /* writes no rows */
	DATA_INSERT, /* also REPLACE, and CREATE TABLE .. AS */
	DATA_UPDATE,
	DATA_DELETE,
};

struct script_data {
	enum data_what what;
	const char *table; /* that is written, unquoted */
	int64_t values;    /* INSERT: rows that VALUES spells out */
	bool generates;    /* INSERT .. SELECT */
	bool all;          /* DELETE: without a condition */
	size_t nnames;
	const char **names; /* every other name in it, unquoted: the tables that are read are among them */
	/* CREATE TABLE .. AS: the same statement, which reads no row; NULL: it is none. */
	const char *empty_sql;
};

void script_data(struct pool *pool, const char *sql, struct script_data *ret);
/* ALTER TABLE .. ADD: the column's definition; NULL: it is another statement. */
const char *script_added_column(struct pool *pool, const char *sql);
/* The words of a text name the table. */
bool script_names(struct pool *pool, const char *sql, const char *table);

#endif
