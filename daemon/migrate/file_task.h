/*
 * One request about migration files: looked at on a reader lane; what is to be written goes over the writer lane.
 *
 * Shared by file_task.c (its course), file_look.c (the reader's part), file_list.c (migrate.list), file_plan.c
 * (migrate.plan), file_validate.c (migrate.validate), file_schema.c (a fresh database made from a dump) and resolve.c
 * (migrate.resolve).
 */
#ifndef ALTERD_MIGRATE_FILE_TASK_H
#define ALTERD_MIGRATE_FILE_TASK_H

#include "daemon/migrate/migrator_internal.h"
#include "daemon/migrate/run.h"
#include "proto/op.h"

/* For `from` of migrate.baseline: PRAGMA user_version says which version it is. */
#define FROM_USER_VERSION "user_version"

struct file_task {
	struct list_node node; /* in migrator.file_tasks */
	struct job job;
	struct migrator *m;
	struct migrator_wait *w; /* NULL: the client is gone */
	enum op op;
	uint32_t uid;
	bool wait, postpone, dry_run, rehearses;
	bool mirror;     /* the history of another tool is kept in step */
	int64_t version; /* baseline, repair, resolve; 0: not said */
	bool applied;    /* resolve: as what it counts from now on */
	const char *from_tool;
	bool ran;
	int rc;
	struct error err;
	struct pool pool;
	/* What was sent; else the daemon's folder at `path` is read; "": there is none. */
	const char *path;
	bool sent;
	struct folder_file *files;
	size_t nfiles;
	struct folder_file schema; /* name NULL: none was sent */
	enum folder_format format;
	struct run_options options;
	/* What was found. */
	bool has_folder;
	struct folder folder;
	struct history history;
	struct partial partial;
	struct run run;
	struct applied *record; /* baseline, resolve: versions to record */
	size_t nrecord;
	const struct version *repaired; /* repair */
	const char *checksum;
	struct record *r;            /* the run's job; of resolve: one that has ended, for the history */
	struct buf answer;           /* migrate.plan: without its last bracket until it is given */
	int64_t db_bytes;            /* migrate.plan: of the database as it is */
	struct rehearsal *rehearsal; /* NULL: none is under way for it */
	int64_t free_bytes,
		needs_bytes; /* migrate.plan: on the disk (-1: unknown); of the version that needs the most */
	/* migrate.list: what migrate.status tells of the daemon's own folder. */
	int64_t latest;
	struct buf pending, problems; /* JSON arrays */
};

/* On a reader lane, in a snapshot: what is asked for is in the task then, or its error. */
int file_look(struct file_task *t, struct db *db);
/* Appends the answer's object. */
void file_list(struct file_task *t);
/* The key `warnings`: what is worth a word about the folder as a whole. */
void file_warnings(struct file_task *t);
int file_plan(struct file_task *t, struct db *db, struct error *err);
/* What is wrong with the files, which are read already but not taken apart; the task's error only where that fails. */
int file_validate(struct file_task *t, struct db *db);

/* The versions of the dump are taken for the history. WRONG_STATE unless the database is without tables. */
int file_schema(struct file_task *t);
/* The dump becomes the first step of the run. */
void file_schema_step(struct file_task *t);

/* resolve.c. The reader's part: what is to be recorded, and what the history will tell; the writer's; the answer. */
int resolve_look(struct file_task *t);
int resolve_write(struct file_task *t, struct db *db);
void resolve_done(struct file_task *t);

#endif
