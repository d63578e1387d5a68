/* Making a backup, from its name to its place in the folder. Blocks: on the thread of backups.c. */
#ifndef ALTERD_MIGRATE_BACKUP_MAKE_H
#define ALTERD_MIGRATE_BACKUP_MAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/migrate/backup_folder.h"
#include "daemon/store/store.h"
#include "proto/error.h"

struct backup_wish {
	struct store *store;
	const char *folder;
	const char *name; /* NULL: one of the moment is made */
	bool before;      /* automatic: before a run, which begins with `version` */
	int64_t version;
	int64_t keep; /* before: so many automatic ones stay */
	bool full_check;
	atomic_int *stop, *permille; /* as in backup.h */
};

struct backup_made {
	char name[BACKUP_NAME_MAX + 1];
	int64_t bytes, version; /* the schema's version in it */
	double ms;
};

/* 0, or the error, and then nothing of it is left. */
int backup_make(const struct backup_wish *wish, struct backup_made *ret, struct error *err);

#endif
