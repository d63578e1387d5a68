/*
 * One request about migration files: looked at on a reader lane; what is to be written goes over the writer lane.
 *
 * Shared by file_task.c (its course), file_look.c (the reader's part), file_list.c (migrate.list) and file_plan.c
 * (migrate.plan).
 */
#ifndef ALTERD_MIGRATE_FILE_TASK_H
#define ALTERD_MIGRATE_FILE_TASK_H

#include "daemon/migrate/migrator_internal.h"
#include "daemon/migrate/run.h"
#include "proto/op.h"

struct file_task {
	struct list_node node; /* in migrator.file_tasks */
	struct job job;
	struct migrator *m;
	struct migrator_wait *w; /* NULL: the client is gone */
	enum op op;
	uint32_t uid;
	bool wait, postpone, dry_run, rehearses;
	int64_t version; /* baseline, repair */
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
	enum folder_format format;
	struct run_options options;
	/* What was found. */
	bool has_folder;
	struct folder folder;
	struct history history;
	struct run run;
	struct applied *record; /* baseline: versions to record */
	size_t nrecord;
	const char *checksum;        /* repair */
	struct record *r;            /* the run's job */
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
int file_plan(struct file_task *t, struct db *db, struct error *err);

#endif
