/* What the files of the plan share: plan.c (order of work), plan_edit.c (actions on the DDL), plan_try.c (scratch),
 * plan_uses.c (what uses a column), plan_statement.c (what is no ALTER TABLE), plan_byhand.c (a rebuild written by
 * hand), plan_series.c (several statements about one table). */
#ifndef ALTERD_MIGRATE_PLAN_INTERNAL_H
#define ALTERD_MIGRATE_PLAN_INTERNAL_H

#include "daemon/migrate/ddl.h"
#include "daemon/migrate/plan.h"
#include "daemon/migrate/scratch.h"
#include "daemon/migrate/script_kind.h"
#include "daemon/migrate/statement.h"

/* Where a column of the table being edited comes from. */
struct column_map {
	const char *name;
	int source;        /* column of the source; -1: added */
	const char *using; /* USING's expression; NULL: the source's column, or the default */
	bool added;
	bool stale; /* a statement before the one in hand has changed its values */
	bool plain; /* the value is stored as an UPDATE would store it: no conversion is refused */
};

struct planning {
	struct pool *pool;
	sqlite3 *db;
	const struct plan_options *options;
	struct plan *plan;
	struct schema_table *source;
	char *sql;              /* CREATE TABLE as edited so far */
	bool changed;           /* an action had something to do */
	bool rows;              /* the table has rows */
	bool must_copy;         /* the rows change though their columns look the same: a collation, what is generated */
	const char **index_sql; /* of each index of the source, with renamed columns under their new names */
	sqlite3 *renamed;       /* scratch: the schema with its columns renamed; NULL where none is */
	bool no_memory;         /* a trial ended for want of memory: what was concluded from it is worth nothing */
	size_t nmap;
	struct column_map *map; /* in the order of the columns */
	struct error *err;
};

/* Reads the table into p->source and the plan; then how its rows are found, and whether there are any. */
int plan_source(struct planning *p, const char *table);
int plan_rows(struct planning *p);
/* From p->sql, p->map and the plan's indexes and shadow to all that a rebuild needs. */
int plan_rebuild(struct planning *p);
/* An ADD COLUMN that SQLite does by writing the schema alone. */
bool plan_instant(struct planning *p, const struct action *a);
/* p->sql and p->map as the source has them; the source's indexes as far as the map leaves them. */
void plan_map_source(struct planning *p);
int plan_indexes(struct planning *p);
/* Ends planning, whose result `rc` is: it counts only where memory lasted. */
int plan_finish(struct planning *p, int rc);
/* One index of the target: `sql` is its CREATE INDEX, `number` tells it from the others. */
int plan_add_index(struct planning *p, const char *name, bool unique, const char *sql, size_t number, bool fresh);

/* Applies one action to p->sql and p->map; sets err and returns -1 if it cannot be done. */
int plan_edit(struct planning *p, const struct action *a);

/*
 * Another type, USING or collation for column `source` of the source (-1: none) that foreign keys refer to: refused
 * unless every reference stays right.
 */
int plan_check_references(struct planning *p, int source, const char *using, bool collate, enum affinity to);

/* The plan's columns and copying SQL, from the map and the target as SQLite reads it. */
int plan_map_columns(struct planning *p, const struct schema_table *target);

/* RENAME beside other actions; whether SQLite can do it; a plan of nothing else; USING that says new names. */
int plan_rename(struct planning *p, const struct action *a);
int plan_try_renames(struct planning *p);
void plan_only_renames(struct planning *p);
const char *plan_old_names(struct planning *p, const char *expr);

/* The plan's keys; and what foreign keys of children refer to must be unique in the target. */
int plan_keys(struct planning *p, const struct schema_table *target);
bool plan_unique_columns(const struct schema_table *t, const char *const *names, size_t n);
const char **plan_primary_columns(struct pool *pool, const struct schema_table *t, size_t *ret_n);
int plan_check_parent_keys(struct planning *p, const struct schema_table *target);

/* UPDATE and DELETE, one action of which is a column, resp. all there is. */
int plan_update(struct planning *p, const struct action *a);
int plan_delete(struct planning *p, const struct action *a);
/* The expression over the source has the same value whenever it is asked for, from nothing but the row. */
int plan_pure(struct planning *p, const char *expr);

/* A trigger that would fire for each row, of this event (on this column, or NULL): refused by name. */
int plan_refuse_triggers(struct planning *p, const char *event, const char *column);

/* Scripts of several statements; *ret_not: it is none of these, and nothing was done. */
int plan_byhand(struct planning *p, const struct script *script, const struct script_kind *kinds, bool *ret_not);
int plan_series(struct planning *p, const struct script *script, const struct script_kind *kinds, bool *ret_not);

/* Rules of foreign keys. Then, if no copy is needed, the plan becomes one that checks, or one that is instant. */
int plan_rules(struct planning *p, const struct schema_table *target);
void plan_in_place(struct planning *p, const struct schema_table *target);

/* A CREATE INDEX that is built on a copy of the table, which takes its place. */
int plan_index_copy(struct planning *p, const struct statement *st);

/* Statements that are no ALTER TABLE. */
int plan_index(struct planning *p, const struct statement *st);
int plan_drop(struct planning *p, const struct statement *st);
int plan_object(struct planning *p, const struct statement *st);

/* True if an index of the source resp. tokens [from, to) of a table's text use a column of that name. */
bool plan_index_uses(struct planning *p, const char *index_sql, const char *column);
bool plan_part_uses(struct planning *p, const struct ddl *d, size_t from, size_t to, const char *column);

/* Sets plan->shadow: _alterd_<table>_new, with a number behind it where that name is taken. */
int plan_choose_shadow(struct planning *p);

/* Whether a trial that may well fail went well, by SQLite's result code; notes in p where it was memory that failed. */
bool trial_ok(struct planning *p, int code);
/* USING expression over the source: it must compile, and give the same value whenever it is asked. */
int try_expression(struct planning *p, const char *expr, struct error *err);
/* The constant a default stands for as an SQL literal; *ret NULL if it is not constant. */
int try_default(struct planning *p, const struct schema_column *column, const char **ret, struct error *err);
/* Views and triggers that worked before and do not with the table as the plan makes it: refused by name. */
int try_dependents(struct planning *p);

#endif
