/*
 * The folder of backups: names, and the files behind them. No SQLite, no state; all of it blocks.
 *
 * A backup is a file with a plain name. While it is made it is ".NAME.part", locked (flock) by who makes it, so what a
 * killed daemon has left is told from what another one is at. Automatic ones have names that nobody else may give, and
 * tell whose they are, for several databases may have one folder: before-VERSION-20260301T100000Z.DATABASE.
 */
#ifndef ALTERD_MIGRATE_BACKUP_FOLDER_H
#define ALTERD_MIGRATE_BACKUP_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/error.h"

/* Longest name, in bytes. */
#define BACKUP_NAME_MAX 128
/* What of a database's name is part of one. */
#define BACKUP_OWNER_MAX 64

/* 0, or INVALID_PARAMS with the reason. */
int backup_name_check(const char *name, struct error *err);
/* What stands for the database at `path` in the names of its automatic backups: the end of its file's name, in ASCII.
 */
void backup_owner(const char *path, char ret[BACKUP_OWNER_MAX + 1]);
/* Whose it is, for the name of one that was made before a run of migration files; a part of `name`. Else NULL. */
const char *backup_name_owner(const char *name);
/* A name of the moment: "backup-20260301T100000Z.db"; with an owner, who makes a run that begins with `version`,
 * "before-15-20260301T100000Z.app.db". `nth` above 0 makes another. */
void backup_name_make(const char *owner, int64_t version, int64_t wall_ms, int nth, char ret[BACKUP_NAME_MAX + 1]);

/* The folder is made if it is missing; the one it lies in must be there. */
int backup_folder_make(const char *folder, struct error *err);
/* True if there is such a file, whatever it is. */
bool backup_exists(const char *folder, const char *name);
/* An empty ".NAME.part", locked. *ret_fd is the caller's. */
int backup_part_make(const char *folder, const char *name, int *ret_fd, struct error *err);
/* It gets its name, for good; refused (INVALID_PARAMS) where there is one by now. */
int backup_part_publish(const char *folder, const char *name, struct error *err);
void backup_part_remove(const char *folder, const char *name);
/* The path of a part or a backup, appended. */
void backup_part_path(const char *folder, const char *name, struct buf *out);
void backup_path(const char *folder, const char *name, struct buf *out);

/* Appends {"folder","backups":[{"name","bytes","created","automatic"}]}, the oldest first. No folder: none. */
int backup_list(const char *folder, struct buf *out, struct error *err);
/* Appends {"offset","total","data"}: up to `size` bytes as base64, none behind the end. */
int backup_read(const char *folder, const char *name, int64_t offset, int64_t size, struct buf *out, struct error *err);
int backup_delete(const char *folder, const char *name, struct error *err);
/* Of the owner's automatic ones the newest `keep` stay. What goes is logged, as is what cannot. */
void backup_prune(const char *folder, const char *owner, int64_t keep);
/* Takes away what killed daemons have left. */
void backup_sweep(const char *folder);

#endif
